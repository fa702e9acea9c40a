package turbo

import (
	"errors"
	"testing"
)

// two by two pixels become one value a channel, by the plainest of tables.
func small() *Resample {
	axis := func() Axis { return Axis{Start: []int32{0}, Taps: 2, Coef: []int32{1 << 21, 1 << 21}, Slots: 1} }
	r := &Resample{
		Pix: []byte{0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14}, StepX: 3, StepY: 6, Channels: 3,
		X: axis(), Y: axis(), Planes: 3, Source: [3]int{0, 1, 2}, Table: make([]byte, 3*256), Elem: 1,
		Dst: make([]byte, 3), PlaneStep: 1, RowStep: 3, ColStep: 3,
	}
	for i := range r.Table {
		r.Table[i] = byte(i)
	}
	r.Acc, r.Row = make([]int32, r.AccLen()), make([]byte, r.RowLen())
	return r
}

// The C code reads and writes wherever these numbers say. Each of these would
// leave a slice by one.
func TestCheckKeepsEveryIndexInside(t *testing.T) {
	if err := small().Check(); err != nil {
		t.Fatalf("a right one was refused: %v", err)
	}
	for name, change := range map[string]func(r *Resample){
		"pixels":             func(r *Resample) { r.Pix = r.Pix[:11] },
		"origin":             func(r *Resample) { r.Origin = 1 },
		"origin before":      func(r *Resample) { r.Origin = -1 },
		"backwards":          func(r *Resample) { r.StepX = -3 },
		"upwards":            func(r *Resample) { r.StepY = -6 },
		"start":              func(r *Resample) { r.X.Start[0] = 1 },
		"negative start":     func(r *Resample) { r.Y.Start[0] = -1 },
		"taps":               func(r *Resample) { r.X.Taps = 3 },
		"no taps":            func(r *Resample) { r.Y.Taps = 0 },
		"no pixels wanted":   func(r *Resample) { r.X.Start, r.X.Coef = nil, nil },
		"channels":           func(r *Resample) { r.Channels = 2 },
		"four channels":      func(r *Resample) { r.Channels = 4 },
		"planes":             func(r *Resample) { r.Planes = 4 },
		"source":             func(r *Resample) { r.Source[2] = 3 },
		"source of grey":     func(r *Resample) { r.Gray = true },
		"negative source":    func(r *Resample) { r.Source[0] = -1 },
		"element":            func(r *Resample) { r.Elem = 3 },
		"larger element":     func(r *Resample) { r.Elem = 4 },
		"table":              func(r *Resample) { r.Table = r.Table[:3*256-1] },
		"tensor":             func(r *Resample) { r.Dst = r.Dst[:2] },
		"planes apart":       func(r *Resample) { r.PlaneStep = 2 },
		"negative step":      func(r *Resample) { r.RowStep = -1 },
		"sums":               func(r *Resample) { r.Acc = r.Acc[1:] },
		"row":                func(r *Resample) { r.Row = r.Row[1:] },
		"no slots":           func(r *Resample) { r.Y.Slots = 0 },
		"falling starts":     func(r *Resample) { r.Y = Axis{Start: []int32{1, 0}, Taps: 1, Coef: make([]int32, 2), Slots: 2} },
		"slots for the rows": func(r *Resample) { r.Y = Axis{Start: []int32{0, 0}, Taps: 2, Coef: make([]int32, 4), Slots: 1} },
	} {
		r := small()
		change(r)
		if err := r.Check(); !errors.Is(err, ErrShape) {
			t.Errorf("%s: got %v, want ErrShape", name, err)
		}
		if err := r.Run(); err == nil {
			t.Errorf("%s: was run", name)
		}
	}
}

func TestCheckWantsAlignedMemory(t *testing.T) {
	r := small()
	r.Elem, r.Table, r.Dst = 2, make([]byte, 3*512+1)[1:], make([]byte, 6)
	if err := r.Check(); err == nil {
		t.Error("a table at an odd address was taken for two-byte elements")
	}
}

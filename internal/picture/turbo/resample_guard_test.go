//go:build cgo && linux

package turbo

import (
	"syscall"
	"testing"
	"unsafe"
)

// fenced is memory that ends where the next byte cannot be touched.
func fenced(t *testing.T, n int) []byte {
	t.Helper()
	page := syscall.Getpagesize()
	whole := (n + page - 1) / page * page
	memory, err := syscall.Mmap(-1, 0, whole+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(memory) })
	if err := syscall.Mprotect(memory[whole:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return memory[whole-n : whole : whole]
}

// TestRunStaysInside: vector code reads four bytes for a pixel of three and
// writes rows in whole registers; a byte too many ends the process here.
func TestRunStaysInside(t *testing.T) {
	for _, channels := range []int{1, 3, 4} {
		for _, size := range []int{1, 2, 3, 31, 32, 33, 64} {
			for turn := range 8 {
				run(t, channels, size, turn)
			}
		}
	}
}

// run copies a picture of size x size pixels, turned, through fenced memory.
func run(t *testing.T, channels, size, turn int) {
	t.Helper()
	r := &Resample{Channels: channels, Planes: 3, Elem: 1, Source: [3]int{0, 1, 2}, PlaneStep: size * size, RowStep: size, ColStep: 1}
	if channels == 1 {
		r.Source = [3]int{}
	}
	r.Pix, r.Dst, r.Table = fenced(t, size*size*channels), fenced(t, 3*size*size), fenced(t, 3*256)
	r.StepX, r.StepY = channels, size*channels
	if turn&1 != 0 {
		r.Origin += (size - 1) * r.StepX
		r.StepX = -r.StepX
	}
	if turn&2 != 0 {
		r.Origin += (size - 1) * r.StepY
		r.StepY = -r.StepY
	}
	if turn&4 != 0 {
		r.StepX, r.StepY = r.StepY, r.StepX
	}
	for i := range r.Pix {
		r.Pix[i] = byte(i*7 + 1)
	}
	for i := range r.Table {
		r.Table[i] = byte(i)
	}
	axis := Axis{Taps: 1, Slots: 1}
	for i := range size {
		axis.Start, axis.Coef = append(axis.Start, int32(i)), append(axis.Coef, 1<<Precision)
	}
	r.X, r.Y = axis, axis
	sums := fenced(t, 4*r.AccLen())
	r.Acc, r.Row = words(sums), fenced(t, r.RowLen())
	if err := r.Run(); err != nil {
		t.Fatalf("%d channels, %d pixels, turn %d: %v", channels, size, turn, err)
	}
	if channels == 4 {
		return // alpha mixes the values: only the memory is of interest
	}
	for y := range size {
		for x := range size {
			at := r.Origin + x*r.StepX + y*r.StepY
			if got, want := r.Dst[y*size+x], r.Pix[at]; got != want {
				t.Fatalf("%d channels, turn %d: pixel (%d, %d) is %d, want %d", channels, turn, x, y, got, want)
			}
		}
	}
}

// words looks at memory as whole numbers of 32 bits.
func words(b []byte) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

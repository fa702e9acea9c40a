package fleet_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
)

// npy is an array as NumPy writes it.
func npy(kind string, shape string, data any) []byte {
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", kind, shape)
	head += strings.Repeat(" ", 63-(10+len(head))%64) + "\n"
	var b bytes.Buffer
	b.WriteString("\x93NUMPY\x01\x00")
	_ = binary.Write(&b, binary.LittleEndian, uint16(len(head)))
	b.WriteString(head)
	_ = binary.Write(&b, binary.LittleEndian, data)
	return b.Bytes()
}

// certified is the tiny package with a certificate of one case, a red picture:
// red in the tensor is level, and class c was scored c times slope.
func certified(t *testing.T, level, slope float32) fleettest.Package {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 8, 8))
	rgb, tensor := make([]uint8, 0, 8*8*3), make([]float32, 3*8*8)
	for y := range 8 {
		for x := range 8 {
			img.Set(x, y, color.RGBA{255, 0, 0, 255})
			rgb = append(rgb, 255, 0, 0)
			tensor[8*y+x] = level
		}
	}
	var file, arrays bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(&arrays)
	for name, data := range map[string][]byte{
		"rgb.npy":    npy("|u1", "8, 8, 3", rgb),
		"tensor.npy": npy("<f4", "1, 3, 8, 8", tensor),
		"logits.npy": npy("<f4", "1, 3", []float32{0, slope, 2 * slope}),
	} {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return fleettest.Package{Rest: "parity: parity/\n", Files: map[string]string{
		"parity/red.png": file.String(), "parity/red.npz": arrays.String(),
	}}
}

func TestACertificateIsHeldStageByStage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		level, slope float32
		refused      string
		stages       int
	}{
		{"it holds", 1, 1, "", 3},
		{"prepared otherwise", 0.9, 1, `tensor: case "red"`, 2},
		{"another model", 1, 1.5, `logits: case "red"`, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := fleettest.Checker(t).Check(t.Context(), certified(t, c.level, c.slope).Write(t))
			if err != nil {
				t.Fatal(err)
			}
			if r.Accepted != (c.refused == "") || !strings.HasPrefix(r.Problem, c.refused) || len(r.Parity) != c.stages {
				t.Errorf("accepted %v, %q, stages %+v; want %q after %d stages", r.Accepted, r.Problem, r.Parity, c.refused, c.stages)
			}
			for i, s := range r.Parity {
				if last := i == len(r.Parity)-1; s.OK != (c.refused == "" || !last) || s.Case != "red" {
					t.Errorf("stage %d is %+v", i, s)
				}
			}
		})
	}
}

func TestAProbeThatIsTakenForSomethingElseRefusesTheModel(t *testing.T) {
	t.Parallel()
	red := certified(t, 1, 1).Files["parity/red.png"]
	for label, want := range map[string]string{
		"c": "",
		"a": `the probe picture "probe.png" is taken for "c"; its label in goshawk.yaml is "a"`,
	} {
		p := fleettest.Package{Rest: "probe: {image: probe.png, label: " + label + "}\n", Files: map[string]string{"probe.png": red}}
		r, err := fleettest.Checker(t).Check(t.Context(), p.Write(t))
		if err != nil {
			t.Fatal(err)
		}
		if r.Problem != want || r.Probe != "c" {
			t.Errorf("probe with the label %q: %q, seen as %q; want %q", label, r.Problem, r.Probe, want)
		}
	}
}

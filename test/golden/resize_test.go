// Package golden holds numbers that other programs computed, the scripts that
// made them, and the tests that compare.
package golden

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// golden is what make_resize.py wrote.
type golden struct {
	Pillow     string
	Background [3]uint8
	Cases      []struct {
		Picture, Mode, Filter, Color string
		Size, Crop                   [2]int
		Antialias                    bool
		Orientation                  int
	}
	arrays map[string]*tensor.Tensor
}

func load(t *testing.T, name string) *golden {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	g := new(golden)
	if g.arrays, err = model.ReadNPZ(data, 16<<20); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := json.Unmarshal(g.arrays["meta"].Strings[0], g); err != nil {
		t.Fatal(err)
	}
	if len(g.Cases) < 50 {
		t.Fatalf("%s holds %d cases; nothing would be compared", name, len(g.Cases))
	}
	return g
}

func (g *golden) recipe(i int) picture.Recipe {
	c := g.Cases[i]
	r := picture.Recipe{
		Background: g.Background,
		Resize: picture.Resize{
			Mode: picture.Mode(c.Mode), Filter: picture.Filter(c.Filter), Antialias: c.Antialias,
			Width: c.Size[0], Height: c.Size[1],
		},
		Crop:    picture.Crop{Width: c.Crop[0], Height: c.Crop[1]},
		Color:   picture.Color(c.Color),
		Rescale: 1, Std: [3]float64{1, 1, 1}, Layout: picture.NHWC, Type: tensor.Uint8,
		Width: c.Crop[0], Height: c.Crop[1],
	}
	return r
}

// image is the stored picture, with the orientation that a camera would write.
func (g *golden) image(i int) *picture.Image {
	a := g.arrays["in_"+g.Cases[i].Picture]
	return &picture.Image{
		Pix: a.Data, Height: int(a.Shape[0]), Width: int(a.Shape[1]), Channels: int(a.Shape[2]),
		Orientation: g.Cases[i].Orientation,
	}
}

// TestResizeIsPillows holds every mode, filter, colour and orientation to
// Pillow's bytes. Where Pillow does the resizing the arithmetic is the same and
// so must be every byte; without antialias the reference is rounded once and
// ours twice, so that one level may lie between.
func TestResizeIsPillows(t *testing.T) {
	g := load(t, "resize.npz")
	same, within, pillows := 0, 0, 0
	for i, c := range g.Cases {
		r, img, want := g.recipe(i), g.image(i), g.arrays[fmt.Sprintf("out_%d", i)]
		got := tensor.Aligned(r.RowBytes())
		if err := r.Fill(got, img, nil); err != nil {
			t.Errorf("case %d %+v: %v", i, c, err)
			continue
		}
		if len(got) != len(want.Data) {
			t.Errorf("case %d %+v: %d bytes, Pillow has %v", i, c, len(got), want.Shape)
			continue
		}
		worst := 0
		for j := range got {
			worst = max(worst, int(got[j])-int(want.Data[j]), int(want.Data[j])-int(got[j]))
		}
		ours := c.Antialias || c.Filter == "nearest"
		switch {
		case worst == 0:
			same++
		case worst == 1 && !ours:
			within++
		default:
			t.Errorf("case %d %+v: differs by %d levels from Pillow %s", i, c, worst, g.Pillow)
		}
		if ours {
			pillows++
		}
	}
	t.Logf("%d cases: %d equal to the byte, %d within one level; Pillow resized %d of them", len(g.Cases), same, within, pillows)
}

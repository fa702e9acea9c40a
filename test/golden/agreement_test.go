//go:build ci

package golden

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/test/checkout"
)

// top decodes a file, prepares it and gives the best class.
func (p *packaged) top(t *testing.T, d *picture.Decoder, data []byte, exact bool) (best, scale int) {
	t.Helper()
	info, err := picture.Inspect(data, picture.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	r := p.binding.Recipe
	r.Exact = exact
	plan := d.Plan(info, &r)
	var img picture.Image
	if err := d.Decode(t.Context(), data, info, plan, &img); err != nil {
		t.Fatal(err)
	}
	in, err := tensor.New(p.binding.Input.Name, r.Type, append([]int64{1}, r.Shape()...), int64(r.RowBytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Fill(in.Data, &img, nil); err != nil {
		t.Fatal(err)
	}
	out := &tensor.Tensor{Name: p.binding.Logits.Name}
	if err := p.session.Run(t.Context(), []*tensor.Tensor{in}, []*tensor.Tensor{out}); err != nil {
		t.Fatal(err)
	}
	for i, v := range tensor.View[float32](out.Data) {
		if v > tensor.View[float32](out.Data)[best] {
			best = i
		}
	}
	return best, plan.Scale
}

// TestShrinkingWhileDecodingKeepsTheAnswer compares the two ways a JPEG can
// take, on everyday photos and on large ones, with each decoder.
func TestShrinkingWhileDecodingKeepsTheAnswer(t *testing.T) {
	p := open(t, imagenet)
	for _, kind := range []string{"turbo", "go"} {
		d, err := picture.NewDecoder(kind)
		if err != nil {
			t.Fatal(err)
		}
		same, all, right, shrunk := 0, 0, 0, 0
		for _, folder := range []string{"photos", "photos-12mp"} {
			for _, row := range labels(t, folder) {
				data, err := os.ReadFile(checkout.Shared(t, "images", folder, row["file"]))
				if err != nil {
					t.Fatal(err)
				}
				quick, scale := p.top(t, d, data, false)
				exact, _ := p.top(t, d, data, true)
				all++
				if scale > 1 {
					shrunk++
				}
				if quick == exact {
					same++
				}
				if class, err := strconv.Atoi(row["imagenet_index"]); err == nil && class == quick {
					right++
				}
				if folder == "photos-12mp" && scale != 8 {
					t.Errorf("%s: decoded at 1/%d, want 1/8: at full size it costs ten times as much", row["file"], scale)
				}
			}
		}
		t.Logf("%s: same best class %d of %d (%d shrunk while decoding), right %d", d.Name(), same, all, shrunk, right)
		if all < 100 || shrunk == 0 || same*100 < all*99 {
			t.Errorf("%s: the best class agrees for %d of %d, want 99 %%", d.Name(), same, all)
		}
	}
}

func labels(t *testing.T, folder string) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(checkout.Shared(t, "images", folder), "labels.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

package golden

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// release is what make_processors.py wrote with one release of transformers.
type release struct {
	Transformers string
	Cases        []map[string]any
	Defaults     map[string]map[string]any
	arrays       map[string]*tensor.Tensor
}

func releases(t *testing.T) []*release {
	t.Helper()
	var all []*release
	for _, name := range []string{"processors-4.npz", "processors-5.npz"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r := new(release)
		if r.arrays, err = model.ReadNPZ(data, 16<<20); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := json.Unmarshal(r.arrays["meta"].Strings[0], r); err != nil {
			t.Fatal(err)
		}
		if len(r.Cases) < 30 || len(r.Defaults) < 15 {
			t.Fatalf("%s holds %d cases and %d defaults", name, len(r.Cases), len(r.Defaults))
		}
		all = append(all, r)
	}
	return all
}

// export imports an export whose preprocessor_config.json says this.
func export(t *testing.T, settings map[string]any) (*model.Package, model.ONNXInfo, error) {
	t.Helper()
	preprocessor, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	network := onnxgen.Model{Graph: onnxgen.Graph{
		Inputs:  []onnxgen.Value{{Name: "pixel_values", Type: tensor.Float32, Shape: []any{"batch", 3, "height", "width"}}},
		Outputs: []onnxgen.Value{{Name: "logits", Type: tensor.Float32, Shape: []any{"batch", 2}}},
	}}.Bytes()
	dir := filepath.Join(t.TempDir(), "export")
	for name, content := range map[string][]byte{
		"config.json":              []byte(`{"architectures": ["XForImageClassification"], "id2label": {"0": "a", "1": "b"}}`),
		"preprocessor_config.json": preprocessor,
		"model.onnx":               network,
	} {
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name), content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	info, err := model.InspectONNX(network)
	if err != nil {
		t.Fatal(err)
	}
	p, err := model.Import(t.Context(), dir, filepath.Join(t.TempDir(), "package"), model.ImportOptions{})
	return p, info, err
}

// TestImportedProcessorsComputeWhatTransformersDoes: every number that a
// processor of either release makes of a picture, up to the last bits.
func TestImportedProcessorsComputeWhatTransformersDoes(t *testing.T) {
	taken := map[int]bool{}
	all := releases(t)
	for _, r := range all {
		in := r.arrays["in"]
		img := &picture.Image{Pix: in.Data, Height: int(in.Shape[0]), Width: int(in.Shape[1]), Channels: 3, Orientation: 1}
		for i, settings := range r.Cases {
			want := r.arrays[fmt.Sprintf("out_%d", i)]
			if want.Shape[1] == 0 {
				continue // refused there
			}
			taken[i] = true
			p, info, err := export(t, settings)
			if err != nil {
				t.Errorf("transformers %s, %v: %v", r.Transformers, settings, err)
				continue
			}
			b, err := model.Bind(p, info.Inputs, info.Outputs)
			if err != nil {
				t.Fatal(err)
			}
			if b.Recipe.Height != int(want.Shape[1]) || b.Recipe.Width != int(want.Shape[2]) {
				t.Errorf("transformers %s, %v: %d x %d, want %v", r.Transformers, settings, b.Recipe.Height, b.Recipe.Width, want.Shape)
				continue
			}
			got := tensor.Aligned(b.Recipe.RowBytes())
			if err := b.Recipe.Fill(got, img, nil); err != nil {
				t.Fatal(err)
			}
			if worst, at := difference(got, want.Data); worst > 2e-5 {
				t.Errorf("transformers %s, %v: differs by %g at %d of %v", r.Transformers, settings, worst, at, want.Shape)
			}
		}
	}
	for i, settings := range all[0].Cases {
		if _, _, err := export(t, settings); !taken[i] && !errors.Is(err, problem.ModelInvalid) {
			t.Errorf("%v: %v; every release of transformers refuses it", settings, err)
		}
	}
}

func difference(got, want []byte) (worst float64, at int) {
	for i := 0; i+4 <= len(want); i += 4 {
		g := math.Float32frombits(binary.NativeEndian.Uint32(got[i:]))
		w := math.Float32frombits(binary.LittleEndian.Uint32(want[i:]))
		if d := math.Abs(float64(g) - float64(w)); d > worst || math.IsNaN(d) {
			worst, at = d, i/4
		}
	}
	return worst, at
}

var missing = regexp.MustCompile(`: (\w+) is missing, and releases 4 and 5 of transformers differ`)

// TestWhatAFileLeavesOutIsWhatTransformersTakes: a file that names only its
// processor means the same as one with all of a release's defaults; where the
// releases differ the setting is asked for, and nowhere else.
func TestWhatAFileLeavesOutIsWhatTransformersTakes(t *testing.T) {
	all := releases(t)
	for name := range all[0].Defaults {
		var differ []string
		for key := range all[1].Defaults[name] {
			if key == "image_mean" && name == "MobileViT" || key == "image_std" && name == "MobileViT" {
				continue // without effect: do_normalize is off in both
			}
			if !cmp.Equal(all[0].Defaults[name][key], all[1].Defaults[name][key]) {
				differ = append(differ, key)
			}
		}
		slices.Sort(differ)
		for _, r := range all {
			full := maps.Clone(r.Defaults[name])
			full["image_processor_type"] = name + "ImageProcessor"
			bare := map[string]any{"image_processor_type": full["image_processor_type"]}
			var asked []string
			p, _, err := export(t, bare)
			for err != nil && missing.MatchString(err.Error()) {
				key := missing.FindStringSubmatch(err.Error())[1]
				asked, bare[key] = append(asked, key), full[key]
				p, _, err = export(t, bare)
			}
			slices.Sort(asked)
			if !slices.Equal(asked, differ) {
				t.Errorf("%s: asked for %v, and the releases differ in %v", name, asked, differ)
			}
			said, _, fullErr := export(t, full)
			switch {
			case name == "MobileViT": // its own defaults pad the picture
				if err == nil || fullErr == nil || err.Error() != fullErr.Error() {
					t.Errorf("%s: %v with nothing said, %v with all", name, err, fullErr)
				}
			case err != nil || fullErr != nil:
				t.Errorf("%s of transformers %s: %v with nothing said, %v with all", name, r.Transformers, err, fullErr)
			default:
				if diff := cmp.Diff(said.Manifest.Preprocess, p.Manifest.Preprocess, cmp.AllowUnexported(model.Preprocess{})); diff != "" {
					t.Errorf("%s of transformers %s: -all said +nothing said:\n%s", name, r.Transformers, diff)
				}
			}
		}
	}
}

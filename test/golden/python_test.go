//go:build ci

package golden

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/test/checkout"
)

// python runs a script of the repository with the interpreter that
// GOSHAWKTEST_PYTHON names. It must have numpy, Pillow and, for certificates,
// onnxruntime.
func python(t *testing.T, args ...string) string {
	t.Helper()
	interpreter := os.Getenv("GOSHAWKTEST_PYTHON")
	if interpreter == "" {
		interpreter = "python3"
	}
	cmd := exec.CommandContext(t.Context(), interpreter, args...)
	cmd.Dir = checkout.Root(t)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "ORT_DISABLE_TELEMETRY=1", "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", interpreter, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestTheScriptMakesTheGoldens: what is committed is what the script makes.
func TestTheScriptMakesTheGoldens(t *testing.T) {
	made := filepath.Join(t.TempDir(), "resize.npz")
	python(t, "test/golden/make_resize.py", made)
	got, want := load(t, made), load(t, "resize.npz")
	if len(got.arrays) != len(want.arrays) {
		t.Fatalf("the script makes %d arrays, %d are committed: run it again", len(got.arrays), len(want.arrays))
	}
	for name, a := range want.arrays {
		if diff := cmp.Diff(a, got.arrays[name]); diff != "" {
			t.Errorf("%s is committed otherwise than the script makes it (-committed +made); look why before running the script again:\n%s", name, diff)
		}
	}
}

// TestCertificatesOfTheSharedModelsHold goes the engineer's way for each model:
// certify, package, compare all stages.
func TestCertificatesOfTheSharedModelsHold(t *testing.T) {
	for name, c := range map[string]struct{ file, preprocess string }{
		"mobilenetv2": {"mobilenetv2.onnx", `
  resize: {mode: short-side, size: 256, filter: bilinear, antialias: true}
  crop: {size: [224, 224]}
  rescale: 1/255
  mean: [0.5, 0.5, 0.5]
  std: [0.5, 0.5, 0.5]`},
		"squeezenet": {"squeezenet1.1.onnx", `
  resize: {mode: short-side, size: 256, filter: bilinear, antialias: true}
  crop: {size: [224, 224]}
  rescale: 1
  mean: [104, 117, 123]
  std: [1, 1, 1]`},
		"resnet20": {"cifar10-resnet20.onnx", `
  resize: {mode: exact, size: [32, 32], filter: bilinear, antialias: true}
  rescale: 1/255
  mean: [0.485, 0.456, 0.406]
  std: [0.229, 0.224, 0.225]`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := checkout.Shared(t, "models", c.file)
			python(t, "test/golden/make_certificates.py", name, file, filepath.Join(dir, "parity"),
				checkout.Shared(t, "images", "examples", "cat.jpg"), "scene")
			labels, color := filepath.Join(imagenet, "labels.txt"), "RGB"
			if name == "resnet20" {
				labels = checkout.Shared(t, "models", "cifar10-labels.txt")
			}
			if name == "squeezenet" {
				color = "BGR"
			}
			copyFile(t, file, filepath.Join(dir, "model.onnx"))
			copyFile(t, labels, filepath.Join(dir, "labels.txt"))
			manifest := "apiVersion: goshawk/v1\nkind: Model\nname: " + name + "\nmodel: model.onnx\n" +
				"input: {tensor: input, layout: NCHW, color: " + color + "}\npreprocess:" + c.preprocess +
				"\noutput: {tensor: logits, activation: softmax, labels: labels.txt}\nparity: parity/\n"
			if err := os.WriteFile(filepath.Join(dir, "goshawk.yaml"), []byte(manifest), 0o600); err != nil {
				t.Fatal(err)
			}
			open(t, dir).holds(t)
		})
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestCertifySeesPicturesAsWeDo certifies turned, transparent, grey and palette
// pictures: what Pillow makes of them and what we do must be the same pixels.
func TestCertifySeesPicturesAsWeDo(t *testing.T) {
	dir := t.TempDir()
	t.Log(python(t, "-c", `
import sys
sys.path.insert(0, "tools")
import numpy as np
from PIL import Image
from certify import certify

out = sys.argv[1]
rgba = np.random.default_rng(1).integers(0, 256, (40, 50, 4)).astype(np.uint8)
exif = Image.Exif()
exif[0x0112] = 6
pictures = []
def keep(image, name, **options):
    image.save(f"{out}/{name}", **options)
    pictures.append(f"{out}/{name}")
keep(Image.fromarray(rgba), "alpha.png")
keep(Image.fromarray(rgba[..., :3]), "turned.png", exif=exif)
keep(Image.fromarray(rgba[..., 0]), "grey.png")
keep(Image.fromarray(rgba[..., :3]).quantize(16), "palette.png")
keep(Image.fromarray(rgba[..., :3]), "plain.bmp")

def preprocess(image):
    return np.asarray(image.resize((8, 8), Image.Resampling.BICUBIC), np.float32)

certify(out, pictures, preprocess, lambda batch: batch.reshape(1, -1)[:, :5], background=(10, 200, 30))
`, dir))
	certificate, err := model.ReadCertificate(os.DirFS(dir), ".")
	if err != nil {
		t.Fatal(err)
	}
	b := &model.Binding{Recipe: picture.Recipe{
		Background: [3]uint8{10, 200, 30},
		Resize:     picture.Resize{Mode: picture.Exact, Width: 8, Height: 8, Filter: picture.Bicubic, Antialias: true},
		Color:      picture.RGB, Layout: picture.NHWC, Type: tensor.Float32, Width: 8, Height: 8,
		Rescale: 1, Std: [3]float64{1, 1, 1},
	}}
	p := &packaged{binding: b}
	for _, c := range certificate.Cases {
		if w := p.picture(t, c, "go"); w != "" {
			t.Error(w)
		}
		if err := c.CompareTensor(b); err != nil {
			t.Error(err)
		}
		if !strings.Contains(c.Meta, "pillow") || len(c.Logits) != 5 {
			t.Errorf("case %s: meta %q and %d logits, want versions and five", c.Name, c.Meta, len(c.Logits))
		}
	}
	if len(certificate.Cases) != 5 {
		t.Errorf("%d cases, want one for each picture", len(certificate.Cases))
	}
}

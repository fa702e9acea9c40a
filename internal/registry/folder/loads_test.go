package folder_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/registry/folder"
)

// fixed is a model that takes one row, no more and no less.
func fixed() string { return string(onnxgen.Plus(1, 1, 2).Bytes()) }

func newLoads(t *testing.T) *folder.Loads {
	t.Helper()
	l, err := folder.OpenLoads(filepath.Join(t.TempDir(), "loads"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func base(t *testing.T, s *folder.Source, name string) *folder.Base {
	t.Helper()
	v := only(t, s, name)
	p, err := s.Open(t.Context(), v.Digest)
	if err != nil {
		t.Fatal(err)
	}
	return &folder.Base{Version: v, Package: p, Source: s}
}

func TestFilesOfARequestMakeAModel(t *testing.T) {
	l := newLoads(t)
	file := []byte(plus(5))
	list, err := l.Make(t.Context(), "adder", folder.Override{
		Config: `{"max_batch_size": 2, "dynamic_batching": {"priority_levels": 3, "default_priority_level": 2}, "version_policy": {"all": {}}}`,
		Files:  map[string][]byte{"5/model.onnx": file, "6/model.onnx": []byte(plus(6))},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	clear(file) // it is a part of the request's body, which is used again
	if got := shown(list); got != "adder/5\nadder/6 default" {
		t.Errorf("got %q", got)
	}
	p, err := l.Open(t.Context(), list[0].Digest)
	if err != nil || p.Manifest.Serving.MaxBatchSize != 2 {
		t.Fatalf("the package is %v (%v), want a copy of the bytes and the batch of the configuration", p, err)
	}
	if s := p.Manifest.Serving; s.PriorityLevels != 3 || s.DefaultPriority != 2 {
		t.Errorf("the configuration's levels of priority came to %+v, want 3 with the default 2", s)
	}
	if l.Put("adder", list) != nil || shown(l.Of("adder")) != shown(list) || len(l.Names()) != 1 {
		t.Errorf("put, and there is %q", shown(l.Of("adder")))
	}
	if err := l.Sweep(); err != nil {
		t.Fatal(err)
	}
	if _, here := l.Directory(list[0].Digest); !here {
		t.Error("a package that is wanted was swept away")
	}
	if before := l.Put("adder", nil); len(before) != 2 || l.Of("adder") != nil {
		t.Errorf("dropped, and there is %q", shown(l.Of("adder")))
	}
	if err := l.Sweep(); err != nil {
		t.Fatal(err)
	}
	if _, here := l.Directory(list[0].Digest); here {
		t.Error("a package that nobody wants is still there")
	}
}

// TestAConfigurationAloneIsPutToTheFilesThatAreThere, whatever form they have.
func TestAConfigurationAloneIsPutToTheFilesThatAreThere(t *testing.T) {
	s := newShop(t)
	s.write("tri/1/model.onnx", plus(1))
	s.write("tri/2/model.onnx", plus(2))
	s.write("bare.onnx", plus(1))
	pets := fleettest.Package{Name: "pets"}.Contents()
	for name, text := range pets {
		s.write("pets/"+name, text)
	}
	source := s.open()
	l := newLoads(t)
	for name, want := range map[string]string{"tri": "tri/1\ntri/2 default", "bare": "bare/1 default", "pets": "pets/1 default"} {
		b := base(t, source, name)
		list, err := l.Make(t.Context(), name, folder.Override{Config: `{"max_batch_size": 3, "version_policy": {"all": {}}}`}, b)
		if err != nil || shown(list) != want {
			t.Fatalf("%s: %q, %v; want %q", name, shown(list), err, want)
		}
		v := list[len(list)-1]
		p, err := l.Open(t.Context(), v.Digest)
		if err != nil || p.Manifest.Serving.MaxBatchSize != 3 || v.Digest == b.Version.Digest {
			t.Errorf("%s: %+v (%v), want a batch of 3 and a digest of its own", name, p, err)
		}
		if name == "pets" && (p.Manifest.Kind != model.KindModel || len(p.Labels) != 3) {
			t.Errorf("pets takes no pictures any more: %+v", p.Manifest)
		}
	}
}

func TestWhatARequestBringsIsJudged(t *testing.T) {
	s := newShop(t)
	s.write("adder.onnx", plus(1))
	source := s.open()
	l := newLoads(t)
	for _, c := range []struct {
		name string
		o    folder.Override
		want string
	}{
		{"adder", folder.Override{Config: `{"platform": "pytorch_libtorch"}`}, "the platform"},
		{"adder", folder.Override{Config: `{"name": "other"}`}, "it is of the model"},
		{"adder", folder.Override{Config: `{"input": [{"name": "x"}]}`}, "has no input"},
		{"adder", folder.Override{Config: `{"sequence_batching": {}}`}, "sequence_batching"},
		{"adder", folder.Override{Files: map[string][]byte{"1/model.onnx": []byte("text")}}, "not an ONNX model"},
		{"adder", folder.Override{Files: map[string][]byte{"model.onnx": []byte(plus(1))}}, "has no version"},
		{"adder", folder.Override{Files: map[string][]byte{"1/other.onnx": []byte(plus(1))}}, "is missing"},
		{"adder", folder.Override{Files: map[string][]byte{"../1/model.onnx": nil}}, "is no file of a model's directory"},
		{"adder", folder.Override{Config: `{"max_batch_size": 4}`, Files: map[string][]byte{"1/model.onnx": []byte(fixed())}}, "takes no batch"},
		{"a b", folder.Override{Files: map[string][]byte{"1/model.onnx": []byte(plus(1))}}, "is not allowed"},
	} {
		list, err := l.Make(t.Context(), c.name, c.o, base(t, source, "adder"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+.60v: %q, %v; want a sentence with %q", c.o, shown(list), err, c.want)
		}
	}
	if _, err := l.Make(t.Context(), "none", folder.Override{Config: "{}"}, nil); !errors.Is(err, problem.ModelNotFound) {
		t.Errorf("a configuration for no model: %v, want model-not-found", err)
	}
}

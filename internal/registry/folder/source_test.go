package folder_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/registry/folder"
)

func TestTheThreeFormsStandSideBySide(t *testing.T) {
	s := newShop(t)
	s.write("README.md", "no model")
	s.write(".git/config", "no model")
	s.write("Bare-Net.onnx", plus(1))
	for name, text := range (fleettest.Package{Name: "pets"}).Contents() {
		s.write("some-folder/"+name, text)
	}
	s.write("DenseNet/config.pbtxt", "platform: \"onnxruntime_onnx\"\nmax_batch_size: 4\nversion_policy { all {} }\nparameters { key: \"intra_op_thread_count\" value { string_value: \"2\" } }")
	s.write("DenseNet/1/model.onnx", plus(1))
	s.write("DenseNet/3/model.onnx", plus(3))
	s.write("DenseNet/03/model.onnx", "passed over, as Triton does")
	source := s.open()
	want := "Bare-Net/1 default\nDenseNet/1\nDenseNet/3 default\npets/1 default"
	if got := shown(source.Versions()); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	for name, kind := range map[string]model.Kind{"Bare-Net": model.KindTensor, "DenseNet": model.KindTensor, "pets": model.KindModel} {
		v := only(t, source, name)
		p, err := source.Open(t.Context(), v.Digest)
		if err != nil || p.Manifest.Kind != kind {
			t.Errorf("%s is of kind %v (%v), want %s", name, p, err, kind)
		}
		if name == "DenseNet" && (p.Manifest.Serving.MaxBatchSize != 4 || p.Manifest.Serving.Threads != 2) {
			t.Errorf("the configuration came to %+v, want a batch of 4 and 2 threads", p.Manifest.Serving)
		}
		if dir, ok := source.Directory(v.Digest); !ok || !strings.HasPrefix(dir, s.cache) {
			t.Errorf("%s is served from %s, want a copy under the cache: the original may change", name, dir)
		}
		if again, err := source.Resolve(name + "@" + v.Digest[:len("sha256:")+12]); err != nil || again.Number != v.Number {
			t.Errorf("%s by 12 digits: %v, %v", name, again, err)
		}
	}
	for _, ref := range []string{"none", "pets@champion", "pets@sha256:00", "pets@sha256:000000000000"} {
		if _, err := source.Resolve(ref); !errors.Is(err, problem.ModelNotFound) {
			t.Errorf("%s: %v, want model-not-found", ref, err)
		}
	}
}

// TestTritonWithPictureSettings: a goshawk.yaml beside the versions makes them
// models that take pictures.
func TestTritonWithPictureSettings(t *testing.T) {
	s := newShop(t)
	contents := (fleettest.Package{Name: "pets"}).Contents()
	s.write("pets/2/model.onnx", contents["model.onnx"])
	s.write("pets/goshawk.yaml", contents["goshawk.yaml"])
	s.write("pets/labels.txt", contents["labels.txt"])
	source := s.open()
	v := only(t, source, "pets")
	p, err := source.Open(t.Context(), v.Digest)
	if err != nil || v.Number != 2 || p.Manifest.Kind != model.KindModel || len(p.Labels) != 3 {
		t.Errorf("pets is %+v (%v), want version 2 of kind Model with three labels", v, err)
	}
}

func TestWhatCannotBeServedIsListedWithItsReason(t *testing.T) {
	s := newShop(t)
	s.write("good.onnx", plus(1))
	s.write("text.onnx", "hello")
	s.write("nothing/notes.txt", "hello")
	s.write("bad name.onnx", plus(1))
	s.write("half/1/model.onnx", plus(1))
	s.write("half/2/other.onnx", plus(2))
	s.write("half/config.pbtxt", "version_policy { all {} }")
	s.write("gone/config.pbtxt", "version_policy { specific { versions: [ 7 ] } }")
	s.write("gone/1/model.onnx", plus(1))
	s.write("empty/config.pbtxt", "")
	if err := os.Symlink(filepath.Join(s.dir, "good.onnx"), filepath.Join(s.dir, "link.onnx")); err != nil {
		t.Fatal(err)
	}
	s.write("inside/1/note.txt", "")
	if err := os.Symlink("/etc/passwd", filepath.Join(s.dir, "inside", "1", "model.onnx")); err != nil {
		t.Fatal(err)
	}
	got := shown(s.open().Versions())
	for _, want := range []string{
		"good/1 default\n",
		"text/0 default: the model file is not an ONNX model: it looks like text",
		"nothing/0 default: the folder holds no model",
		`bad name/0 default: the name "bad name" is not allowed`,
		"half/1\nhalf/2 default: the version 2 is not there: \"2/model.onnx\" is missing",
		`gone/7 default: the version 7 is not there`,
		"empty/0 default: the model has no version",
		"link.onnx\" is a link",
		"model.onnx\" is a link",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, s.dir) {
		t.Errorf("clients are told where the directory lies:\n%s", got)
	}
}

// TestOfTwoOfANameOneIsServed: which one must not depend on who came first, and
// not on what cannot be served at all.
func TestOfTwoOfANameOneIsServed(t *testing.T) {
	s := newShop(t)
	s.write("adder.onnx", "broken")
	s.write("adder/1/model.onnx", plus(1))
	s.write("twice.onnx", plus(1))
	s.write("twice/4/model.onnx", plus(4))
	got := shown(s.open().Versions())
	for _, want := range []string{
		"adder/0: \"adder.onnx\": the model file is not an ONNX model",
		"adder/1 default",
		"twice/0: \"twice.onnx\" makes a model of this name as well as \"twice\", which is served",
		"twice/4 default",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q in\n%s", want, got)
		}
	}
}

// TestWhatIsBeingWrittenIsNotTaken: a file that grows between two looks is left alone.
func TestWhatIsBeingWrittenIsNotTaken(t *testing.T) {
	s := newShop(t)
	source := s.open()
	whole := plus(1)
	s.write("adder.onnx", whole[:len(whole)/2])
	if !source.Look(t.Context()) || len(source.Versions()) != 0 {
		t.Fatalf("after one look there is %q, want nothing yet and another look soon", shown(source.Versions()))
	}
	s.write("adder.onnx", whole)
	if !source.Look(t.Context()) || len(source.Versions()) != 0 {
		t.Fatalf("the file changed between the looks, and there is %q", shown(source.Versions()))
	}
	if source.Look(t.Context()) || shown(source.Versions()) != "adder/1 default" {
		t.Errorf("two looks agreed, and there is %q", shown(source.Versions()))
	}
	select {
	case <-source.Changed():
	default:
		t.Error("nobody was told")
	}
}

func TestWhoAsksForAModelHasItReadNow(t *testing.T) {
	s := newShop(t)
	s.write("adder.onnx", plus(1))
	s.write("other.onnx", plus(1))
	source := s.open()
	first := only(t, source, "other")
	s.write("adder.onnx", plus(2))
	s.write("other.onnx", plus(2))
	source.Refresh(t.Context(), "adder")
	if v := only(t, source, "adder"); v.Number != 2 {
		t.Errorf("adder is %+v, want its second version", v)
	}
	if v := only(t, source, "other"); v.Digest != first.Digest {
		t.Error("other was read too, which nobody asked for")
	}
	s.remove("adder.onnx")
	source.Refresh(t.Context(), "adder")
	if _, err := source.Resolve("adder"); !errors.Is(err, problem.ModelNotFound) {
		t.Errorf("a model that is gone: %v, want model-not-found at once", err)
	}
}

// TestNumbersOutliveTheProcess: none is used twice, and what has not changed is
// not copied again.
func TestNumbersOutliveTheProcess(t *testing.T) {
	s := newShop(t)
	s.write("adder.onnx", plus(1))
	source := s.open()
	one := only(t, source, "adder")
	s.write("adder.onnx", plus(2))
	source.Refresh(t.Context(), "adder")
	two := only(t, source, "adder")
	dir, _ := source.Directory(two.Digest)
	if err := os.WriteFile(filepath.Join(dir, "mark"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	again := s.open()
	if v := only(t, again, "adder"); v.Number != 2 || v.Digest != two.Digest || !v.Added.Equal(two.Added) {
		t.Errorf("after a start adder is %+v, want %+v as before", v, two)
	}
	if _, err := os.Stat(filepath.Join(dir, "mark")); err != nil {
		t.Errorf("the copy was made anew: %v", err)
	}
	s.write("adder.onnx", plus(1))
	again.Refresh(t.Context(), "adder")
	if v := only(t, again, "adder"); v.Number != 3 || v.Digest != one.Digest {
		t.Errorf("the first file again is %+v, want version 3 with the digest of the first", v)
	}
}

// TestACopyStaysWhileItIsServed and goes when neither a model nor the directory needs it.
func TestACopyStaysWhileItIsServed(t *testing.T) {
	s := newShop(t)
	s.write("adder.onnx", plus(1))
	source := s.open()
	v := only(t, source, "adder")
	s.inUse[v.Digest] = true
	s.remove("adder.onnx")
	for range 2 {
		source.Look(t.Context())
	}
	if len(source.Versions()) != 0 {
		t.Errorf("after its file went there is %q", shown(source.Versions()))
	}
	if _, here := source.Directory(v.Digest); !here {
		t.Error("the package is gone while a model is served from it")
	}
	s.inUse[v.Digest] = false
	source.Look(t.Context())
	if _, here := source.Directory(v.Digest); here {
		t.Error("nothing refers to the package any more, and it is still there")
	}
}

// TestADamagedCopyIsMadeAnew: what is loaded is what was checked, or nothing.
func TestADamagedCopyIsMadeAnew(t *testing.T) {
	s := newShop(t)
	s.write("adder.onnx", plus(1))
	source := s.open()
	v := only(t, source, "adder")
	dir, _ := source.Directory(v.Digest)
	file := filepath.Join(dir, "model.onnx")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(plus(2)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Open(t.Context(), v.Digest); !errors.Is(err, problem.ModelInvalid) {
		t.Errorf("a changed copy: %v, want model-invalid", err)
	}
	source.Refresh(t.Context(), "adder")
	if _, err := source.Open(t.Context(), v.Digest); err != nil {
		t.Errorf("after it was asked for again: %v, want a new copy", err)
	}
}

// TestADirectoryThatIsAwayUnloadsNothing: a network's file system comes back.
func TestADirectoryThatIsAwayUnloadsNothing(t *testing.T) {
	s := newShop(t)
	s.write("adder.onnx", plus(1))
	source := s.open()
	if err := os.Rename(s.dir, s.dir+"-away"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		source.Look(t.Context())
	}
	if got := shown(source.Versions()); got != "adder/1 default" {
		t.Errorf("while the directory is away there is %q, want what was there", got)
	}
	if err := os.Rename(s.dir+"-away", s.dir); err != nil {
		t.Fatal(err)
	}
	s.write("second.onnx", plus(2))
	for range 2 {
		source.Look(t.Context())
	}
	if got := shown(source.Versions()); got != "adder/1 default\nsecond/1 default" {
		t.Errorf("after it came back there is %q", got)
	}
}

// TestOfTooManyModelsThoseStayThatAreServed: which of them a file system lists
// first may change with every file that comes.
func TestOfTooManyModelsThoseStayThatAreServed(t *testing.T) {
	s := newShop(t)
	s.most = 2
	s.write("one.onnx", plus(1))
	s.write("two.onnx", plus(2))
	source := s.open()
	if s.log.Reset(); len(source.Versions()) != 2 {
		t.Fatalf("there is %q, want both", shown(source.Versions()))
	}
	for i := range 20 {
		s.write(fmt.Sprintf("more%d.onnx", i), plus(3+i))
		s.write(fmt.Sprintf("notes%d.txt", i), "no model")
	}
	for range 3 {
		source.Look(t.Context())
	}
	got := shown(source.Versions())
	if !strings.Contains(got, "one/1 default") || !strings.Contains(got, "two/1 default") {
		t.Errorf("what was served is gone, though nobody removed it:\n%s", got)
	}
	if n := strings.Count(s.log.String(), "more than is looked at"); n != 1 {
		t.Errorf("the operator is told %d times that there are too many, want once:\n%s", n, s.log.String())
	}
	s.remove("one.onnx")
	for range 2 {
		source.Look(t.Context())
	}
	if got := shown(source.Versions()); strings.Contains(got, "one/1") {
		t.Errorf("what was removed is still there:\n%s", got)
	}
}

// TestLabelsOfTriton: they may repeat, as ImageNet's do.
func TestLabelsOfTriton(t *testing.T) {
	s := newShop(t)
	s.write("adder/config.pbtxt", `output [ { name: "out" label_filename: "names.txt" } ]`)
	s.write("adder/names.txt", "crane\ncrane\n")
	s.write("adder/1/model.onnx", plus(1))
	source := s.open()
	p, err := source.Open(t.Context(), only(t, source, "adder").Digest)
	if err != nil || len(p.Labels) != 2 || p.Labels[1].Name != "crane" || p.Manifest.Output.Tensor != "out" {
		t.Errorf("%+v, %v; want two labels of the output out", p, err)
	}
}

// TestTheFirstReadingCanWait: a large repository is no reason to keep the doors shut.
func TestTheFirstReadingCanWait(t *testing.T) {
	for _, poll := range []time.Duration{0, time.Millisecond} {
		s := newShop(t)
		s.write("adder/1/model.onnx", plus(1))
		cache, err := folder.OpenCache(s.cache)
		if err != nil {
			t.Fatal(err)
		}
		source, err := folder.Open(t.Context(), s.dir, folder.Options{Cache: cache, Poll: poll, Later: true})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-source.Read():
			t.Error("Open has read the directory")
		default:
		}
		source.Start(t.Context())
		<-source.Read()
		if got := shown(source.Versions()); got != "adder/1 default" {
			t.Errorf("got %q", got)
		}
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	}
}

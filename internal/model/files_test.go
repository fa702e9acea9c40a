package model_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/model"
)

// tiny is a package with all that one may hold.
func tiny() map[string]string {
	return map[string]string{
		"goshawk.yaml": strings.Replace(least, "imagenet", "cifar10", 1),
		"model.onnx":   string(onnxgen.Classifier("N", 32, 3).Bytes()),
		"labels.txt":   "cat\ndog\nbird\n",
		"docs/card.md": "# tiny\n",
	}
}

func mapFS(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return m
}

// TestTheDigestIsWhatTheDesignSays computes it a second time, from the formula.
func TestTheDigestIsWhatTheDesignSays(t *testing.T) {
	files := tiny()
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	var text strings.Builder
	for _, name := range names {
		fmt.Fprintf(&text, "%s\x00%d\x00%x\n", name, len(files[name]), sha256.Sum256([]byte(files[name])))
	}
	want := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text.String())))
	got, err := model.Digest(mapFS(files))
	if err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestTheDigestIsTheFilesAlone(t *testing.T) {
	plain := mapFS(tiny())
	want, err := model.Digest(plain)
	if err != nil {
		t.Fatal(err)
	}
	dressed, inFolder := mapFS(tiny()), fstest.MapFS{}
	for name, f := range dressed {
		f.ModTime, f.Mode = time.Unix(1e9, 0), 0o755
		inFolder["top/"+name] = f
	}
	for name, other := range map[string]fs.FS{"times and modes": dressed, "a common top folder": inFolder} {
		if got, err := model.Digest(other); err != nil || got != want {
			t.Errorf("with %s: %s, %v; want %s as without", name, got, err, want)
		}
	}
	renamed := mapFS(tiny())
	renamed["docs/car.md"] = renamed["docs/card.md"]
	delete(renamed, "docs/card.md")
	if got, _ := model.Digest(renamed); got == want {
		t.Error("a renamed file must change the digest")
	}
}

func TestOpenReadsAPackageAndChecksItsFiles(t *testing.T) {
	p, err := model.Open(mapFS(tiny()))
	if err != nil || len(p.Labels) != 3 || p.Manifest.Name != "m" || len(p.Digest) != 71 {
		t.Fatalf("got %+v, %v", p, err)
	}
	data, err := p.Model()
	if err != nil || string(data) != tiny()["model.onnx"] {
		t.Errorf("the model has %d bytes, %v; want it as it is", len(data), err)
	}
	for _, c := range []struct {
		change func(map[string]string)
		want   string
	}{
		{func(f map[string]string) { clear(f) }, "the package is empty"},
		{func(f map[string]string) { delete(f, "goshawk.yaml") }, "goshawk.yaml is missing in the package; it says how pictures are prepared and what the outputs mean"},
		{func(f map[string]string) { delete(f, "model.onnx") }, `goshawk.yaml: model names "model.onnx", which is missing in the package`},
		{func(f map[string]string) { delete(f, "labels.txt") }, `goshawk.yaml: output.labels names "labels.txt", which is missing in the package`},
		{func(f map[string]string) { f["goshawk.yaml"] += "probe: {image: p.png, label: cat}\n" }, `goshawk.yaml: probe.image names "p.png", which is missing in the package`},
		{func(f map[string]string) {
			f["goshawk.yaml"] += "probe: {image: p.png, label: cow}\n"
			f["p.png"] = "x"
		}, `goshawk.yaml: probe.label is "cow", which is none of the 3 labels`},
		{func(f map[string]string) { f["goshawk.yaml"] += "parity: parity/\n" }, `goshawk.yaml: parity names the folder "parity", which is not in the package`},
		{func(f map[string]string) { f["goshawk.yaml"] = strings.Repeat("#", 70_000) }, `"goshawk.yaml" has 70000 bytes; at most 65536 are read`},
		{func(f map[string]string) {
			for i := range 1000 {
				f[fmt.Sprintf("f/%d", i)] = ""
			}
		}, "the package has more than 1000 files"},
	} {
		files := tiny()
		c.change(files)
		if _, err := model.Open(mapFS(files)); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// An entry is a file of a hand-made archive.
type entry struct {
	name, body string
	link       string
	kind       byte // of tar; 0 is a regular file
	mode       fs.FileMode
}

func entries(files map[string]string) []entry {
	var list []entry
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range files {
			if !yield(n) {
				return
			}
		}
	}) {
		list = append(list, entry{name: name, body: files[name]})
	}
	return list
}

func zipOf(t *testing.T, list []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range list {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(0o644 | e.mode)
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write([]byte(e.body))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarOf(t *testing.T, list []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range list {
		kind := e.kind
		if kind == 0 {
			kind = tar.TypeReg
		}
		h := &tar.Header{Name: e.name, Size: int64(len(e.body)), Mode: 0o644, Typeflag: kind, Linkname: e.link}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// add imports a file of these bytes.
func add(t *testing.T, name string, data []byte, o model.ImportOptions) (*model.Package, string, error) {
	t.Helper()
	dir := t.TempDir()
	src, dst := filepath.Join(dir, name), filepath.Join(dir, "out", "package")
	if err := os.Mkdir(filepath.Dir(dst), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(src, data, 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := model.Import(t.Context(), src, dst, o)
	if err != nil {
		left, _ := os.ReadDir(filepath.Dir(dst))
		if len(left) != 0 {
			t.Errorf("%v is left behind after a refusal", left)
		}
	}
	return p, dst, err
}

// TestEveryFormOfAPackageHasOneDigest is why a model is the same wherever it
// was packed.
func TestEveryFormOfAPackageHasOneDigest(t *testing.T) {
	want, err := model.Digest(mapFS(tiny()))
	if err != nil {
		t.Fatal(err)
	}
	plain, folder := entries(tiny()), map[string]string{}
	for name, text := range tiny() {
		folder["some folder/"+name] = text
	}
	junk := append(entries(tiny()), entry{name: "__MACOSX/._model.onnx", body: "x"}, entry{name: "docs/.DS_Store", body: "x"}, entry{name: "empty/", mode: fs.ModeDir, kind: tar.TypeDir})
	for name, data := range map[string][]byte{
		"zip": zipOf(t, plain), "tar": tarOf(t, plain), "tar.gz": gzipOf(t, tarOf(t, plain)),
		"zip with a folder": zipOf(t, entries(folder)), "tar with a folder": tarOf(t, entries(folder)),
		"zip from a Mac": zipOf(t, junk), "tar from a Mac": tarOf(t, junk),
		"tar with dots": tarOf(t, dotted(plain)),
	} {
		p, dst, err := add(t, "upload.bin", data, model.ImportOptions{})
		if err != nil || p.Digest != want {
			t.Errorf("%s: %v, %v; want digest %s, told by content whatever the file is called", name, p, err, want)
			continue
		}
		if again, err := model.Digest(os.DirFS(dst)); err != nil || again != want {
			t.Errorf("%s: on disk %s, %v", name, again, err)
		}
	}
	for name, files := range map[string]map[string]string{"directory": tiny(), "directory with a folder": folder} {
		src := write(t, t.TempDir(), files)
		if err := os.MkdirAll(filepath.Join(src, ".git"), 0o755); err != nil {
			t.Fatal(err)
		}
		p, err := model.Import(t.Context(), src, filepath.Join(t.TempDir(), "p"), model.ImportOptions{})
		if name == "directory with a folder" {
			// A second entry beside the folder, so that it is no common top.
			if err == nil {
				t.Errorf("%s and .git: accepted as %v", name, p.Digest)
			}
			if err := os.Remove(filepath.Join(src, ".git")); err != nil {
				t.Fatal(err)
			}
			p, err = model.Import(t.Context(), src, filepath.Join(t.TempDir(), "p"), model.ImportOptions{})
		}
		if err != nil || p.Digest != want {
			t.Errorf("%s: %v, %v; want digest %s", name, p, err, want)
		}
	}
}

func dotted(list []entry) []entry {
	out := []entry{{name: "./", kind: tar.TypeDir}}
	for _, e := range list {
		e.name = "./" + e.name
		out = append(out, e)
	}
	return out
}

// TestHostileArchivesAreRefused: each is a good package with one thing added.
func TestHostileArchivesAreRefused(t *testing.T) {
	with := func(more ...entry) []entry { return append(entries(tiny()), more...) }
	many := make([]entry, 1001)
	for i := range many {
		many[i] = entry{name: fmt.Sprintf("f/%d", i)}
	}
	zeros := strings.Repeat("\x00", 70_000_000)
	good := zipOf(t, entries(tiny()))
	encrypted := bytes.Clone(good)
	for _, sign := range []string{"PK\x03\x04", "PK\x01\x02"} {
		at := 6 + 2*strings.Count(sign, "\x01")
		for i := range encrypted {
			if bytes.HasPrefix(encrypted[i:], []byte(sign)) {
				encrypted[i+at] |= 1
			}
		}
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"zip slip", zipOf(t, with(entry{name: "../../x"})), `the package has an entry "../../x": a path with .. leads outside the package`},
		{"tar slip", tarOf(t, with(entry{name: "a/../../x"})), `the package has an entry "a/../../x": a path with .. leads outside the package`},
		{"zip absolute", zipOf(t, with(entry{name: "/outside/x"})), `the package has an entry "/outside/x": an absolute path lies outside the package`},
		{"tar absolute", tarOf(t, with(entry{name: "/outside/x"})), `the package has an entry "/outside/x": an absolute path lies outside the package`},
		{"backslash", zipOf(t, with(entry{name: `..\x`})), `the package has an entry "..\\x": a path in a package has no backslash`},
		{"newline", zipOf(t, with(entry{name: "a\nb"})), `the package has an entry "a\nb": a path in a package has no control characters`},
		{"long path", tarOf(t, with(entry{name: strings.Repeat("a/", 300) + "b"})), `the package has an entry "` + strings.Repeat("a/", 40) + `"…: it is longer than 512 bytes`},
		{"twice", zipOf(t, with(entry{name: "model.onnx", body: "x"})), `the package has two entries named "model.onnx"`},
		{"twice by another spelling", tarOf(t, with(entry{name: "docs/.//card.md"})), `the package has two entries named "docs/card.md"`},
		{"file and folder", tarOf(t, with(entry{name: "labels.txt/x"})), `the package has "labels.txt" both as a file and as a folder`},
		{"folder and file", tarOf(t, with(entry{name: "docs"})), `the package has "docs" both as a file and as a folder`},
		{"zip link", zipOf(t, with(entry{name: "l", body: "/etc/passwd", mode: fs.ModeSymlink})), `"l" is a link; links are not allowed in a package`},
		{"zip device", zipOf(t, with(entry{name: "l", mode: fs.ModeDevice | fs.ModeCharDevice})), `"l" is a device; a package holds regular files only`},
		{"tar link", tarOf(t, with(entry{name: "l", kind: tar.TypeSymlink, link: "/etc/passwd"})), `"l" is a link to "/etc/passwd"; links are not allowed in a package`},
		{"tar hard link", tarOf(t, with(entry{name: "l", kind: tar.TypeLink, link: "../x"})), `"l" is a link to "../x"; links are not allowed in a package`},
		{"tar pipe", tarOf(t, with(entry{name: "l", kind: tar.TypeFifo})), `"l" is a named pipe; a package holds regular files only`},
		{"tar device", tarOf(t, with(entry{name: "l", kind: tar.TypeChar})), `"l" is a device; a package holds regular files only`},
		{"tar unknown", tarOf(t, with(entry{name: "l", kind: 'Z'})), `"l" is of an unusual type; a package holds regular files only`},
		{"many", zipOf(t, many), "the package has more than 1000 files"},
		{"zip bomb", zipOf(t, with(entry{name: "w", body: zeros})), "the archive of 0.1 MB unpacks to more than 64 MB, as no model does"},
		{"gzip bomb", gzipOf(t, tarOf(t, with(entry{name: "w", body: zeros}))), "the archive of 0.1 MB unpacks to more than 64 MB, as no model does"},
		{"gzip bomb of garbage", gzipOf(t, []byte(zeros)), ""},
		{"encrypted", encrypted, `"docs/card.md" is encrypted; a package must not be`},
		{"zip cut off", good[:len(good)-30], "the package is damaged: zip: not a valid zip file"},
		{"tar cut off", tarOf(t, with())[:1300], "the package is damaged: it is cut off"},
		{"gzip cut off", gzipOf(t, tarOf(t, with()))[:100], "the package is damaged: it is cut off"},
		{"gzip of nothing", []byte{0x1f, 0x8b, 8}, "the package is damaged: it is cut off"},
		{"gzip of text", gzipOf(t, []byte("hello")), "the package is damaged: it is cut off"},
		{"empty zip", zipOf(t, nil), "the package is empty"},
		{"zip of zips", zipOf(t, []entry{{name: "a.zip", body: string(good)}}), `goshawk.yaml is missing in "upload.zip"; it says how pictures are prepared and what the outputs mean (a Hugging Face export has config.json instead; a bare model is added by its .onnx file)`},
		{"PyTorch", zipOf(t, []entry{{name: "archive/data.pkl", body: "x"}, {name: "archive/version", body: "3"}}), `"upload.zip" holds a PyTorch model; export it to ONNX`},
	} {
		_, _, err := add(t, "upload.zip", c.data, model.ImportOptions{})
		if err == nil || c.want != "" && err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, c.want)
		}
	}
}

func TestAWrongSizeInAHeaderIsDamage(t *testing.T) {
	good := zipOf(t, entries(tiny()))
	at := bytes.Index(good, []byte("PK\x01\x02"))
	good[at+24]-- // the first entry's size, one less than it has
	if _, _, err := add(t, "p.zip", good, model.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v, want it called damaged", err)
	}
}

func TestLimitsHold(t *testing.T) {
	o := model.ImportOptions{Limits: model.Limits{Files: 3, Bytes: 1e6, Ratio: 100}}
	if _, _, err := add(t, "p.zip", zipOf(t, entries(tiny())), o); err == nil || err.Error() != "the package has more than 3 files" {
		t.Errorf("4 files with a limit of 3: %v", err)
	}
	o.Limits = model.Limits{Files: 10, Bytes: 100, Ratio: 100}
	if _, _, err := add(t, "p.tar", tarOf(t, entries(tiny())), o); err == nil || err.Error() != "the package unpacks to more than 100B" {
		t.Errorf("over 100 bytes: %v", err)
	}
}

// TestADirectoryIsCopiedByTheSameRules: nothing that is no regular file is
// opened, least of all a pipe, which would hang.
func TestADirectoryIsCopiedByTheSameRules(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(dir string) error
		want string
	}{
		"link to a file":   {func(d string) error { return os.Symlink("/etc/passwd", d+"/l") }, `"l" is a symbolic link; a package holds regular files only`},
		"link inside":      {func(d string) error { return os.Symlink("labels.txt", d+"/l") }, `"l" is a symbolic link; a package holds regular files only`},
		"link to a folder": {func(d string) error { return os.Symlink("/etc", d+"/l") }, `"l" is a symbolic link; a package holds regular files only`},
		"pipe":             {func(d string) error { return syscall.Mkfifo(d+"/l", 0o600) }, `"l" is a named pipe; a package holds regular files only`},
		"backslash":        {func(d string) error { return os.WriteFile(d+`/a\b`, nil, 0o600) }, `the package has an entry "a\\b": a path in a package has no backslash`},
	} {
		dir := write(t, t.TempDir(), tiny())
		if err := c.do(dir); err != nil {
			t.Fatal(err)
		}
		dst := filepath.Join(t.TempDir(), "p")
		if _, err := model.Import(t.Context(), dir, dst, model.ImportOptions{}); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
		if _, err := os.Lstat(dst); err == nil {
			t.Errorf("%s: the refused package is still there", name)
		}
	}
}

func TestImportDoesNotTouchWhatIsThere(t *testing.T) {
	dst := write(t, t.TempDir(), map[string]string{"precious": "x"})
	if _, err := model.Import(t.Context(), write(t, t.TempDir(), tiny()), dst, model.ImportOptions{}); err == nil {
		t.Fatal("importing into a folder that exists must fail")
	}
	if _, err := os.Stat(filepath.Join(dst, "precious")); err != nil {
		t.Fatalf("%v: what was there before a refused import must stay", err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte("PK\x03\x04"))
	f.Add([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff})
	f.Add(append(append([]byte("x"), make([]byte, 256)...), "ustar"...))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
		if err := os.WriteFile(src, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := model.Import(t.Context(), src, dst, model.ImportOptions{Labels: src, Preset: "vit", Limits: model.Limits{Files: 20, Bytes: 1e6, Ratio: 10}})
		left, _ := os.ReadDir(dir)
		if err != nil && len(left) != 1 {
			t.Fatalf("%v is left behind after %v", left, err)
		}
	})
}

package model

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// ImportOptions say of a model what a package would say itself. A package
// refuses all but Limits.
type ImportOptions struct {
	Name        string
	Description string
	License     string
	Kind        Kind           // "" is KindModel
	Labels      string         // path of a label file
	Preset      string         // how pictures are prepared; see Presets
	Layout      picture.Layout // for a model that does not say
	Limits      Limits         // the zero value takes DefaultLimits
}

// told reports the options that describe a model.
func (o *ImportOptions) told() []string {
	flags := []struct{ flag, value string }{
		{"--name", o.Name},
		{"--description", o.Description},
		{"--license", o.License},
		{"--labels", o.Labels},
		{"--preset", o.Preset},
		{"--layout", string(o.Layout)},
	}
	list := make([]string, 0, len(flags))
	for _, f := range flags {
		if f.value != "" {
			list = append(list, f.flag)
		}
	}
	return list
}

// Import makes a package of src in the folder dst, which must not exist and
// whose parent must. src is a package (folder, .tar, .tar.gz or .zip, told by
// content), a bare ONNX file, or a Hugging Face export (folder or archive). The
// model is inspected, not loaded. When it fails, dst is gone again.
func Import(ctx context.Context, src, dst string, o ImportOptions) (*Package, error) {
	o.Limits = o.Limits.orDefault()
	i := &importer{o: o, src: src, dst: dst}
	for _, dir := range []string{dst, i.staging()} {
		if _, err := os.Lstat(dir); err == nil {
			return nil, fmt.Errorf("make a package in %s: %w", dir, fs.ErrExist)
		}
	}
	p, err := i.run(ctx)
	if err != nil {
		_ = os.RemoveAll(dst)
		_ = os.RemoveAll(i.staging())
		return nil, err
	}
	return p, nil
}

type importer struct {
	o        ImportOptions
	src, dst string
	notes    []string
}

// staging is where an archive is unpacked: on dst's file system, so that a
// package is moved and not copied.
func (i *importer) staging() string { return i.dst + ".unpacking" }

func (i *importer) run(ctx context.Context) (*Package, error) {
	info, err := os.Stat(i.src)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, refuse("there is no file or folder %s", wording.Quote(i.src))
	case err != nil:
		return nil, refuse("%s cannot be read: %s", wording.Quote(i.src), reason(err)).Because(err)
	case info.IsDir():
		err = i.folder(ctx)
	case info.Mode().IsRegular():
		err = i.file(ctx, info.Size())
	default:
		err = refuse("%s is %s; a file or a folder is wanted", wording.Quote(i.src), fileKind(info.Mode()))
	}
	if err != nil {
		return nil, err
	}
	return i.finish()
}

// reason is the last words of a path error, without the path.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return wording.Cut(err.Error())
}

// finish reads what was made and looks into the model.
func (i *importer) finish() (*Package, error) {
	p, err := Open(os.DirFS(i.dst))
	if err != nil {
		return nil, err
	}
	if i.o.Kind != "" && i.o.Kind != p.Manifest.Kind {
		return nil, refuse("%s says kind: %s, and --kind %s was asked for", ManifestName, p.Manifest.Kind, strings.ToLower(string(i.o.Kind)))
	}
	p.Notes = i.notes
	if p.Manifest.Remote != nil {
		return p, nil
	}
	data, err := p.Model()
	if err != nil {
		return nil, err
	}
	info, err := InspectONNX(data)
	if err != nil {
		return nil, err
	}
	return p, p.agrees(info)
}

// agrees refuses a second softmax over a model's own.
func (p *Package) agrees(info ONNXInfo) error {
	if p.Manifest.Kind != KindModel || p.Manifest.Output.Activation == None {
		return nil
	}
	name := p.Manifest.Output.Tensor
	if name == "" && len(info.Outputs) == 1 {
		name = info.Outputs[0].Name
	}
	if op := info.Makers[name]; op == "Softmax" || op == "Sigmoid" {
		return refuse("%s: output.activation is %s and the model's output %s is made by %s already; say activation: none", ManifestName, p.Manifest.Output.Activation, wording.Quote(name), op)
	}
	return nil
}

// file tells archive from model by the first bytes.
func (i *importer) file(ctx context.Context, length int64) error {
	f, err := os.Open(i.src)
	if err != nil {
		return refuse("%s cannot be read: %s", wording.Quote(i.src), reason(err)).Because(err)
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	kind := sniffArchive(head[:n])
	if kind == noArchive {
		return i.bare(f, length)
	}
	s, err := newSink(i.staging(), i.o.Limits)
	if err != nil {
		return err
	}
	defer s.root.Close()
	if err := s.unpack(ctx, f, kind, length); err != nil {
		return err
	}
	if err := i.unpacked(); err != nil {
		return err
	}
	return os.RemoveAll(i.staging())
}

// unpacked makes the package of what an archive held.
func (i *importer) unpacked() error {
	files, err := walk(os.DirFS(i.staging()), i.o.Limits)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return refuse("the package is empty")
	}
	dir := filepath.Join(i.staging(), commonTop(files))
	if exists(dir, ManifestName) {
		if err := i.notTold(); err != nil {
			return err
		}
		return os.Rename(dir, i.dst)
	}
	return i.export(dir)
}

// folder imports a package's or an export's.
func (i *importer) folder(ctx context.Context) error {
	root, err := os.OpenRoot(i.src)
	if err != nil {
		return refuse("%s cannot be read: %s", wording.Quote(i.src), reason(err)).Because(err)
	}
	defer root.Close()
	dir := i.src
	if !exists(dir, ManifestName) {
		files, err := fs.ReadDir(root.FS(), ".")
		if err != nil {
			return err
		}
		if len(files) != 1 || !exists(dir, filepath.Join(files[0].Name(), ManifestName)) {
			return i.export(dir)
		}
	}
	s, err := newSink(i.dst, i.o.Limits)
	if err != nil {
		return err
	}
	defer s.root.Close()
	if err := i.notTold(); err != nil {
		return err
	}
	return s.copyTree(ctx, root, ".")
}

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil
}

// notTold refuses options that would contradict a package.
func (i *importer) notTold() error {
	if told := i.o.told(); len(told) > 0 {
		return refuse("%s is a package and says %s itself, in its %s", wording.Quote(filepath.Base(i.src)), strings.Join(told, ", "), ManifestName)
	}
	return nil
}

var notInNames = regexp.MustCompile(`[^a-z0-9._-]+`)

// name is the one that was given, or is made of the source's.
func (i *importer) name() (string, error) {
	if i.o.Name != "" {
		if !nameForm.MatchString(i.o.Name) {
			return "", refuse("the name %s is not allowed; a name has 1 to 64 of a-z, 0-9, dot, underscore and hyphen, and begins with a letter or digit", wording.Quote(i.o.Name))
		}
		return i.o.Name, nil
	}
	base := strings.ToLower(filepath.Base(filepath.Clean(i.src)))
	for _, ending := range []string{".onnx", ".zip", ".tgz", ".gz", ".tar"} {
		base = strings.TrimSuffix(base, ending)
	}
	base = strings.Trim(notInNames.ReplaceAllString(base, "-"), "-._")
	base = base[:min(len(base), 64)]
	if !nameForm.MatchString(base) {
		return "", refuse("no name can be made of %s; give one with --name", wording.Quote(filepath.Base(i.src)))
	}
	return base, nil
}

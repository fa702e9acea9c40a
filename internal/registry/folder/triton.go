package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

const (
	maxVersions = 64 // of one model that are served
	maxNumber   = math.MaxInt32
)

// numberForm is a version's folder. Triton passes over what begins with 0, too.
var numberForm = regexp.MustCompile(`^[1-9][0-9]{0,9}$`)

// nameForm is what a model may be called that no package names: Triton's names
// have capitals. What a reference or an address takes for something else is out.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

var notInManifests = regexp.MustCompile(`[^a-z0-9._-]+`)

func checkName(name string) error {
	if nameForm.MatchString(name) {
		return nil
	}
	return problem.ModelInvalid.New("the name %s is not allowed; a name has 1 to 64 of A-Z, a-z, 0-9, dot, underscore and hyphen, and begins with a letter or digit", wording.Quote(name))
}

// numbers lists the folders of versions.
func numbers(root *os.Root, dir string) ([]int, error) {
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return nil, err
	}
	var list []int
	for _, e := range entries {
		if !e.IsDir() || !numberForm.MatchString(e.Name()) {
			continue
		}
		if n, err := strconv.Atoi(e.Name()); err == nil && n <= maxNumber {
			list = append(list, n)
		}
	}
	return list, nil
}

// isTriton tells Triton's layout from a package: it has a configuration or
// numbered folders. Pictures' settings may stand beside them.
func isTriton(root *os.Root, dir string) bool {
	if _, err := root.Lstat(path.Join(dir, configName)); err == nil {
		return true
	}
	list, err := numbers(root, dir)
	return err == nil && len(list) > 0
}

// layout is a model in Triton's form.
type layout struct {
	cache  *Cache
	root   *os.Root
	dir    string // in root
	name   string
	config *configuration
}

// readLayout reads the configuration, unless a request brought one.
func readLayout(c *Cache, root *os.Root, dir, name string, config *configuration) (*layout, error) {
	l := &layout{cache: c, root: root, dir: dir, name: name, config: config}
	if config == nil {
		text, err := readFile(root, path.Join(dir, configName), maxConfig)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			l.config = none()
		case err != nil:
			return nil, err
		default:
			if l.config, err = parseText(string(text)); err != nil {
				return nil, err
			}
		}
	}
	return l, l.config.fits(name)
}

// readFile reads a regular file of at most limit bytes.
func readFile(root *os.Root, name string, limit int64) ([]byte, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, problem.ModelInvalid.New("%s is no regular file", wording.Quote(path.Base(name)))
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = problem.ModelInvalid.New("%s has more than %d bytes", wording.Quote(path.Base(name)), limit)
	}
	return data, err
}

// take makes a package of each version that the policy chooses. What cannot be
// served is in the list with its reason.
func (l *layout) take(ctx context.Context) ([]version, error) {
	there, err := numbers(l.root, l.dir)
	if err != nil {
		return nil, err
	}
	if len(there) == 0 {
		return nil, problem.ModelInvalid.New("the model has no version: a folder with a number for a name, as 1, that holds %s", l.config.modelFile())
	}
	chosen, err := l.config.chosen(there)
	if err != nil {
		return nil, err
	}
	list := make([]version, 0, len(chosen))
	for _, n := range chosen {
		v := version{Number: n, Eager: true}
		v.Digest, v.refused = l.cache.put(func(dst string) (*model.Package, error) { return l.pack(ctx, dst, n) })
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		list = append(list, v)
	}
	return list, nil
}

// pack makes the package of one version: the model, what says how it is served,
// and a manifest, that of the model's folder where it has one.
func (l *layout) pack(ctx context.Context, dst string, number int) (*model.Package, error) {
	from := path.Join(l.dir, strconv.Itoa(number), l.config.modelFile())
	data, err := readFile(l.root, from, model.DefaultLimits.Bytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, problem.ModelInvalid.New("the version %d is not there: %s is missing", number, wording.Quote(path.Join(strconv.Itoa(number), l.config.modelFile())))
	}
	if err != nil {
		return nil, err
	}
	info, err := model.InspectONNX(data)
	if err != nil {
		return nil, err
	}
	if err := l.config.agrees(&info); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dst, 0o700); err != nil {
		return nil, err
	}
	modelAt, err := l.manifest(dst, number)
	if err != nil {
		return nil, err
	}
	if l.config.text != "" {
		if err := write(dst, path.Join("triton", l.config.file), []byte(l.config.text)); err != nil {
			return nil, err
		}
	}
	// Two versions of the same files are two versions: each has its own counts.
	if err := write(dst, "triton/version", []byte(l.name+"/"+strconv.Itoa(number)+"\n")); err != nil {
		return nil, err
	}
	if err := write(dst, modelAt, data); err != nil {
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return model.Open(os.DirFS(dst))
}

// manifest writes goshawk.yaml and what stands beside it, and says where the
// model file belongs.
func (l *layout) manifest(dst string, number int) (modelAt string, err error) {
	text, err := readFile(l.root, path.Join(l.dir, model.ManifestName), maxConfig)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		m := model.Manifest{
			Kind: model.KindTensor, Name: manifestName(l.name), Model: "model.onnx", Serving: l.config.serving(),
			Description: fmt.Sprintf("version %d of %s, in Triton's layout", number, l.name),
		}
		if output, file := l.config.labels(); file != "" {
			data, err := readFile(l.root, path.Join(l.dir, file), maxLabels)
			if err != nil {
				return "", problem.ModelInvalid.New("%s: the label file %s cannot be read", l.config.file, wording.Quote(file)).Because(err)
			}
			m.Output.Tensor, m.Output.Labels = output, "labels.txt"
			if err := write(dst, m.Output.Labels, data); err != nil {
				return "", err
			}
		}
		return m.Model, write(dst, model.ManifestName, m.Marshal())
	case err != nil:
		return "", err
	}
	m, _, err := model.ParseManifest(model.ManifestName, text)
	if err != nil {
		return "", err
	}
	if m.Name != l.name {
		return "", problem.ModelInvalid.New("%s is of the model %q, and stands with the model %q", model.ManifestName, m.Name, l.name)
	}
	return m.Model, l.beside(dst)
}

const maxLabels = 16 << 20

// beside copies what the model's folder holds outside its versions.
func (l *layout) beside(dst string) error {
	left, count := model.DefaultLimits.Bytes, 0
	return fs.WalkDir(l.root.FS(), l.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == l.dir {
			return err
		}
		below := strings.TrimPrefix(name, l.dir+"/")
		top, _, _ := strings.Cut(below, "/")
		switch {
		case numberForm.MatchString(top) || hidden(path.Base(name)) || below == configName:
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		if count++; count > model.DefaultLimits.Files {
			return problem.ModelInvalid.New("the model has more than %d files", model.DefaultLimits.Files)
		}
		data, err := readFile(l.root, name, left)
		if err != nil {
			return err
		}
		left -= int64(len(data))
		return write(dst, below, data)
	})
}

// write makes a file of a package, below dst, whatever its name says.
func write(dst, name string, data []byte) error {
	root, err := os.OpenRoot(dst)
	if err != nil {
		return err
	}
	defer root.Close()
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	f, err := root.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if errors.Is(err, fs.ErrExist) {
		return problem.ModelInvalid.New("%s is there twice", wording.Quote(name))
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// manifestName makes a name as packages have it.
func manifestName(name string) string {
	base := strings.Trim(notInManifests.ReplaceAllString(strings.ToLower(name), "-"), "-._")
	return base[:min(len(base), 64)]
}

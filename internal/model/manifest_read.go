package model

import (
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// APIVersion is what a manifest of this release says.
const APIVersion = "goshawk/v1"

var (
	versionForm = regexp.MustCompile(`^goshawk/v([0-9]{1,4})(?:\.([0-9]{1,4}))?$`)
	nameForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
)

// ParseManifest reads goshawk.yaml. The labels are returned when they stand in
// it. file is what sentences call it.
func ParseManifest(file string, data []byte) (Manifest, []Label, error) {
	m := Manifest{
		Preprocess: Preprocess{Rescale: 1, Std: [3]float64{1, 1, 1}, Background: [3]uint8{255, 255, 255}},
		Output:     Output{Activation: Softmax, Temperature: 1, TopK: 5},
	}
	if len(data) > maxManifest {
		return m, nil, refuse("%s has %d bytes; at most %d are read", file, len(data), maxManifest)
	}
	d := &document{file: file}
	top, err := d.parse(data)
	if err != nil {
		return m, nil, err
	}
	r := &manifestReader{document: d, m: &m, top: top}
	if err := r.read(); err != nil {
		return m, nil, err
	}
	return m, r.labels, nil
}

// Fields lists every field by its path, as in preprocess.crop.size: what the
// reference page must speak of.
func Fields() []string {
	d := &document{file: ManifestName, noted: &[]string{}}
	r := &manifestReader{document: d, m: &Manifest{}, top: &yaml.Node{}}
	empty := &yaml.Node{Kind: yaml.MappingNode}
	_ = r.mapping(empty, "", r.fields())
	for _, part := range []field{r.remote, r.input, r.preprocess, r.resize, r.crop, r.output, r.probe, r.serving} {
		_ = part(empty) // an empty mapping may be refused; its fields are noted all the same
	}
	return *d.noted
}

type manifestReader struct {
	*document
	m      *Manifest
	top    *yaml.Node
	labels []Label
}

// find returns the value of a key at the top, nil where there is none.
func (r *manifestReader) find(key string) *yaml.Node {
	for i := 0; i+1 < len(r.top.Content); i += 2 {
		if r.top.Content[i].Value == key {
			return r.top.Content[i+1]
		}
	}
	return nil
}

func (r *manifestReader) read() error {
	// The version first: it decides how an unknown field is answered.
	if err := r.version(); err != nil {
		return err
	}
	if err := r.mapping(r.top, "", r.fields()); err != nil {
		return err
	}
	return r.complete()
}

func (r *manifestReader) fields() map[string]field {
	m, ignore := r.m, func(*yaml.Node) error { return nil }
	return map[string]field{
		"apiVersion":  ignore,
		"kind":        r.kind,
		"name":        r.name,
		"description": r.text(&m.Description, "description"),
		"license":     r.text(&m.License, "license"),
		"model":       r.path(&m.Model, "model"),
		"remote":      r.remote,
		"input":       r.input,
		"preprocess":  r.preprocess,
		"output":      r.output,
		"probe":       r.probe,
		"parity":      r.folder(&m.Parity, "parity"),
		"serving":     r.serving,
	}
}

func (r *manifestReader) version() error {
	n := r.find("apiVersion")
	if n == nil {
		return refuse("%s: apiVersion is missing; write apiVersion: %s", r.file, APIVersion)
	}
	form := versionForm.FindStringSubmatch(n.Value)
	if n.Kind != yaml.ScalarNode || form == nil {
		return r.fail(n, "apiVersion must be %s, not %s", APIVersion, kindOf(n))
	}
	if major, _ := strconv.Atoi(form[1]); major != 1 {
		return r.fail(n, "apiVersion %s is not known to this release, which reads %s", form[0], APIVersion)
	}
	if minor, _ := strconv.Atoi(form[2]); minor > 0 {
		r.newer = form[0]
	}
	return nil
}

func (r *manifestReader) kind(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && (n.Value == "Ensemble" || n.Value == "Cascade") {
		return r.fail(n, "kind %s is not in this release; Model and Tensor are", n.Value)
	}
	return choice(r.document, &r.m.Kind, "kind", KindModel, KindTensor)(n)
}

func (r *manifestReader) name(n *yaml.Node) error {
	if err := r.text(&r.m.Name, "name")(n); err != nil {
		return err
	}
	if !nameForm.MatchString(r.m.Name) {
		return r.fail(n, "the name %s is not allowed; a name has 1 to 64 of a-z, 0-9, dot, underscore and hyphen, and begins with a letter or digit", wording.Quote(r.m.Name))
	}
	return nil
}

// path reads the name of a file in the package.
func (r *manifestReader) path(into *string, where string) field {
	return func(n *yaml.Node) error {
		var p string
		if err := r.text(&p, where)(n); err != nil {
			return err
		}
		clean, why := insidePath(p)
		if why != "" {
			return r.fail(n, "%s is %s: %s", where, wording.Quote(p), why)
		}
		*into = clean
		return nil
	}
}

// folder is path, with a slash at the end allowed.
func (r *manifestReader) folder(into *string, where string) field {
	return func(n *yaml.Node) error {
		trimmed := *n
		trimmed.Value = strings.TrimSuffix(n.Value, "/")
		return r.path(into, where)(&trimmed)
	}
}

// remote reads where a model is that is not in the package: url, model, version.
func (r *manifestReader) remote(n *yaml.Node) error {
	r.m.Remote = &Remote{}
	var address string
	err := r.mapping(n, "remote", map[string]field{
		"url":     r.text(&address, "remote.url"),
		"model":   r.text(&r.m.Remote.Model, "remote.model"),
		"version": r.text(&r.m.Remote.Version, "remote.version"),
	})
	if err != nil {
		return err
	}
	if address == "" || r.m.Remote.Model == "" {
		return r.fail(n, "remote needs both url and model, as in {url: \"grpc://models.example:8001\", model: resnet}")
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "grpc" && u.Scheme != "grpcs" || u.Hostname() == "" || u.Port() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || strings.Contains(u.Host, "%") {
		return r.fail(n, "remote.url is %s; it is grpc://HOST:PORT, or grpcs://HOST:PORT for TLS", wording.Quote(address))
	}
	r.m.Remote.Address, r.m.Remote.TLS = u.Host, u.Scheme == "grpcs"
	return nil
}

func (r *manifestReader) input(n *yaml.Node) error {
	in := &r.m.Input
	return r.mapping(n, "input", map[string]field{
		"tensor": r.text(&in.Tensor, "input.tensor"),
		"layout": choice(r.document, &in.Layout, "input.layout", picture.NCHW, picture.NHWC),
		"color":  choice(r.document, &in.Color, "input.color", picture.RGB, picture.BGR, picture.Gray),
	})
}

func (r *manifestReader) output(n *yaml.Node) error {
	out := &r.m.Output
	return r.mapping(n, "output", map[string]field{
		"tensor":      r.text(&out.Tensor, "output.tensor"),
		"activation":  choice(r.document, &out.Activation, "output.activation", Softmax, Sigmoid, None),
		"temperature": r.positive(&out.Temperature, "output.temperature", 1000),
		"labels":      r.labelField,
		"top_k":       r.integer(&out.TopK, "output.top_k", 1, maxTopK),
		"embedding":   r.text(&out.Embedding, "output.embedding"),
	})
}

func (r *manifestReader) probe(n *yaml.Node) error {
	r.m.Probe = &Probe{}
	err := r.mapping(n, "probe", map[string]field{
		"image": r.path(&r.m.Probe.Image, "probe.image"),
		"label": r.text(&r.m.Probe.Label, "probe.label"),
	})
	if err == nil && (r.m.Probe.Image == "" || r.m.Probe.Label == "") {
		return r.fail(n, "probe needs both image and label")
	}
	return err
}

func (r *manifestReader) serving(n *yaml.Node) error {
	s := &r.m.Serving
	return r.mapping(n, "serving", map[string]field{
		"latency_objective": r.duration(&s.LatencyObjective, "serving.latency_objective"),
		"instances":         r.integer(&s.Instances, "serving.instances", 1, maxInstances),
		"threads":           r.integer(&s.Threads, "serving.threads", 1, maxInstances),
		"max_batch_size":    r.batch(s),
		"max_delay":         r.duration(&s.MaxDelay, "serving.max_delay"),
		"weight":            r.integer(&s.Weight, "serving.weight", 1, maxWeight),
		"max_queue_size":    r.integer(&s.MaxQueueSize, "serving.max_queue_size", 1, maxQueue),
		"priority_levels":   r.integer(&s.PriorityLevels, "serving.priority_levels", 1, maxPriority),
		"default_priority":  r.integer(&s.DefaultPriority, "serving.default_priority", 1, maxPriority),
		"run_timeout":       r.duration(&s.RunTimeout, "serving.run_timeout"),
		"isolation":         choice(r.document, &s.Isolation, "serving.isolation", InProcess, OwnChild),
	})
}

// batch reads max_batch_size, where 0 is something else than nothing.
func (r *manifestReader) batch(s *Serving) field {
	read := r.integer(&s.MaxBatchSize, "serving.max_batch_size", 0, maxBatch)
	return func(n *yaml.Node) error {
		err := read(n)
		s.Unbatched = err == nil && s.MaxBatchSize == 0
		return err
	}
}

// complete says what is missing, and what a kind does not take.
func (r *manifestReader) complete() error {
	switch m := r.m; {
	case m.Kind == "":
		return refuse("%s: kind is missing; write kind: Model", r.file)
	case m.Name == "":
		return refuse("%s: name is missing", r.file)
	case m.Model == "" && m.Remote == nil:
		return refuse("%s: model is missing; it names the model file, as in model: model.onnx", r.file)
	case m.Model != "" && m.Remote != nil:
		return r.fail(r.find("remote"), "model and remote are both there; a model is in the package or on another server")
	case m.Remote != nil && m.Serving.Isolation == OwnChild:
		return r.fail(r.find("serving"), "serving.isolation: process is for a model in the package; the one that remote names runs elsewhere already")
	case m.Serving.DefaultPriority > m.Serving.PriorityLevels:
		return r.fail(r.find("serving"), "serving.default_priority is %d, and there are %d priority_levels", m.Serving.DefaultPriority, m.Serving.PriorityLevels)
	case m.Kind == KindModel && m.Serving.Unbatched:
		return r.fail(r.find("serving"), "serving.max_batch_size: 0 is for kind Tensor; pictures are a batch of any number")
	case m.Kind == KindTensor:
		for _, key := range []string{"input", "preprocess", "probe", "parity"} {
			if n := r.find(key); n != nil {
				return r.fail(n, "%s is for kind Model; a Tensor takes and gives tensors as they are", key)
			}
		}
		return r.labeled()
	case r.find("preprocess") == nil:
		return refuse("%s: preprocess is missing; how a picture becomes the model's input cannot be guessed (a preset will do: %s)", r.file, presetNames())
	case m.Output.Labels == "" && r.labels == nil:
		return refuse("%s: output.labels is missing; it names the label file, as in labels: labels.txt", r.file)
	}
	if r.m.Input.Color == "" {
		r.m.Input.Color = r.m.Preprocess.color
	}
	return nil
}

// labeled checks the output of a Tensor: it may name one whose last axis are
// classes, and what these are called.
func (r *manifestReader) labeled() error {
	n := r.find("output")
	if n == nil {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i]; key.Value != "tensor" && key.Value != "labels" {
			return r.fail(key, "output.%s is for kind Model; a Tensor takes and gives tensors as they are", key.Value)
		}
	}
	if r.m.Output.Tensor == "" || r.m.Output.Labels == "" && r.labels == nil {
		return r.fail(n, "the output of a Tensor names its tensor and its labels, or is left out")
	}
	return nil
}

// insidePath cleans a path inside a package, or says why it is none.
func insidePath(p string) (clean, why string) {
	switch {
	case strings.Contains(p, `\`):
		return "", "a path in a package has no backslash"
	case path.IsAbs(p) || len(p) > 1 && p[1] == ':':
		return "", "an absolute path lies outside the package"
	case strings.ContainsFunc(p, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return "", "a path in a package has no control characters"
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return "", "a path with .. leads outside the package"
		}
	}
	clean = path.Clean(p)
	if clean == "." {
		return "", "it names no file"
	}
	if len(clean) > maxPath {
		return "", "it is longer than " + strconv.Itoa(maxPath) + " bytes"
	}
	return clean, ""
}

const maxPath = 512 // bytes of a path in a package

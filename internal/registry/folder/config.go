package folder

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

const (
	configName = "config.pbtxt"
	configJSON = "config.json"
	maxConfig  = 1 << 20 // bytes
)

// configuration is Triton's model configuration, as text and understood.
type configuration struct {
	*oip.ModelConfig
	file string // what sentences call it, and the package's file that keeps it
	text string // "" where nobody wrote one

	unbatched bool // max_batch_size is 0 in so many words
}

// refused are the settings that change answers and that are not served here.
var refused = map[string]string{
	"ensemble_scheduling":                "models that are made of others are not served",
	"sequence_batching":                  "no model keeps a state between requests",
	"batch_input":                        "inputs that the batcher makes are not served",
	"batch_output":                       "outputs that the batcher takes apart are not served",
	"model_operations":                   "operators from libraries are not loaded",
	"model_repository_agents":            "repository agents are not run",
	"input.reshape":                      "a tensor is given to the model as it came",
	"output.reshape":                     "a tensor is given as the model makes it",
	"input.is_shape_tensor":              "shape tensors are not served",
	"output.is_shape_tensor":             "shape tensors are not served",
	"input.allow_ragged_batch":           "ragged batches are not served",
	"input.optional":                     "every input of a model is needed",
	"model_transaction_policy.decoupled": "there is one answer to a request",
}

// understood are the settings that are taken, with all that is below them, and
// those about speed alone, which may be passed over.
var understood = []string{
	"name", "platform", "backend", "version_policy", "max_batch_size", "default_model_filename", "parameters",
	"input", "input.name", "input.data_type", "input.dims", "input.format",
	"output", "output.name", "output.data_type", "output.dims", "output.label_filename",
	"instance_group", "dynamic_batching", "model_transaction_policy",
	"optimization", "model_warmup", "response_cache", "metric_tags", "model_metrics", "cc_model_filenames", "runtime",
	"input.is_non_linear_format_io", "output.is_non_linear_format_io",
}

// none is the configuration of a model that has none.
func none() *configuration { return &configuration{ModelConfig: &oip.ModelConfig{}, file: configName} }

// parseText reads config.pbtxt.
func parseText(text string) (*configuration, error) {
	c := none()
	c.text = text
	list, ok := settingsOfText(text)
	if !ok {
		return nil, c.refuse("it is nested more than %d deep", maxNesting)
	}
	if err := c.judge(list); err != nil {
		return nil, err
	}
	if err := (prototext.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(text), c.ModelConfig); err != nil {
		return nil, c.malformed(err)
	}
	return c, nil
}

// parseJSON reads a configuration that came with a request.
func parseJSON(text string) (*configuration, error) {
	c := none()
	c.file, c.text = configJSON, text
	list, err := settingsOfJSON(text)
	if err != nil {
		return nil, c.malformed(err)
	}
	if err := c.judge(list); err != nil {
		return nil, err
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(text), c.ModelConfig); err != nil {
		return nil, c.malformed(err)
	}
	return c, nil
}

func (c *configuration) malformed(err error) error {
	// The library puts a space or a no-break space after its prefix, by chance.
	why := strings.TrimSpace(strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto:"))
	return c.refuse("it cannot be read: %s", wording.Cut(why))
}

func (c *configuration) refuse(format string, args ...any) error {
	return problem.ModelInvalid.New("%s: %s", c.file, fmt.Sprintf(format, args...))
}

// judge refuses what would change answers and is not served, and what nobody
// knows: a mistyped name, passed over, would do the same.
func (c *configuration) judge(list []setting) error {
	for _, s := range list {
		c.unbatched = c.unbatched || s.path == "max_batch_size" && s.unset() && s.value != "null"
		if s.unset() {
			continue
		}
		if why := refused[s.path]; why != "" {
			return c.refuse("%s is not served here: %s", s.path, why)
		}
		top, _, _ := strings.Cut(s.path, ".")
		whole := top != "input" && top != "output" && slices.Contains(understood, top)
		if !whole && !slices.Contains(understood, s.path) {
			return c.refuse("the setting %s is not known here", wording.Quote(s.path))
		}
	}
	return nil
}

// fits checks what the configuration says of itself and of the model's runner.
func (c *configuration) fits(name string) error {
	switch {
	case c.GetName() != "" && c.GetName() != name:
		return c.refuse("it is of the model %s, and stands with the model %q", wording.Quote(c.GetName()), name)
	case c.GetPlatform() != "" && c.GetPlatform() != "onnxruntime_onnx":
		return c.refuse("the platform is %s; ONNX models are served here (onnxruntime_onnx)", wording.Quote(c.GetPlatform()))
	case c.GetBackend() != "" && c.GetBackend() != "onnxruntime":
		return c.refuse("the backend is %s; ONNX models are served here (onnxruntime)", wording.Quote(c.GetBackend()))
	case c.GetMaxBatchSize() < 0:
		return c.refuse("max_batch_size is %d", c.GetMaxBatchSize())
	}
	labeled := 0
	for _, o := range c.GetOutput() {
		f := o.GetLabelFilename()
		if f == "" {
			continue
		}
		if labeled++; labeled > 1 {
			return c.refuse("more than one output has a label_filename; one is served with labels")
		}
		if !plain(f) {
			return c.refuse("label_filename is %s, which is no file beside the configuration", wording.Quote(f))
		}
	}
	if f := c.modelFile(); !plain(f) {
		return c.refuse("default_model_filename is %s, which is no file of a version", wording.Quote(f))
	}
	return nil
}

// plain is the name of a file, not a path.
func plain(name string) bool {
	return name != "" && name[0] != '.' && !strings.ContainsAny(name, "/\\\x00") && len(name) < 256
}

func (c *configuration) modelFile() string {
	if f := c.GetDefaultModelFilename(); f != "" {
		return f
	}
	return "model.onnx"
}

// agrees checks the configuration against what the model declares.
func (c *configuration) agrees(info *model.ONNXInfo) error {
	batch := c.GetMaxBatchSize() > 0
	for _, in := range c.GetInput() {
		if err := c.tensor("input", in.GetName(), in.GetDataType(), in.GetDims(), info.Inputs); err != nil {
			return err
		}
	}
	for _, out := range c.GetOutput() {
		if err := c.tensor("output", out.GetName(), out.GetDataType(), out.GetDims(), info.Outputs); err != nil {
			return err
		}
	}
	for _, s := range info.Inputs {
		if batch && s.Ranked && (len(s.Shape) == 0 || s.Shape[0] >= 0) {
			return c.refuse("max_batch_size is %d, and the model's input %s is %v, whose first axis takes no batch of any size", c.GetMaxBatchSize(), wording.Quote(s.Name), s.Shape)
		}
	}
	return nil
}

func (c *configuration) tensor(what, name string, typ oip.DataType, dims []int64, specs []tensor.Spec) error {
	at := slices.IndexFunc(specs, func(s tensor.Spec) bool { return s.Name == name })
	if at < 0 {
		names := make([]string, len(specs))
		for i := range specs {
			names[i] = specs[i].Name
		}
		return c.refuse("the model has no %s %s; it has %s", what, wording.Quote(name), wording.QuoteAll(names))
	}
	s := &specs[at]
	if typ != oip.DataType_TYPE_INVALID && typ != dataType(s.Type) {
		return c.refuse("the %s %s is %s, and the model says %s", what, wording.Quote(name), typ, dataType(s.Type))
	}
	want := dims
	if c.GetMaxBatchSize() > 0 {
		want = append([]int64{-1}, dims...)
	}
	if len(dims) == 0 || !s.Ranked {
		return nil
	}
	fits := len(want) == len(s.Shape)
	for i := 0; fits && i < len(want); i++ {
		fits = want[i] < 0 || s.Shape[i] < 0 || want[i] == s.Shape[i]
	}
	if !fits {
		return c.refuse("the %s %s has the dims %v, which make %v with max_batch_size %d, and the model says %v (-1 is any size)", what, wording.Quote(name), dims, want, c.GetMaxBatchSize(), s.Shape)
	}
	return nil
}

func dataType(t tensor.Type) oip.DataType {
	if t == tensor.String {
		return oip.DataType_TYPE_STRING
	}
	return oip.DataType(oip.DataType_value["TYPE_"+t.Protocol()])
}

// labels are the file of class names, and the output that has them.
func (c *configuration) labels() (output, file string) {
	for _, o := range c.GetOutput() {
		if f := o.GetLabelFilename(); f != "" {
			return o.GetName(), f
		}
	}
	return "", ""
}

// whole tells whether shapes are meant as they stand, without an axis for a batch
// before them: max_batch_size is 0, or left out beside dims, which then say all.
func (c *configuration) whole() bool {
	sized := func(dims []int64) bool { return len(dims) > 0 }
	return c.GetMaxBatchSize() == 0 && (c.unbatched ||
		slices.ContainsFunc(c.GetInput(), func(in *oip.ModelInput) bool { return sized(in.GetDims()) }) ||
		slices.ContainsFunc(c.GetOutput(), func(out *oip.ModelOutput) bool { return sized(out.GetDims()) }))
}

// serving is what a package of ours can say of it. More than a package may ask
// for means the most of it: these settings are about speed.
func (c *configuration) serving() model.Serving {
	s := model.Serving{MaxBatchSize: min(int(c.GetMaxBatchSize()), 1024), Unbatched: c.whole()}
	for _, g := range c.GetInstanceGroup() {
		s.Instances += max(0, min(int(g.GetCount()), 256))
	}
	s.Instances = min(s.Instances, 256)
	if n, err := strconv.Atoi(c.GetParameters()["intra_op_thread_count"].GetStringValue()); err == nil && n > 0 {
		s.Threads = min(n, 256)
	}
	if us := c.GetDynamicBatching().GetMaxQueueDelayMicroseconds(); us > 0 {
		s.MaxDelay = min(time.Duration(min(us, 1e9))*time.Microsecond, time.Minute)
	}
	s.PriorityLevels = int(min(c.GetDynamicBatching().GetPriorityLevels(), 64))
	s.DefaultPriority = min(int(min(c.GetDynamicBatching().GetDefaultPriorityLevel(), 64)), s.PriorityLevels)
	return s
}

// Policy of versions: which of those that are there are served.
func (c *configuration) chosen(there []int) (list []int, err error) {
	slices.Sort(there)
	switch p := c.GetVersionPolicy().GetPolicyChoice().(type) {
	case *oip.ModelVersionPolicy_All_:
		list = there
	case *oip.ModelVersionPolicy_Specific_:
		for _, n := range p.Specific.GetVersions() {
			if n < 1 || n > maxNumber {
				return nil, c.refuse("version_policy names the version %d", n)
			}
			if !slices.Contains(list, int(n)) {
				list = append(list, int(n))
			}
		}
		slices.Sort(list)
	default:
		most := int(min(max(1, c.GetVersionPolicy().GetLatest().GetNumVersions()), maxVersions))
		list = there[max(0, len(there)-most):]
	}
	if len(list) > maxVersions {
		return nil, c.refuse("it chooses %d versions; at most %d of a model are served", len(list), maxVersions)
	}
	return list, nil
}

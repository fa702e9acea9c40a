package oipapi

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func (s *restDoor) describe(r *http.Request) (Description, error) {
	name, version, err := target(r)
	if err != nil {
		return Description{}, err
	}
	return s.service.repository.Describe(r.Context(), reference(name, version))
}

type restTensor struct {
	Name  string  `json:"name"`
	Type  string  `json:"datatype"`
	Shape []int64 `json:"shape"`
}

// listed keeps the shape of a scalar from being null.
func listed(shape []int64) []int64 { return append([]int64{}, shape...) }

func restTensors(specs []tensor.Spec) []restTensor {
	list := make([]restTensor, len(specs))
	for i, spec := range specs {
		list[i] = restTensor{spec.Name, spec.Type.Protocol(), listed(shapeOf(spec))}
	}
	return list
}

func (s *restDoor) restModel(x *httpapi.Exchange, r *http.Request) error {
	d, err := s.describe(r)
	if err != nil {
		return err
	}
	return sendJSON(x, r, struct {
		Name     string       `json:"name"`
		Versions []string     `json:"versions"`
		Platform string       `json:"platform"`
		Inputs   []restTensor `json:"inputs"`
		Outputs  []restTensor `json:"outputs"`
	}{d.Name, append([]string{}, d.Versions...), d.Platform, restTensors(d.Inputs), restTensors(d.Outputs)})
}

// configTensor is a tensor as triton-inference-server/common writes it
// (protobuf/model_config.proto: ModelInput, ModelOutput).
type configTensor struct {
	Name string  `json:"name"`
	Type string  `json:"data_type"`
	Dims []int64 `json:"dims"`
}

func configTensors(specs []tensor.Spec, maxBatch int) []configTensor {
	list := make([]configTensor, len(specs))
	for i, spec := range specs {
		list[i] = configTensor{spec.Name, dataType(spec.Type).String(), listed(dims(spec, maxBatch))}
	}
	return list
}

// restConfig is the part of Triton's ModelConfig that has a meaning here.
func (s *restDoor) restConfig(x *httpapi.Exchange, r *http.Request) error {
	d, err := s.describe(r)
	if err != nil {
		return err
	}
	return sendJSON(x, r, struct {
		Name       string                     `json:"name"`
		Platform   string                     `json:"platform"`
		Backend    string                     `json:"backend"`
		MaxBatch   int                        `json:"max_batch_size"`
		Input      []configTensor             `json:"input"`
		Output     []configTensor             `json:"output"`
		Instances  []configGroup              `json:"instance_group,omitempty"`
		Batching   *configBatching            `json:"dynamic_batching,omitempty"`
		Parameters map[string]configParameter `json:"parameters,omitempty"`
	}{
		d.Name, d.Platform, d.Backend, d.MaxBatch, configTensors(d.Inputs, d.MaxBatch), configTensors(d.Outputs, d.MaxBatch),
		configGroups(&d), batchingOf(&d), configParameters(&d),
	})
}

// configGroup is ModelInstanceGroup.
type configGroup struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Count int    `json:"count"`
}

func configGroups(d *Description) []configGroup {
	if d.Instances == 0 {
		return nil
	}
	return []configGroup{{d.Name, "KIND_CPU", d.Instances}}
}

// configBatching is ModelDynamicBatching.
type configBatching struct {
	Preferred []int `json:"preferred_batch_size"`
	Delay     int64 `json:"max_queue_delay_microseconds"`
}

func batchingOf(d *Description) *configBatching {
	if d.Batch <= 1 {
		return nil
	}
	return &configBatching{[]int{d.Batch}, d.Delay.Microseconds()}
}

// configParameter is ModelParameter.
type configParameter struct {
	Value string `json:"string_value"`
}

func configParameters(d *Description) map[string]configParameter {
	list := make(map[string]configParameter, len(d.Parameters))
	for name, value := range d.Parameters {
		list[name] = configParameter{value}
	}
	return list
}

type restCount struct {
	Count int64 `json:"count"`
	NS    int64 `json:"ns"`
}

func countOf(c predict.Count) restCount { return restCount{c.Times, c.Took.Nanoseconds()} }

type restBatch struct {
	Size   int       `json:"batch_size"`
	Input  restCount `json:"compute_input"`
	Infer  restCount `json:"compute_infer"`
	Output restCount `json:"compute_output"`
}

type restStats struct {
	Name       string               `json:"name"`
	Version    string               `json:"version"`
	Last       int64                `json:"last_inference"` // ms since 1970; 0 when there was none
	Inferences int64                `json:"inference_count"`
	Executions int64                `json:"execution_count"`
	Stats      map[string]restCount `json:"inference_stats"`
	Batches    []restBatch          `json:"batch_stats"`
}

func statsOf(s Statistics) restStats {
	out := restStats{
		Name: s.Name, Version: s.Number, Last: milliseconds(s.Last), Inferences: s.Rows, Executions: s.Runs,
		Stats: map[string]restCount{
			"success": countOf(s.Success), "fail": countOf(s.Fail), "queue": countOf(s.Queue),
			"compute_input": countOf(s.Input), "compute_infer": countOf(s.Infer), "compute_output": countOf(taken(s.Infer)),
			"cache_hit": {}, "cache_miss": {}, // no answer is kept
		},
		Batches: make([]restBatch, 0, len(s.Batches)),
	}
	for _, size := range slices.Sorted(maps.Keys(s.Batches)) {
		b := s.Batches[size]
		out.Batches = append(out.Batches, restBatch{size, countOf(b.Input), countOf(b.Infer), countOf(taken(b.Infer))})
	}
	return out
}

func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func (s *restDoor) restStatistics(x *httpapi.Exchange, r *http.Request) error {
	ref := ""
	if r.PathValue("model") != "" {
		name, version, err := target(r)
		if err != nil {
			return err
		}
		ref = reference(name, version)
	}
	all, err := s.service.repository.Statistics(ref)
	if err != nil {
		return err
	}
	list := make([]restStats, len(all))
	for i := range all {
		list[i] = statsOf(all[i])
	}
	return sendJSON(x, r, map[string][]restStats{"model_stats": list})
}

package oipapi

import (
	"context"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func (g *grpcDoor) RepositoryIndex(_ context.Context, r *oip.RepositoryIndexRequest) (*oip.RepositoryIndexResponse, error) {
	if err := oneRepository(r.GetRepositoryName()); err != nil {
		return nil, err
	}
	index := &oip.RepositoryIndexResponse{}
	for _, s := range g.service.repository.Index() {
		if !r.GetReady() || s.State == "READY" {
			index.Models = append(index.Models, &oip.RepositoryIndexResponse_ModelIndex{Name: s.Name, Version: s.Number, State: s.State, Reason: s.Reason})
		}
	}
	return index, nil
}

// oneRepository refuses a choice of repositories, as Triton does.
func oneRepository(name string) error {
	if name != "" {
		return status.Error(codes.Unimplemented, "there is one repository here, without a name; leave repository_name empty")
	}
	return nil
}

func (g *grpcDoor) RepositoryModelLoad(ctx context.Context, r *oip.RepositoryModelLoadRequest) (*oip.RepositoryModelLoadResponse, error) {
	if err := oneRepository(r.GetRepositoryName()); err != nil {
		return nil, err
	}
	options, err := loadOptions(r.GetParameters())
	if err == nil {
		err = namesModel(r.GetModelName())
	}
	if err == nil {
		err = g.service.repository.Load(ctx, r.GetModelName(), options)
	}
	if err != nil {
		return nil, g.refuse(ctx, err)
	}
	return &oip.RepositoryModelLoadResponse{}, nil
}

// namesModel refuses what cannot name a model.
func namesModel(name string) error {
	if err := named(name); err != nil {
		return err
	}
	return checkVersion(name, "")
}

func loadOptions(parameters map[string]*oip.ModelRepositoryParameter) (LoadOptions, error) {
	var o LoadOptions
	for name, value := range parameters {
		file, isFile := strings.CutPrefix(name, "file:")
		switch {
		case name == "config":
			text, ok := value.GetParameterChoice().(*oip.ModelRepositoryParameter_StringParam)
			if !ok {
				return o, problem.InvalidRequest.New("the load parameter config is a string: the model's configuration as JSON")
			}
			o.Config = text.StringParam
		case isFile:
			data, ok := value.GetParameterChoice().(*oip.ModelRepositoryParameter_BytesParam)
			if !ok {
				return o, problem.InvalidRequest.New("the load parameter %s is bytes: the file itself", quoted(name))
			}
			if !fs.ValidPath(file) || file == "." {
				return o, problem.InvalidRequest.New("the load parameter %s names no file of a model's directory, such as file:1/model.onnx", quoted(name))
			}
			if o.Files == nil {
				o.Files = map[string][]byte{}
			}
			o.Files[file] = data.BytesParam
		default:
			return o, problem.InvalidRequest.New("there is no load parameter %s; there are config and file:VERSION/FILE", quoted(name))
		}
	}
	return o, nil
}

func (g *grpcDoor) RepositoryModelUnload(ctx context.Context, r *oip.RepositoryModelUnloadRequest) (*oip.RepositoryModelUnloadResponse, error) {
	if err := oneRepository(r.GetRepositoryName()); err != nil {
		return nil, err
	}
	err := namesModel(r.GetModelName())
	for name, value := range r.GetParameters() {
		// No model here depends on another, so there are no dependents to unload.
		if _, ok := value.GetParameterChoice().(*oip.ModelRepositoryParameter_BoolParam); name != "unload_dependents" || !ok {
			err = problem.InvalidRequest.New("the unload parameter %s is not known, or no bool; there is unload_dependents, a bool", quoted(name))
		}
	}
	if err == nil {
		err = g.service.repository.Unload(ctx, r.GetModelName())
	}
	if err != nil {
		return nil, g.refuse(ctx, err)
	}
	return &oip.RepositoryModelUnloadResponse{}, nil
}

func (g *grpcDoor) ModelStatistics(ctx context.Context, r *oip.ModelStatisticsRequest) (*oip.ModelStatisticsResponse, error) {
	if r.GetName() == "" && r.GetVersion() != "" {
		return nil, g.refuse(ctx, problem.InvalidRequest.New("the request names a version and no model"))
	}
	ref := ""
	if r.GetName() != "" {
		var err error
		if ref, err = versionOf(r.GetName(), r.GetVersion()); err != nil {
			return nil, g.refuse(ctx, err)
		}
	}
	statistics, err := g.service.repository.Statistics(ref)
	if err != nil {
		return nil, g.refuse(ctx, err)
	}
	all := &oip.ModelStatisticsResponse{}
	for _, s := range statistics {
		all.ModelStats = append(all.ModelStats, statisticsOf(&s))
	}
	return all, nil
}

func statisticsOf(s *Statistics) *oip.ModelStatistics {
	m := &oip.ModelStatistics{
		Name: s.Name, Version: s.Number, InferenceCount: uint64(s.Rows), ExecutionCount: uint64(s.Runs),
		LastInference: uint64(milliseconds(s.Last)),
		InferenceStats: &oip.InferStatistics{
			Success: duration(s.Success), Fail: duration(s.Fail), Queue: duration(s.Queue),
			ComputeInput: duration(s.Input), ComputeInfer: duration(s.Infer), ComputeOutput: duration(taken(s.Infer)),
			CacheHit: &oip.StatisticDuration{}, CacheMiss: &oip.StatisticDuration{},
		},
	}
	for _, rows := range slices.Sorted(maps.Keys(s.Batches)) {
		b := s.Batches[rows]
		m.BatchStats = append(m.BatchStats, &oip.InferBatchStatistics{
			BatchSize: uint64(rows), ComputeInput: duration(b.Input), ComputeInfer: duration(b.Infer), ComputeOutput: duration(taken(b.Infer)),
		})
	}
	return m
}

func duration(c predict.Count) *oip.StatisticDuration {
	return &oip.StatisticDuration{Count: uint64(c.Times), Ns: uint64(c.Took.Nanoseconds())}
}

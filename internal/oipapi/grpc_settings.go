package oipapi

import (
	"context"
	"slices"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func (g *grpcDoor) TraceSetting(ctx context.Context, r *oip.TraceSettingRequest) (*oip.TraceSettingResponse, error) {
	if model := r.GetModelName(); model != "" && !slices.ContainsFunc(g.service.repository.Index(), func(s State) bool { return s.Name == model }) {
		return nil, g.refuse(ctx, problem.ModelNotFound.New("there is no model %s", quoted(model)))
	}
	changes := make(map[string][]string, len(r.GetSettings()))
	for name, value := range r.GetSettings() {
		changes[name] = value.GetValue()
	}
	now, err := g.settings.Trace(r.GetModelName(), changes)
	if err != nil {
		return nil, g.refuse(ctx, err)
	}
	answer := &oip.TraceSettingResponse{Settings: make(map[string]*oip.TraceSettingResponse_SettingValue, len(now))}
	for name, values := range now {
		answer.Settings[name] = &oip.TraceSettingResponse_SettingValue{Value: values}
	}
	return answer, nil
}

func (g *grpcDoor) LogSettings(ctx context.Context, r *oip.LogSettingsRequest) (*oip.LogSettingsResponse, error) {
	changes := make(map[string]any, len(r.GetSettings()))
	for name, value := range r.GetSettings() {
		switch v := value.GetParameterChoice().(type) {
		case *oip.LogSettingsRequest_SettingValue_BoolParam:
			changes[name] = v.BoolParam
		case *oip.LogSettingsRequest_SettingValue_Uint32Param:
			changes[name] = v.Uint32Param
		case *oip.LogSettingsRequest_SettingValue_StringParam:
			changes[name] = v.StringParam
		default:
			return nil, g.refuse(ctx, problem.InvalidRequest.New("the log setting %s has no value", quoted(name)))
		}
	}
	now, err := g.settings.Log(changes)
	if err != nil {
		return nil, g.refuse(ctx, err)
	}
	answer := &oip.LogSettingsResponse{Settings: make(map[string]*oip.LogSettingsResponse_SettingValue, len(now))}
	for name, value := range now {
		answer.Settings[name] = logValue(value)
	}
	return answer, nil
}

func logValue(value any) *oip.LogSettingsResponse_SettingValue {
	switch v := value.(type) {
	case bool:
		return &oip.LogSettingsResponse_SettingValue{ParameterChoice: &oip.LogSettingsResponse_SettingValue_BoolParam{BoolParam: v}}
	case uint32:
		return &oip.LogSettingsResponse_SettingValue{ParameterChoice: &oip.LogSettingsResponse_SettingValue_Uint32Param{Uint32Param: v}}
	}
	text, _ := value.(string)
	return &oip.LogSettingsResponse_SettingValue{ParameterChoice: &oip.LogSettingsResponse_SettingValue_StringParam{StringParam: text}}
}

package oipapi_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
)

func textParameter(s string) *oip.ModelRepositoryParameter {
	return &oip.ModelRepositoryParameter{ParameterChoice: &oip.ModelRepositoryParameter_StringParam{StringParam: s}}
}

func bytesParameter(b []byte) *oip.ModelRepositoryParameter {
	return &oip.ModelRepositoryParameter{ParameterChoice: &oip.ModelRepositoryParameter_BytesParam{BytesParam: b}}
}

func TestIndex(t *testing.T) {
	c, _ := serve(t, &echo{}, oipapi.Options{})
	all, err := c.RepositoryIndex(t.Context(), &oip.RepositoryIndexRequest{})
	if err != nil || len(all.GetModels()) != 2 {
		t.Fatalf("got %v, %v; want both versions", all, err)
	}
	if m := all.GetModels()[0]; m.GetName() != "flowers" || m.GetVersion() != "2" || m.GetState() != "UNAVAILABLE" || m.GetReason() != "its probe failed" {
		t.Errorf("got %v; want to hear why it is not ready", m)
	}
	ready, err := c.RepositoryIndex(t.Context(), &oip.RepositoryIndexRequest{Ready: true})
	if err != nil || len(ready.GetModels()) != 1 || ready.GetModels()[0].GetVersion() != "3" {
		t.Errorf("got %v, %v; want only what is ready", ready, err)
	}
	_, err = c.RepositoryIndex(t.Context(), &oip.RepositoryIndexRequest{RepositoryName: "other"})
	wants(t, err, codes.Unimplemented, "repository_name")
}

func TestLoadAndUnload(t *testing.T) {
	s := &shelf{}
	c, _ := serve(t, &echo{}, oipapi.Options{Repository: s})
	if _, err := c.RepositoryModelLoad(t.Context(), &oip.RepositoryModelLoadRequest{ModelName: "flowers", Parameters: map[string]*oip.ModelRepositoryParameter{
		"config": textParameter("{}"), "file:1/model.onnx": bytesParameter([]byte("onnx")),
	}}); err != nil {
		t.Fatal(err)
	}
	want := map[string]oipapi.LoadOptions{"flowers": {Config: "{}", Files: map[string][]byte{"1/model.onnx": []byte("onnx")}}}
	if diff := cmp.Diff(want, s.loaded); diff != "" {
		t.Errorf("loaded:\n%s", diff)
	}
	unload := &oip.RepositoryModelUnloadRequest{ModelName: "flowers", Parameters: map[string]*oip.ModelRepositoryParameter{
		"unload_dependents": {ParameterChoice: &oip.ModelRepositoryParameter_BoolParam{BoolParam: true}},
	}}
	if _, err := c.RepositoryModelUnload(t.Context(), unload); err != nil || len(s.unloaded) != 1 {
		t.Errorf("unloaded %v, %v", s.unloaded, err)
	}
}

func TestLoadRefusesWhatItDoesNotKnow(t *testing.T) {
	c, _ := serve(t, &echo{}, oipapi.Options{})
	for word, r := range map[string]*oip.RepositoryModelLoadRequest{
		"colour":   {ModelName: "flowers", Parameters: map[string]*oip.ModelRepositoryParameter{"colour": textParameter("red")}},
		"JSON":     {ModelName: "flowers", Parameters: map[string]*oip.ModelRepositoryParameter{"config": bytesParameter(nil)}},
		"bytes":    {ModelName: "flowers", Parameters: map[string]*oip.ModelRepositoryParameter{"file:1/model.onnx": textParameter("")}},
		"../x":     {ModelName: "flowers", Parameters: map[string]*oip.ModelRepositoryParameter{"file:../x": bytesParameter(nil)}},
		"no model": {},
	} {
		_, err := c.RepositoryModelLoad(t.Context(), r)
		wants(t, err, codes.InvalidArgument, word)
	}
	_, err := c.RepositoryModelLoad(t.Context(), &oip.RepositoryModelLoadRequest{ModelName: "trees"})
	wants(t, err, codes.NotFound, "trees")
	_, err = c.RepositoryModelLoad(t.Context(), &oip.RepositoryModelLoadRequest{ModelName: "flowers", RepositoryName: "r"})
	wants(t, err, codes.Unimplemented)
	_, err = c.RepositoryModelUnload(t.Context(), &oip.RepositoryModelUnloadRequest{ModelName: "flowers", RepositoryName: "r"})
	wants(t, err, codes.Unimplemented)
	_, err = c.RepositoryModelUnload(t.Context(), &oip.RepositoryModelUnloadRequest{ModelName: "trees"})
	wants(t, err, codes.NotFound, "trees")
	_, err = c.RepositoryModelUnload(t.Context(), &oip.RepositoryModelUnloadRequest{ModelName: "flowers", Parameters: map[string]*oip.ModelRepositoryParameter{"unload_dependents": textParameter("yes")}})
	wants(t, err, codes.InvalidArgument, "unload_dependents")
}

func trace(name string, values ...string) map[string]*oip.TraceSettingRequest_SettingValue {
	return map[string]*oip.TraceSettingRequest_SettingValue{name: {Value: values}}
}

func TestTraceSettings(t *testing.T) {
	c, _ := serve(t, &echo{}, oipapi.Options{})
	for _, step := range []struct {
		model    string
		settings map[string]*oip.TraceSettingRequest_SettingValue
		name     string
		want     string
		why      string
	}{
		{"", nil, "trace_level", "OFF", "it begins so"},
		{"", trace("trace_rate", "7"), "trace_rate", "7", "it was set"},
		{"flowers", nil, "trace_rate", "7", "a model inherits"},
		{"flowers", trace("trace_rate", "9"), "trace_rate", "9", "the model has its own"},
		{"", nil, "trace_rate", "7", "others are not concerned"},
		{"flowers", trace("trace_rate"), "trace_rate", "7", "cleared, it inherits again"},
		{"", trace("trace_rate"), "trace_rate", "1000", "cleared, it is as it began"},
		{"", trace("trace_level", "TIMESTAMPS", "TENSORS"), "trace_level", "TIMESTAMPS,TENSORS", "levels may be several"},
		{"", trace("trace_count", "-1"), "trace_count", "-1", "no bound"},
		{"", trace("trace_mode", "triton"), "trace_mode", "triton", "what it is may be said"},
	} {
		got, err := c.TraceSetting(t.Context(), &oip.TraceSettingRequest{ModelName: step.model, Settings: step.settings})
		if err != nil || strings.Join(got.GetSettings()[step.name].GetValue(), ",") != step.want {
			t.Errorf("model %q, %v: %s is %v, %v; want %s: %s", step.model, step.settings, step.name, got.GetSettings()[step.name], err, step.want, step.why)
		}
	}
	for _, bad := range []map[string]*oip.TraceSettingRequest_SettingValue{
		trace("trace_colour", "red"), trace("trace_level", "LOUD"), trace("trace_rate", "0"), trace("trace_rate", "1", "2"),
		trace("log_frequency", "often"), trace("trace_file", "/etc/passwd"), trace("trace_mode", "opentelemetry"),
	} {
		for name := range bad {
			_, err := c.TraceSetting(t.Context(), &oip.TraceSettingRequest{Settings: bad})
			wants(t, err, codes.InvalidArgument, strings.TrimSuffix(name, "_level"))
		}
	}
	_, err := c.TraceSetting(t.Context(), &oip.TraceSettingRequest{ModelName: "trees"})
	wants(t, err, codes.NotFound, "trees")
}

func TestLogSettings(t *testing.T) {
	c, _ := serve(t, &echo{}, oipapi.Options{})
	off := &oip.LogSettingsRequest_SettingValue{ParameterChoice: &oip.LogSettingsRequest_SettingValue_BoolParam{BoolParam: false}}
	two := &oip.LogSettingsRequest_SettingValue{ParameterChoice: &oip.LogSettingsRequest_SettingValue_Uint32Param{Uint32Param: 2}}
	text := func(s string) *oip.LogSettingsRequest_SettingValue {
		return &oip.LogSettingsRequest_SettingValue{ParameterChoice: &oip.LogSettingsRequest_SettingValue_StringParam{StringParam: s}}
	}
	type settings = map[string]*oip.LogSettingsRequest_SettingValue
	if _, err := c.LogSettings(t.Context(), &oip.LogSettingsRequest{Settings: settings{"log_info": off, "log_verbose_level": two, "log_format": text("ISO8601"), "log_file": text("")}}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []settings{
		{"log_colour": off}, {"log_info": two}, {"log_verbose_level": off}, {"log_format": text("xml")}, {"log_format": off}, {"log_file": text("/etc/passwd")}, {"log_info": {}},
	} {
		for name := range bad {
			_, err := c.LogSettings(t.Context(), &oip.LogSettingsRequest{Settings: bad})
			wants(t, err, codes.InvalidArgument, name)
		}
	}
	got, err := c.LogSettings(t.Context(), &oip.LogSettingsRequest{})
	s := got.GetSettings()
	if err != nil || s["log_info"].GetBoolParam() || !s["log_error"].GetBoolParam() || s["log_verbose_level"].GetUint32Param() != 2 || s["log_format"].GetStringParam() != "ISO8601" {
		t.Errorf("got %v, %v; want what was set, and the rest as it was", s, err)
	}
}

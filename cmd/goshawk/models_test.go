package main

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goshawk-ai/goshawk/internal/app"
	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/registry"
)

const toyManifest = `apiVersion: goshawk/v1
kind: Model
name: toy
description: Two classes
license: MIT
model: model.onnx
preprocess: {resize: {mode: exact, size: 8, filter: bilinear}}
output: {labels: [cat, dog]}
`

// toys is a bench whose program carries one small package. The model in it is
// never run: what a command says about packages needs no runtime.
func toys(t *testing.T) *bench {
	b := newBench(t)
	pkg := fstest.MapFS{"goshawk.yaml": {Data: []byte(toyManifest)}, "model.onnx": {Data: []byte("none")}}
	b.rooms.models = func(cfg *config.Config) (*registry.Client, error) {
		return &registry.Client{Dir: cfg.Data, BuiltIn: []registry.BuiltIn{{FS: pkg}}}, nil
	}
	return b
}

func TestModelsList(t *testing.T) {
	b := toys(t)
	if code := b.run(t.Context(), "models", "ls"); code != exitDone || !strings.HasPrefix(b.out.String(), "toy\tsha256:") || !strings.HasSuffix(b.out.String(), "\tModel\tdefault\tbuilt in\n") {
		t.Errorf("code %d: %q %q; want one row with name, version, alias and origin", code, &b.out, &b.err)
	}
	b.outTerminal = true
	b.run(t.Context(), "models", "ls")
	if !strings.HasPrefix(b.out.String(), "NAME  VERSION              KIND   ALIASES  ADDED\ntoy   sha256:") {
		t.Errorf("a terminal gets columns with heads, got\n%s", &b.out)
	}
	var list []versionDocument
	b.run(t.Context(), "models", "ls", "-o", "json")
	if err := json.Unmarshal(b.out.Bytes(), &list); err != nil || len(list) != 1 || list[0].Name != "toy" || !list[0].BuiltIn || len(list[0].Version) != len("sha256:")+64 {
		t.Errorf("json %s (%v); want one whole document", &b.out, err)
	}
}

// TestModelsBesideAServer: what it does with them is shown too.
func TestModelsBesideAServer(t *testing.T) {
	b := toys(t)
	var list []versionDocument
	b.run(t.Context(), "models", "ls", "-o", "json")
	if err := json.Unmarshal(b.out.Bytes(), &list); err != nil || len(list) != 1 || list[0].Serving != nil {
		t.Fatalf("without a server: %s, %v", &b.out, err)
	}
	now := app.Serving{Version: list[0].Version, State: "ready", MemoryBytes: 12_340_000, ColdStart: &httpapi.ColdStart{FetchMS: 1.25, SessionMS: 20, TotalMS: 21.25}}
	b.rooms.serving = func(*config.Config) map[string]app.Serving { return map[string]app.Serving{now.Version: now} }
	if code := b.run(t.Context(), "models", "ls"); code != exitDone || !strings.HasSuffix(b.out.String(), "\tready\t12.3 MB\n") {
		t.Errorf("ls: code %d, %q; want state and memory at the end", code, &b.out)
	}
	b.run(t.Context(), "models", "inspect", "toy")
	for _, want := range []string{"state\tready\n", "memory\t12.3 MB\n", "cold_start.session\t20.0 ms\n", "cold_start.total\t21.2 ms\n"} {
		if !strings.Contains(b.out.String(), want) {
			t.Errorf("inspect lacks %q:\n%s", want, &b.out)
		}
	}
	var got inspection
	b.run(t.Context(), "models", "inspect", "toy", "-o", "json")
	if err := json.Unmarshal(b.out.Bytes(), &got); err != nil || got.Serving == nil || got.Serving.ColdStart == nil || got.Serving.ColdStart.FetchMS != 1.25 {
		t.Errorf("json %s, %v; want what the server does with it", &b.out, err)
	}
}

func TestModelsInspect(t *testing.T) {
	b := toys(t)
	code := b.run(t.Context(), "models", "inspect", "toy@default")
	for _, want := range []string{
		"name\ttoy\n", "description\tTwo classes\n", "license\tMIT\n", "labels\t2\n", "file\tmodel.onnx (4 bytes)\n",
		"preprocess.resize\t{mode: ", "output.activation\tsoftmax\n",
	} {
		if code != exitDone || !strings.Contains(b.out.String(), want) {
			t.Errorf("code %d, lacks %q:\n%s%s", code, want, &b.out, &b.err)
		}
	}
	var got inspection
	b.run(t.Context(), "models", "inspect", "toy", "-o", "json")
	if err := json.Unmarshal(b.out.Bytes(), &got); err != nil || strings.Join(got.Labels, " ") != "cat dog" || len(got.Files) != 2 || got.Manifest["preprocess"] == nil {
		t.Errorf("json %s (%v); want labels, files, and how pictures are prepared", &b.out, err)
	}
}

func TestModelsRefusals(t *testing.T) {
	b := toys(t)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"inspect", "none"}, exitFailed, `goshawk: there is no model "none"`},
		{[]string{"rm", "toy"}, exitUsage, "is part of the program and cannot be removed"},
		{[]string{"alias", "toy", "toy"}, exitUsage, `goshawk: "toy" is no alias (write it as NAME@ALIAS)`},
		{[]string{"alias", "toy@x", "other"}, exitUsage, `goshawk: an alias of "toy" cannot point to a version of "other"`},
		{[]string{"add", "a", "--sha256", "00"}, exitUsage, "--sha256 belongs to an https:// address"},
		{[]string{"add", "https://example.org/a"}, exitUsage, "needs --sha256"},
		{[]string{"add", "nowhere.onnx"}, exitFailed, "nowhere.onnx"},
		{[]string{"add", "m.onnx", "--kind", "tensor"}, exitFailed, "m.onnx"},
		{[]string{"rollback", "toy"}, exitUsage, "the alias toy@default has pointed to no other version that is still here"},
		{[]string{"rollback", "toy@best"}, exitFailed, `the model "toy" has no alias "best"`},
		{[]string{"rollback", "toy@sha256:00"}, exitUsage, "is no alias"},
		{[]string{"history", "@x"}, exitUsage, "is no alias"},
		{[]string{"add", "m.onnx", "--kind", "photo"}, exitUsage, "want one of model, tensor"},
		{[]string{"add", "m.onnx", "--layout", "chwn"}, exitUsage, "want one of nchw, nhwc"},
		{[]string{"add"}, exitUsage, "takes one path or URL, and was given 0"},
	} {
		code := b.run(t.Context(), append([]string{"models"}, c.args...)...)
		if code != c.code || !strings.Contains(b.err.String(), c.want) || strings.Count(b.err.String(), "\n") != 1 {
			t.Errorf("%q: code %d, %q; want %d and one line with %q", c.args, code, &b.err, c.code, c.want)
		}
	}
}

func TestAWordIsTakenInCapitalsOrNot(t *testing.T) {
	var layout picture.Layout
	f := &oneOf[picture.Layout]{&layout, []picture.Layout{picture.NCHW, picture.NHWC}}
	for _, word := range []string{"nhwc", "NHWC", "Nhwc"} {
		layout = ""
		if err := f.Set(word); err != nil || layout != picture.NHWC {
			t.Errorf("%q gives %q, %v; want NHWC", word, layout, err)
		}
	}
}

func TestModelsAlias(t *testing.T) {
	b := toys(t)
	if code := b.run(t.Context(), "models", "alias", "toy@best", "toy"); code != exitDone || !strings.HasPrefix(b.out.String(), "toy@best is sha256:") {
		t.Fatalf("code %d: %q %q", code, &b.out, &b.err)
	}
	b.run(t.Context(), "models", "ls")
	if !strings.Contains(b.out.String(), "best") {
		t.Errorf("ls does not show the new alias: %q", &b.out)
	}
	if code := b.run(t.Context(), "models", "history", "toy@best"); code != exitDone || strings.Count(b.out.String(), "sha256:") != 1 {
		t.Errorf("history: code %d, %q; want the one version that it ever meant", code, &b.out)
	}
}

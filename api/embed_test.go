package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/api"
)

func TestJSONIsTheSpecificationOfTheRelease(t *testing.T) {
	text, err := api.JSON("v9.8.7")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		OpenAPI string
		Info    map[string]any
		Paths   map[string]map[string]struct {
			Responses map[string]any
		}
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	if document.OpenAPI != "3.1.0" || document.Info["version"] != "v9.8.7" {
		t.Errorf("got OpenAPI %s of %v", document.OpenAPI, document.Info["version"])
	}
	if _, ok := document.Paths["/v1/predictions"]["post"].Responses["200"]; !ok {
		t.Error("statuses must be member names, as text")
	}
	again, err := api.JSON("")
	if err != nil || !strings.Contains(string(again), `"version":"0"`) {
		t.Errorf("without a release the version is the file's: %v", err)
	}
}

func TestYAMLIsACopy(t *testing.T) {
	a := api.YAML()
	a[0] = 'X'
	if api.YAML()[0] == 'X' {
		t.Error("nobody may change the specification for the others")
	}
}

func TestExamplesAreCommands(t *testing.T) {
	examples, err := api.Examples()
	if err != nil || len(examples) < 10 {
		t.Fatalf("%d examples, %v", len(examples), err)
	}
	if first := examples[0]; first.Operation != "createPrediction" || first.Label == "" {
		t.Errorf("the first is %+v, want the specification's order", first)
	}
	for _, e := range examples {
		if !strings.Contains(e.Command, "curl ") || !strings.Contains(e.Command, api.Server) {
			t.Errorf("%s: %q does not ask the server", e.Operation, e.Command)
		}
	}
}

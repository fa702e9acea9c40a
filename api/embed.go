// Package api holds the specification of the /v1 door. openapi.yaml is written
// by hand; the tests of internal/httpapi hold it against the routes and against
// every exchange that they make.
package api

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed openapi.yaml
var openapi string

// YAML is the specification as written.
func YAML() []byte { return []byte(openapi) }

// JSON is the specification with the release as its version.
func JSON(version string) ([]byte, error) {
	var document map[string]any
	if err := yaml.Unmarshal([]byte(openapi), &document); err != nil {
		return nil, fmt.Errorf("read the specification: %w", err)
	}
	if info, ok := document["info"].(map[string]any); ok && version != "" {
		info["version"] = version
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("write the specification as JSON: %w", err)
	}
	return text, nil
}

// Example is a command of the specification that anybody can type, and that
// tests really run. It expects photo.jpg and other.png in the working directory
// and the server at Server.
type Example struct {
	Operation string // operationId
	Label     string
	Command   string // for sh
}

// Server is the address in the examples.
const Server = "http://127.0.0.1:8080"

// Examples lists the examples of all operations, in the specification's order.
func Examples() ([]Example, error) {
	var document struct {
		Paths yaml.Node `yaml:"paths"`
	}
	if err := yaml.Unmarshal([]byte(openapi), &document); err != nil {
		return nil, fmt.Errorf("read the specification: %w", err)
	}
	var examples []Example
	for i := 1; i < len(document.Paths.Content); i += 2 {
		methods := document.Paths.Content[i].Content
		for j := 1; j < len(methods); j += 2 {
			var operation struct {
				ID      string `yaml:"operationId"`
				Samples []struct {
					Label, Source string
				} `yaml:"x-codeSamples"`
			}
			if err := methods[j].Decode(&operation); err != nil {
				return nil, fmt.Errorf("read the operations: %w", err)
			}
			for _, s := range operation.Samples {
				examples = append(examples, Example{operation.ID, s.Label, strings.TrimSpace(s.Source)})
			}
		}
	}
	return examples, nil
}

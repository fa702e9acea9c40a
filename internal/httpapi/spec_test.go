package httpapi_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/api"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestRoutesAndSpecificationAgree(t *testing.T) {
	routes := httpapi.Routes()
	paths := spec(t).Paths.Map()
	for path, methods := range routes {
		item := paths[path]
		if item == nil {
			t.Errorf("route %s is not in api/openapi.yaml", path)
			continue
		}
		for _, method := range methods {
			if item.Operations()[method] == nil {
				t.Errorf("%s %s is not in api/openapi.yaml", method, path)
			}
		}
	}
	for path, item := range paths {
		for method := range item.Operations() {
			if !slices.Contains(routes[path], method) {
				t.Errorf("api/openapi.yaml has %s %s, which no route serves", method, path)
			}
		}
	}
}

func TestSpecificationNamesKindsThatExist(t *testing.T) {
	known := map[string]bool{}
	for _, k := range problem.Kinds() {
		known[k.Slug] = true
	}
	named := regexp.MustCompile("`([a-z]+(?:-[a-z]+)*)`")
	found := 0
	for name, response := range spec(t).Components.Responses {
		for _, match := range named.FindAllStringSubmatch(*response.Value.Description, -1) {
			if found++; !known[match[1]] {
				t.Errorf("response %s names %q, which is no kind of problem", name, match[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("the specification names %d kinds of problem; the reading goes wrong", found)
	}
}

func TestEveryOperationHasAnExampleOfItself(t *testing.T) {
	examples, err := api.Examples()
	if err != nil {
		t.Fatal(err)
	}
	commands := map[string][]string{}
	for _, e := range examples {
		commands[e.Operation] = append(commands[e.Operation], e.Command)
	}
	for path, item := range spec(t).Paths.Map() {
		start, _, _ := strings.Cut(path, "{")
		for method, operation := range item.Operations() {
			found := commands[operation.OperationID]
			if len(found) == 0 {
				t.Errorf("%s %s has no curl example", method, path)
			}
			for _, command := range found {
				posts := strings.Contains(command, " -F ") || strings.Contains(command, "--data-binary")
				if !strings.Contains(command, "curl ") || !strings.Contains(command, api.Server+start) || posts != (method == http.MethodPost) {
					t.Errorf("the example of %s %s is no curl command for it: %s", method, path, command)
				}
			}
		}
	}
}

func TestSpecificationIsServed(t *testing.T) {
	g := newRig(t, nil)
	got := g.do("GET", "/openapi.json", nil, nil)
	var document struct {
		OpenAPI string
		Info    struct{ Version string }
		Paths   map[string]any
	}
	if err := json.Unmarshal([]byte(got.body), &document); err != nil {
		t.Fatal(err)
	}
	if document.OpenAPI != "3.1.0" || document.Info.Version != "1.2.3" || len(document.Paths) != len(httpapi.Routes()) {
		t.Fatalf("got %+v, want OpenAPI 3.1.0 of release 1.2.3 with all paths", document)
	}
}

package model_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-ai/goshawk/internal/model"
)

const elsewhere = "apiVersion: goshawk/v1\nkind: Tensor\nname: far\n"

func TestARemoteModelIsReadAndWritten(t *testing.T) {
	for text, want := range map[string]model.Remote{
		`{url: "grpc://models.example:8001", model: resnet}`:               {Address: "models.example:8001", Model: "resnet"},
		`{url: "grpcs://[::1]:8001", model: "Res Net", version: "3"}`:      {Address: "[::1]:8001", TLS: true, Model: "Res Net", Version: "3"},
		`{url: "grpc://127.0.0.1:1", model: m, version: "latest: really"}`: {Address: "127.0.0.1:1", Model: "m", Version: "latest: really"},
	} {
		m, _, err := model.ParseManifest("goshawk.yaml", []byte(elsewhere+"remote: "+text+"\n"))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(&want, m.Remote); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		again, _, err := model.ParseManifest("goshawk.yaml", m.Marshal())
		if err != nil || cmp.Diff(m.Remote, again.Remote) != "" || again.Model != "" {
			t.Errorf("written as %s and read as %+v, %v", m.Marshal(), again.Remote, err)
		}
	}
}

func TestWhatIsNoRemoteModel(t *testing.T) {
	for text, want := range map[string]string{
		"remote: {model: m}\n":                                                     "needs both url and model",
		"remote: {url: \"grpc://a:1\"}\n":                                          "needs both url and model",
		"remote: {url: \"http://a:1\", model: m}\n":                                "grpc://HOST:PORT",
		"remote: {url: \"grpc://a\", model: m}\n":                                  "grpc://HOST:PORT",
		"remote: {url: \"grpc://me:secret@a:1\", model: m}\n":                      "grpc://HOST:PORT",
		"remote: {url: \"grpc://a:1/path\", model: m}\n":                           "grpc://HOST:PORT",
		"remote: {url: \"grpc://a:1\", model: m, key: x}\n":                        "unknown field",
		"model: m.onnx\nremote: {url: \"grpc://a:1\", model: m}\n":                 "both there",
		"remote: {url: \"grpc://a:1\", model: m}\nserving: {isolation: process}\n": "runs elsewhere already",
	} {
		if _, _, err := model.ParseManifest("goshawk.yaml", []byte(elsewhere+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a refusal that says %q", text, err, want)
		}
	}
}

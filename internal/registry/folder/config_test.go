package folder_test

import (
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/registry/folder"
)

// TestConfigurations: what is understood is taken, what is about speed alone may
// say what it likes, and what would change answers is refused by its name.
func TestConfigurations(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{"", ""},
		{`name: "adder" platform: "onnxruntime_onnx" max_batch_size: 8
		  input [ { name: "in" data_type: TYPE_FP32 dims: [ 2 ] } ] # a comment { with a brace
		  output [ { name: "out", data_type: TYPE_FP32, dims: [ -1 ] } ]`, ""},
		{`backend: "onnxruntime" input { name: "in" dims: [ -1, 2 ] }`, ""},
		{`instance_group [ { count: 2 kind: KIND_CPU rate_limiter { priority: 1 } } ]
		  dynamic_batching { max_queue_delay_microseconds: 100 default_queue_policy { timeout_action: DELAY } }
		  optimization { execution_accelerators { gpu_execution_accelerator : [ { name : "tensorrt" } ] } }
		  model_warmup [ { name: "x" batch_size: 1 } ] response_cache { enable: true }`, ""},
		{`input [ { name: "in" optional: false allow_ragged_batch: false } ]`, ""},
		{`parameters { key: "a { b" value: { string_value: "} ensemble_scheduling {" } }`, ""},
		{`name: "other"`, `it is of the model "other", and stands with the model "adder"`},
		{`platform: "tensorflow_savedmodel"`, `the platform is "tensorflow_savedmodel"; ONNX models are served here`},
		{`backend: "python"`, `the backend is "python"`},
		{`platform: "ensemble" ensemble_scheduling { step [ ] }`, "ensemble_scheduling is not served here"},
		{`sequence_batching { max_sequence_idle_microseconds: 5 }`, "sequence_batching is not served here: no model keeps a state"},
		{`input [ { name: "in" reshape: { shape: [ 1 ] } } ]`, "input.reshape is not served here"},
		{`input < name: "in" optional: true >`, "input.optional is not served here"},
		{`model_transaction_policy { decoupled: true }`, "there is one answer to a request"},
		{`max_batchsize: 8`, `the setting "max_batchsize" is not known here`},
		{`input [ { nam: "in" } ]`, `the setting "input.nam" is not known here`},
		{`max_batch_size: "many"`, "it cannot be read"},
		{`max_batch_size: -1`, "max_batch_size is -1"},
		{`input {`, "it cannot be read"},
		{`input [ { name: "x" } ]`, `the model has no input "x"; it has "in"`},
		{`output [ { name: "y" } ]`, `the model has no output "y"; it has "out"`},
		{`input [ { name: "in" data_type: TYPE_INT64 } ]`, `the input "in" is TYPE_INT64, and the model says TYPE_FP32`},
		{`input [ { name: "in" dims: [ 2 ] } ]`, `the input "in" has the dims [2], which make [2] with max_batch_size 0, and the model says [-1 2]`},
		{`max_batch_size: 2 input [ { name: "in" dims: [ 3 ] } ]`, "which make [-1 3] with max_batch_size 2"},
		{`default_model_filename: "../model.onnx"`, "default_model_filename"},
		{`output [ { name: "out" label_filename: "/etc/passwd" } ]`, "label_filename"},
		{`output [ { name: "out" label_filename: "none.txt" } ]`, `the label file "none.txt" cannot be read`},
		{`version_policy { specific { versions: [ 0 ] } }`, "version_policy names the version 0"},
	} {
		s := newShop(t)
		s.write("adder/config.pbtxt", c.config)
		s.write("adder/1/model.onnx", plus(1))
		list := s.open().Versions()
		if len(list) != 1 {
			t.Fatalf("%s: %q, want one line", c.config, shown(list))
		}
		switch why := list[0].Refused; {
		case c.want == "" && why != nil:
			t.Errorf("%s\nis refused: %v", c.config, why)
		case c.want != "" && (why == nil || !strings.Contains(why.Error(), c.want)):
			t.Errorf("%s\ngot %v, want a sentence with %q", c.config, why, c.want)
		case c.want != "" && !strings.HasPrefix(why.Error(), "config.pbtxt: "):
			t.Errorf("%v does not name the file", why)
		}
	}
}

func TestABatchNeedsAnOpenAxis(t *testing.T) {
	s := newShop(t)
	s.write("fixed/config.pbtxt", "max_batch_size: 8")
	s.write("fixed/1/model.onnx", fixed())
	if got := shown(s.open().Versions()); !strings.Contains(got, "whose first axis takes no batch of any size") {
		t.Errorf("got %q, want it refused: the model takes one row only", got)
	}
}

func TestVersionPolicies(t *testing.T) {
	for policy, want := range map[string]string{
		"": "adder/10 default",
		"version_policy { latest { num_versions: 2 } }":             "adder/3\nadder/10 default",
		"version_policy { all {} }":                                 "adder/1\nadder/2\nadder/3\nadder/10 default",
		"version_policy: { specific: { versions: [ 3, 1, 3 ] } }":   "adder/1\nadder/3 default",
		"version_policy { latest { num_versions: 4000000000 } }":    "adder/1\nadder/2\nadder/3\nadder/10 default",
		"version_policy < specific < versions: 2 versions: 10 > > ": "adder/2\nadder/10 default",
	} {
		s := newShop(t)
		s.write("adder/config.pbtxt", policy)
		for _, n := range []string{"1", "2", "3", "10"} {
			s.write("adder/"+n+"/model.onnx", plus(1))
		}
		if got := shown(s.open().Versions()); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", policy, got, want)
		}
	}
}

func TestConfigurationsInJSON(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{`{}`, ""},
		{`{"name": "adder", "max_batch_size": 8, "input": [{"name": "in", "data_type": "TYPE_FP32", "dims": ["2"]}]}`, ""},
		{`{"maxBatchSize": 8, "parameters": {"max_anything": {"string_value": "1"}}, "optimization": {"priority": "PRIORITY_DEFAULT"}}`, ""},
		{`{"ensembleScheduling": {"step": []}}`, "ensemble_scheduling is not served here"},
		{`{"input": [{"name": "in", "reshape": {"shape": [1]}}]}`, "input.reshape"},
		{`{"max_batchsize": 8}`, `"max_batchsize" is not known here`},
		{`{"max_batch_size": "many"}`, "it cannot be read"},
		{`[]`, "it cannot be read: the array is no object"},
		{`{`, "it cannot be read"},
	} {
		err := folder.ParseConfig(c.config, true)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "config.json: ")) {
			t.Errorf("%s: %v, want %q", c.config, err, c.want)
		}
	}
}

// FuzzConfig: a configuration is a stranger's text. Whatever it says, it is read
// or refused, and soon.
func FuzzConfig(f *testing.F) {
	for _, text := range []string{
		`name: "a" input [ { name: "in" dims: [ 1, -1 ] } ]`, "version_policy < all < > >", `{"max_batch_size": 1}`,
		"a:[[[[", `x: "\`, "#", "parameters { key: 'a' value { string_value: \"b\" } }", strings.Repeat("a{", 100),
	} {
		f.Add(text, false)
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, json bool) {
		if err := folder.ParseConfig(text, json); err != nil && len(err.Error()) > 2000 {
			t.Errorf("a sentence of %d bytes", len(err.Error()))
		}
	})
}

// TestABatchThatIsNoneStaysNone: Triton's clients count axes by max_batch_size.
func TestABatchThatIsNoneStaysNone(t *testing.T) {
	for config, want := range map[string]bool{
		"":                  false,
		"max_batch_size: 0": true,
		"max_batch_size: 4": false,
		`input [ { name: "in" dims: [ -1, 2 ] } ]`:                     true,
		`max_batch_size: 4 input [ { name: "in" dims: [ 2 ] } ]`:       false,
		`output { name: "out" data_type: TYPE_FP32 dims: -1 dims: 2 }`: true,
		`input [ { name: "in" data_type: TYPE_FP32 } ]`:                false,
	} {
		s := newShop(t)
		s.write("adder/config.pbtxt", config)
		s.write("adder/1/model.onnx", plus(1))
		source := s.open()
		p, err := source.Open(t.Context(), only(t, source, "adder").Digest)
		if err != nil || p.Manifest.Serving.Unbatched != want {
			t.Errorf("%s: %+v, %v; want unbatched %v", config, p, err, want)
		}
	}
	if err := folder.ParseConfig(`{"max_batch_size": 0}`, true); err != nil {
		t.Error(err)
	}
}

package oipapi_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// Each type, from JSON to the tensor and back to JSON, and as binary data.
func TestRESTEachTypeComesBackAsItWent(t *testing.T) {
	g := newRESTRig(t, nil)
	le := binary.LittleEndian
	for _, c := range []struct {
		typ, data string
		raw       []byte
	}{
		{"BOOL", "[true,false,true]", []byte{1, 0, 1}},
		{"UINT8", "[0,255,7]", []byte{0, 255, 7}},
		{"UINT16", "[0,65535]", le.AppendUint16(le.AppendUint16(nil, 0), 65535)},
		{"UINT32", "[4294967295]", le.AppendUint32(nil, math.MaxUint32)},
		{"UINT64", "[18446744073709551615]", le.AppendUint64(nil, math.MaxUint64)},
		{"INT8", "[-128,127]", []byte{0x80, 0x7f}},
		{"INT16", "[-32768]", []byte{0, 0x80}},
		{"INT32", "[-2147483648]", []byte{0, 0, 0, 0x80}},
		{"INT64", "[-9223372036854775808,9223372036854775807]", le.AppendUint64(le.AppendUint64(nil, 1<<63), 1<<63-1)},
		{"FP32", "[0.1,-1e+30,1.0]", le.AppendUint32(le.AppendUint32(le.AppendUint32(nil, math.Float32bits(0.1)), math.Float32bits(-1e30)), math.Float32bits(1))},
		{"FP32", "[NaN,Infinity,-Infinity]", nil},
		{"FP64", "[0.1,1e-300]", le.AppendUint64(le.AppendUint64(nil, math.Float64bits(0.1)), math.Float64bits(1e-300))},
		{"BYTES", `["a","","gr\u00fc\u00dfe \ud83d\ude00 \"\\"]`, nil},
	} {
		var elements []any
		n := strings.Count(c.data, ",") + 1
		if c.typ == "BYTES" {
			_ = json.Unmarshal([]byte(c.data), &elements)
			for _, e := range elements {
				c.raw = append(le.AppendUint32(c.raw, uint32(len(e.(string)))), e.(string)...)
			}
			c.data = `["a","","grüße 😀 \"\\"]`
		}
		head := fmt.Sprintf(`{"id":"7","inputs":[{"name":"x","shape":[1,%d],"datatype":%q,`, n, c.typ)
		want := fmt.Sprintf(`{"id":"7","model_name":"echo","model_version":"3","outputs":[{"name":"x","datatype":%q,"shape":[1,%d],`, c.typ, n)
		g.infer(head+`"data":[`+c.data+`]}]}`).is(t, c.typ+" nested JSON", want+`"data":`+c.data+`}]}`)
		if c.raw == nil {
			continue
		}
		head += fmt.Sprintf(`"parameters":{"binary_data_size":%d}}]`, len(c.raw))
		for _, binary := range []string{`,"parameters":{"binary_data_output":true}}`, `,"outputs":[{"name":"x","parameters":{"binary_data":true}}]}`} {
			header := head + binary
			got := g.infer(header+string(c.raw), "Inference-Header-Content-Length", strconv.Itoa(len(header)))
			wantHeader := want + fmt.Sprintf(`"parameters":{"binary_data_size":%d}}]}`, len(c.raw))
			got.is(t, c.typ+" binary", wantHeader+string(c.raw))
			if n := got.header.Get("Inference-Header-Content-Length"); n != strconv.Itoa(len(wantHeader)) || got.header.Get("Content-Type") != "application/octet-stream" {
				t.Errorf("%s: the header's length is %s of type %s, want %d of application/octet-stream", c.typ, n, got.header.Get("Content-Type"), len(wantHeader))
			}
		}
		header := head + `}`
		g.infer(header+string(c.raw), "Inference-Header-Content-Length", strconv.Itoa(len(header))).is(t, c.typ+" from binary to JSON", want+`"data":`+c.data+`}]}`)
	}
}

func TestRESTHalvesAreBinaryOnly(t *testing.T) {
	g := newRESTRig(t, nil)
	for _, typ := range []string{"FP16", "BF16"} {
		g.infer(`{"inputs":[{"name":"x","shape":[1],"datatype":"`+typ+`","data":[1]}]}`).refused(t, typ, 400, "binary data")
		head := `{"inputs":[{"name":"x","shape":[1],"datatype":"` + typ + `","parameters":{"binary_data_size":2}}]`
		json := head + "}"
		g.infer(json+"ab", "Inference-Header-Content-Length", strconv.Itoa(len(json))).refused(t, typ+" out as JSON", 400, "binary data")
		both := head + `,"parameters":{"binary_data_output":true}}`
		if got := g.infer(both+"ab", "Inference-Header-Content-Length", strconv.Itoa(len(both))); got.status != 200 || !bytes.HasSuffix(got.body, []byte("}]}ab")) {
			t.Errorf("%s binary both ways: %d %s", typ, got.status, got.body)
		}
	}
}

func TestRESTMixedOutputsAndTheOutputsOwnWord(t *testing.T) {
	g := newRESTRig(t, nil)
	head := `{"inputs":[{"name":"a","shape":[1],"datatype":"UINT8","data":[65]},{"name":"b","shape":[3],"datatype":"UINT8","parameters":{"binary_data_size":3}},` +
		`{"name":"c","shape":[1],"datatype":"INT32","parameters":{"binary_data_size":4}}],` +
		`"outputs":[{"name":"a"},{"name":"b","parameters":{"binary_data":false}},{"name":"c"}],"parameters":{"binary_data_output":true}}`
	got := g.infer(head+"BCD\x01\x00\x00\x00", "Inference-Header-Content-Length", strconv.Itoa(len(head)))
	want := `{"model_name":"echo","model_version":"3","outputs":[{"name":"a","datatype":"UINT8","shape":[1],"parameters":{"binary_data_size":1}},` +
		`{"name":"b","datatype":"UINT8","shape":[3],"data":[66,67,68]},{"name":"c","datatype":"INT32","shape":[1],"parameters":{"binary_data_size":4}}]}`
	got.is(t, "mixed", want+"A\x01\x00\x00\x00")
	if r := g.echo.seen(); !slices.Equal(r.Outputs, []string{"a", "b", "c"}) || r.Model != "echo" {
		t.Errorf("the engine was asked for %v of %q", r.Outputs, r.Model)
	}
}

func TestRESTClassification(t *testing.T) {
	g := newRESTRig(t, nil)
	g.echo.run = func(context.Context, *predict.TensorRequest) (*predict.TensorAnswer, error) {
		scores, _ := tensor.New("y", tensor.Float32, []int64{1, 3}, 12)
		copy(tensor.View[float32](scores.Data), []float32{0.25, 0.75, 0})
		return &predict.TensorAnswer{
			Version: fleet.Version{Number: 1}, Outputs: []*tensor.Tensor{scores}, Scores: "y", Batch: true,
			Labels: []model.Label{{Name: "cat"}, {Name: "dog"}, {Name: "eel"}},
		}, nil
	}
	got := g.infer(`{"inputs":[],"outputs":[{"name":"y","parameters":{"classification":2}}]}`)
	got.is(t, "the best two", `{"model_name":"echo","model_version":"1","outputs":[{"name":"y","datatype":"BYTES","shape":[1,2],"data":["0.750000:1:dog","0.250000:0:cat"]}]}`)
}

// TestRESTNullIsNothing: it is what many a client writes for what is optional.
func TestRESTNullIsNothing(t *testing.T) {
	g := newRESTRig(t, nil)
	const want = `{"model_name":"echo","model_version":"3","outputs":[{"name":"x","datatype":"UINT8","shape":[2],"data":[1,2]}]}`
	g.infer(`{"id":null,"parameters":null,"outputs":null,"inputs":[{"name":"x","shape":[2],"datatype":"UINT8","parameters":null,"data":[1,2]}]}`).is(t, "null", want)
	g.infer(`{"parameters":{"binary_data_output":null,"timeout":null,"priority":null,"sequence_id":null},"inputs":[{"name":"x","shape":[2],"datatype":"UINT8","parameters":{"binary_data_size":null,"shared_memory_region":null},"data":[1,2]}],`+
		`"outputs":[{"name":"x","parameters":null}]}`).is(t, "null parameters", want)
	g.infer(`{"inputs":[{"name":"x","shape":[2],"datatype":"UINT8","data":[1,2]}],"outputs":[{"name":"x","parameters":{"binary_data":null,"classification":null}}]}`).is(t, "null for an output", want)
	head := `{"inputs":[{"name":"x","shape":[2],"datatype":"UINT8","data":null,"parameters":{"binary_data_size":2}}]}`
	g.infer(head+"\x01\x02", "Inference-Header-Content-Length", strconv.Itoa(len(head))).is(t, "null and binary data", want)
	for body, words := range map[string]string{
		`{"inputs":null}`: "a list",
		`{"inputs":[{"name":"x","shape":[2],"datatype":"UINT8","data":null}]}`:   "no data",
		`{"inputs":[{"name":null,"shape":[2],"datatype":"UINT8","data":[1,2]}]}`: "as a string",
		`{"inputs":[{"name":"x","shape":null,"datatype":"UINT8","data":[1,2]}]}`: "a list",
		`{"inputs":[{"name":"x","shape":[1],"datatype":"UINT8","data":[null]}]}`: "no number",
		`{"id":nul,"inputs":[]}`:            "as a string",
		`{"id":nullx,"inputs":[]}`:          "as a string",
		`{"id":null,"id":null,"inputs":[]}`: "twice",
	} {
		g.infer(body).refused(t, body, 400, words)
	}
}

// TestRESTClassesAreBounded: what is written of a few bytes is many times more.
func TestRESTClassesAreBounded(t *testing.T) {
	g := newRESTRig(t, nil)
	const n = 1 << 20
	g.echo.run = func(context.Context, *predict.TensorRequest) (*predict.TensorAnswer, error) {
		out := &tensor.Tensor{Name: "y", Type: tensor.Uint8, Shape: []int64{n}, Data: make([]byte, n)}
		return &predict.TensorAnswer{Version: fleet.Version{Number: 1}, Outputs: []*tensor.Tensor{out}}, nil
	}
	g.infer(fmt.Sprintf(`{"inputs":[],"outputs":[{"name":"y","parameters":{"classification":%d}}]}`, n)).refused(t, "a million classes", 413, "")
	if got := g.infer(`{"inputs":[],"outputs":[{"name":"y","parameters":{"classification":5}}]}`); got.status != 200 {
		t.Errorf("five of a million: %d %s", got.status, got.body)
	}
}

func TestRESTBase64Content(t *testing.T) {
	g := newRESTRig(t, nil)
	picture := []byte{0xff, 0xd8, 0, '"'}
	body := func(text string) string {
		return `{"inputs":[{"data":["` + text + `"],"parameters":{"content_type":"base64"},"datatype":"BYTES","shape":[1],"name":"x"}]}`
	}
	if got := g.infer(body(strings.ReplaceAll(base64.StdEncoding.EncodeToString(picture), "/", `\/`))); got.status != 400 {
		t.Errorf("what is no UTF-8 was sent as JSON: %d %s", got.status, got.body)
	}
	if got := g.echo.seen().Inputs[0].Strings; len(got) != 1 {
		t.Errorf("the engine got %q, want the bytes themselves", got)
	}
	g.infer(body("a*b=")).refused(t, "no base64", 400, "base64")
}

func TestRESTParametersReachTheCore(t *testing.T) {
	g := newRESTRig(t, nil)
	g.echo.run = func(ctx context.Context, _ *predict.TensorRequest) (*predict.TensorAnswer, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	g.infer(`{"inputs":[],"parameters":{"timeout":1000,"priority":2,"custom":"a","half":0.5,"nothing":null,"deep":{"a":[1]}}}`).refused(t, "a timeout", 504, "timeout")
	if got := g.echo.seen().Priority; got != 2 {
		t.Errorf("the engine got the priority %d, want the 2 of the request", got)
	}
	for what, parameters := range map[string]string{
		"1 is served first":      `"priority":"high"`,
		"priority is -1":         `"priority":-1`,
		"shared memory":          `"shared_memory_region":"a"`,
		"whole number":           `"timeout":"soon"`,
		"sequences":              `"sequence_id":5,"sequence_start":true`,
		"given twice":            `"a":1,"a":2`,
		"true or false":          `"binary_data_output":1`,
		"number of microseconds": `"timeout":-1`,
	} {
		g.infer(`{"inputs":[],"parameters":{`+parameters+`}}`).refused(t, parameters, 400, what)
	}
}

func TestRESTWrongRequestsAreRefused(t *testing.T) {
	g := newRESTRig(t, nil)
	one := func(typ, shape, data string) string {
		return `{"inputs":[{"name":"x","shape":` + shape + `,"datatype":"` + typ + `","data":` + data + `}]}`
	}
	deep := strings.Repeat("[", 1000)
	for _, c := range []struct{ body, words string }{
		{"", "no body"},
		{"nonsense", "an object"},
		{"{", "ends"},
		{"[]", "an object"},
		{`{}`, `no "inputs"`},
		{`{"inputs":{}}`, "a list"},
		{`{"inputs":[]} {}`, "something follows"},
		{`{"inputs":[],"inputs":[]}`, "given twice"},
		{`{"inputs":[{"name":"x","name":"y"}]}`, "given twice"},
		{`{"inputs":[],"id":5}`, "id as a string"},
		{`{"inputs":[],"id":"` + strings.Repeat("a", 5000) + `"}`, "longer than"},
		{`{"inputs":[],"x":01}`, "no number"},
		{`{"inputs":[],"x":tru}`, "a value"},
		{`{"inputs":[],"x":` + deep, "deep"},
		{`{"inputs":[{}]}`, "no name"},
		{`{"inputs":[{"name":"x"}]}`, "no datatype"},
		{`{"inputs":[{"name":"x","datatype":"FP32"}]}`, "no shape"},
		{`{"inputs":[{"name":"x","datatype":"FP32","shape":[1]}]}`, "no data"},
		{`{"inputs":[{"name":"x","datatype":"FP31","shape":[1]}]}`, "FP31"},
		{`{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1],"parameters":{"binary_data_size":4}}]}`, "both"},
		{`{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}]}`, "0 are left"},
		{`{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"parameters":{"shared_memory_region":"a"}}]}`, "shared memory"},
		{`{"inputs":[],"outputs":[{"name":"x","parameters":{"shared_memory_region":"a"}}]}`, "shared memory"},
		{`{"inputs":[],"outputs":[{}]}`, "no name"},
		{`{"inputs":[],"outputs":[{"name":"x","parameters":{"classification":-1}}]}`, "negative"},
		{`{"inputs":[],"outputs":[{"name":"x","parameters":{"binary_data":"yes"}}]}`, "true or false"},
		{one("UINT8", "[1]", "[300]"), "out of range"},
		{one("UINT8", "[1]", "[-1]"), "out of range"},
		{one("INT8", "[1]", "[128]"), "out of range"},
		{one("INT32", "[1]", "[1.5]"), "no whole number"},
		{one("INT64", "[1]", "[9223372036854775808]"), "out of range"},
		{one("UINT64", "[1]", "[18446744073709551616]"), "out of range"},
		{one("INT64", "[1]", "[NaN]"), "no number"},
		{one("BOOL", "[1]", "[2]"), "out of range"},
		{one("BOOL", "[1]", "[tru]"), "no number"},
		{one("FP32", "[1]", "[1e39]"), "out of range"},
		{one("FP64", "[1]", "[1e999]"), "out of range"},
		{one("FP32", "[1]", `["1"]`), "no number"},
		{one("FP32", "[1]", "[null]"), "no number"},
		{one("FP32", "[1]", "[.5]"), "no number"},
		{one("FP32", "[1]", "[1.]"), "no number"},
		{one("FP32", "[1]", "[+1]"), "no number"},
		{one("FP32", "[1]", "[0x1]"), "comma"},
		{one("FP32", "[1]", "5"), "a list"},
		{one("FP32", "[2]", "[1,]"), "no number"},
		{one("FP32", "[2]", "[1 2]"), "comma"},
		{one("FP32", "[2]", "[1]"), "its data are 1"},
		{one("FP32", "[2]", "[1,2,3]"), "its data are more"},
		{one("FP32", "[2]", "[[1],[2]"), "comma"},
		{one("FP32", "[1]", deep), "deep"},
		{one("FP32", "[-1]", "[1]"), "negative"},
		{one("FP32", "[1.5]", "[1]"), "whole number"},
		{one("FP32", "[1099511627776]", "[1]"), "shorter than that"},
		{one("FP32", "[9223372036854775807,9223372036854775807]", "[1]"), "too large"},
		{one("BYTES", "[1099511627776]", `["a"]`), "shorter than that"},
		{one("BYTES", "[1]", `[1]`), "as a string"},
		{one("BYTES", "[1]", `["\ud800"]`), "escape"},
		{one("BYTES", "[1]", `["\x"]`), "escape"},
		{one("BYTES", "[1]", `["a`), "no end"},
		{one("FP32", "["+strings.Repeat("1,", 100)+"1]", "[1]"), "axes"},
	} {
		status := 400
		g.infer(c.body).refused(t, fmt.Sprintf("%.80s", c.body), status, c.words)
	}
}

func TestRESTWrongBinaryRequestsAreRefused(t *testing.T) {
	g := newRESTRig(t, nil)
	one := func(typ, shape string, size int) string {
		return fmt.Sprintf(`{"inputs":[{"name":"x","shape":%s,"datatype":%q,"parameters":{"binary_data_size":%d}}]}`, shape, typ, size)
	}
	for _, c := range []struct{ json, data, length, words string }{
		{one("FP32", "[1]", 4), "abc", "", "3 are left"},
		{one("FP32", "[1]", 4), "abcde", "", "1 bytes of binary data are left"},
		{one("FP32", "[2]", 4), "abcd", "", "not as many"},
		{one("FP32", "[0]", 4), "abcd", "", "not as many"},
		{one("FP32", "[4611686018427387904]", 0), "", "", "not as many"},
		{one("BYTES", "[1099511627776]", 4), "abcd", "", "fewer than"},
		{one("BYTES", "[1]", 5), "\x05\x00\x00\x00a", "", "says that it has 5 bytes"},
		{one("BYTES", "[1]", 6), "\x01\x00\x00\x00ab", "", "left after the last"},
		{one("FP32", "[1]", 4), "abcd", "100000", "says 100000 bytes"},
		{one("FP32", "[1]", 4), "abcd", "-1", "number of bytes"},
		{one("FP32", "[1]", 4), "abcd", "99999999999999999999", "number of bytes"},
		{one("FP32", "[1]", 4), "abcd", "ten", "number of bytes"},
		{one("FP32", "[1]", 4), "abcd", "10", "ends"},
		{`{"inputs":[]}`, "a", "", "1 bytes of binary data are left"},
	} {
		length := c.length
		if length == "" {
			length = strconv.Itoa(len(c.json))
		}
		g.infer(c.json+c.data, "Inference-Header-Content-Length", length).refused(t, c.json+c.data, 400, c.words)
	}
}

func TestRESTRawBodies(t *testing.T) {
	g := newRESTRig(t, nil)
	raw := func(model, body string) reply {
		return g.do("POST", "/v2/models/"+model+"/infer", []byte(body), "Inference-Header-Content-Length", "0")
	}
	want := `{"model_name":"echo","model_version":"3","outputs":[{"name":"x","datatype":"FP32","shape":[2,2],"parameters":{"binary_data_size":16}}]}`
	raw("echo", "0123456789abcdef").is(t, "two rows of two", want+"0123456789abcdef")
	want = `{"model_name":"text","model_version":"3","outputs":[{"name":"x","datatype":"BYTES","shape":[1,1],"parameters":{"binary_data_size":9}}]}`
	raw("text", "hello").is(t, "one text", want+"\x05\x00\x00\x00hello")
	raw("echo", "0123").refused(t, "half a row", 400, "do not make one")
	raw("echo", "012").refused(t, "half a number", 400, "whole number of elements")
	raw("two", "01234567").refused(t, "a model with two inputs", 400, "one input")
}

func deflated(t *testing.T, coding string, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&out)
	if coding == "deflate" {
		w = zlib.NewWriter(&out)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func inflated(t *testing.T, coding string, content []byte) []byte {
	t.Helper()
	var r io.Reader
	var err error
	if coding == "gzip" {
		r, err = gzip.NewReader(bytes.NewReader(content))
	} else {
		r, err = zlib.NewReader(bytes.NewReader(content))
	}
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRESTCompressedBothWays(t *testing.T) {
	g := newRESTRig(t, nil)
	head := `{"inputs":[{"name":"x","shape":[200000],"datatype":"FP32","parameters":{"binary_data_size":800000}}],"parameters":{"binary_data_output":true}}`
	body := append([]byte(head), make([]byte, 800000)...)
	for _, coding := range []string{"gzip", "deflate"} {
		got := g.infer(string(deflated(t, coding, body)), "Content-Encoding", coding, "Inference-Header-Content-Length", strconv.Itoa(len(head)), "Accept-Encoding", coding)
		if got.status != 200 || got.header.Get("Content-Encoding") != coding {
			t.Fatalf("%s: %d %s, Content-Encoding %q", coding, got.status, got.body, got.header.Get("Content-Encoding"))
		}
		plain := inflated(t, coding, got.body)
		n, err := strconv.Atoi(got.header.Get("Inference-Header-Content-Length"))
		if err != nil || len(plain) != n+800000 {
			t.Errorf("%s: the answer has %d bytes, %d of them JSON (%v); want 800000 behind it", coding, len(plain), n, err)
		}
	}
	for accept, want := range map[string]string{"": "", "br": "", "identity": "", "gzip;q=0": "", "deflate, gzip": "deflate", "gzip;q=0.5, identity": "", "br, gzip;q=0.9, deflate;q=0.1": "gzip"} {
		if got := g.infer(`{"inputs":[]}`, "Accept-Encoding", accept); got.header.Get("Content-Encoding") != want || got.status != 200 {
			t.Errorf("Accept-Encoding %q: got %d in %q, want %q", accept, got.status, got.header.Get("Content-Encoding"), want)
		}
	}
}

func TestRESTBombsAndBrokenBodies(t *testing.T) {
	g := newRESTRig(t, nil)
	whole := deflated(t, "gzip", []byte(`{"inputs":[]}`))
	for what, c := range map[string]struct {
		coding string
		body   []byte
		status int
		words  string
	}{
		"a gzip bomb":          {"gzip", deflated(t, "gzip", make([]byte, 200<<20)), 413, "decompressed"},
		"a deflate bomb":       {"deflate", deflated(t, "deflate", make([]byte, 200<<20)), 413, "decompressed"},
		"a bomb in a bomb":     {"gzip, gzip", whole, 400, "more than once"},
		"an unknown coding":    {"br", whole, 400, "gzip and deflate"},
		"a cut gzip":           {"gzip", whole[:len(whole)-3], 400, "no whole gzip"},
		"half a gzip header":   {"gzip", whole[:5], 400, "no whole gzip"},
		"no gzip":              {"gzip", []byte("hello"), 400, "no whole gzip"},
		"gzip as deflate":      {"deflate", whole, 400, "no whole deflate"},
		"more behind deflate":  {"deflate", append(deflated(t, "deflate", []byte(`{"inputs":[]}`)), 'x'), 400, "no whole deflate"},
		"more than the limit":  {"", make([]byte, 9<<20), 413, "limit"},
		"nothing, in gzip":     {"gzip", []byte{}, 400, "no body"},
		"a body that is wrong": {"identity", []byte("x"), 400, "object"},
	} {
		g.infer(string(c.body), "Content-Encoding", c.coding).refused(t, what, c.status, c.words)
	}
	if got := g.infer(string(whole), "Content-Encoding", "x-gzip"); got.status != 200 {
		t.Errorf("a whole gzip: %d %s", got.status, got.body)
	}
}

func TestRESTContentTypeIsNeverAskedFor(t *testing.T) {
	g := newRESTRig(t, nil)
	for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ";;;"} {
		if got := g.infer(`{"inputs":[]}`, "Content-Type", media); got.status != 200 {
			t.Errorf("Content-Type %q: %d %s", media, got.status, got.body)
		}
	}
}

// TestRESTAnswersCountInTheBudget: who never reads an answer must not hold memory
// that nobody has counted.
func TestRESTAnswersCountInTheBudget(t *testing.T) {
	g := newRESTRig(t, nil)
	size := 1 << 20
	g.echo.run = func(context.Context, *predict.TensorRequest) (*predict.TensorAnswer, error) {
		out := &tensor.Tensor{Name: "y", Type: tensor.Uint8, Shape: []int64{int64(size)}, Data: make([]byte, size)}
		return &predict.TensorAnswer{Version: fleet.Version{Number: 3}, Outputs: []*tensor.Tensor{out}}, nil
	}
	const body = `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]`
	if got := g.infer(body + `}`); got.status != 200 {
		t.Errorf("a megabyte as JSON: %d %.200s", got.status, got.body)
	}
	size = 65 << 20
	g.infer(body+`,"parameters":{"binary_data_output":true}}`).refused(t, "more than the budget", 413, "fewer outputs")
	size = 40 << 20
	g.infer(body+`}`).refused(t, "whose text is more than the budget", 413, "fewer outputs")

	size = 1 << 20
	const others = 63<<20 + 500<<10
	if err := g.budget.Acquire(t.Context(), others); err != nil {
		t.Fatal(err)
	}
	got := g.infer(body + `,"parameters":{"binary_data_output":true}}`)
	got.refused(t, "while others hold the budget", 503, "memory")
	if got.header.Get("Retry-After") == "" {
		t.Error("it may come again, and does not hear when")
	}
	g.budget.Release(others)
}

// TestRESTAnUnreadAnswerHoldsTheBudget until its reader has it.
func TestRESTAnUnreadAnswerHoldsTheBudget(t *testing.T) {
	const size = 32 << 20
	g := newRESTRig(t, nil)
	g.echo.run = func(context.Context, *predict.TensorRequest) (*predict.TensorAnswer, error) {
		out := &tensor.Tensor{Name: "y", Type: tensor.Uint8, Shape: []int64{size}, Data: make([]byte, size)}
		return &predict.TensorAnswer{Version: fleet.Version{Number: 3}, Outputs: []*tensor.Tensor{out}}, nil
	}
	response, err := g.client.Post(g.url+"/v2/models/echo/infer", "", strings.NewReader(
		`{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}],"parameters":{"binary_data_output":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if used := g.budget.Used(); used < size {
		t.Errorf("%d bytes are counted while an answer of %d is unread", used, size)
	}
	if n, err := io.Copy(io.Discard, response.Body); err != nil || n < size {
		t.Errorf("%d bytes came: %v", n, err)
	}
	until(t, "the answer was taken and still holds the budget", func() bool { return g.budget.Used() == 0 })
}

package oipapi_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"pgregory.net/rapid"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

type (
	request   = oip.ModelInferRequest
	inTensor  = oip.ModelInferRequest_InferInputTensor
	outWanted = oip.ModelInferRequest_InferRequestedOutputTensor
	contents  = oip.InferTensorContents
	parameter = map[string]*oip.InferParameter
)

func int64Parameter(n int64) *oip.InferParameter {
	return &oip.InferParameter{ParameterChoice: &oip.InferParameter_Int64Param{Int64Param: n}}
}

func wordParameter(s string) *oip.InferParameter {
	return &oip.InferParameter{ParameterChoice: &oip.InferParameter_StringParam{StringParam: s}}
}

// raw asks "flowers" with one input of raw contents.
func raw(datatype string, data []byte, shape ...int64) *request {
	return &request{ModelName: "flowers", Inputs: []*inTensor{{Name: "x", Datatype: datatype, Shape: shape}}, RawInputContents: [][]byte{data}}
}

// typed asks "flowers" with one input of typed contents.
func typed(datatype string, c *contents, shape ...int64) *request {
	return &request{ModelName: "flowers", Inputs: []*inTensor{{Name: "x", Datatype: datatype, Shape: shape, Contents: c}}}
}

func TestEveryTypeComesBackRaw(t *testing.T) {
	e := &echo{}
	c, _ := serve(t, e, oipapi.Options{})
	for _, typ := range []tensor.Type{
		tensor.Bool, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64,
		tensor.Float16, tensor.BFloat16, tensor.Float32, tensor.Float64, tensor.String,
	} {
		for _, shape := range [][]int64{{}, {0}, {2, 0, 3}, {1}, {3, 2}, {2, 1, 2, 1, 3}} {
			n, err := tensor.Elements(shape)
			if err != nil {
				t.Fatal(err)
			}
			data := make([]byte, int(n)*typ.Size())
			for i := range data {
				data[i] = byte(i % 2)
			}
			if typ == tensor.String {
				for i := range n {
					data = tensor.AppendElements(data, [][]byte{bytes.Repeat([]byte{0xff}, int(i))})
				}
			}
			r := raw(typ.Protocol(), data, shape...)
			r.Id = "seven"
			got, err := c.ModelInfer(t.Context(), r)
			if err != nil {
				t.Errorf("%s %v: %v", typ, shape, err)
				continue
			}
			o := got.GetOutputs()[0]
			if got.GetId() != "seven" || got.GetModelName() != "flowers" || got.GetModelVersion() != "3" {
				t.Errorf("%s %v: answered by %q %q/%q", typ, shape, got.GetId(), got.GetModelName(), got.GetModelVersion())
			}
			if o.GetName() != "x" || o.GetDatatype() != typ.Protocol() || !slices.Equal(o.GetShape(), shape) || !bytes.Equal(got.GetRawOutputContents()[0], data) {
				t.Errorf("%s %v came back as %v % x", typ, shape, o, got.GetRawOutputContents()[0])
			}
			if in := e.request().Inputs[0]; in.Type != typ || typ != tensor.String && !bytes.Equal(in.Data, data) || typ == tensor.String && int64(len(in.Strings)) != n {
				t.Errorf("%s %v reached the model as %+v", typ, shape, in)
			}
		}
	}
}

// drawn is a tensor in both forms.
func drawn(t *rapid.T) (typ tensor.Type, shape []int64, data []byte, c *contents) {
	typ = rapid.SampledFrom([]tensor.Type{
		tensor.Bool, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64,
		tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Float32, tensor.Float64, tensor.String,
	}).Draw(t, "type")
	shape = rapid.SliceOfN(rapid.Int64Range(0, 3), 0, 4).Draw(t, "shape")
	n, err := tensor.Elements(shape)
	if err != nil {
		t.Fatal(err)
	}
	c = &contents{}
	for range n {
		bits := rapid.Uint64().Draw(t, "element")
		le := binary.LittleEndian
		switch typ {
		case tensor.Bool:
			data, c.BoolContents = append(data, byte(bits&1)), append(c.BoolContents, bits&1 == 1)
		case tensor.Uint8:
			data, c.UintContents = append(data, uint8(bits)), append(c.UintContents, uint32(uint8(bits)))
		case tensor.Uint16:
			data, c.UintContents = le.AppendUint16(data, uint16(bits)), append(c.UintContents, uint32(uint16(bits)))
		case tensor.Uint32:
			data, c.UintContents = le.AppendUint32(data, uint32(bits)), append(c.UintContents, uint32(bits))
		case tensor.Uint64:
			data, c.Uint64Contents = le.AppendUint64(data, bits), append(c.Uint64Contents, bits)
		case tensor.Int8:
			data, c.IntContents = append(data, uint8(bits)), append(c.IntContents, int32(int8(bits)))
		case tensor.Int16:
			data, c.IntContents = le.AppendUint16(data, uint16(bits)), append(c.IntContents, int32(int16(bits)))
		case tensor.Int32:
			data, c.IntContents = le.AppendUint32(data, uint32(bits)), append(c.IntContents, int32(bits))
		case tensor.Int64:
			data, c.Int64Contents = le.AppendUint64(data, bits), append(c.Int64Contents, int64(bits))
		case tensor.Float32:
			data, c.Fp32Contents = le.AppendUint32(data, uint32(bits)), append(c.Fp32Contents, math.Float32frombits(uint32(bits)))
		case tensor.Float64:
			data, c.Fp64Contents = le.AppendUint64(data, bits), append(c.Fp64Contents, math.Float64frombits(bits))
		case tensor.String:
			word := le.AppendUint64(nil, bits)[:bits%9]
			data, c.BytesContents = tensor.AppendElements(data, [][]byte{word}), append(c.BytesContents, word)
		}
	}
	return typ, shape, data, c
}

func TestTypedAndRawMeanTheSame(t *testing.T) {
	e := &echo{}
	c, _ := serve(t, e, oipapi.Options{})
	rapid.Check(t, func(r *rapid.T) {
		typ, shape, data, content := drawn(r)
		one, err := c.ModelInfer(t.Context(), raw(typ.Protocol(), data, shape...))
		if err != nil {
			r.Fatalf("raw: %v", err)
		}
		first := e.request().Inputs[0]
		other, err := c.ModelInfer(t.Context(), typed(typ.Protocol(), content, shape...))
		if err != nil {
			r.Fatalf("typed: %v", err)
		}
		second := e.request().Inputs[0]
		if !bytes.Equal(first.Data, second.Data) || !slices.EqualFunc(first.Strings, second.Strings, bytes.Equal) || !slices.Equal(first.Shape, second.Shape) {
			r.Fatalf("%s %v: raw reached the model as % x %q, typed as % x %q", typ, shape, first.Data, first.Strings, second.Data, second.Strings)
		}
		if !bytes.Equal(one.GetRawOutputContents()[0], data) || !bytes.Equal(other.GetRawOutputContents()[0], data) {
			r.Fatalf("%s %v: answered % x and % x, want % x", typ, shape, one.GetRawOutputContents()[0], other.GetRawOutputContents()[0], data)
		}
	})
}

func TestWrongInputsAreNamed(t *testing.T) {
	e := &echo{}
	c, _ := serve(t, e, oipapi.Options{})
	floats := &contents{Fp32Contents: []float32{1, 2}}
	both := typed("FP32", floats, 2)
	both.RawInputContents = [][]byte{make([]byte, 8)}
	more := raw("FP32", make([]byte, 8), 2)
	more.RawInputContents = append(more.RawInputContents, nil)
	shared := raw("FP32", make([]byte, 8), 2)
	shared.Inputs[0].Parameters = parameter{"shared_memory_region": wordParameter("r")}
	sharedOut := raw("FP32", make([]byte, 8), 2)
	sharedOut.Outputs = []*outWanted{{Name: "x", Parameters: parameter{"shared_memory_region": wordParameter("r")}}}
	sequence := raw("FP32", make([]byte, 8), 2)
	sequence.Parameters = parameter{"sequence_id": int64Parameter(7)}
	empty := raw("FP32", make([]byte, 8), 2)
	empty.Parameters = parameter{"p": {}}
	emptyIn := raw("FP32", make([]byte, 8), 2)
	emptyIn.Inputs[0].Parameters = parameter{"q": nil}
	classes := raw("FP32", make([]byte, 8), 2)
	classes.Outputs = []*outWanted{{Name: "x", Parameters: parameter{"classification": int64Parameter(0)}}}
	classesWord := raw("FP32", make([]byte, 8), 2)
	classesWord.Outputs = []*outWanted{{Name: "x", Parameters: parameter{"classification": wordParameter("3")}}}
	timeout := raw("FP32", make([]byte, 8), 2)
	timeout.Parameters = parameter{"timeout": wordParameter("soon")}
	nameless := raw("FP32", make([]byte, 8), 2)
	nameless.ModelName = ""

	for name, w := range map[string]struct {
		r    *request
		says string
	}{
		"no model":                     {nameless, "no model"},
		"an unknown type":              {raw("FP8", nil, 0), `"FP8"`},
		"a type in small letters":      {raw("fp32", nil, 0), `"fp32"`},
		"a negative size":              {raw("FP32", nil, -1), "negative"},
		"a shape beyond all memory":    {raw("FP32", nil, 1<<40, 1<<40), "too large"},
		"a size that overflows":        {raw("FP64", make([]byte, 8), 1<<61+1), "8 bytes"},
		"a shape without end":          {raw("FP32", nil, make([]int64, 1000)...), "1000 sizes"},
		"too few raw bytes":            {raw("FP32", make([]byte, 7), 2), "7 bytes"},
		"too many raw bytes":           {raw("INT8", make([]byte, 3), 2), "3 bytes"},
		"a BOOL of 2":                  {raw("BOOL", []byte{2}, 1), "other than 0 and 1"},
		"a BOOL of 255":                {raw("BOOL", []byte{255}, 1), "other than 0 and 1"},
		"BYTES without lengths":        {raw("BYTES", []byte("abc"), 1), "at least 4 bytes"},
		"BYTES cut off":                {raw("BYTES", []byte{9, 0, 0, 0, 'a'}, 1), "9 bytes"},
		"BYTES without end":            {raw("BYTES", make([]byte, 8), 1), "left"},
		"a million BYTES in no memory": {raw("BYTES", nil, 1<<40), "at least"},
		"typed and raw":                {both, "one or the other"},
		"more raw contents":            {more, "2 raw_input_contents for 1 inputs"},
		"another field":                {typed("INT32", floats, 2), "int_contents"},
		"two fields":                   {typed("FP32", &contents{Fp32Contents: []float32{1, 2}, IntContents: []int32{1}}, 2), "int_contents"},
		"too few elements":             {typed("FP32", floats, 3), "3 elements"},
		"too many elements":            {typed("FP32", floats, 1), "have 2"},
		"no contents":                  {typed("FP32", nil, 1), "have 0"},
		"FP16 typed":                   {typed("FP16", floats, 2), "raw_input_contents"},
		"BF16 typed":                   {typed("BF16", nil, 2), "raw_input_contents"},
		"128 as INT8":                  {typed("INT8", &contents{IntContents: []int32{0, 128}}, 2), "element 1"},
		"40000 as INT16":               {typed("INT16", &contents{IntContents: []int32{40000}}, 1), "INT16"},
		"256 as UINT8":                 {typed("UINT8", &contents{UintContents: []uint32{256}}, 1), "UINT8"},
		"65536 as UINT16":              {typed("UINT16", &contents{UintContents: []uint32{65536}}, 1), "UINT16"},
		"shared memory in":             {shared, "shared memory"},
		"shared memory out":            {sharedOut, "shared memory"},
		"a sequence":                   {sequence, "sequence"},
		"a parameter of nothing":       {empty, `"p"`},
		"an input parameter likewise":  {emptyIn, `"q"`},
		"no classes":                   {classes, "classification"},
		"classes as a word":            {classesWord, "classification"},
		"a timeout as a word":          {timeout, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.ModelInfer(t.Context(), w.r)
			wants(t, err, codes.InvalidArgument, w.says)
		})
	}
	if e.request() != nil {
		t.Errorf("a wrong request reached the model: %+v", e.request())
	}
}

func TestALongNameIsCut(t *testing.T) {
	c, _ := serve(t, &echo{}, oipapi.Options{})
	_, err := c.ModelInfer(t.Context(), raw(strings.Repeat("é", 5000), nil, 0))
	if wants(t, err, codes.InvalidArgument, "not known"); len(err.Error()) > 400 {
		t.Errorf("a name of 10,000 bytes makes a message of %d", len(err.Error()))
	}
}

func TestOutputsAreAskedForByName(t *testing.T) {
	e := &echo{}
	c, _ := serve(t, e, oipapi.Options{})
	r := raw("FP32", make([]byte, 8), 2)
	r.ModelVersion, r.Outputs = "3", []*outWanted{{Name: "x"}}
	if _, err := c.ModelInfer(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"x"}, e.request().Outputs); diff != "" || e.request().Model != "flowers/3" {
		t.Errorf("asked %s for\n%s", e.request().Model, diff)
	}
}

func TestClassification(t *testing.T) {
	e := &echo{do: func(_ context.Context, r *predict.TensorRequest) (*predict.TensorAnswer, error) {
		return &predict.TensorAnswer{
			Version: fleet.Version{Number: 3}, Outputs: r.Inputs, Scores: "x", Batch: r.Model == "flowers",
			Labels: []model.Label{{Name: "rose"}, {Name: "tulip"}, {Name: "daisy"}},
		}, nil
	}}
	c, _ := serve(t, e, oipapi.Options{})
	floats := &contents{Fp32Contents: []float32{0.25, 0.5, 0.125, 3, 1, 2}}
	wide := &contents{Int64Contents: []int64{1<<62 - 1, 1 << 62, -1}}
	for name, w := range map[string]struct {
		r     *request
		k     int64
		alone bool // the model has no batches
		shape []int64
		want  string
	}{
		"of each row":               {typed("FP32", floats, 2, 3), 2, false, []int64{2, 2}, "0.500000:1:tulip 0.250000:0:rose 3.000000:0:rose 2.000000:2:daisy"},
		"of all there are":          {typed("FP32", floats, 2, 3), 9, false, []int64{2, 3}, "0.500000:1:tulip 0.250000:0:rose 0.125000:2:daisy 3.000000:0:rose 2.000000:2:daisy 1.000000:1:tulip"},
		"of what is no batch":       {typed("FP32", floats, 2, 3), 2, true, []int64{2}, "3.000000:3 2.000000:5"},
		"of one row that is none":   {typed("FP32", &contents{Fp32Contents: []float32{0, 1, 2}}, 1, 3), 1, true, []int64{1}, "2.000000:2:daisy"},
		"whole numbers":             {typed("INT32", &contents{IntContents: []int32{1, 5, 10, 4}}, 4), 2, true, []int64{2}, "10:2 5:1"},
		"bytes":                     {typed("UINT8", &contents{UintContents: []uint32{7, 255}}, 1, 2), 1, false, []int64{1, 1}, "255:1"},
		"what a float does not say": {typed("INT64", wide, 1, 3), 2, false, []int64{1, 2}, "4611686018427387904:1:tulip 4611686018427387903:0:rose"},
		"unsigned too":              {typed("UINT64", &contents{Uint64Contents: []uint64{1<<64 - 2, 1<<64 - 1}}, 2), 1, true, []int64{1}, "18446744073709551615:1"},
		"of no row":                 {typed("FP32", &contents{}, 0, 3), 2, false, []int64{0, 0}, ""},
	} {
		if w.alone {
			w.r.ModelVersion = "3" // see above
		}
		w.r.Outputs = []*outWanted{{Name: "x", Parameters: parameter{"classification": int64Parameter(w.k)}}}
		got, err := c.ModelInfer(t.Context(), w.r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		o := got.GetOutputs()[0]
		n, err := tensor.Elements(w.shape)
		if err != nil {
			t.Fatal(err)
		}
		elements, err := tensor.ParseElements(got.GetRawOutputContents()[0], n)
		if text := string(bytes.Join(elements, []byte(" "))); err != nil || o.GetDatatype() != "BYTES" || !slices.Equal(o.GetShape(), w.shape) || text != w.want {
			t.Errorf("%s: got %v %q (%v), want %v %q", name, o, text, err, w.shape, w.want)
		}
	}
}

// TestNamesAreNoReferences: what is no model's name does not mean a version of another.
func TestNamesAreNoReferences(t *testing.T) {
	c, _ := serve(t, &echo{}, oipapi.Options{})
	for _, w := range [][2]string{{"flowers/3", ""}, {"flowers", "latest"}, {"flowers", "3/3"}, {"flowers", "-2"}, {"flowers", "v3"}} {
		r := raw("FP32", make([]byte, 8), 2)
		r.ModelName, r.ModelVersion = w[0], w[1]
		_, err := c.ModelInfer(t.Context(), r)
		wants(t, err, codes.NotFound, w[0])
		_, err = c.ModelMetadata(t.Context(), &oip.ModelMetadataRequest{Name: w[0], Version: w[1]})
		wants(t, err, codes.NotFound, w[0])
		_, err = c.ModelConfig(t.Context(), &oip.ModelConfigRequest{Name: w[0], Version: w[1]})
		wants(t, err, codes.NotFound, w[0])
		_, err = c.ModelStatistics(t.Context(), &oip.ModelStatisticsRequest{Name: w[0], Version: w[1]})
		wants(t, err, codes.NotFound, w[0])
		if got, err := c.ModelReady(t.Context(), &oip.ModelReadyRequest{Name: w[0], Version: w[1]}); err != nil || got.GetReady() {
			t.Errorf("%q is ready: %v, %v", w, got, err)
		}
	}
	_, err := c.RepositoryModelLoad(t.Context(), &oip.RepositoryModelLoadRequest{ModelName: "flowers/3"})
	wants(t, err, codes.NotFound, "flowers/3")
	_, err = c.RepositoryModelUnload(t.Context(), &oip.RepositoryModelUnloadRequest{ModelName: "flowers/3"})
	wants(t, err, codes.NotFound, "flowers/3")
	current := raw("FP32", make([]byte, 8), 2)
	current.ModelVersion = "-1"
	if _, err := c.ModelInfer(t.Context(), current); err != nil {
		t.Errorf("version -1, which means the current one to Triton and its callers: %v", err)
	}
}

func TestParametersOfAllKindsAreTaken(t *testing.T) {
	c, _ := serve(t, &echo{}, oipapi.Options{})
	r := raw("FP32", make([]byte, 4), 1)
	r.Parameters = parameter{
		"a": {ParameterChoice: &oip.InferParameter_BoolParam{BoolParam: true}}, "b": int64Parameter(1), "c": wordParameter("w"),
		"d":       {ParameterChoice: &oip.InferParameter_DoubleParam{DoubleParam: 1.5}},
		"timeout": {ParameterChoice: &oip.InferParameter_Uint64Param{Uint64Param: 1 << 40}},
	}
	if _, err := c.ModelInfer(t.Context(), r); err != nil {
		t.Errorf("a client's own parameters are no mistake: %v", err)
	}
}

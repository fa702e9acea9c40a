package oipapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func free(int64) error { return nil }

// kept counts what was reserved.
type kept int64

func (k *kept) take(n int64) error {
	*k += kept(n)
	return nil
}

var drawn = []tensor.Type{
	tensor.Bool, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64,
	tensor.Float32, tensor.Float64, tensor.String,
}

// draw makes a tensor of any type, shape and bits.
func draw(t *rapid.T, name string) *tensor.Tensor {
	out := &tensor.Tensor{
		Name: name, Type: rapid.SampledFrom(drawn).Draw(t, "type"),
		Shape: rapid.SliceOfN(rapid.Int64Range(0, 4), 0, 4).Draw(t, "shape"),
	}
	n, err := tensor.Elements(out.Shape)
	if err != nil {
		t.Fatal(err)
	}
	if out.Type == tensor.String {
		for range n {
			out.Strings = append(out.Strings, []byte(rapid.String().Draw(t, "element")))
		}
		return out
	}
	out.Data = tensor.Aligned(int(n) * out.Type.Size())
	for i := range out.Data {
		out.Data[i] = rapid.Byte().Draw(t, "byte")
		if out.Type == tensor.Bool {
			out.Data[i] &= 1
		}
	}
	return out
}

// nest writes flat elements in the nesting of the shape.
func nest(elements []string, shape []int64) string {
	if len(shape) == 0 {
		return elements[0]
	}
	if len(shape) == 1 {
		return "[" + strings.Join(elements, ", ") + "]"
	}
	parts := make([]string, shape[0])
	for i := range parts {
		size := len(elements) / len(parts)
		parts[i] = nest(elements[i*size:(i+1)*size], shape[1:])
	}
	return "[" + strings.Join(parts, " ,\n") + "]"
}

// elements writes a tensor's elements as JSON.
func elements(t *rapid.T, x *tensor.Tensor) []string {
	text, err := appendData(nil, x)
	if err != nil {
		t.Fatalf("a tensor of %s cannot be written: %v", x.Type, err)
	}
	if len(text) == 0 {
		return nil
	}
	if x.Type != tensor.String {
		return strings.Split(string(text), ",")
	}
	var list []json.RawMessage
	if err := json.Unmarshal([]byte("["+string(text)+"]"), &list); err != nil {
		t.Fatalf("%s is no JSON: %v", text, err)
	}
	out := make([]string, len(list))
	for i := range list {
		out[i] = string(list[i])
	}
	return out
}

// same compares tensors by bits, but for NaN, of which JSON has one.
func same(a, b *tensor.Tensor) bool {
	if a.Name != b.Name || a.Type != b.Type || !slices.Equal(a.Shape, b.Shape) || len(a.Strings) != len(b.Strings) || len(a.Data) != len(b.Data) {
		return false
	}
	for i := range a.Strings {
		if !bytes.Equal(a.Strings[i], b.Strings[i]) {
			return false
		}
	}
	switch a.Type {
	case tensor.Float32:
		return slices.EqualFunc(tensor.View[float32](a.Data), tensor.View[float32](b.Data), func(x, y float32) bool {
			return math.Float32bits(x) == math.Float32bits(y) || x != x && y != y
		})
	case tensor.Float64:
		return slices.EqualFunc(tensor.View[float64](a.Data), tensor.View[float64](b.Data), func(x, y float64) bool {
			return math.Float64bits(x) == math.Float64bits(y) || x != x && y != y
		})
	}
	return bytes.Equal(a.Data, b.Data)
}

// Whichever form, whichever order of members, whichever company: the same tensor.
func TestJSONAndBinaryMeanTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []*tensor.Tensor
		var inputs []string
		var tail []byte
		for i := range rapid.IntRange(1, 4).Draw(t, "inputs") {
			x := draw(t, fmt.Sprintf("x%d", i))
			want = append(want, x)
			shape, err := json.Marshal(append([]int64{}, x.Shape...))
			if err != nil {
				t.Fatal(err)
			}
			members := []string{`"name":"` + x.Name + `"`, `"shape":` + string(shape), `"datatype":"` + x.Type.Protocol() + `"`, `"other":[{"a":"]"},1e5]`}
			if rapid.Bool().Draw(t, "binary") {
				raw := x.Data
				if x.Type == tensor.String {
					raw = tensor.AppendElements(nil, x.Strings)
				}
				tail = append(tail, raw...)
				members = append(members, fmt.Sprintf(`"parameters":{"binary_data_size":%d}`, len(raw)))
			} else {
				list := elements(t, x)
				text := "[" + strings.Join(list, ",") + "]"
				if len(list) > 0 && len(x.Shape) > 0 && rapid.Bool().Draw(t, "nested") {
					text = nest(list, x.Shape)
				}
				members = append(members, `"data":`+text)
			}
			members = rapid.Permutation(members).Draw(t, "order")
			inputs = append(inputs, "{"+strings.Join(members, " , ")+"}")
		}
		head := strings.Repeat(" ", rapid.IntRange(0, 8).Draw(t, "offset")) + `{"inputs":[` + strings.Join(inputs, ",") + `]}`
		body := tensor.Aligned(len(head) + len(tail))
		copy(body[copy(body, head):], tail)
		c, err := readInfer(body, len(head), free)
		if err != nil {
			t.Fatalf("%s: %v", head, err)
		}
		if len(c.inputs) != len(want) {
			t.Fatalf("%d inputs, want %d", len(c.inputs), len(want))
		}
		for i, x := range c.inputs {
			if len(x.Data) > 0 && uintptr(unsafe.Pointer(unsafe.SliceData(x.Data)))%8 != 0 {
				t.Errorf("input %d is not aligned, as the engine wants it", i)
			}
			if !same(x, want[i]) {
				t.Errorf("input %d of %s: got %+v, want %+v", i, head, x, want[i])
			}
		}
	})
}

func TestHugeShapesCostNothing(t *testing.T) {
	for _, typ := range []string{"FP32", "BYTES", "BOOL"} {
		var k kept
		body := []byte(`{"inputs":[{"name":"x","shape":[268435456],"datatype":"` + typ + `","data":[1]}]}`)
		allocated := testing.AllocsPerRun(1, func() {
			if _, err := readInfer(bytes.Clone(body), len(body), k.take); err == nil {
				t.Error("a body of 80 bytes passed for 268435456 elements")
			}
		})
		if k != 0 || allocated > 100 {
			t.Errorf("%s: %d bytes were reserved in %v allocations before the refusal", typ, k, allocated)
		}
	}
}

func TestWhatABodyBecomesIsReserved(t *testing.T) {
	for body, want := range map[string]kept{
		`{"inputs":[{"name":"x","shape":[3],"datatype":"FP64","data":[1,2,3]}]}`:         24,
		`{"inputs":[{"name":"x","shape":[2],"datatype":"BYTES","data":["a","b"]}]}`:      128,
		`{"inputs":[{"data":[1,2,3],"name":"x","shape":[3],"datatype":"UINT8"}]}`:        3,
		`{"inputs":[{"data":[1],"name":"x","shape":[1],"datatype":"INT16"}],"id":"abc"}`: 2,
	} {
		var k kept
		if _, err := readInfer([]byte(body), len(body), k.take); err != nil || k != want {
			t.Errorf("%s: reserved %d (%v), want %d", body, k, err, want)
		}
	}
}

// floats is a request of 1x3x224x224 FP32, as JSON and as binary data.
func floats() (text []byte, bin []byte, header int) {
	const n = 3 * 224 * 224
	random := rand.New(rand.NewPCG(1, 2))
	head := `{"inputs":[{"name":"x","shape":[1,3,224,224],"datatype":"FP32",`
	text = []byte(head + `"data":[`)
	bin = []byte(head + `"parameters":{"binary_data_size":602112}}]}`)
	header = len(bin)
	data := tensor.Aligned(4 * n)
	for i, view := 0, tensor.View[float32](data); i < n; i++ {
		view[i] = random.Float32()*4 - 2
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendFloat(text, float64(view[i]), 'g', -1, 64) // as Python's tolist writes it
	}
	return append(text, "]}]}"...), append(bin, data...), header
}

func BenchmarkInferJSON(b *testing.B) {
	text, _, _ := floats()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readInfer(text, len(text), free); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInferBinary(b *testing.B) {
	_, bin, header := floats()
	body := tensor.Aligned(len(bin))
	b.SetBytes(int64(len(bin)))
	b.ReportAllocs()
	for b.Loop() {
		copy(body, bin) // it is moved in place
		if _, err := readInfer(body, header, free); err != nil {
			b.Fatal(err)
		}
	}
}

func TestBigTensorsAreNotBuiltTwice(t *testing.T) {
	text, bin, header := floats()
	body := tensor.Aligned(len(bin))
	for name, c := range map[string]struct {
		most int64 // bytes
		read func() error
	}{
		"JSON": {700_000, func() error { _, err := readInfer(text, len(text), free); return err }},
		"binary": {4_000, func() error {
			copy(body, bin)
			_, err := readInfer(body, header, free)
			return err
		}},
	} {
		const runs = 5
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			if err := c.read(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		runtime.ReadMemStats(&after)
		got := int64(after.TotalAlloc-before.TotalAlloc) / runs
		if got > c.most {
			t.Errorf("%s: reading 602112 bytes of tensor allocates %d bytes, want at most %d", name, got, c.most)
		}
	}
}

func FuzzInferJSON(f *testing.F) {
	for _, seed := range []string{
		`{"id":"1","inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2.5e-3],[NaN,-Infinity]]}]}`,
		`{"inputs":[{"data":["a\u00e9\ud83d\ude00","b"],"shape":[2],"datatype":"BYTES","name":"x"}],"outputs":[{"name":"y","parameters":{"classification":3,"binary_data":true}}]}`,
		`{"parameters":{"timeout":5,"priority":1,"a":-0.5,"b":null,"c":[{}]},"inputs":[{"name":"x","shape":[1],"datatype":"BOOL","data":[1]},{"name":"y","shape":[1],"datatype":"UINT64","data":[18446744073709551615]}]}`,
		`{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","parameters":{"content_type":"base64"},"data":["QUJD"]}]}`,
		`{"inputs":[{"name":"x","shape":[0,3],"datatype":"INT8","data":[[],[]]}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var k kept
		strict := json.Valid(body)
		c, err := readInfer(bytes.Clone(body), len(body), k.take)
		if k > kept(22*len(body)+64) {
			t.Fatalf("%d bytes of JSON made us reserve %d", len(body), k)
		}
		if err != nil {
			return
		}
		if !strict && !bytes.ContainsAny(body, "NI\\\"") {
			t.Fatalf("%q was taken, and is no JSON", body)
		}
		for _, x := range c.inputs {
			n, err := tensor.Elements(x.Shape)
			if err != nil || x.Type == tensor.String && int64(len(x.Strings)) != n || x.Type != tensor.String && int64(len(x.Data)) != n*int64(x.Type.Size()) {
				t.Fatalf("%q gave the tensor %s %v of %d bytes and %d elements", body, x.Type, x.Shape, len(x.Data), len(x.Strings))
			}
		}
		parts, _, err := restAnswer(&restCall{}, &answer{model: "m", version: "1", outputs: c.inputs})
		if err == nil && !json.Valid(parts[0]) && !bytes.Contains(parts[0], []byte("NaN")) && !bytes.Contains(parts[0], []byte("Infinity")) {
			t.Fatalf("%q is answered with %q, which is no JSON", body, parts[0])
		}
	})
}

func FuzzBinaryHeader(f *testing.F) {
	one := `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]}`
	two := `{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":5}},{"name":"y","shape":[1],"datatype":"INT64","parameters":{"binary_data_size":8}}]}`
	f.Add(strconv.Itoa(len(one)), []byte(one+"abcd"))
	f.Add(strconv.Itoa(len(two)), []byte(two+"\x01\x00\x00\x00a01234567"))
	f.Add("0", []byte("abcd"))
	f.Add("-1", []byte(one))
	f.Add("99999999999999999999", []byte(one))
	f.Add(" 5 ", []byte("{}   "))
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		h := http.Header{}
		h.Set(headerLength, header)
		n, err := jsonLength(h, len(body))
		if err != nil {
			return
		}
		if n < 0 || n > len(body) {
			t.Fatalf("the header %q is taken for %d of %d bytes", header, n, len(body))
		}
		aligned := tensor.Aligned(len(body))
		copy(aligned, body)
		c, err := readInfer(aligned, n, free)
		if err != nil {
			return
		}
		for _, x := range c.inputs {
			if len(x.Data) > 0 && uintptr(unsafe.Pointer(unsafe.SliceData(x.Data)))%8 != 0 {
				t.Fatalf("%q gave a tensor that is not aligned", body)
			}
		}
	})
}

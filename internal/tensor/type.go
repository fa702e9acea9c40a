package tensor

// Type is an element type. Its numbers are our own; the backends translate.
type Type uint8

// The element types of the Open Inference Protocol, and BF16.
const (
	Invalid Type = iota
	Bool
	Uint8
	Uint16
	Uint32
	Uint64
	Int8
	Int16
	Int32
	Int64
	Float16
	BFloat16
	Float32
	Float64
	String
)

var types = [...]struct {
	protocol, onnx string
	size           int
}{
	Invalid:  {"INVALID", "undefined", 0},
	Bool:     {"BOOL", "bool", 1},
	Uint8:    {"UINT8", "uint8", 1},
	Uint16:   {"UINT16", "uint16", 2},
	Uint32:   {"UINT32", "uint32", 4},
	Uint64:   {"UINT64", "uint64", 8},
	Int8:     {"INT8", "int8", 1},
	Int16:    {"INT16", "int16", 2},
	Int32:    {"INT32", "int32", 4},
	Int64:    {"INT64", "int64", 8},
	Float16:  {"FP16", "float16", 2},
	BFloat16: {"BF16", "bfloat16", 2},
	Float32:  {"FP32", "float32", 4},
	Float64:  {"FP64", "float64", 8},
	String:   {"BYTES", "string", 0},
}

// Size is the bytes of one element; 0 for String, whose elements differ in length.
func (t Type) Size() int {
	if int(t) >= len(types) {
		return 0
	}
	return types[t].size
}

// StringSpace is the memory that an element of a String tensor takes beside its
// text: a slice here, and a string of the engine's.
const StringSpace = 64

// Space is StringSpace for String, else 0: elements of the others lie as they came.
func (t Type) Space() int64 {
	if t == String {
		return StringSpace
	}
	return 0
}

// String is the name people know from ONNX: float32, bfloat16, string.
func (t Type) String() string {
	if int(t) >= len(types) {
		return types[Invalid].onnx
	}
	return types[t].onnx
}

// Protocol is the name in the Open Inference Protocol: FP32, BF16, BYTES.
func (t Type) Protocol() string {
	if int(t) >= len(types) {
		return types[Invalid].protocol
	}
	return types[t].protocol
}

// ParseProtocol finds the type of an Open Inference Protocol name; Invalid when there is none.
func ParseProtocol(name string) Type {
	for i, t := range types {
		if t.protocol == name {
			return Type(i)
		}
	}
	return Invalid
}

package model

import (
	"slices"

	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// elementTypes are ONNX's numbers (TensorProto.DataType) for the types that we
// have; what is missing (complex, 8-bit floats, 4-bit integers) stays Invalid.
var elementTypes = [...]tensor.Type{
	1: tensor.Float32, 2: tensor.Uint8, 3: tensor.Int8, 4: tensor.Uint16, 5: tensor.Int16, 6: tensor.Int32,
	7: tensor.Int64, 8: tensor.String, 9: tensor.Bool, 10: tensor.Float16, 11: tensor.Float64,
	12: tensor.Uint32, 13: tensor.Uint64, 16: tensor.BFloat16,
}

func elementType(n uint64) tensor.Type {
	if n >= uint64(len(elementTypes)) {
		return tensor.Invalid
	}
	return elementTypes[n]
}

// valueSpec reads a ValueInfoProto.
func valueSpec(p part) (tensor.Spec, error) {
	spec := tensor.Spec{Kind: "tensor"}
	err := each(p.bytes, p.at, func(f part) error {
		switch f.num {
		case 1:
			spec.Name = string(f.bytes)
		case 2:
			return valueType(f, &spec, 0)
		}
		return nil
	})
	return spec, err
}

// valueType reads a TypeProto.
func valueType(p part, spec *tensor.Spec, depth int) error {
	if depth > maxTypes {
		return refuse("the type of %s is nested more than %d deep", wording.Quote(spec.Name), maxTypes)
	}
	return each(p.bytes, p.at, func(f part) error {
		switch f.num {
		case 1:
			return tensorType(f, spec)
		case 4:
			spec.Kind = "sequence"
		case 5:
			spec.Kind = "map"
		case 7:
			spec.Kind = "opaque value"
		case 8:
			spec.Kind = "sparse tensor"
		case 9:
			spec.Kind = "optional"
		default:
			return nil
		}
		return innerKind(f, spec, depth)
	})
}

// innerKind tells a sequence of maps, as ZipMap writes, from one of tensors.
func innerKind(p part, spec *tensor.Spec, depth int) error {
	if spec.Kind != "sequence" || depth > 0 {
		return nil
	}
	return each(p.bytes, p.at, func(f part) error {
		if f.num != 1 {
			return nil
		}
		inner := tensor.Spec{Kind: "tensor", Name: spec.Name}
		if err := valueType(f, &inner, depth+1); err != nil {
			return err
		}
		if inner.Kind == "map" {
			spec.Kind = "sequence of maps"
		}
		return nil
	})
}

func tensorType(p part, spec *tensor.Spec) error {
	return each(p.bytes, p.at, func(f part) error {
		switch f.num {
		case 1:
			spec.Type = elementType(f.value)
		case 2:
			spec.Ranked, spec.Shape, spec.Symbols = true, []int64{}, []string{}
			return each(f.bytes, f.at, func(d part) error {
				if d.num != 1 {
					return nil
				}
				if len(spec.Shape) >= 64 {
					return refuse("%s has more than 64 dimensions", wording.Quote(spec.Name))
				}
				return dimension(d, spec)
			})
		}
		return nil
	})
}

// dimension reads TensorShapeProto.Dimension. Old exporters write -1 as a number.
func dimension(p part, spec *tensor.Spec) error {
	size, symbol := int64(-1), ""
	err := each(p.bytes, p.at, func(f part) error {
		switch f.num {
		case 1:
			size = max(-1, int64(f.value))
		case 2:
			symbol = string(f.bytes)
		}
		return nil
	})
	if size >= 0 {
		symbol = ""
	}
	spec.Shape = append(spec.Shape, size)
	spec.Symbols = append(spec.Symbols, symbol)
	return err
}

// A class is what the search for integer divisions needs to know of a type.
type class uint8

const (
	unknown class = iota
	floating
	whole
	other
)

func classOf(n uint64) class {
	switch elementType(n) {
	case tensor.Float16, tensor.BFloat16, tensor.Float32, tensor.Float64:
		return floating
	case tensor.Bool, tensor.String:
		return other
	case tensor.Invalid:
		return unknown
	}
	return whole
}

// Operators by what they give. Those not listed give something unknown.
var (
	givesFloating = []string{
		"AveragePool", "BatchNormalization", "Ceil", "Celu", "Conv", "ConvTranspose", "Cos", "DequantizeLinear", "Elu",
		"Erf", "Exp", "Floor", "GRU", "Gelu", "GlobalAveragePool", "GroupNormalization", "HardSigmoid", "HardSwish",
		"InstanceNormalization", "LRN", "LSTM", "LayerNormalization", "LeakyRelu", "Log", "LogSoftmax",
		"LpNormalization", "Mish", "RMSNormalization", "Reciprocal", "Round", "Selu", "Sigmoid", "Sin", "Softmax",
		"Softplus", "Softsign", "Sqrt", "Swish", "Tanh", "ThresholdedRelu",
	}
	givesWhole = []string{"ArgMax", "ArgMin", "ConvInteger", "MatMulInteger", "NonZero", "QLinearConv", "QLinearMatMul", "QuantizeLinear", "Shape", "Size"}
	givesFirst = []string{
		"Abs", "Clip", "Compress", "CumSum", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND",
		"GlobalMaxPool", "Identity", "Neg", "PRelu", "Pad", "Pow", "ReduceL1", "ReduceL2", "ReduceLogSumExp",
		"ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape",
		"Resize", "ScatterElements", "ScatterND", "Sign", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile",
		"Transpose", "Trilu", "Unsqueeze", "Upsample",
	}
	givesAny = []string{"Add", "Concat", "Div", "Einsum", "Gemm", "MatMul", "Max", "Mean", "Min", "Mod", "Mul", "Range", "Sub", "Sum"}
	// keepsValues are the operators after which a constant's numbers are the same.
	keepsValues = []string{"Expand", "Flatten", "Identity", "Reshape", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
)

func among(list []string, name string) bool {
	_, found := slices.BinarySearch(list, name)
	return found
}

package oipapi

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// codec refuses a message that would take far more memory than it has bytes,
// before it is unfolded: two bytes can be an input, and one an INT64.
type codec struct {
	encoding.CodecV2
	most    int64
	answers *answers
}

func newCodec(most int64, a *answers) codec {
	return codec{encoding.GetCodecV2(protocodec.Name), most, a}
}

func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if data, err := c.answers.marshal(v); data != nil || err != nil {
		return data, err
	}
	return c.CodecV2.Marshal(v)
}

// message is where a caller of grpc's decoder hears of a refusal: an error that
// the codec returned would be said to be the server's fault.
type message struct {
	proto.Message
	reserve func(n int64) error // room for n bytes; may be nil
	refused error

	held *hold // of the message before it is unfolded; nil: it is counted elsewhere
	kept bool  // it is somebody's from now on, and not given back here
}

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*message)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	if n := footprint(m.ProtoReflect().Descriptor(), buffer.ReadOnlyData()); n > c.most {
		m.refused = status.Errorf(codes.ResourceExhausted,
			"the message would take about %d MB of memory, and at most %d are given; send raw contents", n/1e6, c.most/1e6)
		return nil
	} else if m.reserve != nil {
		if m.refused = m.reserve(n); m.refused != nil {
			return nil
		}
	}
	return proto.Unmarshal(buffer.ReadOnlyData(), m.Message)
}

// bounded is a service whose unary methods receive through intakes; those of
// streams do in received.
func bounded(d grpc.ServiceDesc, in *intakes) *grpc.ServiceDesc {
	methods := make([]grpc.MethodDesc, len(d.Methods))
	for i, m := range d.Methods {
		methods[i] = grpc.MethodDesc{
			MethodName: m.MethodName,
			Handler: func(server any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
				var got proto.Message
				defer func() { in.answers.drop(got) }() // what the method did not take over
				return m.Handler(server, ctx, func(v any) error {
					got, _ = v.(proto.Message)
					return in.unary(ctx, decode, v)
				}, intercept)
			},
		}
	}
	d.Methods = methods
	return &d
}

// footprint is about how much memory a message takes when it is unfolded. What
// is malformed is left to the decoder, which gets no further than this does.
func footprint(d protoreflect.MessageDescriptor, data []byte) int64 {
	const object = 160 // a message or an entry of a map, without what it holds
	total := int64(object)
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			break
		}
		size := protowire.ConsumeFieldValue(number, wire, data[n:])
		if size < 0 {
			break
		}
		total += fieldFootprint(d.Fields().ByNumber(number), wire, data[n:n+size])
		data = data[n+size:]
	}
	return total
}

func fieldFootprint(f protoreflect.FieldDescriptor, wire protowire.Type, data []byte) int64 {
	const header = 48 // of a string or slice in a slice that grows by doubling
	if f == nil || wire != protowire.BytesType {
		return int64(len(data)) + 16
	}
	inner, _ := protowire.ConsumeBytes(data)
	switch f.Kind() {
	case protoreflect.MessageKind:
		return footprint(f.Message(), inner)
	case protoreflect.StringKind, protoreflect.BytesKind:
		return header + int64(len(inner))
	case protoreflect.FloatKind, protoreflect.DoubleKind, protoreflect.BoolKind:
		return int64(len(inner))
	case protoreflect.Int32Kind, protoreflect.Uint32Kind, protoreflect.EnumKind:
		return 4 * varints(inner)
	}
	return 8 * varints(inner)
}

// varints counts the numbers in a packed field.
func varints(data []byte) int64 {
	n := int64(0)
	for _, b := range data {
		if b < 0x80 {
			n++
		}
	}
	return n
}

package onnxgen

import (
	"encoding/binary"
	"math"
)

// message is a protobuf message being written; field numbers are onnx.proto's.
type message []byte

func (m *message) uvarint(v uint64) { *m = binary.AppendUvarint(*m, v) }

// integer writes a varint field; zero is written too, since ONNX means it (proto2).
func (m *message) integer(field int, v int64) {
	m.uvarint(uint64(field) << 3)
	m.uvarint(uint64(v))
}

func (m *message) float(field int, v float32) {
	m.uvarint(uint64(field)<<3 | 5)
	*m = binary.LittleEndian.AppendUint32(*m, math.Float32bits(v))
}

func (m *message) bytes(field int, v []byte) {
	m.uvarint(uint64(field)<<3 | 2)
	m.uvarint(uint64(len(v)))
	*m = append(*m, v...)
}

func (m *message) text(field int, v string) { m.bytes(field, []byte(v)) }

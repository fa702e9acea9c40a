// Package tensor is the value that models take and give: named, typed, of any
// rank. Elements lie in memory as ONNX Runtime and the Open Inference Protocol
// want them: row-major, little-endian, without gaps.
package tensor

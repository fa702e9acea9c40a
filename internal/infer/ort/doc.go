// Package ort computes with ONNX Runtime: it opens the library at run time and
// implements infer.Backend over its C API. All sessions share one environment
// whose arena is capped, log nothing and send nothing. Where the package is
// built without cgo, Open says so and everything else still compiles.
package ort

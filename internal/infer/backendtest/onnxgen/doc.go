// Package onnxgen writes tiny ONNX models for tests, so that no test needs
// Python or a file from elsewhere. It knows the few messages of onnx.proto
// (IR version 8) that a small graph needs and checks nothing: a test may well
// want a wrong model.
package onnxgen

// Package oip is the gRPC form of the Open Inference Protocol: messages, client
// and server interface, made from the .proto files beside it by 'make protos'.
package oip

//go:generate go run github.com/goshawk-ai/goshawk/tools/protos

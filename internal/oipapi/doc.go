// Package oipapi is the gRPC door. So far it speaks the standard health
// protocol (grpc.health.v1) alone; the Open Inference Protocol moves in here.
package oipapi

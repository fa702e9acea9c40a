// Package oipapi holds the doors of the Open Inference Protocol. The gRPC door
// serves inference.GRPCInferenceService with Triton's extensions, reflection, and
// gRPC's health protocol, so that orchestrators and load balancers can ask it as
// they ask any gRPC server. Without a key every call but health is
// Unauthenticated.
package oipapi

// Package oipapi is the gRPC door. It carries the health service of gRPC, so that
// orchestrators and load balancers can ask it as they ask any gRPC server, and
// refuses everything else with the right code: without a key Unauthenticated,
// with one Unimplemented. The Open Inference Protocol moves in here.
package oipapi

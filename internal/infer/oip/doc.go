// Package oip computes on another server that speaks the Open Inference
// Protocol over gRPC: Triton, KServe, OpenVINO, another Goshawk. Open names the
// server and the model there, Load asks for its tensors. It has the server's
// side for one session too, which a process of its own answers its parent with.
package oip

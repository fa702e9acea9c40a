// Package clients runs other people's clients of the Open Inference Protocol
// against the real program: tritonclient and KServe's from their packages, pinned
// in requirements.txt, and grpcurl from the module beside this one. Its tests
// have the build tag ci.
package clients

// grpcurl itself, for the tests beside it: a module of its own, so that what it
// brings (xDS, SPIFFE) is no dependency of Goshawk's.
module github.com/goshawk-ai/goshawk/test/clients/grpcurl

go 1.26.0

tool github.com/fullstorydev/grpcurl/cmd/grpcurl

// Package folder serves the models of a directory that somebody else writes to:
// Goshawk packages, Triton's layout of numbered versions, and bare ONNX files,
// side by side. What is served is a copy, kept by its digest, so that nothing
// changes under a loaded model; a version that cannot be served is listed with
// its reason and keeps no other from being served. The directory is only read.
package folder

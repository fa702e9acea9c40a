// Package fleet holds the loaded models: it checks a package in a child process,
// proves its probe and certificate, loads and warms it off the serving path,
// swaps versions, and hands a model to a request for as long as it runs.
package fleet

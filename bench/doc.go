// Command bench measures the server against the bare computation. In one run it
// alternates a loop (the same decode, preprocess and infer, no server), a null
// server (plain net/http that reads the same body and answers a constant of the
// same size) and goshawk itself, each a process of its own, and writes ratios
// with their 95 % intervals into docs/benchmarks.md.
package main

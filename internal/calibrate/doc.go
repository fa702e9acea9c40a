// Package calibrate finds out how a model is run best on this machine: how many
// threads a run has, how many runs there are at a time, how many rows a run holds
// and how long it waits for them. A pure search (search.go: no clock, no model)
// says what to measure next; Measure is the thin loop around it, which keeps to a
// budget of seconds. What was measured is kept as a table by model, machine and
// runtime, and what follows from it, for one objective or another, is decided anew
// each time that somebody asks.
package calibrate

// Package interpret turns a model's scores into labels: activation, temperature
// and the best k. It is where a score that is no number stops.
package interpret

// Package oddmodels holds the table of outcomes over the odd models of the
// shared data: what its README asks for and what we answer. Cases says how each
// file is added; Answer takes it through import, inspection and binding, and
// then through whatever further steps (the runtime's check) a test hands in.
package oddmodels

// Package goshawk carries the legal texts that travel with the program.
// Everything else is under internal and cmd.
package goshawk

import _ "embed" // for the texts

// License is the Apache License 2.0, under which Goshawk is.
//
//go:embed LICENSE
var License string

// Notice names what is linked into the program, with the texts that must travel along.
//
//go:embed NOTICE
var Notice string

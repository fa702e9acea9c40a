// Package examples holds pictures to try Goshawk with: five photographs that
// may be shipped (SOURCES.md) and scenes that examples/scenes renders.
// expected.csv says which label each of the two built-in models gives them.
package examples

import "embed"

// FS holds the pictures and expected.csv.
//
//go:embed *.jpg expected.csv
var FS embed.FS

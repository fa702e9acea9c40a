// Package problem holds the errors that a caller may see: a stable type, a
// title, an HTTP status and one sentence. They are made where the cause is
// known and travel upwards as ordinary errors; the doors only translate them.
// Every kind has a page under /errors/{slug}, and slugs never change.
package problem

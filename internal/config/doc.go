// Package config is what an operator can set: one struct, and one table of
// options from which the flags, the environment variables, the file's keys, the
// reference page and `goshawk config show` are made.
//
// Flags win over the environment, the environment over the file, the file over
// the defaults. A Config is read once, checked whole and not changed after.
package config

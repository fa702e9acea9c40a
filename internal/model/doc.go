// Package model reads a model package: goshawk.yaml, the model file and what
// they name, from a directory, an archive or an exporter's folder. It says what
// to do to a picture (a picture.Recipe) and what the outputs mean; it computes
// nothing and opens nothing outside the package.
package model

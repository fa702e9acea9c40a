//go:build cgo && linux && dist

package ort

import (
	_ "embed"
	"errors"
	"fmt"
)

// compressed is the library, gzipped. 'make dist' puts it there.
//
//go:embed embedded/libonnxruntime.gz
var compressed string

// locate gives the path to open: as Find, but where there is no library beside
// the program it is the one inside. forget is called once it is open.
func locate(o LibraryOptions) (path string, forget func(), err error) {
	path, err = Find(o.Path)
	if !errors.Is(err, ErrNoLibrary) {
		return path, func() {}, err
	}
	path, forget, err = inMemory(compressed)
	if errors.Is(err, errDamaged) || err == nil || o.CacheDir == "" {
		return path, forget, err
	}
	path, cacheErr := inCache(compressed, o.CacheDir)
	if cacheErr != nil {
		return "", nil, fmt.Errorf("%w; and not from a file: %w", err, cacheErr)
	}
	return path, func() {}, nil
}

package ort

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Release is the ONNX Runtime that Goshawk is built and tested with.
const Release = "1.30.0"

// Variable names the library in the environment.
const Variable = "GOSHAWK_ONNXRUNTIME_LIBRARY"

// DefaultMemoryCap bounds what the runs of all models together may hold.
const DefaultMemoryCap = 2 << 30

// LibraryOptions say which library to open and how.
type LibraryOptions struct {
	Path      string // of the library; "" looks for it as Find does, then inside the program
	CacheDir  string // where an embedded library is unpacked on systems that cannot open it from memory
	MemoryCap int64  // bytes that all runs together may hold, weights not counted; 0 means DefaultMemoryCap, a negative one no cap
	Provider  Provider
}

// Provider says what the runtime computes with. The others than CPU need a library
// that was built with them, and what they need themselves; Open fails without.
type Provider string

// The providers. "" is CPU.
const (
	CPU      Provider = "cpu"
	CUDA     Provider = "cuda"
	TensorRT Provider = "tensorrt"
)

// ErrNoLibrary says that ONNX Runtime is in none of the usual places.
var ErrNoLibrary = errors.New("ONNX Runtime was not found")

// fileName is what the library is called in the release for this system.
func fileName() string {
	if runtime.GOOS == "darwin" {
		return "libonnxruntime." + Release + ".dylib"
	}
	return "libonnxruntime.so." + Release
}

// Find gives the path of the library: the explicit one, else the one that
// GOSHAWK_ONNXRUNTIME_LIBRARY names, else lib/ beside the program or beside the
// program's folder. A named one that is missing is an error, not a reason to
// look further; one that is nowhere is ErrNoLibrary.
func Find(explicit string) (string, error) {
	exe, err := os.Executable()
	if err != nil {
		exe = ""
	}
	return find(explicit, os.Getenv(Variable), exe)
}

func find(explicit, variable, exe string) (string, error) {
	switch {
	case explicit != "":
		return named(explicit, "as the setting asks")
	case variable != "":
		return named(variable, "as "+Variable+" asks")
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	for _, dir := range []string{"lib", filepath.Join("..", "lib")} {
		path := filepath.Join(filepath.Dir(exe), dir, fileName())
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: %s is not in lib/ beside the program; 'make lib' (or 'make run') fetches it, or name yours by %s",
		ErrNoLibrary, fileName(), Variable)
}

// named checks a path that somebody chose. It is made absolute, since dlopen
// would look for a bare name in the system's folders.
func named(path, who string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("open ONNX Runtime from %q %s: %w", path, who, err)
	}
	info, err := os.Stat(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("open ONNX Runtime from %q %s: there is no such file", path, who)
	case err != nil:
		return "", fmt.Errorf("open ONNX Runtime from %q %s: %w", path, who, errors.Unwrap(err))
	case info.IsDir():
		return "", fmt.Errorf("open ONNX Runtime from %q %s: it is a directory, the library's own path is needed", path, who)
	}
	return abs, nil
}

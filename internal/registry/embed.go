package registry

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/goshawk-ai/goshawk/internal/model"
)

//go:embed all:builtin
var embedded embed.FS

// BuiltIn is a package that the program carries.
type BuiltIn struct {
	FS       fs.FS
	Required bool // readiness waits for it
}

// BuiltIns are the packages inside this program.
func BuiltIns() ([]BuiltIn, error) {
	entries, err := embedded.ReadDir("builtin")
	if err != nil {
		return nil, err
	}
	var list []BuiltIn
	for _, e := range entries {
		sub, err := fs.Sub(embedded, path.Join("builtin", e.Name()))
		if err != nil {
			return nil, err
		}
		_, err = fs.Stat(sub, model.ManifestName)
		if errors.Is(err, fs.ErrNotExist) || !e.IsDir() {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the built-in model %s: %w", e.Name(), err)
		}
		list = append(list, BuiltIn{FS: sub})
	}
	return list, nil
}

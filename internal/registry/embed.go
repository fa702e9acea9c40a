package registry

import (
	"embed"
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

// BuiltIns are the packages inside this program. A folder that has no model yet,
// because it is still being trained, is none.
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
		if whole(sub) {
			list = append(list, BuiltIn{FS: sub})
		}
	}
	return list, nil
}

func whole(fsys fs.FS) bool {
	for _, name := range []string{model.ManifestName, "model.onnx"} {
		if _, err := fs.Stat(fsys, name); err != nil {
			return false
		}
	}
	return true
}

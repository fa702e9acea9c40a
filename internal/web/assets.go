package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
)

//go:embed static
var staticFiles embed.FS

// assets are the files of static/, under an address that holds their digest:
// they may be kept for ever, and a new release is seen at once. All share one
// folder, so that a module finds its neighbours by relative names.
type assets struct {
	hash  string
	files map[string][]byte
}

func newAssets() *assets {
	a := &assets{files: map[string][]byte{}}
	digest := sha256.New()
	entries, _ := fs.ReadDir(staticFiles, "static") // embedded: cannot fail
	for _, e := range entries {
		data, _ := staticFiles.ReadFile("static/" + e.Name())
		a.files[e.Name()] = data
		digest.Write([]byte(e.Name()))
		digest.Write(data)
	}
	a.hash = hex.EncodeToString(digest.Sum(nil))[:12]
	return a
}

// url is what a template calls for the address of one file.
func (a *assets) url(name string) string { return "/static/" + a.hash + "/" + name }

func (s *Site) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	data, ok := s.assets.files[name]
	if !ok {
		s.elsewhere(w, r)
		return
	}
	// A page of the release before may still ask with its old digest: it gets
	// the file, but nobody keeps it under the wrong name.
	if r.PathValue("hash") == s.assets.hash {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		w.Header().Set("Cache-Control", "no-store")
	}
	writeFile(w, name, data)
}

func (a *assets) favicon(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=86400")
	writeFile(w, "favicon.svg", a.files["favicon.svg"])
}

// contentTypes are fixed here, since mime.TypeByExtension depends on files of the machine.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp",
}

func writeFile(w http.ResponseWriter, name string, data []byte) {
	w.Header().Set("Content-Type", contentTypes[path.Ext(name)])
	_, _ = w.Write(data)
}

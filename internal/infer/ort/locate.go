//go:build cgo && (darwin || (linux && !dist))

package ort

// locate gives the path to open. forget is called once it is open.
func locate(o LibraryOptions) (path string, forget func(), err error) {
	path, err = Find(o.Path)
	return path, func() {}, err
}

package model

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

const npzEntries = 1024

// ReadNPZ reads NumPy's .npz: a zip of arrays, stored or deflated. All arrays
// together may take limit bytes, which is checked against what the archive and
// the arrays' headers say before anything is allocated. Arrays are named without
// the .npy; a text (a str in Python) is a String tensor of one element.
func ReadNPZ(data []byte, limit int64) (map[string]*tensor.Tensor, error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, errors.New("it is no .npz file (a zip of arrays), or it is cut off")
	}
	if len(archive.File) > npzEntries {
		return nil, fmt.Errorf("it holds %d arrays; %d are allowed", len(archive.File), npzEntries)
	}
	arrays := make(map[string]*tensor.Tensor, len(archive.File))
	for _, f := range archive.File {
		name := strings.TrimSuffix(f.Name, ".npy")
		if _, twice := arrays[name]; twice {
			return nil, fmt.Errorf("it holds %s twice", wording.Quote(name))
		}
		a, err := readEntry(f, limit)
		if err != nil {
			return nil, fmt.Errorf("array %s: %w", wording.Quote(name), err)
		}
		a.Name = name
		arrays[name] = a
		limit -= int64(len(a.Data))
	}
	return arrays, nil
}

func readEntry(f *zip.File, limit int64) (*tensor.Tensor, error) {
	if f.Method != zip.Store && f.Method != zip.Deflate {
		return nil, errors.New("it is compressed in a way that NumPy does not use")
	}
	if f.UncompressedSize64 > uint64(limit)+npyHeader {
		return nil, fmt.Errorf("it would take %d bytes unpacked, of %d that are left", f.UncompressedSize64, limit)
	}
	r, err := f.Open()
	if err != nil {
		return nil, errors.New("the archive is damaged")
	}
	defer r.Close()
	return readNPY(r, int64(f.UncompressedSize64), limit)
}

// readNPY reads one array of size bytes with its header.
func readNPY(r io.Reader, size, limit int64) (*tensor.Tensor, error) {
	h, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	t := &tensor.Tensor{Type: h.typ, Shape: h.shape}
	n, err := tensor.Elements(h.shape)
	if err != nil {
		return nil, err
	}
	if n > limit/int64(h.size) {
		return nil, fmt.Errorf("shape %v would take more than the %d bytes that are left", h.shape, limit)
	}
	if n*int64(h.size) != size-h.length {
		return nil, fmt.Errorf("shape %v needs %d bytes, but %d are there", h.shape, n*int64(h.size), size-h.length)
	}
	t.Data = tensor.Aligned(int(n) * h.size)
	if _, err := io.ReadFull(r, t.Data); err != nil {
		return nil, errors.New("the archive is damaged")
	}
	// Reading to the end makes the zip reader compare the checksum.
	if rest, err := io.Copy(io.Discard, io.LimitReader(r, 1)); err != nil || rest != 0 {
		return nil, errors.New("the archive is damaged")
	}
	if h.typ == tensor.String {
		return unicodeText(t, n)
	}
	return t, nil
}

// unicodeText turns NumPy's four bytes a character into UTF-8.
func unicodeText(t *tensor.Tensor, n int64) (*tensor.Tensor, error) {
	if n != 1 {
		return nil, errors.New("a text must be a single one")
	}
	var s strings.Builder
	for _, c := range tensor.View[uint32](t.Data) {
		if c > 0x10ffff {
			return nil, errors.New("the text has characters that do not exist")
		}
		s.WriteRune(rune(c))
	}
	t.Data, t.Strings = nil, [][]byte{[]byte(strings.TrimRight(s.String(), "\x00"))}
	return t, nil
}

//go:build cgo && linux

package ort

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// pinned are the digests of the libraries that scripts/fetch-runtime.sh gets:
// from the wheel and from the npm package, for x86-64 and for 64-bit ARM.
var pinned = []string{
	"c902c70b3003c0e99fada202f37478c515ae9bba7944c2b2abd0017bae0c82ed",
	"ffb75a925ba05e47b235bb66e3e3911714a80b328a9c9425539feb204aa32a23",
	"8a218e1e446880131115c368ec7005969a5022af9a15a26173de648fef0b7789",
	"1f549d46250b005580b597f4164984aaf75b3bcb9f3aeb07c7f8a8fe60b23c76",
}

var errDamaged = errors.New("the ONNX Runtime inside this program is damaged")

// unpack writes the library to a file and checks what was written.
func unpack(compressed string, to io.Writer) error {
	zip, err := gzip.NewReader(strings.NewReader(compressed))
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(to, sum), zip); err != nil {
		return fmt.Errorf("unpack ONNX Runtime: %w", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); !slices.Contains(pinned, got) {
		return fmt.Errorf("%w: its sha256 is %s", errDamaged, got)
	}
	return nil
}

// inMemory unpacks the library into a file that exists in memory only. What was
// opened from it stays mapped when forget closes it.
func inMemory(compressed string) (path string, forget func(), err error) {
	const name = "libonnxruntime"
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3 there was no MFD_EXEC, nor a need of it
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	}
	if err != nil {
		return "", nil, fmt.Errorf("open ONNX Runtime from memory: %w", err)
	}
	file := os.NewFile(uintptr(fd), name)
	forget = func() { file.Close() }
	path = fmt.Sprintf("/proc/self/fd/%d", fd)
	if err = unpack(compressed, file); err == nil {
		_, err = os.Stat(path) // fails where /proc is not mounted
	}
	if err != nil {
		forget()
		return "", nil, err
	}
	return path, forget, nil
}

// inCache keeps the unpacked library in a folder that only this user can read.
// A file that is there is checked by its digest and used again.
func inCache(compressed, dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(dir, fileName())
	if intact(path) {
		return path, nil
	}
	file, err := os.CreateTemp(dir, ".unpack-*")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(file.Name()) }() // fails once it has its name, and should
	err = errors.Join(unpack(compressed, file), file.Chmod(0o500), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	return path, err
}

func intact(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return false
	}
	return slices.Contains(pinned, hex.EncodeToString(sum.Sum(nil)))
}

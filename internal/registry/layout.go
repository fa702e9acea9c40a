package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/goshawk-ai/goshawk/internal/wording"
)

// The data directory:
//
//	FORMAT               "goshawk 1"
//	lock                 held by the one process that may change the rest
//	registry.json        versions and aliases
//	packages/sha256-HEX  a package, read-only
//	spool/               changes that other processes want made
//	tmp/                 packages on their way in
//	cache/checks/        reports of checks
const (
	formatFile  = "FORMAT"
	formatText  = "goshawk 1\n"
	lockFile    = "lock"
	stateFile   = "registry.json"
	packagesDir = "packages"
	spoolDir    = "spool"
	tmpDir      = "tmp"
)

// ChecksDir is where a fleet.Checker keeps its reports, under the data directory.
var ChecksDir = filepath.Join("cache", "checks")

// prepare makes the data directory, or makes sure that it is one.
func prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unusable(dir, err)
	}
	if err := checkFormat(dir); err != nil {
		return err
	}
	for _, sub := range []string{packagesDir, spoolDir, tmpDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return storage(dir, err)
		}
	}
	return nil
}

func checkFormat(dir string) error {
	path := filepath.Join(dir, formatFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := refuseForeign(dir); err != nil {
			return err
		}
		return storage(dir, (&disk{}).replace(path, []byte(formatText), 0o644))
	}
	if err != nil {
		return unusable(dir, err)
	}
	if string(text) != formatText {
		return fmt.Errorf("the data directory %s has the format %s, and this program knows %q: use the release that wrote it, or another directory",
			dir, wording.Quote(strings.TrimSpace(string(text))), strings.TrimSpace(formatText))
	}
	return nil
}

// refuseForeign keeps us from settling in somebody's home directory. What other
// parts of this program put beside us is in folders of known names.
func refuseForeign(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return unusable(dir, err)
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == lockFile, name == "cache", name == packagesDir, name == spoolDir, name == tmpDir, name == "lost+found":
		case strings.HasPrefix(name, ".new-"): // another process is making FORMAT
		case name == formatFile:
		default:
			return fmt.Errorf("%s is not empty and no data directory of goshawk (it holds %s, and no file FORMAT): choose an empty or a new one", dir, wording.Quote(name))
		}
	}
	return nil
}

// unusable says that nothing can be kept in the data directory. Which of its
// files was refused helps nobody who has to choose another place.
func unusable(dir string, err error) error {
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		err = no
	}
	return fmt.Errorf("cannot use the data directory %q: %w (choose another with --data)", dir, err)
}

func packagePath(dir, digest string) string {
	return filepath.Join(dir, packagesDir, strings.Replace(digest, ":", "-", 1))
}

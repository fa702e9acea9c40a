package folder

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// maxFiles bounds what is looked at of one model, with all its versions.
const maxFiles = 10_000

// A sight is what one look at a model's files shows without reading them.
type sight struct {
	print string    // of names, kinds, sizes and times
	last  time.Time // something changed then
}

// look lists the files of an entry. It refuses what it cannot follow: a link may
// lead out of the directory, or to something else a moment later.
func look(root *os.Root, entry string) (sight, error) {
	var s sight
	sum, files, bytes := sha256.New(), 0, int64(0)
	top, err := root.Lstat(entry)
	if err != nil {
		return s, err
	}
	if !top.IsDir() && !top.Mode().IsRegular() { // a walk would follow it
		return s, problem.ModelInvalid.New("%s is a link, or no regular file; write a copy of what it means", wording.Quote(entry))
	}
	err = fs.WalkDir(root.FS(), entry, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name != entry && hidden(path.Base(name)) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if files++; files > maxFiles {
			return problem.ModelInvalid.New("it has more than %d files", maxFiles)
		}
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		if !d.IsDir() && !info.Mode().IsRegular() {
			return problem.ModelInvalid.New("%s is a link, or no regular file; write a copy of what it means", wording.Quote(name))
		}
		when := touched(info)
		if info.ModTime().After(when) {
			when = info.ModTime()
		}
		if when.After(s.last) {
			s.last = when
		}
		size := info.Size()
		if d.IsDir() {
			size = 0
		}
		if bytes += size; bytes > maxVersions*model.DefaultLimits.Bytes {
			return problem.ModelInvalid.New("it has more than %d bytes", maxVersions*model.DefaultLimits.Bytes)
		}
		fmt.Fprintf(sum, "%s\x00%v\x00%d\x00%d\x00%d\n", name, info.Mode().Type(), size, info.ModTime().UnixNano(), when.UnixNano())
		return nil
	})
	s.print = hex.EncodeToString(sum.Sum(nil))
	return s, err
}

// hidden files are not the model's: an editor's, a version control's.
func hidden(base string) bool { return base[0] == '.' }

package model

import (
	"io/fs"
	"syscall"
	"time"
)

// changed is when a file was last changed in any way, which nobody can set, and
// which file it is.
func changed(info fs.FileInfo) (at time.Time, inode uint64, ok bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return at, 0, false
	}
	return time.Unix(s.Ctim.Unix()), s.Ino, true
}

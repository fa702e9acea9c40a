//go:build !linux

package folder

import (
	"io/fs"
	"time"
)

func touched(info fs.FileInfo) time.Time { return info.ModTime() }

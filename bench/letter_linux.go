package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// newLetter puts a request into a file in memory.
func newLetter(parts ...[]byte) (l letter, err error) {
	fd, err := unix.MemfdCreate("request", unix.MFD_CLOEXEC)
	if err != nil {
		return l, fmt.Errorf("make a file in memory: %w", err)
	}
	l.file = os.NewFile(uintptr(fd), "request")
	for _, p := range parts {
		if _, err := l.file.Write(p); err != nil {
			return l, errors.Join(err, l.file.Close())
		}
		l.size += len(p)
	}
	return l, nil
}

// send hands the file's pages to the connection.
func (w *wire) send(l letter) error {
	raw, err := w.conn.SyscallConn()
	if err != nil {
		return err
	}
	at, left := int64(0), l.size
	var failed error
	err = raw.Write(func(fd uintptr) (done bool) {
		for left > 0 {
			n, err := unix.Sendfile(int(fd), int(l.file.Fd()), &at, left)
			switch {
			case errors.Is(err, unix.EAGAIN):
				return false
			case errors.Is(err, unix.EINTR):
			case err != nil:
				failed = err
				return true
			}
			left -= max(n, 0)
		}
		return true
	})
	return errors.Join(err, failed)
}

// patient sets whether this process's threads wait for a pause of whoever
// computes when they wake up (SCHED_BATCH). A client on another machine, which
// this one stands for, would not push an inference off its core for every answer.
func patient(yes bool) error {
	policy := uint32(unix.SCHED_NORMAL)
	if yes {
		policy = unix.SCHED_BATCH
	}
	threads, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		return err
	}
	for _, name := range threads {
		id, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			return err
		}
		if err := unix.SchedSetAttr(id, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policy}, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("set the client's scheduling: %w", err)
		}
	}
	return nil
}

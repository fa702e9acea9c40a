package oipapi

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// traceName is the file of traces, in the directory for them. A full one gets a
// number behind its name.
const traceName = "trace.json"

// maxTraces is what all files of traces may have together.
const maxTraces = 64 << 20

// Traces writes records into files of one directory. Each file is a list in JSON at
// any time. All of them together have a bound: the oldest go.
type Traces struct {
	dir  string
	log  *slog.Logger
	most int64 // bytes of all files; one file is full at a quarter of it

	mu   sync.Mutex
	root *os.Root // guarded by mu; nil before the first record
	file *os.File // guarded by mu; nil between two files
	size int64    // guarded by mu; of the file, without the list's end
	held int64    // guarded by mu; traces in it
	next int      // guarded by mu; number of the next full file
	id   int64    // guarded by mu; of the last trace
	bad  bool     // guarded by mu; the last record could not be written
}

// NewTraces makes the directory when the first record is written. What is in it
// stays, within the bound.
func NewTraces(dir string, log *slog.Logger) *Traces {
	return &Traces{dir: dir, log: log, most: maxTraces}
}

// Close ends the last file.
func (t *Traces) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	if t.file != nil {
		errs = append(errs, t.file.Close())
		t.file = nil
	}
	if t.root != nil {
		errs = append(errs, t.root.Close())
		t.root = nil
	}
	return errors.Join(errs...)
}

// write gives a trace its number and writes its records. After every so many traces
// a new file begins; 0 is when one is full.
func (t *Traces) write(every int64, records func(id int64) []any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.id++
	err := t.add(every, lines(records(t.id)))
	if err != nil && !t.bad {
		t.log.Error("traces cannot be written", "directory", t.dir, "cause", err.Error())
	}
	t.bad = err != nil
}

const (
	listBegin = "[\n"
	listNext  = ",\n"
	listEnd   = "\n]\n"
)

// add appends to the list: what it writes begins over the list's end.
func (t *Traces) add(every int64, data []byte) error {
	if int64(len(data)) > t.most/4 {
		return fmt.Errorf("a record has %d bytes, more than a file may have", len(data))
	}
	if t.file == nil {
		if err := t.open(); err != nil {
			return err
		}
	}
	before := listNext
	if t.size == 0 {
		before = listBegin
	}
	text := slices.Concat([]byte(before), data, []byte(listEnd))
	if _, err := t.file.WriteAt(text, t.size); err != nil {
		return err
	}
	t.size += int64(len(text) - len(listEnd))
	if t.held++; every > 0 && t.held >= every || t.size > t.most/4 {
		return t.full()
	}
	return nil
}

// open begins a file. One that was left by another process counts as full.
func (t *Traces) open() error {
	if t.root == nil {
		if err := os.MkdirAll(t.dir, 0o700); err != nil {
			return err
		}
		root, err := os.OpenRoot(t.dir)
		if err != nil {
			return err
		}
		t.root = root
		numbers, err := t.numbers()
		if err != nil {
			return err
		}
		if len(numbers) > 0 {
			t.next = numbers[len(numbers)-1] + 1
		}
		if _, err := root.Lstat(traceName); err == nil {
			if err := t.full(); err != nil {
				return err
			}
		}
	}
	file, err := t.root.OpenFile(traceName, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	t.file, t.size, t.held = file, 0, 0
	return nil
}

// full puts the file aside, and removes the oldest beyond the bound.
func (t *Traces) full() error {
	if t.file != nil {
		err := t.file.Close()
		t.file = nil
		if err != nil {
			return err
		}
	}
	if err := t.root.Rename(traceName, numberedTrace(t.next)); err != nil {
		return err
	}
	t.next++
	numbers, err := t.numbers()
	if err != nil {
		return err
	}
	left := t.most - t.most/4 // the rest is for the file that is written
	for _, n := range slices.Backward(numbers) {
		info, err := t.root.Lstat(numberedTrace(n))
		if err == nil {
			left -= info.Size()
		}
		if left < 0 {
			if err := t.root.Remove(numberedTrace(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

func numberedTrace(n int) string { return traceName + "." + strconv.Itoa(n) }

// numbers lists the files that are full, the oldest first.
func (t *Traces) numbers() ([]int, error) {
	entries, err := fs.ReadDir(t.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var list []int
	for _, e := range entries {
		text, ok := strings.CutPrefix(e.Name(), traceName+".")
		if n, err := strconv.Atoi(text); ok && err == nil && n >= 0 && strconv.Itoa(n) == text {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list, nil
}

package calibrate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// format is part of a record's name: raise it when what is measured changes, so
// that older tables are not used any more.
const format = "1"

// Store keeps results in a directory, a file each. What is damaged or belongs to
// another machine, runtime or release is as if it were not there. It is safe for
// concurrent use, by several processes too.
type Store struct{ Dir string }

// record is a result as the file has it.
type record struct {
	Format  string        `json:"format"`
	Digest  string        `json:"digest"`
	Machine Machine       `json:"machine"`
	At      time.Time     `json:"measured"`
	Took    time.Duration `json:"took_ns"`
	Space   recordSpace   `json:"space"`
	Table   []recordPoint `json:"table"`
	Others  float64       `json:"others"`
}

type recordSpace struct {
	MaxBatch  int           `json:"max_batch"`
	Objective time.Duration `json:"objective_ns"`
	Threads   int           `json:"threads,omitempty"`
	Instances int           `json:"instances,omitempty"`
	Batch     int           `json:"batch,omitempty"`
	Delay     time.Duration `json:"delay_ns,omitempty"`
}

type recordPoint struct {
	Threads   int           `json:"threads"`
	Instances int           `json:"instances"`
	Batch     int           `json:"batch"`
	Rate      float64       `json:"rows_per_second"`
	Run       time.Duration `json:"run_ns"`
	Slow      time.Duration `json:"slow_run_ns"`
	Noise     float64       `json:"noise"`
	Rounds    int           `json:"rounds"`
}

// Load gives what was measured of a package on this machine, nil where there is
// nothing that can be used.
func (s *Store) Load(digest string, m Machine) *Result {
	if s == nil || s.Dir == "" {
		return nil
	}
	r := read(s.path(digest, m))
	if r == nil || r.Digest != digest || r.Machine != m {
		return nil
	}
	return r
}

// Any gives the newest result of a package on this machine, whichever runtime it
// was measured with: for those who only look. m.Runtime is not asked for.
func (s *Store) Any(digest string, m Machine) *Result {
	var newest *Result
	files, _ := filepath.Glob(filepath.Join(s.Dir, prefix(digest)+"*.json")) // the pattern is sound
	for _, f := range files {
		r := read(f)
		if r == nil || r.Digest != digest || r.Machine.CPU != m.CPU || r.Machine.Cores != m.Cores {
			continue
		}
		if newest == nil || r.At.After(newest.At) {
			newest = r
		}
	}
	return newest
}

func read(path string) *Result {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var r record
	if json.Unmarshal(data, &r) != nil || r.Format != format || len(r.Table) == 0 {
		return nil
	}
	result := &Result{Digest: r.Digest, Machine: r.Machine, At: r.At, Took: r.Took, Others: r.Others, Space: Space{
		Cores: r.Machine.Cores, MaxBatch: r.Space.MaxBatch, Objective: r.Space.Objective,
		Fixed: Fixed{r.Space.Threads, r.Space.Instances, r.Space.Batch, r.Space.Delay},
	}}
	for _, p := range r.Table {
		if p.Threads < 1 || p.Instances < 1 || p.Batch < 1 || !(p.Rate > 0) || p.Run <= 0 || p.Slow <= 0 {
			return nil
		}
		result.Table = append(result.Table, Point{Setting{p.Threads, p.Instances, p.Batch, 0}, p.Rate, p.Run, p.Slow, p.Noise, p.Rounds})
	}
	return result
}

// Save keeps a result in the place of an older one.
func (s *Store) Save(r *Result) (err error) {
	doc := record{Format: format, Digest: r.Digest, Machine: r.Machine, At: r.At, Took: r.Took, Others: r.Others, Space: recordSpace{
		r.Space.MaxBatch, r.Space.Objective, r.Space.Fixed.Threads, r.Space.Fixed.Instances, r.Space.Fixed.Batch, r.Space.Fixed.Delay,
	}}
	for _, p := range r.Table {
		doc.Table = append(doc.Table, recordPoint{p.Threads, p.Instances, p.Batch, p.Rate, p.Run, p.Slow, p.Noise, p.Rounds})
	}
	data, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return fmt.Errorf("keep the calibration: %w", err)
	}
	// No fsync: a lost calibration costs seconds, a torn one is no JSON.
	tmp, err := os.CreateTemp(s.Dir, ".new-*")
	if err != nil {
		return fmt.Errorf("keep the calibration: %w", err)
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), s.path(r.Digest, r.Machine))
	}
	if err != nil {
		if gone := os.Remove(tmp.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return fmt.Errorf("keep the calibration: %w", err)
	}
	return nil
}

// path names a file by everything that the result holds for.
func (s *Store) path(digest string, m Machine) string {
	h := sha256.New()
	for _, part := range []string{format, digest, m.CPU, strconv.Itoa(m.Cores), m.Runtime} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return filepath.Join(s.Dir, prefix(digest)+hex.EncodeToString(h.Sum(nil))[:24]+".json")
}

// prefix is the part of a file's name that says whose it is.
func prefix(digest string) string {
	hexes := strings.Map(func(c rune) rune {
		if strings.ContainsRune("0123456789abcdef", c) {
			return c
		}
		return -1
	}, strings.TrimPrefix(digest, "sha256:"))
	return hexes[:min(12, len(hexes))] + "-"
}

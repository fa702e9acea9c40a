package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// checkFormat is part of a kept report's name: raise it when the check learns
// something, so that what an older program accepted is examined again.
const checkFormat = "1"

// Kept finds the report of an accepted package that was checked on this kind of
// processor with this runtime and decoder; nil when there is none.
func (c *Checker) Kept(digest, runtime, decoder string) *Report {
	if c.Cache == "" {
		return nil
	}
	data, err := os.ReadFile(c.keptPath(digest, runtime, decoder))
	if err != nil {
		return nil
	}
	var r Report
	if json.Unmarshal(data, &r) != nil || !r.Accepted || r.Digest != digest {
		return nil
	}
	return &r
}

// Forget drops whatever is kept of a package, so that the next load checks it anew.
func (c *Checker) Forget(digest, runtime, decoder string) {
	if c.Cache != "" {
		_ = os.Remove(c.keptPath(digest, runtime, decoder))
	}
}

// keep writes an accepted report. Refusals are not kept: what took too long or
// too much on a busy machine deserves another try.
func (c *Checker) keep(r *Report) error {
	if c.Cache == "" || !r.Accepted || r.Digest == "" {
		return nil
	}
	r.CPU, r.Checked = cpuModel(), time.Now().UTC().Truncate(time.Second)
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Cache, 0o700); err != nil {
		return err
	}
	// No fsync: a lost report costs one more check, a torn one is no JSON.
	tmp, err := os.CreateTemp(c.Cache, ".new-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), c.keptPath(r.Digest, r.Runtime, r.Decoder))
	}
	if err != nil {
		if gone := os.Remove(tmp.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

func (c *Checker) keptPath(digest, runtime, decoder string) string {
	h := sha256.New()
	for _, part := range []string{checkFormat, digest, runtime, decoder, cpuModel()} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return filepath.Join(c.Cache, hex.EncodeToString(h.Sum(nil))+".json")
}

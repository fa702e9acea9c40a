package app

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/registry"
)

// Serving is what a running server does with a version, for the commands beside
// it.
type Serving struct {
	Version     string             `json:"version,omitempty"` // sha256:HEX
	State       string             `json:"state"`
	Reason      string             `json:"reason,omitempty"`
	MemoryBytes int64              `json:"memory_bytes,omitempty"`
	ColdStart   *httpapi.ColdStart `json:"cold_start,omitempty"`
}

// notice is the file in which a server says what it serves. It is no more than a
// hint: it is not synced, and counts only while a server holds the directory.
func notice(c *config.Config) string { return filepath.Join(c.Data, "cache", "serving.json") }

// ServingNow reads what a running server on the data directory serves, by
// digest; nothing where there is none.
func ServingNow(c *config.Config) map[string]Serving {
	if !registry.Served(c.Data) {
		return nil
	}
	text, err := os.ReadFile(notice(c))
	if err != nil {
		return nil
	}
	var list []Serving
	if json.Unmarshal(text, &list) != nil {
		return nil
	}
	by := make(map[string]Serving, len(list))
	for _, s := range list {
		by[s.Version] = s
	}
	return by
}

// Between two looks at what is served: changes come in bursts, and a first answer
// is told by nobody.
const (
	noticeRest = 250 * time.Millisecond
	noticeMost = 2 * time.Second
)

// announce keeps the notice as it should be until ctx ends, and takes it away.
func announce(ctx context.Context, path string, f *fleet.Fleet) {
	defer func() { _ = os.Remove(path) }() // it is not believed any more in any case
	var last []byte
	for {
		changed := f.Changed()
		if text := told(f); !bytes.Equal(text, last) && replace(path, text) == nil {
			last = text
		}
		for _, wait := range []struct {
			on   <-chan struct{}
			most time.Duration
		}{{nil, noticeRest}, {changed, noticeMost}} {
			timer := time.NewTimer(wait.most)
			select {
			case <-wait.on:
			case <-timer.C:
			case <-ctx.Done():
			}
			timer.Stop()
		}
		if ctx.Err() != nil {
			return
		}
	}
}

func told(f *fleet.Fleet) []byte {
	list := []Serving{}
	for _, m := range f.Models() {
		if m.Refused == nil {
			d := document(m)
			list = append(list, Serving{d.Version, d.State, d.Reason, d.MemoryBytes, d.ColdStart})
		}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return nil // there is nothing in it that could not be written
	}
	return text
}

// replace writes a file that readers see whole or not at all.
func replace(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

package app

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
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
type notice struct {
	path  string
	fleet *fleet.Fleet

	mu   sync.Mutex
	last []byte // guarded by mu
	over bool   // guarded by mu: nobody serves any more
}

func noticeOf(c *config.Config) string { return filepath.Join(c.Data, "cache", "serving.json") }

// ServingNow reads what a running server on the data directory serves, by
// digest; nothing where there is none.
func ServingNow(c *config.Config) map[string]Serving {
	if !registry.Served(c.Data) {
		return nil
	}
	text, err := os.ReadFile(noticeOf(c))
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

// keep has the notice be as it should until ctx ends, and takes it away.
func (n *notice) keep(ctx context.Context) {
	defer n.end()
	for {
		changed := n.fleet.Changed()
		n.write()
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

// write brings the notice up to date now.
func (n *notice) write() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.over {
		return
	}
	if text := told(n.fleet); !bytes.Equal(text, n.last) && replace(n.path, text) == nil {
		n.last = text
	}
}

// end takes the notice away for good: a change that is answered meanwhile must not
// bring it back.
func (n *notice) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = true
	_ = os.Remove(n.path) // it is not believed any more in any case
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

package folder_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/registry/folder"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shop is a directory of models that a test writes to.
type shop struct {
	tb    testing.TB
	dir   string
	cache string
	inUse map[string]bool
	most  int // models that are looked at
	log   strings.Builder
}

func newShop(tb testing.TB) *shop {
	return &shop{tb: tb, dir: tb.TempDir(), cache: filepath.Join(tb.TempDir(), "models"), inUse: map[string]bool{}}
}

// plus is a model file that adds n.
func plus(n int) string { return string(onnxgen.Plus(float32(n), "N", 2).Bytes()) }

func (s *shop) write(name, text string) {
	s.tb.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.tb.Fatal(err)
	}
}

func (s *shop) remove(name string) {
	s.tb.Helper()
	if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
		s.tb.Fatal(err)
	}
}

// open begins with the directory as it is. Nothing looks by itself.
func (s *shop) open() *folder.Source {
	s.tb.Helper()
	cache, err := folder.OpenCache(s.cache)
	if err != nil {
		s.tb.Fatal(err)
	}
	source, err := folder.Open(s.tb.Context(), s.dir, folder.Options{
		Cache: cache, Poll: time.Millisecond, Most: s.most, Logger: slog.New(slog.NewTextHandler(&s.log, nil)), InUse: func(digest string) bool { return s.inUse[digest] },
	})
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() {
		if err := source.Close(); err != nil {
			s.tb.Error(err)
		}
	})
	return source
}

// shown writes versions as a person would: "adder/1 default".
func shown(list []fleet.Version) string {
	lines := make([]string, len(list))
	for i, v := range list {
		lines[i] = strings.TrimSpace(fmt.Sprintf("%s/%d %s", v.Name, v.Number, strings.Join(v.Aliases, ",")))
		if v.Refused != nil {
			lines[i] += ": " + v.Refused.Error()
		}
	}
	return strings.Join(lines, "\n")
}

// only is the one version of a name.
func only(t *testing.T, s *folder.Source, name string) fleet.Version {
	t.Helper()
	v, err := s.Resolve(name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

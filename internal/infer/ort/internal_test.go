//go:build cgo && (linux || darwin)

package ort

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/test/checkout"
)

// openForTest opens a backend of the test's own; a test process that does so
// must not use orttest, since there is one backend a process.
func openForTest(t *testing.T, o LibraryOptions) *Backend {
	t.Helper()
	if o.Path = os.Getenv(Variable); o.Path == "" {
		o.Path = filepath.Join(checkout.Root(t), "lib", fileName())
	}
	b, err := Open(o)
	if err != nil {
		t.Fatalf("%v ('make lib' fetches the library)", err)
	}
	return b
}

// inChild runs the test again in a process of its own, with value in the
// variable GOSHAWKTEST_CHILD, and gives what it printed.
func inChild(t *testing.T, value string, env ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(append(os.Environ(), "GOSHAWKTEST_CHILD="+value), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// childOf is what inChild was given; "" in the first process.
func childOf() string { return os.Getenv("GOSHAWKTEST_CHILD") }

func loadRaw(t *testing.T, b *Backend, data []byte) *session {
	t.Helper()
	s, err := b.Load(t.Context(), data, infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s.(*session)
}

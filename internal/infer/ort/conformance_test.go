//go:build cgo && (linux || darwin)

package ort_test

import (
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
)

func TestConformance(t *testing.T) {
	backendtest.Run(t, func(tb testing.TB) infer.Backend { return orttest.Open(tb) })
}

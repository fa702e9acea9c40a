package registry

import (
	"testing"

	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
)

func TestMain(m *testing.M) { fleettest.Main(m) }

package app

import (
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

func TestAPackagesServingSettingsAreObeyed(t *testing.T) {
	m := &fleet.Model{Version: fleet.Version{Name: "pets"}, Package: &model.Package{Manifest: model.Manifest{Serving: model.Serving{
		LatencyObjective: 50 * time.Millisecond, Instances: 2, MaxBatchSize: 8, MaxDelay: time.Millisecond,
		Weight: 3, MaxQueueSize: 90, PriorityLevels: 5, DefaultPriority: 2, RunTimeout: 7 * time.Second,
	}}}}
	want := schedule.Policy{
		Name: "pets", Instances: 2, Weight: 3, Queue: 90, Objective: 50 * time.Millisecond, MaxBatch: 8, MaxDelay: time.Millisecond,
		Priorities: 5, DefaultPriority: 2, Run: 7 * time.Second,
	}
	if got := policy(m); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

package app

import (
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// policy is how a model's package wants it served; what it leaves open stays
// open.
func policy(m *fleet.Model) schedule.Policy {
	s := m.Package.Manifest.Serving
	return schedule.Policy{
		Name:      m.Version.Name,
		Instances: s.Instances, Weight: float64(s.Weight), Queue: s.MaxQueueSize,
		Objective: s.LatencyObjective,
		MaxBatch:  s.MaxBatchSize, MaxDelay: s.MaxDelay,
		Priorities: s.PriorityLevels, DefaultPriority: s.DefaultPriority,
		Run: s.RunTimeout,
	}
}

package app

import (
	"github.com/goshawk-ai/goshawk/internal/calibrate"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// policy is how a model's package wants it served, and what its plan says of the
// rest; what both leave open stays open. Where nobody has said anything of batches
// requests are run as they come.
func policy(m *fleet.Model) schedule.Policy {
	s := m.Package.Manifest.Serving
	p := schedule.Policy{
		Name:      m.Version.Name,
		Instances: s.Instances, Weight: float64(s.Weight), Queue: s.MaxQueueSize,
		Objective: s.LatencyObjective,
		MaxBatch:  s.MaxBatchSize, MaxDelay: s.MaxDelay,
		Priorities: s.PriorityLevels, DefaultPriority: s.DefaultPriority,
		Run: s.RunTimeout,
	}
	plan := m.Plan()
	if plan.Threads == 0 {
		return p
	}
	p.Instances, p.Objective, p.MaxDelay = plan.Instances, plan.Objective, plan.Delay
	if plan.Source != calibrate.FromDefault || plan.Batch > 1 {
		p.MaxBatch = plan.Batch
	}
	return p
}

package schedule

import "time"

// Policy is how the requests of one model are served. Its zero value is a model
// that nobody has said anything of: all lanes, an equal share, requests run as
// they come, no objective. Scheduler.Configure sets it, whole, while requests are
// under way.
type Policy struct {
	Name string // of the model, for metrics; its digest where empty

	Instances int     // lanes it may hold at a time; 0 is all
	Weight    float64 // of its share of the lanes' time when others wait too; 0 is 1
	Queue     int     // requests that may wait; 0 is Options.Places

	// Objective is the latency that a request should have, waiting and computing
	// together: one whose predicted wait leaves no time for it is refused at once.
	// 0 leaves it to Options.MaxWait, which bounds the wait in any case.
	Objective time.Duration

	// MaxBatch is how many rows a run may hold: requests that wait share a run up
	// to that, and a larger one is split. 1 is no batching, 0 that nobody said.
	MaxBatch int
	MaxDelay time.Duration // how long a request may be kept from a free lane for a fuller batch

	// Priorities is the number of levels; 1 is served first. 0 is no levels.
	// A request of level 0, or of one that does not exist, has DefaultPriority,
	// and where that is none of them either, the last.
	Priorities      int
	DefaultPriority int

	Run time.Duration // how long one run may hold a lane; 0 is Options.Run
}

// maxPriorities bounds the levels that a model has queues for.
const maxPriorities = 64

// levels is how many queues the model has.
func (p *Policy) levels() int { return min(max(p.Priorities, 1), maxPriorities) }

// level is the queue of a priority, from 0 on.
func (p *Policy) level(priority int) int {
	last := p.levels()
	if priority < 1 || priority > p.Priorities {
		priority = p.DefaultPriority
	}
	if priority < 1 || priority > last {
		priority = last
	}
	return priority - 1
}

// weight is within bounds, so that no share is nothing and no account overflows.
func (p *Policy) weight() float64 {
	if !(p.Weight > 0) {
		return 1
	}
	return min(max(p.Weight, minWeight), maxWeight)
}

// What a weight may be at least and at most.
const (
	minWeight = 1e-3
	maxWeight = 1e3
)

package schedule

import "time"

// Policy is how the requests of one model are served. Its zero value is a model
// that nobody has said anything of: all lanes, an equal share, one row a run, no
// objective. Scheduler.Configure sets it, whole, while requests are under way.
type Policy struct {
	Name string // of the model, for metrics; its digest where empty

	Instances int     // lanes it may hold at a time; 0 is all
	Weight    float64 // of its share of the lanes' time when others wait too; 0 is 1
	Queue     int     // requests that may wait; 0 is Options.Places

	// Objective is the latency that a request should have, waiting and computing
	// together: one whose predicted wait leaves no time for it is refused at once.
	// 0 leaves it to Options.MaxWait, which bounds the wait in any case.
	Objective time.Duration

	MaxBatch int           // rows that a run may hold; 0 and 1 are no batching
	MaxDelay time.Duration // how long a lane may be left idle for a fuller batch

	// Priorities is the number of levels; 1 is served first. 0 is no levels.
	// A request of level 0, or of one that does not exist, has DefaultPriority,
	// and where that is none of them too, the last.
	Priorities      int
	DefaultPriority int

	Run time.Duration // how long one run may hold a lane; 0 is Options.Run
}

package calibrate

import (
	"slices"
	"time"
)

// Document is a plan as people and programs read it: in GET /v1/models/{name} and
// in what the commands print.
type Document struct {
	Threads   int     `json:"threads"`
	Instances int     `json:"instances"`
	MaxBatch  int     `json:"max_batch_size"`
	MaxDelay  float64 `json:"max_delay_ms"`
	Objective float64 `json:"latency_objective_ms,omitempty"`

	Source      Source       `json:"source"`
	Manual      []string     `json:"manual"`
	Reason      string       `json:"reason"`
	P99         float64      `json:"predicted_p99_ms,omitempty"`
	Rate        float64      `json:"rows_per_second,omitempty"`
	Calibration *Calibration `json:"calibration,omitempty"`
}

// Calibration is what a plan was made from.
type Calibration struct {
	Measured time.Time `json:"measured"`
	Took     float64   `json:"took_ms"`
	Machine
	Others float64 `json:"others"` // part of the machine that other programs used just before
	Table  []Row   `json:"table"`
}

// Row is a Point, the best first.
type Row struct {
	Threads     int     `json:"threads"`
	Instances   int     `json:"instances"`
	Batch       int     `json:"batch"`
	Rate        float64 `json:"rows_per_second"`
	Run         float64 `json:"run_ms"`
	Slow        float64 `json:"slow_run_ms"`
	P99         float64 `json:"predicted_p99_ms"`
	Noise       float64 `json:"noise"`
	Repetitions int     `json:"repetitions"`
}

// Document makes one of the plan.
func (p Plan) Document() *Document {
	d := &Document{
		Threads: p.Threads, Instances: p.Instances, MaxBatch: p.Batch, MaxDelay: ms(p.Delay), Objective: ms(p.Objective),
		Source: p.Source, Manual: append([]string{}, p.Manual...), Reason: p.Reason, P99: ms(p.P99), Rate: tenth(p.Rate),
	}
	if r := p.Result; r != nil {
		d.Calibration = &Calibration{Measured: r.At.UTC(), Took: ms(r.Took), Machine: r.Machine, Others: float64(int(r.Others*100)) / 100, Table: []Row{}}
		for _, x := range slices.SortedStableFunc(slices.Values(r.Table), fastest) {
			d.Calibration.Table = append(d.Calibration.Table, Row{
				x.Threads, x.Instances, x.Batch, tenth(x.Rate), ms(x.Run), ms(x.Slow), ms(x.P99(0)), float64(int(x.Noise*1e4)) / 1e4, x.Rounds,
			})
		}
	}
	return d
}

// Chosen tells whether a row is what the plan came to.
func (d *Document) Chosen(r Row) bool {
	return r.Threads == d.Threads && r.Instances == d.Instances && r.Batch == d.MaxBatch
}

func tenth(x float64) float64 { return float64(int64(x*10+0.5)) / 10 }

// ms is milliseconds with microseconds behind the point.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

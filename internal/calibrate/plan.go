package calibrate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Machine is what a table holds for: elsewhere, or with another runtime, the same
// model may want something else.
type Machine struct {
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`   // that the process may use
	Runtime string `json:"runtime"` // "onnxruntime 1.30.0"
}

// Result is a measurement of one model on one machine.
type Result struct {
	Digest  string // of the package
	Machine Machine
	At      time.Time
	Took    time.Duration
	Space   Space // that was looked through
	Table   []Point
	Others  float64 // the part of the machine that others used just before, 0 to 1
}

// Source says where a plan comes from.
type Source string

// The sources. By hand is what goshawk.yaml says of every setting there is.
const (
	FromDefault     Source = "default"
	FromCalibration Source = "calibration"
	ByHand          Source = "goshawk.yaml"
)

// Plan is how a model is run here, and why so.
type Plan struct {
	Setting
	Objective time.Duration // p99; 0 is none
	Source    Source
	Manual    []string // settings that goshawk.yaml has fixed, which win over the source
	Reason    string   // a sentence without its full stop
	Result    *Result  // nil where nothing was measured
	P99       time.Duration
	Rate      float64 // rows a second; 0 where the setting itself was not measured
	Cores     int     // that there are
}

// Make plans for a space with what was measured, which may be nil. What is fixed
// wins, one by one; the rest is chosen from the table under the space's objective,
// though another may have been in force when it was measured.
func Make(space Space, r *Result) Plan {
	space = space.filled()
	p := Plan{Objective: space.Objective, Manual: space.Fixed.keys(), Source: FromDefault, Cores: space.Cores}
	switch {
	case len(p.Manual) == 4:
		p.Setting, p.Source = space.clip(Default(space.Cores)), ByHand
		p.Reason = "goshawk.yaml says all of it"
		return p
	case r == nil:
		p.Setting = space.clip(Default(space.Cores))
		p.Reason = "nothing was measured on this machine: one thread a run and a run a core"
	default:
		d := Decide(space, r.Table)
		p.Setting, p.Reason, p.P99, p.Rate = d.Setting, d.Reason, d.P99, d.Rate
		p.Source, p.Result = FromCalibration, r
	}
	if len(p.Manual) > 0 {
		p.Reason = fmt.Sprintf("goshawk.yaml fixes %s; else %s", strings.Join(p.Manual, ", "), p.Reason)
	}
	return p
}

// Narrow is the plan for a model of which only its loading has shown that it
// takes no batch.
func (p Plan) Narrow() Plan {
	if p.Batch > 1 {
		p.Reason += "; the model takes one row a run"
	}
	p.Batch, p.Delay = 1, 0
	return p
}

// Spare is the plan for a model of which a run may never end: two such runs at a
// time would leave two cores to nobody. By hand it may have all of them.
func (p Plan) Spare(why string) Plan {
	if p.Cores > 1 && p.Instances >= p.Cores && !slices.Contains(p.Manual, "instances") {
		p.Instances = p.Cores - 1
		p.Reason += "; a core is left to others, since " + why
	}
	return p
}

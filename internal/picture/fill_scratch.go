package picture

import "github.com/goshawk-ai/goshawk/internal/picture/turbo"

// Scratch is what filling a tensor needs beside the picture and the tensor. One
// goroutine uses it at a time; a caller that keeps it (a pool, a worker of its
// own) fills tensors without allocating. The zero value is ready.
type Scratch struct {
	prepared []*Prepared // of the recipes met last; few models are served by one worker
	axes     []*axis
	clock    int // counts uses, for the axes' ages
	weights  []float64
	job      turbo.Resample
}

type axis struct {
	key  axisKey
	used int
	turbo.Axis
}

// What a Scratch keeps from one picture to the next. Photos come in few sizes
// and models are few; a freak's tables are given back at once.
const (
	keptAxes    = 16
	keptRecipes = 8
	keptBytes   = 1 << 20 // of one buffer
)

// axis finds or builds the table for the key. The result is valid until two
// more were asked for, which is what a picture needs.
func (s *Scratch) axis(key axisKey) *turbo.Axis {
	s.clock++
	var oldest *axis
	for _, a := range s.axes {
		if a.key == key {
			a.used = s.clock
			return &a.Axis
		}
		if oldest == nil || a.used < oldest.used {
			oldest = a
		}
	}
	if len(s.axes) < keptAxes {
		oldest = new(axis)
		s.axes = append(s.axes, oldest)
	}
	oldest.key, oldest.used = key, s.clock
	s.weights = key.build(&oldest.Axis, s.weights)
	return &oldest.Axis
}

// prepare finds or makes the prepared form of the recipe.
func (s *Scratch) prepare(r *Recipe) (*Prepared, error) {
	for _, p := range s.prepared {
		if p.recipe == *r {
			return p, nil
		}
	}
	p, err := r.Prepare()
	if err != nil {
		return nil, err
	}
	if len(s.prepared) == keptRecipes {
		s.prepared = s.prepared[1:]
	}
	s.prepared = append(s.prepared, p)
	return p, nil
}

// buffers makes the job's scratch long enough.
func (s *Scratch) buffers() {
	if n := s.job.AccLen(); len(s.job.Acc) < n {
		s.job.Acc = make([]int32, n)
	}
	if n := s.job.RowLen(); len(s.job.Row) < n {
		s.job.Row = make([]byte, n)
	}
}

// settle forgets the picture and whatever only a freak needed.
func (s *Scratch) settle() {
	s.job.Pix, s.job.Dst, s.job.Table = nil, nil, nil
	s.job.X, s.job.Y = turbo.Axis{}, turbo.Axis{}
	if 4*len(s.job.Acc) > keptBytes {
		s.job.Acc = nil
	}
	if 8*cap(s.weights) > keptBytes {
		s.weights = nil
	}
	for _, a := range s.axes {
		if 4*cap(a.Coef) > keptBytes {
			a.key, a.Axis = axisKey{}, turbo.Axis{}
		}
	}
}

package fleet

import (
	"slices"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/calibrate"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// Status is what is known of a version.
type Status struct {
	Version
	State      State
	Default    bool   // a request that names no model means it
	Reason     string // why it failed
	Package    *model.Package
	Input      *tensor.Spec // this and what follows: nil or zero until the model was loaded
	Recipe     *picture.Recipe
	Output     *tensor.Spec
	Classes    int
	Embedding  int // width
	Activation model.Activation
	TopK       int
	Rows       int // as Model.Rows
	LoadMS     float64
	FirstMS    float64        // the first run
	Report     *Report        // of the check; nil for a built-in package
	Apart      string         // as Model.Apart
	Plan       calibrate.Plan // how it is run, and why so; zero until the model was loaded
	Bytes      int64          // that the model takes; 0 where it is not loaded, or on another server
	Cold       *ColdStart     // what it took until it answered; nil where it is not loaded
}

// Models lists all versions, by name, number and age: of a number whose files
// were replaced there may be two.
func (f *Fleet) Models() []Status {
	t := f.routes.Load()
	f.mu.Lock()
	entries := make([]*entry, 0, len(f.entries))
	for _, e := range f.entries {
		entries = append(entries, e)
	}
	f.mu.Unlock()
	list := make([]Status, 0, len(entries))
	for _, e := range entries {
		s := e.status()
		s.Default = t.to[f.o.Default] == e
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Status) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		if c := a.Number - b.Number; c != 0 {
			return c
		}
		if c := a.Added.Compare(b.Added); c != 0 {
			return c
		}
		return strings.Compare(a.Digest, b.Digest)
	})
	return list
}

// Status is that of the version that a reference means now; nothing is woken.
func (f *Fleet) Status(ref string) (Status, error) {
	e, err := f.find(ref)
	if err != nil {
		return Status{}, err
	}
	return e.status(), nil
}

func (e *entry) status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := Status{Version: e.version, State: e.state, Package: e.pkg}
	s.Aliases = slices.Clone(s.Aliases)
	if e.why != nil {
		s.Reason = sentence(e.why)
	}
	if e.watch != nil && e.state == Ready {
		cold := e.watch.ColdStart
		s.Cold = &cold
	}
	m := e.model
	if m == nil {
		return s
	}
	s.Package, s.Report, s.Apart, s.Plan = m.Package, m.Report, m.Apart, m.Plan()
	if ill := m.Ill(); ill != nil {
		s.State, s.Reason = Failed, sentence(ill)
	}
	s.Bytes = m.Bytes()
	s.LoadMS, s.FirstMS = ms(m.LoadTime), ms(m.FirstTime)
	if m.Pictures() {
		s.Input, s.Output, s.Recipe = &m.Binding.Input, &m.Binding.Logits, &m.Binding.Recipe
		s.Classes, s.Embedding, s.Rows = m.Classes, m.Width, m.Rows
		s.Activation, s.TopK = m.Binding.Activation, m.Binding.TopK
	}
	return s
}

package model

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Marshal writes goshawk.yaml in its canonical form: every value spelled out,
// no preset, nothing that is at its default but the picture's way. ParseManifest
// reads it back to the same manifest. Labels that stood in the file itself are
// not part of a Manifest and are not written.
func (m *Manifest) Marshal() []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("apiVersion: %s", APIVersion)
	line("kind: %s", m.Kind)
	line("name: %s", text(m.Name))
	if m.Description != "" {
		line("description: %s", text(m.Description))
	}
	if m.License != "" {
		line("license: %s", text(m.License))
	}
	if m.Remote != nil {
		m.Remote.marshal(line)
	} else {
		line("model: %s", text(m.Model))
	}
	if m.Kind == KindModel {
		m.Input.marshal(line)
		m.Preprocess.marshal(line)
		m.Output.marshal(line)
		if m.Probe != nil {
			line("probe: {image: %s, label: %s}", text(m.Probe.Image), text(m.Probe.Label))
		}
		if m.Parity != "" {
			line("parity: %s", text(m.Parity+"/"))
		}
	}
	if m.Kind == KindTensor && m.Output.Labels != "" {
		line("output: {tensor: %s, labels: %s}", text(m.Output.Tensor), text(m.Output.Labels))
	}
	m.Serving.marshal(line)
	return []byte(b.String())
}

func (r *Remote) marshal(line printer) {
	scheme, version := "grpc://", ""
	if r.TLS {
		scheme = "grpcs://"
	}
	if r.Version != "" {
		version = ", version: " + yamlQuote(r.Version)
	}
	line("remote: {url: %s, model: %s%s}", yamlQuote(scheme+r.Address), text(r.Model), version)
}

type printer func(format string, args ...any)

func (in *Input) marshal(line printer) {
	if *in == (Input{}) {
		return
	}
	line("input:")
	for _, f := range [][2]string{{"tensor", text(in.Tensor)}, {"layout", string(in.Layout)}, {"color", string(in.Color)}} {
		if f[1] != "" && f[1] != `""` {
			line("  %s: %s", f[0], f[1])
		}
	}
}

func (p *Preprocess) marshal(line printer) {
	line("preprocess:")
	size := ""
	if r := p.Resize; r.Height == r.Width && r.Height > 0 {
		size = fmt.Sprintf(", size: %d", r.Height)
	} else if r.Height > 0 {
		size = fmt.Sprintf(", size: [%d, %d]", r.Height, r.Width)
	}
	line("  resize: {mode: %s%s, filter: %s, antialias: %t}", p.Resize.Mode, size, p.Resize.Filter, p.Resize.Antialias)
	down := also(p.Crop.Floor, ", rounding: down")
	switch c := p.Crop; {
	case c.Fraction > 0:
		line("  crop: {fraction: %s%s}", number(c.Fraction), down)
	case c.Height > 0:
		line("  crop: {size: [%d, %d]%s}", c.Height, c.Width, down)
	}
	if p.Written || p.Rescale != 1 || p.Mean != ([3]float64{}) || p.Std != all(1) {
		line("  rescale: %s", ratio(p.Rescale))
		line("  mean: %s", triple(p.Mean))
		line("  std: %s", triple(p.Std))
	}
	line("  background: [%d, %d, %d]", p.Background[0], p.Background[1], p.Background[2])
	if p.Exact {
		line("  exact: true")
	}
}

func (o *Output) marshal(line printer) {
	line("output:")
	if o.Tensor != "" {
		line("  tensor: %s", text(o.Tensor))
	}
	line("  activation: %s", o.Activation)
	if o.Temperature != 1 {
		line("  temperature: %s", number(o.Temperature))
	}
	if o.Labels != "" {
		line("  labels: %s", text(o.Labels))
	}
	line("  top_k: %d", o.TopK)
	if o.Embedding != "" {
		line("  embedding: %s", text(o.Embedding))
	}
}

func (s *Serving) marshal(line printer) {
	if *s == (Serving{}) {
		return
	}
	line("serving:")
	for _, f := range []struct {
		name string
		set  bool
		v    any
	}{
		{"latency_objective", s.LatencyObjective > 0, s.LatencyObjective},
		{"instances", s.Instances > 0, s.Instances},
		{"threads", s.Threads > 0, s.Threads},
		{"max_batch_size", s.MaxBatchSize > 0 || s.Unbatched, s.MaxBatchSize},
		{"max_delay", s.MaxDelay > 0, s.MaxDelay},
		{"weight", s.Weight > 0, s.Weight},
		{"max_queue_size", s.MaxQueueSize > 0, s.MaxQueueSize},
		{"priority_levels", s.PriorityLevels > 0, s.PriorityLevels},
		{"default_priority", s.DefaultPriority > 0, s.DefaultPriority},
		{"run_timeout", s.RunTimeout > 0, s.RunTimeout},
		{"isolation", s.Isolation != "", s.Isolation},
	} {
		if f.set {
			line("  %s: %v", f.name, f.v)
		}
	}
}

// text quotes all but plain names, so that no word is met that YAML reads as
// something else.
func text(s string) string {
	if nameForm.MatchString(s) && s[0] >= 'a' && !boolean11.MatchString(s) && s != "null" {
		return s
	}
	return yamlQuote(s)
}

// yamlQuote differs from strconv.Quote in its escapes, which YAML lacks.
func yamlQuote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// ratio writes 1/255 as people do.
func ratio(v float64) string {
	if under := math.Round(1 / v); under > 1 && under <= 65535 && 1/under == v {
		return "1/" + number(under)
	}
	return number(v)
}

func triple(v [3]float64) string {
	return "[" + number(v[0]) + ", " + number(v[1]) + ", " + number(v[2]) + "]"
}

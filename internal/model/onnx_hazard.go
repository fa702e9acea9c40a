package model

import (
	"encoding/binary"
	"maps"
	"slices"
)

// A scope is what is known of the values of a graph and those within it. ONNX
// forbids that a name means two things there; should one, it is unknown.
type scope struct {
	class    map[string]class
	harmless map[string]bool // constants without 0 and -1
	walker   *walker
	depth    int
}

// hazards looks for integer divisions in the graph and in every function.
func (w *walker) hazards() error {
	if !w.divides {
		return nil
	}
	s := &scope{class: map[string]class{}, harmless: map[string]bool{}, walker: w}
	if err := s.graph(*w.graph); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(w.functions)) {
		f := w.functions[key]
		s := &scope{class: map[string]class{}, harmless: map[string]bool{}, walker: w}
		if err := each(f.body.bytes, f.body.at, func(p part) error {
			switch p.num {
			case 7:
				return s.node(p)
			case 12:
				return s.declared(p)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *scope) learn(name string, c class) {
	if c == unknown || name == "" {
		return
	}
	if before, known := s.class[name]; known && before != c {
		c = unknown
	}
	s.class[name] = c
}

// graph reads declarations first: the runtime checks them when it loads.
func (s *scope) graph(g part) error {
	s.depth++
	defer func() { s.depth-- }()
	if s.depth > maxGraphs {
		return nil
	}
	err := each(g.bytes, g.at, func(p part) error {
		switch p.num {
		case 5:
			c, harmless := constant(p)
			s.learn(fieldText(p, 8), c)
			if harmless {
				s.harmless[fieldText(p, 8)] = true
			}
		case 11, 12, 13:
			return s.declared(p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return each(g.bytes, g.at, func(p part) error {
		if p.num == 1 {
			return s.node(p)
		}
		return nil
	})
}

func (s *scope) declared(p part) error {
	return each(p.bytes, p.at, func(f part) error {
		if f.num != 2 {
			return nil
		}
		return each(f.bytes, f.at, func(t part) error {
			if t.num != 1 {
				return nil
			}
			return each(t.bytes, t.at, func(e part) error {
				if e.num == 1 {
					s.learn(fieldText(p, 1), classOf(e.value))
				}
				return nil
			})
		})
	})
}

// A call is a node as far as types need it.
type call struct {
	name, op, domain string
	in, out          []string
	to               class // of the attributes: to, value
	harmless         bool
}

func (s *scope) node(n part) error {
	c := call{}
	err := each(n.bytes, n.at, func(p part) error {
		switch p.num {
		case 1:
			c.in = append(c.in, string(p.bytes))
		case 2:
			c.out = append(c.out, string(p.bytes))
		case 3:
			c.name = string(p.bytes[:min(len(p.bytes), bearable)])
		case 4:
			c.op = string(p.bytes)
		case 7:
			c.domain = string(p.bytes)
		case 5:
			return s.attribute(p, &c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.domain == "" || c.domain == "ai.onnx" {
		s.flow(c)
		s.divide(c)
	}
	return nil
}

func (s *scope) attribute(a part, c *call) error {
	name := fieldText(a, 1)
	return each(a.bytes, a.at, func(p part) error {
		switch {
		case p.num == 3 && name == "to":
			c.to = classOf(p.value)
		case name == "value_float" || name == "value_floats":
			c.to = floating
		case p.num == 3 && name == "value_int", p.num == 8 && name == "value_ints":
			c.to = whole
			clean := true
			err := integers(p, func(v int64) { clean = clean && v != 0 && v != -1 })
			c.harmless = clean
			return err
		case p.num == 5 && name == "value":
			c.to, c.harmless = constant(p)
		case p.num == 6 || p.num == 11:
			return s.graph(p)
		}
		return nil
	})
}

// flow learns what a node gives.
func (s *scope) flow(c call) {
	first := unknown
	if len(c.in) > 0 {
		first = s.class[c.in[0]]
	}
	var gives class
	switch {
	case c.op == "Cast" || c.op == "Constant":
		gives = c.to
	case c.op == "ConstantOfShape":
		if gives = c.to; gives == unknown {
			gives = floating
		}
	case c.op == "Where" && len(c.in) > 1:
		gives = s.class[c.in[1]]
	case among(givesFloating, c.op):
		gives = floating
	case among(givesWhole, c.op):
		gives = whole
	case among(givesFirst, c.op):
		gives = first
	case among(givesAny, c.op):
		for _, in := range c.in {
			gives = max(gives, s.class[in])
		}
	}
	for i, out := range c.out {
		if i == 0 || c.op == "Split" {
			s.learn(out, gives)
		}
	}
	kept := len(c.in) > 0 && s.harmless[c.in[0]] && (among(keepsValues, c.op) || c.op == "Cast" && first == whole)
	if len(c.out) > 0 && (kept || c.op == "Constant" && c.harmless) {
		s.harmless[c.out[0]] = true
	}
}

// divide lists a node that may divide integers by 0 or -1.
func (s *scope) divide(c call) {
	if c.op != "Div" && c.op != "Mod" || len(c.in) < 2 {
		return
	}
	for _, name := range append(c.in, c.out...) {
		if s.class[name] == floating {
			return
		}
	}
	if !s.harmless[c.in[1]] {
		s.walker.hazard(c.op, c.name)
	}
}

// constant says what a TensorProto holds, and whether its integers are free of
// 0 and -1.
func constant(t part) (class, bool) {
	var kind uint64
	clean, numbers := true, 0
	see := func(v int64) { numbers++; clean = clean && v != 0 && v != -1 }
	var raw []byte
	_ = each(t.bytes, t.at, func(p part) error {
		switch p.num {
		case 2:
			kind = p.value
		case 5, 7, 11:
			return integers(p, see)
		case 9:
			raw = p.bytes
		}
		return nil
	})
	c := classOf(kind)
	if c != whole {
		return c, false
	}
	for size := elementType(kind).Size(); size > 0 && len(raw) >= size && clean; raw = raw[size:] {
		see(signed(raw[:size]))
	}
	return c, clean && numbers > 0
}

// signed widens a little-endian integer; an unsigned type's highest number
// looks like -1 and is refused with it, which costs nothing.
func signed(b []byte) int64 {
	switch len(b) {
	case 1:
		return int64(int8(b[0]))
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(b)))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	}
	return int64(binary.LittleEndian.Uint64(b))
}

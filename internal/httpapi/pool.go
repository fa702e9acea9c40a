package httpapi

import (
	"math/bits"
	"runtime/debug"
	"sync"
)

const (
	smallest = 4 << 10  // bytes of the smallest slab
	largest  = 64 << 20 // a larger one is not kept
)

// slab is memory for a body's bytes.
type slab struct {
	bytes []byte
	class int // -1: of its own size
}

// pools keep slabs in classes that are a quarter of a power of two apart, so
// that at most a fifth of a slab is idle. What is not used again, the
// collector takes.
type pools struct {
	classes [64]sync.Pool
	giant   sync.Mutex // one give-back of giant slabs at a time
}

// classOf is the class whose slabs hold n bytes, and their size.
func classOf(n int64) (class int, size int64) {
	if n <= smallest {
		return 0, smallest
	}
	if n > largest {
		return -1, n
	}
	top := bits.Len64(uint64(n-1)) - 1 // 2^top < n <= 2^(top+1)
	step := int64(1) << (top - 2)
	quarters := (n - 1 - int64(1)<<top) / step // 0..3
	size = int64(1)<<top + (quarters+1)*step
	return (top-12)*4 + int(quarters) + 1, size
}

func (p *pools) get(n int64) *slab {
	class, size := classOf(n)
	if class >= 0 {
		if s, ok := p.classes[class].Get().(*slab); ok {
			return s
		}
	}
	return &slab{bytes: make([]byte, size), class: class}
}

// put takes a slab back that nobody reads any more. A giant one goes back to
// the system at once: its place in the budget is about to be given to others.
func (p *pools) put(s *slab) {
	if s.class >= 0 {
		p.classes[s.class].Put(s)
		return
	}
	p.giant.Lock()
	defer p.giant.Unlock()
	s.bytes = nil
	debug.FreeOSMemory()
}

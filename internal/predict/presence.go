package predict

import (
	"errors"
	"sync"
)

// presence is whether a request's caller still waits for a run that it shares with
// others. Its lock is held while anything that is the caller's is touched.
type presence struct {
	sync.Mutex
	gone bool // guarded by Mutex
}

// leave is schedule.Joint's Leave.
func (p *presence) leave() {
	p.Lock()
	defer p.Unlock()
	p.gone = true
}

// with does something with what is the caller's, while the caller is there.
func (p *presence) with(do func() error) error {
	p.Lock()
	defer p.Unlock()
	if p.gone {
		return errGone
	}
	return do()
}

// errGone is heard by nobody: whose it is has left.
var errGone = errors.New("the caller has left the run")

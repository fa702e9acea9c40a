package fleet

import (
	"fmt"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/infer/child"
	"github.com/goshawk-ai/goshawk/internal/units"
)

// verdict is the child's report, or one made from how it died.
func (o *outcome) verdict(l Limits) *Report {
	if o.report != nil {
		return o.report
	}
	return &Report{Problem: o.sentence(l)}
}

func (o *outcome) sentence(l Limits) string {
	doing := o.doing
	if doing == "" {
		doing = "starting the check"
	}
	signal := o.signal
	if signal == "" {
		signal = child.SignalIn(o.stderr)
	}
	memory := units.Bytes(l.Memory)
	switch {
	case o.late:
		return fmt.Sprintf("%s did not end within %v", doing, l.Wall)
	case signal == "SIGXCPU" || signal == "SIGKILL" && strings.Contains(o.exit, "killed") && o.cpuSpent(l):
		return fmt.Sprintf("%s took more than %v of processor time", doing, l.CPU)
	case child.StarvedIn(o.stderr):
		return fmt.Sprintf("%s needs more than %v of memory", doing, memory)
	case signal == "SIGKILL":
		return fmt.Sprintf("the system killed the check while it was %s, most likely for want of memory (it may use %v)", doing, memory)
	case signal == "SIGFPE":
		return fmt.Sprintf("the runtime died with SIGFPE while %s: an integer division by zero, or of the smallest number by -1", doing)
	case signal != "":
		return fmt.Sprintf("the runtime died with %s while %s: the model drives it into a fault of its own", signal, doing)
	}
	return fmt.Sprintf("the check ended without an answer (%s) while %s", o.exit, doing)
}

// cpuSpent tells the kernel's hard limit (SIGKILL, one second after the soft
// one) from its out-of-memory killer.
func (o *outcome) cpuSpent(l Limits) bool { return o.cpu >= l.CPU }

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// report is what a run measured; write makes the page of it.
type report struct {
	options
	began    time.Time
	commit   string
	versions string
	series   []series
	overload []overload
	large    []largeRound
	start    *startup

	isolation   []isolated
	hotload     []*hotload
	churn       []churn
	calibration []calibrated
	step        *steps
	peak        int64 // bytes, the server's high-water mark over all of it
}

const floorBar = 1.05

func (r *report) write(path string) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(r.page(string(old))), 0o644)
}

// page is the whole page: the sections that were measured, and of the others
// what the old page has of them.
func (r *report) page(old string) string {
	var b strings.Builder
	r.head(&b)
	for _, s := range []struct {
		title string
		write func(*strings.Builder)
	}{
		{"Server against the bare loop", r.ratios},
		{"Twice the capacity", r.overloads},
		{"A 12-megapixel photo", r.larges},
		{"A process of its own", r.isolations},
		{"While something else is loaded", r.hotloads},
		{"A thousand models", r.churns},
		{"Calibration against a grid", r.calibrations},
		{"A step to twice what the server can do", r.steps},
		{"Start and memory", r.startup},
	} {
		var text strings.Builder
		s.write(&text)
		switch {
		case text.Len() > 0:
			fmt.Fprintf(&b, "\n## %s\n\nMeasured on %s, commit %s.\n\n%s", s.title, r.began.UTC().Format("2006-01-02 15:04 UTC"), r.commit, &text)
		default:
			b.WriteString(section(old, s.title))
		}
	}
	return b.String()
}

// section is what a page has under a heading, with the heading and the empty line
// before it; nothing when it has none.
func section(page, title string) string {
	_, text, found := strings.Cut(page, "\n## "+title+"\n")
	if !found {
		return ""
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return "\n## " + title + "\n" + text
}

func (r *report) head(b *strings.Builder) {
	fmt.Fprintf(b, `# Benchmarks

Written by `+"`make bench`"+`, on %d cores (%s), %s, %s. Each section says when it was measured: `+"`go run ./bench -only PART,…`"+` measures some of them
anew and leaves the others. Last by

%s

Pairs alternate in one run; a ratio is the median over the pairs with its 95 %% interval (bootstrap). CPU is user and
system time of the whole process. The client runs on the same cores, so rates are lower than a machine of its own would give.
`, runtime.NumCPU(), processor(), system(), runtime.Version(), strings.TrimSpace(r.versions))
}

func (r *report) ratios(b *strings.Builder) {
	if len(r.series) == 0 {
		return
	}
	b.WriteString(`The loop decodes, preprocesses and infers with one thread a core and no server: the same code, as a program of its own with
the defaults of kernel and C library. The null server is plain net/http that reads the same body and answers a constant of the same size. The
"floor" is loop CPU + null server CPU. The server sets its threads' timers and policy so that they leave inference alone, and asks for
large pages (docs/adr/0001-engine.md, 0015-go-beside-inference.md); "tuned" is the floor of a loop that does so too: what is left then is what serving
costs by itself. Each pair has processes of its own, which are warmed up first and then take turns, of a quarter of the time where requests are
short, each from a random photo on; the server logs every request, as it does by default. The client is on the same cores; it sends with sendfile and, for this table, waits for a pause when it wakes up (SCHED_BATCH).

| model | photos | concurrency | pairs | CPU ÷ floor | CPU ÷ tuned floor | CPU ÷ loop | rate ÷ loop | server CPU ms | loop CPU ms | tuned loop CPU ms | null CPU ms | rate /s | p50 ms | p99 ms |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
`)
	for _, s := range r.series {
		took := s.took()
		rates := make([]float64, len(s.Pairs))
		for i, p := range s.Pairs {
			rates[i] = p.Server.Rate
		}
		fmt.Fprintf(b, "| %s | %s | %d | %d | %s | %s | %s | %s | %.3f | %.3f | %.3f | %.3f | %.0f | %.1f | %.1f |\n",
			s.Model, s.Photos, s.Concurrency, len(s.Pairs), s.floor(), s.tuned(), s.loop(), s.throughput(),
			ms(s.median(func(p pair) time.Duration { return p.Server.CPU })),
			ms(s.median(func(p pair) time.Duration { return p.Loop.CPU })),
			ms(s.median(func(p pair) time.Duration { return p.Tuned.CPU })),
			ms(s.median(func(p pair) time.Duration { return p.Null.CPU })),
			median(rates), percentile(took, .5), percentile(took, .99))
	}
	for _, s := range r.series {
		if s.Model == "squeezenet" && s.Photos == small && s.Concurrency == 8 {
			fmt.Fprintf(b, "\nBar: squeezenet, %s, concurrency 8, upper end of CPU ÷ floor at most %.2f: %.3f, %s.\n",
				small, floorBar, s.floor().High, verdict(s.floor().High <= floorBar))
		}
	}
}

func (r *report) overloads(b *strings.Builder) {
	if len(r.overload) == 0 {
		return
	}
	goodput, next := make([]float64, len(r.overload)), make([]float64, len(r.overload))
	b.WriteString(`Poisson arrivals at twice the rate that a closed load of 8 had just before (squeezenet, 500 x 375). "Next" is a request sent
when the last of them has been sent and their answers are still outstanding.

| round | peak /s | offered | refused | goodput /s (within 1 s) | goodput ÷ peak | next ms |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: |
`)
	for i, o := range r.overload {
		goodput[i], next[i] = o.Goodput/o.Peak, ms(o.Next)
		fmt.Fprintf(b, "| %d | %.0f | %d | %d | %.0f | %.3f | %.1f |\n", i+1, o.Peak, o.Offered, o.Refused, o.Goodput, goodput[i], next[i])
	}
	g, n := bootstrap(goodput), bootstrap(next)
	fmt.Fprintf(b, "\nBar: goodput ÷ peak at least 0.9: %s, %s. Next answered in under 50 ms: %s ms, %s.\n",
		g, verdict(g.Low >= .9), n, verdict(n.High < 50))
}

func (r *report) larges(b *strings.Builder) {
	if len(r.large) == 0 {
		return
	}
	values := make([]float64, len(r.large))
	b.WriteString(`One thread, in process. "Entropy" is the JPEG decoder at 1/8 and nothing else; "small" is the whole way of a 500 x 375 photo;
"large" the whole way of the 12-megapixel baseline photos. The cost that the size adds is (large - small) ÷ entropy.

| round | entropy ms | small ms | large ms | (large - small) ÷ entropy |
| ---: | ---: | ---: | ---: | ---: |
`)
	for i, l := range r.large {
		values[i] = float64(l.Large-l.Small) / float64(l.Entropy)
		fmt.Fprintf(b, "| %d | %.2f | %.2f | %.2f | %.3f |\n", i+1, ms(l.Entropy), ms(l.Small), ms(l.Large), values[i])
	}
	v := bootstrap(values)
	fmt.Fprintf(b, "\nBar: at most 1.25: %s, %s.\n", v, verdict(v.High <= 1.25))
}

func (r *report) startup(b *strings.Builder) {
	if r.start == nil {
		return
	}
	fmt.Fprintf(b, `Start to the first answer %s s, to ready %s s (%d starts). Memory when idle, both built-in models loaded: PSS %.0f MB.
High-water mark of the servers that this run measured: %.0f MB.
`, r.start.First, r.start.Ready, r.start.First.Pairs, float64(r.start.IdlePSS)/1e6, float64(r.peak)/1e6)
}

func verdict(held bool) string {
	if held {
		return "held"
	}
	return "missed"
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

func system() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + strings.TrimSpace(string(text))
}

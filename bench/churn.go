package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
)

// churn is what a server held after each round of load, infer and unload, in KB.
type churn struct {
	Model string
	RSS   []int64 // VmRSS
	Anon  []int64 // RssAnon: without pages of files
}

const (
	churnRounds = 1000
	churnSettle = 200 // rounds before the slope is taken
	churnBar    = 10  // KB a round
)

// churns loads, asks and unloads two models over and over through a running
// server, each in a server of its own, and writes the curves beside the report.
func (b *bench) churns(ctx context.Context) ([]churn, error) {
	var all []churn
	for _, c := range []struct {
		name  string
		shape []int
		model func() ([]byte, error)
	}{
		{"plus", []int{1, 1}, func() ([]byte, error) { return onnxgen.Plus(1, "N", 1).Bytes(), nil }},
		{"resnet20", []int{1, 3, 32, 32}, b.sharedModel("cifar10-resnet20.onnx")},
		{"squeezenet", []int{1, 3, 224, 224}, b.sharedModel("squeezenet1.1.onnx")},
	} {
		one, err := b.churn(ctx, c.name, c.shape, c.model)
		if err != nil {
			return nil, fmt.Errorf("rounds of %s: %w", c.name, err)
		}
		all = append(all, *one)
	}
	dir := filepath.Dir(b.out)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := writeCurves(filepath.Join(dir, "churn.csv"), all); err != nil {
		return nil, err
	}
	return all, os.WriteFile(filepath.Join(dir, "churn.svg"), drawCurves(all), 0o644)
}

func (b *bench) sharedModel(file string) func() ([]byte, error) {
	return func() ([]byte, error) { return os.ReadFile(filepath.Join(b.shared, "models", file)) }
}

func (b *bench) churn(ctx context.Context, name string, shape []int, model func() ([]byte, error)) (*churn, error) {
	dir, err := os.MkdirTemp("", "goshawk-churn-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	models := filepath.Join(dir, "models")
	onnx, err := model()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(models, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(models, name+".onnx"), onnx, 0o644); err != nil {
		return nil, err
	}
	p, url, err := serve(ctx, b.options.server, filepath.Join(dir, "data"), "--models", models, "--model-control", "explicit")
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.stop() }()
	at := url + "/v2/repository/models/" + name
	if err := command(ctx, at+"/load"); err != nil { // checked once, before the first round
		return nil, err
	}
	ask, err := question(ctx, url+"/v2/models/"+name, shape)
	if err != nil {
		return nil, err
	}
	if err := command(ctx, at+"/unload"); err != nil {
		return nil, err
	}
	c := &churn{Model: name}
	for i := range churnRounds {
		for _, step := range []func() error{
			func() error { return command(ctx, at+"/load") },
			func() error { return ask() },
			func() error { return command(ctx, at+"/unload") },
		} {
			if err := step(); err != nil {
				return nil, err
			}
		}
		rss, err := p.memory("status", "VmRSS")
		if err != nil {
			return nil, err
		}
		anon, err := p.memory("status", "RssAnon")
		if err != nil {
			return nil, err
		}
		c.RSS, c.Anon = append(c.RSS, rss>>10), append(c.Anon, anon>>10)
		if (i+1)%200 == 0 {
			fmt.Fprintf(os.Stderr, "%s: round %d, %d KB\n", name, i+1, rss>>10)
		}
	}
	return c, nil
}

// question makes an inference of zeros for the model's one input.
func question(ctx context.Context, url string, shape []int) (func() error, error) {
	var about struct{ Inputs []struct{ Name string } }
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&about); err != nil || len(about.Inputs) != 1 {
		return nil, fmt.Errorf("%s has not one input: %w", url, err)
	}
	n := 1
	for _, size := range shape {
		n *= size
	}
	body, err := json.Marshal(map[string]any{"inputs": []any{map[string]any{"name": about.Inputs[0].Name, "shape": shape, "datatype": "FP32", "data": make([]float32, n)}}})
	if err != nil {
		return nil, err
	}
	return func() error { return command(ctx, url+"/infer", body...) }, nil
}

// slope fits a line by least squares to the rounds after churnSettle, in KB a round.
func slope(curve []int64) float64 {
	if len(curve) <= churnSettle+1 {
		return math.NaN()
	}
	curve = curve[churnSettle:]
	n := float64(len(curve))
	var sx, sy, sxx, sxy float64
	for i, y := range curve {
		x := float64(i)
		sx, sy, sxx, sxy = sx+x, sy+float64(y), sxx+x*x, sxy+x*float64(y)
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

func writeCurves(path string, all []churn) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := csv.NewWriter(f)
	if err := w.Write([]string{"model", "round", "rss_kb", "rss_anon_kb"}); err != nil {
		return err
	}
	for _, c := range all {
		for i := range c.RSS {
			if err := w.Write([]string{c.Model, strconv.Itoa(i + 1), strconv.FormatInt(c.RSS[i], 10), strconv.FormatInt(c.Anon[i], 10)}); err != nil {
				return err
			}
		}
	}
	w.Flush()
	return w.Error()
}

// drawCurves is a plot of the curves, with the line that is fitted to each.
func drawCurves(all []churn) []byte {
	const width, height, left, bottom, top, right = 800, 440, 60, 40, 90, 20
	most := int64(1)
	for _, c := range all {
		most = max(most, slices.Max(c.RSS))
	}
	high := math.Ceil(float64(most)/1000/20) * 20 // MB, in steps of 20
	x := func(round float64) float64 { return left + round/churnRounds*(width-left-right) }
	y := func(mb float64) float64 { return height - bottom - mb/high*(height-bottom-top) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	for mb := 0.0; mb <= high; mb += 20 {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n", left, y(mb), width-right, left-6, y(mb)+4, mb)
	}
	for round := 0; round <= churnRounds; round += 200 {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", x(float64(round)), height-bottom+18, round)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">rounds of load, infer, unload</text><text x="%d" y="18">resident memory, MB</text>`+"\n", width/2, height-6, left)
	for i, c := range all {
		color := []string{"#1f6fb4", "#c4541b", "#3a8a3a"}[i%3]
		b.WriteString(`<polyline fill="none" stroke-width="1" stroke="` + color + `" points="`)
		for r, kb := range c.RSS {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(float64(r+1)), y(float64(kb)/1000))
		}
		k := slope(c.RSS)
		middle := 0.0
		for _, kb := range c.RSS[churnSettle:] {
			middle += float64(kb) / float64(len(c.RSS)-churnSettle)
		}
		at := func(round float64) float64 {
			return (middle + k*(round-float64(churnSettle+len(c.RSS))/2)) / 1000
		}
		fmt.Fprintf(&b, `"/>`+"\n"+`<path d="M%.1f %.1fL%.1f %.1f" stroke="%s" stroke-width="2" stroke-dasharray="6 4"/>`+"\n",
			x(churnSettle), y(at(churnSettle)), x(churnRounds), y(at(churnRounds)), color)
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s: %+.1f KB a round after round %d</text>`+"\n", left, 38+16*i, color, c.Model, k, churnSettle)
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

func (r *report) churns(b *strings.Builder) {
	if len(r.churn) == 0 {
		return
	}
	fmt.Fprintf(b, `%d rounds of load, one inference and unload through the protocol, for each model in a server of its own, beside the built-in default. Resident memory
(VmRSS) after each unload; the slope is that of a line fitted to all rounds after %d. The curves: [churn.csv](churn.csv), [churn.svg](churn.svg).

| model | after round 1, MB | %d | %d | highest | slope, KB a round | of RssAnon |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
`, churnRounds, churnSettle, churnSettle, churnRounds)
	for _, c := range r.churn {
		mb := func(kb int64) float64 { return float64(kb) / 1000 }
		fmt.Fprintf(b, "| %s | %.1f | %.1f | %.1f | %.1f | %+.2f | %+.2f |\n", c.Model, mb(c.RSS[0]), mb(c.RSS[churnSettle-1]), mb(c.RSS[len(c.RSS)-1]),
			mb(slices.Max(c.RSS)), slope(c.RSS), slope(c.Anon))
	}
	for _, c := range r.churn {
		fmt.Fprintf(b, "\nBar: %s, slope at most %d KB a round: %+.2f, %s.\n", c.Model, churnBar, slope(c.RSS), verdict(slope(c.RSS) <= churnBar))
	}
}

package main

import (
	"fmt"
	"math"
	"os"
	"strings"
)

// curve is one line of a plot, or its points.
type curve struct {
	Name   string
	X, Y   []float64
	Points bool
}

// plot is a picture of curves over one pair of axes, written as SVG: every browser
// and most viewers show it, and nothing has to be installed to draw it.
type plot struct {
	Title, X, Y string
	Curves      []curve
	Lines       map[string]float64 // level lines, by what they mean
	Marks       map[string]float64 // lines across, by what happens there
	Top         float64            // the end of Y; 0 is where the curves end
}

const (
	plotWidth, plotHeight       = 860.0, 420.0
	plotLeft, plotRight         = 70.0, 20.0
	plotTop, plotBottom         = 40.0, 55.0
	plotTicks                   = 6
	plotText, plotGrid, plotRed = "#333", "#ddd", "#c0392b"
)

// plotInks tell curves apart for those who see no colors too: they differ in
// lightness.
var plotInks = []string{"#1f4e79", "#e08214", "#4d9a4d", "#8073ac", "#999999"}

// write draws the plot into a file.
func (p plot) write(path string) error {
	return os.WriteFile(path, []byte(p.svg()), 0o644)
}

func (p plot) svg() string {
	minX, maxX, maxY := p.bounds()
	at := func(x, y float64) (float64, float64) {
		return plotLeft + (x-minX)/(maxX-minX)*(plotWidth-plotLeft-plotRight),
			plotHeight - plotBottom - min(y, maxY)/maxY*(plotHeight-plotTop-plotBottom)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" font-family="sans-serif" font-size="12">`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="%.0f" y="20" font-size="14" fill="%s">%s</text>`+"\n", plotLeft, plotText, escape(p.Title))
	for _, x := range ticks(minX, maxX) {
		px, py := at(x, 0)
		line(&b, px, plotTop, px, py, plotGrid, "")
		label(&b, px, py+18, "middle", number(x))
	}
	for _, y := range ticks(0, maxY) {
		px, py := at(minX, y)
		line(&b, px, py, plotWidth-plotRight, py, plotGrid, "")
		label(&b, px-8, py+4, "end", number(y))
	}
	label(&b, (plotLeft+plotWidth)/2, plotHeight-15, "middle", p.X)
	fmt.Fprintf(&b, `<text transform="translate(16,%.0f) rotate(-90)" text-anchor="middle" fill="%s">%s</text>`+"\n", plotHeight/2, plotText, escape(p.Y))
	for name, y := range p.Lines {
		px, py := at(minX, y)
		line(&b, px, py, plotWidth-plotRight, py, plotRed, "6 4")
		label(&b, plotWidth-plotRight-4, py-5, "end", name)
	}
	for name, x := range p.Marks {
		px, py := at(x, 0)
		line(&b, px, plotTop, px, py, plotRed, "2 3")
		label(&b, px+4, plotTop+12, "start", name)
	}
	for i, c := range p.Curves {
		ink := plotInks[i%len(plotInks)]
		c.draw(&b, at, ink)
		y := plotTop + 16*float64(i+1)
		fmt.Fprintf(&b, `<rect x="%.0f" y="%.0f" width="12" height="4" fill="%s"/>`, plotLeft+10, y+20, ink)
		label(&b, plotLeft+28, y+26, "start", c.Name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (c curve) draw(b *strings.Builder, at func(x, y float64) (float64, float64), ink string) {
	var path strings.Builder
	step := "M"
	for i := range c.X {
		if math.IsNaN(c.Y[i]) { // nothing was measured there
			step = "M"
			continue
		}
		x, y := at(c.X[i], c.Y[i])
		if c.Points {
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="1.6" fill="%s"/>`, x, y, ink)
			continue
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", step, x, y)
		step = "L"
	}
	if path.Len() > 0 {
		fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", path.String(), ink)
	}
}

func (p plot) bounds() (minX, maxX, maxY float64) {
	minX, maxX, maxY = math.Inf(1), math.Inf(-1), p.Top
	for _, c := range p.Curves {
		for i := range c.X {
			minX, maxX = min(minX, c.X[i]), max(maxX, c.X[i])
			if p.Top == 0 && !math.IsNaN(c.Y[i]) {
				maxY = max(maxY, c.Y[i])
			}
		}
	}
	for _, y := range p.Lines {
		if p.Top == 0 {
			maxY = max(maxY, y*1.1)
		}
	}
	if !(minX < maxX) {
		minX, maxX = 0, 1
	}
	if !(maxY > 0) {
		maxY = 1
	}
	return minX, maxX, maxY
}

// ticks are round numbers from low to high.
func ticks(low, high float64) (list []float64) {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/plotTicks)))
	for _, by := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*by) <= plotTicks {
			step *= by
			break
		}
	}
	for x := math.Ceil(low/step) * step; x <= high+step/1e6; x += step {
		list = append(list, x)
	}
	return list
}

func number(x float64) string { return fmt.Sprintf("%.6g", math.Round(x*1e6)/1e6) }

func line(b *strings.Builder, x1, y1, x2, y2 float64, ink, dashes string) {
	fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-dasharray="%s"/>`+"\n", x1, y1, x2, y2, ink, dashes)
}

func label(b *strings.Builder, x, y float64, anchor, text string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`+"\n", x, y, anchor, plotText, escape(text))
}

func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

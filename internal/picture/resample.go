package picture

import (
	"github.com/goshawk-ai/goshawk/internal/picture/turbo"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

const half = 1 << (turbo.Precision - 1)

// resample is turbo's Run in Go: the same numbers in the same order, for
// machines without a C compiler and as the text that the C code is held to.
func resample(r *turbo.Resample) error {
	if err := r.Check(); err != nil {
		return err
	}
	width, colors := len(r.X.Start), 3
	if r.Channels == 1 || r.Gray {
		colors = 1
	}
	n := width * colors
	row := r.Row[:n]
	taps, start := r.Y.Taps, r.Y.Start
	acc := func(i int) []int32 { at := i % r.Y.Slots * n; return r.Acc[at : at+n : at+n] }
	for y, done, open := int(start[0]), 0, 0; done < len(start); y++ {
		if done == open {
			y = max(y, int(start[open])) // without antialiasing whole rows are of no use
		}
		horizontal(r, r.Origin+y*r.StepY, row)
		for i := done; i < open; i++ {
			if k := r.Y.Coef[i*taps+y-int(start[i])]; k != 0 {
				addRow(acc(i), row, k)
			}
		}
		for ; open < len(start) && int(start[open]) == y; open++ {
			firstRow(acc(open), row, r.Y.Coef[open*taps])
		}
		for ; done < open && int(start[done])+taps-1 == y; done++ {
			finish(row, acc(done))
			emit(r, row, colors, done)
		}
	}
	return nil
}

// horizontal resizes the source row that begins at the offset line.
func horizontal(r *turbo.Resample, line int, row []byte) {
	switch {
	case r.Channels == 1:
		horizontalGray(r, line, row)
	case r.Gray:
		horizontalLuma(r, line, row)
	case r.Channels == 3:
		horizontalColor(r, line, row)
	default:
		horizontalAlpha(r, line, row)
	}
}

// gray is Pillow's L of the color at the beginning of p.
func gray(p []byte, r *turbo.Resample) int32 {
	if r.Channels == 3 {
		return int32(luma(p[0], p[1], p[2]))
	}
	return int32(luma(uint8(over(p[0], p[3], r.Background[0])), uint8(over(p[1], p[3], r.Background[1])), uint8(over(p[2], p[3], r.Background[2]))))
}

func horizontalLuma(r *turbo.Resample, line int, row []byte) {
	for x, s := range r.X.Start {
		at, sum := line+int(s)*r.StepX, int32(half)
		for _, k := range r.X.Coef[x*r.X.Taps : (x+1)*r.X.Taps] {
			sum += gray(r.Pix[at:], r) * k
			at += r.StepX
		}
		row[x] = clip(sum)
	}
}

func horizontalGray(r *turbo.Resample, line int, row []byte) {
	for x, s := range r.X.Start {
		at, sum := line+int(s)*r.StepX, int32(half)
		for _, k := range r.X.Coef[x*r.X.Taps : (x+1)*r.X.Taps] {
			sum += int32(r.Pix[at]) * k
			at += r.StepX
		}
		row[x] = clip(sum)
	}
}

func horizontalColor(r *turbo.Resample, line int, row []byte) {
	pix, step, taps := r.Pix, r.StepX, r.X.Taps
	coef := r.X.Coef
	for _, s := range r.X.Start {
		at := line + int(s)*step
		red, green, blue := int32(half), int32(half), int32(half)
		for _, k := range coef[:taps] {
			p := pix[at : at+3 : at+3]
			red += int32(p[0]) * k
			green += int32(p[1]) * k
			blue += int32(p[2]) * k
			at += step
		}
		coef = coef[taps:]
		row[0], row[1], row[2] = clip(red), clip(green), clip(blue)
		row = row[3:]
	}
}

func horizontalAlpha(r *turbo.Resample, line int, row []byte) {
	for x, s := range r.X.Start {
		at, sum := line+int(s)*r.StepX, [3]int32{half, half, half}
		for _, k := range r.X.Coef[x*r.X.Taps : (x+1)*r.X.Taps] {
			p := r.Pix[at : at+4 : at+4]
			for c := range sum {
				sum[c] += over(p[c], p[3], r.Background[c]) * k
			}
			at += r.StepX
		}
		row[3*x], row[3*x+1], row[3*x+2] = clip(sum[0]), clip(sum[1]), clip(sum[2])
	}
}

// over puts a pixel's value over the background, with the rounded quotient by
// 255 that Pillow's paste with a mask has.
func over(v, alpha, under uint8) int32 {
	t := int32(v)*int32(alpha) + int32(under)*int32(255-alpha) + 128
	return (t + t>>8) >> 8
}

func clip(sum int32) uint8 {
	v := sum >> turbo.Precision
	if uint32(v) > 255 {
		if v < 0 {
			return 0
		}
		return 255
	}
	return uint8(v)
}

func firstRow(acc []int32, row []byte, k int32) {
	acc = acc[:len(row)]
	for i, v := range row {
		acc[i] = half + int32(v)*k
	}
}

func addRow(acc []int32, row []byte, k int32) {
	acc = acc[:len(row)]
	for i, v := range row {
		acc[i] += int32(v) * k
	}
}

func finish(row []byte, acc []int32) {
	acc = acc[:len(row)]
	for i := range row {
		row[i] = clip(acc[i])
	}
}

// luma is Pillow's L of a color.
func luma(r, g, b uint8) uint8 {
	return uint8((uint32(r)*19595 + uint32(g)*38470 + uint32(b)*7471 + 0x8000) >> 16)
}

// emit writes the finished row y into the tensor.
func emit(r *turbo.Resample, row []byte, colors, y int) {
	switch r.Elem {
	case 1:
		scatter(r, row, colors, y, r.Dst, r.Table)
	case 2:
		scatter(r, row, colors, y, tensor.View[uint16](r.Dst), tensor.View[uint16](r.Table))
	case 4:
		scatter(r, row, colors, y, tensor.View[uint32](r.Dst), tensor.View[uint32](r.Table))
	case 8:
		scatter(r, row, colors, y, tensor.View[uint64](r.Dst), tensor.View[uint64](r.Table))
	}
}

func scatter[T uint8 | uint16 | uint32 | uint64](r *turbo.Resample, row []byte, colors, y int, dst, table []T) {
	for c := range r.Planes {
		t := (*[256]T)(table[256*c:])
		at := c*r.PlaneStep + y*r.RowStep
		for x := r.Source[c]; x < len(row); x += colors {
			dst[at] = t[row[x]]
			at += r.ColStep
		}
	}
}

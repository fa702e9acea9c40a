package picture

// invert undoes the transform on the first height rows of pix, whose rows have
// the width that the transform gives.
func (t *transform) invert(pix []byte, height int) {
	switch t.kind {
	case predictorTransform:
		t.predict(pix, height)
	case colorTransform:
		t.recolor(pix, height)
	case greenTransform:
		for i := 0; i < 4*t.width*height; i += 4 {
			pix[i] += pix[i+1]
			pix[i+2] += pix[i+1]
		}
	case indexTransform:
		t.unpack(pix, height)
	}
}

// unpack turns indices, several to a pixel where there are few colors, into
// colors. It runs from the last pixel to the first, since they lie packed at
// the beginning of the same memory.
func (t *transform) unpack(pix []byte, height int) {
	packed := blocks(t.width, t.bits)
	size := uint(8) >> t.bits
	inPixel := 1<<t.bits - 1
	for y := height - 1; y >= 0; y-- {
		for x := t.width - 1; x >= 0; x-- {
			green := pix[4*(y*packed+x>>t.bits)+1]
			index := green >> (uint(x&inPixel) * size) & byte(1<<size-1)
			copy(pix[4*(y*t.width+x):][:4], t.data[4*int(index):])
		}
	}
}

func (t *transform) recolor(pix []byte, height int) {
	wide := blocks(t.width, t.bits)
	for y := range height {
		row := pix[4*y*t.width:][:4*t.width]
		for x := range t.width {
			m := t.data[4*(y>>t.bits*wide+x>>t.bits):]
			p := row[4*x:][:4]
			p[0] += shiftBy(m[2], p[1])
			p[2] += shiftBy(m[1], p[1]) + shiftBy(m[0], p[0])
		}
	}
}

// shiftBy multiplies a color by a weight in 32nds, both signed.
func shiftBy(weight, color byte) byte {
	return byte(int(int8(weight)) * int(int8(color)) >> 5)
}

// predict adds to each pixel what its neighbors foretell. The border has rules
// of its own; the pixel to the right above the last one of a row is the first
// of the row itself, which is where memory goes on.
func (t *transform) predict(pix []byte, height int) {
	n := 4 * t.width
	addPixel(pix[:4], [4]byte{0, 0, 0, 255})
	for i := 4; i < n; i++ {
		pix[i] += pix[i-4]
	}
	wide := blocks(t.width, t.bits)
	for y := 1; y < height; y++ {
		at := y * n
		for c := range 4 {
			pix[at+c] += pix[at-n+c]
		}
		for x := 1; x < t.width; x++ {
			mode := t.data[4*(y>>t.bits*wide+x>>t.bits)+1] & 15
			i := at + 4*x
			addPixel(pix[i:i+4], prediction(mode, pix[i-4:i], pix[i-n-4:i-n+8]))
		}
	}
}

func addPixel(p []byte, v [4]byte) {
	for c := range 4 {
		p[c] += v[c]
	}
}

// prediction by mode, from the pixel to the left and the three above.
func prediction(mode byte, left, above []byte) (v [4]byte) {
	corner, top, right := above[0:4], above[4:8], above[8:12]
	switch mode {
	case 11:
		return nearer(left, top, corner)
	case 0, 14, 15:
		return [4]byte{0, 0, 0, 255}
	}
	for c := range 4 {
		l, t, tl, tr := left[c], top[c], corner[c], right[c]
		switch mode {
		case 1:
			v[c] = l
		case 2:
			v[c] = t
		case 3:
			v[c] = tr
		case 4:
			v[c] = tl
		case 5:
			v[c] = mean(mean(l, tr), t)
		case 6:
			v[c] = mean(l, tl)
		case 7:
			v[c] = mean(l, t)
		case 8:
			v[c] = mean(tl, t)
		case 9:
			v[c] = mean(t, tr)
		case 10:
			v[c] = mean(mean(l, tl), mean(t, tr))
		case 12:
			v[c] = clamp8(int32(l) + int32(t) - int32(tl))
		case 13:
			m := int32(mean(l, t))
			v[c] = clamp8(m + (m-int32(tl))/2)
		}
	}
	return v
}

func mean(a, b byte) byte { return byte((int(a) + int(b)) / 2) }

// nearer is the left or the upper pixel, whichever is nearer to left + top - corner.
func nearer(left, top, corner []byte) [4]byte {
	toLeft, toTop := 0, 0
	for c := range 4 {
		toLeft += abs(int(top[c]) - int(corner[c]))
		toTop += abs(int(left[c]) - int(corner[c]))
	}
	if toLeft < toTop {
		return [4]byte(left)
	}
	return [4]byte(top)
}

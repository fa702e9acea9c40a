package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

func paletted(m image.Image) *image.Paletted {
	p := image.NewPaletted(m.Bounds(), palette.WebSafe)
	draw.Draw(p, p.Bounds(), m, m.Bounds().Min, draw.Src)
	return p
}

func encodeGIF(t testing.TB, g *gif.GIF) []byte {
	t.Helper()
	for range g.Image {
		g.Delay = append(g.Delay, 5)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGIFFirstFrame(t *testing.T) {
	first := paletted(scene(64, 48))
	second := image.NewPaletted(first.Bounds(), palette.WebSafe)
	data := encodeGIF(t, &gif.GIF{Image: []*image.Paletted{first, second}})
	img := mustDecode(t, newDecoder(t, "go"), data, 1)
	if img.Channels != 3 {
		t.Errorf("got %d channels, want 3: nothing is transparent", img.Channels)
	}
	sameImage(t, img, first, 0)
}

func TestGIFFrameOnCanvas(t *testing.T) {
	p := color.Palette{color.NRGBA{9, 9, 9, 255}, color.NRGBA{200, 0, 0, 255}, color.NRGBA{}}
	frame := image.NewPaletted(image.Rect(3, 2, 8, 6), p)
	for i := range frame.Pix {
		frame.Pix[i] = 1
	}
	frame.Pix[0] = 2
	data := encodeGIF(t, &gif.GIF{Image: []*image.Paletted{frame}, Config: image.Config{Width: 20, Height: 10, ColorModel: p}})
	img := mustDecode(t, newDecoder(t, "go"), data, 1)
	if img.Width != 20 || img.Height != 10 || img.Channels != 4 {
		t.Fatalf("got %d x %d with %d channels, want 20 x 10 with 4", img.Width, img.Height, img.Channels)
	}
	for at, want := range map[image.Point]byte{{X: 0, Y: 0}: 0, {X: 3, Y: 2}: 0, {X: 4, Y: 2}: 255, {X: 7, Y: 5}: 255, {X: 8, Y: 5}: 0} {
		if got := img.at(at.X, at.Y).A; got != want {
			t.Errorf("alpha at %v is %d, want %d", at, got, want)
		}
	}
	// A screen that claims less than the frame needs gives way.
	small := bytes.Clone(data)
	copy(small[6:], []byte{0, 0, 0, 0})
	if img = mustDecode(t, newDecoder(t, "go"), small, 1); img.Width != 8 || img.Height != 6 {
		t.Errorf("with a screen of 0 x 0 got %d x %d, want 8 x 6", img.Width, img.Height)
	}
}

// gifFrame is the offset of the first frame, which has a palette of its own.
func gifFrame(data []byte) int {
	_, pos := colorTable(data, 13, data[10])
	for data[pos] == 0x21 {
		pos, _ = skipBlocks(data, pos+2)
	}
	return pos
}

func TestGIFInterlaced(t *testing.T) {
	for _, h := range []int{1, 2, 7, 8, 9, 48} {
		want := paletted(scene(30, h))
		shuffled := image.NewPaletted(want.Bounds(), want.Palette)
		i := 0
		for _, p := range [][2]int{{0, 8}, {4, 8}, {2, 4}, {1, 2}} {
			for y := p[0]; y < h; y += p[1] {
				copy(shuffled.Pix[i*30:], want.Pix[y*30:y*30+30])
				i++
			}
		}
		data := encodeGIF(t, &gif.GIF{Image: []*image.Paletted{shuffled}})
		data[gifFrame(data)+9] |= 0x40
		sameImage(t, mustDecode(t, newDecoder(t, "go"), data, 1), want, 0)
	}
}

func TestGIFRefusals(t *testing.T) {
	whole := encodeGIF(t, &gif.GIF{Image: []*image.Paletted{paletted(scene(64, 48))}})
	frame := gifFrame(whole)
	table := 3 << (whole[frame+9]&7 + 1)
	edit := func(at int, v ...byte) []byte {
		c := bytes.Clone(whole)
		copy(c[at:], v)
		return c
	}
	for name, c := range map[string]struct {
		data  []byte
		kind  *problem.Kind
		words string
	}{
		"header only":   {whole[:12], problem.PictureDamaged, "header"},
		"no frame":      {append(bytes.Clone(whole[:frame]), 0x3b), problem.PictureDamaged, "no picture"},
		"cut":           {whole[:len(whole)-40], problem.PictureDamaged, "cut off at row"},
		"0 x 0 frame":   {edit(frame+5, 0, 0, 0, 0), problem.PictureDamaged, "0 x 0"},
		"huge frame":    {edit(frame+5, 0xff, 0xff, 0xff, 0xff), problem.TooManyPixels, "65535 x 65535"},
		"far frame":     {edit(frame+1, 0xff, 0xff, 0xff, 0xff), problem.TooManyPixels, "65599 x 65583"},
		"huge screen":   {edit(6, 0xff, 0xff, 0xff, 0xff), problem.TooManyPixels, "65535 x 65535"},
		"code size 12":  {edit(frame+10+table, 12), problem.PictureDamaged, "12 bits"},
		"garbage":       {edit(frame+12+table, bytes.Repeat([]byte{0xff}, 200)...), problem.PictureDamaged, "row"},
		"version 99z":   {edit(3, '9', '9', 'z'), problem.NotAPicture, "JPEG, PNG, WebP"},
		"comment only":  {append(bytes.Clone(whole[:frame]), 0x21, 0xfe, 255, 'x'), problem.PictureDamaged, "cut off"},
		"rows missing":  {edit(frame+11+table, 20, 0), problem.PictureDamaged, "row"},
		"too wide code": {edit(frame+10+table, 255), problem.PictureDamaged, "255 bits"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(newDecoder(t, "go"), c.data, 1)
			wantProblem(t, err, c.kind, c.words)
		})
	}
}

func TestGIFFramesAreBounded(t *testing.T) {
	g := &gif.GIF{}
	for range 5 {
		g.Image = append(g.Image, paletted(scene(4, 4)))
	}
	data := encodeGIF(t, g)
	lim := DefaultLimits
	lim.Frames = 5
	if _, err := Inspect(data, lim); err != nil {
		t.Fatalf("as many frames as the limit: %v", err)
	}
	lim.Frames = 4
	_, err := Inspect(data, lim)
	wantProblem(t, err, problem.TooManyPixels, "more than 4 frames")
}

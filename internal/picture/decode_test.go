package picture

import (
	"bytes"
	"context"
	"errors"
	"image"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/picture/turbo"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestNewDecoderKinds(t *testing.T) {
	_, missing := turbo.Open()
	d, err := NewDecoder("turbo")
	switch {
	case missing != nil && (err == nil || !strings.Contains(err.Error(), "libturbojpeg0") || !strings.Contains(err.Error(), "jpeg_decoder")):
		t.Errorf("without the library: got %v, want a sentence that names the package and the setting", err)
	case missing == nil && (err != nil || !strings.HasPrefix(d.Name(), "libjpeg-turbo")):
		t.Errorf("with the library: got %v", err)
	}
	if auto := newDecoder(t, "auto"); (auto.Name() == "go") != (missing != nil) {
		t.Errorf("auto took %q", auto.Name())
	}
	if _, err := NewDecoder("libvips"); err == nil || !strings.Contains(err.Error(), `"libvips"`) {
		t.Errorf("an unknown kind: got %v, want a sentence that quotes it", err)
	}
}

// samples are pictures of every format, and of the variants that take other
// ways through the code.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	m := scene(24, 18)
	bmp := bmpFile{w: 9, h: 5, depth: 24, header: 40}
	bmp.rows(func(x, y int) uint32 { return uint32(x*y) * 977 })
	tiff := newTIFF(9, 6).set(tagPhotometric, 2).set(tagSamples, 3).set(tagCompression, 5).set(tagRows, 2).set(tagPredictor, 2)
	for range 3 {
		tiff.chunks = append(tiff.chunks, literalLZW(tiffGray(9, 6)))
	}
	fax := newTIFF(16, 3).set(tagBits, 1).set(tagCompression, 4)
	fax.chunks = [][]byte{{0xe0, 0x02, 0x00, 0x20}}
	pieces := newTIFF(24, 18).set(tagPhotometric, 6).set(tagSamples, 3).set(tagCompression, 7)
	pieces.chunks = [][]byte{encodeJPEG(t, m)}
	apng := grayPNG(9, 7)
	apng.interlaced, apng.depth = true, 4
	apng.sample = func(x, y, c int) uint16 { return spread(x, y, c) & 15 }
	return map[string][]byte{
		"jpeg":             encodeJPEG(t, m),
		"jpeg grey":        flatJPEG{w: 20, h: 20, sampling: []byte{0x11}}.encode(),
		"jpeg progressive": flatJPEG{w: 20, h: 20, sampling: []byte{0x22, 0x11, 0x11}, progressive: true, scans: 3}.encode(),
		"jpeg cmyk":        flatJPEG{w: 20, h: 20, sampling: []byte{0x11, 0x11, 0x11, 0x11}, adobe: 1}.encode(),
		"png":              encodePNG(t, m),
		"png interlaced":   apng.encode(),
		"gif":              encodeGIF(t, gifOf(image.Rect(0, 0, 5, 3))),
		"bmp":              bmp.encode(),
		"bmp rle":          rle(8, 1, 4, 1, 0, 0, 0, 3, 2, 3, 4, 0, 1, 5, 0, 2, 1, 0, 2, 7, 0, 1).encode(),
		"tiff":             tiff.encode(),
		"tiff fax":         fax.encode(),
		"tiff jpeg":        pieces.encode(),
		"webp lossy":       readTestdata(t, "lossy-alpha.webp"),
		"webp lossless":    readTestdata(t, "palette4.webp"),
		"webp animated":    readTestdata(t, "animated.webp"),
	}
}

// decodersFor leaves out one of them where the sample has nothing of JPEG.
func decodersFor(t testing.TB, sample string) []*Decoder {
	ds := decoders(t)
	if !strings.Contains(sample, "jpeg") {
		return ds[:1]
	}
	return ds
}

// checkAttempt decodes whatever it is given and complains of everything but a
// picture or a problem.
func checkAttempt(t testing.TB, d *Decoder, data []byte, lim Limits) {
	t.Helper()
	info, err := Inspect(data, lim)
	if err == nil {
		if int64(info.Width)*int64(info.Height) > lim.Pixels || info.Width < 1 || info.Height < 1 || info.Orientation < 1 || info.Orientation > 8 {
			t.Fatalf("Inspect lets %d x %d pixels with orientation %d through", info.Width, info.Height, info.Orientation)
		}
		scales := d.scales(info)
		p := plan(d, info, scales[len(data)%len(scales)])
		img := &Image{}
		err = d.Decode(context.Background(), data, info, p, img)
		if err == nil && (len(img.Pix) != img.Width*img.Height*img.Channels || img.Width != p.Width || img.Height != p.Height || int64(cap(img.Pix)) > p.Bytes) {
			t.Fatalf("%d bytes for %d x %d x %d, planned %+v", len(img.Pix), img.Width, img.Height, img.Channels, p)
		}
		if err == nil {
			wantNothingStale(t, d, data, info, p, img)
		} else if len(img.Pix) != 0 {
			t.Fatalf("after %q there are still %d bytes of some picture", err, len(img.Pix))
		}
	}
	if err == nil {
		return
	}
	if p, ok := errors.AsType[*problem.Problem](err); !ok || p.Detail == "" {
		t.Fatalf("the error is no problem: %v", err)
	}
	if cause := errors.Unwrap(err); cause != nil && strings.Contains(cause.Error(), "panicked") {
		t.Fatalf("a decoder panicked: %v", cause)
	}
}

func TestEveryTruncation(t *testing.T) {
	for name, data := range samples(t) {
		for _, d := range decodersFor(t, name) {
			if _, err := decode(d, data, 1); err != nil {
				t.Fatalf("%s: the whole picture: %v", name, err)
			}
			for n := range data {
				checkAttempt(t, d, data[:n:n], DefaultLimits)
			}
		}
	}
}

func TestEveryByteDamaged(t *testing.T) {
	lim := Limits{Bytes: 1 << 20, Pixels: 1 << 16, Decoded: 4 << 20, Frames: 10, Scans: 10}
	for name, data := range samples(t) {
		for _, d := range decodersFor(t, name) {
			for i := range data {
				for _, x := range []byte{0xff, 0x01, 0x80} {
					bad := bytes.Clone(data)
					bad[i] ^= x
					checkAttempt(t, d, bad, lim)
				}
			}
		}
	}
}

func TestInspectLimitsAreInclusive(t *testing.T) {
	data := grayPNG(20, 10).encode()
	lim := Limits{Bytes: int64(len(data)), Pixels: 200, Decoded: 1 << 20, Frames: 1, Scans: 1}
	if _, err := Inspect(data, lim); err != nil {
		t.Fatalf("at every limit: %v", err)
	}
	tight := lim
	tight.Bytes--
	_, err := Inspect(data, tight)
	wantProblem(t, err, problem.PictureTooLarge, "at most")
	if got := problem.Of(err).Extensions["limit_bytes"]; got != tight.Bytes {
		t.Errorf("limit_bytes is %v, want %d", got, tight.Bytes)
	}
	tight = lim
	tight.Pixels--
	_, err = Inspect(data, tight)
	wantProblem(t, err, problem.TooManyPixels, "20 x 10 = 200 pixels")
	tight = lim
	tight.Decoded = 1000
	_, err = Inspect(data, tight)
	wantProblem(t, err, problem.TooManyPixels, "memory")
}

// What Decode allocates must have been promised, with files right at a limit:
// the budget that admits pictures rests on it.
func TestCostIsNeverLessThanAllocated(t *testing.T) {
	deep := pngFile{w: 401, h: 299, depth: 16, color: pngRGBA, sample: spread}
	woven := deep
	woven.interlaced = true
	ycc, gris := []byte{0x22, 0x11, 0x11}, []byte{0x11}
	planes := newTIFF(1000, 1000).set(tagPhotometric, 2).set(tagSamples, 3).set(tagPlanar, 2).set(tagCompression, 8)
	for range 3 {
		planes.chunks = append(planes.chunks, deflated(make([]byte, 1000*1000)))
	}
	pieces := newTIFF(1000, 1000).set(tagPhotometric, 6).set(tagSamples, 3).set(tagCompression, 7)
	pieces.chunks = [][]byte{flatJPEG{w: 1000, h: 1000, sampling: ycc}.encode()}
	fax := newTIFF(4000, 250).set(tagBits, 1).set(tagCompression, 4).set(tagRows, 1)
	for range 250 {
		fax.chunks = append(fax.chunks, []byte{0x80, 0x08, 0, 0x80})
	}
	bmp := bmpFile{w: 1000, h: 1000, depth: 24, header: 40, data: make([]byte, 3000*1000)}
	files := map[string][]byte{
		"png grey":          grayPNG(1000, 1000).encode(),
		"png wide":          grayPNG(1000000, 1).encode(),
		"png high":          grayPNG(1, 65000).encode(),
		"png 16 bits":       deep.encode(),
		"png interlaced":    woven.encode(),
		"jpeg 4:2:0":        flatJPEG{w: 1000, h: 1000, sampling: ycc}.encode(),
		"jpeg 4:4:4":        flatJPEG{w: 1000, h: 1000, sampling: []byte{0x11, 0x11, 0x11}}.encode(),
		"jpeg 4:1:0":        flatJPEG{w: 1001, h: 999, sampling: []byte{0x42, 0x11, 0x11}}.encode(),
		"jpeg RGB":          flatJPEG{w: 1000, h: 1000, sampling: []byte{0x11, 0x11, 0x11}, adobe: 1}.encode(),
		"jpeg CMYK":         flatJPEG{w: 1000, h: 1000, sampling: []byte{0x22, 0x11, 0x11, 0x22}, adobe: 3}.encode(),
		"jpeg grey":         flatJPEG{w: 1000, h: 1000, sampling: gris}.encode(),
		"jpeg wide":         flatJPEG{w: 65000, h: 9, sampling: ycc}.encode(),
		"jpeg high":         flatJPEG{w: 9, h: 65000, sampling: ycc}.encode(),
		"jpeg progressive":  flatJPEG{w: 1000, h: 1000, sampling: ycc, progressive: true}.encode(),
		"jpeg prog. grey":   flatJPEG{w: 1000, h: 1000, sampling: gris, progressive: true}.encode(),
		"jpeg prog. CMYK":   flatJPEG{w: 500, h: 500, sampling: []byte{0x11, 0x11, 0x11, 0x11}, adobe: 1, progressive: true}.encode(),
		"jpeg scans apart":  flatJPEG{w: 1000, h: 1000, sampling: ycc, separate: true}.encode(),
		"gif":               encodeGIF(t, gifOf(image.Rect(0, 0, 1000, 900))),
		"tiff planes":       planes.encode(),
		"tiff jpeg":         pieces.encode(),
		"tiff fax":          fax.encode(),
		"bmp":               bmp.encode(),
		"webp lossy":        readTestdata(t, "lossy.webp"),
		"webp alpha":        readTestdata(t, "lossy-alpha.webp"),
		"webp lossless":     readTestdata(t, "lossless-photo.webp"),
		"webp many codes":   webpOfManyCodes(),
		"webp frame inside": webpFrameInside(t),
	}
	for name, data := range files {
		for _, kind := range []string{"go", "auto"} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				d := newDecoder(t, kind) // fresh: its scratch counts too
				info, err := Inspect(data, DefaultLimits)
				if err != nil {
					t.Fatal(err)
				}
				for _, scale := range d.scales(info) {
					p := plan(d, info, scale)
					took := allocated(t, d, data, info, p)
					if took > p.Bytes {
						t.Errorf("at 1:%d Decode allocated %d bytes, but the plan promised %d", scale, took, p.Bytes)
					}
				}
			})
		}
	}
}

// allocated is all that a decode allocates, garbage too.
func allocated(t *testing.T, d *Decoder, data []byte, info Info, p Plan) int64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := d.Decode(context.Background(), data, info, p, &Image{})
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	return int64(after.TotalAlloc - before.TotalAlloc)
}

func TestDecodeReusesMemory(t *testing.T) {
	big, small := grayPNG(300, 200).encode(), encodePNG(t, scene(30, 20))
	d := newDecoder(t, "go")
	img := &Image{}
	for _, data := range [][]byte{big, small, big} {
		info, err := Inspect(data, DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		before := cap(img.Pix)
		if err := d.Decode(context.Background(), data, info, plan(d, info, 1), img); err != nil {
			t.Fatal(err)
		}
		if before >= 60000 && cap(img.Pix) != before {
			t.Errorf("Pix of %d bytes was thrown away", before)
		}
	}
}

// The steady state makes no garbage worth mention: what is kept between
// pictures must really be used again.
func TestDecodeAllocatesLittle(t *testing.T) {
	bmp := bmpFile{w: 300, h: 200, depth: 24, header: 40, data: make([]byte, 900*200)}
	files := map[string][]byte{"bmp": bmp.encode(), "png": grayPNG(300, 200).encode(), "gif": encodeGIF(t, gifOf(image.Rect(0, 0, 300, 200)))}
	d := newDecoder(t, "auto")
	if d.Name() != "go" {
		files["jpeg"] = encodeJPEG(t, scene(300, 200))
	}
	for name, data := range files {
		info, err := Inspect(data, DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		img := &Image{}
		perRun := testing.AllocsPerRun(20, func() {
			if err := d.Decode(context.Background(), data, info, plan(d, info, 1), img); err != nil {
				t.Fatal(err)
			}
		})
		if perRun > 8 {
			t.Errorf("%s: a decode into a kept image makes %.0f allocations, want a few small ones", name, perRun)
		}
	}
}

func TestDecodeStopsWhenCancelled(t *testing.T) {
	reason := errors.New("the client went away")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(reason)
	for name, data := range samples(t) {
		info, err := Inspect(data, DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range decoders(t) {
			if err := d.Decode(ctx, data, info, plan(d, info, 1), &Image{}); !errors.Is(err, reason) {
				t.Errorf("%s: got %v, want the cause of the cancellation", name, err)
			}
		}
	}
}

// stopsAfter is a context that ends after so many questions.
type stopsAfter struct {
	context.Context
	left int
}

func (s *stopsAfter) Err() error {
	if s.left--; s.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestDecodeStopsBetweenRows(t *testing.T) {
	d := newDecoder(t, "go")
	big := flatJPEG{w: 3000, h: 3000, sampling: []byte{0x11}}.encode()
	for name, data := range map[string][]byte{
		"png": grayPNG(50, 50).encode(), "gif": encodeGIF(t, gifOf(image.Rect(0, 0, 50, 50))), "jpeg": big, "webp": readTestdata(t, "lossless-photo.webp"),
	} {
		info, err := Inspect(data, DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		ctx := &stopsAfter{context.Background(), 2}
		if err := d.Decode(ctx, data, info, plan(d, info, 1), &Image{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want to be stopped on the way", name, err)
		}
	}
}

func TestDecodeManyAtATime(t *testing.T) {
	all := samples(t)
	for _, d := range decoders(t) {
		want := map[string][]byte{}
		for name, data := range all {
			want[name] = mustDecode(t, d, data, 1).Pix
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for name, data := range all {
					img, err := decode(d, data, 1)
					if err != nil || !bytes.Equal(img.Pix, want[name]) {
						t.Errorf("%s: %s decodes differently beside others (%v)", d.Name(), name, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestDecodeRefusesForeignPlans(t *testing.T) {
	d := newDecoder(t, "go")
	data := grayPNG(5, 5).encode()
	info, err := Inspect(data, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Decode(context.Background(), data, info, Plan{Scale: 8}, &Image{}); err == nil {
		t.Error("a PNG was decoded at 1:8")
	}
	if err := d.Decode(context.Background(), data, Info{}, Plan{Scale: 1}, &Image{}); err == nil {
		t.Error("an Info that Inspect did not make was taken")
	}
}

func TestFitsHoldsTheLimitOfInspect(t *testing.T) {
	data := flatJPEG{w: 1000, h: 1000, sampling: []byte{0x22, 0x11, 0x11}}.encode()
	lim := DefaultLimits
	lim.Decoded = 2e6
	info, err := Inspect(data, lim)
	if err != nil {
		t.Fatalf("shrunk it fits, so Inspect must let it through: %v", err)
	}
	d := newDecoder(t, "auto")
	wantProblem(t, d.Fits(info, plan(d, info, 1)), problem.TooManyPixels, "at most 2MB")
	err = d.Decode(context.Background(), data, info, plan(d, info, 1), &Image{})
	wantProblem(t, err, problem.TooManyPixels, "at most 2MB")
}

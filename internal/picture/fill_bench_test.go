package picture

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/picture/turbo"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// imagenet is the recipe of the built-in model: the hot path.
func imagenet() Recipe {
	return Recipe{
		Background: [3]uint8{255, 255, 255},
		Resize:     Resize{Mode: ShortSide, Height: 256, Filter: Bilinear, Antialias: true},
		Crop:       Crop{Width: 224, Height: 224},
		Color:      RGB, Layout: NCHW, Type: tensor.Float32, Width: 224, Height: 224,
		Rescale: 1. / 255, Mean: [3]float64{0.485, 0.456, 0.406}, Std: [3]float64{0.229, 0.224, 0.225},
	}
}

// noise is a picture without any structure that could hide a mistake.
func noise(w, h, channels, orientation int, seed uint64) *Image {
	img := &Image{Pix: make([]byte, w*h*channels), Width: w, Height: h, Channels: channels, Orientation: orientation}
	random := rand.New(rand.NewPCG(seed, 1))
	for i := range img.Pix {
		img.Pix[i] = byte(random.Uint32())
	}
	return img
}

func BenchmarkFill(b *testing.B) {
	kernels := map[string]func(*turbo.Resample) error{"go": resample}
	if turbo.Native {
		kernels["c"] = (*turbo.Resample).Run
	}
	for _, size := range [][2]int{{500, 375}, {534, 356}, {4272, 2848}} {
		for _, channels := range []int{1, 3, 4} {
			for name, kernel := range kernels {
				b.Run(fmt.Sprintf("%dx%d/%dch/%s", size[0], size[1], channels, name), func(b *testing.B) {
					recipe, s := imagenet(), new(Scratch)
					p, err := recipe.Prepare()
					if err != nil {
						b.Fatal(err)
					}
					img, dst := noise(size[0], size[1], channels, 1, 1), tensor.Aligned(recipe.RowBytes())
					b.ReportAllocs()
					before := cpu(b)
					for b.Loop() {
						if err := p.fill(dst, img, s, kernel); err != nil {
							b.Fatal(err)
						}
					}
					// On a busy machine the wall clock says little.
					b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
				})
			}
		}
	}
}

// cpu is the process's time on processors, in nanoseconds.
func cpu(b *testing.B) int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

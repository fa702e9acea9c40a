package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

// small renders a scene at a tenth of its size, which takes a hundredth of the time.
func small(s *scene) *image.RGBA {
	s.width, s.height = s.width/10, s.height/10
	return s.render()
}

// The committed pictures must be what this source draws: otherwise nobody could
// tell where they come from. Sizes, grain and JPEG differ, so that a mean is compared.
func TestTheCommittedPicturesComeFromHere(t *testing.T) {
	for i, s := range scenes() {
		data, err := os.ReadFile(filepath.Join("..", s.name+".jpg"))
		if err != nil {
			t.Fatal(err)
		}
		committed, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if got := committed.Bounds().Size(); got.X != s.width || got.Y != s.height {
			t.Errorf("%s is %v, its scene is %d x %d", s.name, got, s.width, s.height)
			continue
		}
		drawn := small(s)
		if again := small(scenes()[i]); !bytes.Equal(drawn.Pix, again.Pix) {
			t.Errorf("%s differs from one rendering to the next", s.name)
		}
		if off := meanDifference(drawn, committed); off > 5 {
			t.Errorf("%s is %.1f levels off what the source draws; run: go run ./examples/scenes", s.name, off)
		}
	}
}

// meanDifference compares a picture with one ten times as large.
func meanDifference(drawn *image.RGBA, large image.Image) float64 {
	sum, count := 0.0, 0
	for y := range drawn.Bounds().Dy() {
		for x := range drawn.Bounds().Dx() {
			var mean [3]float64
			for i := range 100 {
				c := color.RGBAModel.Convert(large.At(10*x+i%10, 10*y+i/10)).(color.RGBA)
				mean[0], mean[1], mean[2] = mean[0]+float64(c.R)/100, mean[1]+float64(c.G)/100, mean[2]+float64(c.B)/100
			}
			c := drawn.RGBAAt(x, y)
			for i, v := range []uint8{c.R, c.G, c.B} {
				sum += math.Abs(float64(v) - mean[i])
				count++
			}
		}
	}
	return sum / float64(count)
}

func point(t *rapid.T, name string) vec {
	g := rapid.Float64Range(-3, 3)
	return vec{g.Draw(t, name+".x"), g.Draw(t, name+".y"), g.Draw(t, name+".z")}
}

// A distance must not grow faster than the way that one goes, or rays would
// step through a surface.
func TestShapesAreDistances(t *testing.T) {
	outline := [][2]float64{{-1, 0}, {-0.5, 1.2}, {0.4, 0.3}, {1.3, 1}, {1, -0.8}}
	shapes := map[string]shape{
		"ball": ball(vec{0.2, 0, 0}, 0.8), "box": box(vec{}, vec{1, 0.5, 0.3}, 0.1),
		"limb": limb(vec{-1, 0, 0}, vec{1, 0.4, 0}, 0.3, 0.3), "disc": disc(vec{}, 0.7, 0.2, 0.05),
		"can": can(vec{}, 0.4, 0.9, 0.05), "slab": slab(outline, 0.3, 0.05),
		"melt": melt(0.3, ball(vec{}, 0.5), ball(vec{0.8, 0, 0}, 0.5)),
		"cut":  without(box(vec{}, vec{1, 1, 1}, 0), ball(vec{}, 1.1)),
		"both": union(ball(vec{}, 0.5), can(vec{1, 0, 0}, 0.2, 1, 0.02)),
		"pair": twice(ball(vec{0, 0, 0.6}, 0.4)),
	}
	for name, s := range shapes {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				a, b := point(t, "a"), point(t, "b")
				if grown, way := math.Abs(s(a)-s(b)), a.sub(b).length(); grown > way*1.0001+1e-9 {
					t.Fatalf("the distance changes by %v over a way of %v", grown, way)
				}
			})
		})
	}
}

func TestShapesKnowInsideFromOutside(t *testing.T) {
	square := slab([][2]float64{{0, 0}, {2, 0}, {2, 2}, {0, 2}}, 1, 0)
	for _, c := range []struct {
		p    vec
		want float64
	}{
		{vec{1, 1, 0}, -1}, {vec{3, 1, 0}, 1}, {vec{1, 1, 3}, 2}, {vec{1, 1.75, 0}, -0.25},
	} {
		if got := square(c.p); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("the distance at %v is %v, want %v", c.p, got, c.want)
		}
	}
}

func TestRunWritesWhatIsAskedFor(t *testing.T) {
	dir := t.TempDir()
	if err := run([]string{"--out", dir, "--shrink", "20", "airplane"}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "airplane.jpg")); err != nil {
		t.Errorf("the picture asked for is missing: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "ship.jpg")); err == nil {
		t.Error("a picture that nobody asked for was drawn")
	}
	if err := run([]string{"--out", dir, "unicorn"}); err == nil {
		t.Error("an unknown name should be an error, not silence")
	}
}

package picture

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"
)

func TestPlanShrinksPhotosWhileDecoding(t *testing.T) {
	all := []int{1, 2, 4, 8}
	for _, c := range []struct {
		w, h, want int
		why        string
	}{
		{4272, 2848, 8, "12 megapixels"},
		{3120, 4160, 8, "12 megapixels, portrait"},
		{2912, 4368, 8, "12 megapixels, portrait"},
		{4032, 3024, 8, "a phone's"},
		{4064, 2704, 8, "12 megapixels"},
		{5472, 3648, 8, "20 megapixels"},
		{500, 375, 1, "half of it would be enlarged again"},
		{640, 640, 2, "exactly the margin"},
		{639, 639, 2, "320 are left: sizes are rounded up"},
		{638, 638, 1, "319 are too few"},
		{1280, 1280, 4, ""},
		{2559, 2559, 8, ""},
		{256, 40_000, 1, "the short side decides"},
	} {
		r := imagenet()
		if got := planScale(Info{Width: c.w, Height: c.h}, &r, all); got != c.want {
			t.Errorf("%d x %d: 1/%d, want 1/%d (%s)", c.w, c.h, got, c.want, c.why)
		}
	}
}

func TestPlanLooksAtBothSidesAndAtSmallTargets(t *testing.T) {
	exact := func(w, h int) Recipe {
		return levels(w, h, Resize{Mode: Exact, Width: w, Height: h, Filter: Bilinear, Antialias: true})
	}
	for _, c := range []struct {
		recipe     Recipe
		w, h, want int
	}{
		{exact(32, 32), 512, 512, 8},
		{exact(32, 32), 500, 500, 4}, // an eighth is 63, less than twice
		{exact(32, 32), 512, 100, 1},
		{exact(32, 200), 4000, 300, 1},
		{exact(300, 300), 3000, 3000, 8},
		{levels(96, 96, Resize{Mode: Letterbox, Width: 96, Height: 96, Filter: Lanczos, Antialias: true}), 960, 96 * 4, 4},
	} {
		if got := planScale(Info{Width: c.w, Height: c.h}, &c.recipe, []int{1, 2, 4, 8}); got != c.want {
			t.Errorf("%d x %d for %d x %d: 1/%d, want 1/%d", c.w, c.h, c.recipe.Width, c.recipe.Height, got, c.want)
		}
	}
}

func TestPlanNeverShrinksWhereItWouldShow(t *testing.T) {
	for why, change := range map[string]func(r *Recipe){
		"exact":                  func(r *Recipe) { r.Exact = true },
		"nearest":                func(r *Recipe) { r.Resize.Filter = Nearest },
		"no antialias":           func(r *Recipe) { r.Resize.Antialias = false },
		"no resize":              func(r *Recipe) { r.Resize = Resize{} },
		"a size that is refused": func(r *Recipe) { r.Resize, r.Crop = Resize{}, Crop{} },
	} {
		r := imagenet()
		change(&r)
		if got := planScale(Info{Width: 8000, Height: 8000}, &r, []int{1, 2, 4, 8}); got != 1 {
			t.Errorf("%s: 1/%d, want the whole picture", why, got)
		}
	}
	r := imagenet()
	if got := planScale(Info{Width: 8000, Height: 8000}, &r, []int{1}); got != 1 {
		t.Errorf("a decoder that cannot shrink was asked for 1/%d", got)
	}
}

func TestPlanSaysWhatDecodingWillTake(t *testing.T) {
	d, err := NewDecoder("go")
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, image.NewGray(image.Rect(0, 0, 2049, 3000)), nil); err != nil {
		t.Fatal(err)
	}
	info, err := Inspect(file.Bytes(), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	r := imagenet()
	plan := d.Plan(info, &r)
	if plan.Scale != 4 || plan.Width != 513 || plan.Height != 750 || plan.Bytes < 513*750 {
		t.Errorf("got %+v, want a quarter, 513 x 750, and the bytes that it takes", plan)
	}
	var img Image
	if err := d.Decode(t.Context(), file.Bytes(), info, plan, &img); err != nil {
		t.Fatal(err)
	}
	if img.Width != plan.Width || img.Height != plan.Height {
		t.Errorf("decoded %d x %d, planned %d x %d", img.Width, img.Height, plan.Width, plan.Height)
	}
	r.Exact = true
	if plan := d.Plan(info, &r); plan.Scale != 1 || plan.Width != 2049 {
		t.Errorf("exact: got %+v, want the whole picture", plan)
	}
}

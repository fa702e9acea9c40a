package picture

// How much larger than the target a picture must stay that is shrunk while it is
// decoded. The decoder's shrinking is a box filter; what the recipe's own filter
// has left to do must still be most of what is seen. Small targets show single
// source pixels, so they keep more.
const (
	planMargin     = 1.25
	planTiny       = 64
	planTinyMargin = 2
)

// planScale chooses the largest of the divisors (ascending, beginning with 1)
// that leaves the recipe's result as good as untouched. Where the recipe takes
// single pixels or does not resize, any shrinking would show.
func planScale(info Info, r *Recipe, scales []int) int {
	if r.Exact || r.Resize.Mode == NoResize || r.Resize.Filter == Nearest || !r.Resize.Antialias {
		return 1
	}
	f, err := r.frame(info.Width, info.Height)
	if err != nil {
		return 1
	}
	best := 1
	for _, scale := range scales {
		if enough((info.Width+scale-1)/scale, f.width) && enough((info.Height+scale-1)/scale, f.height) {
			best = scale
		}
	}
	return best
}

// enough says whether a side that is left suffices for the wanted one.
func enough(left, wanted int) bool {
	margin := planMargin
	if wanted <= planTiny {
		margin = planTinyMargin
	}
	return float64(left) >= margin*float64(wanted)
}

// Plan says how the picture is best decoded for this recipe: how far it is
// shrunk on the way, and what that allocates. Only JPEG shrinks.
func (d *Decoder) Plan(info Info, recipe *Recipe) Plan {
	scale := planScale(info, recipe, d.scales(info))
	w, h := scaledSize(info, scale)
	return Plan{Scale: scale, Width: w, Height: h, Bytes: d.cost(info, scale)}
}

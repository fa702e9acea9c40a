package main

import "math"

// ship is a coaster on a calm sea: a red and black hull, a white bridge aft,
// hatches and two masts. It goes to the left.
func ship() *scene {
	part := func(s shape) shape { return placed(s, func(p vec) vec { return p.turn(0.32) }) }

	// Towards the bow the hull gets narrow: z is stretched there.
	hull := func(low, high float64) shape {
		side := slab([][2]float64{{-3.25 - 0.22*high, high + 0.12}, {-2.9 - 0.1*low, low}, {2.75, low}, {3, high}, {-1.9, high}}, 0.62, 0.03)
		return func(p vec) float64 {
			narrow := smooth(0.4, -3.5, p.x)
			width := 1 - 0.86*narrow*narrow
			return max(0.22, 0.8*width) * side(vec{p.x, p.y, p.z / width})
		}
	}
	black, red := paint{color: vec{0.02, 0.025, 0.04}, gloss: 0.2}, paint{color: vec{0.42, 0.03, 0.025}, gloss: 0.2}
	white := paint{color: vec{0.88, 0.88, 0.86}, gloss: 0.15}
	house := union(
		box(vec{2.05, 0.95, 0}, vec{0.62, 0.36, 0.55}, 0.03),
		box(vec{1.95, 1.45, 0}, vec{0.48, 0.2, 0.48}, 0.03),
		box(vec{1.85, 1.78, 0}, vec{0.34, 0.17, 0.58}, 0.03))
	panes := white
	panes.at = func(p vec) vec {
		q := p.turn(0.32)
		for _, y := range []float64{1.8, 1.47, 1.05} {
			if math.Abs(q.y-y) < 0.055 && math.Abs(math.Mod(q.x+q.z+8, 0.2)-0.1) < 0.065 {
				return vec{0.04, 0.06, 0.09}
			}
		}
		return vec{0.88, 0.88, 0.86}
	}
	funnel := melt(0.02, can(vec{2.42, 1.8, 0}, 0.19, 0.36, 0.02))
	hatches := union(
		box(vec{-1.5, 0.68, 0}, vec{0.5, 0.12, 0.36}, 0.02),
		box(vec{-0.3, 0.68, 0}, vec{0.5, 0.12, 0.42}, 0.02),
		box(vec{0.85, 0.68, 0}, vec{0.45, 0.12, 0.42}, 0.02))
	masts := union(
		limb(vec{-2.2, 0.6, 0}, vec{-2.2, 1.9, 0}, 0.05, 0.03),
		limb(vec{0.3, 0.6, 0}, vec{0.3, 2.1, 0}, 0.055, 0.03),
		limb(vec{0.3, 1, 0}, vec{-1, 1.75, 0}, 0.03, 0.025),
		limb(vec{1.8, 1.9, 0}, vec{1.8, 2.5, 0}, 0.03, 0.02))

	return &scene{
		name: "ship", width: 400, height: 400, eye: vec{-1.2, 1.15, 10}, target: vec{-0.05, 0.72, 0}, lens: 0.36,
		sun: vec{-0.5, 0.75, 0.65}.unit(), light: vec{1.2, 1.13, 1}, haze: 0.006,
		sky: daylight(vec{0.2, 0.38, 0.68}, vec{0.62, 0.73, 0.83}, 0.5),
		bodies: []body{
			{shape: part(hull(-0.4, 0.12)), paint: red, radius: 4.2},
			{shape: part(hull(0.1, 0.62)), paint: black, radius: 4.2},
			{shape: part(house), paint: panes, center: vec{1.9, 1.3, 0.6}, radius: 2.2},
			{shape: part(funnel), paint: red, center: vec{2.3, 1.8, 0.8}, radius: 1.2},
			{shape: part(hatches), paint: paint{color: vec{0.25, 0.28, 0.3}}, radius: 3},
			{shape: part(masts), paint: paint{color: vec{0.75, 0.72, 0.62}}, radius: 4},
			sea(),
		},
	}
}

// sea is a plane whose normals are waved; a real surface would cost much more
// and show little at this size.
func sea() body {
	wave := func(x, z float64) float64 {
		return 0.5*turbulence(x*1.1, z*2.3, 4) + 0.3*noise(x*4.1+z, z*7)
	}
	return body{
		shape: func(p vec) float64 { return p.y },
		paint: paint{
			color: vec{0.015, 0.075, 0.12}, gloss: 1,
			bump: func(p vec) vec {
				const e = 0.02
				calm := 0.26 / (1 + 0.02*p.sub(vec{0, 0, 8}).length())
				h := wave(p.x, p.z)
				return vec{(h - wave(p.x+e, p.z)) / e * calm, 0, (h - wave(p.x, p.z+e)) / e * calm}
			},
		},
	}
}

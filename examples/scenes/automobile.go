package main

import "math"

// automobile is a red saloon on a road, seen from the front left. It drives to
// the left.
func automobile() *scene {
	const heading = -0.62
	back := func(p vec) vec { return p.turn(heading) }
	part := func(s shape) shape { return placed(s, back) }

	red := paint{color: vec{0.55, 0.012, 0.012}, gloss: 0.75}
	glass := paint{color: vec{0.015, 0.02, 0.025}, gloss: 0.6}
	rubber := paint{color: vec{0.012, 0.012, 0.013}}
	metal := paint{color: vec{0.55, 0.56, 0.58}, gloss: 0.6}

	lower := slab([][2]float64{
		{-2.1, 0.28}, {-2.15, 0.55}, {-2.05, 0.72}, {-1.0, 0.9}, {1.35, 0.93}, {2.05, 0.86}, {2.12, 0.6}, {2.08, 0.28},
	}, 0.86, 0.12)
	roof := func(thick float64) shape {
		profile := slab([][2]float64{{-1.0, 0.85}, {-0.3, 1.36}, {0.72, 1.38}, {1.5, 0.88}}, thick, 0.1)
		return func(p vec) float64 { // narrower towards the roof
			return 0.85 * profile(vec{p.x, p.y, p.z * (1 + 0.32*clamp(p.y-0.85, 0, 1))})
		}
	}
	arches := twice(union(disc(vec{-1.32, 0.34, 0.8}, 0.4, 0.3, 0.02), disc(vec{1.3, 0.34, 0.8}, 0.4, 0.3, 0.02)))
	wheels := twice(union(disc(vec{-1.32, 0.34, 0.73}, 0.34, 0.13, 0.05), disc(vec{1.3, 0.34, 0.73}, 0.34, 0.13, 0.05)))
	rims := twice(union(disc(vec{-1.32, 0.34, 0.78}, 0.2, 0.1, 0.02), disc(vec{1.3, 0.34, 0.78}, 0.2, 0.1, 0.02)))
	cabin := glass
	cabin.at = func(p vec) vec {
		q := back(p)
		// roof and pillars keep the body's color
		if q.y > 1.33 || math.Abs(q.x-0.25) < 0.05 || q.y < 0.93 {
			return red.color
		}
		return glass.color
	}
	front := twice(egg(vec{-2.06, 0.62, 0.6}, vec{0.1, 0.09, 0.2}))
	rear := twice(egg(vec{2.06, 0.68, 0.62}, vec{0.08, 0.1, 0.18}))
	grille := box(vec{-2.1, 0.42, 0}, vec{0.06, 0.1, 0.5}, 0.03)

	return &scene{
		name: "automobile", width: 400, height: 400, eye: vec{-0.4, 1.75, 7.2}, target: vec{0, 0.62, 0}, lens: 0.34,
		sun: vec{-0.45, 0.8, 0.6}.unit(), light: vec{1.2, 1.14, 1.02}, haze: 0.006,
		sky: daylight(vec{0.22, 0.42, 0.72}, vec{0.68, 0.76, 0.84}, 0.5),
		bodies: []body{
			{shape: part(without(lower, arches)), paint: red, radius: 2.6},
			{shape: part(roof(0.78)), paint: cabin, radius: 2.4},
			{shape: part(wheels), paint: rubber, radius: 2.2},
			{shape: part(rims), paint: metal, radius: 2.2},
			{shape: part(front), paint: paint{color: vec{0.9, 0.9, 0.85}, gloss: 0.8}, radius: 2.5},
			{shape: part(rear), paint: paint{color: vec{0.5, 0.02, 0.02}, gloss: 0.8}, radius: 2.5},
			{shape: part(grille), paint: rubber, radius: 2.5},
			road(heading),
		},
	}
}

// road is asphalt along a heading, with grass beyond its edge.
func road(heading float64) body {
	return body{
		shape: func(p vec) float64 { return p.y },
		paint: paint{at: func(p vec) vec {
			q := p.turn(heading)
			grain := turbulence(p.x*9, p.z*9, 3)
			grass := vec{0.1, 0.17, 0.045}.scale(0.6 + 0.8*turbulence(p.x*3, p.z*3, 4))
			asphalt := vec{0.17, 0.165, 0.155}.scale(0.75 + 0.5*grain)
			if math.Abs(q.z+2.1) < 0.07 {
				asphalt = vec{0.7, 0.7, 0.66}
			}
			return asphalt.mix(grass, smooth(-2.5, -2.8, q.z+0.3*noise(q.x*2, q.z*2)))
		}},
	}
}

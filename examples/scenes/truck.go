package main

import "math"

// truck is a box lorry on a road, seen from the front left. It drives to the left.
func truck() *scene {
	const heading = -0.55
	back := func(p vec) vec { return p.turn(heading) }
	part := func(s shape) shape { return placed(s, back) }

	rubber := paint{color: vec{0.012, 0.012, 0.013}}
	cab := slab([][2]float64{{-2.75, 0.45}, {-2.8, 1.15}, {-2.55, 2.05}, {-1.45, 2.05}, {-1.45, 0.45}}, 0.85, 0.08)
	blue := paint{color: vec{0.03, 0.1, 0.38}, gloss: 0.6}
	blue.at = func(p vec) vec {
		q := back(p)
		windscreen := q.x < -2.5 && q.y > 1.25 && q.y < 1.9 && math.Abs(q.z) < 0.76
		window := math.Abs(q.z) > 0.8 && q.x > -2.5+0.3*(q.y-1.25) && q.x < -1.75 && q.y > 1.25 && q.y < 1.85
		if windscreen || window {
			return vec{0.015, 0.02, 0.025}
		}
		return vec{0.03, 0.1, 0.38}
	}
	load := box(vec{0.85, 1.78, 0}, vec{2.15, 0.9, 0.98}, 0.03)
	white := paint{color: vec{0.84, 0.84, 0.83}, gloss: 0.25}
	white.at = func(p vec) vec {
		q := back(p)
		if math.Abs(math.Mod(q.x+9, 0.72)-0.36) < 0.015 || math.Abs(q.y-0.93) < 0.05 || math.Abs(q.y-2.63) < 0.04 {
			return vec{0.5, 0.5, 0.5}
		}
		return vec{0.84, 0.84, 0.83}
	}
	frame := box(vec{0.1, 0.66, 0}, vec{2.8, 0.14, 0.55}, 0.02)
	wheel := func(x float64) shape { return disc(vec{x, 0.42, 0.78}, 0.42, 0.18, 0.05) }
	hub := func(x float64) shape { return disc(vec{x, 0.42, 0.87}, 0.2, 0.12, 0.03) }
	bumper := box(vec{-2.78, 0.42, 0}, vec{0.1, 0.14, 0.86}, 0.04)
	lamps := twice(box(vec{-2.84, 0.68, 0.62}, vec{0.06, 0.09, 0.14}, 0.03))
	grille := box(vec{-2.8, 0.95, 0}, vec{0.04, 0.2, 0.5}, 0.02)

	return &scene{
		name: "truck", width: 400, height: 400, eye: vec{-0.6, 2, 9.4}, target: vec{-0.05, 1.15, 0}, lens: 0.36,
		sun: vec{-0.45, 0.8, 0.65}.unit(), light: vec{1.2, 1.14, 1.02}, haze: 0.006,
		sky: daylight(vec{0.22, 0.42, 0.72}, vec{0.68, 0.76, 0.84}, 0.5),
		bodies: []body{
			{shape: part(cab), paint: blue, radius: 4},
			{shape: part(load), paint: white, radius: 4},
			{shape: part(frame), paint: paint{color: vec{0.05, 0.05, 0.055}}, radius: 4},
			{shape: part(twice(union(wheel(-2.05), wheel(1.35), wheel(2.35)))), paint: rubber, radius: 4},
			{shape: part(twice(union(hub(-2.05), hub(1.35), hub(2.35)))), paint: paint{color: vec{0.5, 0.5, 0.52}, gloss: 0.5}, radius: 4},
			{shape: part(bumper), paint: paint{color: vec{0.4, 0.4, 0.42}, gloss: 0.4}, radius: 4},
			{shape: part(lamps), paint: paint{color: vec{0.9, 0.9, 0.82}, gloss: 0.6}, radius: 4},
			{shape: part(grille), paint: rubber, radius: 4},
			road(heading),
		},
	}
}

package main

import "math"

// airplane is an airliner after take-off, seen from the side and a little from
// below against the sky. It flies to the left.
func airplane() *scene {
	const pitch = 0.16
	bank := func(p vec) vec { return p.turn(0.5).tip(0.12).roll(pitch) }
	part := func(s shape) shape { return placed(s, bank) }

	white, blue := paint{color: vec{0.86, 0.87, 0.88}, gloss: 0.5}, paint{color: vec{0.05, 0.13, 0.42}, gloss: 0.5}
	fuselage := melt(0.25,
		limb(vec{-2.35, 0, 0}, vec{1.7, 0, 0}, 0.34, 0.34),
		limb(vec{-2.35, 0, 0}, vec{-2.75, -0.06, 0}, 0.34, 0.2),
		limb(vec{1.6, 0, 0}, vec{3.1, 0.22, 0}, 0.34, 0.07))
	skin := white
	skin.at = func(p vec) vec {
		q := bank(p)
		switch {
		case math.Abs(q.y-0.1) < 0.05 && q.x > -2.2 && q.x < 1.9 && math.Abs(math.Mod(q.x+9, 0.17)-0.085) < 0.045:
			return vec{0.06, 0.07, 0.09} // windows
		case q.x < -2.66 && q.y > 0.02:
			return vec{0.06, 0.07, 0.09} // cockpit
		case math.Abs(q.y+0.07) < 0.035:
			return vec{0.05, 0.13, 0.42} // stripe
		}
		return vec{0.86, 0.87, 0.88}
	}

	// Outlines lie in x-y; a wing is turned flat, its tip away from the body.
	wing := slab([][2]float64{{-0.75, 0}, {0.75, 0}, {1.6, 2.9}, {1.15, 2.95}}, 0.05, 0.03)
	flat := func(q vec) vec { return vec{q.x, math.Abs(q.z) - 0.15, q.y - 0.1*math.Abs(q.z) + 0.14} }
	tailplane := slab([][2]float64{{2.2, 0}, {2.95, 0}, {3.25, 1.05}, {2.95, 1.08}}, 0.03, 0.02)
	high := func(q vec) vec { return vec{q.x, math.Abs(q.z), q.y - 0.22} }
	fin := slab([][2]float64{{1.95, 0.2}, {3.05, 0.2}, {3.45, 1.35}, {2.95, 1.35}}, 0.05, 0.04)
	engine := twice(limb(vec{-0.75, -0.42, 1.05}, vec{0.05, -0.42, 1.05}, 0.2, 0.14))
	wings := paint{color: vec{0.6, 0.62, 0.66}, gloss: 0.4}

	sun := vec{-0.35, 0.85, 0.55}.unit()
	return &scene{
		name: "airplane", width: 400, height: 400, eye: vec{0, -1.4, 9.5}, target: vec{0.35, 0.12, 0}, lens: 0.4,
		sun: sun, light: vec{1.15, 1.1, 1}, sky: daylight(vec{0.1, 0.27, 0.62}, vec{0.5, 0.68, 0.86}, 0.35),
		bodies: []body{
			{shape: part(fuselage), paint: skin, radius: 4},
			{shape: part(placed(wing, flat)), paint: wings, radius: 4},
			{shape: part(placed(tailplane, high)), paint: wings, radius: 4},
			{shape: part(fin), paint: blue, radius: 4},
			{shape: part(engine), paint: blue, radius: 4},
		},
	}
}

// daylight is a sky that goes from one blue to another with some thin cloud.
func daylight(zenith, horizon vec, cloud float64) func(vec) vec {
	return func(d vec) vec {
		height := clamp(d.y*1.4+0.25, 0, 1)
		sky := horizon.mix(zenith, height)
		if cloud == 0 {
			return sky
		}
		veil := smooth(0.45, 0.85, turbulence(d.x*2.2+3, d.y*4+d.z+8, 4))
		return sky.mix(vec{0.93, 0.94, 0.96}, cloud*veil)
	}
}

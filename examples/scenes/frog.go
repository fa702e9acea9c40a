package main

import "math"

// frog sits on damp ground and looks to the left.
func frog() *scene {
	back := func(p vec) vec { return p.turn(-0.55) }
	part := func(s shape) shape { return placed(s, back) }

	trunk := melt(0.22,
		egg(vec{0.35, 0.62, 0}, vec{0.85, 0.5, 0.58}),
		egg(vec{-0.55, 0.86, 0}, vec{0.62, 0.36, 0.5}),
		limb(vec{-0.2, 0.62, 0}, vec{0.9, 0.4, 0}, 0.45, 0.4))
	thigh := twice(melt(0.12,
		limb(vec{0.75, 0.5, 0.5}, vec{-0.05, 0.42, 0.85}, 0.27, 0.22),
		limb(vec{-0.05, 0.42, 0.85}, vec{0.75, 0.12, 0.85}, 0.17, 0.1),
		limb(vec{0.75, 0.1, 0.85}, vec{0.15, 0.06, 1.1}, 0.09, 0.05)))
	arm := twice(melt(0.1,
		limb(vec{-0.4, 0.55, 0.42}, vec{-0.35, 0.25, 0.68}, 0.15, 0.1),
		limb(vec{-0.35, 0.25, 0.68}, vec{-0.7, 0.06, 0.7}, 0.1, 0.05)))
	lids := twice(ball(vec{-0.62, 1.14, 0.3}, 0.19))
	skin := paint{gloss: 0.35}
	skin.at = func(p vec) vec {
		q := back(p)
		green := vec{0.13, 0.27, 0.035}.scale(0.75 + 0.5*turbulence(q.x*5+2, q.z*5+q.y*5, 3))
		if q.x < -0.5 && math.Abs(q.y-0.8-0.12*(q.x+1.17)) < 0.013 {
			return vec{0.02, 0.03, 0.01} // the mouth
		}
		spots := smooth(0.62, 0.7, noise(q.x*3.4+5, q.z*3.4+q.y*2))
		green = green.mix(vec{0.05, 0.08, 0.02}, 0.8*spots)
		belly := smooth(0.62, 0.42, q.y) * smooth(-0.1, -0.5, q.x)
		return green.mix(vec{0.5, 0.48, 0.25}, belly)
	}
	eyes := twice(ball(vec{-0.67, 1.17, 0.37}, 0.135))
	iris := paint{gloss: 0.9}
	iris.at = func(p vec) vec {
		q := back(p)
		out := vec{q.x + 0.67, q.y - 1.17, math.Abs(q.z) - 0.37}.unit()
		if out.dot(vec{-0.45, 0.12, 0.88}.unit()) > 0.82 {
			return vec{0.01, 0.01, 0.01}
		}
		return vec{0.6, 0.42, 0.06}
	}

	return &scene{
		name: "frog", width: 400, height: 400, eye: vec{-0.5, 2.1, 5}, target: vec{0.1, 0.55, 0.1}, lens: 0.3,
		sun: vec{-0.45, 0.85, 0.5}.unit(), light: vec{1.15, 1.08, 0.95},
		sky: func(vec) vec { return vec{0.3, 0.36, 0.28} },
		bodies: []body{
			{shape: part(melt(0.12, trunk, thigh, arm, lids)), paint: skin, radius: 2.4, center: vec{0, 0.5, 0}},
			{shape: part(eyes), paint: iris, radius: 1.6, center: vec{0, 0.8, 0}},
			{shape: func(p vec) float64 { return p.y - 0.08*turbulence(p.x*1.5, p.z*1.5, 3) + 0.04 }, paint: paint{at: func(p vec) vec {
				soil := vec{0.17, 0.12, 0.07}.scale(0.4 + 1.2*turbulence(p.x*4, p.z*4, 5))
				return soil.mix(vec{0.1, 0.14, 0.04}, smooth(0.5, 0.7, turbulence(p.x*0.9+4, p.z*0.9, 3)))
			}}},
		},
	}
}

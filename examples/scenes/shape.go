package main

import "math"

// shape is a signed distance: how far a point is from the surface, negative
// inside. It may be too small, never much too large, or rays step through.
type shape func(p vec) float64

func ball(at vec, radius float64) shape {
	return func(p vec) float64 { return p.sub(at).length() - radius }
}

// egg is an ellipsoid; its distance is a good estimate near the surface.
func egg(at, radii vec) shape {
	return func(p vec) float64 {
		q := p.sub(at)
		k := vec{q.x / radii.x, q.y / radii.y, q.z / radii.z}
		k0 := k.length()
		k1 := vec{k.x / radii.x, k.y / radii.y, k.z / radii.z}.length()
		if k1 == 0 {
			return -min(radii.x, radii.y, radii.z)
		}
		return k0 * (k0 - 1) / k1
	}
}

// box is given by its half sizes; its edges are rounded.
func box(at, half vec, round float64) shape {
	return func(p vec) float64 {
		q := p.sub(at)
		d := vec{math.Abs(q.x) - half.x + round, math.Abs(q.y) - half.y + round, math.Abs(q.z) - half.z + round}
		outside := vec{max(d.x, 0), max(d.y, 0), max(d.z, 0)}.length()
		return outside + min(max(d.x, d.y, d.z), 0) - round
	}
}

// limb is a capsule whose radius goes from ra at a to rb at b.
func limb(a, b vec, ra, rb float64) shape {
	axis := b.sub(a)
	square := axis.dot(axis)
	return func(p vec) float64 {
		t := clamp(p.sub(a).dot(axis)/square, 0, 1)
		return p.sub(a.add(axis.scale(t))).length() - (ra + (rb-ra)*t)
	}
}

// disc is a cylinder along z: a wheel seen from the side.
func disc(at vec, radius, half, round float64) shape {
	return func(p vec) float64 {
		q := p.sub(at)
		d, e := math.Hypot(q.x, q.y)-radius+round, math.Abs(q.z)-half+round
		return math.Hypot(max(d, 0), max(e, 0)) + min(max(d, e), 0) - round
	}
}

// can is a cylinder along y.
func can(at vec, radius, half, round float64) shape {
	lying := disc(vec{}, radius, half, round)
	return func(p vec) float64 {
		q := p.sub(at)
		return lying(vec{q.x, q.z, q.y})
	}
}

// slab is a polygon in the x-y plane, thick from -half to half along z.
func slab(outline [][2]float64, half, round float64) shape {
	return func(p vec) float64 {
		d, e := polygon(outline, p.x, p.y)+round, math.Abs(p.z)-half+round
		return math.Hypot(max(d, 0), max(e, 0)) + min(max(d, e), 0) - round
	}
}

// polygon is the signed distance in the plane: to the nearest edge, its sign by
// counting the edges that a ray to the right crosses.
func polygon(outline [][2]float64, x, y float64) float64 {
	nearest, inside := math.Inf(1), false
	for i, a := range outline {
		b := outline[(i+1)%len(outline)]
		ex, ey, wx, wy := b[0]-a[0], b[1]-a[1], x-a[0], y-a[1]
		t := clamp((wx*ex+wy*ey)/(ex*ex+ey*ey), 0, 1)
		nearest = min(nearest, math.Hypot(wx-t*ex, wy-t*ey))
		if (a[1] > y) != (b[1] > y) && x < a[0]+ex*(y-a[1])/ey {
			inside = !inside
		}
	}
	if inside {
		return -nearest
	}
	return nearest
}

func union(shapes ...shape) shape {
	return func(p vec) float64 {
		d := math.Inf(1)
		for _, s := range shapes {
			d = min(d, s(p))
		}
		return d
	}
}

// melt joins shapes with a fillet of about the size k.
func melt(k float64, shapes ...shape) shape {
	return func(p vec) float64 {
		d := shapes[0](p)
		for _, s := range shapes[1:] {
			e := s(p)
			h := clamp(0.5+0.5*(e-d)/k, 0, 1)
			d = e + (d-e)*h - k*h*(1-h)
		}
		return d
	}
}

func without(s, hole shape) shape {
	return func(p vec) float64 { return max(s(p), -hole(p)) }
}

// placed looks at a shape through a change of coordinates that keeps lengths.
func placed(s shape, back func(vec) vec) shape {
	return func(p vec) float64 { return s(back(p)) }
}

// twice mirrors what is at positive z to negative z.
func twice(s shape) shape {
	return func(p vec) float64 { return s(vec{p.x, p.y, math.Abs(p.z)}) }
}

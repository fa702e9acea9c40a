package main

import "math"

// vec is a point, a direction (x right, y up, z towards the viewer) or a linear RGB color.
type vec struct{ x, y, z float64 }

func (a vec) add(b vec) vec            { return vec{a.x + b.x, a.y + b.y, a.z + b.z} }
func (a vec) sub(b vec) vec            { return vec{a.x - b.x, a.y - b.y, a.z - b.z} }
func (a vec) mul(b vec) vec            { return vec{a.x * b.x, a.y * b.y, a.z * b.z} }
func (a vec) scale(s float64) vec      { return vec{a.x * s, a.y * s, a.z * s} }
func (a vec) dot(b vec) float64        { return a.x*b.x + a.y*b.y + a.z*b.z }
func (a vec) length() float64          { return math.Sqrt(a.dot(a)) }
func (a vec) unit() vec                { return a.scale(1 / a.length()) }
func (a vec) mix(b vec, t float64) vec { return a.scale(1 - t).add(b.scale(t)) }

func (a vec) cross(b vec) vec {
	return vec{a.y*b.z - a.z*b.y, a.z*b.x - a.x*b.z, a.x*b.y - a.y*b.x}
}

func (a vec) reflect(normal vec) vec { return a.sub(normal.scale(2 * a.dot(normal))) }

// turn rotates around the y axis, roll around z, tip around x.
func (a vec) turn(angle float64) vec {
	s, c := math.Sincos(angle)
	return vec{c*a.x + s*a.z, a.y, c*a.z - s*a.x}
}

func (a vec) roll(angle float64) vec {
	s, c := math.Sincos(angle)
	return vec{c*a.x - s*a.y, s*a.x + c*a.y, a.z}
}

func (a vec) tip(angle float64) vec {
	s, c := math.Sincos(angle)
	return vec{a.x, c*a.y - s*a.z, s*a.y + c*a.z}
}

func clamp(v, low, high float64) float64 { return min(max(v, low), high) }

func smooth(low, high, v float64) float64 {
	t := clamp((v-low)/(high-low), 0, 1)
	return t * t * (3 - 2*t)
}

// hash gives a number in [0,1) that looks random for a lattice point.
func hash(x, y int) float64 {
	n := uint32(x)*374761393 + uint32(y)*668265263
	n = (n ^ n>>13) * 1274126177
	return float64((n^n>>16)&0xffffff) / (1 << 24)
}

// noise is smooth value noise in [0,1).
func noise(x, y float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	ix, iy := int(fx), int(fy)
	u, v := smooth(0, 1, x-fx), smooth(0, 1, y-fy)
	low := hash(ix, iy)*(1-u) + hash(ix+1, iy)*u
	high := hash(ix, iy+1)*(1-u) + hash(ix+1, iy+1)*u
	return low*(1-v) + high*v
}

// turbulence adds octaves of noise, each half as strong and twice as fine.
func turbulence(x, y float64, octaves int) float64 {
	sum, strength, total := 0.0, 1.0, 0.0
	for range octaves {
		sum += strength * noise(x, y)
		total += strength
		x, y, strength = 2*x+17.3, 2*y-9.1, strength/2
	}
	return sum / total
}

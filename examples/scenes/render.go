package main

import (
	"image"
	"image/color"
	"math"
	"sync"
)

// paint is how a surface looks.
type paint struct {
	color vec
	gloss float64         // how mirror-like: 0 chalk, 1 polished lacquer
	at    func(p vec) vec // the color at a point, where it varies
	bump  func(p vec) vec // added to the normal before shading
}

// body is a shape with a paint.
type body struct {
	shape shape
	paint paint
	// No point of the body is farther than radius from center; 0: no bound. Far
	// from it the bound is measured instead of the shape.
	center vec
	radius float64
}

// scene is what there is to see.
type scene struct {
	name   string
	width  int
	height int
	bodies []body
	eye    vec
	target vec
	lens   float64 // half the picture's height at distance 1
	sun    vec     // direction towards the sun
	light  vec     // its color
	sky    func(direction vec) vec
	haze   float64 // share of the sky that covers what is far, per unit
}

const (
	steps   = 400 // rays that graze something need many
	near    = 0.0015
	far     = 160.0
	samples = 3 // a side, for each pixel
)

// measure gives the distance to the nearest body and which it is.
func (s *scene) measure(p vec) (float64, *body) {
	nearest, which := math.Inf(1), (*body)(nil)
	for i := range s.bodies {
		b := &s.bodies[i]
		if b.radius > 0 {
			if bound := p.sub(b.center).length() - b.radius; bound > 0.5 {
				if bound < nearest {
					nearest, which = bound, b
				}
				continue
			}
		}
		if d := b.shape(p); d < nearest {
			nearest, which = d, b
		}
	}
	return nearest, which
}

// march follows a ray until it meets something.
func (s *scene) march(from, direction vec) (float64, *body) {
	t := 0.0
	for range steps {
		d, b := s.measure(from.add(direction.scale(t)))
		if d < near*(1+t*0.2) {
			return t, b
		}
		if t += d * 0.9; t > far {
			break
		}
	}
	return far, nil
}

func (s *scene) normal(p vec, b *body) vec {
	const e = 0.0012
	d := func(x, y, z float64) float64 { return b.shape(p.add(vec{x, y, z})) }
	return vec{
		d(e, 0, 0) - d(-e, 0, 0), d(0, e, 0) - d(0, -e, 0), d(0, 0, e) - d(0, 0, -e),
	}.unit()
}

// shade is how much of the sun reaches a point: the nearer a ray to the sun
// passes by something, the darker, which makes soft edges.
func (s *scene) shade(p vec) float64 {
	lit, t := 1.0, 0.03
	for range 60 {
		d, _ := s.measure(p.add(s.sun.scale(t)))
		if lit = min(lit, 14*d/t); lit < 0.01 || t > 30 {
			break
		}
		t += clamp(d, 0.02, 1.5)
	}
	return clamp(lit, 0, 1)
}

// hollow is how open the surroundings are: corners get less light of the sky.
func (s *scene) hollow(p, normal vec) float64 {
	closed, weight := 0.0, 1.0
	for i := 1; i <= 4; i++ {
		h := 0.09 * float64(i)
		d, _ := s.measure(p.add(normal.scale(h)))
		closed += weight * (h - d)
		weight *= 0.7
	}
	return clamp(1-1.6*closed, 0.15, 1)
}

// see is the color that comes from a direction.
func (s *scene) see(from, direction vec, bounces int) vec {
	t, b := s.march(from, direction)
	if b == nil {
		return s.sky(direction)
	}
	p := from.add(direction.scale(t))
	normal := s.normal(p, b)
	if b.paint.bump != nil {
		normal = normal.add(b.paint.bump(p)).unit()
	}
	own := b.paint.color
	if b.paint.at != nil {
		own = b.paint.at(p)
	}
	above := p.add(normal.scale(0.01))
	sun := max(normal.dot(s.sun), 0) * s.shade(above)
	open := s.hollow(p, normal)
	up := s.sky(vec{0.2, 1, 0.2}.unit())
	got := own.mul(s.light.scale(sun).
		add(up.scale(0.6 * open * (0.5 + 0.5*normal.y))).
		add(vec{0.32, 0.3, 0.27}.scale(0.5 * open * (0.5 - 0.5*normal.y)).mul(s.light)))
	if b.paint.gloss > 0 {
		mirror := direction.reflect(normal)
		fresnel := b.paint.gloss * (0.04 + 0.96*math.Pow(1-max(-direction.dot(normal), 0), 5))
		seen := s.sky(vec{mirror.x, math.Abs(mirror.y), mirror.z})
		if bounces > 0 {
			seen = s.see(above, mirror, bounces-1)
		}
		got = got.mix(seen, clamp(fresnel, 0, 1))
		spark := math.Pow(max(mirror.dot(s.sun), 0), 90) * sun * 1.2 * b.paint.gloss
		got = got.add(s.light.scale(spark))
	}
	return got.mix(s.sky(vec{direction.x, 0.02, direction.z}.unit()), 1-math.Exp(-t*s.haze))
}

// render draws the scene, one goroutine a row.
func (s *scene) render() *image.RGBA {
	picture := image.NewRGBA(image.Rect(0, 0, s.width, s.height))
	ahead := s.target.sub(s.eye).unit()
	right := ahead.cross(vec{0, 1, 0}).unit()
	up := right.cross(ahead)
	var rows sync.WaitGroup
	for y := range s.height {
		rows.Go(func() {
			for x := range s.width {
				var sum vec
				for i := range samples * samples {
					u := float64(x) + (float64(i%samples)+0.5)/samples
					v := float64(y) + (float64(i/samples)+0.5)/samples
					dx := (2*u - float64(s.width)) / float64(s.height) * s.lens
					dy := (float64(s.height) - 2*v) / float64(s.height) * s.lens
					c := s.see(s.eye, ahead.add(right.scale(dx)).add(up.scale(dy)).unit(), 1)
					sum = sum.add(vec{tone(c.x), tone(c.y), tone(c.z)})
				}
				sum = sum.scale(1.0 / (samples * samples))
				// A little grain, as of a sensor: no photo is as clean as a rendering.
				grain := (hash(x*7+1, y*13+5) + hash(x*11+3, y*5+7) - 1) * 0.022
				picture.SetRGBA(x, y, color.RGBA{byte8(sum.x + grain), byte8(sum.y + grain), byte8(sum.z + grain), 255})
			}
		})
	}
	rows.Wait()
	return picture
}

// tone maps linear light to what a display shows: a soft shoulder, then gamma.
func tone(c float64) float64 {
	c = max(c, 0)
	c = c * (1 + c/4) / (1 + c*0.5)
	return math.Pow(clamp(c, 0, 1), 1/2.2)
}

func byte8(v float64) uint8 { return uint8(math.Round(255 * clamp(v, 0, 1))) }

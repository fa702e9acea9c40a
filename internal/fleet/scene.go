package fleet

import (
	"math/rand/v2"

	"github.com/goshawk-ai/goshawk/internal/picture"
)

// scene is a picture that the check makes itself. Models are shown pictures
// through their own recipe, so that the numbers are of the kind they were made for.
type scene struct {
	name  string
	pixel func(x, y, c int) byte
}

// noise is a coarse pattern with fine noise on it; each seed gives another
// picture, the same on every machine.
func noise(seed uint64) scene {
	random := rand.New(rand.NewPCG(seed, 0x676f736861776b))
	var coarse [8][8][3]byte
	for y := range coarse {
		for x := range coarse[y] {
			for c := range coarse[y][x] {
				coarse[y][x][c] = byte(random.UintN(192))
			}
		}
	}
	return scene{"noise", func(x, y, c int) byte {
		return coarse[y>>3&7][x>>3&7][c] + byte(random.UintN(64))
	}}
}

func flat(name string, level byte) scene {
	return scene{name, func(int, int, int) byte { return level }}
}

// image draws the scene at the tensor's size.
func (s scene) image(r *picture.Recipe) *picture.Image {
	img := &picture.Image{Width: r.Width, Height: r.Height, Channels: 3, Orientation: 1}
	img.Pix = make([]byte, 0, 3*r.Width*r.Height)
	for y := range r.Height {
		for x := range r.Width {
			for c := range 3 {
				img.Pix = append(img.Pix, s.pixel(x, y, c))
			}
		}
	}
	return img
}

// fill writes the scene into each of the rows of an input.
func (s scene) fill(r *picture.Recipe, data []byte, rows int) error {
	img, n := s.image(r), r.RowBytes()
	var scratch picture.Scratch
	for i := range rows {
		if err := r.Fill(data[i*n:(i+1)*n], img, &scratch); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"time"

	"github.com/goshawk-ai/goshawk/internal/picture"
)

// largeRound is what a picture cost in one round, one after another on one thread.
type largeRound struct{ Entropy, Small, Large time.Duration }

// larges compares the whole way of a 12-megapixel photo with its entropy
// decoding. Progressive photos are left out: the bar speaks of baseline ones.
func (b *bench) larges(model string, rounds int) ([]largeRound, error) {
	smalls, err := load(b.folders[small])
	if err != nil {
		return nil, err
	}
	all, err := load(b.folders[large])
	if err != nil {
		return nil, err
	}
	loop, err := newBare(b.library, b.packageDir(model), smalls)
	if err != nil {
		return nil, err
	}
	photos := baseline(all)
	if len(photos) == 0 {
		return nil, errors.New("no baseline photo of 12 megapixels")
	}
	lane, err := loop.lane()
	if err != nil {
		return nil, err
	}
	var result []largeRound
	for range rounds + 1 { // the first warms up
		r, err := loop.largeRound(lane, smalls[:min(len(smalls), 40)], photos)
		if err != nil {
			return nil, err
		}
		result = append(result, r)
	}
	return result[1:], nil
}

func (b *bare) largeRound(l *bareLane, smalls, photos [][]byte) (r largeRound, err error) {
	if r.Entropy, err = each(photos, func(p []byte) error { return b.entropy(l, p) }); err != nil {
		return r, err
	}
	if r.Large, err = each(photos, func(p []byte) error { return b.one(l, p) }); err != nil {
		return r, err
	}
	r.Small, err = each(smalls, func(p []byte) error { return b.one(l, p) })
	return r, err
}

// each gives the mean time of do over the pictures.
func each(pictures [][]byte, do func([]byte) error) (time.Duration, error) {
	began := time.Now()
	for _, p := range pictures {
		if err := do(p); err != nil {
			return 0, err
		}
	}
	return time.Since(began) / time.Duration(len(pictures)), nil
}

// entropy decodes at an eighth and throws the pixels away.
func (b *bare) entropy(l *bareLane, encoded []byte) error {
	info, err := picture.Inspect(encoded, picture.DefaultLimits)
	if err != nil {
		return err
	}
	tiny := picture.Recipe{Resize: picture.Resize{Mode: picture.ShortSide, Width: 64, Height: 64, Filter: picture.Bilinear, Antialias: true}}
	plan := b.decoder.Plan(info, &tiny)
	if plan.Scale != 8 {
		return errors.New("the decoder does not shrink to an eighth: this bar speaks of libjpeg-turbo")
	}
	return b.decoder.Decode(context.Background(), encoded, info, plan, &l.image)
}

// baseline picks the JPEGs with a baseline frame header (SOF0): the marker 0xC0
// stands before the first scan.
func baseline(pictures [][]byte) [][]byte {
	var kept [][]byte
	for _, p := range pictures {
		for i := 2; i+3 < len(p) && p[i] == 0xff && p[i+1] != 0xda; i += 2 + int(p[i+2])<<8 + int(p[i+3]) {
			if p[i+1] == 0xc0 {
				kept = append(kept, p)
				break
			}
		}
	}
	return kept
}

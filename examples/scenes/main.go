// Command scenes renders the example pictures that the project made itself:
// things that CIFAR-10 has classes for, described as signed distances and drawn
// by ray marching with sun, sky, soft shadows and reflections. The same source
// gives the same pictures.
//
//	go run ./examples/scenes [--out examples] [NAME...]
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "scenes:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("scenes", flag.ContinueOnError)
	out := flags.String("out", "examples", "the folder to write to")
	shrink := flags.Int("shrink", 1, "render smaller by this factor, to try things out")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	for _, name := range flags.Args() {
		if !slices.ContainsFunc(scenes(), func(s *scene) bool { return s.name == name }) {
			return fmt.Errorf("there is no scene %q", name)
		}
	}
	for _, s := range scenes() {
		if flags.NArg() > 0 && !slices.Contains(flags.Args(), s.name) {
			continue
		}
		s.width, s.height = s.width / *shrink, s.height / *shrink
		data, err := encode(s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		file := filepath.Join(*out, s.name+".jpg")
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
		fmt.Println(file, len(data))
	}
	return nil
}

// encode gives the JPEG file of a scene.
func encode(s *scene) ([]byte, error) {
	var file bytes.Buffer
	if err := jpeg.Encode(&file, s.render(), &jpeg.Options{Quality: 88}); err != nil {
		return nil, err
	}
	return file.Bytes(), nil
}

// scenes lists them all.
func scenes() []*scene {
	return []*scene{airplane(), automobile(), ship(), truck(), frog()}
}

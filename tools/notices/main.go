// Command notices writes NOTICE: who holds the rights in what is linked into
// goshawk or opened by it, with the licence texts that must travel along. It
// reads the licence files of the modules that the program really links.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const head = `Goshawk
Copyright 2026 The Goshawk Authors

Licensed under the Apache License, Version 2.0; the text is in the file LICENSE.

This file is written by 'make docs'. It lists what is linked into the program
or opened by it at run time, with the notices that belong to it.

ONNX Runtime (fetched by 'make run', embedded by 'make dist')
-------------------------------------------------------------
Copyright (c) Microsoft Corporation. Licensed under the MIT License:

%s
The library contains further works; their notices are the file
ThirdPartyNotices.txt of its release 1.30.0.

libjpeg-turbo (opened at run time where the machine has it; not distributed)
----------------------------------------------------------------------------
IJG License and Modified (3-clause) BSD License. This software is based in part
on the work of the Independent JPEG Group.

The imagenet model (in the program)
-----------------------------------
Made from tf2_mobilenet_v2_1.0_224_ptq.tflite of google-coral/test_data, and its
label list. Copyright Google LLC. Apache License, Version 2.0 (file LICENSE).
Changes: converted to ONNX, background class dropped, labels edited for people.
`

const mit = `Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: notices FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	modules, err := linked("./cmd/goshawk")
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, head, mit)
	for _, m := range modules {
		if err := m.write(&b); err != nil {
			return err
		}
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

// component is a module, or Go itself, and the folder with its licence.
type component struct{ name, dir string }

// linked lists Go's own library and the modules that a program is made of.
func linked(program string) ([]component, error) {
	out, err := output("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}{{end}}{{end}}", program)
	if err != nil {
		return nil, err
	}
	goroot, err := output("go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	var list []component
	for line := range strings.Lines(out) {
		if name, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			list = append(list, component{name, dir})
		}
	}
	slices.SortFunc(list, func(a, b component) int { return cmp.Compare(a.name, b.name) })
	list = slices.Compact(list)
	return append([]component{{"The Go standard library and runtime", strings.TrimSpace(goroot)}}, list...), nil
}

func output(name string, args ...string) (string, error) {
	cmd := exec.CommandContext(context.Background(), name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return string(out), err
}

// write adds a component's licence; the Apache License itself stands in LICENSE.
func (c component) write(b *strings.Builder) error {
	fmt.Fprintf(b, "\n%s\n%s\n", c.name, strings.Repeat("-", len(c.name)))
	texts := 0
	for _, pattern := range []string{"LICENSE*", "COPYING*", "NOTICE*"} {
		files, err := filepath.Glob(filepath.Join(c.dir, pattern))
		if err != nil {
			return err
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				return err
			}
			texts++
			if isApache(string(data)) {
				b.WriteString("Apache License, Version 2.0 (file LICENSE).\n")
				continue
			}
			b.WriteString(strings.TrimSpace(strings.ReplaceAll(string(data), "\r\n", "\n")) + "\n")
		}
	}
	if texts == 0 {
		return fmt.Errorf("%s has no licence file in %s", c.name, c.dir)
	}
	return nil
}

// isApache is true for the bare licence. A file that says more is copied whole.
func isApache(text string) bool {
	return strings.HasPrefix(strings.TrimSpace(text), "Apache License") && len(text) < 12_000
}

package main

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/goshawk-ai/goshawk/internal/app"
	"github.com/goshawk-ai/goshawk/internal/calibrate"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
)

// inspection is `models inspect -o json`. Manifest is goshawk.yaml with presets
// and defaults spelled out.
type inspection struct {
	versionDocument
	Description string         `json:"description"`
	License     string         `json:"license"`
	Manifest    map[string]any `json:"manifest"`
	Labels      []string       `json:"labels"`
	Files       []packageFile  `json:"files"`

	Plan *calibrate.Document `json:"plan,omitempty"` // how it is run on this machine
}

func writePackage(c *console, f *format, version fleet.Version, pkg *model.Package, now map[string]app.Serving, plan *calibrate.Document) error {
	files, err := packageFiles(pkg)
	if err != nil {
		return err
	}
	if f.value == "json" {
		doc := inspection{versionDocument: document(version, pkg.Manifest.Kind, now), Description: pkg.Manifest.Description, License: pkg.Manifest.License, Labels: labelNames(pkg), Files: files, Plan: plan}
		if err := yaml.Unmarshal(pkg.Manifest.Marshal(), &doc.Manifest); err != nil {
			return fmt.Errorf("read the manifest's own form: %w", err)
		}
		return writeJSON(c.out, doc)
	}
	rows := [][]string{
		{"name", version.Name},
		{"version", version.Digest},
		{"aliases", strings.Join(version.Aliases, ", ")},
		{"added", added(version)},
		{"description", pkg.Manifest.Description},
		{"license", pkg.Manifest.License},
		{"labels", strconv.Itoa(len(pkg.Labels))},
	}
	rows = append(rows, manifestRows(pkg.Manifest)...)
	rows = append(rows, planRows(plan)...)
	if s, served := now[version.Digest]; served {
		rows = append(rows, servingRows(s)...)
	}
	for _, file := range files {
		rows = append(rows, []string{"file", fmt.Sprintf("%s (%d bytes)", file.Path, file.Bytes)})
	}
	return writeTable(c, f, []string{"PART", "VALUE"}, rows)
}

// servingRows say what a running server does with a version.
func servingRows(s app.Serving) [][]string {
	rows := [][]string{{"state", s.State}}
	if s.Reason != "" {
		rows = append(rows, []string{"reason", printable(s.Reason)})
	}
	if s.MemoryBytes > 0 {
		rows = append(rows, []string{"memory", memory(s.MemoryBytes)})
	}
	c := s.ColdStart
	if c == nil {
		return rows
	}
	for _, part := range []struct {
		name string
		ms   float64
	}{
		{"wait", c.WaitMS},
		{"fetch", c.FetchMS},
		{"verify", c.VerifyMS},
		{"session", c.SessionMS},
		{"warm_up", c.WarmUpMS},
		{"first_answer", c.FirstAnswerMS},
		{"total", c.TotalMS},
	} {
		rows = append(rows, []string{"cold_start." + part.name, fmt.Sprintf("%.1f ms", part.ms)})
	}
	return rows
}

// memory is a number of bytes for people; "" where it is not known.
func memory(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

// manifestRows are the lines of the manifest's canonical form, a line of a group
// with the group's name before it, without what stands in rows of its own.
func manifestRows(m model.Manifest) (rows [][]string) {
	group := ""
	for line := range strings.Lines(string(m.Marshal())) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		switch value = strings.TrimSpace(value); {
		case value == "":
			group = name
		case strings.HasPrefix(name, " "):
			rows = append(rows, []string{group + "." + strings.TrimSpace(name), value})
		case name != "apiVersion" && name != "name" && name != "description" && name != "license":
			rows = append(rows, []string{name, value})
		}
	}
	return rows
}

// packageFile is a file of a package in `models inspect`.
type packageFile struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

func packageFiles(p *model.Package) ([]packageFile, error) {
	var files []packageFile
	err := fs.WalkDir(p.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			files = append(files, packageFile{path, info.Size()})
		}
		return err
	})
	return files, err
}

func labelNames(p *model.Package) []string {
	names := make([]string, len(p.Labels))
	for i, l := range p.Labels {
		names[i] = l.Name
	}
	return names
}

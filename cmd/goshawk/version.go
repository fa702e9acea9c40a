package main

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/goshawk-ai/goshawk/internal/app"
	"github.com/goshawk-ai/goshawk/internal/config"
)

// release is set by the linker (-X main.release=…). It never changes after.
var release = "development"

// engineFunc says who would compute and decode here. The error says why there
// is no runtime; the decoder is known all the same.
type engineFunc func(cfg *config.Config) (app.EngineInfo, error)

// versions is what `goshawk version -o json` prints.
type versions struct {
	Goshawk     string `json:"goshawk"`
	Commit      string `json:"commit"`
	Go          string `json:"go"`
	Platform    string `json:"platform"`
	Runtime     string `json:"onnxruntime"`
	Library     string `json:"onnxruntime_library"`
	JPEGDecoder string `json:"jpeg_decoder"`
}

func newVersion(c *console, h rooms) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of the program and of what computes in it",
		Long:  `Version prints the release, the commit, and which ONNX Runtime and which JPEG decoder this machine would use.`,
		Example: `  goshawk version
  goshawk version -o json`,
		Args: noArguments,
	}
	load := settings(cmd, c, config.Models)
	f := outputFlag(cmd, "table", "json")
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		e, missing := h.engine(cfg)
		if missing != nil { // worth knowing, and no reason to keep the rest
			warn(c, []string{missing.Error()})
		}
		v := versions{
			Goshawk: release, Commit: commit(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
			Runtime: e.Runtime, Library: e.Library, JPEGDecoder: e.Decoder,
		}
		if f.value == "json" {
			return writeJSON(c.out, v)
		}
		return writeTable(c, f, []string{"PART", "VERSION"}, v.rows())
	}
	return cmd
}

func (v versions) rows() [][]string {
	library := cmp.Or(v.Runtime, "none")
	if v.Library != "" {
		library += " (" + v.Library + ")"
	}
	return [][]string{
		{"goshawk", v.Goshawk},
		{"commit", v.Commit},
		{"go", v.Go + " " + v.Platform},
		{"onnxruntime", library},
		{"jpeg decoder", v.JPEGDecoder},
	}
}

// commit is the revision that the go command wrote into the binary.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, dirty := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = " (with changes)"
		}
	}
	return revision + dirty
}

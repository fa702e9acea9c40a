package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/fleet"
)

// modelsFunc opens the models under --data, beside a running server or without one.
type modelsFunc func(ctx context.Context, cfg *config.Config) (modelAdmin, error)

// modelAdmin looks after the models of one data directory.
type modelAdmin interface {
	Add(ctx context.Context, r addRequest) (fleet.Version, []string, error) // with warnings
	List(ctx context.Context) ([]fleet.Version, error)
	Inspect(ctx context.Context, ref string) (modelDetail, error)
	Remove(ctx context.Context, ref string) (fleet.Version, error)
	Verify(ctx context.Context, ref string) ([]verdict, error) // "" is all
	Alias(ctx context.Context, name, alias, ref string) (fleet.Version, error)
	Close() error
}

// addRequest is where a model comes from and what its file does not say itself.
type addRequest struct {
	Source  string // path or https URL
	SHA256  string // of what the URL gives
	Name    string
	Labels  string
	Preset  string
	NoAlias bool
}

// modelDetail is what `models inspect` shows.
type modelDetail struct {
	fleet.Version
	Description string
	License     string
	Classes     int
	Files       []string
	Manifest    string // goshawk.yaml as the package has it
}

// verdict is the check of one version.
type verdict struct {
	Version  fleet.Version
	Problem  string // "" when all is well
	Warnings []string
}

func newModels(c *console, h rooms) *cobra.Command {
	cmd := group("models", "Add, list, check and remove models")
	cmd.Long = `Models looks after the models under --data. It works beside a running server,
which takes the changes up within two seconds, and without one.`
	cmd.AddCommand(newModelsAdd(c, h), newModelsList(c, h), newModelsInspect(c, h), newModelsRemove(c, h),
		newModelsVerify(c, h), newModelsAlias(c, h))
	return cmd
}

// withModels runs a command's work on the models that its settings mean.
func withModels(cmd *cobra.Command, c *console, h rooms, work func(ctx context.Context, m modelAdmin, args []string) error) {
	load := settings(cmd, c, config.Models)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := checked(load, config.Models)
		if err != nil {
			return err
		}
		warn(c, cfg.Warnings())
		m, err := h.models(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		defer m.Close()
		return work(cmd.Context(), m, args)
	}
}

func newModelsAdd(c *console, h rooms) *cobra.Command {
	var r addRequest
	cmd := &cobra.Command{
		Use:   "add PATH|URL",
		Short: "Check a model and add it",
		Long: `Add takes a model package (a directory or a .tar, .tar.gz or .zip archive), a bare
.onnx file with --labels and --preset, or a Hugging Face export directory; each of
them also by an https address with --sha256. The model is tried in a process of
its own, with bounds, before it is taken. Its name then means this version,
unless --no-alias.`,
		Example: `  goshawk models add flowers/
  goshawk models add resnet50.onnx --name resnet50 --labels imagenet.txt --preset imagenet
  goshawk models add https://example.org/flowers.tar.gz --sha256 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae`,
		Args: arguments(1, 1, "one path or URL"),
	}
	cmd.Flags().StringVar(&r.Name, "name", "", "name of the model (default: what the package says, else the file's name)")
	cmd.Flags().StringVar(&r.Labels, "labels", "", "file with one label a line, for a bare .onnx file")
	cmd.Flags().StringVar(&r.Preset, "preset", "", "how pictures are prepared, for a bare .onnx file: imagenet, cifar10, …")
	cmd.Flags().StringVar(&r.SHA256, "sha256", "", "digest that the download must have, 64 hex digits")
	cmd.Flags().BoolVar(&r.NoAlias, "no-alias", false, "leave the name meaning the version that it means now")
	withModels(cmd, c, h, func(ctx context.Context, m modelAdmin, args []string) error {
		r.Source = args[0]
		if isURL := strings.Contains(r.Source, "://"); isURL != (r.SHA256 != "") {
			return usage("--sha256 and an https address belong together: what comes over the network is checked")
		}
		version, warnings, err := m.Add(ctx, r)
		if err != nil {
			return err
		}
		warn(c, warnings)
		_, err = fmt.Fprintf(c.out, "added %s@%s\n", version.Name, version.Digest)
		return err
	})
	return cmd
}

func newModelsList(c *console, h rooms) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the models",
		Example: `  goshawk models ls
  goshawk models ls -o json --data /var/lib/goshawk`,
		Args: noArguments,
	}
	f := outputFlag(cmd, "table", "json")
	withModels(cmd, c, h, func(ctx context.Context, m modelAdmin, _ []string) error {
		versions, err := m.List(ctx)
		if err != nil {
			return err
		}
		if f.value == "json" {
			documents := make([]versionDocument, 0, len(versions))
			for _, v := range versions {
				documents = append(documents, document(v))
			}
			return writeJSON(c.out, documents)
		}
		var rows [][]string
		for _, v := range versions {
			rows = append(rows, []string{v.Name, short(v.Digest), strings.Join(v.Aliases, ","), added(v)})
		}
		return writeTable(c, f, []string{"NAME", "VERSION", "ALIASES", "ADDED"}, rows)
	})
	return cmd
}

func newModelsInspect(c *console, h rooms) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect MODEL",
		Short: "Show what a model's package says",
		Example: `  goshawk models inspect imagenet
  goshawk models inspect flowers@sha256:2c26b46b68ff -o json`,
		Args: arguments(1, 1, "one model (NAME, NAME@ALIAS or NAME@sha256:DIGEST)"),
	}
	f := outputFlag(cmd, "table", "json")
	withModels(cmd, c, h, func(ctx context.Context, m modelAdmin, args []string) error {
		d, err := m.Inspect(ctx, args[0])
		if err != nil {
			return err
		}
		if f.value == "json" {
			return writeJSON(c.out, inspection(d))
		}
		rows := [][]string{
			{"name", d.Name},
			{"version", d.Digest},
			{"aliases", strings.Join(d.Aliases, ", ")},
			{"added", added(d.Version)},
			{"description", d.Description},
			{"license", d.License},
			{"classes", fmt.Sprint(d.Classes)},
		}
		for _, file := range d.Files {
			rows = append(rows, []string{"file", file})
		}
		return writeTable(c, f, []string{"PART", "VALUE"}, rows)
	})
	return cmd
}

func newModelsRemove(c *console, h rooms) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rm MODEL",
		Short: "Remove a version of a model",
		Long: `Remove takes a version away that was added here; those inside the program stay.
Requests that it is answering are finished.`,
		Example: `  goshawk models rm flowers
  goshawk models rm flowers@sha256:2c26b46b68ff`,
		Args: arguments(1, 1, "one model (NAME, NAME@ALIAS or NAME@sha256:DIGEST)"),
	}
	withModels(cmd, c, h, func(ctx context.Context, m modelAdmin, args []string) error {
		v, err := m.Remove(ctx, args[0])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "removed %s@%s\n", v.Name, v.Digest)
		return err
	})
	return cmd
}

func newModelsVerify(c *console, h rooms) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [MODEL]",
		Short: "Check a model, or all, again",
		Long: `Verify compares a model's files with its digest and repeats the check that add
made: the probe picture and, where there is one, the parity certificate.`,
		Example: `  goshawk models verify
  goshawk models verify imagenet`,
		Args: arguments(0, 1, "one model or none"),
	}
	withModels(cmd, c, h, func(ctx context.Context, m modelAdmin, args []string) error {
		verdicts, err := m.Verify(ctx, strings.Join(args, ""))
		if err != nil {
			return err
		}
		bad := 0
		for _, v := range verdicts {
			outcome := "good"
			if v.Problem != "" {
				bad++
				outcome = "bad: " + printable(v.Problem)
			}
			warn(c, v.Warnings)
			if _, err := fmt.Fprintf(c.out, "%s@%s %s\n", v.Version.Name, short(v.Version.Digest), outcome); err != nil {
				return err
			}
		}
		if bad > 0 {
			return fmt.Errorf("%d of %s did not pass", bad, countOf(len(verdicts), "version"))
		}
		return nil
	})
	return cmd
}

func newModelsAlias(c *console, h rooms) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alias NAME@ALIAS MODEL",
		Short: "Point an alias at a version",
		Example: `  goshawk models alias flowers@candidate flowers@sha256:2c26b46b68ff
  goshawk models alias flowers@default flowers@candidate`,
		Args: arguments(2, 2, "an alias and a model"),
	}
	withModels(cmd, c, h, func(ctx context.Context, m modelAdmin, args []string) error {
		name, alias, ok := strings.Cut(args[0], "@")
		if !ok || name == "" || alias == "" || strings.HasPrefix(alias, "sha256:") {
			return usage("%q is no alias (write it as NAME@ALIAS)", args[0])
		}
		v, err := m.Alias(ctx, name, alias, args[1])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "%s@%s is %s\n", name, alias, v.Digest)
		return err
	})
	return cmd
}

// versionDocument is a version in -o json.
type versionDocument struct {
	Name     string     `json:"name"`
	Version  string     `json:"version"`
	Aliases  []string   `json:"aliases"`
	BuiltIn  bool       `json:"built_in"`
	Required bool       `json:"required"`
	Added    *time.Time `json:"added,omitempty"`
}

func document(v fleet.Version) versionDocument {
	d := versionDocument{v.Name, v.Digest, append([]string{}, v.Aliases...), v.BuiltIn, v.Required, nil}
	if !v.Added.IsZero() {
		at := v.Added.UTC()
		d.Added = &at
	}
	return d
}

func inspection(d modelDetail) any {
	return struct {
		versionDocument
		Description string   `json:"description"`
		License     string   `json:"license"`
		Classes     int      `json:"classes"`
		Files       []string `json:"files"`
		Manifest    string   `json:"manifest"`
	}{document(d.Version), d.Description, d.License, d.Classes, d.Files, d.Manifest}
}

// short is a digest with the 12 digits that suffice to refer to it.
func short(digest string) string {
	const enough = len("sha256:") + 12
	if len(digest) > enough {
		return digest[:enough]
	}
	return digest
}

func added(v fleet.Version) string {
	if v.BuiltIn || v.Added.IsZero() {
		return "built in"
	}
	return v.Added.UTC().Format(time.RFC3339)
}

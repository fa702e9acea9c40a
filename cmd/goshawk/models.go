package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goshawk-ai/goshawk/internal/app"
	"github.com/goshawk-ai/goshawk/internal/calibrate"
	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/registry"
)

// modelsFunc finds the models under --data, whether a server holds them or not.
type modelsFunc func(cfg *config.Config) (*registry.Client, error)

// servingFunc says what a running server does with the versions under --data, by
// digest; nothing where there is none.
type servingFunc func(cfg *config.Config) map[string]app.Serving

func newModels(c *console, h rooms) *cobra.Command {
	cmd := group("models", "Add, list, check and remove models")
	cmd.Long = `Models looks after the models under --data. It works beside a running server,
which takes the changes up within two seconds, and without one. Beside one, ls and
inspect show what it does with each version, and the memory that it takes.`
	cmd.AddCommand(newModelsAdd(c, h), newModelsList(c, h), newModelsInspect(c, h), newModelsRemove(c, h),
		newModelsVerify(c, h), newModelsCalibrate(c, h), newModelsAlias(c, h), newModelsRollback(c, h), newModelsHistory(c, h))
	return cmd
}

// withModels runs a command's work on the models that its settings mean.
func withModels(cmd *cobra.Command, c *console, h rooms, work func(ctx context.Context, m *registry.Client, args []string) error) {
	withSettings(cmd, c, h, func(ctx context.Context, _ *config.Config, m *registry.Client, args []string) error {
		return work(ctx, m, args)
	})
}

// withServed is withModels for what also shows what a running server does with them.
func withServed(cmd *cobra.Command, c *console, h rooms, work func(ctx context.Context, m *registry.Client, now map[string]app.Serving, args []string) error) {
	withSettings(cmd, c, h, func(ctx context.Context, cfg *config.Config, m *registry.Client, args []string) error {
		return work(ctx, m, served(h, cfg), args)
	})
}

// served is what a running server does with the models, nil where there is none.
func served(h rooms, cfg *config.Config) map[string]app.Serving {
	if h.serving == nil {
		return nil
	}
	return h.serving(cfg)
}

// withSettings is withModels for work that asks for the settings too.
func withSettings(cmd *cobra.Command, c *console, h rooms, work func(ctx context.Context, cfg *config.Config, m *registry.Client, args []string) error) {
	load := settings(cmd, c, config.Models)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := checked(load, config.Models)
		if err != nil {
			return err
		}
		warn(c, cfg.Warnings())
		m, err := h.models(cfg)
		if err != nil {
			return err
		}
		return whichModels(work(cmd.Context(), cfg, m, args), "")
	}
}

// look opens what there is for reading, beside whoever holds it.
func look(m *registry.Client, at func(list *registry.Registry) error) (err error) {
	list, err := m.List()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, list.Close()) }()
	return at(list)
}

func newModelsAdd(c *console, h rooms) *cobra.Command {
	var q registry.AddRequest
	cmd := &cobra.Command{
		Use:   "add PATH|URL",
		Short: "Check a model and add it",
		Long: `Add takes a model package (a directory or a .tar, .tar.gz or .zip archive), a bare
.onnx file with --labels and --preset or with --kind tensor, or a Hugging Face
export directory; each of them also by an https address with --sha256. The model is tried in a process of
its own, with bounds, before it is taken. Its name then means this version,
unless --no-alias. If nobody else uses the machine it is then calibrated, for a
few seconds, unless --calibrate off.`,
		Example: `  goshawk models add flowers/
  goshawk models add resnet50.onnx --name resnet50 --labels imagenet.txt --preset imagenet
  goshawk models add embedder.onnx --kind tensor
  goshawk models add https://example.org/flowers.tar.gz --sha256 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae`,
		Args: arguments(1, 1, "one path or URL"),
	}
	cmd.Flags().StringVar(&q.Import.Name, "name", "", "name of the model, where no package says it")
	cmd.Flags().StringVar(&q.Import.Description, "description", "", "what the model knows, where no package says it")
	cmd.Flags().StringVar(&q.Import.License, "license", "", "licence of the model, where no package says it")
	cmd.Flags().StringVar(&q.Import.Labels, "labels", "", "file with one label a line, for a bare .onnx file")
	cmd.Flags().StringVar(&q.Import.Preset, "preset", "", "how pictures are prepared, for a bare .onnx file: imagenet, cifar10, …")
	cmd.Flags().Var(&oneOf[picture.Layout]{&q.Import.Layout, []picture.Layout{picture.NCHW, picture.NHWC}}, "layout", "where the channels are, for a bare .onnx file that does not say")
	cmd.Flags().Var(&oneOf[model.Kind]{&q.Import.Kind, []model.Kind{model.KindModel, model.KindTensor}}, "kind",
		"what the model is: model classifies pictures; tensor takes and gives tensors, over /v2 only (default: what its package says, else model)")
	cmd.Flags().StringVar(&q.SHA256, "sha256", "", "digest that the download must have, 64 hex digits")
	cmd.Flags().BoolVar(&q.NoAlias, "no-alias", false, "leave the name meaning the version that it means now")
	withSettings(cmd, c, h, func(ctx context.Context, cfg *config.Config, m *registry.Client, args []string) error {
		q.Source = args[0]
		m.Fetcher.Progress = c.transfer()
		added, err := m.AddSource(ctx, q, func(doing string) {
			if c.errTerminal {
				fmt.Fprintf(c.err, "%s …\n", printable(doing))
			}
		})
		if err != nil {
			return err
		}
		warn(c, added.Notes)
		if added.Report != nil {
			warn(c, added.Report.Warnings)
		}
		ref := added.Version.Name + "@" + added.Version.Digest
		if _, err = fmt.Fprintf(c.out, "added %s\n", ref); err != nil {
			return err
		}
		calibrateAdded(ctx, c, h, cfg, ref)
		return nil
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
	withServed(cmd, c, h, func(_ context.Context, m *registry.Client, now map[string]app.Serving, _ []string) error {
		return look(m, func(list *registry.Registry) error { return writeVersions(c, f, list, now) })
	})
	return cmd
}

func writeVersions(c *console, f *format, list *registry.Registry, now map[string]app.Serving) error {
	versions := list.Versions()
	if f.value == "json" {
		documents := make([]versionDocument, 0, len(versions))
		for _, v := range versions {
			documents = append(documents, document(v, list.Kind(v.Digest), now))
		}
		return writeJSON(c.out, documents)
	}
	rows := make([][]string, 0, len(versions))
	for _, v := range versions {
		row := []string{v.Name, short(v.Digest), string(list.Kind(v.Digest)), strings.Join(v.Aliases, ","), added(v)}
		if now != nil {
			row = append(row, now[v.Digest].State, memory(now[v.Digest].MemoryBytes))
		}
		rows = append(rows, row)
	}
	heads := []string{"NAME", "VERSION", "KIND", "ALIASES", "ADDED"}
	if now != nil {
		heads = append(heads, "STATE", "MEMORY")
	}
	return writeTable(c, f, heads, rows)
}

func newModelsInspect(c *console, h rooms) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect MODEL",
		Short: "Show what a model's package says, and how it is run here",
		Long: `Inspect shows what a package says, and, beside a running server, the state of the
version there, the memory that it takes and what its cold start took, part by part.`,
		Example: `  goshawk models inspect imagenet
  goshawk models inspect flowers@sha256:2c26b46b68ff -o json`,
		Args: arguments(1, 1, "one model (NAME, NAME@ALIAS or NAME@sha256:DIGEST)"),
	}
	f := outputFlag(cmd, "table", "json")
	withSettings(cmd, c, h, func(ctx context.Context, cfg *config.Config, m *registry.Client, args []string) error {
		return look(m, func(list *registry.Registry) error {
			version, err := list.Resolve(args[0])
			if err != nil {
				return err
			}
			pkg, err := list.Open(ctx, version.Digest)
			if err != nil {
				return err
			}
			var plan *calibrate.Document
			if h.planned != nil {
				plan = h.planned(cfg, pkg)
			}
			return writePackage(c, f, version, pkg, served(h, cfg), plan)
		})
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
	withModels(cmd, c, h, func(ctx context.Context, m *registry.Client, args []string) error {
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
	withModels(cmd, c, h, func(ctx context.Context, m *registry.Client, args []string) error {
		afresh := *m.Checker
		afresh.Cache = "" // what an earlier check found is what is in doubt
		return look(m, func(list *registry.Registry) error {
			verdicts, err := list.Verify(ctx, strings.Join(args, ""), &afresh)
			if err != nil {
				return err
			}
			return writeVerdicts(c, verdicts)
		})
	})
	return cmd
}

func writeVerdicts(c *console, verdicts []registry.Verified) error {
	bad := 0
	for _, v := range verdicts {
		outcome := "good"
		if v.Err != nil {
			bad++
			outcome = "bad: " + printable(v.Err.Error())
		}
		if v.Report != nil {
			warn(c, v.Report.Warnings)
		}
		if _, err := fmt.Fprintf(c.out, "%s@%s %s\n", v.Version.Name, short(v.Version.Digest), outcome); err != nil {
			return err
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %s did not pass", bad, countOf(len(verdicts), "version"))
	}
	return nil
}

func newModelsAlias(c *console, h rooms) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alias NAME@ALIAS MODEL",
		Short: "Point an alias at a version",
		Example: `  goshawk models alias flowers@candidate flowers@sha256:2c26b46b68ff
  goshawk models alias flowers@default flowers@candidate`,
		Args: arguments(2, 2, "an alias and a model"),
	}
	withModels(cmd, c, h, func(ctx context.Context, m *registry.Client, args []string) error {
		name, alias, ok := strings.Cut(args[0], "@")
		if !ok || name == "" || alias == "" || strings.HasPrefix(alias, "sha256:") {
			return usage("%q is no alias (write it as NAME@ALIAS)", args[0])
		}
		if named, _, _ := strings.Cut(args[1], "@"); named != name {
			return usage("an alias of %q cannot point to a version of %q", name, named)
		}
		v, err := m.Alias(ctx, args[1], alias)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "%s@%s is %s\n", name, alias, v.Digest)
		return err
	})
	return cmd
}

func newModelsRollback(c *console, h rooms) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollback NAME[@ALIAS]",
		Short: "Point an alias at the version that it meant before",
		Long: `Rollback moves an alias, default where none is named, back to the version that it
pointed to before and that is still here. A second one moves it forth again.`,
		Example: `  goshawk models rollback flowers
  goshawk models rollback flowers@champion`,
		Args: arguments(1, 1, "one model or alias (NAME or NAME@ALIAS)"),
	}
	withModels(cmd, c, h, func(ctx context.Context, m *registry.Client, args []string) error {
		name, alias, err := aliasOf(args[0])
		if err != nil {
			return err
		}
		v, err := m.Rollback(ctx, name, alias)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "%s@%s is %s\n", name, alias, v.Digest)
		return err
	})
	return cmd
}

func newModelsHistory(c *console, h rooms) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "history NAME[@ALIAS]",
		Short: "List the versions that an alias meant",
		Example: `  goshawk models history flowers
  goshawk models history flowers@champion -o json`,
		Args: arguments(1, 1, "one model or alias (NAME or NAME@ALIAS)"),
	}
	f := outputFlag(cmd, "table", "json")
	withModels(cmd, c, h, func(_ context.Context, m *registry.Client, args []string) error {
		name, alias, err := aliasOf(args[0])
		if err != nil {
			return err
		}
		return look(m, func(list *registry.Registry) error {
			moves, err := list.History(name, alias)
			if err != nil {
				return err
			}
			return writeMoves(c, f, moves)
		})
	})
	return cmd
}

// aliasOf reads NAME or NAME@ALIAS.
func aliasOf(ref string) (name, alias string, err error) {
	name, alias, named := strings.Cut(ref, "@")
	if !named {
		alias = fleet.DefaultAlias
	}
	if name == "" || alias == "" || strings.HasPrefix(alias, "sha256:") {
		return "", "", usage("%q is no alias (write it as NAME@ALIAS)", ref)
	}
	return name, alias, nil
}

// moveDocument is a step of an alias in -o json.
type moveDocument struct {
	Version string    `json:"version"`
	At      time.Time `json:"at"`
}

func writeMoves(c *console, f *format, moves []registry.Move) error {
	if f.value == "json" {
		documents := make([]moveDocument, len(moves))
		for i, m := range moves {
			documents[i] = moveDocument{m.Digest, m.At.UTC()}
		}
		return writeJSON(c.out, documents)
	}
	rows := make([][]string, len(moves))
	for i, m := range moves {
		rows[i] = []string{short(m.Digest), m.At.UTC().Format(time.RFC3339)}
	}
	return writeTable(c, f, []string{"VERSION", "SINCE"}, rows)
}

// versionDocument is a version in -o json.
type versionDocument struct {
	Name     string     `json:"name"`
	Version  string     `json:"version"`
	Kind     model.Kind `json:"kind"`
	Aliases  []string   `json:"aliases"`
	BuiltIn  bool       `json:"built_in"`
	Required bool       `json:"required"`
	Added    *time.Time `json:"added,omitempty"`

	Serving *app.Serving `json:"serving,omitempty"` // what a running server does with it
}

func document(v fleet.Version, kind model.Kind, now map[string]app.Serving) versionDocument {
	d := versionDocument{Name: v.Name, Version: v.Digest, Kind: kind, Aliases: append([]string{}, v.Aliases...), BuiltIn: v.BuiltIn, Required: v.Required}
	if s, served := now[v.Digest]; served {
		s.Version = "" // it stands beside
		d.Serving = &s
	}
	if !v.Added.IsZero() {
		at := v.Added.UTC()
		d.Added = &at
	}
	return d
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

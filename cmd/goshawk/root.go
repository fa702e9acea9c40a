package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goshawk-ai/goshawk/internal/config"
)

// rooms is what the commands need of the rest of the house.
type rooms struct {
	serve      serveFunc
	local      localFunc
	models     modelsFunc
	calibrate  calibrateFunc
	planned    plannedFunc
	serving    servingFunc
	checkModel checkModelFunc
	worker     workerFunc
	engine     engineFunc
}

func newRoot(c *console, h rooms) *cobra.Command {
	root := &cobra.Command{
		Use:   "goshawk",
		Short: "Classify pictures",
		Long: `Goshawk classifies pictures: a photo goes in by curl, page or command, labels
come out. Two models are inside; more are added as packages.

` + exitHelp,
		Example: `  goshawk serve
  goshawk predict cat.jpg
  curl --data-binary @cat.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8080/v1/predictions`,
		Args:          noArguments,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	var noColor bool
	root.PersistentFlags().BoolVar(&noColor, "no-color", false, "write without colors, as NO_COLOR does")
	root.PersistentPreRun = func(*cobra.Command, []string) { c.color = c.color && !noColor }
	root.SetFlagErrorFunc(wrongFlag)
	root.Version = release
	root.Flags().Bool("version", false, "print the release (the command version prints more)") // cobra's own would take -v as well
	root.SetVersionTemplate("goshawk {{.Version}}\n")
	root.SetOut(c.out) // before the completion commands, which keep where they write
	root.AddCommand(
		newServe(c, h), newPredict(c, h), newModels(c, h), newConfig(c), newVersion(c, h), newLicenses(c),
		newMan(), newReference(), newCheckModel(c, h), newWorker(c, h),
	)
	completions(root)
	help(root)
	return root
}

// completions makes cobra's own commands refuse what they do not know, as the
// others do.
func completions(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Args = noArguments
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		for _, shell := range cmd.Commands() {
			shell.Args = noArguments
		}
	}
}

// settings gives a command the flags of its options. The function that it
// returns reads the configuration when the command runs.
func settings(cmd *cobra.Command, c *console, scope config.Scope) func() (*config.Config, error) {
	var file string
	given := map[string]string{}
	cmd.Flags().StringVar(&file, "config", "", "configuration file (default: config.yaml in $XDG_CONFIG_HOME/goshawk)")
	for _, o := range config.Options() {
		if o.Scope&scope != 0 && o.Flag() != "" {
			cmd.Flags().Var(&optionFlag{o, given}, o.Flag(), o.Help)
		}
	}
	return func() (*config.Config, error) {
		cfg, err := config.Load(config.Sources{File: file, Environ: c.environ, Flags: given})
		if err != nil {
			return nil, &exitError{exitUsage, err}
		}
		return cfg, nil
	}
}

// checked reads the configuration and refuses what does not go together.
func checked(load func() (*config.Config, error), scope config.Scope) (*config.Config, error) {
	cfg, err := load()
	if err != nil {
		return nil, err
	}
	if err := cfg.Check(scope); err != nil {
		return nil, asUsage(err)
	}
	return cfg, nil
}

// asUsage keeps joined errors apart, so that each is printed on its own line.
func asUsage(err error) error {
	many, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return &exitError{exitUsage, err}
	}
	var list joined
	for _, e := range many.Unwrap() {
		list = append(list, asUsage(e))
	}
	return list
}

// joined is errors.Join without its own idea of how to print.
type joined []error

func (j joined) Unwrap() []error { return j }
func (j joined) Error() string   { return fmt.Sprint([]error(j)) }

// optionFlag notes the text that a flag was given; config.Load judges it.
type optionFlag struct {
	option config.Option
	given  map[string]string
}

func (f *optionFlag) Set(text string) error {
	f.given[f.option.Flag()] = text
	return nil
}

func (f *optionFlag) String() string { return f.option.Default }

// Type is what --help shows after the flag.
func (f *optionFlag) Type() string {
	if t := f.option.Type(); !strings.Contains(t, "|") {
		return strings.ToUpper(t)
	}
	return f.option.Type()
}

// noArguments and arguments are cobra's own checks with sentences of ours.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasAvailableSubCommands() {
		return noSuchCommand(cmd, args[0])
	}
	return usage("%s takes no arguments, and %q is one (try %s --help)", cmd.CommandPath(), args[0], cmd.CommandPath())
}

func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && (most < 0 || len(args) <= most) {
			return nil
		}
		return usage("%s takes %s, and was given %d (try %s --help)", cmd.CommandPath(), what, len(args), cmd.CommandPath())
	}
}

// group is a command that only holds others.
func group(use, short string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
}

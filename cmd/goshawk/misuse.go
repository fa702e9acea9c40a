package main

import (
	"cmp"
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/goshawk-ai/goshawk/internal/wording"
)

// wrongFlag says what is wrong with a flag in words that need no knowledge of
// the program's insides, and which flag was likely meant.
func wrongFlag(cmd *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return usage("%w%s", err, cmp.Or(likelyFlag(cmd, unknown.GetSpecifiedName()), tryHelp(cmd)))
	}
	bad, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return usage("%w%s", err, tryHelp(cmd))
	}
	want := bad.Unwrap().Error()
	if _, ok := errors.AsType[*strconv.NumError](err); ok {
		want = "want a number"
		if bad.GetFlag().Value.Type() == "int" {
			want = "want a whole number"
		}
	}
	return usage("--%s is %q; %s%s", bad.GetFlag().Name, bad.GetValue(), want, tryHelp(cmd))
}

func tryHelp(cmd *cobra.Command) string { return " (try " + cmd.CommandPath() + " --help)" }

func likelyFlag(cmd *cobra.Command, name string) string {
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
	if len(name) < 2 {
		return "" // -x is near to everything
	}
	return didYouMean(wording.Nearest("--"+strings.ReplaceAll(name, "_", "-"), known))
}

func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return " (did you mean " + name + "?)"
}

// noSuchCommand also names the one that was likely meant.
func noSuchCommand(group *cobra.Command, name string) error {
	var known []string
	for _, c := range group.Commands() {
		if c.IsAvailableCommand() {
			known = append(known, c.Name())
		}
	}
	return usage("there is no command %q%s", group.CommandPath()+" "+name, cmp.Or(didYouMean(wording.Nearest(name, known)), tryHelp(group)))
}

// help makes cobra's own command refuse what it does not know: it would show
// everything and call that done.
func help(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "help" {
			continue
		}
		cmd.Run = nil
		cmd.RunE = func(_ *cobra.Command, args []string) error {
			about, rest, _ := root.Find(args) // what it does not find is in the rest
			if len(rest) > 0 {
				return noSuchCommand(about, rest[0])
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		}
	}
}

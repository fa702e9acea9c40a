package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the man pages into a directory",
		Example: "  goshawk man /usr/local/share/man/man1",
		Args:    arguments(1, 1, "one directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("cannot make the directory %q: %w", args[0], reason(err))
			}
			cmd.Root().DisableAutoGenTag = true // a date would change the pages with every build
			return doc.GenManTree(cmd.Root(), &doc.GenManHeader{Section: "1", Source: "goshawk", Manual: "Goshawk"}, args[0])
		},
	}
}

// newReference is what `make docs` calls: the reference pages come from the
// same tables as the program, and a test compares them with the committed ones.
func newReference() *cobra.Command {
	return &cobra.Command{
		Use:    "reference DIR",
		Short:  "Write the reference pages into a directory",
		Hidden: true,
		Args:   arguments(1, 1, "one directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("cannot make the directory %q: %w", args[0], reason(err))
			}
			for name, write := range map[string]func(io.Writer) error{
				"configuration.md": config.WriteReference,
				"problems.md":      problem.WriteReference,
				"commands.md":      func(w io.Writer) error { return writeCommands(w, cmd.Root()) },
			} {
				var page strings.Builder
				if err := write(&page); err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(args[0], name), []byte(page.String()), 0o644); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func writeCommands(w io.Writer, root *cobra.Command) error {
	_, err := io.WriteString(w, "# Commands\n\nThis page is generated from the program's own help by `make docs`.\n")
	if err == nil {
		err = writeCommand(w, root)
	}
	return err
}

func writeCommand(w io.Writer, cmd *cobra.Command) error {
	if cmd.Hidden || cmd.Name() == "help" || cmd.Name() == "completion" {
		return nil
	}
	about := cmd.Long
	if about == "" {
		about = cmd.Short + "."
	}
	fmt.Fprintf(w, "\n## %s\n\n%s\n", cmd.CommandPath(), about)
	if !cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\n    %s\n", cmd.UseLine())
	}
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n\n```sh\n%s\n```\n", unindent(cmd.Example))
	}
	if flags := cmd.NonInheritedFlags().FlagUsages(); flags != "" {
		fmt.Fprintf(w, "\nFlags:\n\n```\n%s```\n", flags)
	}
	for _, sub := range cmd.Commands() {
		if err := writeCommand(w, sub); err != nil {
			return err
		}
	}
	return nil
}

func unindent(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(l, "  ")
	}
	return strings.Join(lines, "\n")
}

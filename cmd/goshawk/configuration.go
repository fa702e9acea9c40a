package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goshawk-ai/goshawk/internal/config"
)

func newConfig(c *console) *cobra.Command {
	cmd := group("config", "Show and check the settings")
	cmd.AddCommand(newConfigShow(c), newConfigVerify(c))
	return cmd
}

func newConfigShow(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print every setting with where it came from",
		Long: `Show prints the value that holds for every setting, and its origin: a flag, a
variable, a line of the file, or the default. Secrets are not shown.`,
		Example: `  goshawk config show
  GOSHAWK_THREADS=2 goshawk config show -o json
  goshawk config show --config /etc/goshawk/config.yaml | grep ^limits`,
		Args: noArguments,
	}
	load := settings(cmd, c, config.Everywhere)
	f := outputFlag(cmd, "table", "json")
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		warn(c, cfg.Warnings())
		if f.value == "json" {
			return writeJSON(c.out, cfg.Rows())
		}
		var rows [][]string
		for _, r := range cfg.Rows() {
			rows = append(rows, []string{r.Key, r.Value, r.Origin})
		}
		return writeTable(c, f, []string{"KEY", "VALUE", "ORIGIN"}, rows)
	}
	return cmd
}

func newConfigVerify(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check the settings without starting anything",
		Long: `Verify reads the settings as serve would, checks that they go together and that
the files they name can be read, and says what is wrong.`,
		Example: `  goshawk config verify
  goshawk config verify --config config.yaml`,
		Args: noArguments,
	}
	load := settings(cmd, c, config.Everywhere)
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := checked(load, config.Everywhere)
		if err != nil {
			return err
		}
		warn(c, cfg.Advice())
		from := "no file"
		if cfg.File() != "" {
			from = cfg.File()
		}
		_, err = fmt.Fprintf(c.out, "the configuration is good (%s, environment, flags)\n", from)
		return err
	}
	return cmd
}

func warn(c *console, sentences []string) {
	for _, s := range sentences {
		fmt.Fprintf(c.err, "goshawk: warning: %s\n", s)
	}
}

package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/goshawk-ai/goshawk"
)

// newLicenses lets the one file of `make dist` carry the texts that must go with it.
func newLicenses(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "licenses",
		Short: "Print the licence of this program and of what is in it",
		Example: `  goshawk licenses
  goshawk licenses | less`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(c.out, goshawk.License+"\n"+goshawk.Notice)
			return err
		},
	}
}

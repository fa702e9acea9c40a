// Unpack writes one entry of a zip archive to stdout. It is what
// fetch-runtime.sh falls back to on a machine without unzip and Python; Go is
// there, since it builds the rest.
package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "unpack:", err)
		os.Exit(1)
	}
}

func run(args []string, to io.Writer) error {
	if len(args) != 2 {
		return errors.New("name an archive and an entry")
	}
	archive, err := zip.OpenReader(args[0])
	if err != nil {
		return fmt.Errorf("open %s: %w", args[0], err)
	}
	defer func() { _ = archive.Close() }() // it was only read
	entry, err := archive.Open(args[1])
	if err != nil {
		return fmt.Errorf("find %s in %s: %w", args[1], args[0], err)
	}
	defer entry.Close()
	if _, err := io.Copy(to, entry); err != nil {
		return fmt.Errorf("unpack %s from %s: %w", args[1], args[0], err)
	}
	return nil
}

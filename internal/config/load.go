package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/wording"
)

const envPrefix = "GOSHAWK_"

// kubernetes matches what a cluster puts into every pod beside a service whose
// name begins with goshawk: GOSHAWK_PORT=tcp://…, GOSHAWK_SERVICE_HOST, ….
var kubernetes = regexp.MustCompile(`^GOSHAWK(_[A-Z0-9_]+)?_(PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?|SERVICE_(HOST|PORT(_[A-Z0-9_]+)?))$`)

// Sources is where settings come from.
type Sources struct {
	File    string            // --config; "" looks in $XDG_CONFIG_HOME/goshawk, where none need be
	Environ []string          // as os.Environ gives it
	Flags   map[string]string // those that were given, by name
}

// Load puts the sources together. Its errors are sentences for the operator.
func Load(s Sources) (*Config, error) {
	l := loader{table: Options(), env: environ(s.Environ), c: &Config{origins: map[string]Origin{}}}
	for _, step := range []func(Sources) error{l.defaults, l.file, l.environment, l.flags} {
		if err := step(s); err != nil {
			return nil, err
		}
	}
	l.followListen()
	return l.c, nil
}

type loader struct {
	table []Option
	env   map[string]string
	c     *Config
}

func environ(list []string) map[string]string {
	env := make(map[string]string, len(list))
	for _, kv := range list {
		if name, value, ok := strings.Cut(kv, "="); ok {
			env[name] = value
		}
	}
	return env
}

func (l *loader) set(o Option, text string, from Origin) error {
	if err := o.field(l.c).Set(text); err != nil {
		return fmt.Errorf("%s: %w", from.Where, err)
	}
	l.c.origins[o.Key] = from
	return nil
}

func (l *loader) defaults(Sources) error {
	for _, o := range l.table {
		l.c.origins[o.Key] = Origin{Source: "default"}
		text := o.Default
		if text == defaultData {
			text = l.directory("XDG_DATA_HOME", ".local/share")
		}
		if text == "" {
			continue
		}
		if err := l.set(o, text, Origin{Source: "default"}); err != nil {
			return err
		}
	}
	return nil
}

// directory is goshawk's own under an XDG base directory, "" when there is no
// home either. The specification asks to ignore a relative base.
func (l *loader) directory(variable, underHome string) string {
	if base := l.env[variable]; filepath.IsAbs(base) {
		return filepath.Join(base, "goshawk")
	}
	if home := l.env["HOME"]; home != "" {
		return filepath.Join(home, underHome, "goshawk")
	}
	return ""
}

func (l *loader) file(s Sources) error {
	path := s.File
	if path == "" {
		dir := l.directory("XDG_CONFIG_HOME", ".config")
		if dir == "" {
			return nil
		}
		path = filepath.Join(dir, "config.yaml")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	settings, err := readFile(path, l.table)
	if err != nil {
		return err
	}
	l.c.file = path
	for _, set := range settings {
		o, _ := find(l.table, set.key)
		where := Origin{Source: "file", Where: fmt.Sprintf("%s:%d", path, set.line)}
		if err := l.set(o, set.text, where); err != nil {
			return err
		}
	}
	return nil
}

// environment takes GOSHAWK_… variables. An empty one counts as not set, which
// is how compose files and charts leave a setting alone.
func (l *loader) environment(Sources) error {
	known := make([]string, 0, len(l.table))
	for _, o := range l.table {
		known = append(known, o.Env())
		text := l.env[o.Env()]
		if text == "" {
			continue
		}
		if err := l.set(o, text, Origin{Source: "environment", Where: o.Env()}); err != nil {
			return err
		}
	}
	for name := range l.env {
		if strings.HasPrefix(name, envPrefix) && !slices.Contains(known, name) && !kubernetes.MatchString(name) {
			l.c.warnings = append(l.c.warnings,
				fmt.Sprintf("the environment variable %s means nothing here%s", name, didYouMean(name, known)))
		}
	}
	slices.Sort(l.c.warnings)
	return nil
}

func (l *loader) flags(s Sources) error {
	for _, o := range l.table {
		text, given := s.Flags[o.Flag()]
		if !given || o.Flag() == "" {
			continue
		}
		if err := l.set(o, text, Origin{Source: "flag", Where: "--" + o.Flag()}); err != nil {
			return err
		}
	}
	return nil
}

// followListen moves the other two doors to free ports when the first one asked
// for a free port and nobody set them: two servers on one machine must not meet.
func (l *loader) followListen() {
	_, port, _ := net.SplitHostPort(l.c.Listen)
	if port != "0" {
		return
	}
	for key, p := range map[string]*string{"grpc_listen": &l.c.GRPCListen, "admin_listen": &l.c.AdminListen} {
		if l.c.origins[key].Source == "default" {
			*p = "127.0.0.1:0"
		}
	}
}

func find(table []Option, key string) (Option, bool) {
	i := slices.IndexFunc(table, func(o Option) bool { return o.Key == key })
	if i < 0 {
		return Option{}, false
	}
	return table[i], true
}

func isGroup(table []Option, name string) bool {
	return slices.ContainsFunc(table, func(o Option) bool { return strings.HasPrefix(o.Key, name+".") })
}

func keysOf(table []Option) []string {
	keys := make([]string, len(table))
	for i, o := range table {
		keys[i] = o.Key
	}
	return keys
}

func groupsOf(table []Option) []string {
	var groups []string
	for _, o := range table {
		if group, _, ok := strings.Cut(o.Key, "."); ok && !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	return groups
}

// didYouMean is " (did you mean listen?)", or nothing when no known name is near.
func didYouMean(name string, known []string) string {
	near := wording.Nearest(name, known)
	if near == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", near)
}

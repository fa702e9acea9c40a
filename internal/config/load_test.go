package config_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/units"
)

func load(t *testing.T, s config.Sources) *config.Config {
	t.Helper()
	c, err := config.Load(s)
	if err != nil {
		t.Fatalf("Load(%+v): %v", s, err)
	}
	return c
}

// TestBadFiles: each file makes one mistake, and its first line says what the operator reads.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d bad files (%v); the table of mistakes is gone", len(files), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(data), "\n")
			want := path + ":" + strings.TrimPrefix(first, "# want: ")
			_, err = config.Load(config.Sources{File: path})
			if got := fmt.Sprint(err); got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestGoodFile(t *testing.T) {
	c := load(t, config.Sources{File: "testdata/full.good.yaml"})
	if c.Limits.PictureBytes != 10*units.Bytes(1<<20) || c.Limits.PicturePixels != 12_500_000 || c.Limits.Pictures != 8 {
		t.Errorf("limits = %+v; want 10MiB, 12.5MP and 8 pictures", c.Limits)
	}
	if c.QueueMaxWait != 250*time.Millisecond || c.Log.Level != slog.LevelDebug || c.Memory.Runtime != 1e9 {
		t.Errorf("queue %v, level %v, runtime %v; want 250ms, debug and the default 1GB", c.QueueMaxWait, c.Log.Level, c.Memory.Runtime)
	}
	if diff := cmp.Diff([]string{"a.example", "b.example"}, c.AllowedHosts); diff != "" {
		t.Errorf("allowed_hosts (-want +got):\n%s", diff)
	}
	if got := c.Origin("queue.max_wait").String(); got != "testdata/full.good.yaml:12" {
		t.Errorf("origin of queue.max_wait = %q; want the file and line 12", got)
	}
}

func TestMissingAndEmptyFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := config.Load(config.Sources{File: filepath.Join(dir, "none.yaml")}); err == nil {
		t.Error("a file that --config names and is not there must be an error")
	}
	load(t, config.Sources{Environ: []string{"XDG_CONFIG_HOME=" + dir}}) // none need be there
	empty := filepath.Join(dir, "empty.yaml")
	if err := os.WriteFile(empty, []byte("# nothing yet\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	load(t, config.Sources{File: empty})
	if err := os.Truncate(empty, 2<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(config.Sources{File: empty}); err == nil || !strings.Contains(err.Error(), "has more than 1048576 bytes") {
		t.Errorf("a file of 2 MiB gives %v; want a refusal before it is parsed", err)
	}
}

// TestPrecedence: flags > environment > file > defaults, one level at a time.
func TestPrecedence(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, "goshawk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte("model: from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := "GOSHAWK_MODEL=from-env"
	for _, c := range []struct {
		sources      config.Sources
		want, origin string
	}{
		{config.Sources{}, "imagenet", "default"},
		{config.Sources{Environ: []string{"XDG_CONFIG_HOME=" + home}}, "from-file", file + ":1"},
		{config.Sources{Environ: []string{"XDG_CONFIG_HOME=" + home, env}}, "from-env", "GOSHAWK_MODEL"},
		{config.Sources{Environ: []string{"XDG_CONFIG_HOME=" + home, env}, Flags: map[string]string{"model": "from-flag"}}, "from-flag", "--model"},
		{config.Sources{Environ: []string{"GOSHAWK_MODEL="}}, "imagenet", "default"},
	} {
		got := load(t, c.sources)
		if got.Model != c.want || got.Origin("model").String() != c.origin {
			t.Errorf("%+v: model %q from %s; want %q from %s", c.sources, got.Model, got.Origin("model"), c.want, c.origin)
		}
	}
}

func TestWrongValueNamesItsPlace(t *testing.T) {
	for _, c := range []struct {
		sources config.Sources
		want    string
	}{
		{config.Sources{Environ: []string{"GOSHAWK_THREADS=many"}}, `GOSHAWK_THREADS: "many" is no whole number from 0 to 1024`},
		{config.Sources{Flags: map[string]string{"drain-timeout": "-1s"}}, `--drain-timeout: "-1s" is no duration above zero (write it as 50ms or 30s)`},
	} {
		if _, err := config.Load(c.sources); fmt.Sprint(err) != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestUnknownVariablesAreWarnings(t *testing.T) {
	quiet := []string{
		"GOSHAWK_PORT=tcp://10.0.0.1:80", "GOSHAWK_PORT_80_TCP=tcp://10.0.0.1:80", "GOSHAWK_PORT_80_TCP_ADDR=10.0.0.1",
		"GOSHAWK_SERVICE_HOST=10.0.0.1", "GOSHAWK_SERVICE_PORT=80", "GOSHAWK_SERVICE_PORT_HTTP=80",
		"GOSHAWK_WORKER_SERVICE_HOST=10.0.0.2", "GOSHAWK_WORKER_PORT_81_TCP_PROTO=tcp", "GOSHAWKTEST_SHARED=/x", "GOSHAWK_LISTEN=127.0.0.1:1",
	}
	if w := load(t, config.Sources{Environ: quiet}).Warnings(); len(w) != 0 {
		t.Errorf("warnings %q; a cluster's own variables and test switches deserve none", w)
	}
	got := load(t, config.Sources{Environ: []string{"GOSHAWK_LISTN=x", "GOSHAWK_COLOUR=red"}}).Warnings()
	want := []string{
		"the environment variable GOSHAWK_COLOUR means nothing here",
		"the environment variable GOSHAWK_LISTN means nothing here (did you mean GOSHAWK_LISTEN?)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestOtherDoorsFollowAFreePort(t *testing.T) {
	c := load(t, config.Sources{Flags: map[string]string{"listen": "127.0.0.1:0", "admin-listen": "off"}})
	if c.GRPCListen != "127.0.0.1:0" || c.AdminListen != config.Off {
		t.Errorf("grpc %q, admin %q; want a free port for the one nobody set, off for the other", c.GRPCListen, c.AdminListen)
	}
	if c := load(t, config.Sources{}); c.GRPCListen != "127.0.0.1:8081" || c.AdminListen != "127.0.0.1:8082" {
		t.Errorf("grpc %q, admin %q; want 8081 and 8082", c.GRPCListen, c.AdminListen)
	}
}

func TestDataDirectory(t *testing.T) {
	for _, c := range []struct {
		env  []string
		want string
	}{
		{[]string{"XDG_DATA_HOME=/d", "HOME=/h"}, "/d/goshawk"},
		{[]string{"XDG_DATA_HOME=relative", "HOME=/h"}, "/h/.local/share/goshawk"},
		{nil, ""},
	} {
		if got := load(t, config.Sources{Environ: c.env}).Data; got != c.want {
			t.Errorf("%q: data %q, want %q", c.env, got, c.want)
		}
	}
}

// TestEveryOptionRoundTrips: what show prints can be written into the file or a flag again.
func TestEveryOptionRoundTrips(t *testing.T) {
	c := load(t, config.Sources{Environ: []string{"HOME=/h"}})
	for _, o := range config.Options() {
		value := o.Value(c)
		if o.Default != "" && !strings.HasPrefix(o.Default, "$") && value != o.Default {
			t.Errorf("%s: the default is written %q and shown %q", o.Key, o.Default, value)
		}
		if value != "" && o.Parse(value) != nil {
			t.Errorf("%s: shown as %q, which is refused when it comes back: %v", o.Key, value, o.Parse(value))
		}
	}
}

func TestNamesAreUniqueAndSafe(t *testing.T) {
	var names []string
	for _, o := range config.Options() {
		names = append(names, o.Env())
		if o.Flag() != "" {
			names = append(names, o.Flag())
		}
		if strings.HasPrefix(o.Env(), "GOSHAWK_PORT") || strings.HasPrefix(o.Env(), "GOSHAWK_SERVICE") {
			t.Errorf("%s would be %s, which Kubernetes sets in every pod", o.Key, o.Env())
		}
		if o.Help == "" || strings.HasSuffix(o.Help, ".") || o.Scope == 0 {
			t.Errorf("%s: wants a help text without full stop, and a scope", o.Key)
		}
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("a flag or variable stands for two options: %q", names)
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a command line in a test: what goes in, and what came out.
type bench struct {
	console
	rooms    rooms
	stdin    string
	out, err bytes.Buffer
}

func newBench(t *testing.T) *bench {
	b := &bench{rooms: rooms{local: localLengths}}
	b.environ = []string{"HOME=" + t.TempDir()}
	return b
}

func (b *bench) run(ctx context.Context, args ...string) int {
	b.out.Reset()
	b.err.Reset()
	b.in, b.console.out, b.console.err = strings.NewReader(b.stdin), &b.out, &b.err
	return run(ctx, args, &b.console, b.rooms)
}

// lengths is a predictor without a model: the label of a picture is how many
// bytes it has, and one that begins with "bad" is damaged.
type lengths struct{ fault error }

func localLengths(context.Context, *config.Config) (predictor, error) { return lengths{}, nil }

func (l lengths) Close() error { return nil }

func (l lengths) Run(_ context.Context, r predict.Request) (*predict.Answer, error) {
	if l.fault != nil {
		return nil, l.fault
	}
	p := r.Pictures[0]
	result := predict.Result{Name: p.Name, SHA256: "00ff"}
	if bytes.HasPrefix(p.Data, []byte("bad")) {
		result.Error = problem.PictureDamaged.New("the picture ends in the middle")
	} else {
		result.Predictions = []predict.Prediction{
			{Label: fmt.Sprintf("%d bytes", len(p.Data)), Index: 7, Probability: 0.75},
			{Label: "something, else", Index: 2, Probability: 0.25},
		}
	}
	return &predict.Answer{ID: "pred_x", Model: predict.Model{Name: r.Model}, Results: []predict.Result{result}, Timings: predict.Timings{Total: 1.25}}, nil
}

func TestWrongUseIsOneSentence(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"srve"}, `goshawk: there is no command "goshawk srve" (did you mean serve?)`},
		{[]string{"help", "srve"}, `goshawk: there is no command "goshawk srve" (did you mean serve?)`},
		{[]string{"help", "models", "nothing"}, `goshawk: there is no command "goshawk models nothing" (try goshawk models --help)`},
		{[]string{"models", "delete"}, `goshawk: there is no command "goshawk models delete" (try goshawk models --help)`},
		{[]string{"serve", "here"}, `goshawk: goshawk serve takes no arguments, and "here" is one (try goshawk serve --help)`},
		{[]string{"serve", "--lisen", "x"}, `goshawk: unknown flag: --lisen (did you mean --listen?)`},
		{[]string{"predict", "--top_k", "3", "a"}, `goshawk: unknown flag: --top_k (did you mean --top-k?)`},
		{[]string{"predict", "-x", "a"}, `goshawk: unknown shorthand flag: 'x' in -x (try goshawk predict --help)`},
		{[]string{"predict", "--top-k", "three", "a"}, `goshawk: --top-k is "three"; want a whole number (try goshawk predict --help)`},
		{[]string{"predict", "--threshold", "half", "a"}, `goshawk: --threshold is "half"; want a number (try goshawk predict --help)`},
		{[]string{"predict", "-", "-"}, `goshawk: - is given twice, and there is one stdin with one picture on it`},
		{[]string{"predict", "ftp://example.org/a.jpg"}, `goshawk: cannot read "ftp://example.org/a.jpg": only http and https addresses are fetched, and files are named by their paths`},
		{[]string{"predict", "File:///a.jpg"}, `goshawk: cannot read "File:///a.jpg": only http and https addresses are fetched, and files are named by their paths`},
		{[]string{"serve", "--listen", "8080"}, `goshawk: --listen: "8080" is no address (write it as 127.0.0.1:8080)`},
		{[]string{"serve", "--listen", "0.0.0.0:1"}, `goshawk: listen: refusing to listen on 0.0.0.0:1 without a key: anybody on the network could use it (set auth.keys_file, or listen on 127.0.0.1)`},
		{[]string{"predict"}, `goshawk: goshawk predict takes at least one file, directory, URL or -, and was given 0 (try goshawk predict --help)`},
		{[]string{"predict", "-o", "xml", "a"}, `goshawk: --output is "xml"; want one of table, json, csv (try goshawk predict --help)`},
		{[]string{"predict", "--threshold", "2", "a"}, `goshawk: --threshold is 2; want a number from 0 to 1`},
		{[]string{"predict", "--top-k", "0", "a"}, `goshawk: --top-k is 0; want a whole number from 1 to 100000`},
		{[]string{"predict", "--top-k", "100001", "a"}, `goshawk: --top-k is 100001; want a whole number from 1 to 100000`},
		{[]string{"completion", "nosuch"}, `goshawk: there is no command "goshawk completion nosuch" (try goshawk completion --help)`},
		{[]string{"completion", "bash", "now"}, `goshawk: goshawk completion bash takes no arguments, and "now" is one (try goshawk completion bash --help)`},
		{[]string{"predict", "--server", "here", "a"}, `goshawk: client.server: "here" is no URL (write it as http://127.0.0.1:8080)`},
		{[]string{"config", "verify", "--config", "none.yaml"}, `goshawk: cannot read the configuration "none.yaml": no such file or directory`},
	} {
		if code := b.run(t.Context(), c.args...); code != exitUsage || b.err.String() != c.want+"\n" || b.out.Len() != 0 {
			t.Errorf("%q: code %d, stdout %q\n got %s\nwant %s", c.args, code, &b.out, &b.err, c.want)
		}
	}
}

func TestHelpAndVersionHoweverTheyAreAskedFor(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--version"}, "goshawk " + release + "\n"},
		{[]string{"help", "models", "ls"}, "List the models"},
		{[]string{"help"}, "Goshawk classifies pictures"},
	} {
		if code := b.run(t.Context(), c.args...); code != exitDone || !strings.HasPrefix(b.out.String(), c.want) || b.err.Len() != 0 {
			t.Errorf("%q: code %d, stderr %q, stdout begins %.60q; want 0 and %q", c.args, code, &b.err, &b.out, c.want)
		}
	}
}

// TestVerifyReadsTheKeys: a server with such a file would not start.
func TestVerifyReadsTheKeys(t *testing.T) {
	t.Chdir(files(t, map[string]string{"empty": "keys: []\n", "bad": "keys: [{id: a, sha256: zz}]\n"}))
	b := newBench(t)
	for file, want := range map[string]string{
		"empty": "goshawk: keys file empty: there is no key in it\n",
		"bad":   "goshawk: keys file bad: key 1: sha256 must be the 64 hex digits that 'printf %s \"$KEY\" | sha256sum' prints\n",
		"none":  "goshawk: auth.keys_file cannot be read: \"none\": no such file or directory\n",
	} {
		if code := b.run(t.Context(), "config", "verify", "--auth-keys-file", file); code != exitUsage || b.err.String() != want {
			t.Errorf("%s: code %d\n got %swant %s", file, code, &b.err, want)
		}
	}
}

func TestEveryMistakeInTheSettingsIsNamed(t *testing.T) {
	b := newBench(t)
	code := b.run(t.Context(), "config", "verify", "--tls-cert", "x", "--listen", ":80")
	if lines := strings.Split(strings.TrimSpace(b.err.String()), "\n"); code != exitUsage || len(lines) != 2 {
		t.Errorf("code %d, stderr %q; want 2, and both mistakes at once", code, lines)
	}
}

func TestConfigShow(t *testing.T) {
	b := newBench(t)
	b.environ = append(b.environ, "GOSHAWK_THREADS=2", "GOSHAWK_CLIENT_KEY=hush", "GOSHAWK_THREAD=1")
	if code := b.run(t.Context(), "config", "show", "--model", "cifar10"); code != exitDone {
		t.Fatalf("code %d: %s", code, &b.err)
	}
	for _, want := range []string{"threads\t2\tGOSHAWK_THREADS\n", "model\tcifar10\t--model\n", "client.key\t<secret>\tGOSHAWK_CLIENT_KEY\n", "listen\t127.0.0.1:8080\tdefault\n"} {
		if !strings.Contains(b.out.String(), want) {
			t.Errorf("config show lacks %q:\n%s", want, &b.out)
		}
	}
	if want := "goshawk: warning: the environment variable GOSHAWK_THREAD means nothing here (did you mean GOSHAWK_THREADS?)\n"; b.err.String() != want {
		t.Errorf("stderr %q, want %q", &b.err, want)
	}
}

func TestHelpHasExamples(t *testing.T) {
	b := newBench(t)
	for _, args := range [][]string{{}, {"serve"}, {"predict"}, {"models", "add"}, {"models", "ls"}, {"config", "show"}, {"version"}} {
		if code := b.run(t.Context(), append(args, "--help")...); code != exitDone || !strings.Contains(b.out.String(), "Examples:\n  ") || b.err.Len() != 0 {
			t.Errorf("%q --help: code %d, stderr %q; want examples on stdout:\n%s", args, code, &b.err, &b.out)
		}
	}
}

// TestExamplesOfTheHelpAreRightUse: the flags are there, and the arguments are
// as many as the command takes. What the examples do, others test.
func TestExamplesOfTheHelpAreRightUse(t *testing.T) {
	b := newBench(t)
	seen := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Example) {
			_, line, ours := strings.Cut(line, "goshawk ")
			if !ours {
				continue // a line for another program
			}
			seen++
			line, _, _ = strings.Cut(line, " | ")
			line, _, _ = strings.Cut(line, " > ")
			// Afresh, since flags keep what they were given.
			meant, args, err := newRoot(&b.console, b.rooms).Find(strings.Fields(line))
			if err == nil {
				err = meant.ParseFlags(args)
			}
			if err == nil {
				err = meant.ValidateArgs(meant.Flags().Args())
			}
			if err != nil || !strings.HasPrefix(meant.CommandPath(), cmd.CommandPath()) {
				t.Errorf("%s --help shows goshawk %s, which is of %s: %v", cmd.CommandPath(), line, meant.CommandPath(), err)
			}
		}
		for _, sub := range cmd.Commands() {
			if sub.Name() != "completion" { // cobra's
				walk(sub)
			}
		}
	}
	walk(newRoot(&b.console, b.rooms))
	if seen < 15 {
		t.Errorf("%d examples were found; there are more", seen)
	}
}

func TestExitCodes(t *testing.T) {
	interrupted, cancel := context.WithCancelCause(context.Background())
	cancel(stopped{syscall.SIGTERM})
	broken := errors.New("broken")
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want int
	}{
		{t.Context(), nil, exitDone},
		{t.Context(), broken, exitFailed},
		{t.Context(), usage("no"), exitUsage},
		{t.Context(), fmt.Errorf("around: %w", &exitError{exitUnreachable, broken}), exitUnreachable},
		{t.Context(), joined{usage("a"), usage("b")}, exitUsage},
		{interrupted, broken, exitInterrupted},
		{interrupted, nil, exitDone}, // a server that drained
	} {
		if got := exitCode(c.ctx, c.err); got != c.want {
			t.Errorf("exitCode(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}

// TestAServerThatCutRequestsOffSaysSo: it was told to stop, and that did not go well.
func TestAServerThatCutRequestsOffSaysSo(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	b.rooms.serve = func(_ context.Context, cfg *config.Config, _ string, _ io.Writer, _ *slog.Logger) error {
		cancel(stopped{syscall.SIGINT})
		drain := errors.Join(errors.New("2 requests were cut off"))
		return errors.Join(drain, errors.New("the registry cannot be closed"))
	}
	code := b.run(ctx, "serve")
	want := "goshawk: 2 requests were cut off\ngoshawk: the registry cannot be closed\n"
	if code != exitFailed || b.err.String() != want {
		t.Errorf("code %d, stderr\n%s\nwant 1 and\n%s", code, &b.err, want)
	}
}

func TestCompletionScripts(t *testing.T) {
	b := newBench(t)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code := b.run(t.Context(), "completion", shell); code != exitDone || !strings.Contains(b.out.String(), "goshawk") {
			t.Errorf("completion %s: code %d, %d bytes on stdout, %s", shell, code, b.out.Len(), &b.err)
		}
	}
}

func TestReferenceIsUpToDate(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	if code := b.run(t.Context(), "reference", dir); code != exitDone {
		t.Fatalf("code %d: %s", code, &b.err)
	}
	for _, name := range []string{"commands.md", "configuration.md", "problems.md"} {
		want, err := os.ReadFile(dir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile("../../docs/reference/" + name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("docs/reference/%s is not what the program says of itself (%v); run make docs", name, err)
		}
	}
}

func TestManPages(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	if code := b.run(t.Context(), "man", dir); code != exitDone {
		t.Fatalf("code %d: %s", code, &b.err)
	}
	page, err := os.ReadFile(dir + "/goshawk-serve.1")
	if err != nil || !bytes.Contains(page, []byte("drain-timeout")) {
		t.Errorf("goshawk-serve.1 (%v) does not name --drain-timeout:\n%.300s", err, page)
	}
	if _, err := os.Stat(dir + "/goshawk-check-model.1"); err == nil {
		t.Error("a hidden command has a man page")
	}
}

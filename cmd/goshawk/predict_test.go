package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// files writes name → content into a directory and gives its path.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func expect(t *testing.T, b *bench, code, want int, out, err string) {
	t.Helper()
	if code != want {
		t.Errorf("exit code %d, want %d", code, want)
	}
	if diff := cmp.Diff(out, b.out.String()); diff != "" {
		t.Errorf("stdout (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(err, b.err.String()); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
}

func TestPredictForms(t *testing.T) {
	dir := files(t, map[string]string{"a.jpg": "abc", "b.jpg": "bad!"})
	t.Chdir(dir)
	for _, c := range []struct {
		form, want string
	}{
		{"table", "PICTURE  PROBABILITY       MS  LABEL\n" +
			"a.jpg          0.750      1.2  3 bytes\n" +
			"b.jpg              -        -  error: the picture ends in the middle\n"},
		{"csv", "name,sha256,rank,label,index,probability,error\n" +
			"a.jpg,00ff,1,3 bytes,7,0.75,\n" +
			"a.jpg,00ff,2,\"something, else\",2,0.25,\n" +
			"b.jpg,00ff,,,,,picture-damaged: the picture ends in the middle\n"},
		{"json", `{"id":"pred_x","model":{"name":"imagenet","version":""},"results":[{"name":"a.jpg","sha256":"00ff","predictions":[{"label":"3 bytes","index":7,"probability":0.75},{"label":"something, else","index":2,"probability":0.25}]}],"timings":{"read_ms":0,"decode_ms":0,"preprocess_ms":0,"queue_ms":0,"infer_ms":0,"total_ms":1.25}}
{"id":"pred_x","model":{"name":"imagenet","version":""},"results":[{"name":"b.jpg","sha256":"00ff","error":{"detail":"the picture ends in the middle","status":422,"title":"Picture damaged","type":"/errors/picture-damaged"}}],"timings":{"read_ms":0,"decode_ms":0,"preprocess_ms":0,"queue_ms":0,"infer_ms":0,"total_ms":1.25}}
`},
	} {
		t.Run(c.form, func(t *testing.T) {
			b := newBench(t)
			code := b.run(t.Context(), "predict", "a.jpg", "b.jpg", "-o", c.form)
			expect(t, b, code, exitPartly, c.want, "goshawk: 1 of 2 pictures could not be classified\n")
		})
	}
}

func TestPredictOnAPipe(t *testing.T) {
	t.Chdir(files(t, map[string]string{"a.jpg": "abc"}))
	b := newBench(t)
	code := b.run(t.Context(), "predict", "a.jpg")
	expect(t, b, code, exitDone, "a.jpg\t0.750000\t3 bytes\na.jpg\t0.250000\tsomething, else\n", "")
}

func TestPredictStdinAndLimit(t *testing.T) {
	b := newBench(t)
	b.stdin = strings.Repeat("x", 1000)
	code := b.run(t.Context(), "predict", "-", "--limits-picture-bytes", "1000B")
	expect(t, b, code, exitDone, "-\t0.750000\t1000 bytes\n-\t0.250000\tsomething, else\n", "")
	code = b.run(t.Context(), "predict", "-", "--limits-picture-bytes", "999B")
	expect(t, b, code, exitFailed,
		"-\t\terror: picture-too-large: the picture has more than 999 bytes, the most that is read here (limits.picture_bytes)\n",
		"goshawk: the picture could not be classified\n")
}

func TestPredictMissingFiles(t *testing.T) {
	t.Chdir(files(t, map[string]string{"notes/readme.txt": "no picture"}))
	b := newBench(t)
	code := b.run(t.Context(), "predict", "none.jpg")
	expect(t, b, code, exitFailed, "", "goshawk: cannot read \"none.jpg\": no such file or directory\n")
	code = b.run(t.Context(), "predict", "notes")
	expect(t, b, code, exitFailed, "", "goshawk: left out 1 file that we don't read as pictures\ngoshawk: found no pictures in \"notes\"\n")
}

func TestManyArgumentsAreNotAllNamed(t *testing.T) {
	if got, want := quoteAll([]string{"a", "b c", "d", "e", "f"}), `"a", "b c", "d" and 2 more`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPredictDirectoryTakesPicturesByContent(t *testing.T) {
	const jpeg = "\xff\xd8\xff\xe0"
	t.Chdir(files(t, map[string]string{
		"d/sub/photo": jpeg, "d/a.jpg": jpeg, "d/notes.jpg": "plain text", "d/.git/x.jpg": jpeg, "d/.hidden.jpg": jpeg,
	}))
	b := newBench(t)
	code := b.run(t.Context(), "predict", "d")
	expect(t, b, code, exitDone, "d/a.jpg\t0.750000\t4 bytes\nd/sub/photo\t0.750000\t4 bytes\n",
		"goshawk: left out 1 file that we don't read as pictures\n")
}

func TestPredictStopsWhenTheNextOneWouldFailToo(t *testing.T) {
	t.Chdir(files(t, map[string]string{"a": "a", "b": "b"}))
	b := newBench(t)
	b.rooms.local = func(context.Context, *config.Config) (predictor, error) {
		return lengths{fault: problem.ModelNotFound.New(`there is no model "x"`)}, nil
	}
	code := b.run(t.Context(), "predict", "a", "b")
	expect(t, b, code, exitFailed, "", "goshawk: there is no model \"x\" (goshawk models ls lists them)\n")
}

// TestPredictStopsWhileItWaitsForAPicture: nobody types a picture, and nobody
// writes to the FIFO; Ctrl-C ends the command all the same.
func TestPredictStopsWhileItWaitsForAPicture(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	stdin, typist := io.Pipe()
	for _, c := range []struct {
		from  string
		begin func() (io.Closer, error) // returns when the command has begun to read
	}{
		{"-", func() (io.Closer, error) {
			_, err := typist.Write([]byte("x"))
			return typist, err
		}},
		{fifo, func() (io.Closer, error) { return os.OpenFile(fifo, os.O_WRONLY, 0) }},
	} {
		b := newBench(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		b.in, b.console.out, b.console.err = stdin, &b.out, &b.err
		ended := make(chan int, 1)
		go func() { ended <- run(ctx, []string{"predict", c.from}, &b.console, b.rooms) }()
		writer, err := c.begin()
		if err != nil {
			t.Fatal(err)
		}
		cancel(stopped{syscall.SIGINT})
		select {
		case code := <-ended:
			if code != exitInterrupted || b.out.Len()+b.err.Len() != 0 {
				t.Errorf("%s: code %d, stdout %q, stderr %q; want 130 and nothing", c.from, code, &b.out, &b.err)
			}
		case <-time.After(30 * time.Second):
			t.Errorf("%s: the command waits for a picture although it was told to stop", c.from)
		}
		writer.Close()
	}
}

// TestAnAddressIsFetchedHoweverItsSchemeIsWritten, and one that has no picture
// is not called an internal error.
func TestAnAddressIsFetchedHoweverItsSchemeIsWritten(t *testing.T) {
	url := far(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/a.jpg" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, "abc")
	})
	b := newBench(t)
	shouted := "HTTP" + strings.TrimPrefix(url, "http") + "/a.jpg"
	code := b.run(t.Context(), "predict", shouted, "--top-k", "1")
	if code != exitDone || !strings.Contains(b.out.String(), "3 bytes") {
		t.Errorf("%s: code %d, %s%s", shouted, code, &b.out, &b.err)
	}
	code = b.run(t.Context(), "predict", url+"/none.jpg")
	expect(t, b, code, exitFailed, url+"/none.jpg\t\terror: invalid-request: cannot fetch it: the server there answered 404 Not Found\n",
		"goshawk: the picture could not be classified\n")
}

func TestStrangersTextCannotMoveTheCursor(t *testing.T) {
	t.Chdir(files(t, map[string]string{"a\x1b[2J\n.jpg": "abc"}))
	b := newBench(t)
	b.run(t.Context(), "predict", "a\x1b[2J\n.jpg", "-o", "table")
	if strings.ContainsRune(b.out.String(), 0x1b) || strings.Count(b.out.String(), "\n") != 3 {
		t.Errorf("a file name reached the terminal as it is: %q", &b.out)
	}
}

func TestColors(t *testing.T) {
	t.Chdir(files(t, map[string]string{"a": "abc"}))
	b := newBench(t)
	b.outTerminal, b.color = true, true
	b.run(t.Context(), "predict", "a")
	if !strings.HasPrefix(b.out.String(), "\x1b[1mPICTURE") {
		t.Errorf("a terminal gets a painted head, got %q", &b.out)
	}
	b.run(t.Context(), "predict", "a", "--no-color")
	if strings.ContainsRune(b.out.String(), 0x1b) {
		t.Errorf("--no-color: %q", &b.out)
	}
}

// TestEachKeepsOrderAndBound: outcomes come in order, with no more under way than lanes.
func TestEachKeepsOrderAndBound(t *testing.T) {
	const lanes = 3
	var under, most atomic.Int64
	var sources []source
	for i := range 100 {
		sources = append(sources, source{strconv.Itoa(i), func(context.Context) ([]byte, error) {
			now := under.Add(1)
			for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
			}
			defer under.Add(-1)
			return []byte("abc"), nil
		}})
	}
	next := 0
	err := job{engine: lengths{}, lanes: lanes}.each(t.Context(), sources, func(o outcome) error {
		if o.name != strconv.Itoa(next) {
			t.Errorf("outcome %q in place %d", o.name, next)
		}
		next++
		return nil
	})
	if err != nil || next != 100 || most.Load() > lanes {
		t.Errorf("%d outcomes, %v, %d at a time; want 100, nil, at most %d", next, err, most.Load(), lanes)
	}
}

func TestEachEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	var sources []source
	for range 50 {
		sources = append(sources, source{"x", func(context.Context) ([]byte, error) { return []byte("abc"), nil }})
	}
	seen := 0
	err := job{engine: lengths{}, lanes: 2}.each(ctx, sources, func(outcome) error {
		if seen++; seen == 3 {
			cancel(stopped{syscall.SIGINT})
		}
		return nil
	})
	if seen != 3 || !errors.Is(err, stopped{syscall.SIGINT}) {
		t.Errorf("%d outcomes, then %v; want three and the cause", seen, err)
	}
	full := errors.New("disk full")
	if err := (job{engine: lengths{}, lanes: 2}).each(t.Context(), sources, func(outcome) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v; want the writer's own error", err)
	}
}

func TestRequestLeavesAServerItsDefaultModel(t *testing.T) {
	for _, c := range []struct {
		flags map[string]string
		want  string
	}{
		{nil, "imagenet"},
		{map[string]string{"server": "http://h"}, ""},
		{map[string]string{"server": "http://h", "model": "imagenet"}, "imagenet"},
	} {
		cfg, err := config.Load(config.Sources{Flags: c.flags})
		if err != nil {
			t.Fatal(err)
		}
		if got := request(cfg, predictOptions{}).Model; got != c.want {
			t.Errorf("%v: model %q, want %q", c.flags, got, c.want)
		}
	}
}

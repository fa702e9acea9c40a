//go:build ci

package browser

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/goshawk-ai/goshawk/test/checkout"
)

// Set once by TestMain, before any test runs.
var (
	chromium context.Context // the browser that the tabs are opened in
	server   string          // http://127.0.0.1:PORT
	root     string          // of the repository
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "browser tests:", err)
		code = 1
	}
	os.Exit(code)
}

func runAll(m *testing.M) (int, error) {
	var err error
	if root, err = checkout.Find(); err != nil {
		return 1, err
	}
	address, stop, err := startServer()
	if err != nil {
		return 1, err
	}
	defer stop()
	server = address

	program, err := exec.LookPath("chromium")
	if err != nil {
		program = "chromium-browser" // Ubuntu's name for it
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses a sandbox under root
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	chromium, cancel = chromedp.NewContext(allocator)
	defer cancel()
	if err := chromedp.Do(chromium); err != nil {
		return 1, fmt.Errorf("start chromium (apt-get install chromium): %w", err)
	}
	code := m.Run()
	if code != 0 {
		fmt.Fprintf(os.Stderr, "the server's last lines:\n%s\n", &said)
	}
	return code, nil
}

type screen struct {
	name          string
	width, height int64
	phone         bool
	scheme        string
}

var (
	phone = screen{"phone", 360, 740, true, "light"}
	desk  = screen{"desk", 1280, 800, false, "light"}
)

// journey runs a walk on a phone and on a desk.
func journey(t *testing.T, walk func(t *testing.T, b *tab)) {
	for _, s := range []screen{phone, desk} {
		t.Run(s.name, func(t *testing.T) { walk(t, open(t, s)) })
	}
}

func picture(name string) string { return filepath.Join(root, "examples", name) }

// bad writes a file that only claims to be a picture.
func bad(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "notes.jpg")
	if err := os.WriteFile(file, []byte("dear diary, this is no picture\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestChoosingAFile(t *testing.T) {
	journey(t, func(_ *testing.T, b *tab) {
		b.visit("/")
		b.shot("empty")
		b.fits()
		b.clickText("Choose pictures")
		b.choose(picture("cat.jpg"))
		b.awaitText("Egyptian cat", "1 classified", "total", "451 × 300")
		b.fits()
		b.shot("result")
	})
}

func TestDroppingFiles(t *testing.T) {
	journey(t, func(t *testing.T, b *tab) {
		b.visit("/")
		b.drop(picture("coffee.jpg"), picture("cat.jpg"))
		b.awaitText("espresso", "Egyptian cat", "2 classified")
		if text := b.text(); strings.Index(text, "coffee.jpg") > strings.Index(text, "cat.jpg") {
			t.Error("the cards must stand in the order in which the files came")
		}
	})
}

func TestPasting(t *testing.T) {
	journey(t, func(_ *testing.T, b *tab) {
		b.visit("/")
		b.paste("/examples/cat.jpg")
		b.awaitText("image.png", "1 classified", "PNG")
	})
}

func TestOneBadAmongSeveral(t *testing.T) {
	journey(t, func(t *testing.T, b *tab) {
		b.allow("status of 415")
		b.visit("/")
		b.drop(picture("cat.jpg"), bad(t), picture("coffee.jpg"))
		b.awaitText("Egyptian cat", "espresso", "2 classified, 1 refused", "like text", "What this means")
		b.shot("result")
		b.fits()
		b.click("button", "Remove notes.jpg")
		b.awaitText("2 classified")
		if got := b.focused(); got != "Remove coffee.jpg" {
			t.Errorf("after a card is removed its neighbor should have the keyboard, got %q", got)
		}
		b.click("button", "Clear all")
		b.await("an empty list", func() bool { return !strings.Contains(b.text(), "Results") })
	})
}

func TestAnErrorLeadsToItsPage(t *testing.T) {
	journey(t, func(t *testing.T, b *tab) {
		b.allow("status of 415")
		b.visit("/")
		b.drop(bad(t))
		b.awaitText("1 refused")
		b.click("link", "What this means")
		b.awaitText("Not a picture that we read", "415", "The type is told by the content")
	})
}

func TestChangingTheModel(t *testing.T) {
	journey(t, func(_ *testing.T, b *tab) {
		b.visit("/")
		b.drop(picture("airplane.jpg"))
		b.awaitText("1 classified", "imagenet")
		call(b, dom.Focus, dom.FocusParams{BackendNodeID: b.find("combobox", "Model")})
		b.press("cifar")
		b.awaitText("JPEG · ", "· cifar10", "airplane\n", "model=cifar10", "1 classified")
	})
}

func TestKeyboardOnly(t *testing.T) {
	journey(t, func(t *testing.T, b *tab) {
		b.visit("/")
		b.tabTo("Skip to the content")
		b.tabTo("Choose pictures")
		b.shot("focus")
		b.press(kb.Enter)
		b.choose(picture("cat.jpg"))
		b.awaitText("Egyptian cat")
		b.tabTo("cat")
		b.press(kb.Enter)
		b.awaitText("2 classified")
		b.tabTo("Remove cat.jpg")
		b.press(kb.Enter)
		b.awaitText("1 classified")
		if got := b.focused(); got != "Remove cat.jpg" {
			t.Errorf("the keyboard should be on the next card, got %q", got)
		}
	})
}

func TestDarkMode(t *testing.T) {
	for _, s := range []screen{phone, desk} {
		t.Run(s.name, func(t *testing.T) {
			s.scheme = "dark"
			b := open(t, s)
			b.allow("status of 415")
			b.visit("/")
			b.drop(picture("cat.jpg"), bad(t), picture("coffee.jpg"))
			b.awaitText("2 classified, 1 refused")
			b.shot("result")
			dark := run(b, "measure the background", chromedp.Evaluate[bool](
				`getComputedStyle(document.body).backgroundColor.match(/\d+/g).every(v => v < 60)`))
			if !dark {
				t.Error("who asks for dark pages must get a dark background")
			}
		})
	}
}

func TestPlainFormWithoutScript(t *testing.T) {
	journey(t, func(t *testing.T, b *tab) {
		call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		b.visit("/")
		b.shot("form")
		b.fits()
		field := run(b, "find the file field", chromedp.QueryNodeIDs(chromedp.ID("pictures")))
		call(b, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{picture("cat.jpg"), bad(t)}, NodeID: field[0]})
		b.click("button", "Classify")
		b.awaitText("Egyptian cat", "cat.jpg", "notes.jpg", "like text", "imagenet")
		b.fits()
		b.shot("answer")
	})
}

func TestDocumentation(t *testing.T) {
	journey(t, func(_ *testing.T, b *tab) {
		b.permitClipboard()
		b.visit("/")
		b.click("link", "API docs")
		b.awaitText("/v1/predictions", "POST", "Answers", "curl")
		b.fits()
		b.shot("docs")
		b.click("button", "Copy")
		b.awaitText("Copied")
		if got := b.clipboard(); !strings.Contains(got, "curl ") || !strings.Contains(got, server) {
			b.Errorf("a copied command should speak to this server, got %q", got)
		}
	})
}

func TestErrorPages(t *testing.T) {
	journey(t, func(_ *testing.T, b *tab) {
		b.allow("status of 404")
		b.visit("/errors")
		b.fits()
		b.shot("index")
		b.clickText("Too many pixels")
		b.awaitText("413", "limit", "As a document")
		b.fits()
		b.shot("one")
		b.visit("/no-such-page")
		b.awaitText("Not found", "/no-such-page")
		b.shot("missing")
		b.fits()
	})
}

func TestExamplesAndCopyingTheCommand(t *testing.T) {
	journey(t, func(t *testing.T, b *tab) {
		b.permitClipboard()
		b.visit("/")
		b.click("link", "cat")
		b.awaitText("Egyptian cat", "1 classified")
		b.click("button", "Copy")
		b.awaitText("Copied")
		want := "curl -sS '" + server + "/examples/cat.jpg' | curl -sS -F 'image=@-;filename=cat.jpg' '" + server + "/v1/predictions?model=imagenet&top_k=5'"
		if got := b.clipboard(); got != want {
			t.Errorf("the copied command is\n%s\nwant\n%s", got, want)
		}
	})
}

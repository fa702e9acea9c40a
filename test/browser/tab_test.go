//go:build ci

package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience bounds every wait for something to appear.
const patience = 30 * time.Second

// tab is one journey's own browser profile with one page in it.
type tab struct {
	*testing.T
	ctx      context.Context
	origin   string
	width    int64                  // of the screen
	dialogs  chan cdp.BackendNodeID // file dialogs that the page opened
	mu       sync.Mutex
	offenses []string // guarded by mu: what the page did wrong
	allowed  []string // guarded by mu: parts of offenses that the journey provokes
}

// open makes a tab as wide as the screen, for pages of the server under test.
func open(t *testing.T, s screen) *tab {
	t.Helper()
	return openAt(t, s, server)
}

// openAt makes a tab for pages of this origin. What they do wrong fails the test at the end.
func openAt(t *testing.T, s screen, origin string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	b := &tab{T: t, ctx: ctx, origin: origin, width: s.width, dialogs: make(chan cdp.BackendNodeID, 8)}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, page.SetInterceptFileChooserDialog, page.SetInterceptFileChooserDialogParams{Enabled: true})
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: s.width, Height: s.height, DeviceScaleFactor: 1, Mobile: s.phone,
	})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: s.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	t.Cleanup(b.judge)
	return b
}

func (b *tab) hear(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.offend("exception: " + e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.offend(fmt.Sprintf("console.%s: %s", e.Type, e.Args[0].Value))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.offend(fmt.Sprintf("console (%s): %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, b.origin+"/") && !strings.HasPrefix(u, "blob:"+b.origin+"/") {
			b.offend("request to another host: " + u)
		}
	case *page.EventFileChooserOpened:
		b.dialogs <- e.BackendNodeID
	}
}

func (b *tab) offend(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.offenses = append(b.offenses, line)
}

// allow names a part of a console line that this journey provokes on purpose.
func (b *tab) allow(part string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.allowed = append(b.allowed, part)
}

func (b *tab) judge() {
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, line := range b.offenses {
		for _, part := range b.allowed {
			if strings.Contains(line, part) {
				continue next
			}
		}
		b.Errorf("the page must keep its console clean and speak to its own host only, got: %s", line)
	}
}

// call sends one command of the DevTools protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		b.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// run runs an action and gives its value.
func run[T any](b *tab, what string, action chromedp.Action[T]) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.Fatalf("%s: %v", what, err)
	}
	return value
}

func (b *tab) visit(path string) {
	b.Helper()
	run(b, "visit "+path, chromedp.Navigate(b.origin+path))
}

// await asks again and again until the condition holds. The page's own policy
// forbids the eval that chromedp.Poll lives on, so the asking is done from here.
func (b *tab) await(what string, condition func() bool) {
	b.Helper()
	late := time.After(patience)
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-late:
			b.shot("stuck")
			b.Fatalf("waited in vain for %s; the page says:\n%s", what, b.text())
		}
	}
}

// text is what the page shows; nothing while it is on its way to another page.
func (b *tab) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	shown, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body?.innerText ?? ""`))
	if err != nil {
		return ""
	}
	return shown
}

// awaitText waits until the page shows all of these.
func (b *tab) awaitText(parts ...string) {
	b.Helper()
	for _, part := range parts {
		b.await(fmt.Sprintf("the text %q", part), func() bool { return strings.Contains(b.text(), part) })
	}
}

// shot keeps a picture of the whole page where GOSHAWKTEST_SCREENSHOTS says.
func (b *tab) shot(name string) {
	b.Helper()
	dir := os.Getenv("GOSHAWKTEST_SCREENSHOTS")
	if dir == "" {
		return
	}
	png := run(b, "take a screenshot", chromedp.FullScreenshot(100))
	file := strings.NewReplacer("/", "-", " ", "-").Replace(b.Name()) + "-" + name + ".png"
	if err := os.WriteFile(filepath.Join(dir, file), png, 0o644); err != nil {
		b.Error(err)
	}
}

// fits fails when the page is wider than the screen: a phone would scroll
// sideways. The screen is asked, since a phone's window grows with its page.
func (b *tab) fits() {
	b.Helper()
	wide := run(b, "measure the page", chromedp.Evaluate[string](fmt.Sprintf(`
		document.documentElement.scrollWidth <= %[1]d ? "" : document.documentElement.scrollWidth + " wide: " + [...document.querySelectorAll("body *")]
			.filter(e => e.getBoundingClientRect().right > %[1]d + 1 && !e.closest("pre, .examples"))
			.slice(0, 5).map(e => e.tagName + "." + e.className).join(" ")`, b.width)))
	if wide != "" {
		b.Errorf("the page is wider than the screen because of: %s", wide)
	}
}

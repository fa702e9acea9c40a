//go:build ci

package browser

import (
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/dom"

	"github.com/goshawk-ai/goshawk/examples"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/web"
)

func TestAnUnreachableServer(t *testing.T) {
	journey(t, func(_ *testing.T, b *tab) {
		b.allow("ERR_INTERNET_DISCONNECTED")
		b.visit("/")
		b.offline(true)
		b.drop(picture("cat.jpg"))
		b.awaitText("The server could not be reached", "1 refused")
		b.shot("refused")
		b.offline(false)
		b.click("button", "Try again")
		b.awaitText("Egyptian cat", "1 classified")
	})
}

// A file that is too large would be refused while it is still being sent, which
// browsers show as a broken connection: the page must say it before.
func TestAFileThatIsTooLarge(t *testing.T) {
	large := filepath.Join(t.TempDir(), "large.jpg")
	if err := os.WriteFile(large, []byte("\xff\xd8"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 31_400_000); err != nil {
		t.Fatal(err)
	}
	journey(t, func(_ *testing.T, b *tab) {
		b.visit("/")
		b.drop(large)
		b.awaitText("The file has 31.4 MB; this server takes at most 20.0 MB.", "What this means")
	})
}

func TestAFolderIsNoPicture(t *testing.T) {
	journey(t, func(t *testing.T, b *tab) {
		b.allow("ERR_FILE_NOT_FOUND") // of the preview, which has nothing to show
		b.visit("/")
		b.drop(t.TempDir())
		b.awaitText("1 refused", "a folder cannot be sent")
	})
}

// The server under test asks for no key, as it is on loopback; this one does.
func TestAServerThatAsksForAKey(t *testing.T) {
	inner := newFake()
	keyed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api := len(r.URL.Path) > 4 && r.URL.Path[:4] == "/v1/"
		if api && r.Header.Get("Authorization") != "Bearer open sesame" {
			web.New(web.Options{}).Problem(w, r, problem.Unauthenticated.New("this server asks for a key"))
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(keyed.Close)
	for _, s := range []screen{phone, desk} {
		t.Run(s.name, func(t *testing.T) {
			b := openAt(t, s, keyed.URL)
			b.allow("status of 401")
			b.visit("/")
			b.drop(picture("cat.jpg"))
			b.awaitText("This server asks for a key.", "1 refused")
			b.fits()
			b.shot("asked")
			call(b, dom.Focus, dom.FocusParams{BackendNodeID: b.find("textbox", "Key")})
			b.press("open sesame\t")
			b.awaitText("Egyptian cat", "1 classified", "Bearer $GOSHAWK_KEY")
		})
	}
}

// Every example must get the label that it was chosen for, as people meet it.
func TestEveryExampleIsRight(t *testing.T) {
	table, err := examples.FS.Open("expected.csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(table).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, desk)
	for _, row := range rows[1:] {
		b.visit("/?" + row[0])
		call(b, dom.Focus, dom.FocusParams{BackendNodeID: b.find("combobox", "Model")})
		b.press(row[1])
		b.drop(picture(row[0]))
		b.awaitText("1 classified", row[0]+"\n", "· "+row[1]+"\n\n"+row[2]+"\n")
	}
}

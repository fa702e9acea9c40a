package httpapi_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/httpapi"
)

// five serves so many versions, and one more once add was called.
type five struct {
	shelf
	versions *[]string
}

func (f five) Models() []httpapi.ModelInfo {
	all := make([]httpapi.ModelInfo, len(*f.versions))
	for i, v := range *f.versions {
		all[i] = f.info()
		all[i].Version = "sha256:" + v + digest[len("sha256:")+len(v):]
	}
	return all
}

func TestListsComeInPages(t *testing.T) {
	versions := []string{"b", "c", "d", "e", "f"}
	g := newRig(t, func(o *httpapi.Options) { o.Models = five{versions: &versions} })
	var got []string
	cursor, pages := "", 0
	for {
		a := g.do("GET", "/v1/models?limit=2"+cursor, nil, nil)
		var doc struct {
			Items []struct{ Version string }
			Next  *string
		}
		if err := json.Unmarshal([]byte(a.body), &doc); err != nil || a.status != 200 {
			t.Fatalf("page %d: %d %s", pages, a.status, a.body)
		}
		for _, m := range doc.Items {
			got = append(got, m.Version[7:8])
		}
		if pages++; doc.Next == nil {
			break
		}
		cursor = "&cursor=" + *doc.Next
		if pages == 1 {
			versions = append([]string{"a"}, versions...) // a new version comes before all others
		}
	}
	if want := "[b c d e f]"; fmt.Sprint(got) != want || pages != 3 {
		t.Errorf("%d pages of two gave %v, want 3 with %s: nothing twice and nothing left out, also when a model is added meanwhile", pages, got, want)
	}
	if a := g.do("GET", "/v1/models/imagenet/labels?limit=1", nil, nil); a.status != 200 || !json.Valid([]byte(a.body)) {
		t.Errorf("labels: %d %s", a.status, a.body)
	}
}

package httpapi_test

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestCSV(t *testing.T) {
	g := newRig(t, nil)
	got := g.form("/v1/predictions", map[string]string{"Accept": "text/csv"},
		part{"image", "=cmd()|a.jpg", picture}, part{"image", "b, \"b\".jpg", noPicture})
	if got.status != 200 || got.header.Get("Content-Type") != "text/csv; charset=utf-8; header=present" {
		t.Fatalf("got %d %s", got.status, got.header.Get("Content-Type"))
	}
	rows, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
	if err != nil {
		t.Fatalf("%v in %s", err, got.body)
	}
	for i, want := range []string{
		"name|sha256|rank|label|index|probability|error",
		"'=cmd()|a.jpg|*|1|bird|3|0.75|",
		"'=cmd()|a.jpg|*|2|'=plane|0|0.25|",
		"b, \"b\".jpg|*|||||not-a-picture: the bytes are no picture",
	} {
		if i > 0 {
			if len(rows[i][1]) != 64 {
				t.Errorf("row %d: sha256 %q", i, rows[i][1])
			}
			rows[i][1] = "*"
		}
		if line := strings.Join(rows[i], "|"); line != want {
			t.Errorf("row %d: %q, want %q", i, line, want)
		}
	}
	if len(rows) != 4 {
		t.Errorf("%d rows, want 4", len(rows))
	}
}

func TestCSVKeepsAPictureWithoutPredictions(t *testing.T) {
	var b strings.Builder
	err := httpapi.WriteCSV(&b, &predict.Answer{Results: []predict.Result{
		{Name: "none above the threshold"},
		{Name: "a\r\nb\x1b\u0085c", Error: problem.PictureDamaged.New("cut off")},
		{Name: "  @SUM(A1)"},
		{Name: "-1"},
		{Name: "'quoted"},
		{Name: "\t+1"},
	}})
	want := "name,sha256,rank,label,index,probability,error\n" +
		"none above the threshold,,,,,,\n" +
		"a  b  c,,,,,,picture-damaged: cut off\n" +
		"'  @SUM(A1),,,,,,\n'-1,,,,,,\n''quoted,,,,,,\n' +1,,,,,,\n"
	if err != nil || b.String() != want {
		t.Fatalf("got %q, %v; want %q: a spreadsheet must run no formula of a stranger", b.String(), err, want)
	}
}

func TestNegotiate(t *testing.T) {
	for accept, want := range map[string]string{
		"":                                       "application/json",
		"*/*":                                    "application/json",
		"*":                                      "application/json",
		"application/json":                       "application/json",
		"text/csv":                               "text/csv",
		"TEXT/CSV ; Q=0.3":                       "text/csv",
		"text/*":                                 "text/csv",
		"application/*":                          "application/json",
		"text/csv, */*":                          "text/csv",
		"text/csv;q=0.5, application/json;q=0.9": "application/json",
		"text/csv;q=0.9, application/json;q=0.5": "text/csv",
		"text/csv;q=0, */*":                      "application/json",
		"application/json;q=0, */*;q=0.1":        "text/csv",
		"text/html,application/xhtml+xml,*/*;q=.8": "application/json",
		"text/csv;header=present":                  "text/csv",
		"text/csv;q=2, application/json;q=0.1":     "application/json",
		"garbage,,;;,text/csv":                     "text/csv",
		"text/html":                                "",
		"image/png, video/*":                       "",
		"*/*;q=0":                                  "",
		"text/csv;q=abc":                           "",
	} {
		h := http.Header{}
		if accept != "" {
			h.Set("Accept", accept)
		}
		got, err := httpapi.Negotiate(h, "application/json", "text/csv")
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Accept %q: got %q, %v; want %q", accept, got, err, want)
		}
	}
	h := http.Header{"Accept": {"text/html", "text/csv"}}
	if got, _ := httpapi.Negotiate(h, "application/json", "text/csv"); got != "text/csv" {
		t.Errorf("two Accept headers count as one list, got %q", got)
	}
}

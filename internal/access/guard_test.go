package access_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

type origin struct {
	method, host, origin, site string
	want                       *problem.Kind
}

func checkOrigins(t *testing.T, g *access.Guard, cases map[string]origin) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "/v1/models", nil)
			r.Host = c.host
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			err := g.Origin(r)
			if c.want == nil && err != nil || c.want != nil && problem.Of(err) == nil {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if c.want != nil && problem.Of(err).Kind != c.want {
				t.Fatalf("got %s (%v), want %s", problem.Of(err).Kind.Slug, err, c.want.Slug)
			}
		})
	}
}

func TestLoopbackAnswersForThisMachineOnly(t *testing.T) {
	g := access.New(access.Options{Loopback: true, AllowedHosts: []string{"Goshawk.example.com", "port.example.com:8443"}})
	checkOrigins(t, g, map[string]origin{
		"curl":                    {"POST", "127.0.0.1:8080", "", "", nil},
		"another loopback":        {"POST", "127.8.9.1", "", "", nil},
		"v6":                      {"POST", "[::1]:8080", "", "", nil},
		"mapped v6":               {"GET", "[::ffff:127.0.0.1]:8080", "", "", nil},
		"name":                    {"POST", "LocalHost:8080", "", "", nil},
		"name with dot":           {"GET", "localhost.", "", "", nil},
		"rebound name":            {"GET", "attacker.example:8080", "", "", problem.HostNotAllowed},
		"looks like localhost":    {"GET", "localhost.attacker.example", "", "", problem.HostNotAllowed},
		"looks like an address":   {"GET", "127.0.0.1.nip.example", "", "", problem.HostNotAllowed},
		"another machine":         {"GET", "192.168.1.5:8080", "", "", problem.HostNotAllowed},
		"any address":             {"GET", "0.0.0.0:8080", "", "", problem.HostNotAllowed},
		"no host":                 {"GET", "", "", "", problem.HostNotAllowed},
		"odd host":                {"GET", "]:[", "", "", problem.HostNotAllowed},
		"proxy":                   {"POST", "goshawk.EXAMPLE.com", "https://goshawk.example.com", "same-origin", nil},
		"proxy that drops host":   {"POST", "127.0.0.1:8080", "https://goshawk.example.com", "", nil},
		"allowed on its port":     {"GET", "port.example.com:8443", "", "", nil},
		"allowed, another port":   {"GET", "port.example.com:1", "", "", problem.HostNotAllowed},
		"own page":                {"POST", "localhost:8080", "http://localhost:8080", "same-origin", nil},
		"own page, old browser":   {"POST", "localhost:8080", "http://localhost:8080", "", nil},
		"strange page":            {"POST", "localhost:8080", "https://attacker.example", "cross-site", problem.HostNotAllowed},
		"strange page reads":      {"GET", "localhost:8080", "https://attacker.example", "cross-site", problem.HostNotAllowed},
		"strange page, no origin": {"POST", "localhost:8080", "", "cross-site", problem.Forbidden},
		"other local page":        {"POST", "localhost:8080", "http://localhost:3000", "same-site", problem.Forbidden},
		"hidden origin":           {"POST", "localhost:8080", "null", "", problem.Forbidden},
		"hidden origin, same":     {"POST", "localhost:8080", "null", "same-origin", nil},
		"odd origin":              {"POST", "localhost:8080", "http://%zz", "", problem.HostNotAllowed},
	})
}

func TestAnOpenDoorChecksHostsOnlyWhenToldWhich(t *testing.T) {
	checkOrigins(t, access.New(access.Options{}), map[string]origin{
		"any host":     {"POST", "10.1.2.3:8080", "", "", nil},
		"other origin": {"POST", "10.1.2.3:8080", "https://attacker.example", "", problem.Forbidden},
	})
	checkOrigins(t, access.New(access.Options{AllowedHosts: []string{"a.example", " ", "https://b.example/"}}), map[string]origin{
		"allowed":    {"POST", "a.example", "", "", nil},
		"other":      {"POST", "10.1.2.3:8080", "", "", problem.HostNotAllowed},
		"localhost":  {"POST", "localhost", "", "", problem.HostNotAllowed},
		"bad entry":  {"GET", "b.example", "", "", problem.HostNotAllowed},
		"empty host": {"GET", "", "", "", problem.HostNotAllowed},
	})
}

func TestRefusalsQuoteAndCutTheStrangersText(t *testing.T) {
	g := access.New(access.Options{Loopback: true})
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = "evil\x1b[31m" + strings.Repeat("a", 5000)
	err := g.Origin(r)
	if err == nil || strings.ContainsRune(err.Error(), 0x1b) || len(err.Error()) > 400 {
		t.Fatalf("got %.500q, want the host quoted and cut: it goes to a terminal and a log", err)
	}
}

func TestWhoAsks(t *testing.T) {
	keys, err := access.ParseKeys([]byte("keys:\n  - {id: alice, project: shop, sha256: " + digest("k1") + "}\n"))
	if err != nil {
		t.Fatal(err)
	}
	g := access.New(access.Options{Keys: keys, Loopback: true})
	for name, c := range map[string]struct {
		header []string
		id     string
	}{
		"right":         {[]string{"Bearer k1"}, "alice"},
		"lower case":    {[]string{"bearer  k1"}, "alice"},
		"wrong":         {[]string{"Bearer k2"}, ""},
		"none":          {nil, ""},
		"empty":         {[]string{""}, ""},
		"no key":        {[]string{"Bearer "}, ""},
		"another way":   {[]string{"Basic azE6"}, ""},
		"twice":         {[]string{"Bearer k1", "Bearer k1"}, ""},
		"without words": {[]string{"k1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			who, err := g.Who(c.header)
			if who.ID != c.id || (err == nil) != (c.id != "") {
				t.Fatalf("got %v, %v; want %q", who, err, c.id)
			}
			if err == nil {
				return
			}
			if problem.Of(err).Kind != problem.Unauthenticated {
				t.Fatalf("got %s, want unauthenticated", problem.Of(err).Kind.Slug)
			}
			if strings.Contains(err.Error(), "k1") || strings.Contains(err.Error(), "k2") {
				t.Fatalf("a key must not be repeated: %v", err)
			}
		})
	}
}

func TestWithoutKeysEverybodyIsTheDefault(t *testing.T) {
	who, err := access.New(access.Options{Loopback: true}).Who(nil)
	if err != nil || who.ID != "default" || who.Project != "default" {
		t.Fatalf("got %v, %v", who, err)
	}
}

func TestCheckListen(t *testing.T) {
	for addr, loopback := range map[string]bool{
		"127.0.0.1:8080": true, "127.0.0.2:0": true, "[::1]:8080": true, "localhost:80": true, "::1": true, "[::1]": true,
		"[::ffff:127.0.0.1]:1": true, "localhost": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:8080": false, "10.0.0.1:80": false, "localhost.example:80": false, "": false,
	} {
		if got := access.IsLoopback(addr); got != loopback {
			t.Errorf("IsLoopback(%q) = %v, want %v", addr, got, loopback)
		}
		if warning, err := access.CheckListen(addr, false, true); (err == nil) != loopback || warning != "" {
			t.Errorf("%q without a key: %q, %v; only loopback may be opened", addr, warning, err)
		}
		if warning, err := access.CheckListen(addr, true, false); err != nil || (warning == "") != loopback {
			t.Errorf("%q with a key and without TLS: %q, %v; want a warning off loopback", addr, warning, err)
		}
		if warning, err := access.CheckListen(addr, true, true); err != nil || warning != "" {
			t.Errorf("%q with both: %q, %v", addr, warning, err)
		}
	}
}

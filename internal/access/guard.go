package access

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/principal"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Options of a Guard.
type Options struct {
	// Keys are the keys that are taken. Without any, everybody is the default
	// principal: CheckListen sees to it that this happens on loopback only.
	Keys *Keys
	// Loopback is whether the door listens on loopback. There the browser of
	// this machine is the way in for a stranger (DNS rebinding: a page makes its
	// own name point to 127.0.0.1), so Host and Origin must name this machine.
	Loopback bool
	// AllowedHosts are further names that the server answers for, NAME or
	// NAME:PORT: those of a proxy in front. On a door that is not loopback,
	// hosts are checked only if there are some.
	AllowedHosts []string
}

// Guard checks requests. It is immutable.
type Guard struct {
	keys    *Keys
	local   bool
	allowed map[string]bool
	cross   *http.CrossOriginProtection
}

// New makes a guard.
func New(o Options) *Guard {
	g := &Guard{keys: o.Keys, local: o.Loopback, allowed: map[string]bool{}, cross: http.NewCrossOriginProtection()}
	for _, name := range o.AllowedHosts {
		name = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
		if name == "" {
			continue
		}
		g.allowed[name] = true
		for _, scheme := range []string{"https://", "http://"} {
			// An entry that makes no origin (a stray slash, say) just isn't one;
			// as a host it fits no request either.
			_ = g.cross.AddTrustedOrigin(scheme + name)
		}
	}
	return g
}

// HaveKeys tells whether a key is asked for.
func (g *Guard) HaveKeys() bool { return g.keys.Len() > 0 }

// Origin checks where a request was sent to and which page sent it. It fails
// with problem.HostNotAllowed or, for a request that would change something and
// comes from another site's page, problem.Forbidden.
func (g *Guard) Origin(r *http.Request) error {
	if g.local || len(g.allowed) > 0 {
		if !g.answersFor(r.Host) {
			return problem.HostNotAllowed.New("this server does not answer for the host %s; if it is a proxy's name, add it to allowed_hosts", wording.Quote(r.Host))
		}
		if origin := r.Header.Get("Origin"); origin != "" && origin != "null" {
			u, err := url.Parse(origin)
			if err != nil || !g.answersFor(u.Host) {
				return problem.HostNotAllowed.New("a page of the origin %s sent this request, and this server does not answer for it; if it is a proxy's name, add it to allowed_hosts", wording.Quote(origin))
			}
		}
	}
	if err := g.cross.Check(r); err != nil {
		return problem.Forbidden.New("this request was sent by a page of another site, which may not use this server").Because(err)
	}
	return nil
}

// answersFor takes HOST or HOST:PORT.
func (g *Guard) answersFor(hostport string) bool {
	hostport = strings.ToLower(hostport)
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]"), ""
	}
	host = strings.TrimSuffix(host, ".")
	if g.allowed[host] || port != "" && g.allowed[net.JoinHostPort(host, port)] {
		return true
	}
	if !g.local {
		return false
	}
	// Only names can be rebound: an address that is loopback is this machine.
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return host == "localhost"
}

// Who tells the principal from the values of the Authorization header (for
// gRPC: of the metadata authorization). It fails with problem.Unauthenticated.
func (g *Guard) Who(authorization []string) (principal.Principal, error) {
	if !g.HaveKeys() {
		return principal.Principal{ID: principal.Default, Project: principal.Default}, nil
	}
	if len(authorization) == 0 {
		return principal.Principal{}, problem.Unauthenticated.New("this server asks for a key: send it as 'Authorization: Bearer KEY'")
	}
	scheme, key, found := strings.Cut(authorization[0], " ")
	if len(authorization) > 1 || !found || !strings.EqualFold(scheme, "Bearer") {
		return principal.Principal{}, problem.Unauthenticated.New("the Authorization header is not of the form 'Bearer KEY'")
	}
	who, known := g.keys.Lookup(strings.TrimSpace(key))
	if !known {
		return principal.Principal{}, problem.Unauthenticated.New("the key is not known here")
	}
	return who, nil
}

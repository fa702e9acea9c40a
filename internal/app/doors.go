package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// door is one listener and what answers behind it.
type door struct {
	last     bool   // closes after the others have drained
	name     string // what serve prints before the address
	listener net.Listener
	serve    func(net.Listener) error
	stop     func(ctx context.Context) (cut int, err error) // drains; after ctx it cuts off, and says how many requests
}

// listen opens the address that a flag gave. A refusal is a sentence with the
// next step.
func listen(flag, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), network(addr), addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("cannot listen on %s: address in use (try %s 127.0.0.1:0)", addr, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("cannot listen on %s: not allowed for this user (try a port above 1023)", addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("cannot listen on %s: this machine has no such address (try 127.0.0.1:8080)", addr)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s: %w", addr, err)
	}
	return l, nil
}

// network keeps an IPv4 address to IPv4: for 0.0.0.0 Go would listen on every
// IPv6 address as well, which nobody asked for, and print [::].
func network(addr string) string {
	if at, err := netip.ParseAddrPort(addr); err == nil && at.Addr().Is4() {
		return "tcp4"
	}
	return "tcp"
}

// httpDoor serves a handler. Header limits come before everything else. How
// long an answer may take is the handler's to bound: one time for all would be
// too short for a profile and too long for a probe.
func httpDoor(name string, l net.Listener, h http.Handler, tlsConfig *tls.Config, log *slog.Logger) *door {
	base, cut := context.WithCancelCause(context.Background())
	var running atomic.Int64
	s := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			running.Add(1)
			defer running.Add(-1)
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
		TLSConfig:         tlsConfig,
	}
	return &door{
		name: name, listener: l,
		serve: func(l net.Listener) error {
			if tlsConfig != nil {
				l = tls.NewListener(l, tlsConfig)
			}
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
		stop: func(ctx context.Context) (int, error) {
			defer cut(nil)
			err := s.Shutdown(ctx)
			if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
				return 0, err
			}
			n := running.Load() // none: then only connections were open on which nobody had asked
			cut(errShutdown)
			_ = s.Close() // Shutdown's error says the same
			return int(n), nil
		},
	}
}

// errShutdown is the cause with which requests end that outlast the drain.
var errShutdown = problem.Overloaded.New("the server is shutting down; send the request again, to another one or later")

// adminHandler is for operators: metrics, profiles, and the two states again.
// Metrics are for everybody on loopback, where only the names of this machine
// are answered for; elsewhere for who has a key.
func adminHandler(o httpapi.Options, metrics *prometheus.Registry, loopback bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{Registry: metrics, EnableOpenMetrics: true}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return httpapi.Admin(o, func(r *http.Request) error {
		if err := o.Access.Origin(r); err != nil || loopback {
			return err
		}
		_, err := o.Access.Who(r.Header.Values("Authorization"))
		return err
	}, mux)
}

// serverTLS reads the certificate; nil when none is configured.
func serverTLS(c config.TLS) (*tls.Config, error) {
	if c.Cert == "" && c.Key == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("cannot use the certificate %q with the key %q: %w", c.Cert, c.Key, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// doors are open together and close together.
type doors struct {
	all    []*door
	failed chan error // the first that ends by itself
	done   sync.WaitGroup
}

func (d *doors) add(x *door) { d.all = append(d.all, x) }

// open begins to serve. The addresses were bound before.
func (d *doors) open() {
	d.failed = make(chan error, len(d.all))
	for _, x := range d.all {
		d.done.Go(func() {
			if err := x.serve(x.listener); err != nil {
				d.failed <- fmt.Errorf("the %s door failed: %w", x.name, err)
			}
		})
	}
}

// close drains all doors, waits for their goroutines and says how many requests
// it cut off. The last ones stay open until the others have drained: there
// operators see that, and how, it goes.
func (d *doors) close(ctx context.Context) (cut int, err error) {
	first, errFirst := d.stop(ctx, false)
	last, errLast := d.stop(ctx, true)
	d.done.Wait()
	return first + last, errors.Join(errFirst, errLast)
}

func (d *doors) stop(ctx context.Context, last bool) (cut int, err error) {
	errs := make([]error, len(d.all))
	cuts := make([]int, len(d.all))
	var all sync.WaitGroup
	for i, x := range d.all {
		if x.last == last {
			all.Go(func() { cuts[i], errs[i] = x.stop(ctx) })
		}
	}
	all.Wait()
	for _, n := range cuts {
		cut += n
	}
	return cut, errors.Join(errs...)
}

// print writes a door's line.
func (d *door) print(w io.Writer, prefix string) {
	fmt.Fprintf(w, "%s %s%s\n", d.name, prefix, d.listener.Addr())
}

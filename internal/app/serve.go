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
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/goshawk-ai/goshawk/api"
	"github.com/goshawk-ai/goshawk/examples"
	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/registry"
	"github.com/goshawk-ai/goshawk/internal/telemetry"
	"github.com/goshawk-ai/goshawk/internal/web"
)

// server is the role "all": one process with every room in it.
type server struct {
	config   *config.Config
	version  string
	log      *slog.Logger
	metrics  *prometheus.Registry
	engine   *engine
	keys     *access.Keys
	tls      *tls.Config
	doors    doors
	settings *oipapi.Settings // of tracing and logging, for both forms of the protocol
	traces   *oipapi.Traces
	leaving  atomic.Bool // a drain has begun: not ready any more
}

// Serve opens the doors, prints their addresses on stdout, loads the models,
// prints ready and serves until ctx ends. Then it is not ready, finishes what is
// under way within the drain timeout, and returns nil when that went well. While
// it drains, /readyz says so on the admin door, which closes last; the others
// take no connection any more.
func Serve(ctx context.Context, c *config.Config, version string, stdout io.Writer, log *slog.Logger) (err error) {
	s := &server{config: c, version: version, log: log, metrics: newMetrics()}
	if err := s.secrets(); err != nil {
		return err
	}
	// The addresses first: a taken port is told before a model is loaded.
	listeners, err := s.listen()
	if err != nil {
		return err
	}
	// The engine outlives ctx, so that a drain can finish what is under way.
	s.engine, err = newEngine(context.WithoutCancel(ctx), c, s.registry, log, s.metrics)
	if err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	defer func() { err = errors.Join(err, s.engine.close()) }()
	s.change(log)
	defer func() { err = errors.Join(err, s.traces.Close()) }()
	s.metrics.MustRegister(buildInfo(version, s.engine.backend.Version(), s.engine.decoder.Name()))
	s.engine.registry.Start(context.WithoutCancel(ctx))
	telling, stop := context.WithCancel(context.WithoutCancel(ctx))
	var told sync.WaitGroup
	told.Go(func() { s.engine.notice.keep(telling) })
	defer told.Wait()
	defer stop()
	s.open(listeners)
	s.print(stdout)
	defer func() { err = errors.Join(err, s.drain()) }()
	return s.run(ctx, stdout)
}

// change sets what clients may change of tracing and logging. What they changed is
// told in a line that none of it can keep away.
func (s *server) change(log *slog.Logger) {
	s.traces = oipapi.NewTraces(filepath.Join(s.config.Data, "traces"), log)
	o := oipapi.SettingsOptions{Tensors: s.config.Trace.Allow == config.Tensors, Logger: log}
	if s.config.Trace.Allow != config.Off {
		o.Traces = s.traces
	}
	if levels, ok := log.Handler().(*telemetry.Switch); ok {
		o.Logger = slog.New(levels.Always())
		if s.config.Log.Allow == config.On {
			o.Log = levels
		}
	}
	s.settings = oipapi.NewSettings(o)
}

// registry opens the registry with what readiness waits for. A name that is
// nowhere would be waited for by nobody.
func (s *server) registry(dir string, builtIn []registry.BuiltIn, o registry.Options) (*registry.Registry, error) {
	o.Required = s.config.Required
	r, err := registry.Open(dir, builtIn, o)
	if err != nil {
		return nil, err
	}
	for _, name := range o.Required {
		if _, err := r.Resolve(name); err != nil {
			return nil, errors.Join(fmt.Errorf("models.required: %w", err), r.Close())
		}
	}
	return r, nil
}

func newMetrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// buildInfo is 1, and says in its labels what runs here.
func buildInfo(release, onnxRuntime, jpeg string) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "goshawk_build_info", Help: "What runs here, in the labels; the value is 1.",
		ConstLabels: prometheus.Labels{
			"version": release, "go_version": runtime.Version(), "onnxruntime_version": onnxRuntime, "jpeg_decoder": jpeg,
		},
	})
	g.Set(1)
	return g
}

// run waits until the models answer, then until ctx or a door ends.
func (s *server) run(ctx context.Context, stdout io.Writer) error {
	err := s.engine.sources.await(ctx, s.engine.fleet)
	if err == nil {
		err = s.engine.fleet.WaitReady(ctx)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop while starting: an orderly end
		}
		return fmt.Errorf("not ready: %w", err)
	}
	fmt.Fprintln(stdout, "ready")
	s.log.Info("ready", "release", s.version, "runtime", s.engine.backend.Version(), "lanes", s.engine.scheduler.Lanes())
	select {
	case <-ctx.Done():
		s.log.Info("stopping", "reason", context.Cause(ctx).Error())
		return nil
	case err := <-s.doors.failed:
		return err
	}
}

// drain says that the server is not ready, goes on answering for as long as a
// balancer needs to notice, stops taking requests and waits for those under way. That some had to be
// cut off is an error, and one sentence whatever doors they came through.
func (s *server) drain() error {
	s.leaving.Store(true)
	time.Sleep(s.config.DrainDelay) // a second signal ends the process meanwhile
	ctx, cancel := context.WithTimeout(context.Background(), s.config.DrainTimeout)
	defer cancel()
	cut, err := s.doors.close(ctx)
	switch {
	case cut == 1:
		err = errors.Join(fmt.Errorf("1 request still ran after %v and was cut off (--drain-timeout)", s.config.DrainTimeout), err)
	case cut > 1:
		err = errors.Join(fmt.Errorf("%d requests still ran after %v and were cut off (--drain-timeout)", cut, s.config.DrainTimeout), err)
	}
	return err
}

// ready is what /readyz says.
func (s *server) ready() error {
	if s.leaving.Load() {
		return problem.Overloaded.New("the server is shutting down")
	}
	if !s.engine.sources.taken() {
		return problem.ModelUnhealthy.New("the model repository is being read for the first time").With("retry_after_seconds", 1)
	}
	return s.engine.fleet.Ready()
}

// secrets reads the keys and the certificate.
func (s *server) secrets() (err error) {
	if s.config.Auth.KeysFile != "" {
		if s.keys, err = access.LoadKeys(s.config.Auth.KeysFile); err != nil {
			return err
		}
	}
	s.tls, err = serverTLS(s.config.TLS)
	return err
}

// listeners are bound addresses; a door that is off is nil.
type listeners struct{ main, grpc, admin net.Listener }

func closeAll(l listeners) error {
	var errs []error
	for _, x := range []net.Listener{l.main, l.grpc, l.admin} {
		if x != nil {
			errs = append(errs, x.Close())
		}
	}
	return errors.Join(errs...)
}

func (s *server) listen() (l listeners, err error) {
	for _, d := range []struct {
		flag, addr string
		to         *net.Listener
	}{
		{"--listen", s.config.Listen, &l.main},
		{"--grpc-listen", s.config.GRPCListen, &l.grpc},
		{"--admin-listen", s.config.AdminListen, &l.admin},
	} {
		if d.addr == config.Off {
			continue
		}
		warning, err := access.CheckListen(d.addr, s.keys.Len() > 0, s.tls != nil)
		if err != nil {
			return l, errors.Join(err, closeAll(l))
		}
		if warning != "" {
			s.log.Warn(warning)
		}
		if *d.to, err = listen(d.flag, d.addr); err != nil {
			return l, errors.Join(err, closeAll(l))
		}
	}
	return l, nil
}

// open builds what answers behind each listener.
func (s *server) open(l listeners) {
	s.doors.add(httpDoor("listening", l.main, s.handler(l.main), s.tls, s.log))
	if l.grpc != nil {
		s.doors.add(s.grpcDoor(l.grpc))
	}
	if l.admin != nil {
		s.doors.add(s.adminDoor(l.admin))
	}
	s.doors.open()
}

func (s *server) adminDoor(l net.Listener) *door {
	h := adminHandler(s.options(l), s.metrics, access.IsLoopback(l.Addr().String()))
	d := httpDoor("admin", l, h, s.tls, s.log)
	d.last = true
	return d
}

func (s *server) guard(l net.Listener) *access.Guard {
	return access.New(access.Options{
		Keys: s.keys, Loopback: access.IsLoopback(l.Addr().String()), AllowedHosts: s.config.AllowedHosts,
	})
}

func (s *server) options(l net.Listener) httpapi.Options {
	return httpapi.Options{
		Predictor: s.engine.predictor,
		Models:    documents{s.engine.fleet, s.engine.sources},
		Access:    s.guard(l),
		Limits: httpapi.Limits{
			Picture: int64(s.config.Limits.PictureBytes), Body: int64(s.config.Limits.RequestBytes),
			Pictures: s.config.Limits.Pictures,
		},
		Budget:  s.engine.bodies,
		Ready:   s.ready,
		Logger:  s.log,
		Metrics: s.metrics,
		Version: s.version,
	}
}

func (s *server) handler(l net.Listener) http.Handler {
	o := s.options(l)
	pages := web.New(web.Options{
		Spec: api.YAML(), Version: s.version, Models: s.chooser, Examples: examples.FS,
		MaxPictureBytes: int64(s.config.Limits.PictureBytes),
	})
	o.Pages = pages
	o.Routes = oipapi.Routes(s.protocol(l))
	return httpapi.New(o)
}

// chooser is what the page offers before its script has asked.
func (s *server) chooser() []web.Model {
	var list []web.Model
	for _, m := range s.engine.fleet.Models() {
		if m.Package == nil || !isCurrent(m.Aliases) || m.Package.Manifest.Kind == model.KindTensor {
			continue
		}
		list = append(list, web.Model{Name: m.Name, Description: m.Package.Manifest.Description, Default: m.Default})
	}
	return list
}

// protocol is what both forms of the Open Inference Protocol serve.
func (s *server) protocol(l net.Listener) oipapi.Options {
	return oipapi.Options{
		Access: s.guard(l), Inference: s.engine.predictor,
		Repository: s.engine.repository,
		Settings:   s.settings, Version: s.version,
		Ready: s.ready, TLS: s.tls, MaxBody: int(s.config.Limits.RequestBytes), Logger: s.log,
		Metrics: s.metrics, Budget: s.engine.bodies,
	}
}

func (s *server) grpcDoor(l net.Listener) *door {
	g := oipapi.New(s.protocol(l))
	return &door{name: "grpc", listener: l, serve: g.Serve, stop: func(ctx context.Context) (int, error) { return g.Stop(ctx), nil }}
}

// print writes the lines that a caller waits for, in the order of the doors.
func (s *server) print(stdout io.Writer) {
	scheme := "http://"
	if s.tls != nil {
		scheme = "https://"
	}
	for _, d := range s.doors.all {
		prefix := ""
		if d.name == "listening" {
			prefix = scheme
		}
		d.print(stdout, prefix)
	}
}

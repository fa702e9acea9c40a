package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/infer/child"
	"github.com/goshawk-ai/goshawk/internal/infer/ort"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/registry"
	"github.com/goshawk-ai/goshawk/internal/registry/folder"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// engine is everything that answers for a picture, without any door.
type engine struct {
	backend   *ort.Backend
	decoder   *picture.Decoder
	registry  *registry.Registry
	checker   *fleet.Checker
	sources   *sources
	fleet     *fleet.Fleet
	scheduler *schedule.Scheduler
	bodies    *schedule.Budget // of encoded bytes, held while a request is answered
	pixels    *schedule.Budget // of decoded bytes, held while a picture is computed
	predictor *predict.Predictor

	repository *repository
	calibrator *calibrator
	notice     *notice
}

// open says how the data directory is taken: with its lock, or beside its holder.
type open func(dir string, builtIn []registry.BuiltIn, o registry.Options) (*registry.Registry, error)

// newEngine opens the parts, lowest first, and begins to load the models.
func newEngine(ctx context.Context, c *config.Config, how open, log *slog.Logger, metrics prometheus.Registerer) (e *engine, err error) {
	e = &engine{}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
			e = nil
		}
	}()
	if e.backend, err = openRuntime(c); err != nil {
		return e, err
	}
	if e.decoder, err = picture.NewDecoder(c.JPEGDecoder); err != nil {
		return e, err
	}
	builtIn, err := registry.BuiltIns()
	if err != nil {
		return e, err
	}
	wait := &served{}
	if e.registry, err = how(c.Data, builtIn, registry.Options{Logger: log, Taken: wait.taken, Calibrate: wait.calibrate}); err != nil {
		return e, err
	}
	if e.sources, err = newSources(ctx, c, e.registry, folder.Options{Logger: log}); err != nil {
		return e, err
	}
	tune(c)
	e.scheduler = schedule.New(schedule.Options{Lanes: lanes(c), MaxWait: c.QueueMaxWait, Run: c.Limits.Run, Crowded: e.backend.Yielding})
	if err := metrics.Register(schedule.NewCollector(e.scheduler)); err != nil {
		return e, err
	}
	// Two budgets: who holds a body waits for pixels, who holds pixels waits for
	// nothing. With one, requests could hold all of it and wait for each other.
	bodies := share(c)
	e.bodies = schedule.NewBudget(bodies)
	e.pixels = schedule.NewBudget(int64(c.Memory.Pictures) - bodies)
	key, err := c.RemoteKey()
	if err != nil {
		return e, err
	}
	e.checker = checker(c, key)
	var required []string
	if e.registry.Held() { // a command beside whoever serves is ready with its one model
		required = c.Required
	}
	e.calibrator = newCalibrator(c, e.backend, e.scheduler, log)
	e.fleet = fleet.New(fleet.Options{
		Required: required,
		Backend:  e.backend, Apart: apart(c, e.backend, log), RemoteHosts: c.Backends.RemoteHosts, RemoteKey: key.Reveal(), Source: e.sources, Decoder: e.decoder,
		Checker: e.checker, Logger: log, Registerer: metrics, Default: c.Model, Explicit: c.Models.Control == config.Explicit, Budget: budget(c),
		Overruns: c.Limits.Overruns,
		Plan:     e.calibrator.plan, Loaded: e.calibrator.loaded,
		Unloaded: func(v fleet.Version) { e.scheduler.Forget(v.Digest) },
	})
	e.notice = &notice{path: noticeOf(c), fleet: e.fleet}
	wait.source, wait.fleet, wait.calibrator, wait.notice = e.sources, e.fleet, e.calibrator, e.notice
	local := predict.NewLocal(predict.LocalOptions{
		Catalog: e.fleet, Scheduler: e.scheduler, Budget: e.pixels, Decoder: e.decoder, Limits: pictureLimits(c),
	})
	e.calibrator.fleet, e.calibrator.activity = e.fleet, &activity{Engine: local}
	e.predictor = predict.New(predict.Options{
		Engine: e.calibrator.activity, Catalog: e.fleet, Default: c.Model, Width: 2 * e.scheduler.Lanes(),
		Pictures: c.Limits.Pictures, Timeout: c.RequestTimeout, Metrics: predict.NewMetrics(metrics),
	})
	if err := metrics.Register(plans{e.fleet}); err != nil {
		return e, err
	}
	if err := e.fleet.Start(ctx); err != nil {
		return e, err
	}
	e.sources.start(ctx, e.fleet)
	e.repository = newRepository(e)
	return e, nil
}

// close gives everything back, highest first. Nobody may be using it any more.
func (e *engine) close() error {
	var errs []error
	if e.calibrator != nil {
		e.calibrator.close()
	}
	if e.fleet != nil {
		e.fleet.Close()
	}
	if e.scheduler != nil {
		e.scheduler.Close()
	}
	if e.sources != nil {
		errs = append(errs, e.sources.close())
	}
	if e.registry != nil {
		errs = append(errs, e.registry.Close())
	}
	if e.backend != nil {
		errs = append(errs, e.backend.Close())
	}
	return errors.Join(errs...)
}

func openRuntime(c *config.Config) (*ort.Backend, error) {
	return ort.Open(ort.LibraryOptions{
		Path: c.ONNXRuntimeLibrary, CacheDir: filepath.Join(c.Data, "cache"), MemoryCap: int64(c.Memory.Runtime) + budget(c), Provider: ort.Provider(c.Backends.Provider),
	})
}

// budget is what loaded models may take. A quarter leaves room for runs,
// pictures and the program in any machine of 2 GB and more.
func budget(c *config.Config) int64 {
	if c.Memory.Budget > 0 {
		return int64(c.Memory.Budget)
	}
	if n := fleet.MachineMemory(); n > 0 {
		return n / 4
	}
	return int64(c.Memory.Runtime) // a system that does not tell
}

func checker(c *config.Config, key config.Secret) *fleet.Checker {
	limits := fleet.DefaultLimits
	limits.Wall, limits.CPU, limits.Memory = c.Models.CheckTimeout, c.Models.CheckTimeout, int64(c.Memory.Runtime)
	return &fleet.Checker{
		Library: c.ONNXRuntimeLibrary, Decoder: c.JPEGDecoder, Limits: limits,
		Cache: filepath.Join(c.Data, "cache", "checks"), RemoteHosts: c.Backends.RemoteHosts, RemoteKey: key.Reveal(),
	}
}

// apart runs models in processes of their own, each as bounded as this one.
func apart(c *config.Config, engine *ort.Backend, log *slog.Logger) *child.Backend {
	return child.New(child.Options{
		Engine: engine, Library: c.ONNXRuntimeLibrary, Memory: int64(c.Memory.Runtime), Runs: lanes(c), Load: c.Models.CheckTimeout, Logger: log,
	})
}

// tune sets what Go's runtime does by itself. Both were measured against the bare
// computation (docs/adr/0015-go-beside-inference.md).
//
// Two processors of Go's a core. With one, while all of them compute, nobody reads
// what arrives: a thread switch or two a picture less, and under overload the next
// request waited a second.
//
// The heap may grow to five times what is in use before it is collected, since a
// server's few megabytes double several times a second, and each collection
// empties the pools of buffers and the caches. Pictures' memory stays bounded:
// near its budget collections are as frequent as they must be. Go's own variables
// win.
func tune(c *config.Config) {
	runtime.GOMAXPROCS(2 * max(cores, lanes(c)))
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(c.Memory.Pictures) + 256<<20)
	}
}

// lanes are the pictures computed at a time.
func lanes(c *config.Config) int {
	if c.Threads > 0 {
		return c.Threads
	}
	return cores
}

// cores is what the cgroup's quota allows, not what the host has. It is read
// before newEngine asks Go for more processors.
var cores = schedule.Cores()

func pictureLimits(c *config.Config) picture.Limits {
	l := picture.DefaultLimits
	l.Bytes = int64(c.Limits.PictureBytes)
	l.Pixels = int64(c.Limits.PicturePixels)
	l.Decoded = int64(c.Limits.DecodedBytes)
	return l
}

// share is the part of the memory for pictures that is for encoded ones: as the
// largest body is to the largest decoded picture, so that either fits its part.
func share(c *config.Config) int64 {
	body, pixels := uint64(c.Limits.RequestBytes), uint64(c.Limits.DecodedBytes)
	high, low := bits.Mul64(uint64(c.Memory.Pictures), body)
	part, _ := bits.Div64(high, low, max(body+pixels, 1)) // fits: the memory is at least their sum, and body less than it
	return int64(part)
}

// served lets whoever made a change beside the running server wait until the server
// answers by it, so that the next command finds it so.
type served struct {
	source     fleet.Source
	fleet      *fleet.Fleet
	calibrator *calibrator
	notice     *notice
}

func (s *served) calibrate(ctx context.Context, q registry.Calibration) (json.RawMessage, error) {
	if s.calibrator == nil {
		return nil, problem.Overloaded.New("the server is starting; try again in a moment")
	}
	return s.calibrator.asked(ctx, q)
}

// taken waits until requests for ref are answered by v, or v cannot be loaded, or
// ref has come to mean another. A version that no alias leads to is not loaded before
// somebody asks for it.
func (s *served) taken(ctx context.Context, ref string, v fleet.Version) {
	if s.fleet == nil {
		return
	}
	if len(v.Aliases) > 0 {
		s.answering(ctx, ref, v)
	}
	s.notice.write()
}

func (s *served) answering(ctx context.Context, ref string, v fleet.Version) {
	_, release, err := s.fleet.Look(ctx, v.Name+"@"+v.Digest)
	if err != nil {
		return
	}
	release()
	for {
		changed := s.fleet.Changed()
		if now, err := s.fleet.Status(ref); err != nil || now.Digest == v.Digest {
			return
		}
		if means, err := s.source.Resolve(ref); err != nil || means.Digest != v.Digest {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// EngineInfo says what computes and decodes here.
type EngineInfo struct {
	Runtime string // "1.30.0", or "" when there is none
	Library string
	Decoder string
}

// Engine finds out what would compute and decode. The error says why there is
// no runtime, or no decoder; the other is known all the same.
func Engine(c *config.Config) (info EngineInfo, err error) {
	decoder, err := picture.NewDecoder(c.JPEGDecoder)
	if err == nil {
		info.Decoder = decoder.Name()
	}
	backend, errRuntime := openRuntime(c)
	if err = errors.Join(err, errRuntime); errRuntime != nil {
		return info, err
	}
	info.Runtime, info.Library = backend.Version(), backend.Library()
	if errClose := backend.Close(); errClose != nil {
		err = errors.Join(err, fmt.Errorf("close ONNX Runtime: %w", errClose))
	}
	return info, err
}

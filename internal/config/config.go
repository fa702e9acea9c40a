package config

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/goshawk-ai/goshawk/internal/units"
)

// Config holds the effective settings. Load makes it; the comment of a field is
// the option's Help in the table.
type Config struct {
	Listen      string // HOST:PORT
	GRPCListen  string // HOST:PORT, or Off
	AdminListen string // HOST:PORT, or Off

	Data               string
	Model              string
	JPEGDecoder        string // auto, turbo or go
	ONNXRuntimeLibrary string // "" looks in the usual places

	Limits Limits
	Memory Memory

	QueueMaxWait   time.Duration
	Objective      time.Duration // latency_objective: p99 of a request; 0 is none
	Threads        int           // 0: what the cgroup's CPU quota allows
	RequestTimeout time.Duration
	DrainTimeout   time.Duration
	DrainDelay     time.Duration

	TLS          TLS
	Auth         Auth
	AllowedHosts []string
	Log          Log
	Trace        Trace

	Models   ModelSettings
	Required []string // models.required
	Backends Backends
	Client   Client

	file     string // that was read, or ""
	origins  map[string]Origin
	warnings []string
}

// Auto leaves a size to the program.
const Auto = "auto"

// Off is the address of a door that stays shut, and what is not allowed.
const Off = "off"

// On is what is allowed.
const On = "on"

// Limits bound what one request may cost; they are inclusive.
type Limits struct {
	PictureBytes  units.Bytes
	PicturePixels units.Pixels
	DecodedBytes  units.Bytes
	RequestBytes  units.Bytes
	Pictures      int
	Run           time.Duration // of a model, on a lane
	Overruns      int           // such runs in a row, after which a model is unhealthy
}

// Memory bounds what all of them together may take.
type Memory struct {
	Pictures units.Bytes // encoded and decoded pictures that are in flight
	Budget   units.Bytes // loaded models; 0 is Auto
	Runtime  units.Bytes // what models need beside that for their runs
}

// TLS names the PEM files of the HTTP and gRPC doors.
type TLS struct {
	Cert string
	Key  string
}

// Auth says who may come in.
type Auth struct {
	KeysFile string
}

// Log is how the program talks to its operator.
type Log struct {
	Level  slog.Level
	Format string // auto, json or text
	Allow  string // On or Off: whether clients may change it
}

// Trace is what is written of requests.
type Trace struct {
	Allow string // what clients may ask for: Off, Timestamps, Tensors
}

// The values of Trace.Allow.
const (
	Timestamps = "timestamps"
	Tensors    = "tensors"
)

// ModelSettings say where models come from beside Data, and how they are checked.
type ModelSettings struct {
	Repository   string // a directory or file:// URL, or "" for none; see RepositoryDir
	Control      string // Poll or Explicit
	Poll         time.Duration
	CheckTimeout time.Duration
	Calibrate    string // Idle or Off: what models add does
}

// The values of Models.Control.
const (
	Poll     = "poll"     // changes of the repository are taken up by themselves
	Explicit = "explicit" // what is loaded is what was asked for
)

// Idle is the value of Models.Calibrate that measures a new model when nobody
// else uses the machine; Off leaves it out.
const Idle = "idle"

// Backends are those who compute models, here and elsewhere.
type Backends struct {
	Provider      string   // cpu, cuda or tensorrt
	RemoteHosts   []string // HOST:PORT, or HOST
	RemoteKey     Secret
	RemoteKeyFile string
}

// Client is what the commands that talk to a running server use.
type Client struct {
	Server  string // URL, or "" for working here
	Key     Secret
	KeyFile string
}

// Secret is text that no output shows.
type Secret string

// String hides the secret; Reveal gives it to the one who sends it.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "<secret>"
}

// GoString hides it from %#v too.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// MarshalText hides it from JSON, YAML and slog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Origin is where an effective value came from.
type Origin struct {
	Source string // "default", "file", "environment", "flag"
	Where  string // config.yaml:3, GOSHAWK_LISTEN, --listen
}

func (o Origin) String() string {
	if o.Where == "" {
		return o.Source
	}
	return o.Where
}

// Origin of the option with this key.
func (c *Config) Origin(key string) Origin { return c.origins[key] }

// File is the path of the configuration file that was read, or "".
func (c *Config) File() string { return c.file }

// Warnings are things that deserve a look but keep nothing from starting.
func (c *Config) Warnings() []string { return c.warnings }

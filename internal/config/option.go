package config

import (
	"strings"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/units"
)

// Scope says which commands an option concerns; they alone get its flag.
type Scope uint8

// The commands.
const (
	Serve Scope = 1 << iota
	Predict
	Models
	Everywhere = Serve | Predict | Models
)

// Option is one row of the table.
type Option struct {
	Key     string // in the file: limits.picture_bytes
	Default string // as one would write it
	Help    string // one sentence without its full stop
	Scope   Scope
	Secret  bool // has no flag, since other users can read a command line

	flag  string // where the key does not read well as one
	field func(*Config) Value
}

// Flag is the option's flag without dashes, or "" when it has none.
func (o Option) Flag() string {
	if o.Secret {
		return ""
	}
	if o.flag != "" {
		return o.flag
	}
	if strings.HasPrefix(o.Key, "client.") { // `predict --server` reads better than --client-server
		return strings.ReplaceAll(strings.TrimPrefix(o.Key, "client."), "_", "-")
	}
	return strings.NewReplacer(".", "-", "_", "-").Replace(o.Key)
}

// Env is the option's environment variable.
func (o Option) Env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(o.Key, ".", "_"))
}

// Type is the kind of value in a word: address, size, duration, …
func (o Option) Type() string { return o.field(&Config{}).Type() }

// Value is the option's effective value as text; secrets are hidden.
func (o Option) Value(c *Config) string { return o.field(c).String() }

// Parse checks a text that a flag was given.
func (o Option) Parse(text string) error { return o.field(&Config{}).Set(text) }

const defaultData = "$XDG_DATA_HOME/goshawk"

// Options is the table, in the order of the reference page.
func Options() []Option {
	lim := picture.DefaultLimits
	return []Option{
		{
			Key: "listen", Default: "127.0.0.1:8080", Scope: Serve,
			Help:  "address of the HTTP door: API, pages, /livez and /readyz; port 0 takes a free one",
			field: func(c *Config) Value { return &address{p: &c.Listen} },
		},
		{
			Key: "grpc_listen", Default: "127.0.0.1:8081", Scope: Serve,
			Help:  "address of the gRPC door, or off; port 0 by default when listen has port 0",
			field: func(c *Config) Value { return &address{p: &c.GRPCListen, off: true} },
		},
		{
			Key: "admin_listen", Default: "127.0.0.1:8082", Scope: Serve,
			Help:  "address of the operators' door (/metrics, /debug/pprof), or off; port 0 by default when listen has port 0",
			field: func(c *Config) Value { return &address{p: &c.AdminListen, off: true} },
		},
		{
			Key: "data", Default: defaultData, Scope: Everywhere,
			Help:  "directory for all that is kept: models, later records",
			field: func(c *Config) Value { return &text{&c.Data} },
		},
		{
			Key: "model", Default: "imagenet", Scope: Serve | Predict,
			Help:  "model that answers when a request names none: NAME, NAME@ALIAS or NAME@sha256:DIGEST",
			field: func(c *Config) Value { return &text{&c.Model} },
		},
		{
			Key: "jpeg_decoder", Default: "auto", Scope: Everywhere,
			Help:  "who decodes JPEG: turbo (libjpeg-turbo of this machine), go, or auto: turbo where it is installed",
			field: func(c *Config) Value { return &choice{&c.JPEGDecoder, []string{"auto", "turbo", "go"}} },
		},
		{
			Key: "onnxruntime_library", Scope: Everywhere,
			Help:  "path of ONNX Runtime's shared library; empty: the one in this program, else in lib beside it",
			field: func(c *Config) Value { return &text{&c.ONNXRuntimeLibrary} },
		},
		{
			Key: "limits.picture_bytes", Default: units.Bytes(lim.Bytes).String(), Scope: Serve | Predict,
			Help:  "largest encoded picture",
			field: func(c *Config) Value { return &size{p: &c.Limits.PictureBytes} },
		},
		{
			Key: "limits.picture_pixels", Default: units.Pixels(lim.Pixels).String(), Scope: Serve | Predict,
			Help:  "largest picture, width times height",
			field: func(c *Config) Value { return &pixels{&c.Limits.PicturePixels} },
		},
		{
			Key: "limits.decoded_bytes", Default: units.Bytes(lim.Decoded).String(), Scope: Serve | Predict,
			Help:  "memory that decoding one picture may take",
			field: func(c *Config) Value { return &size{p: &c.Limits.DecodedBytes} },
		},
		{
			Key: "limits.request_bytes", Default: "100MB", Scope: Serve,
			Help:  "largest request body",
			field: func(c *Config) Value { return &size{p: &c.Limits.RequestBytes} },
		},
		{
			Key: "limits.pictures", Default: "64", Scope: Serve,
			Help:  "pictures in one request",
			field: func(c *Config) Value { return &count{&c.Limits.Pictures, 1, 10_000} },
		},
		{
			Key: "limits.run", Default: "30s", Scope: Serve,
			Help:  "longest time for one run of a model; it is ended then",
			field: func(c *Config) Value { return &duration{&c.Limits.Run, false} },
		},
		{
			Key: "limits.overruns", Default: "3", Scope: Serve,
			Help:  "runs in a row that had to be ended, after which a model is marked unhealthy until it is loaded again",
			field: func(c *Config) Value { return &count{&c.Limits.Overruns, 1, 1_000_000} },
		},
		{
			Key: "memory.pictures", Default: "512MB", Scope: Serve | Predict,
			Help:  "memory for all pictures in flight, encoded and decoded; more of them wait or are refused",
			field: func(c *Config) Value { return &size{p: &c.Memory.Pictures} },
		},
		{
			Key: "memory.budget", Default: Auto, Scope: Serve,
			Help:  "memory that all loaded models may take; above it those sleep that were not used for the longest time, until a request wakes them; auto: a quarter of the cgroup's or the machine's",
			field: func(c *Config) Value { return &size{p: &c.Memory.Budget, auto: true} },
		},
		{
			Key: "memory.runtime", Default: "1GB", Scope: Everywhere,
			Help:  "memory that ONNX Runtime may take for the runs of models, beside what these take themselves; also that of the check of a model, and of a process of its own",
			field: func(c *Config) Value { return &size{p: &c.Memory.Runtime} },
		},
		{
			Key: "queue.max_wait", Default: "2s", Scope: Serve,
			Help:  "longest predicted wait for a free core; a request that would wait longer is refused at once",
			field: func(c *Config) Value { return &duration{&c.QueueMaxWait, false} },
		},
		{
			Key: "latency_objective", Default: "0s", Scope: Serve | Models,
			Help:  "p99 that a request should have, waiting and computing, for models whose package names none; one that cannot have it is refused at once; 0 is none",
			field: func(c *Config) Value { return &duration{&c.Objective, true} },
		},
		{
			Key: "threads", Default: "0", Scope: Everywhere,
			Help:  "pictures computed at a time; 0 takes what the CPU quota allows",
			field: func(c *Config) Value { return &count{&c.Threads, 0, 1024} },
		},
		{
			Key: "request_timeout", Default: "30s", Scope: Serve,
			Help:  "longest time for the pictures of one request, once its body was read",
			field: func(c *Config) Value { return &duration{&c.RequestTimeout, false} },
		},
		{
			Key: "drain_timeout", Default: "30s", Scope: Serve,
			Help:  "how long a stopping server waits for requests under way",
			field: func(c *Config) Value { return &duration{&c.DrainTimeout, false} },
		},
		{
			Key: "drain_delay", Default: "0s", Scope: Serve,
			Help:  "how long a stopping server goes on answering while /readyz says that it is not ready, so that a balancer can turn away from it",
			field: func(c *Config) Value { return &duration{&c.DrainDelay, true} },
		},
		{
			Key: "tls.cert", Scope: Serve,
			Help:  "PEM file with the server's certificate chain",
			field: func(c *Config) Value { return &text{&c.TLS.Cert} },
		},
		{
			Key: "tls.key", Scope: Serve,
			Help:  "PEM file with the certificate's private key",
			field: func(c *Config) Value { return &text{&c.TLS.Key} },
		},
		{
			Key: "auth.keys_file", Scope: Serve,
			Help:  "file with the keys that may come in; needed on any address but loopback",
			field: func(c *Config) Value { return &text{&c.Auth.KeysFile} },
		},
		{
			Key: "allowed_hosts", Scope: Serve,
			Help:  "further names that the server answers for, such as a proxy's public one",
			field: func(c *Config) Value { return &list{&c.AllowedHosts} },
		},
		{
			Key: "log.level", Default: "info", Scope: Everywhere,
			Help:  "least level that is logged: debug, info, warn or error",
			field: func(c *Config) Value { return &level{&c.Log.Level} },
		},
		{
			Key: "log.format", Default: "auto", Scope: Everywhere,
			Help:  "form of the log on stderr: json, text, or auto: text on a terminal",
			field: func(c *Config) Value { return &choice{&c.Log.Format, []string{"auto", "json", "text"}} },
		},
		{
			Key: "log.allow", Default: On, Scope: Serve,
			Help:  "whether clients may change what is logged (/v2/logging): on or off; each change is logged",
			field: func(c *Config) Value { return &choice{&c.Log.Allow, []string{On, Off}} },
		},
		{
			Key: "trace.allow", Default: Timestamps, Scope: Serve,
			Help:  "what clients may have written of requests into traces below the data directory (/v2/trace/setting): off, timestamps, or tensors too, which are what others sent",
			field: func(c *Config) Value { return &choice{&c.Trace.Allow, []string{Off, Timestamps, Tensors}} },
		},
		{
			Key: "models.repository", flag: "models", Scope: Serve,
			Help:  "directory, or file:// URL, of further models: Goshawk packages, Triton's layout and .onnx files; it is only read",
			field: func(c *Config) Value { return &text{&c.Models.Repository} },
		},
		{
			Key: "models.control", flag: "model-control", Default: Poll, Scope: Serve,
			Help:  "what is loaded: poll: all that there is, as it changes; explicit: the default model and what is asked for",
			field: func(c *Config) Value { return &choice{&c.Models.Control, []string{Poll, Explicit}} },
		},
		{
			Key: "models.poll", flag: "model-poll", Default: "5s", Scope: Serve,
			Help:  "time between two looks for changes of the model repository",
			field: func(c *Config) Value { return &duration{&c.Models.Poll, false} },
		},
		{
			Key: "models.check_timeout", Default: "30s", Scope: Serve | Models,
			Help:  "how long the check of a new model may take",
			field: func(c *Config) Value { return &duration{&c.Models.CheckTimeout, false} },
		},
		{
			Key: "models.calibrate", flag: "calibrate", Default: Idle, Scope: Models,
			Help:  "whether models add measures how the new model is run best: idle: when nobody else uses the machine; off: never",
			field: func(c *Config) Value { return &choice{&c.Models.Calibrate, []string{Idle, Off}} },
		},
		{
			Key: "models.required", Scope: Serve,
			Help:  "names of the models that readiness waits for beside the default one",
			field: func(c *Config) Value { return &list{&c.Required} },
		},
		{
			Key: "backends.provider", flag: "provider", Default: "cpu", Scope: Everywhere,
			Help:  "what ONNX Runtime computes with: cpu, or cuda or tensorrt for a GPU of NVIDIA, which need a build of it with that provider",
			field: func(c *Config) Value { return &choice{&c.Backends.Provider, []string{"cpu", "cuda", "tensorrt"}} },
		},
		{
			Key: "backends.remote_hosts", Scope: Everywhere,
			Help:  "servers that a package may name as where its model is: HOST:PORT, or HOST for all its ports; empty: none",
			field: func(c *Config) Value { return &list{&c.Backends.RemoteHosts} },
		},
		{
			Key: "backends.remote_key", Scope: Everywhere, Secret: true,
			Help:  "key that those servers are sent, all of them; over TLS, or to this machine",
			field: func(c *Config) Value { return &secret{&c.Backends.RemoteKey} },
		},
		{
			Key: "backends.remote_key_file", Scope: Everywhere,
			Help:  "file that holds that key",
			field: func(c *Config) Value { return &text{&c.Backends.RemoteKeyFile} },
		},
		{
			Key: "client.server", Scope: Predict,
			Help:  "URL of a running server that shall answer instead of this process",
			field: func(c *Config) Value { return &text{&c.Client.Server} },
		},
		{
			Key: "client.key", Scope: Predict, Secret: true,
			Help:  "key that is sent to that server",
			field: func(c *Config) Value { return &secret{&c.Client.Key} },
		},
		{
			Key: "client.key_file", Scope: Predict,
			Help:  "file that holds the key",
			field: func(c *Config) Value { return &text{&c.Client.KeyFile} },
		},
	}
}

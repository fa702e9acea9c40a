//go:build cgo && (linux || darwin)

#include "shim.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A step that fails ends the function with its status.
#define TRY(call)                     \
  do {                                \
    ort_status *failed_ = (call);     \
    if (failed_ != NULL) return failed_; \
  } while (0)

enum { SEVERITY_FATAL = 4, ARENA_ALLOCATOR = 1, DEVICE_ALLOCATOR = 0, MEMORY_DEFAULT = 0 };

// The runtime's own log goes nowhere: what matters comes back as a status, and
// its lines would carry a stranger's names to our stderr unescaped.
static void silent(void *param, int severity, const char *category, const char *logid, const char *location,
                   const char *message) {
  (void)param, (void)severity, (void)category, (void)logid, (void)location, (void)message;
}

// gh_open loads the library and reads its function table; on failure it
// returns NULL and a reason. The library is never unloaded: it leaves threads
// and handlers behind that may run its code until the process ends.
gh_runtime *gh_open(const char *path, char *why, size_t room) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    const char *reason = dlerror();
    snprintf(why, room, "%s", reason != NULL ? reason : "it cannot be loaded");
    return NULL;
  }
  const ort_api_base *(*get_base)(void) = (const ort_api_base *(*)(void))dlsym(library, "OrtGetApiBase");
  if (get_base == NULL) {
    snprintf(why, room, "it is not ONNX Runtime (it lacks OrtGetApiBase)");
    dlclose(library);
    return NULL;
  }
  const ort_api_base *base = get_base();
  void *const *table = (void *const *)base->get_api(GH_API_VERSION);
  if (table == NULL) {
    snprintf(why, room, "it is version %s, which does not know API version %d (1.%d.0 or newer does)",
             base->get_version_string(), GH_API_VERSION, GH_API_VERSION);
    return NULL;
  }
  gh_runtime *r = calloc(1, sizeof *r);
  if (r == NULL) {
    snprintf(why, room, "no memory");
    return NULL;
  }
  r->version = base->get_version_string();
  const char *missing = NULL;
#define GH_FILL(position, name, result, arguments)             \
  r->api.name = (result(*) arguments)table[position];          \
  if (r->api.name == NULL) missing = #name;
  GH_ENTRIES(GH_FILL)
#undef GH_FILL
  if (missing != NULL) {
    snprintf(why, room, "it lacks the function %s", missing);
    free(r);
    return NULL;
  }
  return r;
}

// register_arena gives the environment the one arena that all sessions share
// and that refuses to grow beyond the cap.
static ort_status *register_arena(gh_runtime *r, int64_t memory_cap) {
  static const char *const keys[] = {"max_mem", "arena_extend_strategy"};
  enum { SAME_AS_REQUESTED = 1 };
  const size_t values[] = {(size_t)memory_cap, SAME_AS_REQUESTED};
  void *cfg = NULL, *memory = NULL;
  TRY(r->api.CreateArenaCfgV2(keys, values, 2, &cfg));
  ort_status *status = r->api.CreateCpuMemoryInfo(ARENA_ALLOCATOR, MEMORY_DEFAULT, &memory);
  if (status == NULL)
    status = r->api.CreateAndRegisterAllocatorV2(r->env, "CPUExecutionProvider", memory, cfg, NULL, NULL, 0);
  if (memory != NULL) r->api.ReleaseMemoryInfo(memory);
  r->api.ReleaseArenaCfg(cfg);
  return status;
}

// gh_arena_total asks how much the arena that the session allocates from has
// taken from the system, weights included.
ort_status *gh_arena_total(gh_runtime *r, const void *session, int64_t *bytes) {
  void *memory = NULL, *allocator = NULL, *pairs = NULL;
  *bytes = 0;
  TRY(r->api.CreateCpuMemoryInfo(ARENA_ALLOCATOR, MEMORY_DEFAULT, &memory));
  ort_status *status = r->api.CreateAllocator(session, memory, &allocator);
  if (status == NULL) status = r->api.AllocatorGetStats(allocator, &pairs);
  const char *total = status == NULL ? r->api.GetKeyValue(pairs, "TotalAllocated") : NULL;
  if (total != NULL) *bytes = strtoll(total, NULL, 10);
  if (pairs != NULL) r->api.ReleaseKeyValuePairs(pairs);
  if (allocator != NULL) r->api.ReleaseAllocator(allocator);
  r->api.ReleaseMemoryInfo(memory);
  return status;
}

// The library keeps one environment a process, whoever makes it, and would
// silently replace its arena, and with it the memory cap, for a second one.
static int taken;

// gh_claim reports whether the process's environment was free.
int gh_claim(gh_runtime *r) {
  r->claimed = !__atomic_exchange_n(&taken, 1, __ATOMIC_SEQ_CST);
  return r->claimed;
}

ort_status *gh_start(gh_runtime *r, int64_t memory_cap) {
  TRY(r->api.CreateEnvWithCustomLogger(silent, NULL, SEVERITY_FATAL, "goshawk", &r->env));
  TRY(r->api.DisableTelemetryEvents(r->env));
  TRY(r->api.CreateCpuMemoryInfo(DEVICE_ALLOCATOR, MEMORY_DEFAULT, &r->memory));
  TRY(r->api.GetAllocatorWithDefaultOptions(&r->allocator));
  if (memory_cap < 0) return NULL;
  return register_arena(r, memory_cap);
}

void gh_close(gh_runtime *r) {
  if (r->memory != NULL) r->api.ReleaseMemoryInfo(r->memory);
  if (r->env != NULL) r->api.ReleaseEnv(r->env);
  if (r->claimed) __atomic_store_n(&taken, 0, __ATOMIC_SEQ_CST);
  free(r);
}

int gh_error_code(gh_runtime *r, const ort_status *s) { return r->api.GetErrorCode(s); }
const char *gh_error_message(gh_runtime *r, const ort_status *s) { return r->api.GetErrorMessage(s); }
void gh_release_status(gh_runtime *r, ort_status *s) { r->api.ReleaseStatus(s); }

static ort_status *set_options(gh_runtime *r, void *options, int threads, int raw) {
  enum { SEQUENTIAL = 0, NO_OPTIMIZATION = 0, ALL_OPTIMIZATION = 99 };
  static const char *const entries[][2] = {
      // All sessions allocate from the environment's capped arena.
      {"session.use_env_allocators", "1"},
      {"session.intra_op.allow_spinning", "0"},
      {"session.inter_op.allow_spinning", "0"},
      // Else the bytes could be the runtime's own format, which it trusts.
      {"session.load_model_format", "ONNX"},
      // Else weights "in another file" are read from the working directory.
      {"session.model_external_initializers_file_folder_path", "/dev/null/none"},
  };
  TRY(r->api.SetSessionExecutionMode(options, SEQUENTIAL));
  TRY(r->api.SetSessionLogSeverityLevel(options, SEVERITY_FATAL));
  TRY(r->api.SetIntraOpNumThreads(options, threads));
  TRY(r->api.SetInterOpNumThreads(options, 1));
  TRY(r->api.SetSessionGraphOptimizationLevel(options, raw ? NO_OPTIMIZATION : ALL_OPTIMIZATION));
  for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
    TRY(r->api.AddSessionConfigEntry(options, entries[i][0], entries[i][1]));
  return NULL;
}

ort_status *gh_options_new(gh_runtime *r, int threads, int raw, void **options) {
  TRY(r->api.CreateSessionOptions(options));
  ort_status *status = set_options(r, *options, threads, raw);
  if (status != NULL) r->api.ReleaseSessionOptions(*options);
  return status;
}

// gh_options_cancel may be called by another thread while gh_load runs.
void gh_options_cancel(gh_runtime *r, void *options) {
  ort_status *status = r->api.SessionOptionsSetLoadCancellationFlag(options, 1);
  if (status != NULL) r->api.ReleaseStatus(status);
}

void gh_options_free(gh_runtime *r, void *options) { r->api.ReleaseSessionOptions(options); }

// gh_load: model is Go memory, read during the call only.
ort_status *gh_load(gh_runtime *r, const void *model, size_t bytes, void *options, void **session) {
  return r->api.CreateSessionFromArray(r->env, model, bytes, options, session);
}

void gh_unload(gh_runtime *r, void *session) { r->api.ReleaseSession(session); }

ort_status *gh_counts(gh_runtime *r, void *session, size_t *ins, size_t *outs) {
  TRY(r->api.SessionGetInputCount(session, ins));
  return r->api.SessionGetOutputCount(session, outs);
}

// gh_name: the name is the runtime's memory until gh_name_free.
ort_status *gh_name(gh_runtime *r, void *session, int output, size_t i, char **name) {
  if (output) return r->api.SessionGetOutputName(session, i, r->allocator, name);
  return r->api.SessionGetInputName(session, i, r->allocator, name);
}

void gh_name_free(gh_runtime *r, char *name) {
  ort_status *status = r->api.AllocatorFree(r->allocator, name);
  if (status != NULL) r->api.ReleaseStatus(status);
}

static ort_status *describe_tensor(gh_runtime *r, void *info, gh_spec *spec) {
  const void *tensor = NULL; // part of info
  TRY(r->api.CastTypeInfoToTensorInfo(info, &tensor));
  if (tensor == NULL) return NULL;
  TRY(r->api.GetTensorElementType(tensor, &spec->type));
  spec->ranked = r->api.TensorTypeAndShape_HasShape(tensor);
  return r->api.GetDimensionsCount(tensor, &spec->rank);
}

// gh_describe: info lives until gh_describe_free, whatever is returned.
ort_status *gh_describe(gh_runtime *r, void *session, int output, size_t i, gh_spec *spec, void **info) {
  memset(spec, 0, sizeof *spec);
  if (output)
    TRY(r->api.SessionGetOutputTypeInfo(session, i, info));
  else
    TRY(r->api.SessionGetInputTypeInfo(session, i, info));
  TRY(r->api.GetOnnxTypeFromTypeInfo(*info, &spec->kind));
  return describe_tensor(r, *info, spec);
}

// gh_dimensions: the symbols are part of info.
ort_status *gh_dimensions(gh_runtime *r, void *info, int64_t *sizes, const char **symbols, size_t rank) {
  const void *tensor = NULL;
  TRY(r->api.CastTypeInfoToTensorInfo(info, &tensor));
  TRY(r->api.GetDimensions(tensor, sizes, rank));
  return r->api.GetSymbolicDimensions(tensor, symbols, rank);
}

void gh_describe_free(gh_runtime *r, void *info) {
  if (info != NULL) r->api.ReleaseTypeInfo(info);
}

// What Go calls: a few functions that each do a whole step, because every
// crossing from Go to C and back costs, and while one lasts Go's monitor thread
// wakes up.
#ifndef GOSHAWK_ORT_SHIM_H
#define GOSHAWK_ORT_SHIM_H

#include "api.h"

// gh_runtime is the opened library and its one environment.
// Lifetime: malloc'd by gh_open, freed by gh_close after the last session.
typedef struct {
  ort_api api;
  const char *version;    // the library's constant
  void *env;              // owned
  void *memory;           // owned: says "plain CPU memory" for values over our bytes
  void *allocator;        // the library's default allocator, not ours to release
  int claimed;            // it is the process's one runtime
} gh_runtime;

// gh_tensor is one input or output of a call.
typedef struct {
  const char *name;       // C memory of the session, lives as long as it
  void *data;             // Go memory, pinned while gh_run runs; NULL: the runtime allocates;
                          // then, after gh_run, the runtime's, until gh_release
  size_t bytes;
  const int64_t *shape;   // as data
  size_t rank;
  const size_t *offsets;  // strings only: element i lies at data+offsets[i], and so to offsets[i+1]; pinned
  size_t count;           // elements, of a string tensor
  int type;               // the runtime's number
  int given;              // the caller gave memory for the output
  void *value;            // the runtime's value; owned from gh_run to gh_release
} gh_tensor;

// gh_call is what one run needs. It is C memory, made once and used again by
// one run at a time, so that a run allocates nothing here.
typedef struct {
  size_t ins, outs;       // used of the arrays
  gh_tensor *in, *out;
  const char **in_names, **out_names;
  void **in_values, **out_values;
  void *options;          // owned run options, which carry the terminate flag
  int misfit;             // set by gh_run: an output has another type or shape than the memory given for it
} gh_call;

typedef struct {
  int kind;               // ONNXType
  int type;
  int ranked;
  size_t rank;
} gh_spec;

gh_runtime *gh_open(const char *path, char *why, size_t room);
int gh_claim(gh_runtime *);
ort_status *gh_start(gh_runtime *, int64_t memory_cap);
void gh_close(gh_runtime *);

int gh_error_code(gh_runtime *, const ort_status *);
const char *gh_error_message(gh_runtime *, const ort_status *);
void gh_release_status(gh_runtime *, ort_status *);

ort_status *gh_options_new(gh_runtime *, int threads, int raw, void **options);
enum { GH_CPU, GH_CUDA, GH_TENSORRT };
ort_status *gh_provider(gh_runtime *, void *options, int provider);
void gh_options_cancel(gh_runtime *, void *options);
void gh_options_free(gh_runtime *, void *options);
ort_status *gh_load(gh_runtime *, const void *model, size_t bytes, void *options, void **session);
ort_status *gh_load_aside(gh_runtime *, const void *model, size_t bytes, void *options, void **session);
void gh_unload(gh_runtime *, void *session);
void gh_unload_aside(gh_runtime *, void *session);

// gh_reading is a file that is read into memory outside of Go's.
typedef struct {
  int file;
  size_t bytes, come; // wanted, read
  void *data;         // until gh_free_read
  int err, yields;
  int stop; // set by others meanwhile: no more is read
} gh_reading;

void gh_read_aside(gh_reading *);
void gh_free_read(gh_reading *);
ort_status *gh_arena_total(gh_runtime *, const void *session, int64_t *bytes);

ort_status *gh_counts(gh_runtime *, void *session, size_t *ins, size_t *outs);
ort_status *gh_name(gh_runtime *, void *session, int output, size_t i, char **name);
void gh_name_free(gh_runtime *, char *name);
ort_status *gh_describe(gh_runtime *, void *session, int output, size_t i, gh_spec *spec, void **info);
ort_status *gh_dimensions(gh_runtime *, void *info, int64_t *sizes, const char **symbols, size_t rank);
void gh_describe_free(gh_runtime *, void *info);

gh_call *gh_call_new(gh_runtime *, size_t ins, size_t outs, ort_status **failed);
void gh_call_free(gh_runtime *, gh_call *);
ort_status *gh_run(gh_runtime *, void *session, gh_call *);
ort_status *gh_run_aside(gh_runtime *, void *session, gh_call *);
ort_status *gh_strings(gh_runtime *, const void *value, void *to, size_t bytes, size_t *offsets, size_t count);
void gh_release(gh_runtime *, gh_call *);
void gh_terminate(gh_runtime *, gh_call *);
void gh_unterminate(gh_runtime *, gh_call *);
ort_status *gh_shrink(gh_runtime *, gh_call *);
void gh_trim(void);
int64_t gh_used(void);

#endif

//go:build cgo && (linux || darwin)

#include "shim.h"

#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#if __GLIBC_PREREQ(2, 33)
#define HAVE_MALLINFO2 1
#endif
#endif

enum { STRING_TYPE = 8 };

// Where an empty tensor "lies": the runtime refuses a null pointer.
static char nowhere[64];

gh_call *gh_call_new(gh_runtime *r, size_t ins, size_t outs, ort_status **failed) {
  *failed = NULL;
  gh_call *c = calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  c->in = calloc(ins + 1, sizeof *c->in); // + 1: never of size 0
  c->out = calloc(outs + 1, sizeof *c->out);
  c->in_names = calloc(ins + outs + 1, sizeof *c->in_names);
  c->in_values = calloc(ins + outs + 1, sizeof *c->in_values);
  if (c->in != NULL && c->out != NULL && c->in_names != NULL && c->in_values != NULL)
    *failed = r->api.CreateRunOptions(&c->options);
  if (c->options == NULL) {
    gh_call_free(r, c);
    return NULL;
  }
  c->out_names = c->in_names + ins;
  c->out_values = c->in_values + ins;
  return c;
}

void gh_call_free(gh_runtime *r, gh_call *c) {
  if (c->options != NULL) r->api.ReleaseRunOptions(c->options);
  free(c->in);
  free(c->out);
  free(c->in_names);
  free(c->in_values);
  free(c);
}

static ort_status *fill_strings(gh_runtime *r, gh_tensor *t) {
  for (size_t i = 0; i < t->count; i++) {
    size_t bytes = t->offsets[i + 1] - t->offsets[i];
    char *to = NULL;
    ort_status *status = r->api.GetResizedStringTensorElementBuffer(t->value, i, bytes, &to);
    if (status != NULL) return status;
    if (bytes > 0) memcpy(to, (const char *)t->data + t->offsets[i], bytes);
  }
  return NULL;
}

static ort_status *make_value(gh_runtime *r, gh_tensor *t) {
  if (t->type == STRING_TYPE) {
    ort_status *status = r->api.CreateTensorAsOrtValue(r->allocator, t->shape, t->rank, t->type, &t->value);
    return status != NULL ? status : fill_strings(r, t);
  }
  return r->api.CreateTensorWithDataAsOrtValue(r->memory, t->bytes > 0 ? t->data : nowhere, t->bytes, t->shape,
                                               t->rank, t->type, &t->value);
}

static ort_status *make_values(gh_runtime *r, gh_call *c) {
  ort_status *status = NULL;
  for (size_t i = 0; status == NULL && i < c->ins; i++) {
    status = make_value(r, &c->in[i]);
    c->in_names[i] = c->in[i].name;
    c->in_values[i] = c->in[i].value;
  }
  for (size_t i = 0; status == NULL && i < c->outs; i++) {
    c->out_names[i] = c->out[i].name;
    c->out_values[i] = c->out[i].value;
  }
  return status;
}

static int same_shape(const gh_tensor *t, const int64_t *shape, size_t rank) {
  return rank == t->rank && (rank == 0 || memcmp(shape, t->shape, rank * sizeof *shape) == 0);
}

// read_output copies what the runtime made into memory of the caller's, or says
// where it lies. The runtime could write there itself, but for some outputs (one
// that is an input handed through) it silently does not, and a caller would
// read what another one left there. The copy costs less than a microsecond.
static ort_status *read_output(gh_runtime *r, gh_tensor *t, int *misfit) {
  int is_tensor = 0, type = 0;
  const int64_t *shape = NULL;
  size_t rank = 0;
  void *data = NULL;
  ort_status *status = r->api.IsTensor(t->value, &is_tensor);
  if (status != NULL) return status;
  if (!is_tensor) {
    t->type = 0;
    return NULL;
  }
  status = r->api.GetTensorElementTypeAndShapeDataReference(t->value, &type, &shape, &rank);
  if (status == NULL && type == STRING_TYPE)
    status = r->api.GetStringTensorDataLength(t->value, &t->bytes);
  else if (status == NULL)
    status = r->api.GetTensorMutableData(t->value, &data);
  if (status != NULL) return status;
  if (t->given) {
    if (type != t->type || !same_shape(t, shape, rank))
      *misfit = 1;
    else if (t->bytes > 0)
      memcpy(t->data, data, t->bytes);
    return NULL;
  }
  t->type = type;
  t->data = data;
  t->shape = shape;
  t->rank = rank;
  return NULL;
}

// gh_run makes the values, runs and reads the outputs. Where the caller gave
// memory for every output, or something failed, it has released the values
// itself, so that a steady run crosses only once; else gh_release must follow.
ort_status *gh_run(gh_runtime *r, void *session, gh_call *c) {
  c->misfit = 0;
  ort_status *status = make_values(r, c);
  if (status == NULL)
    status = r->api.Run(session, c->options, c->in_names, (const void *const *)c->in_values, c->ins, c->out_names,
                        c->outs, c->out_values);
  int all_given = 1;
  for (size_t i = 0; status == NULL && i < c->outs; i++) {
    c->out[i].value = c->out_values[i];
    all_given &= c->out[i].given;
    status = read_output(r, &c->out[i], &c->misfit);
  }
  if (status != NULL || all_given) gh_release(r, c);
  return status;
}

// gh_release ends the values of a call; calling it twice does no harm.
void gh_release(gh_runtime *r, gh_call *c) {
  for (size_t i = 0; i < c->ins; i++) {
    if (c->in[i].value != NULL) r->api.ReleaseValue(c->in[i].value);
    c->in[i].value = c->in_values[i] = NULL;
  }
  for (size_t i = 0; i < c->outs; i++) {
    void *value = c->out_values[i] != NULL ? c->out_values[i] : c->out[i].value;
    if (value != NULL) r->api.ReleaseValue(value);
    c->out[i].value = c->out_values[i] = NULL;
  }
}

// gh_strings copies a string tensor's bytes and where each element begins.
ort_status *gh_strings(gh_runtime *r, const void *value, void *to, size_t bytes, size_t *offsets, size_t count) {
  return r->api.GetStringTensorContent(value, bytes > 0 ? to : nowhere, bytes, offsets, count);
}

// gh_terminate may be called by another thread while gh_run runs.
void gh_terminate(gh_runtime *r, gh_call *c) {
  ort_status *status = r->api.RunOptionsSetTerminate(c->options);
  if (status != NULL) r->api.ReleaseStatus(status);
}

void gh_unterminate(gh_runtime *r, gh_call *c) {
  ort_status *status = r->api.RunOptionsUnsetTerminate(c->options);
  if (status != NULL) r->api.ReleaseStatus(status);
}

// gh_shrink makes the arena give back its unused regions at the end of the
// call's next run.
ort_status *gh_shrink(gh_runtime *r, gh_call *c) {
  return r->api.AddRunConfigEntry(c->options, "memory.enable_memory_arena_shrinkage", "cpu:0");
}

// gh_trim makes the C library give free memory back to the system.
void gh_trim(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

// gh_used is what malloc has given out in this process, over all its arenas; 0
// where the C library does not tell.
int64_t gh_used(void) {
#ifdef HAVE_MALLINFO2
  struct mallinfo2 m = mallinfo2();
  return (int64_t)(m.uordblks + m.hblkhd);
#else
  return 0;
#endif
}

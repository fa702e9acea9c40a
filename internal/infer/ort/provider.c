//go:build cgo && (linux || darwin)

#include "shim.h"

// The options of the providers for GPUs of NVIDIA, as onnxruntime_c_api.h of API
// version 24 has them (OrtCUDAProviderOptions, OrtTensorRTProviderOptions): plain
// structures that the library reads during the call.
typedef struct {
  int device;
  int conv_search;        // 1: heuristic; the exhaustive one of the default times every new shape
  size_t memory_limit;
  int arena_extend_strategy;
  int copy_in_default_stream;
  int has_stream;
  void *stream;
  void *arena_cfg;
  int tunable, tuning, tuning_ms;
} cuda_options;

typedef struct {
  int device;
  int has_stream;
  void *stream;
  int max_partition_iterations;
  int min_subgraph_size;
  size_t max_workspace_size;
  int fp16, int8;
  const char *calibration_table;
  int native_calibration_table;
  int dla, dla_core, dump_subgraphs, engine_cache;
  const char *engine_cache_path;
  int engine_decryption;
  const char *engine_decryption_lib;
  int sequential_build;
} tensorrt_options;

// gh_provider has a session compute with another provider than the CPU's, which
// stays behind it for what that cannot do.
ort_status *gh_provider(gh_runtime *r, void *options, int provider) {
  const cuda_options cuda = {.conv_search = 1, .memory_limit = SIZE_MAX, .copy_in_default_stream = 1};
  if (provider == GH_TENSORRT) {
    const tensorrt_options trt = {.max_partition_iterations = 1000, .min_subgraph_size = 1, .max_workspace_size = (size_t)1 << 30};
    ort_status *failed = r->api.SessionOptionsAppendExecutionProvider_TensorRT(options, &trt);
    if (failed != NULL) return failed;
  }
  if (provider != GH_CPU) return r->api.SessionOptionsAppendExecutionProvider_CUDA(options, &cuda);
  return NULL;
}

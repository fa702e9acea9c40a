// The part of ONNX Runtime's C API that we call.
//
// The runtime hands out a table of function pointers that is only ever
// appended to, so a function's position and signature never change. Both were
// read from onnxruntime_c_api.h of API version 24 (in the Go module
// github.com/yalue/onnxruntime_go v1.27.0, struct OrtApi counted from 0) and
// written anew; every type of the runtime is a void * here, since we only pass
// them on. TestEveryEntryAgainstTheLibrary proves each line.
#ifndef GOSHAWK_ORT_API_H
#define GOSHAWK_ORT_API_H

#include <stddef.h>
#include <stdint.h>

#define GH_API_VERSION 24

typedef void ort_status; // NULL means success; else to be given to ReleaseStatus

// What the library exports by name, OrtGetApiBase, returns this.
typedef struct {
  const void *(*get_api)(uint32_t version);
  const char *(*get_version_string)(void);
} ort_api_base;

typedef void (*ort_logger)(void *param, int severity, const char *category, const char *logid,
                           const char *location, const char *message);

// F(position, name, result, arguments)
#define GH_ENTRIES(F)                                                                                      \
  F(1, GetErrorCode, int, (const ort_status *))                                                            \
  F(2, GetErrorMessage, const char *, (const ort_status *))                                                \
  F(4, CreateEnvWithCustomLogger, ort_status *,                                                            \
    (ort_logger, void *param, int severity, const char *logid, void **env))                                \
  F(6, DisableTelemetryEvents, ort_status *, (const void *env))                                            \
  F(8, CreateSessionFromArray, ort_status *,                                                               \
    (const void *env, const void *model, size_t bytes, const void *options, void **session))               \
  F(9, Run, ort_status *,                                                                                  \
    (void *session, const void *run_options, const char *const *in_names, const void *const *in,           \
     size_t ins, const char *const *out_names, size_t outs, void **out))                                   \
  F(10, CreateSessionOptions, ort_status *, (void **options))                                              \
  F(13, SetSessionExecutionMode, ort_status *, (void *options, int mode))                                  \
  F(22, SetSessionLogSeverityLevel, ort_status *, (void *options, int severity))                           \
  F(23, SetSessionGraphOptimizationLevel, ort_status *, (void *options, int level))                        \
  F(24, SetIntraOpNumThreads, ort_status *, (void *options, int threads))                                  \
  F(25, SetInterOpNumThreads, ort_status *, (void *options, int threads))                                  \
  F(30, SessionGetInputCount, ort_status *, (const void *session, size_t *))                               \
  F(31, SessionGetOutputCount, ort_status *, (const void *session, size_t *))                              \
  F(33, SessionGetInputTypeInfo, ort_status *, (const void *session, size_t i, void **type_info))          \
  F(34, SessionGetOutputTypeInfo, ort_status *, (const void *session, size_t i, void **type_info))         \
  F(36, SessionGetInputName, ort_status *, (const void *session, size_t i, void *allocator, char **))      \
  F(37, SessionGetOutputName, ort_status *, (const void *session, size_t i, void *allocator, char **))     \
  F(39, CreateRunOptions, ort_status *, (void **run_options))                                              \
  F(46, RunOptionsSetTerminate, ort_status *, (void *run_options))                                         \
  F(47, RunOptionsUnsetTerminate, ort_status *, (void *run_options))                                       \
  F(48, CreateTensorAsOrtValue, ort_status *,                                                              \
    (void *allocator, const int64_t *shape, size_t rank, int type, void **value))                          \
  F(49, CreateTensorWithDataAsOrtValue, ort_status *,                                                      \
    (const void *memory_info, void *data, size_t bytes, const int64_t *shape, size_t rank, int type,       \
     void **value))                                                                                        \
  F(50, IsTensor, ort_status *, (const void *value, int *))                                                \
  F(51, GetTensorMutableData, ort_status *, (void *value, void **data))                                    \
  F(53, GetStringTensorDataLength, ort_status *, (const void *value, size_t *))                            \
  F(54, GetStringTensorContent, ort_status *,                                                              \
    (const void *value, void *to, size_t bytes, size_t *offsets, size_t count))                            \
  F(55, CastTypeInfoToTensorInfo, ort_status *, (const void *type_info, const void **tensor_info))         \
  F(56, GetOnnxTypeFromTypeInfo, ort_status *, (const void *type_info, int *kind))                         \
  F(60, GetTensorElementType, ort_status *, (const void *tensor_info, int *type))                          \
  F(61, GetDimensionsCount, ort_status *, (const void *tensor_info, size_t *))                             \
  F(62, GetDimensions, ort_status *, (const void *tensor_info, int64_t *, size_t count))                   \
  F(63, GetSymbolicDimensions, ort_status *, (const void *tensor_info, const char **, size_t count))       \
  F(69, CreateCpuMemoryInfo, ort_status *, (int allocator_type, int memory_type, void **memory_info))      \
  F(76, AllocatorFree, ort_status *, (void *allocator, void *))                                            \
  F(78, GetAllocatorWithDefaultOptions, ort_status *, (void **allocator))                                  \
  F(92, ReleaseEnv, void, (void *))                                                                        \
  F(93, ReleaseStatus, void, (void *))                                                                     \
  F(94, ReleaseMemoryInfo, void, (void *))                                                                 \
  F(95, ReleaseSession, void, (void *))                                                                    \
  F(96, ReleaseValue, void, (void *))                                                                      \
  F(97, ReleaseRunOptions, void, (void *))                                                                 \
  F(98, ReleaseTypeInfo, void, (void *))                                                                   \
  F(100, ReleaseSessionOptions, void, (void *))                                                            \
  F(130, AddSessionConfigEntry, ort_status *, (void *options, const char *key, const char *value))         \
  F(131, CreateAllocator, ort_status *, (const void *session, const void *memory_info, void **allocator))  \
  F(132, ReleaseAllocator, void, (void *))                                                                 \
  F(152, SessionOptionsAppendExecutionProvider_CUDA, ort_status *,                                         \
    (void *options, const void *cuda_options))                                                             \
  F(157, ReleaseArenaCfg, void, (void *))                                                                  \
  F(159, SessionOptionsAppendExecutionProvider_TensorRT, ort_status *,                                     \
    (void *options, const void *tensorrt_options))                                                         \
  F(164, CreateArenaCfgV2, ort_status *,                                                                   \
    (const char *const *keys, const size_t *values, size_t count, void **arena_cfg))                       \
  F(165, AddRunConfigEntry, ort_status *, (void *run_options, const char *key, const char *value))         \
  F(252, GetResizedStringTensorElementBuffer, ort_status *,                                                \
    (void *value, size_t i, size_t bytes, char **buffer))                                                  \
  F(259, CreateAndRegisterAllocatorV2, ort_status *,                                                       \
    (void *env, const char *provider, const void *memory_info, const void *arena_cfg,                      \
     const char *const *keys, const char *const *values, size_t count))                                    \
  F(293, SessionOptionsSetLoadCancellationFlag, ort_status *, (void *options, _Bool cancel))               \
  F(297, GetKeyValue, const char *, (const void *pairs, const char *key))                                  \
  F(300, ReleaseKeyValuePairs, void, (void *))                                                             \
  F(319, AllocatorGetStats, ort_status *, (const void *allocator, void **pairs))                           \
  F(390, TensorTypeAndShape_HasShape, _Bool, (const void *tensor_info))                                    \
  F(414, GetTensorElementTypeAndShapeDataReference, ort_status *,                                          \
    (const void *value, int *type, const int64_t **shape, size_t *rank))

#define GH_FIELD(position, name, result, arguments) result(*name) arguments;
typedef struct {
  GH_ENTRIES(GH_FIELD)
} ort_api;
#undef GH_FIELD

#endif

//go:build cgo

/* Resize in two passes with 8-bit values between, then a table into the tensor.
 * Bit for bit what internal/picture does in Go; a property test holds them
 * together. One source row at a time is resized horizontally and added to the
 * sums of the output rows that need it, so the memory does not depend on the
 * picture's size and the sums stay in the first-level cache. */

#include "resample.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
#define BITS 22
#define HALF (1 << (BITS - 1))

typedef int32_t quad __attribute__((vector_size(16)));

struct work {
	const struct resample_shape *s;
	const uint8_t *pix, *end;
	const int32_t *start_x, *coef_x, *start_y, *coef_y;
	const uint8_t *table;
	uint8_t *dst;
	int32_t *acc;
	uint8_t *row;
};

#define NAME(f) f##_any
#define AVX2 0
#include "resample_body.h"
#undef NAME
#undef AVX2

#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
#define NAME(f) f##_avx2
#define AVX2 1
#include "resample_body.h"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

void goshawk_resample(const struct resample_shape *shape, const uint8_t *pix,
	const int32_t *start_x, const int32_t *coef_x, const int32_t *start_y, const int32_t *coef_y,
	const uint8_t *table, void *dst, int32_t *acc, uint8_t *row)
{
	const struct work w = {shape, pix, pix + shape->pix_len, start_x, coef_x, start_y, coef_y, table, dst, acc, row};
#if defined(__x86_64__)
	if (!shape->portable && __builtin_cpu_supports("avx2")) {
		resample_avx2(&w);
		return;
	}
#endif
	resample_any(&w);
}

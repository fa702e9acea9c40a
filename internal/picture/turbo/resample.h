/* The C twin of the resampler: see resample.go for what the fields mean. */
#ifndef GOSHAWK_RESAMPLE_H
#define GOSHAWK_RESAMPLE_H

#include <stdint.h>

/* Numbers only: a struct with Go pointers in it must not cross. */
struct resample_shape {
	int64_t pix_len, origin, step_x, step_y;
	int64_t plane_step, row_step, col_step;
	int32_t channels, width, height;
	int32_t taps_x, taps_y, slots, stride;
	int32_t planes, elem, gray;
	int32_t portable; /* not the processor's own vector instructions */
	int32_t background[3], source[3];
};

/* Every pointer is the caller's, of the size that Resample.Check proved, and is
 * not kept. acc and row are scratch whose contents do not matter. */
void goshawk_resample(const struct resample_shape *shape, const uint8_t *pix,
	const int32_t *start_x, const int32_t *coef_x, const int32_t *start_y, const int32_t *coef_y,
	const uint8_t *table, void *dst, int32_t *acc, uint8_t *row);

#endif

/* Included once for each instruction set: NAME makes the names differ, AVX2 says
 * which one. */

INLINE uint8_t NAME(clip1)(int32_t v)
{
	v >>= BITS;
	return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

#if AVX2
/* Four bytes are read for three: last says that the pixel may be the picture's
 * last, behind which there may be nothing. */
INLINE quad NAME(load)(const uint8_t *p, const uint8_t *end, int channels, int last)
{
	int32_t b = 0;
	if (channels == 3 && last && end - p < 4)
		memcpy(&b, p, 3);
	else
		memcpy(&b, p, 4);
	return (quad)_mm_cvtepu8_epi32(_mm_cvtsi32_si128(b));
}

/* Writes a fourth byte, which is the next pixel's and written next; the row has
 * room for the last one's. */
INLINE void NAME(put)(uint8_t *out, quad sum)
{
	__m128i v = _mm_srai_epi32((__m128i)sum, BITS);
	v = _mm_packs_epi32(v, v);
	int32_t b = _mm_cvtsi128_si32(_mm_packus_epi16(v, v));
	memcpy(out, &b, 4);
}
#else
INLINE quad NAME(load)(const uint8_t *p, const uint8_t *end, int channels, int last)
{
	(void)end;
	(void)last;
	return (quad){p[0], p[1], p[2], channels == 4 ? p[3] : 0};
}

INLINE void NAME(put)(uint8_t *out, quad sum)
{
	for (int c = 0; c < 3; c++)
		out[c] = NAME(clip1)(sum[c]);
}
#endif

/* Pillow's paste with a mask: the rounded quotient by 255. */
INLINE quad NAME(over)(quad v, quad under)
{
	quad a = {v[3], v[3], v[3], v[3]};
	quad t = v * a + under * (255 - a) + 128;
	return (t + (t >> 8)) >> 8;
}

INLINE void NAME(horizontal3)(const struct work *w, const uint8_t *line, int channels, int taps, int last)
{
	const struct resample_shape *s = w->s;
	const int64_t step = s->step_x;
	const int32_t width = s->width, *start = w->start_x; /* copies: bytes written could be anything's */
	const uint8_t *end = w->end;
	const quad under = {s->background[0], s->background[1], s->background[2], 0};
	const int32_t *k = w->coef_x;
	uint8_t *out = w->row;
	for (int32_t x = 0; x < width; x++, k += taps, out += 3) {
		const uint8_t *p = line + start[x] * step;
		quad sum = {HALF, HALF, HALF, HALF};
		for (int i = 0; i < taps; i++, p += step) {
			quad v = NAME(load)(p, end, channels, last);
			if (channels == 4)
				v = NAME(over)(v, under);
			sum += v * k[i];
		}
		NAME(put)(out, sum);
	}
}

/* Pillow's L: weights of 16 bits, rounded. */
INLINE int32_t NAME(luma)(const uint8_t *p, int channels, const int32_t *background)
{
	uint32_t c[3];
	if (channels == 1)
		return *p;
	for (int i = 0; i < 3; i++)
		c[i] = p[i];
	for (int i = 0; channels == 4 && i < 3; i++) {
		uint32_t t = c[i] * p[3] + (uint32_t)background[i] * (255u - p[3]) + 128;
		c[i] = (t + (t >> 8)) >> 8;
	}
	return (int32_t)((c[0] * 19595 + c[1] * 38470 + c[2] * 7471 + 0x8000) >> 16);
}

INLINE void NAME(horizontal1)(const struct work *w, const uint8_t *line, int channels, int taps)
{
	const struct resample_shape *s = w->s;
	const int64_t step = s->step_x;
	const int32_t width = s->width, *start = w->start_x, *k = w->coef_x;
	uint8_t *out = w->row;
	for (int32_t x = 0; x < width; x++, k += taps) {
		const uint8_t *p = line + start[x] * step;
		int32_t sum = HALF;
		for (int i = 0; i < taps; i++, p += step)
			sum += NAME(luma)(p, channels, s->background) * k[i];
		out[x] = NAME(clip1)(sum);
	}
}

/* The common numbers of taps become loops without a counter. */
INLINE void NAME(horizontal)(const struct work *w, const uint8_t *line, int last)
{
	const int taps = w->s->taps_x;
	const int channels = w->s->channels;
	if (channels == 1 || w->s->gray) {
		switch (channels) {
		case 1: NAME(horizontal1)(w, line, 1, taps); break;
		case 3: NAME(horizontal1)(w, line, 3, taps); break;
		case 4: NAME(horizontal1)(w, line, 4, taps); break;
		}
		return;
	}
	if (channels == 4) {
		NAME(horizontal3)(w, line, 4, taps, 0);
		return;
	}
	if (last) {
		NAME(horizontal3)(w, line, 3, taps, 1);
		return;
	}
	switch (taps) {
	case 1: NAME(horizontal3)(w, line, 3, 1, 0); break;
	case 2: NAME(horizontal3)(w, line, 3, 2, 0); break;
	case 3: NAME(horizontal3)(w, line, 3, 3, 0); break;
	case 4: NAME(horizontal3)(w, line, 3, 4, 0); break;
	case 5: NAME(horizontal3)(w, line, 3, 5, 0); break;
	case 6: NAME(horizontal3)(w, line, 3, 6, 0); break;
	case 7: NAME(horizontal3)(w, line, 3, 7, 0); break;
	default: NAME(horizontal3)(w, line, 3, taps, 0);
	}
}

INLINE void NAME(first)(int32_t *restrict acc, const uint8_t *restrict row, int32_t k, int n)
{
	for (int i = 0; i < n; i++)
		acc[i] = HALF + row[i] * k;
}

INLINE void NAME(add)(int32_t *restrict acc, const uint8_t *restrict row, int32_t k, int n)
{
	for (int i = 0; i < n; i++)
		acc[i] += row[i] * k;
}

INLINE void NAME(finish)(const int32_t *restrict acc, uint8_t *restrict row, int n)
{
	for (int i = 0; i < n; i++) {
		int32_t v = acc[i] >> BITS;
		v = v < 0 ? 0 : v;
		row[i] = (uint8_t)(v > 255 ? 255 : v);
	}
}

#define SCATTER(type) do { \
	const type *restrict t = (const type *)w->table + 256 * c; \
	type *restrict d = (type *)w->dst + c * s->plane_step + y * s->row_step; \
	if (step == 1) \
		_Pragma("GCC unroll 8") for (int32_t x = 0; x < width; x++) d[x] = t[p[x * colors]]; \
	else \
		for (int32_t x = 0; x < width; x++) d[x * step] = t[p[x * colors]]; \
} while (0)

INLINE void NAME(emit)(const struct work *w, const uint8_t *row, int32_t y, int colors)
{
	const struct resample_shape *s = w->s;
	const int64_t step = s->col_step;
	const int32_t width = s->width, planes = s->planes;
	for (int c = 0; c < planes; c++) {
		const uint8_t *p = row + s->source[c];
		switch (s->elem) {
		case 1: SCATTER(uint8_t); break;
		case 2: SCATTER(uint16_t); break;
		case 4: SCATTER(uint32_t); break;
		case 8: SCATTER(uint64_t); break;
		}
	}
}

static void NAME(resample)(const struct work *w)
{
	const struct resample_shape *s = w->s;
	const int gray = s->channels == 1 || s->gray, taps = s->taps_y, n = s->stride;
	const int32_t *start = w->start_y;
	int32_t done = 0, open = 0;
	for (int32_t y = start[0]; done < s->height; y++) {
		if (done == open && y < start[open])
			y = start[open]; /* without antialiasing whole rows are of no use */
		const uint8_t *line = w->pix + s->origin + y * s->step_y;
		/* Only the line that holds the highest address can touch the end. */
		const uint8_t *a = line + w->start_x[0] * s->step_x;
		const uint8_t *b = line + (w->start_x[s->width - 1] + s->taps_x - 1) * s->step_x;
		NAME(horizontal)(w, line, (a > b ? a : b) + 4 > w->end);
		for (int32_t i = done; i < open; i++) {
			int32_t k = w->coef_y[(int64_t)i * taps + (y - start[i])];
			if (k)
				NAME(add)(w->acc + (int64_t)(i % s->slots) * n, w->row, k, n);
		}
		for (; open < s->height && start[open] == y; open++)
			NAME(first)(w->acc + (int64_t)(open % s->slots) * n, w->row, w->coef_y[(int64_t)open * taps], n);
		for (; done < open && start[done] + taps - 1 == y; done++) {
			NAME(finish)(w->acc + (int64_t)(done % s->slots) * n, w->row, n);
			if (gray)
				NAME(emit)(w, w->row, done, 1);
			else
				NAME(emit)(w, w->row, done, 3);
		}
	}
}


/* SPDX-License-Identifier: MIT */
/* Writes grids of small grey images as one PNG picture. */
#ifndef EXAMPLES_PICTURE_H
#define EXAMPLES_PICTURE_H

#include <stdint.h>

/* A grey picture that images are drawn into. */
typedef struct picture {
    int64_t width, height;
    uint8_t *pixels; /* NULL when there was no memory */
} picture;

picture picture_create(int64_t width, int64_t height, uint8_t background);
void picture_destroy(picture *p);

/*
 * Draws a grid of `columns` x `rows` images, each side x side pixels of values low (black) to high (white) enlarged `zoom` times, with
 * gaps of `gap` pixels, its upper left corner at (left, top).
 */
void picture_draw_grid(picture *p, int64_t left, int64_t top, int64_t columns, int64_t rows, int64_t side, int64_t zoom,
                       int64_t gap, float low, float high, const float *images);

/* 0, or -1 when the file could not be written. */
int picture_write_png(const picture *p, const char *path);

#endif /* EXAMPLES_PICTURE_H */

/* SPDX-License-Identifier: MIT */
/* Reads images in the idx format: a big-endian header, then one byte a pixel. */
#ifndef EXAMPLES_IDX_H
#define EXAMPLES_IDX_H

#include <stdint.h>

/*
 * Reads all images of a file as floats, value = low + (high - low) * byte / most: n_images x n_pixels, to be freed by the
 * caller. NULL, with a message on stderr, when the file cannot be read.
 */
float *idx_read_images(const char *path, float low, float high, float most, int64_t *n_images, int64_t *n_pixels);

#endif /* EXAMPLES_IDX_H */

/* SPDX-License-Identifier: MIT */
#include "idx.h"

#include <stdio.h>
#include <stdlib.h>

static int64_t big_endian(const unsigned char *bytes) {
    return (int64_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

static float *read_pixels(FILE *file, int64_t count, float low, float high, float most) {
    unsigned char *bytes = malloc((size_t)count);
    float *pixels = malloc((size_t)count * sizeof *pixels);
    if (bytes != NULL && pixels != NULL && fread(bytes, 1, (size_t)count, file) == (size_t)count) {
        for (int64_t i = 0; i < count; i++) {
            pixels[i] = low + (high - low) * (float)bytes[i] / most;
        }
    } else {
        free(pixels);
        pixels = NULL;
    }
    free(bytes);
    return pixels;
}

float *idx_read_images(const char *path, float low, float high, float most, int64_t *n_images, int64_t *n_pixels) {
    enum { HEADER = 16, MAGIC = 2051 };
    unsigned char header[HEADER];
    float *pixels = NULL;
    FILE *file = fopen(path, "rb");
    if (file != NULL && fread(header, 1, HEADER, file) == HEADER && big_endian(header) == MAGIC) {
        *n_images = big_endian(header + 4);
        *n_pixels = big_endian(header + 8) * big_endian(header + 12);
        pixels = read_pixels(file, *n_images * *n_pixels, low, high, most);
    }
    if (file != NULL) {
        fclose(file);
    }
    if (pixels == NULL) {
        fprintf(stderr, "%s: cannot be read as images in the idx format\n", path);
    }
    return pixels;
}

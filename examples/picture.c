/* SPDX-License-Identifier: MIT */
#include "picture.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

picture picture_create(int64_t width, int64_t height, uint8_t background) {
    picture p = {width, height, malloc((size_t)(width * height))};
    if (p.pixels != NULL) {
        memset(p.pixels, background, (size_t)(width * height));
    }
    return p;
}

void picture_destroy(picture *p) {
    free(p->pixels);
    p->pixels = NULL;
}

static uint8_t grey(float value, float low, float high) {
    float share = (value - low) / (high - low);
    return (uint8_t)(255.0F * (share < 0 ? 0 : share > 1 ? 1 : share) + 0.5F);
}

static void draw_image(picture *p, int64_t left, int64_t top, int64_t side, int64_t zoom, float low, float high,
                       const float *image) {
    for (int64_t y = 0; y < side * zoom; y++) {
        for (int64_t x = 0; x < side * zoom; x++) {
            p->pixels[(top + y) * p->width + left + x] = grey(image[y / zoom * side + x / zoom], low, high);
        }
    }
}

void picture_draw_grid(picture *p, int64_t left, int64_t top, int64_t columns, int64_t rows, int64_t side, int64_t zoom,
                       int64_t gap, float low, float high, const float *images) {
    for (int64_t i = 0; p->pixels != NULL && i < columns * rows; i++) {
        draw_image(p, left + i % columns * (side * zoom + gap), top + i / columns * (side * zoom + gap), side, zoom, low,
                   high, images + i * side * side);
    }
}

int picture_write_png(const picture *p, const char *path) {
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)p->width,
                       .height = (png_uint_32)p->height,
                       .format = PNG_FORMAT_GRAY};
    return p->pixels != NULL && png_image_write_to_file(&image, path, 0, p->pixels, 0, NULL) != 0 ? 0 : -1;
}

/* SPDX-License-Identifier: MIT */
#include "energies/conv_columns.h"

#include <string.h>

enum { STEP = EBM__COLUMNS_SLACK };

/* Where the patch of an output place lies in its image, and what of it is inside. */
typedef struct patch {
    int64_t image;   /* index */
    int64_t y, x;    /* the output place */
    int64_t top;     /* the patch's first pixel row, less than 0 above the edge */
    int64_t left;    /* its first pixel column */
    int64_t in, out; /* kernel columns in .. out - 1 are inside */
} patch;

static void look(const ebm__conv_layer *l, patch *p) {
    p->top = p->y * l->stride - l->pad;
    p->left = p->x * l->stride - l->pad;
    p->in = p->left < 0 ? -p->left : 0;
    p->out = l->width - p->left < l->kernel ? l->width - p->left : l->kernel;
}

static patch patch_of(const ebm__conv_layer *l, int64_t place) {
    int64_t within = place % l->places;
    patch p = {.image = place / l->places, .y = within / l->out_width, .x = within % l->out_width};
    look(l, &p);
    return p;
}

static void next_patch(const ebm__conv_layer *l, patch *p) {
    if (++p->x == l->out_width) {
        p->x = 0;
        if (++p->y == l->out_height) {
            p->y = 0;
            p->image++;
        }
    }
    look(l, p);
}

static int64_t first_pixel(const ebm__conv_layer *l, const patch *p, int64_t ky) {
    return ((p->image * l->height + p->top + ky) * l->width + p->left + p->in) * l->channels;
}

/* Whole steps, as most runs are far shorter than what memcpy is good at: writes up to STEP - 1 floats too many. */
static void copy_run(int64_t count, const float *from, const float *end, float *to) {
    if (end - from < count + STEP - 1) {
        memcpy(to, from, (size_t)count * sizeof *to);
        return;
    }
    for (int64_t i = 0; i < count; i += STEP) {
        memcpy(to + i, from + i, STEP * sizeof *to);
    }
}

static void clear_run(int64_t count, float *to) {
    for (int64_t i = 0; i < count; i += STEP) {
        memset(to + i, 0, STEP * sizeof *to);
    }
}

/* From front to back: what a run has written too much of is overwritten by the next. */
void ebm__conv_columns(const ebm__conv_layer *layer, const float *x, const float *x_end, int64_t first, int64_t count,
                       float *columns) {
    const int64_t channels = layer->channels;
    const int64_t run = layer->kernel * channels;
    patch p = patch_of(layer, first);
    for (int64_t i = 0; i < count; i++) {
        for (int64_t ky = 0; ky < layer->kernel; ky++) {
            if (p.top + ky < 0 || p.top + ky >= layer->height) {
                clear_run(run, columns);
            } else {
                clear_run(p.in * channels, columns);
                copy_run((p.out - p.in) * channels, x + first_pixel(layer, &p, ky), x_end, columns + p.in * channels);
                clear_run(run - p.out * channels, columns + p.out * channels);
            }
            columns += run;
        }
        next_patch(layer, &p);
    }
}

static void add_run(int64_t count, const float *restrict from, float *restrict to) {
    for (int64_t i = 0; i < count; i++) {
        to[i] += from[i];
    }
}

void ebm__conv_add_columns(const ebm__conv_layer *layer, const float *columns, int64_t first, int64_t count, float *x) {
    const int64_t channels = layer->channels;
    const int64_t run = layer->kernel * channels;
    patch p = patch_of(layer, first);
    for (int64_t i = 0; i < count; i++) {
        for (int64_t ky = 0; ky < layer->kernel; ky++) {
            if (p.top + ky >= 0 && p.top + ky < layer->height) {
                add_run((p.out - p.in) * channels, columns + p.in * channels, x + first_pixel(layer, &p, ky));
            }
            columns += run;
        }
        next_patch(layer, &p);
    }
}

void ebm__conv_transpose(int64_t n, int64_t rows, int64_t columns, const float *matrices, float *out) {
    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < columns; c++) {
            for (int64_t r = 0; r < rows; r++) {
                out[c * rows + r] = matrices[r * columns + c];
            }
        }
        matrices += rows * columns;
        out += rows * columns;
    }
}

/* SPDX-License-Identifier: MIT */
#include "sampler/dynamics.h"

#include <math.h>

#include "core/memory.h"
#include "core/simd.h"
#include "sampler/bounds.h"
#include "sampler/metric.h"

double ebm__kept_momentum(const ebm_sampler *sampler, int64_t row) {
    return exp(-sampler->settings.friction * ebm__sampler_step_size(sampler, row));
}

ebm_status ebm__begin_momenta(ebm_sampler *sampler, const char *name) {
    ebm_context *context = sampler->handle.context;
    int64_t floats = sampler->n_rows * sampler->dim;
    if (sampler->momenta == NULL) {
        EBM__TRY(ebm__alloc(context, floats, sizeof(float), name, &sampler->momenta));
    }
    if (sampler->momenta_next == NULL) {
        EBM__TRY(ebm__alloc(context, floats, sizeof(float), name, &sampler->momenta_next));
    }
    if (!sampler->has_momenta) {
        for (int64_t first = 0; first < sampler->n_rows; first += sampler->n_chains) {
            ebm__draw_momenta(sampler, first, sampler->n_chains, sampler->momenta + first * sampler->dim);
        }
        sampler->has_momenta = true;
    }
    return EBM_OK;
}

ebm__damping ebm__damping_by(const ebm_sampler *sampler, int64_t first, double kept) {
    double temperature = ebm__sampler_temperature(sampler, first);
    return (ebm__damping){(float)kept, (float)sqrt((1 - kept * kept) * temperature)};
}

void ebm__hold_momenta(const ebm_sampler *sampler, int64_t n, float *w) {
    for (int64_t r = 0; r < n && sampler->mask != NULL; r++) {
        for (int64_t i = 0; i < sampler->dim; i++) {
            w[r * sampler->dim + i] *= (float)sampler->mask[i];
        }
    }
}

void ebm__damp_momenta(const ebm_sampler *sampler, int64_t first, int64_t n, double kept, const float *w,
                       float *w_next) {
    ebm__sequence noise = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_NOISE};
    const ebm__damping damping = ebm__damping_by(sampler, first, kept);
    ebm__simd_used()->damp(&damping, &noise, first * sampler->dim, n * sampler->dim, w, w_next);
    ebm__hold_momenta(sampler, n, w_next);
}

void ebm__draw_momenta(const ebm_sampler *sampler, int64_t first, int64_t n, float *w) {
    ebm__sequence noise = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_MOMENTUM};
    const ebm__damping damping = ebm__damping_by(sampler, first, 0);
    ebm__simd_used()->damp(&damping, &noise, first * sampler->dim, n * sampler->dim, NULL, w);
    ebm__hold_momenta(sampler, n, w);
}

void ebm__draw_step_sizes(const ebm_sampler *sampler, int64_t first, int64_t n, float *eta) {
    double jitter = sampler->settings.jitter;
    double step_size = ebm__sampler_step_size(sampler, first);
    if (jitter > 0) {
        ebm__sequence sequence = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_JITTER};
        ebm__simd_used()->uniforms(&sequence, first, n, eta);
    }
    for (int64_t r = 0; r < n; r++) {
        double stretch = jitter > 0 ? 1 + jitter * (2 * (double)eta[r] - 1) : 1;
        eta[r] = (float)(step_size * stretch);
    }
}

double ebm__sum_of_squares(int64_t n, const float *v) {
    return ebm__simd_used()->sum_of_squares(n, v);
}

void ebm__row_squares(const ebm_sampler *sampler, int64_t n, const float *w, double *square) {
    const ebm__dynamics all = {.dim = sampler->dim, .clip = INFINITY};
    const ebm__leaps still = {.w = w, .square = square};
    ebm__simd_used()->leap(&all, n, &still);
}

static void mirror_rows(const ebm_sampler *sampler, int64_t n, float *x, float *w) {
    for (int64_t i = 0; i < n * sampler->dim; i++) {
        double direction;
        x[i] = ebm__fold(x[i], sampler->settings.lo, sampler->settings.hi, &direction);
        w[i] *= (float)direction;
    }
}

/* to = from + times * move, row by row. */
static void add_rows(int64_t n, int64_t dim, const float *times, float sign, const float *move, const float *from,
                     float *to) {
    for (int64_t r = 0; r < n; r++) {
        for (int64_t i = r * dim; i < (r + 1) * dim; i++) {
            to[i] = from[i] + sign * times[r] * move[i];
        }
    }
}

/* All rows go through one matrix product, then each its own way. */
static bool leap_dense(const ebm_sampler *sampler, int64_t n, const ebm__leaps *rows, float *work) {
    int64_t dim = sampler->dim;
    if (rows->grad != NULL) {
        ebm__metric_pull(sampler, n, rows->grad, work, work + n * dim);
        add_rows(n, dim, rows->kick, -1, work, rows->w, rows->w_next);
    }
    if (rows->drift != NULL) {
        ebm__metric_push(sampler, n, rows->w_next, work);
        add_rows(n, dim, rows->drift, 1, work, rows->x, rows->x_next);
    }
    if (rows->square != NULL) {
        ebm__row_squares(sampler, n, rows->w_next, rows->square);
    }
    return rows->drift == NULL || ebm__simd_used()->finite(n * dim, rows->x_next) != 0;
}

bool ebm__leap(const ebm_sampler *sampler, int64_t n, const ebm__leaps *rows, float *work) {
    if (ebm__is_dense(sampler)) {
        return leap_dense(sampler, n, rows, work);
    }
    const ebm__dynamics dynamics = ebm__metric_dynamics(sampler);
    bool finite = ebm__simd_used()->leap(&dynamics, n, rows) == 0;
    if (rows->drift != NULL && ebm__reflects(sampler)) {
        mirror_rows(sampler, n, rows->x_next, rows->w_next);
    }
    return finite;
}

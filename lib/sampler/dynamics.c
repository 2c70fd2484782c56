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

static void hold_momenta(const ebm_sampler *sampler, int64_t n, float *w) {
    for (int64_t r = 0; r < n && sampler->mask != NULL; r++) {
        for (int64_t i = 0; i < sampler->dim; i++) {
            w[r * sampler->dim + i] *= (float)sampler->mask[i];
        }
    }
}

void ebm__damp_momenta(const ebm_sampler *sampler, int64_t first, int64_t n, double kept, float *w, float *z) {
    ebm__sequence sequence = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_NOISE};
    int64_t floats = n * sampler->dim;
    float keep = (float)kept;
    float spread = (float)sqrt((1 - kept * kept) * ebm__sampler_temperature(sampler, first));
    ebm__simd_used()->normals(&sequence, first * sampler->dim, floats, z);
    for (int64_t i = 0; i < floats; i++) {
        w[i] = keep * w[i] + spread * z[i];
    }
    hold_momenta(sampler, n, w);
}

void ebm__draw_momenta(const ebm_sampler *sampler, int64_t first, int64_t n, float *w) {
    ebm__sequence sequence = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_MOMENTUM};
    int64_t dim = sampler->dim;
    float spread = (float)sqrt(ebm__sampler_temperature(sampler, first));
    ebm__simd_used()->normals(&sequence, first * dim, n * dim, w);
    for (int64_t i = 0; i < n * dim; i++) {
        w[i] *= spread;
    }
    hold_momenta(sampler, n, w);
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
    enum { LANES = 8 };
    double lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int k = 0; k < LANES; k++) {
            lane[k] += (double)v[i + k] * (double)v[i + k];
        }
    }
    for (int k = 0; i < n; i++, k++) {
        lane[k] += (double)v[i] * (double)v[i];
    }
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* Each of the loops, without branches, becomes a loop over vectors. */
static void kick_row(const ebm_sampler *sampler, float time, const float *restrict grad, float *restrict w) {
    const float *restrict scale = sampler->factor;
    float limit = (float)sampler->settings.grad_clip;
    int64_t dim = sampler->dim;
    if (ebm__has_metric(sampler)) {
        for (int64_t i = 0; i < dim; i++) {
            float g = grad[i] > limit ? limit : grad[i] < -limit ? -limit : grad[i];
            w[i] -= time * (scale[i] * g);
        }
    } else if (sampler->mask != NULL) {
        for (int64_t i = 0; i < dim; i++) {
            float g = grad[i] > limit ? limit : grad[i] < -limit ? -limit : grad[i];
            w[i] -= sampler->mask[i] != 0 ? time * g : 0;
        }
    } else if (limit < INFINITY) {
        for (int64_t i = 0; i < dim; i++) {
            w[i] -= time * (grad[i] > limit ? limit : grad[i] < -limit ? -limit : grad[i]);
        }
    } else {
        for (int64_t i = 0; i < dim; i++) {
            w[i] -= time * grad[i];
        }
    }
}

static void mirror_row(const ebm_sampler *sampler, float *x, float *w) {
    for (int64_t i = 0; i < sampler->dim; i++) {
        double direction;
        x[i] = ebm__fold(x[i], sampler->settings.lo, sampler->settings.hi, &direction);
        w[i] *= (float)direction;
    }
}

static void drift_row(const ebm_sampler *sampler, float time, const float *restrict w, float *restrict x) {
    const float *restrict scale = sampler->factor;
    int64_t dim = sampler->dim;
    if (ebm__has_metric(sampler)) {
        for (int64_t i = 0; i < dim; i++) {
            x[i] += time * (scale[i] * w[i]);
        }
    } else {
        for (int64_t i = 0; i < dim; i++) {
            x[i] += time * w[i]; /* a held coordinate's w is 0 */
        }
    }
}

/* All rows go through one matrix product, then each its own way. */
static void leap_dense(const ebm_sampler *sampler, int64_t n, const float *kick, const float *drift, const float *grad,
                       float *x, float *w, float *work) {
    int64_t dim = sampler->dim;
    if (grad != NULL) {
        ebm__metric_pull(sampler, n, grad, work, work + n * dim);
        for (int64_t i = 0; i < n * dim; i++) {
            w[i] -= kick[i / dim] * work[i];
        }
    }
    if (drift != NULL) {
        ebm__metric_push(sampler, n, w, work);
        for (int64_t i = 0; i < n * dim; i++) {
            x[i] += drift[i / dim] * work[i];
        }
    }
}

void ebm__leap(const ebm_sampler *sampler, int64_t n, const float *kick, const float *drift, const float *grad,
               float *x, float *w, float *work) {
    int64_t dim = sampler->dim;
    bool reflects = ebm__reflects(sampler);
    if (sampler->settings.metric == EBM_METRIC_DENSE) {
        leap_dense(sampler, n, kick, drift, grad, x, w, work);
        return;
    }
    for (int64_t r = 0; r < n; r++) {
        if (grad != NULL) {
            kick_row(sampler, kick[r], grad + r * dim, w + r * dim);
        }
        if (drift != NULL) {
            drift_row(sampler, drift[r], w + r * dim, x + r * dim);
        }
        if (drift != NULL && reflects) {
            mirror_row(sampler, x + r * dim, w + r * dim);
        }
    }
}

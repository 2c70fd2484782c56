/* SPDX-License-Identifier: MIT */
/* The products with L and its transpose: an element each, or a matrix product for all rows. */
#include <math.h>

#include "core/blas.h"
#include "core/simd.h"
#include "sampler/metric.h"

static float clipped(float g, float limit) {
    return g > limit ? limit : g < -limit ? -limit : g;
}

void ebm__metric_pull(const ebm_sampler *sampler, int64_t n, const float *grad, float *u, float *work) {
    int64_t dim = sampler->dim;
    float limit = (float)sampler->settings.grad_clip;
    if (sampler->settings.metric == EBM_METRIC_DIAGONAL) {
        for (int64_t r = 0; r < n; r++) {
            for (int64_t i = 0; i < dim; i++) {
                u[r * dim + i] = sampler->factor[i] * clipped(grad[r * dim + i], limit);
            }
        }
        return;
    }
    if (limit < INFINITY) {
        for (int64_t i = 0; i < n * dim; i++) {
            work[i] = clipped(grad[i], limit);
        }
        grad = work;
    }
    ebm__gemm(false, false, n, dim, dim, grad, sampler->factor, 0, u);
}

void ebm__metric_push(const ebm_sampler *sampler, int64_t n, const float *m, float *v) {
    int64_t dim = sampler->dim;
    if (sampler->settings.metric == EBM_METRIC_DENSE) {
        ebm__gemm(false, true, n, dim, dim, m, sampler->factor, 0, v);
        return;
    }
    for (int64_t r = 0; r < n; r++) {
        for (int64_t i = 0; i < dim; i++) {
            v[r * dim + i] = sampler->factor[i] * m[r * dim + i];
        }
    }
}

void ebm__metric_propose(const ebm_sampler *sampler, const ebm__langevin *pass, int64_t first, int64_t n,
                         const float *x, const float *u, float *m, float *y) {
    ebm__sequence noise = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_NOISE};
    int64_t floats = n * sampler->dim;
    if (pass->sigma != 0) {
        ebm__simd_used()->normals(&noise, first * sampler->dim, floats, m);
    }
    for (int64_t i = 0; i < floats; i++) {
        m[i] = (pass->sigma != 0 ? pass->sigma * m[i] : 0) - (u != NULL ? pass->eta * u[i] : 0);
    }
    ebm__metric_push(sampler, n, m, y);
    for (int64_t i = 0; i < floats; i++) {
        y[i] += x[i];
    }
}

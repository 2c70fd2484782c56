/* SPDX-License-Identifier: MIT */
/* The products with a dense L and its transpose: a matrix product for all rows. */
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
    if (limit < INFINITY) {
        for (int64_t i = 0; i < n * dim; i++) {
            work[i] = clipped(grad[i], limit);
        }
        grad = work;
    }
    ebm__gemm(false, false, n, dim, dim, grad, sampler->factor, 0, u);
}

void ebm__metric_push(const ebm_sampler *sampler, int64_t n, const float *m, float *v) {
    ebm__gemm(false, true, n, sampler->dim, sampler->dim, m, sampler->factor, 0, v);
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

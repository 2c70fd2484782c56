/* SPDX-License-Identifier: MIT */
#include "sampler/proposal.h"

#include <math.h>

#include "core/simd.h"
#include "sampler/dynamics.h"
#include "sampler/kernel.h"
#include "sampler/metric.h"

bool ebm__propose(const ebm_sampler *sampler, int64_t first, int64_t n, const ebm__proposal *p, double *grad_square) {
    ebm__sequence noise = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_NOISE};
    ebm__langevin pass = ebm__sampler_pass(sampler, first);
    pass.lo = -INFINITY;
    pass.hi = INFINITY;
    pass.scale = ebm__metric_scale(sampler);
    int64_t offset = first * sampler->dim;
    int64_t floats = n * sampler->dim;
    const float *x = sampler->x + offset;
    const float *grad = grad_square == NULL ? NULL : sampler->grad + offset;
    double unused = 0;
    bool finite;
    if (ebm__is_dense(sampler)) {
        if (grad != NULL) {
            *grad_square += ebm__sum_of_squares(floats, grad);
            ebm__metric_pull(sampler, n, grad, p->force, p->work);
        }
        ebm__metric_propose(sampler, &pass, first, n, x, grad == NULL ? NULL : p->force, p->move, p->y);
        finite = ebm__simd_used()->finite(floats, p->y) != 0;
    } else {
        double *squares = grad == NULL ? &unused : grad_square;
        finite = ebm__simd_used()->langevin(&pass, &noise, offset, floats, x, grad, p->y, squares) == 0;
    }
    ebm__hold_masked(sampler, n, x, p->y);
    return finite;
}

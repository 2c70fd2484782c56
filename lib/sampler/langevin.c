/* SPDX-License-Identifier: MIT */
/*
 * Unadjusted Langevin steps, x <- x - eta dE/dx + sigma z (Roberts and Tweedie 1996, sec. 1.4.1; with sigma = sqrt(2
 * eta T) the Euler-Maruyama step of the diffusion with density exp(-E/T)); or, with the noise before the gradient, y
 * <- x + sigma z, x <- y - eta dE/dx(y) (Du and Mordatch 2019).
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>

#include "core/error.h"
#include "core/simd.h"
#include "model/model.h"
#include "sampler/kernel.h"

static ebm_status begin(ebm_sampler *sampler) {
    (void)sampler; /* all settings go together, and working memory is borrowed piece by piece */
    return EBM_OK;
}

/* After the held coordinates are back: these cannot have left. */
static ebm_status check_states(int64_t first, int64_t n, int64_t dim, const float *x) {
    int64_t i = 0;
    while (i < n * dim && fabsf(x[i]) <= FLT_MAX) {
        i++;
    }
    if (i == n * dim) {
        return EBM_OK;
    }
    return ebm__fail(EBM_ERR_NONFINITE,
                     "chain %" PRId64 ", coordinate %" PRId64 " left the range of float: the step size is too large",
                     first + i / dim, i % dim);
}

/* Energy is asked for although only the gradient moves the chain: an energy that is not finite must not pass unseen. */
static ebm_status move_with(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n, double *energy,
                            float *grad) {
    const ebm__simd *simd = ebm__simd_used();
    ebm__langevin pass = ebm__sampler_pass(sampler);
    ebm__sequence noise = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_NOISE};
    int64_t offset = first * sampler->dim;
    int64_t count = n * sampler->dim;
    const float *x = sampler->x + offset;
    float *x_next = sampler->x_next + offset;
    double *grad_square = &sampler->reports[chunk].grad_square;
    const float *from = x;
    if (sampler->settings.noise_order == EBM_NOISE_BEFORE_GRADIENT) {
        int left = simd->langevin(&pass, &noise, offset, count, x, NULL, x_next, grad_square);
        ebm__hold_masked(sampler, n, x, x_next);
        EBM__TRY(left == 0 ? EBM_OK : check_states(first, n, sampler->dim, x_next));
        from = x_next;
        pass.sigma = 0;
    }
    EBM__TRY(ebm__model_energy_rows(sampler->model, sampler->model->theta, first, n, from, false, energy, grad));
    int left = simd->langevin(&pass, &noise, offset, count, from, grad, x_next, grad_square);
    ebm__hold_masked(sampler, n, x, x_next);
    EBM__TRY(left == 0 ? EBM_OK : check_states(first, n, sampler->dim, x_next));
    sampler->reports[chunk].accepted = n;
    return EBM_OK;
}

static ebm_status move(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n) {
    int64_t grad_bytes = n * sampler->dim * (int64_t)sizeof(float);
    int64_t energy_bytes = (n * (int64_t)sizeof(double) + 63) / 64 * 64; /* what follows stays aligned */
    double *energy = ebm__scratch_borrow(&sampler->scratch, energy_bytes + grad_bytes, "Langevin step");
    if (energy == NULL) {
        return EBM_ERR_NOMEM;
    }
    float *grad = (float *)(void *)((char *)energy + energy_bytes);
    ebm_status status = move_with(sampler, chunk, first, n, energy, grad);
    ebm__scratch_return(&sampler->scratch, energy);
    return status;
}

const ebm__kernel ebm__kernel_langevin = {.begin = begin, .move = move};

/* SPDX-License-Identifier: MIT */
/*
 * Unadjusted Langevin steps, x <- x - eta dE/dx + sigma z (Roberts and Tweedie 1996, sec. 1.4.1; with sigma = sqrt(2
 * eta T) the Euler-Maruyama step of the diffusion with density exp(-E/T)); or, with the noise before the gradient, y
 * <- x + sigma z, x <- y - eta dE/dx(y) (Du and Mordatch 2019). With a metric W = L L^T the gradient is multiplied by
 * W and the noise by L.
 */
#include "core/error.h"
#include "core/simd.h"
#include "model/model.h"
#include "sampler/dynamics.h"
#include "sampler/kernel.h"
#include "sampler/metric.h"

static ebm_status begin(ebm_sampler *sampler) {
    (void)sampler; /* all settings go together, and working memory is borrowed piece by piece */
    return EBM_OK;
}

/* Energy is asked for although only the gradient moves the chain: an energy that is not finite must not pass unseen. */
static ebm_status move_with(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n, double *energy,
                            float *grad) {
    const ebm__simd *simd = ebm__simd_used();
    ebm__langevin pass = ebm__sampler_pass(sampler, first);
    pass.scale = ebm__metric_scale(sampler);
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
        EBM__TRY(left == 0 ? EBM_OK : ebm__kernel_check_states(sampler, first, n, x_next));
        from = x_next;
        pass.sigma = 0;
    }
    EBM__TRY(ebm__model_energy_rows(sampler->model, sampler->model->theta, first, n, from, false, NULL, energy,
                                   grad));
    int left = simd->langevin(&pass, &noise, offset, count, from, grad, x_next, grad_square);
    ebm__hold_masked(sampler, n, x, x_next);
    EBM__TRY(left == 0 ? EBM_OK : ebm__kernel_check_states(sampler, first, n, x_next));
    sampler->reports[chunk].accepted = (double)n;
    sampler->reports[chunk].clipped = ebm__count_clipped(sampler, count, grad);
    return EBM_OK;
}

/* Moves n states into the bounds, by the bounds' own rule; what has left the floats is found first. */
static ebm_status bound(ebm_sampler *sampler, int64_t first, int64_t n, float *x) {
    ebm__langevin pass = ebm__sampler_pass(sampler, first);
    ebm__sequence unused = {0};
    double no_square = 0;
    pass.sigma = 0;
    EBM__TRY(ebm__kernel_check_states(sampler, first, n, x));
    ebm__simd_used()->langevin(&pass, &unused, first * sampler->dim, n * sampler->dim, x, NULL, x, &no_square);
    return EBM_OK;
}

/* With a dense metric: x <- x - eta W dE/dx + sigma L z. `whitened` and `work` are n x dim. */
static ebm_status move_whitened(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n, double *energy,
                                float *grad, float *whitened, float *work) {
    ebm__langevin pass = ebm__sampler_pass(sampler, first);
    int64_t floats = n * sampler->dim;
    const float *x = sampler->x + first * sampler->dim;
    float *x_next = sampler->x_next + first * sampler->dim;
    const float *from = x;
    if (sampler->settings.noise_order == EBM_NOISE_BEFORE_GRADIENT) {
        ebm__metric_propose(sampler, &pass, first, n, x, NULL, whitened, work);
        ebm__hold_masked(sampler, n, x, work);
        EBM__TRY(bound(sampler, first, n, work));
        from = work;
        pass.sigma = 0;
    }
    EBM__TRY(ebm__model_energy_rows(sampler->model, sampler->model->theta, first, n, from, false, NULL, energy,
                                   grad));
    sampler->reports[chunk].grad_square = ebm__sum_of_squares(floats, grad);
    sampler->reports[chunk].accepted = (double)n;
    sampler->reports[chunk].clipped = ebm__count_clipped(sampler, floats, grad);
    ebm__metric_pull(sampler, n, grad, whitened, x_next); /* where the chains go to is not needed yet */
    ebm__metric_propose(sampler, &pass, first, n, from, whitened, grad, x_next);
    ebm__hold_masked(sampler, n, x, x_next);
    EBM__TRY(bound(sampler, first, n, x_next));
    ebm__hold_masked(sampler, n, x, x_next); /* -0 at a bound of 0 keeps its sign */
    return EBM_OK;
}

static ebm_status move(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n) {
    int64_t rows = n * sampler->dim * (int64_t)sizeof(float);
    int64_t doubles = n * (int64_t)sizeof(double);
    int64_t bytes = ebm__aligned(doubles) + (ebm__is_dense(sampler) ? 3 : 1) * ebm__aligned(rows);
    char *memory = ebm__scratch_borrow(&sampler->scratch, bytes, "Langevin step");
    if (memory == NULL) {
        return EBM_ERR_NOMEM;
    }
    char *next = memory;
    double *energy = ebm__cut(&next, doubles);
    float *grad = ebm__cut(&next, rows);
    ebm_status status;
    if (ebm__is_dense(sampler)) {
        float *whitened = ebm__cut(&next, rows);
        float *work = ebm__cut(&next, rows);
        status = move_whitened(sampler, chunk, first, n, energy, grad, whitened, work);
    } else {
        status = move_with(sampler, chunk, first, n, energy, grad);
    }
    ebm__scratch_return(&sampler->scratch, memory);
    return status;
}

const ebm__kernel ebm__kernel_langevin = {.name = "Langevin", .uses_noise = true, .begin = begin, .move = move};

/* SPDX-License-Identifier: MIT */
/*
 * Underdamped Langevin dynamics, dx = w dt, dw = -dE/dx dt - gamma w dt + sqrt(2 gamma T) dW, in the splitting BAOAB
 * of Leimkuhler and Matthews (2013): with h = eta,
 *     B: w <- w - h/2 dE/dx   A: x <- x + h/2 w   O: w <- c w + sqrt((1 - c^2) T) z, c = exp(-gamma h)   A   B
 * The end's gradient is the next step's first: one gradient a step. Not adjusted, so biased by h^2; of Gaussians the
 * variances of x are exact for any stable h.
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>

#include "core/error.h"
#include "model/model.h"
#include "sampler/bounds.h"
#include "sampler/dynamics.h"
#include "sampler/kernel.h"
#include "sampler/metric.h"

static const char NAME[] = "underdamped Langevin";

static ebm_status begin(ebm_sampler *sampler) {
    EBM__TRY(ebm__begin_momenta(sampler, NAME));
    return ebm__kernel_begin(sampler, NAME, EBM__GRADIENT);
}

static void clamp(const ebm_sampler *sampler, int64_t n_floats, float *x) {
    float lo = (float)sampler->settings.lo;
    float hi = (float)sampler->settings.hi;
    if (!ebm__sampler_has_bounds(sampler) || ebm__reflects(sampler)) {
        return;
    }
    for (int64_t i = 0; i < n_floats; i++) {
        x[i] = x[i] < lo ? lo : x[i] > hi ? hi : x[i];
    }
}

/* BAOA, one after the other. True when all states are finite. */
static bool move_by_parts(ebm_sampler *sampler, int64_t first, int64_t n, const float *time, float *work) {
    int64_t offset = first * sampler->dim;
    float *x_next = sampler->x_next + offset;
    float *w = sampler->momenta_next + offset;
    const ebm__leaps before = {.kick = time,
                               .drift = time,
                               .grad = sampler->grad + offset,
                               .x = sampler->x + offset,
                               .w = sampler->momenta + offset,
                               .x_next = x_next,
                               .w_next = w};
    const ebm__leaps after = {.drift = time, .x = x_next, .w = w, .x_next = x_next, .w_next = w};
    bool finite = ebm__leap(sampler, n, &before, work);
    ebm__damp_momenta(sampler, first, n, ebm__kept_momentum(sampler, first), w, w);
    return ebm__leap(sampler, n, &after, work) && finite;
}

/* The same in one pass, where nothing stands between. */
static bool move_at_once(ebm_sampler *sampler, int64_t first, int64_t n, float time, double *grad_square) {
    ebm__sequence noise = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_NOISE};
    const ebm__dynamics dynamics = ebm__metric_dynamics(sampler);
    const ebm__damping damping = ebm__damping_by(sampler, first, ebm__kept_momentum(sampler, first));
    int64_t offset = first * sampler->dim;
    float *w = sampler->momenta_next + offset;
    int left = ebm__simd_used()->baoab(&dynamics, &damping, time, &noise, offset, n * sampler->dim, sampler->x + offset,
                                       sampler->momenta + offset, sampler->grad + offset, sampler->x_next + offset, w,
                                       grad_square);
    ebm__hold_momenta(sampler, n, w);
    return left == 0;
}

static ebm_status move_with(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n, float *time, float *work) {
    double *energy = sampler->energy + first;
    ebm__chunk_report *report = &sampler->reports[chunk];
    int64_t floats = n * sampler->dim;
    int64_t offset = first * sampler->dim;
    float *grad = sampler->grad + offset;
    float *x_next = sampler->x_next + offset;
    float *w = sampler->momenta_next + offset;
    bool finite;
    for (int64_t r = 0; r < n; r++) {
        time[r] = (float)(ebm__sampler_step_size(sampler, first) / 2);
    }
    if (ebm__is_dense(sampler) || ebm__reflects(sampler)) {
        report->grad_square = ebm__sum_of_squares(floats, grad);
        finite = move_by_parts(sampler, first, n, time, work);
    } else {
        finite = move_at_once(sampler, first, n, time[0], &report->grad_square);
    }
    EBM__TRY(finite ? EBM_OK : ebm__kernel_check_states(sampler, first, n, x_next));
    clamp(sampler, floats, x_next);
    ebm__hold_masked(sampler, n, sampler->x + offset, x_next);
    EBM__TRY(ebm__model_energy_rows(sampler->model, sampler->model->theta, first, n, x_next, false, NULL, energy,
                                   grad));
    const ebm__leaps end = {.kick = time, .grad = grad, .w = w, .w_next = w};
    ebm__leap(sampler, n, &end, work);
    report->accepted = (double)n;
    report->leaps = n;
    return EBM_OK;
}

static ebm_status move(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n) {
    int64_t floats = n * (int64_t)sizeof(float);
    int64_t work_bytes = ebm__metric_work(sampler, n) * (int64_t)sizeof(float);
    int64_t bytes = ebm__aligned(floats) + work_bytes;
    char *memory = ebm__scratch_borrow(&sampler->scratch, bytes, NAME);
    if (memory == NULL) {
        return EBM_ERR_NOMEM;
    }
    char *next = memory;
    float *time = ebm__cut(&next, floats);
    float *work = ebm__cut(&next, work_bytes);
    ebm_status status = move_with(sampler, chunk, first, n, time, work);
    ebm__scratch_return(&sampler->scratch, memory);
    return status;
}

const ebm__kernel ebm__kernel_underdamped = {.name = NAME,
                                             .knows_energies = true,
                                             .knows_chains = true,
                                             .keeps_momenta = true,
                                             .begin = begin,
                                             .move = move};

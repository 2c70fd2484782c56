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
#include <string.h>

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

static ebm_status move_with(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n, float *time, float *z,
                            float *work) {
    int64_t floats = n * sampler->dim;
    int64_t offset = first * sampler->dim;
    const float *x = sampler->x + offset;
    double *energy = sampler->energy + first;
    float *grad = sampler->grad + offset;
    float *x_next = sampler->x_next + offset;
    float *w = sampler->momenta_next + offset;
    memcpy(x_next, x, (size_t)floats * sizeof *x);
    memcpy(w, sampler->momenta + offset, (size_t)floats * sizeof *w);
    sampler->reports[chunk].grad_square = ebm__sum_of_squares(floats, grad);
    sampler->reports[chunk].accepted = (double)n;
    sampler->reports[chunk].leaps = n;
    for (int64_t r = 0; r < n; r++) {
        time[r] = (float)(ebm__sampler_step_size(sampler, first) / 2);
    }
    ebm__leap(sampler, n, time, time, grad, x_next, w, work);
    ebm__damp_momenta(sampler, first, n, ebm__kept_momentum(sampler, first), w, z);
    ebm__leap(sampler, n, NULL, time, NULL, x_next, w, work);
    EBM__TRY(ebm__kernel_check_states(sampler, first, n, x_next));
    clamp(sampler, floats, x_next);
    ebm__hold_masked(sampler, n, x, x_next);
    EBM__TRY(ebm__model_energy_rows(sampler->model, sampler->model->theta, first, n, x_next, false, energy, grad));
    ebm__leap(sampler, n, time, NULL, grad, x_next, w, work);
    return EBM_OK;
}

static ebm_status move(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n) {
    int64_t rows = n * sampler->dim * (int64_t)sizeof(float);
    int64_t floats = n * (int64_t)sizeof(float);
    int64_t work_bytes = ebm__metric_work(sampler, n) * (int64_t)sizeof(float);
    int64_t bytes = ebm__aligned(rows) + ebm__aligned(floats) + work_bytes;
    char *memory = ebm__scratch_borrow(&sampler->scratch, bytes, NAME);
    if (memory == NULL) {
        return EBM_ERR_NOMEM;
    }
    char *next = memory;
    float *z = ebm__cut(&next, rows);
    float *time = ebm__cut(&next, floats);
    float *work = ebm__cut(&next, work_bytes);
    ebm_status status = move_with(sampler, chunk, first, n, time, z, work);
    ebm__scratch_return(&sampler->scratch, memory);
    return status;
}

const ebm__kernel ebm__kernel_underdamped = {.name = NAME,
                                             .knows_energies = true,
                                             .knows_chains = true,
                                             .keeps_momenta = true,
                                             .begin = begin,
                                             .move = move};

/* SPDX-License-Identifier: MIT */
#include "sampler/kernel.h"

#include <float.h>
#include <inttypes.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "model/model.h"
#include "sampler/metric.h"
#include "sampler/tempering.h"

const ebm__kernel *ebm__kernel_of(const ebm_sampler *sampler) {
    switch (sampler->settings.kernel) {
        case EBM_KERNEL_MALA:
            return &ebm__kernel_mala;
        case EBM_KERNEL_HMC:
            return &ebm__kernel_hmc;
        case EBM_KERNEL_RANDOM_WALK:
            return &ebm__kernel_random_walk;
        case EBM_KERNEL_UNDERDAMPED:
            return &ebm__kernel_underdamped;
        case EBM_KERNEL_UNDERDAMPED_ADJUSTED:
            return &ebm__kernel_underdamped_adjusted;
        case EBM_KERNEL_NUTS:
            return &ebm__kernel_nuts;
        default:
            return &ebm__kernel_langevin;
    }
}

ebm_status ebm__kernel_check(const ebm_sampler *sampler) {
    const ebm__kernel *kernel = ebm__kernel_of(sampler);
    if (kernel->rejects && !(sampler->settings.temperature > 0)) {
        return ebm__fail(EBM_ERR_STATE, "%s needs a temperature above 0", kernel->name);
    }
    if (kernel->rejects && kernel->uses_noise && !((float)ebm__sampler_noise_std(sampler, 0) > 0)) {
        return ebm__fail(EBM_ERR_STATE, "%s needs noise, but the noise_std is 0", kernel->name);
    }
    if (sampler->ladder.n_rungs > 1 && !(ebm__kernel_temperature(sampler, 0) > 0)) {
        return ebm__fail(EBM_ERR_STATE, "a ladder needs a temperature, and noise, above 0");
    }
    return EBM_OK;
}

ebm_status ebm__kernel_prepare(ebm_sampler *sampler) {
    EBM__TRY(ebm__kernel_check(sampler));
    EBM__TRY(ebm__metric_prepare(sampler));
    EBM__TRY(ebm__tempering_prepare(sampler));
    return ebm__kernel_of(sampler)->begin(sampler);
}

double ebm__kernel_temperature(const ebm_sampler *sampler, int64_t row) {
    const ebm__kernel *kernel = ebm__kernel_of(sampler);
    if (kernel->rejects || !kernel->uses_noise) {
        return ebm__sampler_temperature(sampler, row);
    }
    double sigma = ebm__sampler_noise_std(sampler, row);
    return sigma * sigma / (2 * ebm__sampler_step_size(sampler, row));
}

static ebm_status evaluate_all(ebm_sampler *sampler, int needs) {
    bool gradient = (needs & EBM__GRADIENT) != 0;
    sampler->knows_energies = false;
    sampler->knows_chains = false;
    EBM__TRY(ebm__model_energy_all(sampler->model, sampler->model->theta, sampler->n_rows, sampler->x,
                                   (needs & EBM__ACCEPTS) != 0, sampler->energy, gradient ? sampler->grad : NULL));
    sampler->knows_energies = true;
    sampler->knows_chains = gradient;
    return EBM_OK;
}

static bool differs_by_rounding(const ebm_sampler *sampler, int64_t row, double energy, const float *grad) {
    int64_t dim = sampler->dim;
    double fresh = sampler->energy[row];
    double largest = 0;
    double change = 0;
    for (int64_t i = 0; i < dim && grad != NULL; i++) {
        double g = (double)sampler->grad[row * dim + i];
        largest = fmax(largest, fabs(g));
        change = fmax(change, fabs(g - (double)grad[i]));
    }
    return fabs(fresh - energy) <= 1e-4 * ebm__sampler_temperature(sampler, row) + 1e-6 * fabs(fresh) &&
           change <= 1e-3 * largest;
}

/*
 * What a callback computes for a row may depend, in its last bits, on the rows beside it (matrix products do), and
 * where a chain was evaluated in a step they may be others than when all are evaluated together: chains drop out of a
 * batch, or change their places on a ladder. So that a run that is split gives the same bits, what is known of a
 * chain is kept where a fresh evaluation differs from it by no more than float arithmetic may. (An energy that has
 * changed by so little is followed from the chains' next points on.) So it is after a failure.
 */
static ebm_status evaluate_keeping(ebm_sampler *sampler, int needs, double *energy) {
    int64_t dim = sampler->dim;
    bool gradient = (needs & EBM__GRADIENT) != 0;
    bool known = gradient ? sampler->knows_chains : sampler->knows_energies;
    float *grad = sampler->x_next; /* free between steps */
    if (known) {
        memcpy(energy, sampler->energy, (size_t)sampler->n_rows * sizeof *energy);
    }
    if (known && gradient) {
        memcpy(grad, sampler->grad, (size_t)(sampler->n_rows * dim) * sizeof *grad);
    }
    ebm_status status = evaluate_all(sampler, needs);
    for (int64_t row = 0; row < sampler->n_rows && known; row++) {
        const float *known_grad = gradient ? grad + row * dim : NULL;
        if (status != EBM_OK || differs_by_rounding(sampler, row, energy[row], known_grad)) {
            sampler->energy[row] = energy[row];
            if (gradient) {
                memcpy(sampler->grad + row * dim, known_grad, (size_t)dim * sizeof *grad);
            }
        }
    }
    sampler->knows_energies = known || status == EBM_OK;
    sampler->knows_chains = gradient && sampler->knows_energies;
    return status;
}

ebm_status ebm__kernel_begin(ebm_sampler *sampler, const char *name, int needs) {
    bool gradient = (needs & EBM__GRADIENT) != 0;
    ebm_context *context = sampler->handle.context;
    if (sampler->energy == NULL) {
        EBM__TRY(ebm__alloc(context, sampler->n_rows, sizeof(double), name, &sampler->energy));
    }
    if (gradient && sampler->grad == NULL) {
        EBM__TRY(ebm__alloc(context, sampler->n_rows * sampler->dim, sizeof(float), name, &sampler->grad));
    }
    if (ebm__kernel_of(sampler)->draws_momenta && sampler->trajectory_energy == NULL) {
        EBM__TRY(ebm__alloc(context, sampler->n_rows, sizeof(double), name, &sampler->trajectory_energy));
    }
    if ((needs & EBM__REGROUPS) == 0 && sampler->ladder.n_rungs == 1) {
        return evaluate_all(sampler, needs);
    }
    double *known = ebm__scratch_borrow(&sampler->scratch, sampler->n_rows * (int64_t)sizeof *known, name);
    if (known == NULL) {
        return EBM_ERR_NOMEM;
    }
    ebm_status status = evaluate_keeping(sampler, needs, known);
    ebm__scratch_return(&sampler->scratch, known);
    return status;
}

ebm_status ebm__kernel_evaluate(const ebm_sampler *sampler, int64_t first, int64_t n, const float *x,
                                const double *ceiling, double *energy, float *grad) {
    if (ebm__sampler_stop_requested(sampler)) {
        return ebm__fail(EBM_ERR_STOPPED, "stopped on request");
    }
    return ebm__model_energy_rows(sampler->model, sampler->model->theta, first, n, x, true, ceiling, energy, grad);
}

ebm_status ebm__kernel_check_states(const ebm_sampler *sampler, int64_t first, int64_t n, const float *x) {
    int64_t dim = sampler->dim;
    int bad = 0;
    for (int64_t i = 0; i < n * dim; i++) {
        bad |= !(fabsf(x[i]) <= FLT_MAX);
    }
    if (bad == 0) {
        return EBM_OK;
    }
    int64_t i = 0;
    while (fabsf(x[i]) <= FLT_MAX) {
        i++;
    }
    return ebm__fail(EBM_ERR_NONFINITE,
                     "chain %" PRId64 ", coordinate %" PRId64 " left the range of float: the step size is too large",
                     first + i / dim, i % dim);
}

void ebm__hold_masked(const ebm_sampler *sampler, int64_t n, const float *from, float *to) {
    if (sampler->mask == NULL) {
        return;
    }
    int64_t dim = sampler->dim;
    for (int64_t r = 0; r < n; r++) {
        for (int64_t i = 0; i < dim; i++) {
            to[r * dim + i] = sampler->mask[i] != 0 ? to[r * dim + i] : from[r * dim + i];
        }
    }
}

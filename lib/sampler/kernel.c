/* SPDX-License-Identifier: MIT */
#include "sampler/kernel.h"

#include <float.h>
#include <inttypes.h>

#include "core/error.h"
#include "core/memory.h"
#include "model/model.h"

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

ebm_status ebm__kernel_begin(ebm_sampler *sampler, const char *name, int needs) {
    bool accepts = (needs & EBM__ACCEPTS) != 0;
    bool gradient = (needs & EBM__GRADIENT) != 0;
    if (accepts && !(sampler->settings.temperature > 0)) {
        return ebm__fail(EBM_ERR_STATE, "%s needs a temperature above 0", name);
    }
    ebm_context *context = sampler->handle.context;
    if (sampler->energy == NULL) {
        EBM__TRY(ebm__alloc(context, sampler->n_chains, sizeof(double), name, &sampler->energy));
    }
    if (gradient && sampler->grad == NULL) {
        EBM__TRY(ebm__alloc(context, sampler->n_chains * sampler->dim, sizeof(float), name, &sampler->grad));
    }
    if (ebm__kernel_of(sampler)->draws_momenta && sampler->trajectory_energy == NULL) {
        EBM__TRY(ebm__alloc(context, sampler->n_chains, sizeof(double), name, &sampler->trajectory_energy));
    }
    EBM__TRY(ebm__model_energy_all(sampler->model, sampler->model->theta, sampler->n_chains, sampler->x, accepts,
                                   sampler->energy, gradient ? sampler->grad : NULL));
    sampler->knows_chains = gradient;
    return EBM_OK;
}

ebm_status ebm__kernel_evaluate(const ebm_sampler *sampler, int64_t first, int64_t n, const float *x, double *energy,
                                float *grad) {
    if (ebm__sampler_stop_requested(sampler)) {
        return ebm__fail(EBM_ERR_STOPPED, "stopped on request");
    }
    return ebm__model_energy_rows(sampler->model, sampler->model->theta, first, n, x, true, energy, grad);
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

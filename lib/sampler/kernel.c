/* SPDX-License-Identifier: MIT */
#include "sampler/kernel.h"

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
        default:
            return &ebm__kernel_langevin;
    }
}

ebm_status ebm__kernel_begin(ebm_sampler *sampler, const char *name, bool gradient) {
    if (!(sampler->settings.temperature > 0)) {
        return ebm__fail(EBM_ERR_STATE, "%s needs a temperature above 0", name);
    }
    ebm_context *context = sampler->handle.context;
    if (sampler->energy == NULL) {
        EBM__TRY(ebm__alloc(context, sampler->n_chains, sizeof(double), name, &sampler->energy));
    }
    if (gradient && sampler->grad == NULL) {
        EBM__TRY(ebm__alloc(context, sampler->n_chains * sampler->dim, sizeof(float), name, &sampler->grad));
    }
    return ebm__model_energy_all(sampler->model, sampler->model->theta, sampler->n_chains, sampler->x, true,
                                 sampler->energy, gradient ? sampler->grad : NULL);
}

ebm_status ebm__kernel_evaluate(const ebm_sampler *sampler, int64_t first, int64_t n, const float *x, double *energy,
                                float *grad) {
    if (ebm__sampler_stop_requested(sampler)) {
        return ebm__fail(EBM_ERR_STOPPED, "stopped on request");
    }
    return ebm__model_energy_rows(sampler->model, sampler->model->theta, first, n, x, true, energy, grad);
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

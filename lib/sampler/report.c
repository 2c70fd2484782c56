/* SPDX-License-Identifier: MIT */
/* What a sampler says of its chains. */
#include <inttypes.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "model/model.h"
#include "sampler/kernel.h"

ebm_status ebm_sampler_get_steps(const ebm_sampler *sampler, int64_t *steps) {
    EBM__REQUIRE(sampler);
    EBM__REQUIRE(steps);
    EBM__TRY(ebm__readable(&sampler->handle, __func__));
    *steps = (int64_t)sampler->step;
    return EBM_OK;
}

ebm_status ebm_sampler_get_mean_energy(ebm_sampler *sampler, double *energy) {
    EBM__REQUIRE(sampler);
    EBM__REQUIRE(energy);
    EBM__USE(use, sampler);
    EBM__USE(use_model, sampler->model);
    EBM__TRY(ebm__sampler_start(sampler, __func__));
    double *energies = ebm__scratch_borrow(&sampler->scratch, sampler->n_chains * (int64_t)sizeof *energies, __func__);
    if (energies == NULL) {
        return EBM_ERR_NOMEM;
    }
    ebm_model *model = sampler->model;
    ebm_status status =
        ebm__model_energy_all(model, model->theta, sampler->n_chains, sampler->x, true, energies, NULL);
    double sum = 0;
    for (int64_t c = 0; c < sampler->n_chains && status == EBM_OK; c++) {
        sum += energies[c];
    }
    ebm__scratch_return(&sampler->scratch, energies);
    if (status != EBM_OK) {
        return ebm__fail_within(status, "%s: ", __func__);
    }
    *energy = sum / (double)sampler->n_chains;
    return EBM_OK;
}

static ebm_status require_step(const ebm_sampler *sampler, const char *caller) {
    EBM__TRY(ebm__readable(&sampler->handle, caller));
    return sampler->report.has_stepped ? EBM_OK
                                       : ebm__fail(EBM_ERR_STATE, "%s: the chains have not made a step yet", caller);
}

ebm_status ebm_sampler_get_grad_rms(const ebm_sampler *sampler, double *rms) {
    EBM__REQUIRE(sampler);
    EBM__REQUIRE(rms);
    EBM__TRY(require_step(sampler, __func__));
    *rms = sampler->report.grad_rms;
    return EBM_OK;
}

ebm_status ebm_sampler_get_acceptance(const ebm_sampler *sampler, double *rate) {
    EBM__REQUIRE(sampler);
    EBM__REQUIRE(rate);
    EBM__TRY(require_step(sampler, __func__));
    *rate = sampler->report.acceptance;
    return EBM_OK;
}

ebm_status ebm_sampler_get_mean_leapfrog_steps(const ebm_sampler *sampler, double *steps) {
    EBM__REQUIRE(sampler);
    EBM__REQUIRE(steps);
    EBM__TRY(require_step(sampler, __func__));
    *steps = sampler->report.mean_leaps;
    return EBM_OK;
}

ebm_status ebm_sampler_get_divergent_count(const ebm_sampler *sampler, int64_t *count) {
    EBM__REQUIRE(sampler);
    EBM__REQUIRE(count);
    EBM__TRY(ebm__readable(&sampler->handle, __func__));
    *count = sampler->report.divergent;
    return EBM_OK;
}

ebm_status ebm_sampler_get_nonfinite_count(const ebm_sampler *sampler, int64_t *count) {
    EBM__REQUIRE(sampler);
    EBM__REQUIRE(count);
    EBM__TRY(ebm__readable(&sampler->handle, __func__));
    *count = sampler->report.impossible;
    return EBM_OK;
}

ebm_status ebm_sampler_get_trajectory_energies(const ebm_sampler *sampler, int64_t n, double *energy) {
    EBM__REQUIRE(sampler);
    if (n < 0 || n > sampler->n_chains) {
        return ebm__fail(EBM_ERR_ARG, "%s: n is %" PRId64 ", must be 0 to n_chains, %" PRId64, __func__, n,
                         sampler->n_chains);
    }
    EBM__TRY(require_step(sampler, __func__));
    if (!sampler->report.has_trajectory) {
        return ebm__fail(EBM_ERR_STATE, "%s: the last step had no trajectories from fresh momenta", __func__);
    }
    if (n > 0) {
        EBM__REQUIRE(energy);
        memcpy(energy, sampler->trajectory_energy, (size_t)n * sizeof *energy);
    }
    return EBM_OK;
}

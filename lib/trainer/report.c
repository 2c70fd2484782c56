/* SPDX-License-Identifier: MIT */
/* What a trainer says of its last batch. */
#include <math.h>

#include "core/error.h"
#include "trainer/trainer.h"

static ebm_status get_counter(const ebm_trainer *trainer, const char *caller, int64_t value, int64_t *out) {
    EBM__TRY(ebm__readable(&trainer->handle, caller));
    *out = value;
    return EBM_OK;
}

static ebm_status get_number(const ebm_trainer *trainer, const char *caller, double value, double *out) {
    EBM__TRY(ebm__readable(&trainer->handle, caller));
    if (!trainer->has_report) {
        return ebm__fail(EBM_ERR_STATE, "%s: the trainer has not seen a batch yet", caller);
    }
    if (isnan(value)) {
        return ebm__fail(EBM_ERR_STATE, "%s: the objective of the last batch has no such thing", caller);
    }
    *out = value;
    return EBM_OK;
}

ebm_status ebm_trainer_get_steps(const ebm_trainer *trainer, int64_t *steps) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(steps);
    return get_counter(trainer, __func__, trainer->steps, steps);
}

ebm_status ebm_trainer_get_epochs(const ebm_trainer *trainer, int64_t *epochs) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(epochs);
    return get_counter(trainer, __func__, trainer->epochs, epochs);
}

ebm_status ebm_trainer_get_loss(const ebm_trainer *trainer, double *loss) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(loss);
    return get_number(trainer, __func__, trainer->report.loss, loss);
}

ebm_status ebm_trainer_get_energy_data(const ebm_trainer *trainer, double *energy) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(energy);
    return get_number(trainer, __func__, trainer->report.energy_data, energy);
}

ebm_status ebm_trainer_get_energy_model(const ebm_trainer *trainer, double *energy) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(energy);
    return get_number(trainer, __func__, trainer->report.energy_model, energy);
}

ebm_status ebm_trainer_get_gap(const ebm_trainer *trainer, double *gap) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(gap);
    return get_number(trainer, __func__, trainer->report.energy_data - trainer->report.energy_model, gap);
}

ebm_status ebm_trainer_get_grad_norm(const ebm_trainer *trainer, double *norm) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(norm);
    return get_number(trainer, __func__, trainer->report.grad_norm, norm);
}

ebm_status ebm_trainer_get_acceptance(const ebm_trainer *trainer, double *rate) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(rate);
    return get_number(trainer, __func__, trainer->report.acceptance, rate);
}

ebm_status ebm_trainer_get_log_z_gradient(const ebm_trainer *trainer, double *grad) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(grad);
    return get_number(trainer, __func__, trainer->report.log_z_grad, grad);
}

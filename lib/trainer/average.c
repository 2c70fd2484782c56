/* SPDX-License-Identifier: MIT */
/* The exponential average of theta, a <- d a + (1 - d) theta (Polyak and Juditsky 1992), and its use. */
#include <inttypes.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "trainer/trainer.h"

ebm_status ebm__average_prepare(ebm_trainer *trainer, const char *caller) {
    if (trainer->settings.average_decay == 0 || trainer->average != NULL) {
        return EBM_OK;
    }
    return ebm__alloc(trainer->handle.context, trainer->model->n_params, sizeof(float), caller, &trainer->average);
}

void ebm__average_start(ebm_trainer *trainer) {
    if (trainer->average != NULL && !trainer->has_average) {
        memcpy(trainer->average, trainer->model->theta, (size_t)trainer->model->n_params * sizeof(float));
        trainer->has_average = true;
    }
}

void ebm__average_update(ebm_trainer *trainer) {
    if (trainer->average == NULL) {
        return;
    }
    double take = 1 - trainer->settings.average_decay;
    for (int64_t i = 0; i < trainer->model->n_params; i++) { /* in this form a constant theta stays what it is */
        double average = (double)trainer->average[i];
        trainer->average[i] = (float)(average + take * ((double)trainer->model->theta[i] - average));
    }
}

ebm_status ebm_trainer_set_average(ebm_trainer *trainer, double decay) {
    EBM__REQUIRE(trainer);
    if (!(decay >= 0 && decay < 1)) {
        return ebm__fail(EBM_ERR_ARG, "%s: decay is %g, must be 0 to below 1", __func__, decay);
    }
    EBM__USE(use, trainer);
    if (decay == 0) {
        if (trainer->swapped) {
            return ebm__fail(EBM_ERR_STATE,
                             "%s: decay is 0, but the model has the averaged parameters; exchange them first",
                             __func__);
        }
        ebm__free(trainer->handle.context, trainer->average);
        trainer->average = NULL;
        trainer->has_average = false;
    }
    trainer->settings.average_decay = decay;
    return EBM_OK;
}

ebm_status ebm_trainer_get_average(const ebm_trainer *trainer, double *decay) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(decay);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    *decay = trainer->settings.average_decay;
    return EBM_OK;
}

static ebm_status require_average(const ebm_trainer *trainer, const char *caller) {
    return trainer->has_average
               ? EBM_OK
               : ebm__fail(EBM_ERR_STATE, "%s: there is no average: ebm_trainer_set_average, then a step, come first",
                           caller);
}

ebm_status ebm_trainer_get_average_params(const ebm_trainer *trainer, int64_t n_params, float *theta) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(theta);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    EBM__TRY(require_average(trainer, __func__));
    if (n_params != trainer->model->n_params) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_params is %" PRId64 ", the model has %" PRId64, __func__, n_params,
                         trainer->model->n_params);
    }
    const float *average = trainer->swapped ? trainer->model->theta : trainer->average;
    memcpy(theta, average, (size_t)n_params * sizeof *theta);
    return EBM_OK;
}

ebm_status ebm_trainer_swap_average(ebm_trainer *trainer) {
    EBM__REQUIRE(trainer);
    EBM__USE(use, trainer);
    EBM__USE(use_model, trainer->model);
    EBM__TRY(require_average(trainer, __func__));
    float *theta = trainer->model->theta;
    for (int64_t i = 0; i < trainer->model->n_params; i++) {
        float value = theta[i];
        theta[i] = trainer->average[i];
        trainer->average[i] = value;
    }
    trainer->swapped = !trainer->swapped;
    return EBM_OK;
}

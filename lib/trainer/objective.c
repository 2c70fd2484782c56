/* SPDX-License-Identifier: MIT */
/* Which objective, and the settings that belong to one of them. */
#include "trainer/objective.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/error.h"

static const ebm__objective *objective_of(int32_t objective) {
    switch (objective) {
        case EBM_OBJECTIVE_LIKELIHOOD:
            return &ebm__likelihood;
        case EBM_OBJECTIVE_DENOISING_SCORE_MATCHING:
            return &ebm__denoising;
        case EBM_OBJECTIVE_SLICED_SCORE_MATCHING:
            return &ebm__sliced;
        case EBM_OBJECTIVE_NOISE_CONTRASTIVE:
            return &ebm__noise_contrastive;
        default:
            return NULL;
    }
}

const ebm__objective *ebm__trainer_objective(const ebm_trainer *trainer) {
    return objective_of(trainer->settings.objective);
}

ebm_status ebm__require_weight(float weight, int64_t row) {
    return isfinite(weight) ? EBM_OK
                            : ebm__fail(EBM_ERR_NONFINITE,
                                        "the gradient of the loss at row %" PRId64 " left the range of float", row);
}

ebm_status ebm_trainer_set_objective(ebm_trainer *trainer, int32_t objective) {
    EBM__REQUIRE(trainer);
    if (objective_of(objective) == NULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: objective is %d, must be one of the constants %d to %d", __func__, objective,
                         EBM_OBJECTIVE_LIKELIHOOD, EBM_OBJECTIVE_NOISE_CONTRASTIVE);
    }
    EBM__USE(use, trainer);
    if (objective == EBM_OBJECTIVE_LIKELIHOOD) {
        EBM__TRY(ebm__likelihood.ready(trainer, __func__));
    }
    if (objective != trainer->settings.objective) {
        ebm__optimizer_clear(trainer);
        trainer->settings.objective = objective;
    }
    return EBM_OK;
}

ebm_status ebm_trainer_get_objective(const ebm_trainer *trainer, int32_t *objective) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(objective);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    *objective = trainer->settings.objective;
    return EBM_OK;
}

ebm_status ebm_trainer_set_noise_levels(ebm_trainer *trainer, int32_t n, const double *std) {
    EBM__REQUIRE(trainer);
    if (n < 1 || n > EBM__MOST_NOISE_LEVELS) {
        return ebm__fail(EBM_ERR_ARG, "%s: n is %d, must be 1 to %d", __func__, n, EBM__MOST_NOISE_LEVELS);
    }
    EBM__REQUIRE(std);
    for (int32_t i = 0; i < n; i++) {
        if (!((float)std[i] > 0 && isfinite((float)std[i]))) {
            return ebm__fail(EBM_ERR_ARG, "%s: std[%d] is %g, must be finite and above 0", __func__, i, std[i]);
        }
    }
    EBM__USE(use, trainer);
    memcpy(trainer->settings.noise_levels, std, (size_t)n * sizeof *std);
    trainer->settings.n_noise_levels = n;
    return EBM_OK;
}

ebm_status ebm_trainer_get_noise_levels(const ebm_trainer *trainer, int32_t *n, double *std) {
    EBM__REQUIRE(trainer);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    if (n != NULL) {
        *n = trainer->settings.n_noise_levels;
    }
    if (std != NULL) {
        memcpy(std, trainer->settings.noise_levels, (size_t)trainer->settings.n_noise_levels * sizeof *std);
    }
    return EBM_OK;
}

ebm_status ebm_trainer_set_difference_step(ebm_trainer *trainer, double share) {
    EBM__REQUIRE(trainer);
    if (!(share >= 1e-6 && share <= 1)) {
        return ebm__fail(EBM_ERR_ARG, "%s: share is %g, must be 1e-6 to 1", __func__, share);
    }
    EBM__USE(use, trainer);
    trainer->settings.difference_step = share;
    return EBM_OK;
}

ebm_status ebm_trainer_get_difference_step(const ebm_trainer *trainer, double *share) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(share);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    *share = trainer->settings.difference_step;
    return EBM_OK;
}

ebm_status ebm_trainer_set_noise_ratio(ebm_trainer *trainer, int64_t ratio) {
    EBM__REQUIRE(trainer);
    if (ratio < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: ratio is %" PRId64 ", must be at least 1", __func__, ratio);
    }
    EBM__USE(use, trainer);
    trainer->settings.noise_ratio = ratio;
    return EBM_OK;
}

ebm_status ebm_trainer_get_noise_ratio(const ebm_trainer *trainer, int64_t *ratio) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(ratio);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    *ratio = trainer->settings.noise_ratio;
    return EBM_OK;
}

ebm_status ebm_trainer_set_log_z(ebm_trainer *trainer, double log_z) {
    EBM__REQUIRE(trainer);
    if (!isfinite((float)log_z)) {
        return ebm__fail(EBM_ERR_ARG, "%s: log_z is %g, must be finite", __func__, log_z);
    }
    EBM__USE(use, trainer);
    trainer->log_z.value = (float)log_z;
    trainer->log_z.known = true;
    return EBM_OK;
}

ebm_status ebm_trainer_get_log_z(const ebm_trainer *trainer, double *log_z) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(log_z);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    if (!trainer->log_z.known) {
        return ebm__fail(EBM_ERR_STATE, "%s: log Z has not been set, nor a batch seen that it could begin with",
                         __func__);
    }
    *log_z = (double)trainer->log_z.value;
    return EBM_OK;
}

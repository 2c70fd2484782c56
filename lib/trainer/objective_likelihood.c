/* SPDX-License-Identifier: MIT */
/*
 * Maximum likelihood: negatives from the sampler, energies, signed weights, and one weighted parameter gradient over
 * [x+; x-]. With L = mean E+ - mean E- + alpha (mean E+^2 + mean E-^2),
 *     dL/dtheta = sum over x+ of (1 + 2 alpha E+) / n dE/dtheta + sum over x- of (-1 + 2 alpha E-) / m dE/dtheta.
 */
#include <string.h>

#include "core/error.h"
#include "trainer/objective.h"
#include "trainer/schedule.h"

static ebm_status ready(const ebm_trainer *trainer, const char *caller) {
    return trainer->sampler != NULL
               ? EBM_OK
               : ebm__fail(EBM_ERR_STATE,
                           "%s: the likelihood needs a sampler, and the trainer was made without one; "
                           "ebm_trainer_set_objective has others",
                           caller);
}

static ebm_status reserve(ebm_trainer *trainer, int64_t n, const char *caller) {
    if (trainer->settings.health_record != 0) {
        EBM__TRY(ebm__health_reserve(trainer, caller));
    }
    return ebm__trainer_reserve(trainer, n, 1, trainer->sampler->n_chains, 0, caller);
}

static ebm_status begin(ebm_trainer *trainer, int64_t n, const char *caller) {
    EBM__TRY(ebm__schedule_sampler(trainer, caller));
    ebm_status status = ebm__sampler_begin_negatives(trainer->sampler, n, trainer->rows, caller);
    if (status != EBM_OK) {
        ebm__schedule_sampler_end(trainer);
        return status;
    }
    trainer->sampler->outer_stop = &trainer->stop;
    ebm__health_begin(trainer);
    return EBM_OK;
}

/* The penalty's weights need the energies first; without it they are constant. */
static ebm_status weigh(ebm_trainer *trainer, int64_t n, int64_t m) {
    double alpha = trainer->settings.energy_penalty;
    ebm_model *model = trainer->model;
    if (alpha != 0) {
        EBM__TRY(ebm__trainer_check_stop(trainer));
        EBM__TRY(ebm__model_energy_all(model, model->theta, n + m, trainer->rows, false, trainer->energy, NULL));
    }
    for (int64_t i = 0; i < n + m; i++) {
        double slope = alpha == 0 ? 0 : 2 * alpha * trainer->energy[i];
        trainer->weight[i] = (float)(i < n ? (1 + slope) / (double)n : (-1 + slope) / (double)m);
    }
    return EBM_OK;
}

static ebm_status differentiate(ebm_trainer *trainer, int64_t n, ebm__trainer_report *report) {
    ebm_sampler *sampler = trainer->sampler;
    ebm_model *model = trainer->model;
    int64_t m = sampler->n_chains;
    EBM__TRY(ebm__sampler_advance(sampler, ebm__trainer_mcmc_steps(trainer), 1, NULL, "sampler"));
    memcpy(trainer->rows + n * model->dim, sampler->x, (size_t)(m * model->dim) * sizeof(float));
    EBM__TRY(weigh(trainer, n, m));
    EBM__TRY(ebm__trainer_check_stop(trainer));
    EBM__TRY(ebm__model_param_grad_all(model, model->theta, n + m, trainer->rows, trainer->weight, trainer->energy,
                                       trainer->grad));
    double alpha = trainer->settings.energy_penalty;
    report->energy_data = ebm__mean(n, trainer->energy);
    report->energy_model = ebm__mean(m, trainer->energy + n);
    report->loss = report->energy_data - report->energy_model;
    if (alpha != 0) {
        report->loss += alpha * (ebm__mean_square(n, trainer->energy) + ebm__mean_square(m, trainer->energy + n));
    }
    report->acceptance = sampler->report.acceptance;
    report->has_chains = true;
    ebm__health_measure(trainer, n, report);
    trainer->probe = (ebm__probe){.n_data = n, .n_model = m};
    return EBM_OK;
}

static void finish(ebm_trainer *trainer) {
    trainer->sampler->outer_stop = NULL;
    ebm__schedule_sampler_end(trainer);
    ebm__sampler_finish_negatives(trainer->sampler);
}

static void undo(ebm_trainer *trainer) {
    trainer->sampler->outer_stop = NULL;
    ebm__schedule_sampler_end(trainer);
    ebm__sampler_undo_negatives(trainer->sampler);
}

const ebm__objective ebm__likelihood = {
    .has_chains = true,
    .ready = ready,
    .reserve = reserve,
    .begin = begin,
    .differentiate = differentiate,
    .finish = finish,
    .undo = undo,
};

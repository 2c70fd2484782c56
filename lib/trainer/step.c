/* SPDX-License-Identifier: MIT */
/* One step: negatives, gradient, a proposed theta, a look at what it does, and only then the change. */
#include <inttypes.h>

#include "core/error.h"
#include "model/spectral.h"
#include "trainer/objective.h"

/*
 * Rows of data, and of negatives, that a proposed theta is looked at with: enough to see an explosion, too few to be
 * felt.
 */
enum { PROBE_ROWS = 32 };

/* The probe is the end of the data and the beginning of the negatives, which are neighbours in trainer->rows. */
static ebm_status probe_proposal(ebm_trainer *trainer) {
    ebm_model *model = trainer->model;
    int64_t n = trainer->probe.n_data;
    int64_t m = trainer->probe.n_model;
    int64_t n_probe = n < PROBE_ROWS ? n : PROBE_ROWS;
    int64_t m_probe = m < PROBE_ROWS ? m : PROBE_ROWS;
    const float *rows = trainer->rows + (n - n_probe) * model->dim;
    double *energy = trainer->energy;
    ebm_status status = ebm__model_energy_all(model, trainer->optimizer.next_theta, n_probe + m_probe, rows, false,
                                              energy, NULL);
    if (status != EBM_OK) {
        return ebm__fail_within(status, "after the update: ");
    }
    if (m_probe == 0) {
        return EBM_OK;
    }
    status = ebm__trainer_check_gap(trainer, ebm__mean(n_probe, energy), ebm__mean(m_probe, energy + n_probe));
    return status == EBM_OK ? EBM_OK : ebm__fail_within(status, "after the update: ");
}

static ebm_status propose(ebm_trainer *trainer, double grad_norm, const char *caller) {
    EBM__TRY(ebm__average_prepare(trainer, caller));
    EBM__TRY(ebm__optimizer_propose(trainer, grad_norm, caller));
    EBM__TRY(ebm__model_limit_norms(trainer->model, trainer->optimizer.next_theta, caller));
    EBM__TRY(probe_proposal(trainer));
    ebm__keeper *rollback = trainer->keepers[EBM__KEEPER_ROLLBACK];
    if (rollback != NULL) {
        EBM__TRY(rollback->before_change(rollback, trainer, caller));
    }
    return ebm__trainer_check_stop(trainer);
}

static ebm_status step_alone(ebm_trainer *trainer, int64_t n, const float *x, const char *caller) {
    EBM__USE_SAMPLER(use_sampler, trainer, caller);
    EBM__USE_FOR(use_model, trainer->model, caller);
    ebm__trainer_report report;
    EBM__TRY(ebm__trainer_compute(trainer, n, x, &report, caller));
    ebm_status status = propose(trainer, report.grad_norm, caller);
    if (status != EBM_OK) {
        return ebm__trainer_undo(trainer, status, caller);
    }
    ebm__average_start(trainer);
    ebm__optimizer_accept(trainer);
    ebm__average_update(trainer);
    ebm__trainer_finish(trainer, &report);
    trainer->steps++;
    return EBM_OK;
}

/* The host looks on: the trainer can be read, model and sampler are free. */
static ebm_status show_progress(ebm_trainer *trainer, const char *caller) {
    const ebm__trainer_settings *s = &trainer->settings;
    if (s->progress == NULL || trainer->steps % s->progress_every != 0) {
        return EBM_OK;
    }
    atomic_store_explicit(&trainer->handle.activity, EBM__WATCHED, memory_order_release);
    int depth = ebm__callback_enter();
    int32_t answer = s->progress(trainer, s->progress_data);
    ebm__callback_leave(depth);
    atomic_store_explicit(&trainer->handle.activity, EBM__WORKING, memory_order_release);
    switch (answer) {
        case EBM_CB_OK:
            return EBM_OK;
        case EBM_CB_STOP:
            return ebm__fail(EBM_ERR_STOPPED, "%s: the progress callback asked to stop after step %" PRId64, caller,
                             trainer->steps);
        default:
            return ebm__fail(EBM_ERR_CALLBACK, "%s: the progress callback returned %d after step %" PRId64, caller,
                             answer, trainer->steps);
    }
}

/* A step that diverged, or a training that does: there may be a state to go back to. */
static ebm_status step_or_go_back(ebm_trainer *trainer, int64_t n, const float *x, bool *went_back,
                                  const char *caller) {
    ebm__keeper *rollback = trainer->keepers[EBM__KEEPER_ROLLBACK];
    ebm_status status = step_alone(trainer, n, x, caller);
    if (rollback != NULL && status == EBM_OK && trainer->health.verdict == EBM_VERDICT_DIVERGING) {
        status = ebm__fail(EBM_ERR_DIVERGED, "%s: training step %" PRId64 ": %s", caller, trainer->steps,
                           ebm_verdict_string(EBM_VERDICT_DIVERGING));
    }
    if (rollback != NULL && status == EBM_ERR_DIVERGED) {
        status = rollback->after_failure(rollback, trainer, status, caller);
        *went_back = status == EBM_OK;
    }
    return status;
}

ebm_status ebm__trainer_step(ebm_trainer *trainer, int64_t n, const float *x, int64_t epoch_rows, const char *caller) {
    bool went_back = false;
    EBM__TRY(step_or_go_back(trainer, n, x, &went_back, caller));
    if (went_back) { /* the next step is another one; nothing has been done that could be shown */
        return EBM_OK;
    }
    if (epoch_rows > 0) {
        ebm__epoch_advance(trainer, epoch_rows, n);
    }
    for (int i = 0; i < EBM__N_KEEPERS; i++) {
        if (trainer->keepers[i] != NULL) {
            trainer->keepers[i]->after_step(trainer->keepers[i], trainer);
        }
    }
    return show_progress(trainer, caller);
}

ebm_status ebm_trainer_step(ebm_trainer *trainer, int64_t n, const float *x) {
    EBM__REQUIRE(trainer);
    EBM__USE(use, trainer);
    EBM__TRY(ebm__require_rows(trainer->model, __func__, "x", n, x));
    return n == 0 ? EBM_OK : ebm__trainer_step(trainer, n, x, 0, __func__);
}

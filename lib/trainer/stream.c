/* SPDX-License-Identifier: MIT */
/* Steps over batches that the host brings one by one. */
#include <inttypes.h>

#include "core/error.h"
#include "core/memory.h"
#include "model/guard.h"
#include "trainer/trainer.h"

static ebm_status fetch(ebm_trainer *trainer, ebm_batch_fn fn, void *user_data) {
    int64_t n = trainer->settings.batch_size;
    int64_t dim = trainer->model->dim;
    EBM__TRY(ebm__trainer_check_stop(trainer));
    ebm__poison_floats(n * dim, trainer->batch);
    int depth = ebm__callback_enter();
    int32_t answer = fn(trainer->steps, n, dim, trainer->batch, user_data);
    ebm__callback_leave(depth);
    EBM__TRY(ebm__check_answer("data", answer, 0, n));
    return ebm__check_rows("data", n, dim, trainer->batch);
}

/* Data that are not finite are the host's error; the training has not diverged. */
static ebm_status fetch_failed(ebm_trainer *trainer, ebm_status status, const char *caller) {
    return status == EBM_ERR_NONFINITE
               ? ebm__fail_within(status, "%s: training step %" PRId64 ": ", caller, trainer->steps + 1)
               : ebm__trainer_failed(trainer, status, caller);
}

ebm_status ebm_trainer_fit_stream(ebm_trainer *trainer, ebm_batch_fn fn, void *user_data, int64_t n_steps) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(fn);
    if (n_steps < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_steps is %" PRId64 ", must be 0 or more", __func__, n_steps);
    }
    EBM__USE(use, trainer);
    int64_t n = trainer->settings.batch_size;
    int64_t bytes;
    if (!ebm__multiply(n, trainer->model->dim * (int64_t)sizeof(float), &bytes)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: batches of %" PRId64 " rows of %" PRId64 " floats do not fit", __func__,
                         n, trainer->model->dim);
    }
    EBM__TRY(ebm__reserve(trainer->handle.context, bytes, __func__, &trainer->batch, &trainer->batch_bytes));
    int64_t end = n_steps < INT64_MAX - trainer->steps ? trainer->steps + n_steps : INT64_MAX;
    while (trainer->steps < end) { /* a rollback makes steps anew */
        ebm_status status = fetch(trainer, fn, user_data);
        if (status != EBM_OK) {
            return fetch_failed(trainer, status, __func__);
        }
        EBM__TRY(ebm__trainer_step(trainer, n, trainer->batch, 0, __func__));
    }
    return EBM_OK;
}

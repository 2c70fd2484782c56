/* SPDX-License-Identifier: MIT */
/* Steps over an array, in an order shuffled anew for each epoch. */
#include <inttypes.h>
#include <string.h>

#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/philox.h"
#include "trainer/trainer.h"

/*
 * Every order equally likely (Fisher and Yates; Knuth 1997, algorithm 3.4.2 P), from the seed and the epoch's number
 * alone.
 */
static void shuffle(const ebm_trainer *trainer, int64_t n, int64_t *order) {
    ebm__sequence sequence = {.seed = trainer->settings.seed,
                              .step = (uint64_t)trainer->epochs,
                              .stream = EBM__STREAM_SHUFFLE};
    for (int64_t i = 0; i < n; i++) {
        order[i] = i;
    }
    for (int64_t i = 0; i < n - 1; i++) {
        int64_t other = i + (int64_t)ebm__random_below(&sequence, i, (uint64_t)(n - i));
        int64_t row = order[other];
        order[other] = order[i];
        order[i] = row;
    }
}

static void gather(int64_t dim, int64_t n, const int64_t *order, const float *x, float *batch) {
    for (int64_t i = 0; i < n; i++) {
        memcpy(batch + i * dim, x + order[i] * dim, (size_t)dim * sizeof *x);
    }
}

static void finish_epoch(ebm_trainer *trainer) {
    trainer->epochs++;
    ebm__log(trainer->handle.context, EBM_LOG_INFO,
             "epoch %" PRId64 ", step %" PRId64 ": loss %.6g, E of data %.6g, gradient norm %.6g, learning rate %.3g",
             trainer->epochs, trainer->steps, trainer->report.loss, trainer->report.energy_data,
             trainer->report.grad_norm, ebm__trainer_learning_rate(trainer));
}

/* The row, in the order of an epoch over n rows, at which the next batch begins. */
static int64_t next_row(const ebm_trainer *trainer, int64_t n) {
    return trainer->epoch_rows == n ? trainer->epoch_next : 0;
}

void ebm__epoch_advance(ebm_trainer *trainer, int64_t epoch_rows, int64_t n) {
    int64_t next = next_row(trainer, epoch_rows) + n;
    bool whole = next == epoch_rows;
    trainer->epoch_rows = whole ? 0 : epoch_rows;
    trainer->epoch_next = whole ? 0 : next;
    if (whole) {
        finish_epoch(trainer);
    }
}

/* Until it is whole, or a rollback has gone back to an earlier one. */
static ebm_status fit_epoch(ebm_trainer *trainer, int64_t n, const float *x, const char *caller) {
    int64_t dim = trainer->model->dim;
    int64_t size = trainer->settings.batch_size;
    int64_t epoch = trainer->epochs;
    shuffle(trainer, n, trainer->order);
    while (trainer->epochs == epoch) {
        int64_t first = next_row(trainer, n);
        int64_t rows = n - first < size ? n - first : size;
        gather(dim, rows, trainer->order + first, x, trainer->batch);
        EBM__TRY(ebm__trainer_step(trainer, rows, trainer->batch, n, caller));
    }
    return EBM_OK;
}

ebm_status ebm_trainer_fit(ebm_trainer *trainer, int64_t n, const float *x, int64_t n_epochs) {
    EBM__REQUIRE(trainer);
    if (n_epochs < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_epochs is %" PRId64 ", must be 0 or more", __func__, n_epochs);
    }
    EBM__USE(use, trainer);
    EBM__TRY(ebm__require_rows(trainer->model, __func__, "x", n, x));
    if (n == 0 || n_epochs == 0) {
        return EBM_OK;
    }
    ebm_context *context = trainer->handle.context;
    int64_t rows = n < trainer->settings.batch_size ? n : trainer->settings.batch_size;
    EBM__TRY(
        ebm__reserve(context, n * (int64_t)sizeof *trainer->order, __func__, &trainer->order, &trainer->order_bytes));
    EBM__TRY(ebm__reserve(context, rows * trainer->model->dim * (int64_t)sizeof *x, __func__, &trainer->batch,
                          &trainer->batch_bytes));
    int64_t end = n_epochs < INT64_MAX - trainer->epochs ? trainer->epochs + n_epochs : INT64_MAX;
    while (trainer->epochs < end) {
        EBM__TRY(fit_epoch(trainer, n, x, __func__));
    }
    return EBM_OK;
}

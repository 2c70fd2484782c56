/* SPDX-License-Identifier: MIT */
/* The gradient of the loss on one batch: what all objectives share. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/simd.h"
#include "trainer/objective.h"

ebm_status ebm__trainer_reserve(ebm_trainer *trainer, int64_t n, int64_t per_row, int64_t extra, int64_t work_per_row,
                                const char *caller) {
    ebm_context *context = trainer->handle.context;
    int64_t row_bytes = trainer->model->dim * (int64_t)sizeof(float);
    int64_t n_rows;
    int64_t bytes;
    int64_t work_bytes;
    if (!ebm__multiply(n, per_row, &n_rows) || extra > INT64_MAX - n_rows ||
        !ebm__multiply(n_rows + extra, row_bytes, &bytes) || !ebm__multiply(n, work_per_row, &work_bytes) ||
        !ebm__multiply(work_bytes, row_bytes, &work_bytes)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: a batch of %" PRId64 " rows does not fit", caller, n);
    }
    n_rows += extra;
    EBM__TRY(ebm__reserve(context, bytes, caller, &trainer->rows, &trainer->rows_bytes));
    EBM__TRY(ebm__reserve(context, n_rows * (int64_t)sizeof(float), caller, &trainer->weight, &trainer->weight_bytes));
    EBM__TRY(ebm__reserve(context, n_rows * (int64_t)sizeof(double), caller, &trainer->energy, &trainer->energy_bytes));
    return work_bytes == 0 ? EBM_OK
                           : ebm__reserve(context, work_bytes, caller, &trainer->work, &trainer->work_bytes);
}

/* The data, with their noise: a Langevin pass without drift and bounds. */
static ebm_status copy_data(ebm_trainer *trainer, int64_t n, const float *x) {
    ebm__langevin pass = {.sigma = (float)trainer->settings.data_noise,
                          .clip = INFINITY,
                          .lo = -INFINITY,
                          .hi = INFINITY};
    ebm__sequence noise = {.seed = trainer->settings.seed,
                           .step = (uint64_t)trainer->batches,
                           .stream = EBM__STREAM_DATA};
    double unused = 0;
    int bad = ebm__simd_used()->langevin(&pass, &noise, 0, n * trainer->model->dim, x, NULL, trainer->rows, &unused);
    return bad == 0 ? EBM_OK
                    : ebm__fail(EBM_ERR_NONFINITE, "data with noise of %g left the range of float",
                                (double)pass.sigma);
}

double ebm__mean(int64_t n, const double *values) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += values[i];
    }
    return sum / (double)n;
}

double ebm__mean_square(int64_t n, const double *values) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += values[i] * values[i];
    }
    return sum / (double)n;
}

/* Independent partial sums, so that additions need not wait for each other. */
static double euclidean_norm(int64_t n, const float *values) {
    enum { LANES = 8 };
    double sum[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int64_t lane = 0; lane < LANES; lane++) {
            sum[lane] += (double)values[i + lane] * (double)values[i + lane];
        }
    }
    for (; i < n; i++) {
        sum[0] += (double)values[i] * (double)values[i];
    }
    return sqrt(((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7])));
}

ebm_status ebm__trainer_check_gap(const ebm_trainer *trainer, double energy_data, double energy_model) {
    double gap = energy_data - energy_model;
    if (isfinite(gap) && fabs(gap) <= trainer->settings.gap_limit) {
        return EBM_OK;
    }
    return ebm__fail(EBM_ERR_DIVERGED, "the gap is %g (mean E of data %g, of negatives %g), beyond the limit of %g",
                     gap, energy_data, energy_model, trainer->settings.gap_limit);
}

static ebm_status differentiate(ebm_trainer *trainer, int64_t n, ebm__trainer_report *report) {
    const ebm__objective *objective = ebm__trainer_objective(trainer);
    *report = (ebm__trainer_report){.energy_model = NAN, .acceptance = NAN, .log_z_grad = NAN};
    ebm__health_blank(&report->health);
    EBM__TRY(ebm__trainer_check_stop(trainer));
    EBM__TRY(objective->differentiate(trainer, n, report));
    report->grad_norm = euclidean_norm(trainer->model->n_params, trainer->grad);
    if (!isnan(report->log_z_grad)) {
        report->grad_norm = hypot(report->grad_norm, report->log_z_grad);
    }
    ebm__health_complete(trainer, report);
    EBM__TRY(ebm__trainer_check_stop(trainer));
    if (trainer->probe.n_model > 0) {
        EBM__TRY(ebm__trainer_check_gap(trainer, report->energy_data, report->energy_model));
    }
    return isfinite(report->loss) ? EBM_OK : ebm__fail(EBM_ERR_NONFINITE, "the loss is %g", report->loss);
}

ebm_status ebm__trainer_check_stop(const ebm_trainer *trainer) {
    return atomic_load_explicit(&trainer->stop, memory_order_relaxed) ? ebm__fail(EBM_ERR_STOPPED, "stopped on request")
                                                                      : EBM_OK;
}

ebm_status ebm__trainer_failed(ebm_trainer *trainer, ebm_status status, const char *caller) {
    if (status == EBM_OK) {
        return EBM_OK;
    }
    if (status == EBM_ERR_STOPPED) { /* the request has been heard */
        atomic_store_explicit(&trainer->stop, false, memory_order_relaxed);
    }
    if (status != EBM_ERR_NONFINITE && status != EBM_ERR_DIVERGED) {
        return ebm__fail_within(status, "%s: training step %" PRId64 ": ", caller, trainer->steps + 1);
    }
    status = ebm__fail_within(EBM_ERR_DIVERGED, "%s: training step %" PRId64 " diverged: ", caller, trainer->steps + 1);
    ebm__log(trainer->handle.context, EBM_LOG_WARNING, "%s", ebm_last_error());
    return status;
}

ebm_status ebm__trainer_hold_sampler(ebm_trainer *trainer, const char *caller, ebm__use *use) {
    bool needed = trainer->sampler != NULL && ebm__trainer_objective(trainer)->has_chains;
    return needed ? ebm__use_begin(use, &trainer->sampler->handle, caller) : EBM_OK;
}

ebm_status ebm__trainer_compute(ebm_trainer *trainer, int64_t n, const float *x, ebm__trainer_report *report,
                                const char *caller) {
    const ebm__objective *objective = ebm__trainer_objective(trainer);
    if (trainer->swapped) {
        return ebm__fail(EBM_ERR_STATE,
                         "%s: the model has the averaged parameters; call ebm_trainer_swap_average first", caller);
    }
    if (objective->ready != NULL) {
        EBM__TRY(objective->ready(trainer, caller));
    }
    EBM__TRY(objective->reserve(trainer, n, caller));
    ebm_status status = copy_data(trainer, n, x);
    if (status != EBM_OK) {
        return ebm__trainer_failed(trainer, status, caller);
    }
    if (objective->begin != NULL) {
        EBM__TRY(objective->begin(trainer, n, caller));
    }
    status = differentiate(trainer, n, report);
    return status == EBM_OK ? EBM_OK : ebm__trainer_undo(trainer, status, caller);
}

ebm_status ebm__trainer_undo(ebm_trainer *trainer, ebm_status status, const char *caller) {
    const ebm__objective *objective = ebm__trainer_objective(trainer);
    if (objective->undo != NULL) {
        objective->undo(trainer);
    }
    return ebm__trainer_failed(trainer, status, caller);
}

void ebm__trainer_finish(ebm_trainer *trainer, const ebm__trainer_report *report) {
    const ebm__objective *objective = ebm__trainer_objective(trainer);
    if (objective->finish != NULL) {
        objective->finish(trainer);
    }
    trainer->batches++;
    trainer->report = *report;
    trainer->has_report = true;
    ebm__health_finish(trainer);
}

ebm_status ebm_trainer_gradient(ebm_trainer *trainer, int64_t n, const float *x, int64_t n_params, float *grad) {
    EBM__REQUIRE(trainer);
    EBM__USE(use, trainer);
    EBM__TRY(ebm__require_rows(trainer->model, __func__, "x", n, x));
    if (n_params != trainer->model->n_params) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_params is %" PRId64 ", the model has %" PRId64, __func__, n_params,
                         trainer->model->n_params);
    }
    if (n == 0) {
        return EBM_OK;
    }
    EBM__REQUIRE(grad);
    EBM__USE_SAMPLER(use_sampler, trainer, __func__);
    EBM__USE(use_model, trainer->model);
    ebm__trainer_report report;
    EBM__TRY(ebm__trainer_compute(trainer, n, x, &report, __func__));
    ebm__trainer_finish(trainer, &report);
    memcpy(grad, trainer->grad, (size_t)n_params * sizeof *grad);
    return EBM_OK;
}

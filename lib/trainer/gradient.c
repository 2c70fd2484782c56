/* SPDX-License-Identifier: MIT */
/*
 * The gradient of the loss on one batch: negatives from the sampler, energies, signed weights, and one weighted
 * parameter gradient over [x+; x-]. With L = mean E+ - mean E- + alpha (mean E+^2 + mean E-^2),
 *     dL/dtheta = sum over x+ of (1 + 2 alpha E+) / n dE/dtheta + sum over x- of (-1 + 2 alpha E-) / m dE/dtheta.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/simd.h"
#include "trainer/trainer.h"

static ebm_status reserve_batch(ebm_trainer *trainer, int64_t n_rows, const char *caller) {
    ebm_context *context = trainer->handle.context;
    int64_t bytes;
    if (!ebm__multiply(n_rows, trainer->model->dim * (int64_t)sizeof(float), &bytes)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: a batch of %" PRId64 " rows does not fit", caller, n_rows);
    }
    EBM__TRY(ebm__reserve(context, bytes, caller, &trainer->rows, &trainer->rows_bytes));
    EBM__TRY(ebm__reserve(context, n_rows * (int64_t)sizeof(float), caller, &trainer->weight, &trainer->weight_bytes));
    return ebm__reserve(context, n_rows * (int64_t)sizeof(double), caller, &trainer->energy, &trainer->energy_bytes);
}

/* The data, with their noise: a Langevin pass without drift and bounds. */
static ebm_status copy_data(ebm_trainer *trainer, int64_t n, const float *x) {
    ebm__langevin pass = {.sigma = (float)trainer->settings.data_noise,
                          .clip = INFINITY,
                          .lo = -INFINITY,
                          .hi = INFINITY};
    ebm__sequence noise = {.seed = trainer->sampler->seed,
                           .step = (uint64_t)trainer->batches,
                           .stream = EBM__STREAM_DATA};
    double unused = 0;
    int bad = ebm__simd_used()->langevin(&pass, &noise, 0, n * trainer->model->dim, x, NULL, trainer->rows, &unused);
    return bad == 0 ? EBM_OK
                    : ebm__fail(EBM_ERR_NONFINITE, "data with noise of %g left the range of float",
                                (double)pass.sigma);
}

static double mean(int64_t n, const double *values) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += values[i];
    }
    return sum / (double)n;
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
    ebm_sampler *sampler = trainer->sampler;
    ebm_model *model = trainer->model;
    int64_t m = sampler->n_chains;
    EBM__TRY(ebm__sampler_advance(sampler, trainer->settings.mcmc_steps, 1, NULL, "sampler"));
    memcpy(trainer->rows + n * model->dim, sampler->x, (size_t)(m * model->dim) * sizeof(float));
    EBM__TRY(weigh(trainer, n, m));
    EBM__TRY(ebm__trainer_check_stop(trainer));
    EBM__TRY(ebm__model_param_grad_all(model, model->theta, n + m, trainer->rows, trainer->weight, trainer->energy,
                                       trainer->grad));

    report->energy_data = mean(n, trainer->energy);
    report->energy_model = mean(m, trainer->energy + n);
    report->grad_norm = euclidean_norm(model->n_params, trainer->grad);
    report->acceptance = sampler->report.acceptance;
    EBM__TRY(ebm__trainer_check_stop(trainer));
    return ebm__trainer_check_gap(trainer, report->energy_data, report->energy_model);
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

ebm_status ebm__trainer_compute(ebm_trainer *trainer, int64_t n, const float *x, ebm__trainer_report *report,
                                const char *caller) {
    ebm_sampler *sampler = trainer->sampler;
    if (trainer->swapped) {
        return ebm__fail(EBM_ERR_STATE,
                         "%s: the model has the averaged parameters; call ebm_trainer_swap_average first", caller);
    }
    EBM__TRY(reserve_batch(trainer, n + sampler->n_chains, caller));
    ebm_status status = copy_data(trainer, n, x);
    if (status != EBM_OK) {
        return ebm__trainer_failed(trainer, status, caller);
    }
    EBM__TRY(ebm__sampler_begin_negatives(sampler, n, trainer->rows, caller));
    sampler->outer_stop = &trainer->stop;
    status = differentiate(trainer, n, report);
    sampler->outer_stop = NULL;
    if (status == EBM_OK) {
        return EBM_OK;
    }
    ebm__sampler_undo_negatives(sampler);
    return ebm__trainer_failed(trainer, status, caller);
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
    EBM__USE(use_sampler, trainer->sampler);
    EBM__USE(use_model, trainer->model);
    ebm__trainer_report report;
    EBM__TRY(ebm__trainer_compute(trainer, n, x, &report, __func__));
    ebm__sampler_finish_negatives(trainer->sampler);
    memcpy(grad, trainer->grad, (size_t)n_params * sizeof *grad);
    trainer->batches++;
    trainer->report = report;
    trainer->has_report = true;
    return EBM_OK;
}

/* SPDX-License-Identifier: MIT */
/*
 * A ladder with equal swap rates (Syed, Bouchard-Cote, Deligiannidis and Doucet 2022, sec. 5). The sum of the
 * rejection rates below a rung estimates the communication barrier Lambda(T) up to its temperature, whatever the other
 * rungs are; the best ladder divides it equally. In rounds, each twice as long as the one before, Lambda is estimated
 * and the inner rungs are put where its interpolation reaches equal parts. Between rungs it is taken as linear in
 * log T, which is exact for Gaussians of many dimensions.
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <ebm/tempering.h>

#include "core/error.h"
#include "core/memory.h"
#include "model/model.h"
#include "sampler/tempering.h"

/* The first round proposes every swap at least so often, where the steps suffice for more than one round. */
enum { LEAST_SWAPS = 8 };

/* Memory of a tuning: n_rungs each. */
typedef struct tuning {
    double *barrier;         /* Lambda at the rungs */
    double *log_temperature; /* as the round had them, as the next */
    double *log_step_size;
    double *next_temperature; /* as the next round gets them, as the next */
    double *next_step_size;
    double *old_temperature; /* before all rounds, as the next */
    double *old_step_size;
} tuning;

/* Lambda at the rungs. Where nothing was rejected half a rejection is counted: Lambda must grow. */
static void measure(const ebm__ladder *ladder, const tuning *t) {
    t->barrier[0] = 0;
    for (int32_t r = 0; r < ladder->n_rungs; r++) {
        t->log_temperature[r] = log(ladder->temperature[r]);
        t->log_step_size[r] = log(ladder->step_size[r]);
        if (r + 1 < ladder->n_rungs) {
            double n = (double)ladder->proposed[r];
            t->barrier[r + 1] = t->barrier[r] + fmax(1 - ladder->counts[r] / n, 0.5 / n);
        }
    }
}

static double between(const double *y, int32_t r, double share) {
    return y[r] + share * (y[r + 1] - y[r]);
}

/* Rung k of the next round; false where rounding lets rungs fall together. */
static bool place_rungs(const ebm__ladder *ladder, const tuning *t) {
    int32_t top = ladder->n_rungs - 1;
    int32_t r = 0;
    bool apart = true;
    memcpy(t->next_temperature, ladder->temperature, (size_t)ladder->n_rungs * sizeof(double));
    memcpy(t->next_step_size, ladder->step_size, (size_t)ladder->n_rungs * sizeof(double));
    for (int32_t k = 1; k < top; k++) {
        double part = t->barrier[top] * k / top;
        while (r + 1 < top && t->barrier[r + 1] < part) {
            r++;
        }
        double share = (part - t->barrier[r]) / (t->barrier[r + 1] - t->barrier[r]);
        t->next_temperature[k] = exp(between(t->log_temperature, r, share));
        t->next_step_size[k] = exp(between(t->log_step_size, r, share));
        apart = apart && t->next_temperature[k] > t->next_temperature[k - 1];
    }
    return apart && t->next_temperature[top] > t->next_temperature[top - 1];
}

static void use_rungs(ebm__ladder *ladder, const double *temperature, const double *step_size) {
    memcpy(ladder->temperature, temperature, (size_t)ladder->n_rungs * sizeof(double));
    memcpy(ladder->step_size, step_size, (size_t)ladder->n_rungs * sizeof(double));
}

static ebm_status tune(ebm_sampler *sampler, int64_t n_steps, const tuning *t, const char *caller) {
    int64_t length = n_steps;
    while (length / (4 * LEAST_SWAPS) >= sampler->settings.swap_every) {
        length /= 2;
    }
    for (int64_t left = n_steps; left > 0; left -= length, length *= 2) {
        length = left / 3 < length ? left : length; /* the last round takes what would not make another */
        ebm__ladder_clear_counts(sampler);
        EBM__TRY(ebm__sampler_advance(sampler, length, 1, NULL, caller));
        measure(&sampler->ladder, t);
        if (place_rungs(&sampler->ladder, t)) {
            use_rungs(&sampler->ladder, t->next_temperature, t->next_step_size);
        }
    }
    return EBM_OK;
}

static ebm_status check(const ebm_sampler *sampler, int64_t n_steps, const char *caller) {
    if (sampler->ladder.n_rungs == 1) {
        return ebm__fail(EBM_ERR_STATE, "%s: there is no ladder: call ebm_sampler_set_ladder", caller);
    }
    int64_t least = sampler->settings.swap_every > INT64_MAX / 2 ? INT64_MAX : 2 * sampler->settings.swap_every;
    if (n_steps < least) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_steps is %" PRId64 ", must be at least %" PRId64 ": two rounds of swaps",
                         caller, n_steps, least);
    }
    return EBM_OK;
}

ebm_status ebm_sampler_tune_ladder(ebm_sampler *sampler, int64_t n_steps) {
    EBM__REQUIRE(sampler);
    if (n_steps < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_steps is %" PRId64 ", must be 0 or more", __func__, n_steps);
    }
    EBM__USE(use, sampler);
    EBM__USE(use_model, sampler->model);
    if (n_steps == 0) {
        return EBM_OK;
    }
    EBM__TRY(check(sampler, n_steps, __func__));
    EBM__TRY(ebm__sampler_start(sampler, __func__));
    int64_t n = sampler->ladder.n_rungs;
    EBM__TRY(ebm__reserve(sampler->handle.context, 7 * n * (int64_t)sizeof(double), __func__, &sampler->adapt_memory,
                          &sampler->adapt_bytes));
    double *m = sampler->adapt_memory;
    const tuning t = {m, m + n, m + 2 * n, m + 3 * n, m + 4 * n, m + 5 * n, m + 6 * n};
    memcpy(t.old_temperature, sampler->ladder.temperature, (size_t)n * sizeof *m);
    memcpy(t.old_step_size, sampler->ladder.step_size, (size_t)n * sizeof *m);
    ebm_status status = tune(sampler, n_steps, &t, __func__);
    if (status != EBM_OK) {
        use_rungs(&sampler->ladder, t.old_temperature, t.old_step_size);
    }
    ebm__ladder_clear_counts(sampler);
    return status;
}

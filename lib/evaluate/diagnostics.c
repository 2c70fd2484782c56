/* SPDX-License-Identifier: MIT */
/* The public diagnostics of arrays of draws: each says what it wants of ebm__diagnose. */
#include <inttypes.h>
#include <math.h>

#include <ebm/evaluate.h>

#include "core/error.h"
#include "core/memory.h"
#include "evaluate/arguments.h"
#include "evaluate/diagnose.h"

static ebm_status require_one_of(const char *caller, const char *names, const double *first, const double *second) {
    if (first == NULL && second == NULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s are NULL, one must not be", caller, names);
    }
    return EBM_OK;
}

ebm_status ebm_rhat(ebm_context *context, int64_t n_draws, int64_t n_chains, int64_t dim, const float *draws,
                    double *rhat) {
    EBM__REQUIRE(rhat);
    const ebm__wanted wanted = {.rhat = rhat};
    return ebm__diagnose(context, __func__, n_draws, n_chains, dim, draws, &wanted);
}

ebm_status ebm_ess(ebm_context *context, int64_t n_draws, int64_t n_chains, int64_t dim, const float *draws,
                   double *bulk, double *tail) {
    EBM__TRY(require_one_of(__func__, "bulk and tail", bulk, tail));
    const ebm__wanted wanted = {.ess_bulk = bulk, .ess_tail = tail};
    return ebm__diagnose(context, __func__, n_draws, n_chains, dim, draws, &wanted);
}

ebm_status ebm_mcse(ebm_context *context, int64_t n_draws, int64_t n_chains, int64_t dim, const float *draws,
                    double *mean, double *sd) {
    EBM__TRY(require_one_of(__func__, "mean and sd", mean, sd));
    const ebm__wanted wanted = {.mcse_mean = mean, .mcse_sd = sd};
    return ebm__diagnose(context, __func__, n_draws, n_chains, dim, draws, &wanted);
}

ebm_status ebm_mcse_quantile(ebm_context *context, int64_t n_draws, int64_t n_chains, int64_t dim, const float *draws,
                             double probability, double *quantile, double *mcse) {
    if (!(probability > 0 && probability < 1)) {
        return ebm__fail(EBM_ERR_ARG, "%s: probability is %g, must be above 0 and below 1", __func__, probability);
    }
    EBM__REQUIRE(quantile);
    const ebm__wanted wanted = {.probability = {probability}, .quantile = {quantile}, .mcse_quantile = mcse};
    return ebm__diagnose(context, __func__, n_draws, n_chains, dim, draws, &wanted);
}

ebm_status ebm_autocorrelation_time(ebm_context *context, int64_t n_draws, int64_t n_chains, int64_t dim,
                                    const float *draws, double *time) {
    EBM__REQUIRE(time);
    const ebm__wanted wanted = {.autocorrelation_time = time};
    return ebm__diagnose(context, __func__, n_draws, n_chains, dim, draws, &wanted);
}

ebm_status ebm_summarize(ebm_context *context, int64_t n_draws, int64_t n_chains, int64_t dim, const float *draws,
                         double *mean, double *sd, double *mcse, double *q5, double *q50, double *q95, double *ess_bulk,
                         double *ess_tail, double *rhat) {
    const ebm__wanted wanted = {.mean = mean,
                                .sd = sd,
                                .mcse_mean = mcse,
                                .probability = {0.05, 0.5, 0.95},
                                .quantile = {q5, q50, q95},
                                .ess_bulk = ess_bulk,
                                .ess_tail = ess_tail,
                                .rhat = rhat};
    return ebm__diagnose(context, __func__, n_draws, n_chains, dim, draws, &wanted);
}

static ebm_status require_energies(const char *caller, int64_t n_draws, int64_t n_chains, const double *energy) {
    int64_t total;
    int64_t bytes;
    EBM__TRY(ebm__require_least(caller, "n_draws", n_draws, 0));
    EBM__TRY(ebm__require_least(caller, "n_chains", n_chains, 1));
    if (!ebm__multiply(n_draws, n_chains, &total) || !ebm__multiply(total, (int64_t)sizeof *energy, &bytes)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: n_draws is %" PRId64 " and n_chains is %" PRId64 ", which do not fit",
                         caller, n_draws, n_chains);
    }
    if (total > 0 && energy == NULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: energy is NULL", caller);
    }
    for (int64_t i = 0; i < total; i++) {
        if (!isfinite(energy[i])) {
            return ebm__fail(EBM_ERR_ARG, "%s: energy is %g at draw %" PRId64 ", chain %" PRId64 ", must be finite",
                             caller, energy[i], i / n_chains, i % n_chains);
        }
    }
    return EBM_OK;
}

ebm_status ebm_ebfmi(int64_t n_draws, int64_t n_chains, const double *energy, double *ebfmi) {
    EBM__REQUIRE(ebfmi);
    EBM__TRY(require_energies(__func__, n_draws, n_chains, energy));
    for (int64_t c = 0; c < n_chains; c++) {
        /* Measured from the first energy, so that equal ones, as well as one alone, give exactly 0 / 0. */
        double first = n_draws > 0 ? energy[c] : 0;
        double mean = 0;
        double changes = 0;
        double square = 0;
        for (int64_t t = 0; t < n_draws; t++) {
            mean += (energy[t * n_chains + c] - first) / (double)n_draws;
        }
        for (int64_t t = 0; t < n_draws; t++) {
            double now = energy[t * n_chains + c] - first;
            double change = t > 0 ? energy[t * n_chains + c] - energy[(t - 1) * n_chains + c] : 0;
            changes += change * change;
            square += (now - mean) * (now - mean);
        }
        ebfmi[c] = changes / square;
    }
    return EBM_OK;
}

/* SPDX-License-Identifier: MIT */
/* All diagnostics of arrays of draws, coordinate by coordinate: those that are wanted. */
#ifndef EBM_EVALUATE_DIAGNOSE_H
#define EBM_EVALUATE_DIAGNOSE_H

#include <stdint.h>

#include <ebm/context.h>
#include <ebm/status.h>

/* Fewest draws of a chain for an R-hat, and for an ESS: halves of 2, and of 6 as the sum over lags needs. */
enum { EBM__LEAST_DRAWS_RHAT = 4, EBM__LEAST_DRAWS_ESS = 12 };

enum { EBM__WANTED_QUANTILES = 3 };

/* Where each goes, dim numbers; NULL where it is not wanted. */
typedef struct ebm__wanted {
    double *mean, *sd;
    double *rhat;
    double *ess_bulk, *ess_tail;
    double *autocorrelation_time;
    double *mcse_mean, *mcse_sd;
    double probability[EBM__WANTED_QUANTILES]; /* above 0, below 1 */
    double *quantile[EBM__WANTED_QUANTILES];
    double *mcse_quantile; /* of the first of them, whose own place is then needed too */
} ebm__wanted;

/* Checks the shape and the draws, and works. Errors: as for the public functions. */
ebm_status ebm__diagnose(ebm_context *context, const char *caller, int64_t n_draws, int64_t n_chains, int64_t dim,
                         const float *draws, const ebm__wanted *wanted);

#endif /* EBM_EVALUATE_DIAGNOSE_H */

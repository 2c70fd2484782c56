/* SPDX-License-Identifier: MIT */
/* Checks of the arrays that a host hands over. */
#ifndef EBM_EVALUATE_ARGUMENTS_H
#define EBM_EVALUATE_ARGUMENTS_H

#include <stdint.h>

#include <ebm/status.h>

/* EBM_ERR_ARG unless value is `least` or more. */
ebm_status ebm__require_least(const char *caller, const char *name, int64_t value, int64_t least);

/*
 * n rows (`count_name` is their number's name) of dim finite floats. EBM_ERR_ARG, EBM_ERR_OVERFLOW. NULL will do for
 * 0 rows.
 */
ebm_status ebm__require_floats(const char *caller, const char *count_name, const char *name, int64_t n, int64_t dim,
                               const float *x);

/*
 * The shape and the values of an array of draws. *total is n_draws x n_chains, below 2^31. EBM_ERR_ARG,
 * EBM_ERR_OVERFLOW.
 */
ebm_status ebm__require_draws(const char *caller, int64_t n_draws, int64_t n_chains, int64_t dim, const float *draws,
                              int64_t *total);

#endif /* EBM_EVALUATE_ARGUMENTS_H */

/* SPDX-License-Identifier: MIT */
/* The loops of the health record that run over whole states. */
#ifndef EBM_TRAINER_HEALTH_SUMS_H
#define EBM_TRAINER_HEALTH_SUMS_H

#include <stdint.h>

/* Sum of (x - y)^2. */
double ebm__square_distance(int64_t n, const float *x, const float *y);

/*
 * The sum over coordinates, but those with a 0 in `mask` (NULL: none), of the variance over n rows. `work` has 2 x dim.
 * 0 for a single row.
 */
double ebm__total_variance(int64_t n, int64_t dim, const float *x, const uint8_t *mask, double *work);

/* out[r] = row r of x times `direction`. */
void ebm__project(int64_t n, int64_t dim, const float *x, const float *direction, double *out);

#endif /* EBM_TRAINER_HEALTH_SUMS_H */

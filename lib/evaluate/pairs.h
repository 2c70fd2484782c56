/* SPDX-License-Identifier: MIT */
/* Sums over the coordinates of two rows, in double, in eight lanes of fixed order, which fill vectors. */
#ifndef EBM_EVALUATE_PAIRS_H
#define EBM_EVALUATE_PAIRS_H

#include <stdint.h>

enum { EBM__PAIR_LANES = 8 };

static inline double ebm__lanes_sum(const double lane[EBM__PAIR_LANES]) {
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* |x - y|^2 */
static inline double ebm__square_distance(int64_t dim, const float *x, const float *y) {
    double lane[EBM__PAIR_LANES] = {0};
    int64_t whole = dim - dim % EBM__PAIR_LANES;
    for (int64_t i = 0; i < whole; i += EBM__PAIR_LANES) {
        for (int j = 0; j < EBM__PAIR_LANES; j++) {
            double d = (double)x[i + j] - (double)y[i + j];
            lane[j] += d * d;
        }
    }
    double sum = ebm__lanes_sum(lane);
    for (int64_t i = whole; i < dim; i++) {
        double d = (double)x[i] - (double)y[i];
        sum += d * d;
    }
    return sum;
}

/* (x - y) . (a - b) */
static inline double ebm__difference_product(int64_t dim, const float *x, const float *y, const float *a,
                                             const float *b) {
    double lane[EBM__PAIR_LANES] = {0};
    int64_t whole = dim - dim % EBM__PAIR_LANES;
    for (int64_t i = 0; i < whole; i += EBM__PAIR_LANES) {
        for (int j = 0; j < EBM__PAIR_LANES; j++) {
            lane[j] += ((double)x[i + j] - (double)y[i + j]) * ((double)a[i + j] - (double)b[i + j]);
        }
    }
    double sum = ebm__lanes_sum(lane);
    for (int64_t i = whole; i < dim; i++) {
        sum += ((double)x[i] - (double)y[i]) * ((double)a[i] - (double)b[i]);
    }
    return sum;
}

/* a . b */
static inline double ebm__product(int64_t dim, const float *a, const float *b) {
    double lane[EBM__PAIR_LANES] = {0};
    int64_t whole = dim - dim % EBM__PAIR_LANES;
    for (int64_t i = 0; i < whole; i += EBM__PAIR_LANES) {
        for (int j = 0; j < EBM__PAIR_LANES; j++) {
            lane[j] += (double)a[i + j] * (double)b[i + j];
        }
    }
    double sum = ebm__lanes_sum(lane);
    for (int64_t i = whole; i < dim; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

#endif /* EBM_EVALUATE_PAIRS_H */

/* SPDX-License-Identifier: MIT */
/* Sums stand in lanes of their own, so that additions need not wait for each other. */
#include "trainer/health_sums.h"

#include <string.h>

enum { LANES = 8 };

static double total(const double sum[LANES]) {
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

double ebm__square_distance(int64_t n, const float *x, const float *y) {
    double sum[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int64_t lane = 0; lane < LANES; lane++) {
            double d = (double)(x[i + lane] - y[i + lane]);
            sum[lane] += d * d;
        }
    }
    for (; i < n; i++) {
        double d = (double)(x[i] - y[i]);
        sum[0] += d * d;
    }
    return total(sum);
}

/* Deviations are taken from the first row, so that little is lost where the mean is far from 0. */
double ebm__total_variance(int64_t n, int64_t dim, const float *x, const uint8_t *mask, double *work) {
    double *restrict sum = work;
    double *restrict square = work + dim;
    double variance = 0;
    memset(work, 0, (size_t)(2 * dim) * sizeof *work);
    for (int64_t r = 1; r < n; r++) {
        const float *row = x + r * dim;
        for (int64_t i = 0; i < dim; i++) {
            double d = (double)(row[i] - x[i]);
            sum[i] += d;
            square[i] += d * d;
        }
    }
    for (int64_t i = 0; i < dim; i++) {
        double of_one = square[i] - sum[i] * sum[i] / (double)n;
        variance += (mask == NULL || mask[i] != 0) && of_one > 0 ? of_one : 0;
    }
    return n < 2 ? 0 : variance / (double)(n - 1);
}

void ebm__project(int64_t n, int64_t dim, const float *x, const float *direction, double *out) {
    for (int64_t r = 0; r < n; r++) {
        const float *row = x + r * dim;
        double sum[LANES] = {0};
        int64_t i = 0;
        for (; i + LANES <= dim; i += LANES) {
            for (int64_t lane = 0; lane < LANES; lane++) {
                sum[lane] += (double)(row[i + lane] * direction[i + lane]);
            }
        }
        for (; i < dim; i++) {
            sum[0] += (double)(row[i] * direction[i]);
        }
        out[r] = total(sum);
    }
}

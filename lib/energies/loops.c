/* SPDX-License-Identifier: MIT */
#include "energies/loops.h"

#include <stddef.h>

enum { LANES = 8, COLUMNS = 16 };

double ebm__dot(int64_t n, const float *a, const float *b) {
    double lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            lane[j] += (double)a[i + j] * (double)b[i + j];
        }
    }
    for (int j = 0; i + j < n; j++) {
        lane[j] += (double)a[i + j] * (double)b[i + j];
    }
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* COLUMNS sums at once: they stay in registers while one cache line of each row passes by. */
static void sum_tile(int64_t rows, int64_t stride, const float *a, const float *weight, double *sum) {
    double lane[COLUMNS] = {0};
    for (int64_t r = 0; r < rows; r++) {
        double w = weight == NULL ? 1.0 : (double)weight[r];
        for (int j = 0; j < COLUMNS; j++) {
            lane[j] += w * (double)a[r * stride + j];
        }
    }
    for (int j = 0; j < COLUMNS; j++) {
        sum[j] = lane[j];
    }
}

static double sum_column(int64_t rows, int64_t stride, const float *a, const float *weight) {
    double sum = 0.0;
    for (int64_t r = 0; r < rows; r++) {
        sum += (weight == NULL ? 1.0 : (double)weight[r]) * (double)a[r * stride];
    }
    return sum;
}

void ebm__column_sums(int64_t rows, int64_t width, const float *a, const float *weight, bool add, float *out) {
    int64_t c = 0;
    for (; c + COLUMNS <= width; c += COLUMNS) {
        double sum[COLUMNS];
        sum_tile(rows, width, a + c, weight, sum);
        for (int j = 0; j < COLUMNS; j++) {
            out[c + j] = (float)(add ? (double)out[c + j] + sum[j] : sum[j]);
        }
    }
    for (; c < width; c++) {
        double sum = sum_column(rows, width, a + c, weight);
        out[c] = (float)(add ? (double)out[c] + sum : sum);
    }
}

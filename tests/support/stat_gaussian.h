/* SPDX-License-Identifier: MIT */
/* Gaussians of a few dimensions: inverses, exact draws, and the moments that a kernel must have. */
#ifndef EBM_TESTS_STAT_GAUSSIAN_H
#define EBM_TESTS_STAT_GAUSSIAN_H

#include "stat_kernel.h"

enum { STAT_MOST_DIM = 8 };

typedef double stat_matrix[STAT_MOST_DIM][STAT_MOST_DIM];

/* By Gauss and Jordan, without pivots: for symmetric, positive definite matrices. */
static inline void stat_invert(int n, const stat_matrix a, stat_matrix inverse) {
    stat_matrix work;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            work[i][j] = a[i][j];
            inverse[i][j] = i == j ? 1 : 0;
        }
    }
    for (int k = 0; k < n; k++) {
        double pivot = work[k][k];
        assert_true(pivot > 0);
        for (int j = 0; j < n; j++) {
            work[k][j] /= pivot;
            inverse[k][j] /= pivot;
        }
        for (int i = 0; i < n; i++) {
            double factor = i == k ? 0 : work[i][k];
            for (int j = 0; j < n; j++) {
                work[i][j] -= factor * work[k][j];
                inverse[i][j] -= factor * inverse[k][j];
            }
        }
    }
}

static inline ebm_model *stat_gaussian(int n, const double *mean, const stat_matrix precision) {
    float m[STAT_MOST_DIM];
    float p[STAT_MOST_DIM * STAT_MOST_DIM];
    ebm_model *model = NULL;
    for (int i = 0; i < n; i++) {
        m[i] = (float)mean[i];
        for (int j = 0; j < n; j++) {
            p[i * n + j] = (float)precision[i][j];
        }
    }
    STAT_OK(ebm_gaussian_create(NULL, n, m, p, &model));
    return model;
}

/* What Langevin steps leave: Sigma = (P (I - eta P / 2))^-1, for sigma = sqrt(2 eta). */
static inline void stat_langevin_covariance(int n, const stat_matrix precision, double eta, stat_matrix covariance) {
    stat_matrix a;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            a[i][j] = precision[i][j];
            for (int k = 0; k < n; k++) {
                a[i][j] -= eta / 2 * precision[i][k] * precision[k][j];
            }
        }
    }
    stat_invert(n, a, covariance);
}

/* All first and second moments of coordinates `index` of n, as many as are returned. */
static inline int stat_gaussian_moments(int n, const int *index, const double *mean, const stat_matrix covariance,
                                        stat_moment *moment) {
    int count = 0;
    for (int i = 0; i < n; i++) {
        moment[count++] = (stat_moment){index[i], 1, index[i], 0, mean[i]};
        for (int j = 0; j <= i; j++) {
            moment[count++] = (stat_moment){index[i], 1, index[j], 1, covariance[i][j] + mean[i] * mean[j]};
        }
    }
    return count;
}

#endif /* EBM_TESTS_STAT_GAUSSIAN_H */

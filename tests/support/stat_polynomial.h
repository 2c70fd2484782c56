/* SPDX-License-Identifier: MIT */
/*
 * Energies that are polynomials, linear in theta, for the training objectives: in one dimension E = a x^2 + b x^4, in
 * two E = a (x^2 + y^2) / 2 + b (x^4 + y^4) / 4 + c x y.
 */
#ifndef EBM_TESTS_STAT_POLYNOMIAL_H
#define EBM_TESTS_STAT_POLYNOMIAL_H

#include "stat_models.h"

enum { STAT_MOST_FEATURES = 3 };

/* dE/dtheta_k at x; returns how many. */
static inline int stat_features_at(int64_t dim, const double *x, double *feature) {
    if (dim == 1) {
        feature[0] = x[0] * x[0];
        feature[1] = x[0] * x[0] * x[0] * x[0];
        return 2;
    }
    feature[0] = (x[0] * x[0] + x[1] * x[1]) / 2;
    feature[1] = (x[0] * x[0] * x[0] * x[0] + x[1] * x[1] * x[1] * x[1]) / 4;
    feature[2] = x[0] * x[1];
    return 3;
}

static inline double stat_polynomial_at(int64_t dim, const double *theta, const double *x) {
    double feature[STAT_MOST_FEATURES];
    double energy = 0;
    for (int k = stat_features_at(dim, x, feature) - 1; k >= 0; k--) {
        energy += theta[k] * feature[k];
    }
    return energy;
}

/* dE/dx, and the second derivatives: xx in one dimension; xx, yy, xy in two. */
static inline void stat_polynomial_slopes(int64_t dim, const double *theta, const double *x, double *slope,
                                          double *second) {
    if (dim == 1) {
        slope[0] = 2 * theta[0] * x[0] + 4 * theta[1] * x[0] * x[0] * x[0];
        second[0] = 2 * theta[0] + 12 * theta[1] * x[0] * x[0];
        return;
    }
    for (int j = 0; j < 2; j++) {
        slope[j] = theta[0] * x[j] + theta[1] * x[j] * x[j] * x[j] + theta[2] * x[1 - j];
        second[j] = theta[0] + 3 * theta[1] * x[j] * x[j];
    }
    second[2] = theta[2];
}

static inline int32_t stat_polynomial_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                                             float *grad_x, void *user_data) {
    const int64_t *n_params = user_data;
    double wide_theta[STAT_MOST_FEATURES];
    for (int64_t k = 0; k < *n_params; k++) {
        wide_theta[k] = (double)theta[k];
    }
    for (int64_t r = 0; r < n; r++) {
        double wide[2] = {(double)x[r * dim], dim > 1 ? (double)x[r * dim + 1] : 0};
        double slope[2];
        double second[3];
        if (energy != NULL) {
            energy[r] = stat_polynomial_at(dim, wide_theta, wide);
        }
        stat_polynomial_slopes(dim, wide_theta, wide, slope, second);
        for (int64_t j = 0; grad_x != NULL && j < dim; j++) {
            grad_x[r * dim + j] = (float)slope[j];
        }
    }
    return EBM_CB_OK;
}

static inline int32_t stat_polynomial_param_grad(int64_t n, int64_t dim, const float *x, const float *weight,
                                                 const float *theta, double *energy, float *grad_theta,
                                                 void *user_data) {
    const int64_t *n_params = user_data;
    double sum[STAT_MOST_FEATURES] = {0};
    for (int64_t r = 0; r < n; r++) {
        double wide[2] = {(double)x[r * dim], dim > 1 ? (double)x[r * dim + 1] : 0};
        double feature[STAT_MOST_FEATURES];
        stat_features_at(dim, wide, feature);
        for (int64_t k = 0; k < *n_params; k++) {
            sum[k] += (double)weight[r] * feature[k];
        }
    }
    for (int64_t k = 0; grad_theta != NULL && k < *n_params; k++) {
        grad_theta[k] = (float)sum[k];
    }
    return energy == NULL ? EBM_CB_OK : stat_polynomial_energy(n, dim, x, theta, energy, NULL, user_data);
}

/* In two dimensions. */
static inline int32_t stat_polynomial_mixed_grad(int64_t n, int64_t dim, const float *x, const float *direction,
                                                 const float *weight, const float *theta, double *slope,
                                                 float *grad_theta, void *user_data) {
    double sum[STAT_MOST_FEATURES] = {0};
    (void)dim;
    (void)user_data;
    for (int64_t r = 0; r < n; r++) {
        double a[2] = {(double)x[2 * r], (double)x[2 * r + 1]};
        double d[2] = {(double)direction[2 * r], (double)direction[2 * r + 1]};
        double along[STAT_MOST_FEATURES] = {a[0] * d[0] + a[1] * d[1],
                                            a[0] * a[0] * a[0] * d[0] + a[1] * a[1] * a[1] * d[1],
                                            a[0] * d[1] + a[1] * d[0]};
        double of_row = 0;
        for (int k = 0; k < STAT_MOST_FEATURES; k++) {
            of_row += (double)theta[k] * along[k];
            sum[k] += (double)weight[r] * along[k];
        }
        if (slope != NULL) {
            slope[r] = of_row;
        }
    }
    for (int k = 0; grad_theta != NULL && k < STAT_MOST_FEATURES; k++) {
        grad_theta[k] = (float)sum[k];
    }
    return EBM_CB_OK;
}

static inline ebm_model *stat_polynomial(int64_t dim, const double *theta) {
    static int64_t counts[] = {0, 2, 3}; /* of parameters, in 0, 1, 2 dimensions */
    float values[STAT_MOST_FEATURES];
    ebm_model *model = NULL;
    for (int64_t k = 0; k < counts[dim]; k++) {
        values[k] = (float)theta[k];
    }
    STAT_OK(ebm_model_create(NULL, dim, stat_polynomial_energy, stat_polynomial_param_grad, &counts[dim], &model));
    STAT_OK(ebm_model_add_tensor(model, "theta", 1, &counts[dim]));
    STAT_OK(ebm_model_set_params(model, counts[dim], values));
    STAT_OK(ebm_model_set_concurrent(model, 1));
    return model;
}

#endif /* EBM_TESTS_STAT_POLYNOMIAL_H */

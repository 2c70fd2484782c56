/* SPDX-License-Identifier: MIT */
/* Energies that a host might bring, for tests: as plain as can be, and written without the library. */
#ifndef EBM_TESTS_STAT_MODELS_H
#define EBM_TESTS_STAT_MODELS_H

#include "stat_basics.h"

/* E = theta sum_i x_i^2 / 2. */
static inline int32_t stat_quadratic_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                                            float *grad_x, void *user_data) {
    (void)user_data;
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        double sum = 0;
        for (int64_t i = 0; i < dim; i++) {
            sum += (double)x[r * dim + i] * (double)x[r * dim + i];
        }
        energy[r] = (double)theta[0] * sum / 2;
    }
    for (int64_t i = 0; grad_x != NULL && i < n * dim; i++) {
        grad_x[i] = theta[0] * x[i];
    }
    return EBM_CB_OK;
}

static inline int32_t stat_quadratic_param_grad(int64_t n, int64_t dim, const float *x, const float *weight,
                                                const float *theta, double *energy, float *grad_theta,
                                                void *user_data) {
    double sum = 0;
    for (int64_t i = 0; i < n * dim; i++) {
        sum += (double)weight[i / dim] * (double)x[i] * (double)x[i] / 2;
    }
    if (grad_theta != NULL) {
        grad_theta[0] = (float)sum;
    }
    return stat_quadratic_energy(n, dim, x, theta, energy, NULL, user_data);
}

/* E = theta: no force anywhere. */
static inline int32_t stat_flat_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                                       float *grad_x, void *user_data) {
    (void)x;
    (void)user_data;
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        energy[r] = (double)theta[0];
    }
    for (int64_t i = 0; grad_x != NULL && i < n * dim; i++) {
        grad_x[i] = 0;
    }
    return EBM_CB_OK;
}

static inline int32_t stat_flat_param_grad(int64_t n, int64_t dim, const float *x, const float *weight,
                                           const float *theta, double *energy, float *grad_theta, void *user_data) {
    double sum = 0;
    for (int64_t r = 0; r < n; r++) {
        sum += (double)weight[r];
    }
    if (grad_theta != NULL) {
        grad_theta[0] = (float)sum;
    }
    return stat_flat_energy(n, dim, x, theta, energy, NULL, user_data);
}

static inline ebm_model *stat_model_of(ebm_context *context, int64_t dim, ebm_energy_fn energy,
                                       ebm_param_grad_fn param_grad, double theta) {
    ebm_model *model = NULL;
    float value = (float)theta;
    STAT_OK(ebm_model_create(context, dim, energy, param_grad, NULL, &model));
    STAT_OK(ebm_model_add_tensor(model, "theta", 0, NULL));
    STAT_OK(ebm_model_set_params(model, 1, &value));
    STAT_OK(ebm_model_set_concurrent(model, 1));
    return model;
}

static inline ebm_model *stat_quadratic(ebm_context *context, int64_t dim, double a) {
    return stat_model_of(context, dim, stat_quadratic_energy, stat_quadratic_param_grad, a);
}

static inline ebm_model *stat_flat(ebm_context *context, int64_t dim) {
    return stat_model_of(context, dim, stat_flat_energy, stat_flat_param_grad, 0);
}

/* A sampler that alone keeps its model. */
static inline ebm_sampler *stat_sampler(ebm_model *model, int64_t n_chains, uint64_t seed, int32_t kernel, double eta) {
    ebm_sampler *sampler = NULL;
    STAT_OK(ebm_sampler_create(NULL, model, n_chains, seed, &sampler));
    ebm_model_destroy(model);
    STAT_OK(ebm_sampler_set_kernel(sampler, kernel));
    STAT_OK(ebm_sampler_set_step_size(sampler, eta));
    return sampler;
}

#endif /* EBM_TESTS_STAT_MODELS_H */

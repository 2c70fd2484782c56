/* SPDX-License-Identifier: MIT */
/*
 * A model whose training can be followed by hand: E = sum_j theta_j^2 x_j / 2, dE/dtheta_j = theta_j x_j. It tells
 * chains that there is no slope, so that without noise they stand where they were put, and the gradient is theta_j
 * (mean x+_j - mean x-_j).
 */
#ifndef EBM_TESTS_STAT_FEATURES_H
#define EBM_TESTS_STAT_FEATURES_H

#include <string.h>

#include "stat_models.h"

enum { STAT_FEATURES = 3, STAT_MOST_SEEN = 4096 };

/* Rows of data, those with a weight above 0, as the parameter gradient's callback sees them. */
typedef struct stat_seen {
    int64_t calls, n;
    float first[STAT_MOST_SEEN]; /* each row's first coordinate */
    int64_t rows[STAT_MOST_SEEN]; /* of each call */
} stat_seen;

static inline int32_t stat_features_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                                           float *grad_x, void *user_data) {
    (void)user_data;
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        energy[r] = 0;
        for (int64_t j = 0; j < dim; j++) {
            energy[r] += (double)theta[j] * (double)theta[j] * (double)x[r * dim + j] / 2;
        }
    }
    for (int64_t i = 0; grad_x != NULL && i < n * dim; i++) {
        grad_x[i] = 0;
    }
    return EBM_CB_OK;
}

static inline int32_t stat_features_param_grad(int64_t n, int64_t dim, const float *x, const float *weight,
                                               const float *theta, double *energy, float *grad_theta, void *user_data) {
    stat_seen *seen = user_data;
    if (seen != NULL) {
        int64_t before = seen->n;
        for (int64_t r = 0; r < n && seen->n < STAT_MOST_SEEN; r++) {
            if (weight[r] > 0) {
                seen->first[seen->n++] = x[r * dim];
            }
        }
        seen->rows[seen->calls++ % STAT_MOST_SEEN] = seen->n - before;
    }
    for (int64_t j = 0; grad_theta != NULL && j < dim; j++) {
        double sum = 0;
        for (int64_t r = 0; r < n; r++) {
            sum += (double)weight[r] * (double)x[r * dim + j];
        }
        grad_theta[j] = (float)((double)theta[j] * sum);
    }
    return stat_features_energy(n, dim, x, theta, energy, NULL, user_data);
}

typedef struct stat_training {
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
} stat_training;

static const float STAT_THETA[STAT_FEATURES] = {1.0F, -2.0F, 0.5F};

/* n_chains chains, all at `chain`. */
static inline stat_training stat_training_new(int64_t n_chains, const float *chain, stat_seen *seen) {
    stat_training t = {0};
    const int64_t shape = STAT_FEATURES;
    STAT_OK(ebm_model_create(NULL, STAT_FEATURES, stat_features_energy, stat_features_param_grad, seen, &t.model));
    STAT_OK(ebm_model_add_tensor(t.model, "theta", 1, &shape));
    STAT_OK(ebm_model_set_params(t.model, STAT_FEATURES, STAT_THETA));
    t.sampler = stat_sampler(t.model, n_chains, 1, EBM_KERNEL_LANGEVIN, 0.1);
    STAT_OK(ebm_sampler_set_noise_std(t.sampler, 0));
    float *x = stat_alloc(n_chains * STAT_FEATURES, sizeof *x);
    for (int64_t i = 0; i < n_chains * STAT_FEATURES; i++) {
        x[i] = chain[i % STAT_FEATURES];
    }
    STAT_OK(ebm_sampler_set_states(t.sampler, n_chains, x));
    free(x);
    STAT_OK(ebm_trainer_create(NULL, t.model, t.sampler, &t.trainer));
    STAT_OK(ebm_trainer_set_mcmc_steps(t.trainer, 1));
    return t;
}

static inline void stat_training_free(stat_training *t) {
    ebm_trainer_destroy(t->trainer);
    ebm_sampler_destroy(t->sampler);
}

static inline void stat_assert_params(const stat_training *t, const double *expected, double tolerance) {
    float theta[STAT_FEATURES];
    STAT_OK(ebm_model_get_params(t->model, STAT_FEATURES, theta));
    for (int j = 0; j < STAT_FEATURES; j++) {
        if (!(fabs((double)theta[j] - expected[j]) <= tolerance * fmax(1, fabs(expected[j])))) {
            print_error("theta[%d] is %.9g, expected %.9g\n", j, (double)theta[j], expected[j]);
            fail();
        }
    }
}

#endif /* EBM_TESTS_STAT_FEATURES_H */

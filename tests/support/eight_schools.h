/* SPDX-License-Identifier: MIT */
/*
 * Eight schools, non-centred (Rubin 1981; Gelman et al., Bayesian Data Analysis, sec. 5.5): y_j ~ N(mu + tau eta_j, S_j),
 * eta_j ~ N(0, 1), mu ~ N(0, 5), tau ~ half-Cauchy(0, 5); x is mu, log tau, eta.
 */
#ifndef EBM_TESTS_EIGHT_SCHOOLS_H
#define EBM_TESTS_EIGHT_SCHOOLS_H

#include <math.h>
#include <stdint.h>

#include <ebm/model.h>

enum { SCHOOLS = 8, MU = 0, TAU = 1, ETA = 2, SCHOOLS_DIM = 2 + SCHOOLS };

static const double SCHOOLS_Y[SCHOOLS] = {28, 8, -3, 7, -1, 1, 18, 12};
static const double SCHOOLS_S[SCHOOLS] = {15, 10, 16, 11, 9, 11, 10, 18};

static inline double schools_one(const float *x, float *grad) {
    double mu = (double)x[MU];
    double tau = exp((double)x[TAU]);
    double energy = mu * mu / 50 + log1p(tau * tau / 25) - (double)x[TAU];
    double to_mu = mu / 25;
    double to_log_tau = 2 / (25 / (tau * tau) + 1) - 1;
    for (int j = 0; j < SCHOOLS; j++) {
        double eta = (double)x[ETA + j];
        double residual = (mu + tau * eta - SCHOOLS_Y[j]) / SCHOOLS_S[j];
        energy += (eta * eta + residual * residual) / 2;
        to_mu += residual / SCHOOLS_S[j];
        to_log_tau += tau * eta * residual / SCHOOLS_S[j];
        grad[ETA + j] = (float)(eta + tau * residual / SCHOOLS_S[j]);
    }
    grad[MU] = (float)to_mu;
    grad[TAU] = (float)to_log_tau;
    return energy;
}

/* user_data: an int64_t that rows are counted in, or NULL. */
static inline int32_t schools_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                                     float *grad_x, void *user_data) {
    float unused[SCHOOLS_DIM];
    int64_t *rows = user_data;
    (void)theta;
    for (int64_t r = 0; r < n; r++) {
        double value = schools_one(x + r * dim, grad_x == NULL ? unused : grad_x + r * dim);
        if (energy != NULL) {
            energy[r] = value;
        }
    }
    if (rows != NULL) {
        *rows += n;
    }
    return EBM_CB_OK;
}

#endif /* EBM_TESTS_EIGHT_SCHOOLS_H */

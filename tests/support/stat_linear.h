/* SPDX-License-Identifier: MIT */
/*
 * A Bayesian linear model whose posteriors are known exactly: y_i = beta_0 + beta_1 t_i + s e_i, e_i ~ N(0, 1), with
 * the conjugate prior s^2 ~ inverse gamma(a, b), beta_j ~ N(0, v s^2).
 *
 * A state is (beta, log s^2, y), with y held: every chain has its own data, so that one sampler works on as many data
 * sets as it has chains.
 */
#ifndef EBM_TESTS_STAT_LINEAR_H
#define EBM_TESTS_STAT_LINEAR_H

#include "stat_models.h"

enum { LINEAR_BETA = 2, LINEAR_LOG_VARIANCE = 2, LINEAR_PARAMS = 3, LINEAR_DATA = 4, LINEAR_DIM = 7 };
enum { LINEAR_PRIOR_SHAPE = 8, LINEAR_SHAPE = LINEAR_PRIOR_SHAPE + LINEAR_DATA / 2 }; /* a, before and after y */
#define LINEAR_PRIOR_SCALE 7.0
#define LINEAR_PRIOR_WIDTH 4.0 /* v */

static const double LINEAR_T[LINEAR_DATA] = {-1, -0.25, 0.5, 1.25};

static inline double stat_linear_residual(const float *x, int i) {
    return (double)x[LINEAR_PARAMS + i] - (double)x[0] - (double)x[1] * LINEAR_T[i];
}

/*
 * -log p(beta, u, y), up to a constant, with u = log s^2. The density of s^2 times its Jacobian ds^2 / du = exp(u) is
 * that of u; `jacobian` 0 forgets it, for a mutant.
 */
static inline double stat_linear_one(const float *x, double jacobian, float *grad) {
    const double power = LINEAR_PRIOR_SHAPE + 1 + (LINEAR_BETA + LINEAR_DATA) / 2.0 - jacobian;
    double u = (double)x[LINEAR_LOG_VARIANCE];
    double precision = exp(-u);
    double slope[LINEAR_BETA];
    double sum = LINEAR_PRIOR_SCALE;
    for (int j = 0; j < LINEAR_BETA; j++) {
        slope[j] = (double)x[j] / LINEAR_PRIOR_WIDTH;
        sum += slope[j] * (double)x[j] / 2;
    }
    for (int i = 0; i < LINEAR_DATA; i++) {
        double residual = stat_linear_residual(x, i);
        sum += residual * residual / 2;
        slope[0] -= residual;
        slope[1] -= residual * LINEAR_T[i];
        if (grad != NULL) {
            grad[LINEAR_PARAMS + i] = (float)(residual * precision);
        }
    }
    if (grad != NULL) {
        grad[0] = (float)(slope[0] * precision);
        grad[1] = (float)(slope[1] * precision);
        grad[LINEAR_LOG_VARIANCE] = (float)(power - sum * precision);
    }
    return power * u + sum * precision;
}

static inline int32_t stat_linear_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                                         float *grad_x, void *user_data) {
    (void)theta;
    for (int64_t r = 0; r < n; r++) {
        double value = stat_linear_one(x + r * dim, *(const double *)user_data,
                                       grad_x == NULL ? NULL : grad_x + r * dim);
        if (energy != NULL) {
            energy[r] = value;
        }
    }
    return EBM_CB_OK;
}

/* `jacobian`, 1 or 0, must stay where it is. */
static inline ebm_model *stat_linear_model(double *jacobian) {
    ebm_model *model = NULL;
    STAT_OK(ebm_model_create(NULL, LINEAR_DIM, stat_linear_energy, NULL, jacobian, &model));
    return model;
}

/* y given what is before it in a state. */
static inline void stat_linear_draw_data(stat_random *random, float *x) {
    double spread = exp((double)x[LINEAR_LOG_VARIANCE] / 2);
    for (int i = 0; i < LINEAR_DATA; i++) {
        x[LINEAR_PARAMS + i] =
            (float)((double)x[0] + (double)x[1] * LINEAR_T[i] + spread * stat_next_normal(random));
    }
}

/* From the prior, and y with it. A gamma number of whole shape is a sum of exponential ones. */
static inline void stat_linear_draw_joint(stat_random *random, float *x) {
    double gamma = 0;
    for (int k = 0; k < LINEAR_PRIOR_SHAPE; k++) {
        gamma -= log(stat_next_uniform(random));
    }
    double variance = LINEAR_PRIOR_SCALE / gamma;
    for (int j = 0; j < LINEAR_BETA; j++) {
        x[j] = (float)(sqrt(LINEAR_PRIOR_WIDTH * variance) * stat_next_normal(random));
    }
    x[LINEAR_LOG_VARIANCE] = (float)log(variance);
    stat_linear_draw_data(random, x);
}

/*
 * Where beta and s^2 are in their exact posterior given the state's y, as three numbers that are independent and
 * uniform on [0, 1]: s^2 ~ inverse gamma(a', b'), whose distribution for a whole a' is a sum of Poisson terms, and
 * beta | s^2 ~ N(m, s^2 P^-1), of which U (beta - m) / s with P = U' U is standard normal (Gelman et al., Bayesian
 * Data Analysis, sec. 14.8).
 */
static inline void stat_linear_place(const float *x, double place[LINEAR_PARAMS]) {
    double p00 = 1 / LINEAR_PRIOR_WIDTH, p01 = 0, p11 = 1 / LINEAR_PRIOR_WIDTH;
    double xy0 = 0, xy1 = 0, yy = 0;
    for (int i = 0; i < LINEAR_DATA; i++) {
        double y = (double)x[LINEAR_PARAMS + i];
        p00 += 1;
        p01 += LINEAR_T[i];
        p11 += LINEAR_T[i] * LINEAR_T[i];
        xy0 += y;
        xy1 += LINEAR_T[i] * y;
        yy += y * y;
    }
    double det = p00 * p11 - p01 * p01;
    double m0 = (p11 * xy0 - p01 * xy1) / det;
    double m1 = (p00 * xy1 - p01 * xy0) / det;
    double scale = LINEAR_PRIOR_SCALE + (yy - m0 * xy0 - m1 * xy1) / 2;
    double rate = scale * exp(-(double)x[LINEAR_LOG_VARIANCE]);
    double term = exp(-rate);
    place[LINEAR_LOG_VARIANCE] = 0;
    for (int k = 0; k < LINEAR_SHAPE; k++) {
        place[LINEAR_LOG_VARIANCE] += term;
        term *= rate / (k + 1);
    }
    double d0 = ((double)x[0] - m0) * exp(-(double)x[LINEAR_LOG_VARIANCE] / 2);
    double d1 = ((double)x[1] - m1) * exp(-(double)x[LINEAR_LOG_VARIANCE] / 2);
    place[0] = erfc(-(p00 * d0 + p01 * d1) / sqrt(2 * p00)) / 2;
    place[1] = erfc(-sqrt(det / (2 * p00)) * d1) / 2;
}

#endif /* EBM_TESTS_STAT_LINEAR_H */

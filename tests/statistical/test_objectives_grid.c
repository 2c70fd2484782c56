/* SPDX-License-Identifier: MIT */
/*
 * The gradient of every objective against brute force, in two dimensions. The expected loss is a mean over the rows of
 * data, and an integral over the noise (or over the model, for log Z) on a grid, in double, from the equations of
 * objectives.h with first and second derivatives in x by hand; its gradient is taken by central differences in theta.
 * The trainer's gradient and loss are means over CALLS batches, with standard errors as those scatter.
 *
 * False alarms, for new seeds: 27 results within STAT_BOUND (3.8e-8): 1e-6.
 */
#include <stdbool.h>
#include <string.h>

#include "stat_polynomial.h"

enum { DATA = 5, COPIES = 200, ROWS = DATA * COPIES, CALLS = 1500, PARAMS = 3, LEVELS = 2, NU = 3 };

static const double X[DATA][2] = {{0.9, 0.2}, {-1.1, 0.7}, {0.3, -1.2}, {-0.4, -0.6}, {1.3, 1.1}};
static const double THETA[PARAMS + 1] = {0.8, 0.3, -0.4, 2.1}; /* and log Z, for noise-contrastive estimation */
static const double LEVEL[LEVELS] = {0.3, 0.6};

/*
 * --- expected losses
 * ------------------------------------------------------------------------------------------------------
 */

/* The integral of f over the plane; f falls off as a Gaussian or faster, so the midpoint rule converges at once. */
static double integral(double (*f)(const double *x, const double *theta, const void *data), double half_width,
                       const double *theta, const void *data) {
    enum { CELLS = 120 };
    double step = 2 * half_width / CELLS;
    double sum = 0;
    for (int i = 0; i < CELLS; i++) {
        for (int j = 0; j < CELLS; j++) {
            double x[2] = {-half_width + (i + 0.5) * step, -half_width + (j + 0.5) * step};
            sum += f(x, theta, data);
        }
    }
    return sum * step * step;
}

static double boltzmann(const double *x, const double *theta, const void *data) {
    (void)data;
    return exp(-stat_polynomial_at(2, theta, x));
}

static double likelihood_loss(const double *theta) {
    double loss = log(integral(boltzmann, 6, theta, NULL));
    for (int i = 0; i < DATA; i++) {
        loss += stat_polynomial_at(2, theta, X[i]) / DATA;
    }
    return loss;
}

typedef struct denoised {
    const double *x;
    double level;
} denoised;

static double denoising_integrand(const double *z, const double *theta, const void *data) {
    const denoised *d = data;
    double moved[2] = {d->x[0] + d->level * z[0], d->x[1] + d->level * z[1]};
    double slope[2];
    double second[3];
    stat_polynomial_slopes(2, theta, moved, slope, second);
    double square = stat_power(d->level * slope[0] - z[0], 2) + stat_power(d->level * slope[1] - z[1], 2);
    return square / 2 * exp(-(z[0] * z[0] + z[1] * z[1]) / 2) / (2 * STAT_PI);
}

static double denoising_loss(const double *theta) {
    double loss = 0;
    for (int i = 0; i < DATA * LEVELS; i++) {
        const denoised d = {X[i / LEVELS], LEVEL[i % LEVELS]};
        loss += integral(denoising_integrand, 8, theta, &d) / (DATA * LEVELS);
    }
    return loss;
}

/* The mean over the four directions of signs of v' H v is the trace. */
static double sliced_loss(const double *theta) {
    double loss = 0;
    for (int i = 0; i < DATA; i++) {
        double slope[2];
        double second[3];
        stat_polynomial_slopes(2, theta, X[i], slope, second);
        loss += ((slope[0] * slope[0] + slope[1] * slope[1]) / 2 - second[0] - second[1]) / DATA;
    }
    return loss;
}

/* log N(x; m, S) with the mean and covariance of the data. */
static double log_noise(const double *x) {
    double m[2] = {0};
    double s[3] = {0}; /* xx, yy, xy */
    for (int i = 0; i < DATA; i++) {
        m[0] += X[i][0] / DATA;
        m[1] += X[i][1] / DATA;
    }
    for (int i = 0; i < DATA; i++) {
        s[0] += stat_power(X[i][0] - m[0], 2) / DATA;
        s[1] += stat_power(X[i][1] - m[1], 2) / DATA;
        s[2] += (X[i][0] - m[0]) * (X[i][1] - m[1]) / DATA;
    }
    double d[2] = {x[0] - m[0], x[1] - m[1]};
    double determinant = s[0] * s[1] - s[2] * s[2];
    double square = (s[1] * d[0] * d[0] + s[0] * d[1] * d[1] - 2 * s[2] * d[0] * d[1]) / determinant;
    return -square / 2 - log(2 * STAT_PI * sqrt(determinant));
}

static double ratio(const double *x, const double *theta) {
    return -stat_polynomial_at(2, theta, x) - theta[PARAMS] - log_noise(x) - log(NU);
}

static double contrastive_integrand(const double *y, const double *theta, const void *data) {
    (void)data;
    return NU * exp(log_noise(y)) * log1p(exp(ratio(y, theta)));
}

static double contrastive_loss(const double *theta) {
    double loss = integral(contrastive_integrand, 9, theta, NULL);
    for (int i = 0; i < DATA; i++) {
        loss += log1p(exp(-ratio(X[i], theta))) / DATA;
    }
    return loss;
}

/*
 * --- the trainer's
 * ------------------------------------------------------------------------------------------------------
 */

static void fill_rows(float *x) {
    for (int i = 0; i < ROWS; i++) {
        x[2 * i] = (float)X[i % DATA][0];
        x[2 * i + 1] = (float)X[i % DATA][1];
    }
}

/* Chains that forget within a batch, and have forgotten their start before the first. */
static ebm_sampler *new_chains(ebm_model *model) {
    ebm_sampler *sampler = NULL;
    STAT_OK(ebm_sampler_create(NULL, model, ROWS, 3, &sampler));
    STAT_OK(ebm_sampler_set_kernel(sampler, EBM_KERNEL_MALA));
    STAT_OK(ebm_sampler_set_step_size(sampler, 0.3));
    STAT_OK(ebm_sampler_run(sampler, 200));
    return sampler;
}

static ebm_trainer *new_trainer(int32_t objective, ebm_model *model, ebm_sampler *sampler, const float *x) {
    ebm_trainer *trainer = NULL;
    STAT_OK(ebm_trainer_create(NULL, model, sampler, &trainer));
    STAT_OK(ebm_trainer_set_objective(trainer, objective));
    STAT_OK(ebm_trainer_set_seed(trainer, 11));
    STAT_OK(ebm_trainer_set_mcmc_steps(trainer, 20));
    STAT_OK(ebm_trainer_set_noise_levels(trainer, LEVELS, LEVEL));
    STAT_OK(ebm_trainer_fit_noise(trainer, DATA, x, EBM_COVARIANCE_FULL, 0));
    STAT_OK(ebm_trainer_set_noise_ratio(trainer, NU));
    STAT_OK(ebm_trainer_set_log_z(trainer, THETA[PARAMS]));
    return trainer;
}

static void assert_gradient(int32_t objective, bool mixed, double (*expected_loss)(const double *),
                            bool loss_is_expected) {
    bool contrastive = objective == EBM_OBJECTIVE_NOISE_CONTRASTIVE;
    float *x = stat_alloc(ROWS * 2, sizeof *x);
    stat_sum grad[PARAMS + 1] = {{0}};
    stat_sum loss = {0};
    fill_rows(x);
    ebm_model *model = stat_polynomial(2, THETA);
    STAT_OK(ebm_model_set_mixed_grad(model, mixed ? stat_polynomial_mixed_grad : NULL));
    ebm_sampler *sampler = objective == EBM_OBJECTIVE_LIKELIHOOD ? new_chains(model) : NULL;
    ebm_trainer *trainer = new_trainer(objective, model, sampler, x);
    for (int call = 0; call < CALLS; call++) {
        float g[PARAMS];
        double value;
        STAT_OK(ebm_trainer_gradient(trainer, ROWS, x, PARAMS, g));
        for (int k = 0; k < PARAMS; k++) {
            stat_add(&grad[k], (double)g[k]);
        }
        STAT_OK(ebm_trainer_get_loss(trainer, &value));
        stat_add(&loss, value);
        if (contrastive) {
            STAT_OK(ebm_trainer_get_log_z_gradient(trainer, &value));
            stat_add(&grad[PARAMS], value);
        }
    }
    for (int k = 0; k < PARAMS + (contrastive ? 1 : 0); k++) {
        double up[PARAMS + 1];
        double down[PARAMS + 1];
        memcpy(up, THETA, sizeof up);
        memcpy(down, THETA, sizeof down);
        up[k] += 1e-4;
        down[k] -= 1e-4;
        double expected = (expected_loss(up) - expected_loss(down)) / 2e-4;
        /* What differences in float32 cost, docs/training.md. */
        double tolerance = 2e-4 * (1 + fabs(expected));
        double error = hypot(stat_error(&grad[k]), tolerance / STAT_BOUND);
        STAT_WITHIN((stat_mean(&grad[k]) - expected) / error, STAT_BOUND);
        assert_true(error < 0.01 * (1 + fabs(expected)));
    }
    if (loss_is_expected) {
        double error = hypot(stat_error(&loss), 1e-5);
        STAT_WITHIN((stat_mean(&loss) - expected_loss(THETA)) / error, STAT_BOUND);
        assert_true(error < 0.01);
    }
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    free(x);
}

static void likelihood(void **state) {
    (void)state;
    assert_gradient(EBM_OBJECTIVE_LIKELIHOOD, false, likelihood_loss, false); /* whose loss leaves log Z out */
}

static void denoising(void **state) {
    (void)state;
    assert_gradient(EBM_OBJECTIVE_DENOISING_SCORE_MATCHING, false, denoising_loss, true);
    assert_gradient(EBM_OBJECTIVE_DENOISING_SCORE_MATCHING, true, denoising_loss, true);
}

static void sliced(void **state) {
    (void)state;
    assert_gradient(EBM_OBJECTIVE_SLICED_SCORE_MATCHING, false, sliced_loss, true);
    assert_gradient(EBM_OBJECTIVE_SLICED_SCORE_MATCHING, true, sliced_loss, true);
}

static void noise_contrastive(void **state) {
    (void)state;
    assert_gradient(EBM_OBJECTIVE_NOISE_CONTRASTIVE, false, contrastive_loss, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(likelihood),
        cmocka_unit_test(denoising),
        cmocka_unit_test(sliced),
        cmocka_unit_test(noise_contrastive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

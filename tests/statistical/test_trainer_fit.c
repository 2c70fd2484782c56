/* SPDX-License-Identifier: MIT */
/*
 * Where training ends. With E = theta x^2 / 2 and data whose mean square is exactly 1, the mean gradient is (1 -
 * v(theta)) / 2 with v the variance that the chains have under theta: 1 / theta for MALA, so theta = 1; 1 / (theta (1
 * - eta theta / 2)) for Langevin, so theta = (1 - sqrt(1 - 2 eta)) / eta.
 *
 * SGD with a constant rate, averaged over T steps. Near the end theta - theta* obeys d' = d + lr (xi - h d), with xi
 * the chains' noise in the gradient and h = -v'(theta*) / 2, so the mean of d is (mean of xi) / h, but for (d_T -
 * d_0) / (lr h T), which is smaller by 1 / sqrt(lr h T). The standard error of the mean of xi is measured: every
 * chain's own mean over the T steps is one value, and chains are independent of each other. (Polyak and Juditsky
 * 1992.)
 *
 * False alarms, for new seeds: 19 results within STAT_BOUND (3.8e-8): 7e-7.
 */
#include <string.h>

#include "stat_gaussian.h"

/* Averages over the steps of a training run: of the parameters, and of what each chain shows. */
typedef struct watcher {
    ebm_model *model;
    ebm_sampler *sampler;
    int64_t n_params, n_chains, dim, steps;
    double *theta;        /* n_params: sums */
    double *chain_square; /* n_chains x dim: sums of squares */
    float *x, *now;
} watcher;

static int32_t watch(const ebm_trainer *trainer, void *data) {
    (void)trainer;
    watcher *w = data;
    STAT_OK(ebm_model_get_params(w->model, w->n_params, w->now));
    STAT_OK(ebm_sampler_get_states(w->sampler, w->n_chains, w->x));
    for (int64_t i = 0; i < w->n_params; i++) {
        w->theta[i] += (double)w->now[i];
    }
    for (int64_t i = 0; i < w->n_chains * w->dim; i++) {
        w->chain_square[i] += (double)w->x[i] * (double)w->x[i];
    }
    w->steps++;
    return EBM_CB_OK;
}

static watcher *new_watcher(ebm_model *model, ebm_sampler *sampler) {
    watcher *w = stat_alloc(1, sizeof *w);
    *w = (watcher){.model = model, .sampler = sampler, .n_params = ebm_model_param_count(model),
                   .n_chains = ebm_sampler_chain_count(sampler), .dim = ebm_model_dim(model)};
    w->theta = stat_alloc(w->n_params, sizeof *w->theta);
    w->now = stat_alloc(w->n_params, sizeof *w->now);
    w->chain_square = stat_alloc(w->n_chains * w->dim, sizeof *w->chain_square);
    w->x = stat_alloc(w->n_chains * w->dim, sizeof *w->x);
    return w;
}

static void free_watcher(watcher *w) {
    free(w->theta);
    free(w->now);
    free(w->chain_square);
    free(w->x);
    free(w);
}

/* The standard error of the mean square of coordinate i over all chains and steps. */
static double error_of_square(const watcher *w, int64_t i) {
    stat_sum over_chains = {0};
    for (int64_t c = 0; c < w->n_chains; c++) {
        stat_add(&over_chains, w->chain_square[c * w->dim + i] / (double)w->steps);
    }
    return stat_error(&over_chains);
}

/* Burn-in, then T steps that are watched. */
static void train(ebm_trainer *trainer, watcher *w, int64_t n, const float *data, int64_t burn_in, int64_t n_steps) {
    for (int64_t t = 0; t < burn_in + n_steps; t++) {
        if (t == burn_in) {
            STAT_OK(ebm_trainer_set_progress(trainer, watch, w, 1));
        }
        STAT_OK(ebm_trainer_step(trainer, n, data));
    }
}

typedef struct end_case {
    int32_t kernel;
    double eta;
    double expected;
    double h; /* -v'(expected) / 2 */
    int64_t k;
} end_case;

/* v = 1 / (theta - eta theta^2 / 2), so -v' / 2 = (1 - eta theta) v^2 / 2, and v = 1 at the end. */
static end_case langevin_case(double eta, int64_t k) {
    double end = (1 - sqrt(1 - 2 * eta)) / eta;
    return (end_case){EBM_KERNEL_LANGEVIN, eta, end, (1 - eta * end) / 2, k};
}

static double end_z(const end_case *c, uint64_t seed) {
    enum { CHAINS = 1024, STEPS = 3000, BURN_IN = 400 };
    static const float data[] = {1, -1, 1, -1, 1, -1, 1, -1};
    const double rate = 0.1;
    ebm_model *model = stat_quadratic(NULL, 1, 0.7);
    ebm_sampler *sampler = stat_sampler(model, CHAINS, seed, c->kernel, c->eta);
    ebm_trainer *trainer = NULL;
    STAT_OK(ebm_trainer_create(NULL, model, sampler, &trainer));
    STAT_OK(ebm_trainer_set_optimizer(trainer, EBM_OPT_SGD));
    STAT_OK(ebm_trainer_set_learning_rate(trainer, rate));
    STAT_OK(ebm_trainer_set_mcmc_steps(trainer, c->k));
    watcher *w = new_watcher(model, sampler);
    train(trainer, w, 8, data, BURN_IN, STEPS);
    double error = error_of_square(w, 0) / 2 / c->h * (1 + 1 / sqrt(rate * c->h * STEPS));
    double z = (w->theta[0] / STEPS - c->expected) / error;
    assert_true(error < 2e-3); /* the test can tell 1 from 1.0557 */
    free_watcher(w);
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    return z;
}

static void mala_settles_at_the_maximum_of_the_likelihood(void **state) {
    (void)state;
    static const end_case cases[] = {{EBM_KERNEL_MALA, 0.1, 1, 0.5, 15}, {EBM_KERNEL_MALA, 0.5, 1, 0.5, 5}};
    STAT_WITHIN(end_z(&cases[0], 1), STAT_BOUND);
    STAT_WITHIN(end_z(&cases[1], 2), STAT_BOUND);
}

static void langevin_settles_where_its_bias_is_made_up(void **state) {
    (void)state;
    const end_case tenth = langevin_case(0.1, 20);
    const end_case two_tenths = langevin_case(0.2, 10);
    assert_true(fabs(tenth.expected - 1.0557) < 5e-5);
    STAT_WITHIN(end_z(&tenth, 3), STAT_BOUND);
    STAT_WITHIN(end_z(&two_tenths, 4), STAT_BOUND);
}

/*
 * One Langevin step from data x_0 = +-1: x_1 = r x_0 + sigma z, so E x_1^2 = r^2 + sigma^2, Var x_1^2 = 4 r^2 sigma^2
 * + 2 sigma^4, and the mean gradient of contrastive divergence is (1 - r^2 - sigma^2) / 2: 0 at the same theta as the
 * whole likelihood's.
 */
static void contrastive_divergence_has_its_exact_mean(void **state) {
    (void)state;
    enum { CHAINS = 5000, CALLS = 40 };
    static const double theta[] = {0.5, 1.0, 2.0};
    const double eta = 0.2;
    const double sigma_square = 2 * eta;
    float *data = stat_alloc(CHAINS, sizeof *data);
    for (int i = 0; i < CHAINS; i++) {
        data[i] = i % 2 == 0 ? 1.0F : -1.0F;
    }
    for (int i = 0; i < 3; i++) {
        ebm_model *model = stat_quadratic(NULL, 1, theta[i]);
        ebm_sampler *sampler = stat_sampler(model, CHAINS, 5, EBM_KERNEL_LANGEVIN, eta);
        ebm_trainer *trainer = NULL;
        STAT_OK(ebm_sampler_set_start(sampler, EBM_START_DATA));
        STAT_OK(ebm_trainer_create(NULL, model, sampler, &trainer));
        STAT_OK(ebm_trainer_set_mcmc_steps(trainer, 1));
        double mean = 0;
        for (int call = 0; call < CALLS; call++) {
            float gradient;
            STAT_OK(ebm_trainer_gradient(trainer, CHAINS, data, 1, &gradient));
            mean += (double)gradient / CALLS;
        }
        double r = 1 - eta * theta[i];
        double expected = (1 - r * r - sigma_square) / 2;
        double variance = (4 * r * r * sigma_square + 2 * sigma_square * sigma_square) / 4;
        STAT_WITHIN((mean - expected) / sqrt(variance / ((double)CHAINS * CALLS)), STAT_BOUND);
        ebm_trainer_destroy(trainer);
        ebm_sampler_destroy(sampler);
    }
    free(data);
}

/*
 * A Gaussian in 3 dimensions: the data m + L e, with e = +-sqrt(3) times each axis, have mean m and covariance S = L
 * L' exactly. At the end the gradient's noise is that of the chains' sufficient statistics, whose covariance is the
 * curvature itself, so theta has the covariance of the likelihood's maximum over N T / tau draws: Var P_ij = (P_ii
 * P_jj + P_ij^2) / draws, Var m = S / draws. tau, how much more a chain's mean square scatters than one of
 * independent draws, is measured.
 */
static void gaussian_finds_mean_and_precision_of_the_data(void **state) {
    (void)state;
    enum { CHAINS = 1024, STEPS = 3000, BURN_IN = 2000, ROWS = 6 };
    static const double root[3][3] = {{1.0, 0, 0}, {0.5, 0.8, 0}, {-0.3, 0.4, 0.9}};
    static const double mean[3] = {0.5, -0.3, 0.2};
    const double rate = 0.1;
    float data[ROWS * 3];
    stat_matrix covariance;
    stat_matrix precision;
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            covariance[i][j] = root[i][0] * root[j][0] + root[i][1] * root[j][1] + root[i][2] * root[j][2];
            data[2 * j * 3 + i] = (float)(mean[i] + sqrt(3) * root[i][j]);
            data[(2 * j + 1) * 3 + i] = (float)(mean[i] - sqrt(3) * root[i][j]);
        }
    }
    stat_invert(3, covariance, precision);
    ebm_model *model = NULL;
    ebm_trainer *trainer = NULL;
    STAT_OK(ebm_gaussian_create(NULL, 3, NULL, NULL, &model));
    ebm_sampler *sampler = stat_sampler(model, CHAINS, 6, EBM_KERNEL_MALA, 0.3);
    STAT_OK(ebm_trainer_create(NULL, model, sampler, &trainer));
    STAT_OK(ebm_trainer_set_optimizer(trainer, EBM_OPT_SGD));
    STAT_OK(ebm_trainer_set_learning_rate(trainer, rate));
    STAT_OK(ebm_trainer_set_mcmc_steps(trainer, 10));
    watcher *w = new_watcher(model, sampler);
    train(trainer, w, ROWS, data, BURN_IN, STEPS);
    double tau = 1;
    for (int i = 0; i < 3; i++) {
        double alone = sqrt((2 * covariance[i][i] * covariance[i][i] + 4 * covariance[i][i] * mean[i] * mean[i]) /
                            ((double)CHAINS * STEPS));
        tau = fmax(tau, pow(error_of_square(w, i) / alone, 2));
    }
    double draws = (double)CHAINS * STEPS / tau;
    /* h of the slowest direction: half the square of the covariance's least eigenvalue, 0.2996. */
    double slack = 1 + 1 / sqrt(rate * 0.2996 * 0.2996 / 2 * STEPS);
    for (int i = 0; i < 3; i++) {
        STAT_WITHIN((w->theta[i] / STEPS - mean[i]) / (sqrt(covariance[i][i] / draws) * slack), STAT_BOUND);
        for (int j = 0; j < 3; j++) {
            double p = (w->theta[3 + 3 * i + j] + w->theta[3 + 3 * j + i]) / 2 / STEPS;
            double variance = (precision[i][i] * precision[j][j] + precision[i][j] * precision[i][j]) / draws;
            STAT_WITHIN((p - precision[i][j]) / (sqrt(variance) * slack), STAT_BOUND);
        }
    }
    free_watcher(w);
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mala_settles_at_the_maximum_of_the_likelihood),
        cmocka_unit_test(langevin_settles_where_its_bias_is_made_up),
        cmocka_unit_test(contrastive_divergence_has_its_exact_mean),
        cmocka_unit_test(gaussian_finds_mean_and_precision_of_the_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Kernels calibrated: simulation-based calibration (Talts et al. 2018) and Geweke's (2004) joint-distribution test on
 * a linear model, whose exact posteriors are known too. A model without its Jacobian must fail both.
 *
 * False alarms, for new seeds: 35 chi-square tests and 60 means within STAT_BOUND (3.8e-8): 3.6e-6.
 */
#include <string.h>

#include "stat_linear.h"
#include "stat_settings.h"

/* Step sizes at which a part is rejected. */
static const stat_setting KERNELS[] = {
    {"NUTS", EBM_KERNEL_NUTS, 0.4, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"HMC", EBM_KERNEL_HMC, 0.3, 1, INFINITY, STAT_UNBOUNDED, 4, 0.3, 0, 0},
    {"MALA", EBM_KERNEL_MALA, 0.07, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"adjusted underdamped", EBM_KERNEL_UNDERDAMPED_ADJUSTED, 0.3, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 2, 0},
    {"random walk", EBM_KERNEL_RANDOM_WALK, 0.05, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
};

static stat_kernel linear_kernel(const stat_setting *s, double *jacobian, int64_t n_chains, uint64_t seed) {
    static const uint8_t free_params[LINEAR_DIM] = {1, 1, 1};
    ebm_sampler *sampler = stat_sampler_of(s, stat_linear_model(jacobian), n_chains, seed);
    STAT_OK(ebm_sampler_set_mask(sampler, free_params));
    return stat_kernel_of(sampler, LINEAR_DIM);
}

enum { QUANTITIES = LINEAR_PARAMS + 1 };

/* What is ranked: the parameters, and the fit to the data, which sees faults that single parameters do not. */
static double ranked(const float *x, int quantity) {
    if (quantity < LINEAR_PARAMS) {
        return (double)x[quantity];
    }
    double sum = 0;
    for (int i = 0; i < LINEAR_DATA; i++) {
        sum += stat_linear_residual(x, i) * stat_linear_residual(x, i);
    }
    return (double)LINEAR_DATA * (double)x[LINEAR_LOG_VARIANCE] + sum * exp(-(double)x[LINEAR_LOG_VARIANCE]);
}

/*
 * Parameters are drawn from the prior, data given them, and chains from elsewhere sample the posterior of those data:
 * among RANKS - 1 draws, far enough apart to be independent, the parameters' rank is uniform (Talts et al. 2018). And
 * where the last draw is in its exact posterior is uniform too. Returns the worst of both.
 */
static double calibration_z(const stat_setting *s, double jacobian, uint64_t seed) {
    enum { CHAINS = 6000, RANKS = 20 };
    const int64_t thin = s->kernel == EBM_KERNEL_NUTS || s->kernel == EBM_KERNEL_HMC ? 5 : 40;
    /* Wide: below the posterior's s^2 the energy is so steep that steps of a fixed size are refused for ever. */
    static const float start[LINEAR_PARAMS] = {0, 0, 3};
    int64_t rank[QUANTITIES][RANKS] = {{0}};
    int64_t cell[LINEAR_PARAMS][RANKS] = {{0}};
    double worst = 0;
    stat_kernel kernel = linear_kernel(s, &jacobian, CHAINS, seed);
    float *truth = stat_alloc(CHAINS * LINEAR_DIM, sizeof *truth);
    float *x = stat_alloc(CHAINS * LINEAR_DIM, sizeof *x);
    int *below = stat_alloc(CHAINS * QUANTITIES, sizeof *below);
    stat_random random = {seed + 1};
    for (int64_t c = 0; c < CHAINS; c++) {
        stat_linear_draw_joint(&random, truth + c * LINEAR_DIM);
        memcpy(x + c * LINEAR_DIM, truth + c * LINEAR_DIM, LINEAR_DIM * sizeof *x);
        memcpy(x + c * LINEAR_DIM, start, sizeof start);
    }
    kernel.advance(kernel.self, 10 * thin, x);
    for (int d = 1; d < RANKS; d++) {
        kernel.advance(kernel.self, thin, x);
        for (int64_t i = 0; i < CHAINS * QUANTITIES; i++) {
            int64_t at = i / QUANTITIES * LINEAR_DIM;
            below[i] += ranked(x + at, (int)(i % QUANTITIES)) < ranked(truth + at, (int)(i % QUANTITIES));
        }
    }
    for (int64_t c = 0; c < CHAINS; c++) {
        double place[LINEAR_PARAMS];
        stat_linear_place(x + c * LINEAR_DIM, place);
        for (int q = 0; q < QUANTITIES; q++) {
            rank[q][below[c * QUANTITIES + q]]++;
        }
        for (int j = 0; j < LINEAR_PARAMS; j++) {
            cell[j][(int)fmin(place[j] * RANKS, RANKS - 1)]++;
        }
    }
    for (int q = 0; q < QUANTITIES + LINEAR_PARAMS; q++) {
        double z = stat_uniform_z(RANKS, q < QUANTITIES ? rank[q] : cell[q - QUANTITIES]);
        worst = fabs(z) > fabs(worst) ? z : worst;
    }
    free(below);
    free(x);
    free(truth);
    ebm_sampler_destroy(kernel.self);
    return worst;
}

static void calibration(void **state) {
    (void)state;
    for (int i = 0; i < STAT_ROWS(KERNELS); i++) {
        stat_row_within(calibration_z(&KERNELS[i], 1, 20 + (uint64_t)i), KERNELS[i].name, i);
    }
    assert_true(fabs(calibration_z(&KERNELS[0], 0, 30)) > 2 * STAT_BOUND); /* Jacobian forgotten */
}

/*
 * What Geweke's test compares: moments of the joint distribution of parameters and data, in units of s, or their tails
 * would be so heavy that standard errors mean little.
 */
enum { GEWEKE = 12 };

static void joint_functions(const float *x, double *g) {
    double u = (double)x[LINEAR_LOG_VARIANCE];
    double scale = exp(-u / 2);
    double b0 = scale * (double)x[0], b1 = scale * (double)x[1];
    double y0 = scale * (double)x[LINEAR_PARAMS], y3 = scale * (double)x[LINEAR_PARAMS + 3];
    const double all[GEWEKE] = {b0,      b1,      u,       y0,      b0 * b0, b1 * b1,
                                u * u,   y3 * y3, b0 * b1, b0 * y0, b1 * y3, u * b1 * y3};
    memcpy(g, all, sizeof all);
}

/*
 * Geweke (2004): parameters moved by one step of the kernel given the data, then new data given the parameters, and
 * again, keep the joint distribution of both, from which they start here; independent draws have it by construction.
 */
static double geweke_z(const stat_setting *s, double jacobian, uint64_t seed) {
    enum { CHAINS = 4000, ROUNDS = 40, DIRECT = 400000 };
    double worst = 0;
    stat_sum direct[GEWEKE] = {{0}}, successive[GEWEKE] = {{0}};
    stat_kernel kernel = linear_kernel(s, &jacobian, CHAINS, seed);
    float *x = stat_alloc(CHAINS * LINEAR_DIM, sizeof *x);
    double *sum = stat_alloc(CHAINS * GEWEKE, sizeof *sum);
    double g[GEWEKE];
    stat_random random = {seed + 1};
    for (int i = 0; i < DIRECT; i++) {
        stat_linear_draw_joint(&random, x);
        joint_functions(x, g);
        for (int k = 0; k < GEWEKE; k++) {
            stat_add(&direct[k], g[k]);
        }
    }
    for (int64_t c = 0; c < CHAINS; c++) {
        stat_linear_draw_joint(&random, x + c * LINEAR_DIM);
    }
    for (int round = 0; round < ROUNDS; round++) {
        kernel.advance(kernel.self, 1, x);
        for (int64_t c = 0; c < CHAINS; c++) {
            stat_linear_draw_data(&random, x + c * LINEAR_DIM);
            joint_functions(x + c * LINEAR_DIM, g);
            for (int k = 0; k < GEWEKE; k++) {
                sum[c * GEWEKE + k] += g[k] / ROUNDS;
            }
        }
    }
    for (int k = 0; k < GEWEKE; k++) {
        for (int64_t c = 0; c < CHAINS; c++) {
            stat_add(&successive[k], sum[c * GEWEKE + k]);
        }
        double z = (stat_mean(&successive[k]) - stat_mean(&direct[k])) /
                   hypot(stat_error(&successive[k]), stat_error(&direct[k]));
        worst = fabs(z) > fabs(worst) ? z : worst;
    }
    free(sum);
    free(x);
    ebm_sampler_destroy(kernel.self);
    return worst;
}

static void geweke(void **state) {
    (void)state;
    for (int i = 0; i < STAT_ROWS(KERNELS); i++) {
        stat_row_within(geweke_z(&KERNELS[i], 1, 40 + (uint64_t)i), KERNELS[i].name, i);
    }
    assert_true(fabs(geweke_z(&KERNELS[0], 0, 50)) > 2 * STAT_BOUND); /* Jacobian forgotten */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calibration),
        cmocka_unit_test(geweke),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

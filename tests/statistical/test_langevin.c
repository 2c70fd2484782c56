/* SPDX-License-Identifier: MIT */
/*
 * Langevin steps against what they do exactly. On E = a x^2 / 2 a step is x' = r x + sigma z with r = 1 - eta a, so
 * that
 *     E x_k = r^k x_0,   Cov(x_t, x_(t+k)) = v r^k,   v = sigma^2 / (1 - r^2) = sigma^2 / (eta a (2 - eta a)),
 * which is T / (a (1 - eta a / 2)) for sigma^2 = 2 eta T. With the noise before the gradient, x' = r (x + sigma z)
 * and v = r^2 sigma^2 / (1 - r^2).
 *
 * False alarms, for new seeds: a variance is refused when two seeds in a row are beyond 4 standard errors (4e-9 each
 * time, 20 times); all other bounds are STAT_BOUND (3.8e-8, 14 times). Together 6e-7.
 */
#include "stat_kernel.h"

#include <string.h>

typedef struct variance_case {
    double a, eta, temperature;
    double sigma; /* below 0: derived */
    int32_t order;
} variance_case;

static double variance_z(const variance_case *c, uint64_t seed) {
    enum { CHAINS = 1024, DIM = 4, DRAWS = 1500 };
    ebm_sampler *sampler = stat_sampler(stat_quadratic(NULL, DIM, c->a), CHAINS, seed, EBM_KERNEL_LANGEVIN, c->eta);
    STAT_OK(ebm_sampler_set_temperature(sampler, c->temperature));
    STAT_OK(ebm_sampler_set_noise_std(sampler, c->sigma));
    STAT_OK(ebm_sampler_set_noise_order(sampler, c->order));
    double r = 1 - c->eta * c->a;
    double sigma_square = c->sigma < 0 ? 2 * c->eta * c->temperature : c->sigma * c->sigma;
    double v = sigma_square / (1 - r * r) * (c->order == EBM_NOISE_BEFORE_GRADIENT ? r * r : 1);
    double z = stat_ar1_variance_z(stat_kernel_of(sampler, DIM), r, v, DRAWS, 2);
    ebm_sampler_destroy(sampler);
    return z;
}

static void assert_variances(int64_t n, const variance_case *cases) {
    for (int64_t i = 0; i < n; i++) {
        double z = variance_z(&cases[i], 100 + (uint64_t)i);
        if (fabs(z) > 4) {
            z = variance_z(&cases[i], 200 + (uint64_t)i);
        }
        STAT_WITHIN(z, 4.0);
    }
}

#define ROWS(cases) ((int64_t)(sizeof(cases) / sizeof *(cases)))

static void variance_is_one_over_a_times_one_minus_half_eta_a(void **state) {
    (void)state;
    static const variance_case cases[] = {
        {1.0, 0.1, 1.0, EBM_NOISE_STD_AUTO, 0}, {1.0, 0.5, 1.0, EBM_NOISE_STD_AUTO, 0},
        {1.0, 1.5, 1.0, EBM_NOISE_STD_AUTO, 0}, {4.0, 0.1, 1.0, EBM_NOISE_STD_AUTO, 0},
        {4.0, 0.4, 1.0, EBM_NOISE_STD_AUTO, 0}, {0.25, 1.0, 1.0, EBM_NOISE_STD_AUTO, 0},
        {0.25, 4.0, 1.0, EBM_NOISE_STD_AUTO, 0}, {1.0, 0.2, 0.25, EBM_NOISE_STD_AUTO, 0},
        {2.0, 0.3, 3.0, EBM_NOISE_STD_AUTO, 0},
    };
    assert_variances(ROWS(cases), cases);
}

/* The temperature has no say when sigma is given. */
static void variance_with_a_free_sigma(void **state) {
    (void)state;
    static const variance_case cases[] = {
        {1.0, 1.0, 1.0, 0.1, 0}, {1.0, 0.1, 1.0, 1.0, 0}, {4.0, 0.2, 7.0, 0.05, 0},
        {0.5, 0.5, 0.5, 2.0, 0}, {1.0, 1.8, 1.0, 0.3, 0},
    };
    assert_variances(ROWS(cases), cases);
}

static void variance_with_the_noise_before_the_gradient(void **state) {
    (void)state;
    static const variance_case cases[] = {
        {1.0, 0.1, 1.0, EBM_NOISE_STD_AUTO, 1},
        {1.0, 0.5, 1.0, EBM_NOISE_STD_AUTO, 1},
        {4.0, 0.4, 1.0, EBM_NOISE_STD_AUTO, 1},
        {2.0, 0.2, 0.5, EBM_NOISE_STD_AUTO, 1},
        {1.0, 0.2, 1.0, 0.005, 1},
        {0.5, 1.0, 9.0, 1.5, 1},
    };
    assert_variances(ROWS(cases), cases);
}

/* From x_0 = 2: mean r^k x_0, and variance v (1 - r^(2k)), by k = 1, 4, 16 steps. */
static void mean_decays_as_a_power_of_one_minus_eta_a(void **state) {
    (void)state;
    enum { CHAINS = 200000 };
    const double eta = 0.1;
    float *x = stat_alloc(CHAINS, sizeof *x);
    for (int64_t k = 1; k <= 16; k *= 4) {
        ebm_sampler *sampler = stat_sampler(stat_quadratic(NULL, 1, 1.0), CHAINS, 7, EBM_KERNEL_LANGEVIN, eta);
        for (int64_t c = 0; c < CHAINS; c++) {
            x[c] = 2.0F;
        }
        stat_advance_sampler(sampler, k, x);
        double mean = 2 * pow(1 - eta, (double)k);
        double variance = (1 - pow(1 - eta, 2 * (double)k)) / (1 - eta / 2);
        stat_sum of_x = {0};
        stat_sum of_square = {0};
        for (int64_t c = 0; c < CHAINS; c++) {
            stat_add(&of_x, (double)x[c]);
            stat_add(&of_square, ((double)x[c] - mean) * ((double)x[c] - mean));
        }
        STAT_WITHIN((stat_mean(&of_x) - mean) / sqrt(variance / CHAINS), STAT_BOUND);
        STAT_WITHIN((stat_mean(&of_square) - variance) / (variance * sqrt(2.0 / CHAINS)), STAT_BOUND);
        ebm_sampler_destroy(sampler);
    }
    free(x);
}

/* E x_0 x_k = v r^k; the product of two normals with correlation rho has variance v^2 (1 + rho^2). */
static void autocorrelation_is_a_power_of_one_minus_eta_a(void **state) {
    (void)state;
    enum { CHAINS = 400000 };
    const double eta = 0.3;
    const double v = 1 / (1 - eta / 2);
    float *start = stat_alloc(CHAINS, sizeof *start);
    float *x = stat_alloc(CHAINS, sizeof *x);
    for (int64_t k = 1; k <= 9; k *= 3) {
        ebm_sampler *sampler = stat_sampler(stat_quadratic(NULL, 1, 1.0), CHAINS, 8, EBM_KERNEL_LANGEVIN, eta);
        stat_fill_normals(9, sqrt(v), CHAINS, start);
        memcpy(x, start, CHAINS * sizeof *x);
        stat_advance_sampler(sampler, k, x);
        double product = 0;
        for (int64_t c = 0; c < CHAINS; c++) {
            product += (double)start[c] * (double)x[c] / CHAINS;
        }
        double rho = pow(1 - eta, (double)k);
        STAT_WITHIN((product - v * rho) / (v * sqrt((1 + rho * rho) / CHAINS)), STAT_BOUND);
        ebm_sampler_destroy(sampler);
    }
    free(start);
    free(x);
}

/* One step from x_0 = 3 on E = x^2 / 2 with the gradient cut to 0.5: N(3 - 0.5 eta, sigma^2). */
static void gradient_clip_cuts_every_element(void **state) {
    (void)state;
    enum { CHAINS = 200000 };
    ebm_sampler *sampler = stat_sampler(stat_quadratic(NULL, 1, 1.0), CHAINS, 10, EBM_KERNEL_LANGEVIN, 0.4);
    STAT_OK(ebm_sampler_set_grad_clip(sampler, 0.5));
    STAT_OK(ebm_sampler_set_noise_std(sampler, 0.2));
    float *x = stat_alloc(CHAINS, sizeof *x);
    for (int64_t c = 0; c < CHAINS; c++) {
        x[c] = c % 2 == 0 ? 3.0F : -3.0F;
    }
    stat_advance_sampler(sampler, 1, x);
    stat_sum distance = {0};
    for (int64_t c = 0; c < CHAINS; c++) {
        stat_add(&distance, c % 2 == 0 ? (double)x[c] : -(double)x[c]);
    }
    STAT_WITHIN((stat_mean(&distance) - (3 - 0.5 * 0.4)) / (0.2 / sqrt(CHAINS)), STAT_BOUND);
    free(x);
    ebm_sampler_destroy(sampler);
}

/*
 * Mirrored at its ends, a random walk on a flat energy keeps the uniform density: with steps small and large against
 * the box.
 */
static void reflection_on_a_flat_energy_is_uniform(void **state) {
    (void)state;
    enum { CHAINS = 100000, CELLS = 64 };
    static const double sigma[] = {0.3, 2.0, 10.0};
    static const int64_t steps[] = {600, 20, 2};
    float *x = stat_alloc(CHAINS, sizeof *x);
    for (int i = 0; i < 3; i++) {
        ebm_sampler *sampler = stat_sampler(stat_flat(NULL, 1), CHAINS, 11, EBM_KERNEL_LANGEVIN, 0.1);
        STAT_OK(ebm_sampler_set_noise_std(sampler, sigma[i]));
        STAT_OK(ebm_sampler_set_bounds(sampler, -1, 2, EBM_BOUNDS_REFLECT));
        int64_t count[CELLS] = {0};
        for (int64_t c = 0; c < CHAINS; c++) {
            x[c] = 2.0F;
        }
        stat_advance_sampler(sampler, steps[i], x);
        for (int64_t c = 0; c < CHAINS; c++) {
            assert_true(x[c] >= -1.0F && x[c] <= 2.0F);
            int64_t cell = (int64_t)(((double)x[c] + 1) / 3 * CELLS);
            count[cell < CELLS ? cell : CELLS - 1]++;
        }
        STAT_WITHIN(stat_uniform_z(CELLS, count), STAT_BOUND);
        ebm_sampler_destroy(sampler);
    }
    free(x);
}

/* From 0 with sigma 1 in [-0.5, 1], one clamped step leaves Phi(-0.5) and 1 - Phi(1) of the chains at the two ends. */
static void clamping_collects_what_left_at_the_ends(void **state) {
    (void)state;
    enum { CHAINS = 200000 };
    ebm_sampler *sampler = stat_sampler(stat_flat(NULL, 1), CHAINS, 12, EBM_KERNEL_LANGEVIN, 0.1);
    STAT_OK(ebm_sampler_set_noise_std(sampler, 1.0));
    STAT_OK(ebm_sampler_set_bounds(sampler, -0.5, 1.0, EBM_BOUNDS_CLAMP));
    float *x = stat_alloc(CHAINS, sizeof *x);
    stat_advance_sampler(sampler, 1, x);
    int64_t count[3] = {0};
    for (int64_t c = 0; c < CHAINS; c++) {
        assert_true(x[c] >= -0.5F && x[c] <= 1.0F);
        count[x[c] == -0.5F ? 0 : x[c] == 1.0F ? 2 : 1]++;
    }
    double low = erfc(0.5 / sqrt(2)) / 2;
    double high = erfc(1.0 / sqrt(2)) / 2;
    const double expected[3] = {low * CHAINS, (1 - low - high) * CHAINS, high * CHAINS};
    STAT_WITHIN(stat_chi_square_z(3, count, expected), STAT_BOUND);
    free(x);
    ebm_sampler_destroy(sampler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variance_is_one_over_a_times_one_minus_half_eta_a),
        cmocka_unit_test(variance_with_a_free_sigma),
        cmocka_unit_test(variance_with_the_noise_before_the_gradient),
        cmocka_unit_test(mean_decays_as_a_power_of_one_minus_eta_a),
        cmocka_unit_test(autocorrelation_is_a_power_of_one_minus_eta_a),
        cmocka_unit_test(gradient_clip_cuts_every_element),
        cmocka_unit_test(reflection_on_a_flat_energy_is_uniform),
        cmocka_unit_test(clamping_collects_what_left_at_the_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

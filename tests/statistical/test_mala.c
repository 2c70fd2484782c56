/* SPDX-License-Identifier: MIT */
/*
 * MALA has the density exp(-E/T) itself, whatever step size, noise and clip: moments, acceptance, and what held
 * coordinates leave to the others.
 *
 * False alarms, for new seeds: 169 moments and 8 acceptances within STAT_BOUND (3.8e-8): at most 7e-6.
 */
#include "stat_gaussian.h"

typedef struct mala_case {
    double a, eta, temperature;
    double sigma, clip; /* below 0: derived; INFINITY: none */
} mala_case;

static ebm_sampler *mala_of(const mala_case *c, ebm_model *model, int64_t n_chains, uint64_t seed) {
    ebm_sampler *sampler = stat_sampler(model, n_chains, seed, EBM_KERNEL_MALA, c->eta);
    STAT_OK(ebm_sampler_set_temperature(sampler, c->temperature));
    STAT_OK(ebm_sampler_set_noise_std(sampler, c->sigma));
    STAT_OK(ebm_sampler_set_grad_clip(sampler, c->clip));
    return sampler;
}

#define AUTO EBM_NOISE_STD_AUTO
#define ROWS(cases) ((int)(sizeof(cases) / sizeof *(cases)))

static void moments_of_a_normal(void **state) {
    (void)state;
    static const mala_case cases[] = {
        {1.0, 0.1, 1.0, AUTO, INFINITY}, {1.0, 0.5, 1.0, AUTO, INFINITY}, {1.0, 1.5, 1.0, AUTO, INFINITY},
        {4.0, 0.2, 1.0, AUTO, INFINITY}, {0.25, 3.0, 1.0, AUTO, INFINITY}, {1.0, 0.5, 0.3, AUTO, INFINITY},
        {2.0, 0.4, 3.0, AUTO, INFINITY}, {1.0, 0.5, 1.0, 0.5, INFINITY}, {1.0, 0.3, 1.0, 1.5, INFINITY},
        {1.0, 0.5, 2.0, 0.8, INFINITY}, {1.0, 0.5, 1.0, AUTO, 0.3}, {4.0, 0.2, 1.0, AUTO, 1.0},
    };
    for (int i = 0; i < ROWS(cases); i++) {
        double v = cases[i].temperature / cases[i].a;
        const stat_moment moments[] = {{0, 1, 0, 0, 0}, {0, 2, 0, 0, v}, {0, 4, 0, 0, 3 * v * v}};
        ebm_sampler *sampler = mala_of(&cases[i], stat_quadratic(NULL, 1, cases[i].a), 4096, 20 + (uint64_t)i);
        STAT_WITHIN(stat_worst_moment(stat_kernel_of(sampler, 1), 300, 150, 4, ROWS(moments), moments, 0.5),
                    STAT_BOUND);
        ebm_sampler_destroy(sampler);
    }
}

static double square(double x) {
    return x * x;
}

/* log of q(x | y) / q(y | x), and of the target's ratio, on E = x^2 / 2: straight from the definition. */
static double acceptance_at(const mala_case *c, double x, double z) {
    double sigma = c->sigma < 0 ? sqrt(2 * c->eta * c->temperature) : c->sigma;
    double y = x - c->eta * fmin(fmax(c->a * x, -c->clip), c->clip) + sigma * z;
    double from_x = y - x + c->eta * fmin(fmax(c->a * x, -c->clip), c->clip);
    double from_y = x - y + c->eta * fmin(fmax(c->a * y, -c->clip), c->clip);
    double log_ratio = c->a * (square(x) - square(y)) / (2 * c->temperature) +
                       (square(from_x) - square(from_y)) / (2 * square(sigma));
    return log_ratio < 0 ? exp(log_ratio) : 1;
}

/* Over x ~ N(0, T / a) and z ~ N(0, 1), both to 8 standard deviations: midpoints, 1,600 a side. */
static double expected_acceptance(const mala_case *c) {
    enum { POINTS = 1600 };
    const double width = 16.0 / POINTS;
    double sum = 0;
    for (int i = 0; i < POINTS; i++) {
        double u = -8 + width * (i + 0.5);
        double line = 0;
        for (int j = 0; j < POINTS; j++) {
            double z = -8 + width * (j + 0.5);
            line += exp(-z * z / 2) * acceptance_at(c, u * sqrt(c->temperature / c->a), z);
        }
        sum += line * exp(-u * u / 2);
    }
    return sum * width * width / (2 * STAT_PI);
}

/* From exact draws, the decisions of one step are independent of each other: the count of the accepted is binomial. */
static void mean_acceptance_against_quadrature(void **state) {
    (void)state;
    enum { CHAINS = 500000 };
    static const mala_case cases[] = {
        {1.0, 0.5, 1.0, AUTO, INFINITY}, {1.0, 0.1, 1.0, AUTO, INFINITY}, {1.0, 1.2, 1.0, AUTO, INFINITY},
        {4.0, 0.2, 1.0, AUTO, INFINITY}, {1.0, 0.5, 0.4, AUTO, INFINITY}, {1.0, 0.5, 1.0, 0.6, INFINITY},
        {2.0, 0.3, 1.5, 1.4, INFINITY}, {1.0, 0.8, 1.0, AUTO, 0.4},
    };
    float *x = stat_alloc(CHAINS, sizeof *x);
    for (int i = 0; i < ROWS(cases); i++) {
        double expected = expected_acceptance(&cases[i]);
        assert_true(i > 0 || fabs(expected - 0.9208) < 5e-5);
        ebm_sampler *sampler = mala_of(&cases[i], stat_quadratic(NULL, 1, cases[i].a), CHAINS, 40 + (uint64_t)i);
        stat_fill_normals(50 + (uint64_t)i, sqrt(cases[i].temperature / cases[i].a), CHAINS, x);
        stat_advance_sampler(sampler, 1, x);
        double rate;
        STAT_OK(ebm_sampler_get_acceptance(sampler, &rate));
        STAT_WITHIN((rate - expected) / sqrt(expected * (1 - expected) / CHAINS), STAT_BOUND);
        ebm_sampler_destroy(sampler);
    }
    free(x);
}

static const double MEAN[] = {0.5, -1.0, 0.0, 2.0, 1.0};
static const stat_matrix PRECISION = {{2.0, 0.8, -0.3, 0.0, 0.4},
                                      {0.8, 1.5, 0.5, -0.2, 0.0},
                                      {-0.3, 0.5, 3.0, 0.7, -0.6},
                                      {0.0, -0.2, 0.7, 1.0, 0.3},
                                      {0.4, 0.0, -0.6, 0.3, 2.5}};

static void moments_of_a_correlated_gaussian(void **state) {
    (void)state;
    static const int index[] = {0, 1, 2, 3, 4};
    static const double eta[] = {0.1, 0.25, 0.5};
    for (int i = 0; i < 3; i++) {
        stat_matrix covariance;
        stat_moment moments[32];
        stat_invert(5, PRECISION, covariance);
        int n = stat_gaussian_moments(5, index, MEAN, covariance, moments);
        ebm_sampler *sampler =
            stat_sampler(stat_gaussian(5, MEAN, PRECISION), 2048, 60 + (uint64_t)i, EBM_KERNEL_MALA, eta[i]);
        STAT_WITHIN(stat_worst_moment(stat_kernel_of(sampler, 5), 400, 60, 5, n, moments, 0), STAT_BOUND);
        ebm_sampler_destroy(sampler);
    }
}

/*
 * Langevin's bias in the same place is (P (I - eta P / 2))^-1: the energy with a full matrix through the other
 * kernel.
 */
static void langevin_has_its_own_covariance(void **state) {
    (void)state;
    static const int index[] = {0, 1, 2, 3, 4};
    stat_matrix covariance;
    stat_moment moments[32];
    stat_langevin_covariance(5, PRECISION, 0.3, covariance);
    int n = stat_gaussian_moments(5, index, MEAN, covariance, moments);
    ebm_sampler *sampler = stat_sampler(stat_gaussian(5, MEAN, PRECISION), 2048, 70, EBM_KERNEL_LANGEVIN, 0.3);
    STAT_WITHIN(stat_worst_moment(stat_kernel_of(sampler, 5), 400, 60, 5, n, moments, 0), STAT_BOUND);
    ebm_sampler_destroy(sampler);
}

/* With coordinates 1 and 4 held at 0: N(m_f - P_ff^-1 P_fh (x_h - m_h), P_ff^-1) in the others. */
static void assert_conditional(int32_t kernel, int32_t order, double eta) {
    static const int free_index[] = {0, 2, 3};
    static const int held_index[] = {1, 4};
    static const uint8_t mask[] = {1, 0, 1, 1, 0};
    stat_matrix p_ff;
    stat_matrix inverse;
    stat_matrix covariance;
    double mean[3];
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            p_ff[i][j] = PRECISION[free_index[i]][free_index[j]];
        }
    }
    stat_invert(3, p_ff, inverse);
    for (int i = 0; i < 3; i++) {
        mean[i] = MEAN[free_index[i]];
        for (int j = 0; j < 3; j++) {
            for (int h = 0; h < 2; h++) {
                mean[i] -= inverse[i][j] * PRECISION[free_index[j]][held_index[h]] * (0 - MEAN[held_index[h]]);
            }
        }
    }
    if (kernel == EBM_KERNEL_MALA) {
        stat_invert(3, p_ff, covariance);
    } else {
        stat_langevin_covariance(3, p_ff, eta, covariance);
    }
    stat_moment moments[32];
    int n = stat_gaussian_moments(3, free_index, mean, covariance, moments);
    moments[n++] = (stat_moment){0, 1, 2, 1, covariance[0][1] + mean[0] * mean[1]};
    ebm_sampler *sampler = stat_sampler(stat_gaussian(5, MEAN, PRECISION), 2048, 80, kernel, eta);
    STAT_OK(ebm_sampler_set_noise_order(sampler, order));
    STAT_OK(ebm_sampler_set_mask(sampler, mask));
    STAT_WITHIN(stat_worst_moment(stat_kernel_of(sampler, 5), 400, 60, 5, n, moments, 0), STAT_BOUND);
    ebm_sampler_destroy(sampler);
}

static void held_coordinates_leave_the_conditional_density(void **state) {
    (void)state;
    assert_conditional(EBM_KERNEL_MALA, EBM_NOISE_WITH_GRADIENT, 0.2);
    assert_conditional(EBM_KERNEL_MALA, EBM_NOISE_WITH_GRADIENT, 0.5);
    assert_conditional(EBM_KERNEL_LANGEVIN, EBM_NOISE_WITH_GRADIENT, 0.2);
}

/*
 * Two wells: the chains start in one, and must find the other. In 3 dimensions, where one decision moves all
 * coordinates.
 */
static void moments_of_a_double_well(void **state) {
    (void)state;
    static const double barrier[] = {0.5, 1.0, 2.0};
    static const double temperature[] = {1.0, 0.7, 1.5};
    for (int i = 0; i < 3; i++) {
        stat_density density = stat_density_new(-4, 4, stat_well, barrier[i] / temperature[i]);
        double square_mean = stat_density_moment(&density, 2);
        const stat_moment moments[] = {{0, 1, 0, 0, 0},
                                       {0, 2, 0, 0, square_mean},
                                       {1, 4, 1, 0, stat_density_moment(&density, 4)},
                                       {1, 2, 2, 2, square_mean * square_mean},
                                       {2, 1, 0, 1, 0}};
        ebm_model *model = NULL;
        STAT_OK(ebm_double_well_create(NULL, 3, barrier[i], &model));
        ebm_sampler *sampler = stat_sampler(model, 2048, 90 + (uint64_t)i, EBM_KERNEL_MALA, 0.12);
        STAT_OK(ebm_sampler_set_temperature(sampler, temperature[i]));
        STAT_WITHIN(stat_worst_moment(stat_kernel_of(sampler, 3), 1500, 100, 10, ROWS(moments), moments, 1),
                    STAT_BOUND);
        ebm_sampler_destroy(sampler);
        free(density.cumulative);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_of_a_normal),
        cmocka_unit_test(mean_acceptance_against_quadrature),
        cmocka_unit_test(moments_of_a_correlated_gaussian),
        cmocka_unit_test(langevin_has_its_own_covariance),
        cmocka_unit_test(held_coordinates_leave_the_conditional_density),
        cmocka_unit_test(moments_of_a_double_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

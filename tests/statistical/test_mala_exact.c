/* SPDX-License-Identifier: MIT */
/*
 * MALA keeps its density: chains that start as exact, independent draws are exact, independent draws after 1, 3 and
 * 10 steps. Nothing has to converge, so the chi-square test (99 degrees of freedom) has all of its power, also
 * against a kernel that is wrong in places seldom visited. Bounds, narrow and wide, one-sided and two-sided, by
 * mirroring and by rejecting, keep the density cut to them.
 *
 * False alarms, for new seeds: 120 chi-square tests and 27 moments within STAT_BOUND (3.8e-8): 6e-6.
 */
#include "stat_gaussian.h"

typedef struct exact_case {
    double eta, temperature, sigma, clip;
    double lo, hi;
    int32_t rule;
} exact_case;

#define AUTO EBM_NOISE_STD_AUTO
#define ROWS(cases) ((int)(sizeof(cases) / sizeof *(cases)))

static void apply(ebm_sampler *sampler, const exact_case *c) {
    STAT_OK(ebm_sampler_set_temperature(sampler, c->temperature));
    STAT_OK(ebm_sampler_set_noise_std(sampler, c->sigma));
    STAT_OK(ebm_sampler_set_grad_clip(sampler, c->clip));
    STAT_OK(ebm_sampler_set_bounds(sampler, c->lo, c->hi, c->rule));
}

/* The density is computed on the bounds, or where no float of the test will ever be. */
static void assert_stays(const exact_case *c, ebm_model *(*model)(int64_t dim, double parameter), double parameter,
                         double (*energy)(double, double), int64_t dim, uint64_t seed) {
    enum { FLOATS = 100000 };
    double reach = 6 * sqrt(c->temperature);
    stat_density density =
        stat_density_new(fmax(c->lo, -reach), fmin(c->hi, reach), energy, parameter / c->temperature);
    for (int64_t steps = 1; steps <= 10; steps = steps == 1 ? 3 : steps * 3 + 1) {
        ebm_sampler *sampler = stat_sampler(model(dim, parameter), FLOATS / dim, seed, EBM_KERNEL_MALA, c->eta);
        apply(sampler, c);
        STAT_WITHIN(stat_stays_z(stat_kernel_of(sampler, dim), &density, seed + 1, steps), STAT_BOUND);
        ebm_sampler_destroy(sampler);
    }
    free(density.cumulative);
}

static ebm_model *double_well(int64_t dim, double barrier) {
    ebm_model *model = NULL;
    STAT_OK(ebm_double_well_create(NULL, dim, barrier, &model));
    return model;
}

static ebm_model *quadratic(int64_t dim, double a) {
    return stat_quadratic(NULL, dim, a);
}

static void double_well_stays(void **state) {
    (void)state;
    static const exact_case cases[] = {
        {0.05, 1.0, AUTO, INFINITY, -INFINITY, INFINITY, EBM_BOUNDS_CLAMP},
        {0.2, 1.0, AUTO, INFINITY, -INFINITY, INFINITY, EBM_BOUNDS_CLAMP},
        {0.1, 2.0, AUTO, INFINITY, -INFINITY, INFINITY, EBM_BOUNDS_CLAMP},
        {0.1, 0.5, 0.8, INFINITY, -INFINITY, INFINITY, EBM_BOUNDS_CLAMP},
        {0.2, 1.0, AUTO, 0.7, -INFINITY, INFINITY, EBM_BOUNDS_CLAMP},
        {0.1, 1.0, AUTO, INFINITY, -0.8, 1.1, EBM_BOUNDS_REFLECT},
        {0.1, 1.0, AUTO, INFINITY, -0.8, 1.1, EBM_BOUNDS_CLAMP},
        {0.1, 1.0, 1.0, 1.0, 0.2, INFINITY, EBM_BOUNDS_REFLECT},
    };
    for (int i = 0; i < ROWS(cases); i++) {
        assert_stays(&cases[i], double_well, 1.5, stat_well, 1, 300 + 10 * (uint64_t)i);
        assert_stays(&cases[i], double_well, 1.5, stat_well, 3, 305 + 10 * (uint64_t)i);
    }
}

/* a = 4: the gradient at the bounds is strong, so a mirrored step with a gradient that is not mirrored would show. */
static void truncated_normal_stays(void **state) {
    (void)state;
    static const exact_case cases[] = {
        {0.15, 1.0, AUTO, INFINITY, 0.25, INFINITY, EBM_BOUNDS_REFLECT},
        {0.15, 1.0, AUTO, INFINITY, 0.25, INFINITY, EBM_BOUNDS_CLAMP},
        {0.15, 1.0, AUTO, INFINITY, -INFINITY, -0.1, EBM_BOUNDS_REFLECT},
        {0.15, 1.0, AUTO, INFINITY, -INFINITY, -0.1, EBM_BOUNDS_CLAMP},
        {0.15, 1.0, AUTO, INFINITY, -0.2, 0.7, EBM_BOUNDS_REFLECT},
        {0.15, 1.0, AUTO, INFINITY, -0.2, 0.7, EBM_BOUNDS_CLAMP},
        {0.3, 1.0, AUTO, INFINITY, 0.5, 0.9, EBM_BOUNDS_REFLECT}, /* proposals cross both ends, often twice */
        {0.3, 1.0, AUTO, INFINITY, 0.5, 0.9, EBM_BOUNDS_CLAMP},
        {0.1, 1.0, 3.0, INFINITY, 0.5, 0.6, EBM_BOUNDS_REFLECT},
        {0.1, 0.5, 0.3, 1.0, 0.1, 0.8, EBM_BOUNDS_REFLECT},
        {0.4, 3.0, 0.5, INFINITY, -0.5, 1.0, EBM_BOUNDS_REFLECT},
        {0.4, 3.0, 0.5, INFINITY, -0.5, 1.0, EBM_BOUNDS_CLAMP},
    };
    for (int i = 0; i < ROWS(cases); i++) {
        assert_stays(&cases[i], quadratic, 4.0, stat_half_square, 1, 500 + 10 * (uint64_t)i);
        assert_stays(&cases[i], quadratic, 4.0, stat_half_square, 2, 505 + 10 * (uint64_t)i);
    }
}

/* And from a start that is not exact, the moments come. */
static void truncated_normal_is_found(void **state) {
    (void)state;
    static const exact_case cases[] = {
        {0.3, 1.0, AUTO, INFINITY, 0.5, INFINITY, EBM_BOUNDS_REFLECT},
        {0.3, 1.0, AUTO, INFINITY, 0.5, INFINITY, EBM_BOUNDS_CLAMP},
        {0.3, 1.0, AUTO, INFINITY, -1.0, 0.7, EBM_BOUNDS_REFLECT},
        {0.3, 1.0, AUTO, INFINITY, -1.0, 0.7, EBM_BOUNDS_CLAMP},
        {0.05, 1.0, AUTO, INFINITY, 0.6, 0.7, EBM_BOUNDS_REFLECT},
        {0.005, 1.0, AUTO, INFINITY, 0.6, 0.7, EBM_BOUNDS_CLAMP},
    };
    for (int i = 0; i < ROWS(cases); i++) {
        stat_density density = stat_density_new(fmax(cases[i].lo, -7), fmin(cases[i].hi, 7), stat_half_square, 1.0);
        const stat_moment moments[] = {{0, 1, 0, 0, stat_density_moment(&density, 1)},
                                       {0, 2, 0, 0, stat_density_moment(&density, 2)}};
        ebm_sampler *sampler = stat_sampler(quadratic(1, 1.0), 4096, 700 + (uint64_t)i, EBM_KERNEL_MALA, cases[i].eta);
        apply(sampler, &cases[i]);
        STAT_WITHIN(stat_worst_moment(stat_kernel_of(sampler, 1), 300, 100, 4, ROWS(moments), moments, 0.65),
                    STAT_BOUND);
        ebm_sampler_destroy(sampler);
        free(density.cumulative);
    }
}

/*
 * Two correlated coordinates in a box: the gradient of one depends on where the other was mirrored. Exact moments by
 * midpoints.
 */
static const stat_matrix BOX_PRECISION = {{2.0, 1.2}, {1.2, 1.5}};
static const double BOX_MEAN[] = {0.3, -0.4};
static const double BOX_LO = -0.5;
static const double BOX_HI = 1.2;

static void box_moments(stat_moment *moment, int n_moments) {
    enum { POINTS = 1000 };
    double weight = 0;
    for (int m = 0; m < n_moments; m++) {
        moment[m].expected = 0;
    }
    for (int i = 0; i < POINTS * POINTS; i++) {
        const double x[2] = {BOX_LO + (BOX_HI - BOX_LO) * (i / POINTS + 0.5) / POINTS,
                             BOX_LO + (BOX_HI - BOX_LO) * (i % POINTS + 0.5) / POINTS};
        double energy = 0;
        for (int j = 0; j < 4; j++) {
            energy += BOX_PRECISION[j / 2][j % 2] * (x[j / 2] - BOX_MEAN[j / 2]) * (x[j % 2] - BOX_MEAN[j % 2]) / 2;
        }
        double w = exp(-energy);
        weight += w;
        for (int m = 0; m < n_moments; m++) {
            moment[m].expected += w * stat_power(x[moment[m].i], moment[m].p) * stat_power(x[moment[m].j], moment[m].q);
        }
    }
    for (int m = 0; m < n_moments; m++) {
        moment[m].expected /= weight;
    }
}

static void correlated_gaussian_in_a_box(void **state) {
    (void)state;
    stat_moment moments[] = {{0, 1, 0, 0, 0}, {1, 1, 1, 0, 0}, {0, 2, 0, 0, 0}, {1, 2, 1, 0, 0}, {0, 1, 1, 1, 0}};
    box_moments(moments, ROWS(moments));
    static const exact_case cases[] = {
        {0.3, 1.0, AUTO, INFINITY, BOX_LO, BOX_HI, EBM_BOUNDS_REFLECT},
        {0.1, 1.0, AUTO, INFINITY, BOX_LO, BOX_HI, EBM_BOUNDS_CLAMP},
        {0.3, 1.0, 1.5, 0.5, BOX_LO, BOX_HI, EBM_BOUNDS_REFLECT},
    };
    for (int i = 0; i < ROWS(cases); i++) {
        ebm_model *model = stat_gaussian(2, BOX_MEAN, BOX_PRECISION);
        ebm_sampler *sampler = stat_sampler(model, 4096, 800 + (uint64_t)i, EBM_KERNEL_MALA, cases[i].eta);
        apply(sampler, &cases[i]);
        STAT_WITHIN(stat_worst_moment(stat_kernel_of(sampler, 2), 300, 100, 4, ROWS(moments), moments, 0), STAT_BOUND);
        ebm_sampler_destroy(sampler);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(double_well_stays),
        cmocka_unit_test(truncated_normal_stays),
        cmocka_unit_test(truncated_normal_is_found),
        cmocka_unit_test(correlated_gaussian_in_a_box),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Truncated normals, mirrored at their bounds: kernels have the exact moments, and accept as often as they do without
 * bounds. (In kthohr/mcmc, issue 12, nothing at all is accepted.)
 *
 * False alarms, for new seeds: 45 moments within STAT_BOUND as the means of 1024 chains (5e-8), 4 acceptances as those
 * of 100 runs (3e-7): 3.5e-6. The bounds of acceptance_is_that_of_the_inside are 7 standard errors and more away.
 */
#include "stat_settings.h"

enum { DIM = 2 };

static const stat_setting KERNELS[] = {
    {"MALA", EBM_KERNEL_MALA, 0.3, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"HMC", EBM_KERNEL_HMC, 0.8, 1, INFINITY, STAT_UNBOUNDED, 2, 0.3, 0, 0},
    {"NUTS", EBM_KERNEL_NUTS, 0.6, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"adjusted underdamped", EBM_KERNEL_UNDERDAMPED_ADJUSTED, 0.5, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 1, 0},
    {"random walk", EBM_KERNEL_RANDOM_WALK, 0.3, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
};

static double normal_density(double x) {
    return isinf(x) ? 0 : exp(-x * x / 2) / sqrt(2 * STAT_PI);
}

/* x^power times the density, which is 0 at infinity. */
static double at_bound(double x, int power) {
    return isinf(x) ? 0 : stat_power(x, power) * normal_density(x);
}

/* By parts: E x^k = (k - 1) E x^(k - 2) + (lo^(k - 1) phi(lo) - hi^(k - 1) phi(hi)) / Z. */
static double truncated_moment(double lo, double hi, int k) {
    double mass = (erfc(lo / sqrt(2)) - erfc(hi / sqrt(2))) / 2;
    double edge = k == 0 ? 0 : (at_bound(lo, k - 1) - at_bound(hi, k - 1)) / mass;
    return k == 0 ? 1 : edge + (k == 1 ? 0 : (k - 1) * truncated_moment(lo, hi, k - 2));
}

static ebm_sampler *sampler_in(const stat_setting *kernel, double lo, double hi, uint64_t seed) {
    stat_setting s = *kernel;
    s.lo = lo;
    s.hi = hi;
    s.rule = EBM_BOUNDS_REFLECT;
    return stat_sampler_of(&s, stat_quadratic(NULL, DIM, 1), 1024, seed);
}

static void moments_are_exact(void **state) {
    (void)state;
    static const double bounds[][2] = {{1, INFINITY}, {-INFINITY, 0.5}, {-0.5, 1.5}};
    for (int b = 0; b < STAT_ROWS(bounds); b++) {
        double lo = bounds[b][0], hi = bounds[b][1];
        double mean = truncated_moment(lo, hi, 1);
        const stat_moment moments[] = {{0, 1, 0, 0, mean},
                                       {0, 1, 1, 2, mean * truncated_moment(lo, hi, 2)},
                                       {1, 4, 0, 0, truncated_moment(lo, hi, 4)}};
        for (int k = 0; k < STAT_ROWS(KERNELS); k++) {
            ebm_sampler *sampler = sampler_in(&KERNELS[k], lo, hi, 600 + (uint64_t)(5 * b + k));
            double z = stat_worst_moment(stat_kernel_of(sampler, DIM), 200, 100, 4, 3, moments, isinf(lo) ? hi : lo);
            stat_row_within(z, KERNELS[k].name, b);
            ebm_sampler_destroy(sampler);
        }
    }
}

/* Of single steps from exact, independent draws in the bounds: the mean, and its standard error as runs scatter. */
static stat_sum acceptance(const stat_setting *kernel, double from, double to, double lo, double hi, uint64_t seed) {
    enum { RUNS = 100, CHAINS = 1024 };
    stat_sum rates = {0};
    float x[CHAINS * DIM];
    stat_random random = {seed};
    ebm_sampler *sampler = sampler_in(kernel, lo, hi, seed + 1);
    for (int r = 0; r < RUNS; r++) {
        double rate;
        for (int i = 0; i < CHAINS * DIM; i++) {
            double z;
            do {
                z = stat_next_normal(&random);
            } while (z < from || z > to);
            x[i] = (float)z;
        }
        stat_advance_sampler(sampler, 1, x);
        STAT_OK(ebm_sampler_get_acceptance(sampler, &rate));
        stat_add(&rates, rate);
    }
    ebm_sampler_destroy(sampler);
    return rates;
}

/*
 * A normal folded at 0 is the whole one with its sign forgotten, and so is every step: not one proposal more is
 * refused. Not NUTS: where the folded path turns round is not where the whole one does.
 */
static void a_half_normal_accepts_as_the_whole_one(void **state) {
    (void)state;
    for (int k = 0; k < STAT_ROWS(KERNELS); k++) {
        if (KERNELS[k].kernel == EBM_KERNEL_NUTS) {
            continue;
        }
        uint64_t seed = 700 + 4 * (uint64_t)k;
        stat_sum half = acceptance(&KERNELS[k], 0, INFINITY, 0, INFINITY, seed);
        stat_sum whole = acceptance(&KERNELS[k], -INFINITY, INFINITY, -INFINITY, INFINITY, seed + 2);
        double error = hypot(stat_error(&half), stat_error(&whole));
        print_message("%s: %.4f mirrored at 0, %.4f without, +- %.4f\n", KERNELS[k].name, stat_mean(&half),
                      stat_mean(&whole), error);
        stat_row_within((stat_mean(&half) - stat_mean(&whole)) / error, KERNELS[k].name, k);
    }
}

/* What bounds cost of the acceptance without them, in [lo, hi], at `shrink` times the step of time. */
static double cost_of_bounds(const stat_setting *kernel, double lo, double hi, double shrink, uint64_t seed) {
    stat_setting s = *kernel;
    s.eta *= s.kernel == EBM_KERNEL_MALA ? shrink * shrink : shrink;
    stat_sum with = acceptance(&s, lo, hi, lo, hi, seed);
    stat_sum without = acceptance(&s, lo, hi, -INFINITY, INFINITY, seed + 2);
    print_message("%s, eta %g, in [%g, %g]: %.4f, %.4f without, +- %.4f\n", s.name, s.eta, lo, hi, stat_mean(&with),
                  stat_mean(&without), hypot(stat_error(&with), stat_error(&without)));
    return stat_mean(&without) - stat_mean(&with);
}

/*
 * Elsewhere the mirrored energy has a kink at the bound. A step across it is wrong in energy by no more than eta w
 * |dE/dx|, and the chance of that is in proportion to eta: acceptance suffers by the square of the step of time, and at
 * steps that fit the room between the bounds it is that of the inside, where no bound is near. (A random walk does not
 * follow the energy: it accepts less or more in bounds, as differences of energy there have it.)
 */
static void acceptance_is_that_of_the_inside(void **state) {
    (void)state;
    static const double bounds[][2] = {{1, INFINITY}, {-INFINITY, 0.5}, {-0.5, 1.5}};
    for (int b = 0; b < STAT_ROWS(bounds); b++) {
        for (int k = 0; k < STAT_ROWS(KERNELS) && KERNELS[k].kernel != EBM_KERNEL_RANDOM_WALK; k++) {
            uint64_t seed = 800 + 8 * (uint64_t)(5 * b + k);
            double quarter = cost_of_bounds(&KERNELS[k], bounds[b][0], bounds[b][1], 0.25, seed);
            double eighth = cost_of_bounds(&KERNELS[k], bounds[b][0], bounds[b][1], 0.125, seed + 4);
            assert_true(quarter < 0.035);
            assert_true(eighth < 0.012);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_exact),
        cmocka_unit_test(a_half_normal_accepts_as_the_whole_one),
        cmocka_unit_test(acceptance_is_that_of_the_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

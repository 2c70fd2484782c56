/* SPDX-License-Identifier: MIT */
/*
 * What is HMC's own: its acceptance against quadrature, the number of gradients, divergent trajectories, large
 * energies.
 *
 * False alarms, for new seeds: 4 acceptances within STAT_BOUND (3.8e-8): 1.5e-7.
 */
#include <string.h>

#include "stat_settings.h"

/* On E = a x^2 / 2 with x = u sqrt(T / a), w = v sqrt(T): straight from the definition. */
static double acceptance_at(double a, double eta, int64_t n_steps, double u, double v) {
    double x = u / sqrt(a);
    double w = v;
    double start = (a * x * x + w * w) / 2;
    for (int64_t i = 0; i < n_steps; i++) {
        w -= eta / 2 * a * x;
        x += eta * w;
        w -= eta / 2 * a * x;
    }
    double error = (a * x * x + w * w) / 2 - start;
    return error > 0 ? exp(-error) : 1;
}

static double expected_acceptance(double a, double eta, int64_t n_steps) {
    enum { POINTS = 1600 };
    const double width = 16.0 / POINTS;
    double sum = 0;
    for (int i = 0; i < POINTS * POINTS; i++) {
        double u = -8 + width * (i / POINTS + 0.5);
        double v = -8 + width * (i % POINTS + 0.5);
        sum += exp(-(u * u + v * v) / 2) * acceptance_at(a, eta, n_steps, u, v);
    }
    return sum * width * width / (2 * STAT_PI);
}

/* The temperature changes neither the trajectories nor what is accepted of them, up to scale. */
static void mean_acceptance_against_quadrature(void **state) {
    (void)state;
    enum { CHAINS = 300000 };
    static const struct {
        double a, eta;
        int64_t n_steps;
        double temperature;
    } cases[] = {{1, 1.2, 1, 1}, {1, 1.8, 3, 1}, {4, 0.9, 2, 0.3}, {0.25, 3.5, 5, 2}};
    float *x = stat_alloc(CHAINS, sizeof *x);
    for (int i = 0; i < STAT_ROWS(cases); i++) {
        double expected = expected_acceptance(cases[i].a, cases[i].eta, cases[i].n_steps);
        assert_true(expected > 0.3 && expected < 0.97);
        ebm_sampler *sampler =
            stat_sampler(stat_quadratic(NULL, 1, cases[i].a), CHAINS, 40 + (uint64_t)i, EBM_KERNEL_HMC, cases[i].eta);
        STAT_OK(ebm_sampler_set_leapfrog_steps(sampler, cases[i].n_steps));
        STAT_OK(ebm_sampler_set_temperature(sampler, cases[i].temperature));
        stat_fill_normals(50 + (uint64_t)i, sqrt(cases[i].temperature / cases[i].a), CHAINS, x);
        stat_advance_sampler(sampler, 1, x);
        double rate;
        STAT_OK(ebm_sampler_get_acceptance(sampler, &rate));
        STAT_WITHIN((rate - expected) / sqrt(expected * (1 - expected) / CHAINS), STAT_BOUND);
        ebm_sampler_destroy(sampler);
    }
    free(x);
}

typedef struct counted {
    int64_t rows, calls, without_gradient;
    double offset;
} counted;

/* E = offset + x^2 / 2, which counts what it is asked. */
static int32_t counting_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                               float *grad_x, void *user_data) {
    counted *seen = user_data;
    const float one = 1;
    (void)theta;
    seen->rows += n;
    seen->calls++;
    seen->without_gradient += grad_x == NULL;
    stat_quadratic_energy(n, dim, x, &one, energy, grad_x, NULL);
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        energy[r] += seen->offset;
    }
    return EBM_CB_OK;
}

static ebm_sampler *counting_sampler(counted *seen, int32_t kernel, int64_t n_chains, double eta) {
    ebm_model *model = NULL;
    STAT_OK(ebm_model_create(NULL, 3, counting_energy, NULL, seen, &model));
    ebm_sampler *sampler = stat_sampler(model, n_chains, 7, kernel, eta);
    STAT_OK(ebm_sampler_set_leapfrog_steps(sampler, 6));
    return sampler;
}

/* One look at where the chains stand, then L gradients a step, whatever is rejected. */
static void the_end_gradient_is_used_again(void **state) {
    (void)state;
    counted seen = {0};
    ebm_sampler *sampler = counting_sampler(&seen, EBM_KERNEL_HMC, 20, 1.7);
    STAT_OK(ebm_sampler_run(sampler, 50));
    double rate;
    STAT_OK(ebm_sampler_get_acceptance(sampler, &rate));
    assert_true(rate > 0.2 && rate < 0.98);
    assert_int_equal(seen.calls, 1 + 50 * 6);
    assert_int_equal(seen.rows, 20 * (1 + 50 * 6));
    assert_int_equal(seen.without_gradient, 0);
    ebm_sampler_destroy(sampler);
}

/* A random walk never asks for a gradient, and evaluates once a step. */
static void a_random_walk_needs_no_gradient(void **state) {
    (void)state;
    counted seen = {0};
    ebm_sampler *sampler = counting_sampler(&seen, EBM_KERNEL_RANDOM_WALK, 20, 0.5);
    STAT_OK(ebm_sampler_run(sampler, 50));
    assert_int_equal(seen.calls, 1 + 50);
    assert_int_equal(seen.without_gradient, seen.calls);
    ebm_sampler_destroy(sampler);
}

/*
 * A step size beyond the stability limit of 2: every trajectory explodes, is stopped on its way, rejected and
 * counted.
 */
static void exploding_trajectories_are_counted(void **state) {
    (void)state;
    enum { CHAINS = 10 };
    counted seen = {0};
    float before[CHAINS * 3];
    float after[CHAINS * 3];
    int64_t count;
    double rate;
    ebm_sampler *sampler = counting_sampler(&seen, EBM_KERNEL_HMC, CHAINS, 50);
    STAT_OK(ebm_sampler_set_leapfrog_steps(sampler, 1000)); /* would leave the floats */
    STAT_OK(ebm_sampler_get_states(sampler, CHAINS, before));
    STAT_OK(ebm_sampler_run(sampler, 3));
    STAT_OK(ebm_sampler_get_states(sampler, CHAINS, after));
    STAT_OK(ebm_sampler_get_divergent_count(sampler, &count));
    STAT_OK(ebm_sampler_get_acceptance(sampler, &rate));
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(count, 3 * CHAINS);
    assert_true(rate == 0);
    ebm_sampler_destroy(sampler);
}

/* At |E| = 1e6 the energies of floats would differ by steps of 1/16: the chains must not notice the offset at all. */
static void a_large_energy_changes_nothing(void **state) {
    (void)state;
    enum { CHAINS = 500 };
    static float x[2][CHAINS * 3];
    for (int which = 0; which < 2; which++) {
        counted seen = {.offset = which == 0 ? 0 : 0x1p20};
        ebm_sampler *sampler = counting_sampler(&seen, EBM_KERNEL_HMC, CHAINS, 1.5);
        STAT_OK(ebm_sampler_run(sampler, 30));
        STAT_OK(ebm_sampler_get_states(sampler, CHAINS, x[which]));
        ebm_sampler_destroy(sampler);
    }
    assert_memory_equal(x[0], x[1], sizeof x[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_acceptance_against_quadrature),
        cmocka_unit_test(the_end_gradient_is_used_again),
        cmocka_unit_test(a_random_walk_needs_no_gradient),
        cmocka_unit_test(exploding_trajectories_are_counted),
        cmocka_unit_test(a_large_energy_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Underdamped Langevin steps: of Gaussians BAOAB has the variances of x exactly, for any stable step size, friction and
 * temperature (Leimkuhler and Matthews 2013, sec. 3); the momenta go on from call to call until states are set.
 *
 * False alarms, for new seeds: 54 moments within STAT_BOUND (3.8e-8): 2e-6.
 */
#include <string.h>

#include "stat_gaussian.h"
#include "stat_settings.h"

/* Chains that are left alone: states that are set would have fresh momenta. */
typedef struct going_on {
    ebm_sampler *sampler;
    int started;
} going_on;

static void advance_on(void *self, int64_t n_steps, float *x) {
    going_on *chains = self;
    int64_t n = ebm_sampler_chain_count(chains->sampler);
    if (!chains->started) {
        STAT_OK(ebm_sampler_set_states(chains->sampler, n, x));
        chains->started = 1;
    }
    STAT_OK(ebm_sampler_run(chains->sampler, n_steps));
    STAT_OK(ebm_sampler_get_states(chains->sampler, n, x));
}

static const stat_setting SETTINGS[] = {
    {"small steps", EBM_KERNEL_UNDERDAMPED, 0.2, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 1, 0},
    {"wide steps", EBM_KERNEL_UNDERDAMPED, 0.8, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0.5, 0},
    {"much friction, hot", EBM_KERNEL_UNDERDAMPED, 0.9, 3, INFINITY, STAT_UNBOUNDED, 1, 0, 4, 0},
    {"with a metric", EBM_KERNEL_UNDERDAMPED, 0.5, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 1, EBM_METRIC_DIAGONAL},
    {"with a dense metric", EBM_KERNEL_UNDERDAMPED, 0.5, 1, 1e30, STAT_UNBOUNDED, 1, 0, 1, EBM_METRIC_DENSE},
    {"no memory, cold", EBM_KERNEL_UNDERDAMPED, 0.7, 0.25, INFINITY, STAT_UNBOUNDED, 1, 0, INFINITY, 0},
};

static const double MEAN[] = {0.5, -1.0, 0.0};
static const stat_matrix PRECISION = {{2.0, 0.8, -0.3}, {0.8, 1.5, 0.5}, {-0.3, 0.5, 3.0}};

static void variances_of_gaussians_are_exact(void **state) {
    (void)state;
    static const int index[] = {0, 1, 2};
    for (int i = 0; i < STAT_ROWS(SETTINGS); i++) {
        stat_matrix covariance;
        stat_moment moments[32];
        stat_invert(3, PRECISION, covariance);
        for (int j = 0; j < 9; j++) {
            covariance[j / 3][j % 3] *= SETTINGS[i].temperature;
        }
        int n = stat_gaussian_moments(3, index, MEAN, covariance, moments);
        ebm_sampler *sampler = stat_sampler_of(&SETTINGS[i], stat_gaussian(3, MEAN, PRECISION), 2048, 10 + (uint64_t)i);
        going_on chains = {sampler, 0};
        stat_kernel kernel = {2048, 3, advance_on, &chains};
        stat_row_within(stat_worst_moment(kernel, 200, 60, 5, n, moments, 0), SETTINGS[i].name, i);
        ebm_sampler_destroy(sampler);
    }
}

/* Without friction worth the name and without force, x goes on by eta w: what the momenta are can be read off. */
static void momenta_go_on_until_states_are_set(void **state) {
    (void)state;
    enum { N = 40 };
    static const int32_t kernels[] = {EBM_KERNEL_UNDERDAMPED, EBM_KERNEL_UNDERDAMPED_ADJUSTED};
    for (int k = 0; k < 2; k++) {
        float x[4][N];
        ebm_sampler *sampler = stat_sampler(stat_flat(NULL, 1), N, 3, kernels[k], 0.5);
        STAT_OK(ebm_sampler_set_friction(sampler, 1e-30));
        for (int i = 0; i < 4; i++) {
            STAT_OK(ebm_sampler_get_states(sampler, N, x[i]));
            if (i == 2) {
                STAT_OK(ebm_sampler_set_states(sampler, N, x[i]));
            }
            STAT_OK(ebm_sampler_run(sampler, 1));
        }
        int turned = 0;
        for (int c = 0; c < N; c++) {
            double first = (double)x[1][c] - (double)x[0][c];
            double second = (double)x[2][c] - (double)x[1][c];
            double third = (double)x[3][c] - (double)x[2][c];
            assert_true(fabs(first - second) < 1e-5);
            turned += fabs(second - third) > 1e-3;
        }
        assert_true(turned > N - 5);
        ebm_sampler_destroy(sampler);
    }
}

/* A mirrored coordinate comes back: its momentum has been turned. */
static void a_mirrored_coordinate_comes_back(void **state) {
    (void)state;
    enum { N = 200 };
    float x[N] = {0};
    float before[N] = {0};
    ebm_sampler *sampler = stat_sampler(stat_flat(NULL, 1), N, 4, EBM_KERNEL_UNDERDAMPED, 0.3);
    STAT_OK(ebm_sampler_set_friction(sampler, 1e-30));
    STAT_OK(ebm_sampler_set_states(sampler, N, x));
    STAT_OK(ebm_sampler_set_bounds(sampler, -1, 1, EBM_BOUNDS_REFLECT));
    int turns = 0;
    for (int i = 0; i < 40; i++) {
        float last[N];
        memcpy(last, before, sizeof last);
        memcpy(before, x, sizeof before);
        STAT_OK(ebm_sampler_run(sampler, 1));
        STAT_OK(ebm_sampler_get_states(sampler, N, x));
        for (int c = 0; c < N; c++) {
            assert_true(fabsf(x[c]) <= 1);
            turns += i > 0 && (x[c] - before[c]) * (before[c] - last[c]) < 0;
        }
    }
    assert_true(turns > N);
    ebm_sampler_destroy(sampler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variances_of_gaussians_are_exact),
        cmocka_unit_test(momenta_go_on_until_states_are_set),
        cmocka_unit_test(a_mirrored_coordinate_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

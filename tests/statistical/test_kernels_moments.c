/* SPDX-License-Identifier: MIT */
/*
 * Kernels that accept and reject find their density from a start that is not exact: Gaussians, also correlated ones
 * and with coordinates held, and the double well.
 *
 * False alarms, for new seeds: 306 moments within STAT_BOUND (3.8e-8): 1.2e-5.
 */
#include "stat_gaussian.h"
#include "stat_settings.h"

static const stat_setting SETTINGS[] = {
    {"HMC", EBM_KERNEL_HMC, 0.35, 1, INFINITY, STAT_UNBOUNDED, 5, 0.2, 0, 0},
    {"HMC, wide steps", EBM_KERNEL_HMC, 0.8, 1, INFINITY, STAT_UNBOUNDED, 2, 0.2, 0, 0},
    {"adjusted underdamped", EBM_KERNEL_UNDERDAMPED_ADJUSTED, 0.5, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 1, 0},
    {"MALA", EBM_KERNEL_MALA, 0.25, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, EBM_METRIC_DIAGONAL},
    {"HMC", EBM_KERNEL_HMC, 0.35, 1, INFINITY, STAT_UNBOUNDED, 5, 0.2, 0, EBM_METRIC_DENSE},
    {"adjusted underdamped", EBM_KERNEL_UNDERDAMPED_ADJUSTED, 0.4, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 1,
     EBM_METRIC_DENSE},
    {"NUTS", EBM_KERNEL_NUTS, 0.3, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"NUTS", EBM_KERNEL_NUTS, 0.3, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, EBM_METRIC_DENSE},
    {"random walk", EBM_KERNEL_RANDOM_WALK, 0.2, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
};

static const double MEAN[] = {0.5, -1.0, 0.0, 2.0, 1.0};
static const stat_matrix PRECISION = {{2.0, 0.8, -0.3, 0.0, 0.4},
                                      {0.8, 1.5, 0.5, -0.2, 0.0},
                                      {-0.3, 0.5, 3.0, 0.7, -0.6},
                                      {0.0, -0.2, 0.7, 1.0, 0.3},
                                      {0.4, 0.0, -0.6, 0.3, 2.5}};

static void moments_of_a_correlated_gaussian(void **state) {
    (void)state;
    static const int index[] = {0, 1, 2, 3, 4};
    stat_matrix covariance;
    stat_moment moments[32];
    stat_invert(5, PRECISION, covariance);
    int n = stat_gaussian_moments(5, index, MEAN, covariance, moments);
    for (int i = 0; i < STAT_ROWS(SETTINGS); i++) {
        ebm_sampler *sampler = stat_sampler_of(&SETTINGS[i], stat_gaussian(5, MEAN, PRECISION), 1024, 60 + (uint64_t)i);
        stat_row_within(stat_worst_moment(stat_kernel_of(sampler, 5), 100, 40, 4, n, moments, 0), SETTINGS[i].name, i);
        ebm_sampler_destroy(sampler);
    }
}

/* With coordinates 1 and 4 held at 0: N(m_f - P_ff^-1 P_fh (x_h - m_h), P_ff^-1) in the others. */
static void held_coordinates_leave_the_conditional_density(void **state) {
    (void)state;
    static const int free_index[] = {0, 2, 3};
    static const int held_index[] = {1, 4};
    static const uint8_t mask[] = {1, 0, 1, 1, 0};
    stat_matrix p_ff;
    stat_matrix covariance;
    stat_moment moments[32];
    double mean[3];
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            p_ff[i][j] = PRECISION[free_index[i]][free_index[j]];
        }
    }
    stat_invert(3, p_ff, covariance);
    for (int i = 0; i < 3; i++) {
        mean[i] = MEAN[free_index[i]];
        for (int j = 0; j < 3; j++) {
            for (int h = 0; h < 2; h++) {
                mean[i] -= covariance[i][j] * PRECISION[free_index[j]][held_index[h]] * (0 - MEAN[held_index[h]]);
            }
        }
    }
    int n = stat_gaussian_moments(3, free_index, mean, covariance, moments);
    for (int i = 0; i < STAT_ROWS(SETTINGS); i++) {
        ebm_sampler *sampler = stat_sampler_of(&SETTINGS[i], stat_gaussian(5, MEAN, PRECISION), 1024, 80 + (uint64_t)i);
        STAT_OK(ebm_sampler_set_mask(sampler, mask));
        stat_row_within(stat_worst_moment(stat_kernel_of(sampler, 5), 100, 40, 4, n, moments, 0), SETTINGS[i].name, i);
        ebm_sampler_destroy(sampler);
    }
}

/* Two wells: the chains start in one, and must find the other. */
static void moments_of_a_double_well(void **state) {
    (void)state;
    const double barrier = 1.5;
    const double temperature = 1.5;
    stat_density density = stat_density_new(-4, 4, stat_well, barrier / temperature);
    double square_mean = stat_density_moment(&density, 2);
    const stat_moment moments[] = {{0, 1, 0, 0, 0},
                                   {0, 2, 0, 0, square_mean},
                                   {1, 4, 1, 0, stat_density_moment(&density, 4)},
                                   {1, 2, 2, 2, square_mean * square_mean},
                                   {2, 1, 0, 1, 0}};
    for (int i = 0; i < STAT_ROWS(SETTINGS); i++) {
        ebm_model *model = NULL;
        STAT_OK(ebm_double_well_create(NULL, 3, barrier, &model));
        ebm_sampler *sampler = stat_sampler_of(&SETTINGS[i], model, 1024, 90 + (uint64_t)i);
        STAT_OK(ebm_sampler_set_temperature(sampler, temperature));
        STAT_OK(ebm_sampler_set_step_size(sampler, 0.25));
        stat_row_within(
            stat_worst_moment(stat_kernel_of(sampler, 3), 500, 60, 8, STAT_ROWS(moments), moments, 1),
            SETTINGS[i].name, i);
        ebm_sampler_destroy(sampler);
    }
    free(density.cumulative);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_of_a_correlated_gaussian),
        cmocka_unit_test(held_coordinates_leave_the_conditional_density),
        cmocka_unit_test(moments_of_a_double_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Kernels that accept and reject keep their density: chains that start as exact, independent draws are that again
 * after 1, 3 and 10 steps (as test_mala_exact.c says of MALA), whatever the step size, temperature, clip and bounds.
 *
 * False alarms, for new seeds: 279 chi-square tests within STAT_BOUND (3.8e-8): 1.1e-5.
 */
#include "stat_settings.h"

static ebm_model *double_well(int64_t dim, double barrier) {
    ebm_model *model = NULL;
    STAT_OK(ebm_double_well_create(NULL, dim, barrier, &model));
    return model;
}

static ebm_model *quadratic(int64_t dim, double a) {
    return stat_quadratic(NULL, dim, a);
}

static void assert_stays(const stat_setting *s, ebm_model *(*model)(int64_t dim, double parameter), double parameter,
                         double (*energy)(double, double), int64_t dim, uint64_t seed) {
    enum { FLOATS = 60000 };
    double reach = 6 * sqrt(s->temperature);
    stat_density density =
        stat_density_new(fmax(s->lo, -reach), fmin(s->hi, reach), energy, parameter / s->temperature);
    for (int64_t steps = 1; steps <= 10; steps = steps == 1 ? 3 : steps * 3 + 1) {
        ebm_sampler *sampler = stat_sampler_of(s, model(dim, parameter), FLOATS / dim, seed);
        stat_row_within(stat_stays_z(stat_kernel_of(sampler, dim), &density, seed + 1, steps), s->name, steps);
        ebm_sampler_destroy(sampler);
    }
    free(density.cumulative);
}

#define HMC EBM_KERNEL_HMC
#define ADJUSTED EBM_KERNEL_UNDERDAMPED_ADJUSTED
#define NUTS EBM_KERNEL_NUTS
#define WALK EBM_KERNEL_RANDOM_WALK
#define DIAGONAL EBM_METRIC_DIAGONAL
#define DENSE EBM_METRIC_DENSE
#define MIRROR EBM_BOUNDS_REFLECT
#define REFUSE EBM_BOUNDS_CLAMP

/* Step sizes at which a good share is rejected, or the rejecting would not be tested. */
static void double_well_stays(void **state) {
    (void)state;
    static const stat_setting settings[] = {
        {"HMC", HMC, 0.45, 1, INFINITY, STAT_UNBOUNDED, 4, 0, 0, 0},
        {"HMC, small steps", HMC, 0.25, 1, INFINITY, STAT_UNBOUNDED, 4, 0, 0, 0},
        {"HMC, one step", HMC, 0.6, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
        {"HMC, jittered, hot", HMC, 0.3, 2, INFINITY, STAT_UNBOUNDED, 5, 0.5, 0, 0},
        {"HMC, cold, cut", HMC, 0.5, 0.5, 0.7, STAT_UNBOUNDED, 3, 0, 0, 0},
        {"HMC, mirrored", HMC, 0.3, 1, INFINITY, -0.8, 1.1, MIRROR, 6, 0, 0, 0},
        {"HMC, refused", HMC, 0.2, 1, INFINITY, -0.8, 1.1, REFUSE, 3, 0.3, 0, 0},
        {"HMC, mirrored at one end, cut", HMC, 0.5, 1, 1, 0.2, INFINITY, MIRROR, 3, 0, 0, 0},
        {"adjusted underdamped", ADJUSTED, 0.3, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 1, 0},
        {"adjusted underdamped, little friction", ADJUSTED, 0.45, 1, INFINITY, STAT_UNBOUNDED, 1, 0.3, 0.1, 0},
        {"adjusted underdamped, no memory, cold, cut", ADJUSTED, 0.5, 0.5, 0.7, STAT_UNBOUNDED, 1, 0, INFINITY, 0},
        {"adjusted underdamped, hot, mirrored", ADJUSTED, 0.4, 2, INFINITY, -0.8, 1.1, MIRROR, 1, 0, 1, 0},
        {"adjusted underdamped, refused", ADJUSTED, 0.2, 1, INFINITY, -0.8, 1.1, REFUSE, 1, 0, 0.5, 0},
        {"NUTS", NUTS, 0.4, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
        {"NUTS, small steps, jittered", NUTS, 0.15, 1, INFINITY, STAT_UNBOUNDED, 1, 0.3, 0, 0},
        {"NUTS, hot", NUTS, 0.3, 2, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
        {"NUTS, cold, cut", NUTS, 0.4, 0.5, 0.7, STAT_UNBOUNDED, 1, 0, 0, 0},
        {"NUTS, mirrored", NUTS, 0.3, 1, INFINITY, -0.8, 1.1, MIRROR, 1, 0, 0, 0},
        {"NUTS, refused", NUTS, 0.2, 1, INFINITY, -0.8, 1.1, REFUSE, 1, 0, 0, 0},
        {"random walk", WALK, 0.3, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
        {"random walk, cold, mirrored", WALK, 0.3, 0.5, INFINITY, -0.8, 1.1, MIRROR, 1, 0, 0, 0},
        {"random walk, hot, refused", WALK, 0.1, 2, INFINITY, -0.8, 1.1, REFUSE, 1, 0, 0, 0},
    };
    for (int i = 0; i < STAT_ROWS(settings); i++) {
        assert_stays(&settings[i], double_well, 1.5, stat_well, 1, 300 + 10 * (uint64_t)i);
        assert_stays(&settings[i], double_well, 1.5, stat_well, 3, 305 + 10 * (uint64_t)i);
    }
}

/* a = 4: the force at the bounds is strong, so a momentum that is not turned there would show. */
static void truncated_normal_stays(void **state) {
    (void)state;
    static const stat_setting settings[] = {
        {"HMC, mirrored below", HMC, 0.5, 1, INFINITY, 0.25, INFINITY, MIRROR, 3, 0, 0, 0},
        {"HMC, refused below", HMC, 0.3, 1, INFINITY, 0.25, INFINITY, REFUSE, 2, 0, 0, 0},
        {"HMC, mirrored above", HMC, 0.5, 1, INFINITY, -INFINITY, -0.1, MIRROR, 4, 0.4, 0, 0},
        {"HMC, in a box, small steps", HMC, 0.3, 1, INFINITY, 0.25, 0.9, MIRROR, 2, 0, 0, 0},
        {"HMC, in a box", HMC, 0.4, 1, INFINITY, -0.2, 0.7, MIRROR, 5, 0, 0, 0},
        {"HMC, refused outside a box", HMC, 0.3, 1, INFINITY, -0.2, 0.7, REFUSE, 3, 0, 0, 0},
        {"HMC, in a narrow box", HMC, 0.9, 1, INFINITY, 0.5, 0.9, MIRROR, 3, 0, 0, 0}, /* crosses both ends */
        {"HMC, in a box, hot, cut", HMC, 0.8, 3, 1, -0.5, 1, MIRROR, 3, 0, 0, 0},
        {"adjusted underdamped, in a box", ADJUSTED, 0.3, 1, INFINITY, 0.25, 0.9, MIRROR, 1, 0, 0.5, 0},
        {"adjusted underdamped, refused below", ADJUSTED, 0.3, 1, INFINITY, 0.25, INFINITY, REFUSE, 1, 0, 0.5, 0},
        {"NUTS, mirrored below", NUTS, 0.4, 1, INFINITY, 0.25, INFINITY, MIRROR, 1, 0, 0, 0},
        {"NUTS, in a box", NUTS, 0.3, 1, INFINITY, 0.25, 0.9, MIRROR, 1, 0, 0, 0},
        {"NUTS, refused below", NUTS, 0.3, 1, INFINITY, 0.25, INFINITY, REFUSE, 1, 0, 0, 0},
        {"random walk, mirrored below", WALK, 0.2, 1, INFINITY, 0.25, INFINITY, MIRROR, 1, 0, 0, 0},
        {"random walk, in a narrow box", WALK, 0.2, 1, INFINITY, 0.5, 0.9, MIRROR, 1, 0, 0, 0},
        {"random walk, refused outside a box", WALK, 0.1, 1, INFINITY, -0.2, 0.7, REFUSE, 1, 0, 0, 0},
    };
    for (int i = 0; i < STAT_ROWS(settings); i++) {
        assert_stays(&settings[i], quadratic, 4.0, stat_half_square, 1, 500 + 10 * (uint64_t)i);
        assert_stays(&settings[i], quadratic, 4.0, stat_half_square, 2, 505 + 10 * (uint64_t)i);
    }
}

/* A metric that does not fit changes what is proposed, not what is kept. */
static void any_metric_stays(void **state) {
    (void)state;
    static const stat_setting settings[] = {
        {"MALA", EBM_KERNEL_MALA, 0.15, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, DIAGONAL},
        {"MALA, mirrored, cut", EBM_KERNEL_MALA, 0.1, 2, 1, -0.8, 1.1, MIRROR, 1, 0, 0, DIAGONAL},
        {"MALA", EBM_KERNEL_MALA, 0.15, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, DENSE},
        {"MALA, refused, cut", EBM_KERNEL_MALA, 0.1, 2, 1, -0.8, 1.1, REFUSE, 1, 0, 0, DENSE},
        {"HMC", HMC, 0.25, 1, INFINITY, STAT_UNBOUNDED, 4, 0.2, 0, DIAGONAL},
        {"HMC, mirrored, cut", HMC, 0.25, 2, 1, -0.8, 1.1, MIRROR, 3, 0, 0, DIAGONAL},
        {"HMC", HMC, 0.25, 1, INFINITY, STAT_UNBOUNDED, 4, 0.2, 0, DENSE},
        {"HMC, refused, cut", HMC, 0.15, 2, 1, -0.8, 1.1, REFUSE, 3, 0, 0, DENSE},
        {"adjusted underdamped", ADJUSTED, 0.25, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 1, DIAGONAL},
        {"adjusted underdamped", ADJUSTED, 0.25, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 1, DENSE},
        {"NUTS", NUTS, 0.3, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, DIAGONAL},
        {"NUTS, mirrored, cut", NUTS, 0.25, 2, 1, -0.8, 1.1, MIRROR, 1, 0, 0, DIAGONAL},
        {"NUTS", NUTS, 0.3, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, DENSE},
        {"random walk, mirrored", WALK, 0.2, 1, INFINITY, -0.8, 1.1, MIRROR, 1, 0, 0, DIAGONAL},
        {"random walk", WALK, 0.2, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, DENSE},
    };
    for (int i = 0; i < STAT_ROWS(settings); i++) {
        assert_stays(&settings[i], double_well, 1.5, stat_well, 3, 700 + 10 * (uint64_t)i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(double_well_stays),
        cmocka_unit_test(truncated_normal_stays),
        cmocka_unit_test(any_metric_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

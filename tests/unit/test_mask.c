/* SPDX-License-Identifier: MIT */
/* Coordinates that are held: their bits do not change, and the others move as they would with any mask. */
#include <string.h>

#include "stat_gaussian.h"

enum { N = 50, DIM = 5 };

static const double MEAN[DIM] = {0, 0, 0, 0, 0};
static const stat_matrix PRECISION = {{2.0, 0.5, 0, 0, 0.1}, {0.5, 2.0, 0.5, 0, 0}, {0, 0.5, 2.0, 0.5, 0},
                                      {0, 0, 0.5, 2.0, 0.5}, {0.1, 0, 0, 0.5, 2.0}};
static const uint8_t MASK[DIM] = {1, 0, 1, 1, 0};

static ebm_sampler *new_sampler(int32_t kernel, int32_t order) {
    ebm_sampler *sampler = stat_sampler(stat_gaussian(DIM, MEAN, PRECISION), N, 1, kernel, 0.1);
    STAT_OK(ebm_sampler_set_noise_order(sampler, order));
    return sampler;
}

static void held_coordinates_keep_their_bits(void **state) {
    (void)state;
    for (int which = 0; which < 3; which++) {
        float before[N * DIM];
        float after[N * DIM];
        ebm_sampler *sampler = new_sampler(which == 2 ? EBM_KERNEL_MALA : EBM_KERNEL_LANGEVIN, which == 1);
        STAT_OK(ebm_sampler_set_bounds(sampler, -8, 8, EBM_BOUNDS_REFLECT));
        STAT_OK(ebm_sampler_set_mask(sampler, MASK));
        STAT_OK(ebm_sampler_get_states(sampler, N, before));
        before[1] = -0.0F; /* a sign that arithmetic would lose */
        before[4] = 8.0F;  /* on the bound */
        STAT_OK(ebm_sampler_set_states(sampler, N, before));
        STAT_OK(ebm_sampler_run(sampler, 50));
        STAT_OK(ebm_sampler_get_states(sampler, N, after));
        for (int i = 0; i < N * DIM; i++) {
            int same = memcmp(&before[i], &after[i], sizeof *before) == 0;
            assert_int_equal(same, MASK[i % DIM] == 0);
        }
        ebm_sampler_destroy(sampler);
    }
}

/* One Langevin step: the free coordinates go where they go without a mask, since their noise is theirs. */
/* A trainer's chains, also those that start anew, keep what is held: the class in class-conditional sampling. */
static void restarts_leave_held_coordinates_alone(void **state) {
    (void)state;
    for (int32_t start = EBM_START_NOISE; start <= EBM_START_PERSISTENT; start += 2) {
        float before[N * DIM];
        float after[N * DIM];
        ebm_model *model = stat_gaussian(DIM, MEAN, PRECISION);
        ebm_sampler *sampler = stat_sampler(model, N, 1, EBM_KERNEL_LANGEVIN, 0.1);
        ebm_trainer *trainer = NULL;
        STAT_OK(ebm_trainer_create(NULL, model, sampler, &trainer));
        STAT_OK(ebm_sampler_set_start(sampler, start));
        STAT_OK(ebm_sampler_set_buffer(sampler, 0, 1.0));
        STAT_OK(ebm_sampler_set_mask(sampler, MASK));
        STAT_OK(ebm_sampler_get_states(sampler, N, before));
        STAT_OK(ebm_trainer_step(trainer, N, before));
        STAT_OK(ebm_sampler_get_states(sampler, N, after));
        for (int i = 0; i < N * DIM; i++) {
            int same = memcmp(&before[i], &after[i], sizeof *before) == 0;
            assert_int_equal(same, MASK[i % DIM] == 0);
        }
        ebm_trainer_destroy(trainer);
        ebm_sampler_destroy(sampler);
    }
}

/* A drift that leaves the floats, in a coordinate that does not move: first held, then free. */
static void a_held_coordinate_cannot_leave(void **state) {
    (void)state;
    static const stat_matrix diagonal = {{1, 0, 0, 0, 0}, {0, 1, 0, 0, 0}, {0, 0, 1, 0, 0}, {0, 0, 0, 1, 0}, {0, 0, 0, 0, 1}};
    float x[N * DIM] = {0};
    x[4] = 1e37F;
    ebm_sampler *sampler = stat_sampler(stat_gaussian(DIM, MEAN, diagonal), N, 1, EBM_KERNEL_LANGEVIN, 1e3);
    STAT_OK(ebm_sampler_set_noise_std(sampler, 0));
    STAT_OK(ebm_sampler_set_mask(sampler, MASK));
    STAT_OK(ebm_sampler_set_states(sampler, N, x));
    STAT_OK(ebm_sampler_run(sampler, 1));
    STAT_OK(ebm_sampler_set_mask(sampler, NULL));
    assert_int_equal(ebm_sampler_run(sampler, 1), EBM_ERR_NONFINITE);
    ebm_sampler_destroy(sampler);
}

static void free_coordinates_do_not_notice(void **state) {
    (void)state;
    float free_run[N * DIM];
    float masked[N * DIM];
    ebm_sampler *sampler = new_sampler(EBM_KERNEL_LANGEVIN, 0);
    STAT_OK(ebm_sampler_run(sampler, 1));
    STAT_OK(ebm_sampler_get_states(sampler, N, free_run));
    ebm_sampler_destroy(sampler);
    sampler = new_sampler(EBM_KERNEL_LANGEVIN, 0);
    STAT_OK(ebm_sampler_set_mask(sampler, MASK));
    STAT_OK(ebm_sampler_run(sampler, 1));
    STAT_OK(ebm_sampler_get_states(sampler, N, masked));
    ebm_sampler_destroy(sampler);
    for (int i = 0; i < N * DIM; i++) {
        assert_int_equal(free_run[i] == masked[i], MASK[i % DIM] != 0);
    }
}

static void a_mask_of_ones_or_none_is_no_mask(void **state) {
    (void)state;
    static const uint8_t ones[DIM] = {1, 1, 1, 1, 1};
    static const int32_t kernels[] = {EBM_KERNEL_LANGEVIN, EBM_KERNEL_MALA};
    for (int k = 0; k < 2; k++) {
        float x[3][N * DIM];
        for (int which = 0; which < 3; which++) {
            ebm_sampler *sampler = new_sampler(kernels[k], 0);
            if (which > 0) {
                STAT_OK(ebm_sampler_set_mask(sampler, which == 1 ? ones : MASK));
            }
            if (which == 2) {
                STAT_OK(ebm_sampler_set_mask(sampler, NULL));
            }
            STAT_OK(ebm_sampler_run(sampler, 20));
            STAT_OK(ebm_sampler_get_states(sampler, N, x[which]));
            ebm_sampler_destroy(sampler);
        }
        assert_memory_equal(x[0], x[1], sizeof x[0]);
        assert_memory_equal(x[0], x[2], sizeof x[0]);
    }
}

/*
 * All held but one: MALA's acceptance is that of one dimension, near 1 for a small step, whatever the size of the
 * held rest.
 */
static void held_coordinates_have_no_part_in_the_acceptance(void **state) {
    (void)state;
    enum { WIDE = 400 };
    static uint8_t mask[WIDE];
    double all;
    double one;
    ebm_sampler *sampler = stat_sampler(stat_quadratic(NULL, WIDE, 1), 200, 2, EBM_KERNEL_MALA, 0.5);
    STAT_OK(ebm_sampler_run(sampler, 5));
    STAT_OK(ebm_sampler_get_acceptance(sampler, &all));
    mask[17] = 1;
    STAT_OK(ebm_sampler_set_mask(sampler, mask));
    STAT_OK(ebm_sampler_run(sampler, 5));
    STAT_OK(ebm_sampler_get_acceptance(sampler, &one));
    assert_true(all < 0.2 && one > 0.85);
    ebm_sampler_destroy(sampler);
}

static void a_bad_mask_is_refused(void **state) {
    (void)state;
    static const uint8_t none[DIM] = {0, 0, 0, 0, 0};
    static const uint8_t two[DIM] = {1, 2, 0, 0, 0};
    uint8_t back[DIM];
    ebm_sampler *sampler = new_sampler(EBM_KERNEL_LANGEVIN, 0);
    STAT_OK(ebm_sampler_get_mask(sampler, back));
    assert_true(back[0] == 1 && back[4] == 1);
    STAT_OK(ebm_sampler_set_mask(sampler, MASK));
    assert_int_equal(ebm_sampler_set_mask(sampler, none), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_set_mask(sampler, two), EBM_ERR_ARG);
    STAT_OK(ebm_sampler_get_mask(sampler, back));
    assert_memory_equal(back, MASK, sizeof back);
    ebm_sampler_destroy(sampler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_coordinates_keep_their_bits),
        cmocka_unit_test(restarts_leave_held_coordinates_alone),
        cmocka_unit_test(a_held_coordinate_cannot_leave),
        cmocka_unit_test(free_coordinates_do_not_notice),
        cmocka_unit_test(a_mask_of_ones_or_none_is_no_mask),
        cmocka_unit_test(held_coordinates_have_no_part_in_the_acceptance),
        cmocka_unit_test(a_bad_mask_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

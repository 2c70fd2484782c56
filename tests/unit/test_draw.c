/* SPDX-License-Identifier: MIT */
/* Draws shown one by one are those of ebm_sampler_draw; how such a run ends; energies of trajectories. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "stat_models.h"

enum { DIM = 3, CHAINS = 5, DRAWS = 7, THIN = 4, FLOATS = CHAINS * DIM };

typedef struct seen {
    ebm_sampler *sampler;
    int64_t count;
    int64_t at; /* the draw at which `answer` is returned */
    int32_t answer;
    float x[DRAWS * FLOATS];
} seen;

static ebm_sampler *new_sampler(int32_t kernel) {
    return stat_sampler(stat_quadratic(NULL, DIM, 2), CHAINS, 5, kernel, 0.3);
}

/* Getters work, work does not. */
static int32_t look(int64_t draw, int64_t n_chains, int64_t dim, const float *x, void *user_data) {
    seen *s = user_data;
    float states[FLOATS];
    int64_t steps;
    double acceptance;
    assert_int_equal(draw, s->count);
    assert_int_equal(n_chains, CHAINS);
    assert_int_equal(dim, DIM);
    STAT_OK(ebm_sampler_get_steps(s->sampler, &steps));
    assert_int_equal(steps, (draw + 1) * THIN);
    assert_int_equal(ebm_sampler_run(s->sampler, 1), EBM_ERR_BUSY);
    assert_int_equal(ebm_sampler_set_step_size(s->sampler, 1), EBM_ERR_BUSY);
    assert_int_equal(ebm_sampler_get_states(s->sampler, CHAINS, states), EBM_ERR_BUSY);
    (void)ebm_sampler_get_acceptance(s->sampler, &acceptance);
    memcpy(s->x + draw * FLOATS, x, sizeof states);
    s->count++;
    return draw == s->at ? s->answer : EBM_CB_OK;
}

static void draws_are_those_of_draw(void **state) {
    static const int32_t kernels[] = {EBM_KERNEL_LANGEVIN, EBM_KERNEL_HMC, EBM_KERNEL_NUTS};
    (void)state;
    for (int k = 0; k < 3; k++) {
        ebm_sampler *kept = new_sampler(kernels[k]);
        seen s = {.sampler = new_sampler(kernels[k]), .at = -1};
        float x[DRAWS * FLOATS];
        STAT_OK(ebm_sampler_draw(kept, DRAWS, THIN, x));
        STAT_OK(ebm_sampler_draw_each(s.sampler, DRAWS, THIN, look, &s));
        assert_int_equal(s.count, DRAWS);
        assert_memory_equal(x, s.x, sizeof x);
        ebm_sampler_destroy(kept);
        ebm_sampler_destroy(s.sampler);
    }
}

static void ends_as_the_host_says(void **state) {
    (void)state;
    for (int failing = 0; failing < 2; failing++) {
        seen s = {.sampler = new_sampler(EBM_KERNEL_MALA), .at = 2, .answer = failing ? 17 : EBM_CB_STOP};
        assert_int_equal(ebm_sampler_draw_each(s.sampler, DRAWS, THIN, look, &s),
                         failing ? EBM_ERR_CALLBACK : EBM_ERR_STOPPED);
        assert_non_null(strstr(ebm_last_error(), failing ? "returned 17 at draw 2" : "stop at draw 2"));
        assert_int_equal(s.count, 3);
        float x[FLOATS];
        STAT_OK(ebm_sampler_get_states(s.sampler, CHAINS, x)); /* it stands where the last draw was */
        assert_memory_equal(x, s.x + 2 * FLOATS, sizeof x);
        ebm_sampler_destroy(s.sampler);
    }
}

static void refuses(void **state) {
    (void)state;
    seen s = {.sampler = new_sampler(EBM_KERNEL_MALA)};
    assert_int_equal(ebm_sampler_draw_each(NULL, 1, 1, look, &s), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_draw_each(s.sampler, 1, 1, NULL, &s), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_draw_each(s.sampler, -1, 1, look, &s), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_draw_each(s.sampler, 1, 0, look, &s), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_draw_each(s.sampler, INT64_MAX, 2, look, &s), EBM_ERR_OVERFLOW);
    STAT_OK(ebm_sampler_draw_each(s.sampler, 0, 1, look, &s));
    assert_int_equal(s.count, 0);
    ebm_sampler_destroy(s.sampler);
}

/* E(x) before the step is below H by a kinetic energy of mean DIM T / 2, and all is refused where nothing has flown. */
static void energies_of_trajectories(void **state) {
    enum { MANY = 4000 };
    static const int32_t kernels[] = {EBM_KERNEL_HMC, EBM_KERNEL_NUTS};
    (void)state;
    for (int k = 0; k < 2; k++) {
        ebm_model *judge = stat_quadratic(NULL, DIM, 2);
        ebm_sampler *sampler = stat_sampler(stat_quadratic(NULL, DIM, 2), MANY, 6, kernels[k], 0.3);
        float *x = stat_alloc(MANY * DIM, sizeof *x);
        double *before = stat_alloc(MANY, sizeof *before);
        double *total = stat_alloc(MANY, sizeof *total);
        STAT_OK(ebm_sampler_set_temperature(sampler, 1.7));
        assert_int_equal(ebm_sampler_get_trajectory_energies(sampler, 1, total), EBM_ERR_STATE);
        STAT_OK(ebm_sampler_run(sampler, 3));
        STAT_OK(ebm_sampler_get_states(sampler, MANY, x));
        STAT_OK(ebm_model_energy(judge, MANY, x, before));
        STAT_OK(ebm_sampler_run(sampler, 1));
        STAT_OK(ebm_sampler_get_trajectory_energies(sampler, MANY, total));
        stat_sum kinetic = {0};
        for (int i = 0; i < MANY; i++) {
            assert_true(total[i] > before[i]);
            stat_add(&kinetic, total[i] - before[i]);
        }
        STAT_WITHIN(stat_z(&kinetic, 1.7 * DIM / 2), STAT_BOUND);
        assert_int_equal(ebm_sampler_get_trajectory_energies(sampler, MANY + 1, total), EBM_ERR_ARG);
        STAT_OK(ebm_sampler_get_trajectory_energies(sampler, 0, NULL));
        STAT_OK(ebm_sampler_set_kernel(sampler, EBM_KERNEL_MALA));
        STAT_OK(ebm_sampler_run(sampler, 1));
        assert_int_equal(ebm_sampler_get_trajectory_energies(sampler, 1, total), EBM_ERR_STATE);
        ebm_sampler_destroy(sampler);
        free(x);
        free(before);
        free(total);
        ebm_model_destroy(judge);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_are_those_of_draw),
        cmocka_unit_test(ends_as_the_host_says),
        cmocka_unit_test(refuses),
        cmocka_unit_test(energies_of_trajectories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Bounds: where a coordinate that leaves is put, and what is refused. Steps without noise on an energy with a
 * constant slope go exactly where they are sent: E = s x, one step is x - eta s.
 */
#include <float.h>

#include "stat_models.h"

/* E = theta sum_i x_i. */
static int32_t slope_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                            void *user_data) {
    (void)user_data;
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        energy[r] = 0;
        for (int64_t i = 0; i < dim; i++) {
            energy[r] += (double)theta[0] * (double)x[r * dim + i];
        }
    }
    for (int64_t i = 0; grad_x != NULL && i < n * dim; i++) {
        grad_x[i] = theta[0];
    }
    return EBM_CB_OK;
}

/* Where one step of size `move` from x goes. */
static float moved(float x, float move, double lo, double hi, int32_t rule, int32_t kernel) {
    ebm_model *model = stat_model_of(NULL, 1, slope_energy, NULL, -(double)move);
    ebm_sampler *sampler = stat_sampler(model, 1, 1, kernel, 1.0);
    STAT_OK(ebm_sampler_set_noise_std(sampler, kernel == EBM_KERNEL_MALA ? 1e-30 : 0));
    STAT_OK(ebm_sampler_set_states(sampler, 1, &x));
    STAT_OK(ebm_sampler_set_bounds(sampler, lo, hi, rule));
    STAT_OK(ebm_sampler_run(sampler, 1));
    STAT_OK(ebm_sampler_get_states(sampler, 1, &x));
    ebm_sampler_destroy(sampler);
    return x;
}

typedef struct move_case {
    float x, move;
    double lo, hi;
    float clamped, mirrored;
} move_case;

static void a_coordinate_that_leaves_is_brought_back(void **state) {
    (void)state;
    static const move_case cases[] = {
        {0.5F, 0.25F, -1, 1, 0.75F, 0.75F},          /* stays inside */
        {0.5F, 0.5F, -1, 1, 1, 1},                   /* to the bound */
        {0.5F, 0.75F, -1, 1, 1, 0.75F},              /* beyond the upper */
        {0.5F, -2, -1, 1, -1, -0.5F},                /* beyond the lower */
        {0.5F, 3, -1, 1, 1, -0.5F},                  /* 3.5: mirrored at 1 to -1.5, at -1 to -0.5 */
        {0.5F, 100.25F, -1, 1, 1, 0.75F},            /* 100.75 = 25 periods of 4 and 0.75 */
        {0.5F, -102.25F, -1, 1, -1, -0.25F},         /* -101.75 = -26 periods and 2.25: the way back, 2 - 2.25 */
        {0.25F, 5, 0, 0.5, 0.5F, 0.25F},             /* narrow */
        {3, -4, 2, INFINITY, 2, 5},                  /* one-sided: -1 -> 5 */
        {3, 4, 2, INFINITY, 7, 7},
        {-3, 4, -INFINITY, -2, -2, -5},              /* 1 -> -5 */
        {-3, -4, -INFINITY, -2, -7, -7},
        {0, 1e20F, -1, 1, 1, 2},                     /* far out: inside, wherever (2: not compared) */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const move_case *c = &cases[i];
        float clamped = moved(c->x, c->move, c->lo, c->hi, EBM_BOUNDS_CLAMP, EBM_KERNEL_LANGEVIN);
        float mirrored = moved(c->x, c->move, c->lo, c->hi, EBM_BOUNDS_REFLECT, EBM_KERNEL_LANGEVIN);
        assert_true(clamped == c->clamped);
        if (c->mirrored != 2) {
            assert_true(mirrored == c->mirrored);
        }
        assert_true((double)mirrored >= c->lo && (double)mirrored <= c->hi);
    }
}

/* A clamped proposal outside is refused by MALA, and is no impossible energy: it is not even evaluated there. */
static void mala_refuses_what_leaves_clamped_bounds(void **state) {
    (void)state;
    assert_true(moved(0.5F, 0.75F, -1, 1, EBM_BOUNDS_CLAMP, EBM_KERNEL_MALA) == 0.5F);
    assert_true(moved(3, -4, 2, INFINITY, EBM_BOUNDS_CLAMP, EBM_KERNEL_MALA) == 3);
}

/*
 * One step of many chains with large noise, at both kernels and rules and several widths: all inside, float by float.
 */
static void nothing_is_ever_outside(void **state) {
    (void)state;
    enum { N = 300, DIM = 3 };
    static const double boxes[][2] = {{-1, 1},          {0.1, 0.3},     {-0.7, INFINITY},
                                      {-INFINITY, 0.1}, {1e-3, 1.1e-3}, {-3e4, 2e4}};
    float x[N * DIM];
    for (int box = 0; box < 6; box++) {
        for (int which = 0; which < 4; which++) {
            ebm_sampler *sampler = stat_sampler(stat_quadratic(NULL, DIM, 1), N, 2,
                                                which < 2 ? EBM_KERNEL_LANGEVIN : EBM_KERNEL_MALA, 0.3);
            STAT_OK(ebm_sampler_set_noise_std(sampler, 2));
            STAT_OK(ebm_sampler_set_noise_order(sampler, box % 2 == 0 && which < 2));
            STAT_OK(ebm_sampler_set_bounds(sampler, boxes[box][0], boxes[box][1], which % 2));
            for (int step = 0; step < 10; step++) {
                STAT_OK(ebm_sampler_get_states(sampler, N, x));
                for (int i = 0; i < N * DIM; i++) {
                    assert_true((double)x[i] >= (double)(float)boxes[box][0] &&
                                (double)x[i] <= (double)(float)boxes[box][1]);
                }
                STAT_OK(ebm_sampler_set_states(sampler, N, x)); /* and so it may be set again */
                STAT_OK(ebm_sampler_run(sampler, 1));
            }
            ebm_sampler_destroy(sampler);
        }
    }
}

static void refusals_change_nothing(void **state) {
    (void)state;
    float x[2] = {0.5F, 3};
    double lo;
    double hi;
    int32_t rule;
    ebm_sampler *sampler = stat_sampler(stat_quadratic(NULL, 1, 1), 2, 3, EBM_KERNEL_LANGEVIN, 0.1);
    assert_int_equal(ebm_sampler_set_bounds(sampler, 1, 1, EBM_BOUNDS_CLAMP), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_set_bounds(sampler, 2, 1, EBM_BOUNDS_CLAMP), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_set_bounds(sampler, NAN, 1, EBM_BOUNDS_CLAMP), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_set_bounds(sampler, 0, NAN, EBM_BOUNDS_CLAMP), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_set_bounds(sampler, 0, 1, 2), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_set_bounds(sampler, INFINITY, INFINITY, EBM_BOUNDS_CLAMP), EBM_ERR_ARG);
    STAT_OK(ebm_sampler_set_states(sampler, 2, x));
    /* The second chain is outside. */
    assert_int_equal(ebm_sampler_set_bounds(sampler, 0, 1, EBM_BOUNDS_CLAMP), EBM_ERR_STATE);
    STAT_OK(ebm_sampler_get_bounds(sampler, &lo, &hi, &rule));
    assert_true(lo == -INFINITY && hi == INFINITY && rule == EBM_BOUNDS_CLAMP);
    STAT_OK(ebm_sampler_set_bounds(sampler, 0, 3, EBM_BOUNDS_REFLECT));
    STAT_OK(ebm_sampler_get_bounds(sampler, &lo, &hi, &rule));
    assert_true(lo == 0 && hi == 3 && rule == EBM_BOUNDS_REFLECT);
    x[0] = 3.5F;
    assert_int_equal(ebm_sampler_set_states(sampler, 2, x), EBM_ERR_ARG);
    STAT_OK(ebm_sampler_get_states(sampler, 2, x));
    assert_true(x[0] == 0.5F && x[1] == 3);
    ebm_sampler_destroy(sampler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_coordinate_that_leaves_is_brought_back),
        cmocka_unit_test(mala_refuses_what_leaves_clamped_bounds),
        cmocka_unit_test(nothing_is_ever_outside),
        cmocka_unit_test(refusals_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

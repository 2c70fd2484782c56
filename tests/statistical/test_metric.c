/* SPDX-License-Identifier: MIT */
/*
 * The metric: setting it, what a multiple of the identity amounts to, Langevin's own covariance under it, held
 * coordinates, and a Gaussian of condition number 1e6 that the right metric makes easy.
 *
 * False alarms, for new seeds: 80 moments within STAT_BOUND (3.8e-8): 3e-6.
 */
#include <string.h>

#include "stat_gaussian.h"
#include "stat_settings.h"

static const double MEAN[] = {0.5, -1.0, 0.0};
static const stat_matrix PRECISION = {{2.0, 0.8, -0.3}, {0.8, 1.5, 0.5}, {-0.3, 0.5, 3.0}};

static void bad_metrics_are_refused(void **state) {
    (void)state;
    static const float good[] = {2, 0.5F, 0.5F, 1};
    static const float diagonals[][2] = {{1, 0}, {-1, 1}, {1, NAN}, {INFINITY, 1}};
    static const float squares[][4] = {{1, 2, 2, 1}, {1, 0.5F, 0.6F, 1}, {1, NAN, NAN, 1}, {0, 0, 0, 1}, {1, 1, 1, 1}};
    float back[4] = {0};
    int32_t kind = -1;
    ebm_sampler *sampler = stat_sampler(stat_quadratic(NULL, 2, 1), 3, 1, EBM_KERNEL_HMC, 0.1);
    STAT_OK(ebm_sampler_get_metric(sampler, &kind, 0, NULL));
    assert_int_equal(kind, EBM_METRIC_IDENTITY);
    STAT_OK(ebm_sampler_set_metric(sampler, EBM_METRIC_DENSE, 4, good));
    for (int i = 0; i < STAT_ROWS(diagonals); i++) {
        assert_int_equal(ebm_sampler_set_metric(sampler, EBM_METRIC_DIAGONAL, 2, diagonals[i]), EBM_ERR_ARG);
        assert_non_null(strstr(ebm_last_error(), "ebm_sampler_set_metric: inverse_mass is "));
    }
    for (int i = 0; i < STAT_ROWS(squares); i++) {
        assert_int_equal(ebm_sampler_set_metric(sampler, EBM_METRIC_DENSE, 4, squares[i]), EBM_ERR_ARG);
    }
    assert_int_equal(ebm_sampler_set_metric(sampler, EBM_METRIC_DENSE, 3, good), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_set_metric(sampler, EBM_METRIC_DIAGONAL, 2, NULL), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_set_metric(sampler, EBM_METRIC_IDENTITY, 2, good), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_set_metric(sampler, 3, 0, NULL), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_set_metric(sampler, -1, 0, NULL), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_get_metric(sampler, NULL, 2, back), EBM_ERR_ARG);
    STAT_OK(ebm_sampler_get_metric(sampler, &kind, 4, back));
    assert_int_equal(kind, EBM_METRIC_DENSE);
    assert_memory_equal(back, good, sizeof back);
    STAT_OK(ebm_sampler_set_bounds(sampler, -9, 9, EBM_BOUNDS_REFLECT));
    assert_int_equal(ebm_sampler_run(sampler, 1), EBM_ERR_STATE); /* not the same in the mirror */
    STAT_OK(ebm_sampler_set_metric(sampler, EBM_METRIC_DIAGONAL, 0, NULL));
    STAT_OK(ebm_sampler_get_metric(sampler, NULL, 2, back));
    assert_true(back[0] == 1 && back[1] == 1);
    STAT_OK(ebm_sampler_run(sampler, 1));
    ebm_sampler_destroy(sampler);
}

/* W = 4 I moves as the identity does with 4 times the factor of the gradient, or twice the step of time. */
static void a_multiple_of_the_identity_is_another_step_size(void **state) {
    (void)state;
    enum { N = 100, DIM = 3 };
    static const float diagonal[] = {4, 4, 4};
    static const float dense[] = {4, 0, 0, 0, 4, 0, 0, 0, 4};
    static const struct {
        int32_t kernel;
        double factor;
    } cases[] = {{EBM_KERNEL_LANGEVIN, 4},    {EBM_KERNEL_MALA, 4},        {EBM_KERNEL_HMC, 2},
                 {EBM_KERNEL_RANDOM_WALK, 4}, {EBM_KERNEL_UNDERDAMPED, 2}, {EBM_KERNEL_UNDERDAMPED_ADJUSTED, 2}};
    for (int i = 0; i < STAT_ROWS(cases); i++) {
        float x[3][N * DIM];
        for (int which = 0; which < 3; which++) {
            double eta = which == 0 ? 0.1 * cases[i].factor : 0.1;
            ebm_sampler *sampler = stat_sampler(stat_gaussian(DIM, MEAN, PRECISION), N, 5, cases[i].kernel, eta);
            STAT_OK(ebm_sampler_set_friction(sampler, which == 0 ? 1 : cases[i].factor)); /* gamma eta is the same */
            STAT_OK(ebm_sampler_set_grad_clip(sampler, 2));
            if (which > 0) {
                const float *w = which == 1 ? diagonal : dense;
                STAT_OK(ebm_sampler_set_metric(sampler, which, which == 1 ? DIM : DIM * DIM, w));
            }
            STAT_OK(ebm_sampler_run(sampler, 3));
            STAT_OK(ebm_sampler_get_states(sampler, N, x[which]));
            ebm_sampler_destroy(sampler);
        }
        int far = 0;
        for (int j = 0; j < N * DIM; j++) {
            far += !(fabsf(x[0][j] - x[1][j]) < 1e-4F) || !(fabsf(x[0][j] - x[2][j]) < 1e-4F);
        }
        assert_int_equal(far, 0);
    }
}

/* L of a small matrix, as the library makes it. */
static void factor_of(int n, const float *w, stat_matrix l) {
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            double sum = (double)w[i * n + j];
            for (int k = 0; k < j; k++) {
                sum -= l[i][k] * l[j][k];
            }
            l[i][j] = i < j ? 0 : i > j ? sum / l[j][j] : sqrt(sum);
        }
    }
}

/* In whitened coordinates Langevin steps leave (P' (I - eta P' / 2))^-1 with P' = L^T P L; in x, L of it L^T. */
static void whitened_langevin_covariance(const float *w, double eta, stat_matrix covariance) {
    stat_matrix l;
    stat_matrix p = {{0}};
    stat_matrix white;
    factor_of(3, w, l);
    for (int i = 0; i < 81; i++) {
        p[i / 27][i / 9 % 3] += l[i / 3 % 3][i / 27] * PRECISION[i / 3 % 3][i % 3] * l[i % 3][i / 9 % 3];
    }
    stat_langevin_covariance(3, p, eta, white);
    memset(covariance, 0, sizeof(stat_matrix));
    for (int i = 0; i < 81; i++) {
        covariance[i / 27][i / 9 % 3] += l[i / 27][i / 3 % 3] * white[i / 3 % 3][i % 3] * l[i / 9 % 3][i % 3];
    }
}

static void langevin_has_its_own_covariance(void **state) {
    (void)state;
    static const int index[] = {0, 1, 2};
    for (int32_t kind = EBM_METRIC_DIAGONAL; kind <= EBM_METRIC_DENSE; kind++) {
        float w[9] = {0};
        stat_matrix covariance;
        stat_moment moments[32];
        ebm_sampler *sampler =
            stat_sampler(stat_gaussian(3, MEAN, PRECISION), 2048, 20 + (uint64_t)kind, EBM_KERNEL_LANGEVIN, 0.25);
        stat_set_metric(sampler, kind, 3);
        STAT_OK(ebm_sampler_get_metric(sampler, NULL, kind == EBM_METRIC_DENSE ? 9 : 3, w));
        if (kind == EBM_METRIC_DIAGONAL) {
            const float full[9] = {w[0], 0, 0, 0, w[1], 0, 0, 0, w[2]};
            memcpy(w, full, sizeof w);
        }
        whitened_langevin_covariance(w, 0.25, covariance);
        int n = stat_gaussian_moments(3, index, MEAN, covariance, moments);
        STAT_WITHIN(stat_worst_moment(stat_kernel_of(sampler, 3), 300, 60, 5, n, moments, 0), STAT_BOUND);
        ebm_sampler_destroy(sampler);
    }
}

/* Held coordinates keep their bits, -0 too, under any metric, and the others have their conditional density. */
static void held_coordinates_have_no_part(void **state) {
    (void)state;
    enum { N = 2048 };
    static const uint8_t mask[] = {1, 0, 1};
    static const int32_t kernels[] = {EBM_KERNEL_MALA, EBM_KERNEL_HMC, EBM_KERNEL_UNDERDAMPED_ADJUSTED};
    const double p_ff[2][2] = {{2.0, -0.3}, {-0.3, 3.0}};
    double determinant = p_ff[0][0] * p_ff[1][1] - p_ff[0][1] * p_ff[1][0];
    const double pull[2] = {-0.8 * (0 - MEAN[1]), -0.5 * (0 - MEAN[1])};
    const double mean[2] = {MEAN[0] + (p_ff[1][1] * pull[0] - p_ff[0][1] * pull[1]) / determinant,
                            MEAN[2] + (p_ff[0][0] * pull[1] - p_ff[0][1] * pull[0]) / determinant};
    const stat_moment moments[] = {{0, 1, 0, 0, mean[0]},
                                   {2, 1, 2, 0, mean[1]},
                                   {0, 2, 0, 0, p_ff[1][1] / determinant + mean[0] * mean[0]},
                                   {2, 2, 2, 0, p_ff[0][0] / determinant + mean[1] * mean[1]},
                                   {0, 1, 2, 1, -p_ff[0][1] / determinant + mean[0] * mean[1]}};
    for (int i = 0; i < 6; i++) {
        float x[N * 3];
        ebm_sampler *sampler =
            stat_sampler(stat_gaussian(3, MEAN, PRECISION), N, 30 + (uint64_t)i, kernels[i / 2],
                         i / 2 == 0 ? 0.2 : 0.4);
        STAT_OK(ebm_sampler_set_leapfrog_steps(sampler, 4));
        STAT_OK(ebm_sampler_set_mask(sampler, mask));
        stat_set_metric(sampler, 1 + i % 2, 3);
        STAT_WITHIN(stat_worst_moment(stat_kernel_of(sampler, 3), 100, 40, 4, STAT_ROWS(moments), moments, -0.0),
                    STAT_BOUND);
        STAT_OK(ebm_sampler_get_states(sampler, N, x));
        for (int c = 0; c < N; c++) {
            assert_true(x[c * 3 + 1] == 0 && signbit(x[c * 3 + 1]));
        }
        ebm_sampler_destroy(sampler);
    }
}

/*
 * Standard deviations 1 to 1000, correlations 0.9: with W the covariance, a few steps of a time of about 1 forget
 * all.
 */
static void the_right_metric_makes_a_stiff_gaussian_easy(void **state) {
    (void)state;
    enum { DIM = 4 };
    static const double zero[DIM] = {0};
    static const int index[] = {0, 1, 2, 3};
    static const int32_t kernels[] = {EBM_KERNEL_MALA, EBM_KERNEL_HMC, EBM_KERNEL_UNDERDAMPED_ADJUSTED};
    stat_matrix covariance;
    stat_matrix precision;
    float w[DIM * DIM];
    for (int i = 0; i < DIM; i++) {
        for (int j = 0; j < DIM; j++) {
            covariance[i][j] = pow(10, i + j) * (i == j ? 1 : 0.9);
            w[i * DIM + j] = (float)covariance[i][j];
        }
    }
    stat_invert(DIM, covariance, precision);
    for (int k = 0; k < 3; k++) {
        stat_moment moments[32];
        int n = stat_gaussian_moments(DIM, index, zero, covariance, moments);
        ebm_sampler *sampler =
            stat_sampler(stat_gaussian(DIM, zero, precision), 2048, 40 + (uint64_t)k, kernels[k], 0.5);
        STAT_OK(ebm_sampler_set_leapfrog_steps(sampler, 3));
        STAT_OK(ebm_sampler_set_metric(sampler, EBM_METRIC_DENSE, DIM * DIM, w));
        STAT_WITHIN(stat_worst_moment(stat_kernel_of(sampler, DIM), 60, 30, 4, n, moments, 0), STAT_BOUND);
        ebm_sampler_destroy(sampler);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_metrics_are_refused),
        cmocka_unit_test(a_multiple_of_the_identity_is_another_step_size),
        cmocka_unit_test(langevin_has_its_own_covariance),
        cmocka_unit_test(held_coordinates_have_no_part),
        cmocka_unit_test(the_right_metric_makes_a_stiff_gaussian_easy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * The warm-up: the step size it finds gives the acceptance that was asked for, the metric it finds is the covariance,
 * both stay as they are afterwards, and a failure leaves what was set.
 */
#include <string.h>

#include "stat_gaussian.h"

static const double ZERO[8] = {0};

/* Standard deviations 0.1 to 100, correlations 0.5 between neighbours. */
static void stiff_covariance(int n, stat_matrix covariance) {
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            covariance[i][j] = pow(10, i - 1) * pow(10, j - 1) * pow(0.5, abs(i - j));
        }
    }
}

static ebm_sampler *stiff_sampler(int32_t kernel, int32_t metric, int64_t n_chains, uint64_t seed) {
    stat_matrix covariance;
    stat_matrix precision;
    stiff_covariance(4, covariance);
    stat_invert(4, covariance, precision);
    ebm_sampler *sampler = stat_sampler(stat_gaussian(4, ZERO, precision), n_chains, seed, kernel, 1e-3);
    STAT_OK(ebm_sampler_set_metric(sampler, metric, 0, NULL));
    STAT_OK(ebm_sampler_set_leapfrog_steps(sampler, 5));
    STAT_OK(ebm_sampler_set_jitter(sampler, 0.4)); /* or the acceptance would jump where five steps become unstable */
    return sampler;
}

/*
 * Whatever the kernel, the metric and the first step size (1e-3, or 30, which is far too large), the acceptance comes
 * near the target. The 50 last steps of 32 chains leave a scatter of 0.02; and the mean of the logarithms of step
 * sizes, which is what remains, accepts more than the mean of what these accept where the acceptance falls steeply:
 * by 0.1, seen in Stan too.
 */
static void the_acceptance_is_what_was_asked_for(void **state) {
    (void)state;
    static const struct {
        int32_t kernel, metric;
        double first, target;
    } cases[] = {
        {EBM_KERNEL_HMC, EBM_METRIC_IDENTITY, 1e-3, 0.8},
        {EBM_KERNEL_HMC, EBM_METRIC_DIAGONAL, 1e-3, 0.7},
        {EBM_KERNEL_HMC, EBM_METRIC_DENSE, 30, 0.8},
        {EBM_KERNEL_MALA, EBM_METRIC_DENSE, 1e-3, 0.57},
        {EBM_KERNEL_MALA, EBM_METRIC_DIAGONAL, 30, 0.8},
        {EBM_KERNEL_RANDOM_WALK, EBM_METRIC_DENSE, 1e-3, 0.3},
        {EBM_KERNEL_UNDERDAMPED_ADJUSTED, EBM_METRIC_DIAGONAL, 1e-3, 0.9},
    };
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        double rate;
        double eta;
        double later;
        ebm_sampler *sampler = stiff_sampler(cases[i].kernel, cases[i].metric, 32, 30 + (uint64_t)i);
        STAT_OK(ebm_sampler_set_step_size(sampler, cases[i].first));
        STAT_OK(ebm_sampler_adapt(sampler, 600, cases[i].target));
        STAT_OK(ebm_sampler_get_step_size(sampler, &eta));
        STAT_OK(ebm_sampler_run(sampler, 400));
        STAT_OK(ebm_sampler_get_acceptance(sampler, &rate));
        STAT_OK(ebm_sampler_get_step_size(sampler, &later));
        assert_true(eta == later);
        if (!(rate > cases[i].target - 0.06 && rate < cases[i].target + 0.15)) {
            print_error("case %d: acceptance %.3f, target %.3f, eta %g\n", i, rate, cases[i].target, eta);
            fail();
        }
        ebm_sampler_destroy(sampler);
    }
}

/*
 * 32 chains, a last window of 350 steps or more: 11,000 states, at worst 30 times correlated: the estimates scatter by
 * sqrt(2 * 30 / 11000) = 7 percent.
 */
static void the_metric_is_the_covariance(void **state) {
    (void)state;
    stat_matrix covariance;
    stiff_covariance(4, covariance);
    for (int32_t kind = EBM_METRIC_DIAGONAL; kind <= EBM_METRIC_DENSE; kind++) {
        float w[16] = {0};
        int64_t n = kind == EBM_METRIC_DENSE ? 16 : 4;
        ebm_sampler *sampler = stiff_sampler(EBM_KERNEL_HMC, kind, 32, 30 + (uint64_t)kind);
        STAT_OK(ebm_sampler_adapt(sampler, 1000, 0.8));
        STAT_OK(ebm_sampler_get_metric(sampler, NULL, n, w));
        for (int i = 0; i < 4; i++) {
            for (int j = 0; j < 4; j++) {
                double found = kind == EBM_METRIC_DENSE ? (double)w[i * 4 + j]
                               : i == j                 ? (double)w[i]
                                                        : covariance[i][j];
                assert_true(fabs(found - covariance[i][j]) < 0.35 * sqrt(covariance[i][i] * covariance[j][j]));
            }
        }
        /* Kept when it is not to be adapted. */
        float again[16] = {0};
        STAT_OK(ebm_sampler_set_metric_adaptation(sampler, 0));
        STAT_OK(ebm_sampler_adapt(sampler, 100, 0.8));
        STAT_OK(ebm_sampler_get_metric(sampler, NULL, n, again));
        assert_memory_equal(w, again, sizeof w);
        ebm_sampler_destroy(sampler);
    }
}

/* The windows of few steps: each number of steps works, and moves the chains that often. */
static void any_number_of_steps_works(void **state) {
    (void)state;
    for (int64_t n = 0; n < 180; n += n < 30 ? 1 : 13) {
        int64_t steps;
        float w[4];
        ebm_sampler *sampler = stiff_sampler(EBM_KERNEL_HMC, EBM_METRIC_DIAGONAL, 2, 40);
        STAT_OK(ebm_sampler_adapt(sampler, n, 0.8));
        STAT_OK(ebm_sampler_get_steps(sampler, &steps));
        STAT_OK(ebm_sampler_get_metric(sampler, NULL, 4, w));
        assert_int_equal(steps, n);
        assert_int_equal(w[0] == 1 && w[1] == 1, n < 20);
        ebm_sampler_destroy(sampler);
    }
}

/* An energy that fails at its k-th call. */
typedef struct failing {
    int64_t calls, at;
} failing;

static int32_t failing_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                              void *user_data) {
    failing *f = user_data;
    const float one = 1;
    (void)theta;
    return ++f->calls == f->at ? 7 : stat_quadratic_energy(n, dim, x, &one, energy, grad_x, NULL);
}

static void a_failure_leaves_what_was_set(void **state) {
    (void)state;
    static const int64_t at[] = {1, 2, 5, 300, 700};
    for (int i = 0; i < 5; i++) {
        failing f = {.at = at[i]};
        ebm_model *model = NULL;
        const float mass[] = {2, 3};
        float after[2];
        double eta;
        STAT_OK(ebm_model_create(NULL, 2, failing_energy, NULL, &f, &model));
        ebm_sampler *sampler = stat_sampler(model, 3, 50, EBM_KERNEL_HMC, 0.25);
        STAT_OK(ebm_sampler_set_metric(sampler, EBM_METRIC_DIAGONAL, 2, mass));
        assert_int_equal(ebm_sampler_adapt(sampler, 200, 0.8), EBM_ERR_CALLBACK);
        assert_non_null(strstr(ebm_last_error(), "ebm_sampler_adapt: Markov step "));
        STAT_OK(ebm_sampler_get_step_size(sampler, &eta));
        STAT_OK(ebm_sampler_get_metric(sampler, NULL, 2, after));
        assert_true(eta == 0.25);
        assert_memory_equal(mass, after, sizeof mass);
        STAT_OK(ebm_sampler_run(sampler, 3));
        ebm_sampler_destroy(sampler);
    }
}

static void what_cannot_be_adapted_is_refused(void **state) {
    (void)state;
    ebm_sampler *sampler = stiff_sampler(EBM_KERNEL_LANGEVIN, EBM_METRIC_IDENTITY, 2, 60);
    assert_int_equal(ebm_sampler_adapt(sampler, 10, 0.5), EBM_ERR_STATE);
    STAT_OK(ebm_sampler_set_kernel(sampler, EBM_KERNEL_UNDERDAMPED));
    assert_int_equal(ebm_sampler_adapt(sampler, 10, 0.5), EBM_ERR_STATE);
    STAT_OK(ebm_sampler_set_kernel(sampler, EBM_KERNEL_MALA));
    STAT_OK(ebm_sampler_set_noise_std(sampler, 0.1));
    assert_int_equal(ebm_sampler_adapt(sampler, 10, 0.5), EBM_ERR_STATE);
    STAT_OK(ebm_sampler_set_noise_std(sampler, EBM_NOISE_STD_AUTO));
    assert_int_equal(ebm_sampler_adapt(sampler, -1, 0.5), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_adapt(sampler, 10, 0), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_adapt(sampler, 10, 1), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_adapt(sampler, 10, NAN), EBM_ERR_ARG);
    STAT_OK(ebm_sampler_adapt(sampler, 10, 0.5));
    STAT_OK(ebm_sampler_request_stop(sampler));
    assert_int_equal(ebm_sampler_adapt(sampler, 10, 0.5), EBM_ERR_STOPPED);
    STAT_OK(ebm_sampler_adapt(sampler, 10, 0.5)); /* it has been heard */
    ebm_sampler_destroy(sampler);
}

/* What a warm-up under a mask cannot have seen of the held coordinate it leaves as it was. */
static void held_coordinates_keep_their_metric(void **state) {
    (void)state;
    for (int32_t kind = EBM_METRIC_DIAGONAL; kind <= EBM_METRIC_DENSE; kind++) {
        static const uint8_t free[2] = {1, 0};
        static const float before[4] = {2, 0.5F, 0.5F, 3};
        static const float diagonal[2] = {2, 3};
        int64_t n = kind == EBM_METRIC_DENSE ? 4 : 2;
        float after[4];
        ebm_sampler *sampler = stat_sampler(stat_quadratic(NULL, 2, 1), 50, 8, EBM_KERNEL_HMC, 0.3);
        STAT_OK(ebm_sampler_set_metric(sampler, kind, n, kind == EBM_METRIC_DENSE ? before : diagonal));
        STAT_OK(ebm_sampler_set_mask(sampler, free));
        STAT_OK(ebm_sampler_adapt(sampler, 200, 0.8));
        STAT_OK(ebm_sampler_get_metric(sampler, NULL, n, after));
        assert_true(after[n - 1] == 3.0F);
        assert_true(after[0] > 0.7F && after[0] < 1.4F);
        assert_true(kind == EBM_METRIC_DIAGONAL || (after[1] == 0 && after[2] == 0));
        ebm_sampler_destroy(sampler);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_coordinates_keep_their_metric),
        cmocka_unit_test(the_acceptance_is_what_was_asked_for),
        cmocka_unit_test(the_metric_is_the_covariance),
        cmocka_unit_test(any_number_of_steps_works),
        cmocka_unit_test(a_failure_leaves_what_was_set),
        cmocka_unit_test(what_cannot_be_adapted_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

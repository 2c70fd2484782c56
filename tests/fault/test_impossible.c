/* SPDX-License-Identifier: MIT */
/*
 * Places that are impossible, or as good as that: exact kernels reject proposals there and count them, the others say
 * that they cannot.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "test_models.h"

/* What rejects +infinity as an energy, and what cannot. */
static const int32_t EXACT[] = {EBM_KERNEL_MALA, EBM_KERNEL_HMC, EBM_KERNEL_RANDOM_WALK,
                                EBM_KERNEL_UNDERDAMPED_ADJUSTED, EBM_KERNEL_NUTS};
static const int32_t INEXACT[] = {EBM_KERNEL_LANGEVIN, EBM_KERNEL_UNDERDAMPED};
enum { N_EXACT = sizeof EXACT / sizeof EXACT[0], N_INEXACT = sizeof INEXACT / sizeof INEXACT[0] };

/*
 * The half-line x > 0 as an energy: exact kernels never cross, count what they reject, and the others say that they
 * cannot.
 */
static int32_t half_line(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                         void *user_data) {
    (void)theta;
    (void)user_data;
    for (int64_t i = 0; i < n * dim; i++) {
        if (energy != NULL) {
            energy[i] = x[i] > 0 ? (double)x[i] : (double)INFINITY;
        }
        if (grad_x != NULL) {
            grad_x[i] = x[i] > 0 ? 1 : NAN; /* ignored */
        }
    }
    return EBM_CB_OK;
}

static ebm_sampler *half_line_sampler(int64_t n, float *x) {
    ebm_model *model = NULL;
    ebm_sampler *sampler = NULL;
    assert_ok(ebm_model_create(NULL, 1, half_line, NULL, NULL, &model));
    assert_ok(ebm_sampler_create(NULL, model, n, 3, &sampler));
    ebm_model_destroy(model);
    for (int64_t i = 0; i < n; i++) {
        x[i] = i < n - 1 ? 0.1F : -1.0F; /* one stands where it may not: it comes in when it can */
    }
    assert_ok(ebm_sampler_set_step_size(sampler, 0.5));
    assert_ok(ebm_sampler_set_states(sampler, n, x));
    return sampler;
}

static void test_impossible_region(void **state) {
    enum { N = 50 };
    float x[N];
    (void)state;
    for (int k = 0; k < N_EXACT; k++) {
        int64_t count;
        double acceptance;
        ebm_sampler *sampler = half_line_sampler(N, x);
        assert_ok(ebm_sampler_set_kernel(sampler, EXACT[k]));
        assert_ok(ebm_sampler_run(sampler, 600));
        assert_ok(ebm_sampler_get_states(sampler, N, x));
        for (int i = 0; i < N; i++) {
            assert_true(x[i] > 0);
        }
        assert_ok(ebm_sampler_get_nonfinite_count(sampler, &count));
        assert_ok(ebm_sampler_get_acceptance(sampler, &acceptance));
        /* Rejections are either of +infinity or of Metropolis. NUTS only ends a trajectory there. */
        assert_true(count > 0 && (EXACT[k] == EBM_KERNEL_NUTS || (double)count <= (1 - acceptance) * 600 * N + 0.5));
        ebm_sampler_destroy(sampler);
    }
    for (int k = 0; k < N_INEXACT; k++) {
        ebm_sampler *sampler = half_line_sampler(N - 1, x);
        assert_ok(ebm_sampler_set_kernel(sampler, INEXACT[k]));
        x[N - 2] = 0.1F;
        assert_ok(ebm_sampler_set_states(sampler, N - 1, x));
        assert_status(ebm_sampler_run(sampler, 200), EBM_ERR_NONFINITE);
        assert_message("+infinity");
        ebm_sampler_destroy(sampler);
    }
}

/* E = exp(x^2 / 2): finite in double far beyond where its gradient is in float. */
static int32_t steep(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                     void *user_data) {
    (void)theta;
    (void)user_data;
    for (int64_t i = 0; i < n * dim; i++) {
        double e = exp(fmin((double)x[i] * (double)x[i] / 2, 700));
        if (energy != NULL) {
            energy[i] = e;
        }
        if (grad_x != NULL) {
            grad_x[i] = (float)(e * (double)x[i]);
        }
    }
    return EBM_CB_OK;
}

/* Such a proposal would never be accepted: it is rejected, and counted; who cannot reject says what it saw. */
static void test_gradients_overflow(void **state) {
    enum { N = 200 };
    (void)state;
    for (int k = 0; k < N_EXACT + N_INEXACT; k++) {
        ebm_model *model = NULL;
        ebm_sampler *sampler = NULL;
        int64_t impossible;
        float x[N];
        assert_ok(ebm_model_create(NULL, 1, steep, NULL, NULL, &model));
        assert_ok(ebm_sampler_create(NULL, model, N, 3, &sampler));
        assert_ok(ebm_sampler_set_kernel(sampler, k < N_EXACT ? EXACT[k] : INEXACT[k - N_EXACT]));
        assert_ok(ebm_sampler_set_step_size(sampler, 20));
        assert_status(ebm_sampler_run(sampler, 20), k < N_EXACT ? EBM_OK : EBM_ERR_NONFINITE);
        assert_ok(ebm_sampler_get_nonfinite_count(sampler, &impossible));
        if (k >= N_EXACT) {
            assert_message("infinity in grad_x");
        } else if (EXACT[k] != EBM_KERNEL_RANDOM_WALK) { /* which has no gradients */
            assert_true(impossible > 0);
        }
        assert_ok(ebm_sampler_get_states(sampler, N, x));
        for (int i = 0; i < N && k < N_EXACT; i++) {
            assert_true(fabsf(x[i]) < 10);
        }
        ebm_sampler_destroy(sampler);
        ebm_model_destroy(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_impossible_region),
                                       cmocka_unit_test(test_gradients_overflow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

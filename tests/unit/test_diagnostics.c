/* SPDX-License-Identifier: MIT */
/*
 * Diagnostics of draws: values worked out by hand, what is NaN, the parts beneath them, threads. tests/python
 * compares all of it with numpy; tests/statistical with chains whose autocorrelation time is known.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "core/philox.h"
#include "evaluate/chains.h"
#include "evaluate/fft.h"
#include "evaluate/sort.h"
#include "evaluate/special.h"
#include "test_models.h"

#define assert_near(value, expected, tolerance)                                                            \
    do {                                                                                                   \
        double value_ = (value);                                                                           \
        if (!(fabs(value_ - (expected)) <= (tolerance))) {                                                 \
            fail_msg("%s is %.17g, not %.17g", #value, value_, (double)(expected));                        \
        }                                                                                                  \
    } while (0)

/* --- parts -------------------------------------------------------------------------------------------------------- */

static void test_sort(void **state) {
    enum { N = 1000 };
    uint64_t keys[N];
    uint64_t spare[N];
    (void)state;
    const float floats[] = {-INFINITY, -3e38F, -1.5F, -1e-45F, 0, 1e-45F, 2, 3e38F, INFINITY};
    for (size_t i = 0; i + 1 < sizeof floats / sizeof *floats; i++) {
        assert_true(ebm__order_of_float(floats[i]) < ebm__order_of_float(floats[i + 1]));
        assert_true(ebm__order_of_double((double)floats[i]) < ebm__order_of_double((double)floats[i + 1]));
        assert_true(ebm__float_of_order(ebm__order_of_float(floats[i])) == floats[i]);
        assert_true(ebm__double_of_order(ebm__order_of_double((double)floats[i])) == (double)floats[i]);
    }
    assert_int_equal(ebm__order_of_float(-0.0F), ebm__order_of_float(0.0F));
    assert_true(ebm__order_of_double(-0.0) == ebm__order_of_double(0.0));
    const ebm__sequence sequence = {.seed = 3, .stream = 1};
    for (int bytes = 1; bytes <= 8; bytes++) {
        for (int i = 0; i < N; i++) { /* few values in some bytes: passes are left out */
            keys[i] = ebm__random_u64(&sequence, i) & UINT64_C(0xFF0003FF00FF0100);
            keys[i] |= bytes < 8 ? (uint64_t)i & 0xFF : 0;
        }
        ebm__sort(N, keys, spare, 8 - bytes, 8);
        for (int i = 1; i < N; i++) {
            assert_true(keys[i - 1] >> 8 * (8 - bytes) <= keys[i] >> 8 * (8 - bytes));
        }
    }
    ebm__sort(0, keys, spare, 0, 8);
}

/* Equal keys keep their order: the places below them are what the diagnostics need. */
static void test_sort_is_stable(void **state) {
    enum { N = 500 };
    uint64_t keys[N];
    uint64_t spare[N];
    (void)state;
    for (uint64_t i = 0; i < N; i++) {
        keys[i] = (i * 7 % 10) << 32 | i;
    }
    ebm__sort(N, keys, spare, 4, 8);
    for (int i = 1; i < N; i++) {
        assert_true(keys[i - 1] < keys[i]);
    }
}

static void test_quantile_functions(void **state) {
    (void)state;
    /* Abramowitz and Stegun (1964), table 26.1 and 26.5; to more digits from mpmath. */
    assert_near(ebm__normal_quantile(0.5), 0, 0);
    assert_near(ebm__normal_quantile(0.975), 1.959963984540054, 1e-14);
    assert_near(ebm__normal_quantile(0.2), -0.8416212335729143, 1e-14);
    assert_near(ebm__normal_quantile(1e-10), -6.361340902404056, 1e-13);
    for (double x = -6; x <= 6; x += 0.0625) {
        double p = 0.5 * erfc(-x / sqrt(2));
        assert_near(ebm__normal_quantile(p), x, x < 0 ? 1e-13 : 1e-15 / exp(-x * x / 2));
    }
    /* Beta(1, b): 1 - (1 - p)^(1 / b); Beta(a, 1): p^(1 / a); and the median of Beta(a, a). */
    for (double a = 1; a < 1e6; a *= 7) {
        assert_near(ebm__beta_quantile(0.3, 1, a), -expm1(log(0.7) / a), 1e-9 / a);
        assert_near(ebm__beta_quantile(0.3, a, 1), exp(log(0.3) / a), 1e-9 / a + 1e-14);
        assert_near(ebm__beta_quantile(0.5, a, a), 0.5, 1e-9 / sqrt(a));
    }
}

static void test_fft(void **state) {
    enum { N = 32 };
    double cosine[N], sine[N], re[N], im[N], re0[N], im0[N];
    float x[2 * N];
    (void)state;
    test_fill(2 * N, x);
    for (int i = 0; i < N; i++) {
        re0[i] = re[i] = (double)x[i];
        im0[i] = im[i] = (double)x[N + i];
    }
    ebm__fft_roots(N, cosine, sine);
    ebm__fft_forward(N, cosine, sine, re, im);
    for (int k = 0; k < N; k++) {
        int place = 0;
        double sum_re = 0;
        double sum_im = 0;
        for (int bit = 1; bit < N; bit *= 2) {
            place = 2 * place + ((k & bit) != 0);
        }
        for (int i = 0; i < N; i++) {
            double angle = -2 * 3.14159265358979323846 * k * i / N;
            sum_re += re0[i] * cos(angle) - im0[i] * sin(angle);
            sum_im += re0[i] * sin(angle) + im0[i] * cos(angle);
        }
        assert_near(re[place], sum_re, 1e-13);
        assert_near(im[place], sum_im, 1e-13);
    }
    ebm__fft_backward(N, cosine, sine, re, im);
    for (int i = 0; i < N; i++) {
        assert_near(re[i] / N, re0[i], 1e-14);
        assert_near(im[i] / N, im0[i], 1e-14);
    }
}

/* --- by hand ------------------------------------------------------------------------------------------------------ */

/* Two chains of four: halves {1, 2}, {3, 4}, {5, 6}, {7, 8}. */
static void test_by_hand(void **state) {
    const float draws[8] = {1, 5, 2, 6, 3, 7, 4, 8};
    double mean, sd, q5, q50, q95, rhat;
    (void)state;
    assert_ok(ebm_summarize(NULL, 4, 2, 1, draws, &mean, &sd, NULL, &q5, &q50, &q95, NULL, NULL, &rhat));
    assert_near(mean, 4.5, 0);
    assert_near(sd, sqrt(6.0), 1e-15);
    assert_near(q5, 1.35, 1e-14);
    assert_near(q50, 4.5, 0);
    assert_near(q95, 7.65, 1e-14);
    double z[8];
    for (int i = 0; i < 8; i++) {
        z[i] = ebm__normal_quantile((i + 1 - 0.375) / 8.25);
    }
    double within = 0;
    double between = 0;
    for (int half = 0; half < 4; half++) {
        double a = z[2 * half];
        double b = z[2 * half + 1];
        within += (a - b) * (a - b) / 2 / 4;
        between += (a + b) * (a + b) / 4 / 3; /* the mean of all is 0 */
    }
    assert_near(rhat, sqrt(0.5 + between / within), 1e-13);
}

static void test_ebfmi(void **state) {
    const double energy[] = {0, 7, 1, 7, 3, 7, 0, 7}; /* changes 1, 2, -3; mean 1, distances -1, 0, 2, -1 */
    double ebfmi[2];
    (void)state;
    assert_ok(ebm_ebfmi(4, 2, energy, ebfmi));
    assert_near(ebfmi[0], 14.0 / 6, 1e-15);
    assert_true(isnan(ebfmi[1]));
}

static void test_auroc(void **state) {
    const double negative[] = {1, 2, 2, 5};
    const double positive[] = {2, 6, (double)INFINITY};
    double auroc;
    (void)state;
    assert_ok(ebm_auroc(NULL, 4, negative, 3, positive, &auroc));
    assert_near(auroc, (1 + 2 * 0.5 + 4 + 4) / 12, 1e-16);
    assert_ok(ebm_auroc(NULL, 3, positive, 4, negative, &auroc));
    assert_near(auroc, 1 - 10.0 / 12, 1e-16);
}

/* x = {0, 1}, y = {0, 3}: k(1), k(3), and the mean of k(0), k(3), k(1), k(2). */
static void test_mmd(void **state) {
    const float x[] = {0, 1};
    const float y[] = {0, 3};
    double mmd, width;
    (void)state;
    assert_ok(ebm_mmd(NULL, 2, x, 2, y, 1, 2, &mmd, &width));
    assert_near(width, 2, 0);
    double between = (1 + exp(-9.0 / 8) + exp(-1.0 / 8) + exp(-4.0 / 8)) / 4;
    assert_near(mmd, exp(-1.0 / 8) + exp(-9.0 / 8) - 2 * between, 1e-15);
    assert_ok(ebm_mmd(NULL, 2, x, 2, y, 1, EBM_MMD_WIDTH_MEDIAN, &mmd, &width)); /* 0 1 1 2 3 3 */
    assert_near(width, 1.5, 0);
}

/* One row of a standard normal: k0 = |x|^2 / c + dim / c^3 with the usual exponent. */
static void test_stein(void **state) {
    const float x[] = {3, -4};
    ebm_model *model = NULL;
    double discrepancy;
    (void)state;
    assert_ok(ebm_gaussian_create(NULL, 2, NULL, NULL, &model));
    assert_ok(ebm_stein_discrepancy(model, 1, x, 2, -0.5, &discrepancy));
    assert_near(discrepancy, sqrt(25.0 / 2 + 2.0 / 8), 1e-6);
    ebm_model_destroy(model);
}

/* --- what is not known -------------------------------------------------------------------------------------------- */

enum { MOST_DRAWS = 20, OUTPUTS = 9 };

static void summarize(int64_t n_draws, int64_t n_chains, const float *draws, double out[OUTPUTS]) {
    assert_ok(ebm_summarize(NULL, n_draws, n_chains, 1, draws, &out[0], &out[1], &out[2], &out[3], &out[4], &out[5],
                            &out[6], &out[7], &out[8]));
}

static void test_few_draws(void **state) {
    float draws[2 * MOST_DRAWS];
    double out[OUTPUTS];
    double other[2];
    (void)state;
    test_fill(2 * MOST_DRAWS, draws);
    for (int64_t n = 0; n <= MOST_DRAWS; n++) {
        for (int64_t chains = 1; chains <= 2; chains++) {
            summarize(n, chains, draws, out);
            const bool known[OUTPUTS] = {n > 0, n * chains > 1, n >= 12, n > 0, n > 0, n > 0, n >= 12, n >= 12, n >= 4};
            for (int i = 0; i < OUTPUTS; i++) {
                assert_int_equal(isfinite(out[i]), known[i]);
            }
            assert_ok(ebm_mcse(NULL, n, chains, 1, draws, NULL, other));
            assert_int_equal(isfinite(other[0]), n >= 12);
            assert_ok(ebm_mcse_quantile(NULL, n, chains, 1, draws, 0.5, &other[0], &other[1]));
            assert_int_equal(isfinite(other[0]), n > 0);
            assert_int_equal(isfinite(other[1]), n >= 12);
            assert_ok(ebm_autocorrelation_time(NULL, n, chains, 1, draws, other));
            assert_int_equal(isfinite(other[0]), n >= 12);
        }
    }
    summarize(0, 1, NULL, out);
}

static void test_chains_that_stand_still(void **state) {
    float draws[2 * MOST_DRAWS];
    double out[OUTPUTS];
    (void)state;
    for (int i = 0; i < 2 * MOST_DRAWS; i++) {
        draws[i] = 0.1F;
    }
    summarize(MOST_DRAWS, 2, draws, out);
    const bool known[OUTPUTS] = {true, true, false, true, true, true, false, false, false};
    for (int i = 0; i < OUTPUTS; i++) {
        assert_int_equal(!isnan(out[i]), known[i]);
    }
    assert_near(out[0], 0.1, 1e-8);
    assert_near(out[1], 0, 1e-15);
    for (int i = 0; i < MOST_DRAWS; i++) {
        draws[2 * i] = 0.3F; /* the chains differ, none moves */
    }
    summarize(MOST_DRAWS, 2, draws, out);
    assert_true(isinf(out[8]) && out[8] > 0);
    assert_in_range((int)(10 * out[6]), 0, 40); /* four halves, each as good as one draw at most */
}

static void test_nothing_to_compare(void **state) {
    const float row[] = {1, 2};
    const double score[] = {1};
    double value = 0;
    double width = 0;
    ebm_model *model = NULL;
    (void)state;
    assert_ok(ebm_mmd(NULL, 0, NULL, 1, row, 2, EBM_MMD_WIDTH_MEDIAN, &value, &width));
    assert_true(isnan(value) && isnan(width));
    assert_ok(ebm_auroc(NULL, 0, NULL, 1, score, &value));
    assert_true(isnan(value));
    value = 0;
    assert_ok(ebm_auroc(NULL, 1, score, 0, NULL, &value));
    assert_true(isnan(value));
    value = 0;
    assert_ok(ebm_ebfmi(0, 1, NULL, &value));
    assert_true(isnan(value));
    value = 0;
    assert_ok(ebm_gaussian_create(NULL, 2, NULL, NULL, &model));
    assert_ok(ebm_stein_discrepancy(model, 0, NULL, 1, -0.5, &value));
    assert_true(isnan(value));
    ebm_model_destroy(model);
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

static int32_t backwards(int64_t n_tasks, ebm_task_fn task, void *task_data, void *user_data) {
    (void)user_data;
    for (int64_t i = n_tasks - 1; i >= 0; i--) {
        task(i, task_data);
    }
    return EBM_CB_OK;
}

enum { T_DRAWS = 301, T_CHAINS = 2, T_DIM = 37 };

typedef struct results {
    double summary[OUTPUTS][T_DIM];
    double mmd, stein;
} results;

static void diagnose_all(ebm_context *context, const float *draws, results *r) {
    ebm_model *model = NULL;
    assert_ok(ebm_summarize(context, T_DRAWS, T_CHAINS, T_DIM, draws, r->summary[0], r->summary[1], r->summary[2],
                            r->summary[3], r->summary[4], r->summary[5], r->summary[6], r->summary[7], r->summary[8]));
    assert_ok(ebm_mmd(context, 200, draws, 150, draws + 200 * T_DIM, T_DIM, EBM_MMD_WIDTH_MEDIAN, &r->mmd, NULL));
    assert_ok(ebm_gaussian_create(context, T_DIM, NULL, NULL, &model));
    assert_ok(ebm_stein_discrepancy(model, 333, draws, 1, -0.4, &r->stein));
    ebm_model_destroy(model);
}

static void test_threads_change_nothing(void **state) {
    ebm_context *context = NULL;
    results one;
    results other;
    (void)state;
    float *draws = malloc(sizeof(float) * T_DRAWS * T_CHAINS * T_DIM);
    assert_non_null(draws);
    test_fill((int64_t)T_DRAWS * T_CHAINS * T_DIM, draws);
    for (int64_t i = T_CHAINS * T_DIM; i < (int64_t)T_DRAWS * T_CHAINS * T_DIM; i++) {
        draws[i] += 0.99F * draws[i - T_CHAINS * T_DIM]; /* so that the transform takes part */
    }
    diagnose_all(NULL, draws, &one);
    assert_ok(ebm_context_create(&context));
    for (int32_t threads = 1; threads <= 3; threads++) {
        assert_ok(ebm_context_set_threads(context, threads));
        memset(&other, 0, sizeof other);
        diagnose_all(context, draws, &other);
        assert_memory_equal(&other, &one, sizeof one);
    }
    assert_ok(ebm_context_set_parallel_for(context, backwards, NULL));
    memset(&other, 0, sizeof other);
    diagnose_all(context, draws, &other);
    assert_memory_equal(&other, &one, sizeof one);
    ebm_context_destroy(context);
    free(draws);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sort),
        cmocka_unit_test(test_sort_is_stable),
        cmocka_unit_test(test_quantile_functions),
        cmocka_unit_test(test_fft),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_ebfmi),
        cmocka_unit_test(test_auroc),
        cmocka_unit_test(test_mmd),
        cmocka_unit_test(test_stein),
        cmocka_unit_test(test_few_draws),
        cmocka_unit_test(test_chains_that_stand_still),
        cmocka_unit_test(test_nothing_to_compare),
        cmocka_unit_test(test_threads_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

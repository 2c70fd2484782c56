/* SPDX-License-Identifier: MIT */
/* ebm_scale: its formula, its chance, and that it does not matter how data are cut into calls. */
#include <stdlib.h>

#include "test_models.h"

enum { N = 5000 };

static void fill_levels(int64_t n, float *x) {
    for (int64_t i = 0; i < n; i++) {
        x[i] = (float)(i % 256);
    }
}

/* Without a width: (x scale + shift), rounded once. */
static void test_scaling(void **state) {
    (void)state;
    float x[N];
    fill_levels(N, x);
    assert_ok(ebm_scale(0, N, x, 1, 0, 2.0 / 255, -1));
    for (int64_t i = 0; i < N; i++) {
        float expected = (float)((double)(i % 256) * (2.0 / 255) - 1);
        assert_true(x[i] == expected);
    }
    assert_true(x[0] == -1 && x[255] == 1);
    assert_ok(ebm_scale(7, 0, NULL, 1, 1, 1, 0));
}

/*
 * u is uniform on [0, 1): its mean is 1/2, of standard error sqrt(1/12 / n), its mean square 1/3, of sqrt(4/45 / n),
 * and neighbours are uncorrelated, of 1/12 / sqrt(n). 4.5 standard errors, with a seed that is fixed.
 */
static void test_dequantisation(void **state) {
    (void)state;
    enum { MANY = 200000 };
    float *x = malloc(MANY * sizeof *x);
    assert_non_null(x);
    fill_levels(MANY, x);
    assert_ok(ebm_scale(0, MANY, x, 11, 1, 1.0 / 256, 0));
    double mean = 0;
    double square = 0;
    double neighbours = 0;
    double before = 0.5;
    for (int64_t i = 0; i < MANY; i++) {
        double u = (double)x[i] * 256 - (double)(i % 256);
        assert_true(u >= 0 && u <= 1);
        mean += u / MANY;
        square += u * u / MANY;
        neighbours += (u - 0.5) * (before - 0.5) / MANY;
        before = u;
    }
    assert_true(fabs(mean - 0.5) < 4.5 * sqrt(1.0 / 12 / MANY));
    assert_true(fabs(square - 1.0 / 3) < 4.5 * sqrt(4.0 / 45 / MANY));
    assert_true(fabs(neighbours) < 4.5 / 12 / sqrt(MANY));
    free(x);
}

/* The number of a float decides, not the call; another seed gives other noise. */
static void test_splits(void **state) {
    (void)state;
    float whole[N];
    fill_levels(N, whole);
    assert_ok(ebm_scale(3, N, whole, 5, 0.5, 0.1, 2));
    for (int64_t size = 1; size < 3000; size = 3 * size + 1) {
        float parts[N];
        fill_levels(N, parts);
        for (int64_t at = 0; at < N; at += size) {
            int64_t n = N - at < size ? N - at : size;
            assert_ok(ebm_scale(3 + at, n, parts + at, 5, 0.5, 0.1, 2));
        }
        assert_memory_equal(parts, whole, sizeof whole);
    }
    float other[N];
    fill_levels(N, other);
    assert_ok(ebm_scale(3, N, other, 6, 0.5, 0.1, 2));
    int64_t n_same = 0;
    for (int64_t i = 0; i < N; i++) {
        n_same += other[i] == whole[i];
    }
    assert_true(n_same < N / 100);
    float far[2] = {0, 0};
    assert_ok(ebm_scale(INT64_MAX - 2, 2, far, 5, 1, 1, 0));
    assert_true(far[0] != far[1] && far[0] >= 0 && far[0] < 1);
}

#define REFUSED(call, text)                  \
    do {                                     \
        assert_status((call), EBM_ERR_ARG);  \
        assert_message("ebm_scale: " text);  \
        assert_memory_equal(x, as_it_was, sizeof x); \
    } while (0)

/* Refused, and nothing is written, whatever stands before the float that is wrong. */
static void test_refusals(void **state) {
    (void)state;
    float x[3] = {1, 2, 3e38F};
    float as_it_was[3];
    memcpy(as_it_was, x, sizeof x);
    REFUSED(ebm_scale(-1, 3, x, 1, 1, 1, 0), "first is -1");
    REFUSED(ebm_scale(0, -1, x, 1, 1, 1, 0), "n is -1");
    REFUSED(ebm_scale(INT64_MAX, 1, x, 1, 1, 1, 0), "n is 1");
    REFUSED(ebm_scale(0, 3, NULL, 1, 1, 1, 0), "x is NULL");
    REFUSED(ebm_scale(0, 3, x, 1, -1, 1, 0), "width is -1");
    REFUSED(ebm_scale(0, 3, x, 1, (double)NAN, 1, 0), "width is nan");
    REFUSED(ebm_scale(0, 3, x, 1, 1, 0, 0), "scale is 0");
    REFUSED(ebm_scale(0, 3, x, 1, 1, (double)INFINITY, 0), "scale is inf");
    REFUSED(ebm_scale(0, 3, x, 1, 1, 1, 1e39), "shift is 1e+39");
    REFUSED(ebm_scale(0, 3, x, 1, 1, 2, 0), "x[2] is 3e+38, which is scaled beyond float");
    REFUSED(ebm_scale(0, 3, x, 1, 1e38, 1, 0), "x[2] is 3e+38, which is scaled beyond float");
    x[1] = as_it_was[1] = NAN;
    REFUSED(ebm_scale(0, 3, x, 1, 1, 1, 0), "x[1] is nan");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scaling),
        cmocka_unit_test(test_dequantisation),
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* What the tests of the built-in energies share. */
#ifndef EBM_TESTS_ENERGIES_SUPPORT_H
#define EBM_TESTS_ENERGIES_SUPPORT_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ebm/ebm.h>

#include "core/simd.h"
#include "test_models.h"

/* cmocka 1.1.5 has none for doubles. */
#define assert_near(value, expected, tolerance)                                                                     \
    do {                                                                                                            \
        double value_ = (double)(value);                                                                            \
        double expected_ = (double)(expected);                                                                      \
        if (!(fabs(value_ - expected_) <= (tolerance))) {                                                           \
            fail_msg("%s\n  is %.9g, must be within %.3g of %.9g", #value, value_, (double)(tolerance), expected_); \
        }                                                                                                           \
    } while (0)

static inline void fill_normals(uint64_t seed, int64_t n, float *out) {
    const ebm__sequence sequence = {.seed = seed, .step = 0, .stream = EBM__STREAM_NOISE};
    ebm__simd_used()->normals(&sequence, 0, n, out);
}

static inline float *new_normals(uint64_t seed, int64_t n) {
    float *values = malloc((size_t)n * sizeof *values);
    assert_non_null(values);
    fill_normals(seed, n, values);
    return values;
}

/* I + A A' / dim for a random A: symmetric, positive definite. */
static inline float *new_precision(int64_t dim) {
    float *a = new_normals(11, dim * dim);
    float *p = malloc((size_t)(dim * dim) * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < dim; i++) {
        for (int64_t j = 0; j < dim; j++) {
            double sum = i == j ? 1.0 : 0.0;
            for (int64_t k = 0; k < dim; k++) {
                sum += (double)a[i * dim + k] * (double)a[j * dim + k] / (double)dim;
            }
            p[i * dim + j] = (float)sum;
        }
    }
    free(a);
    return p;
}

static inline void check_gradients(ebm_model *model, int64_t n, uint64_t seed) {
    double worst_x;
    double worst_theta;
    float *x = new_normals(seed, n * ebm_model_dim(model));
    assert_ok(ebm_model_check_gradients(model, n, x, &worst_x, &worst_theta));
    assert_true(worst_x > 0.0 && worst_x < 1e-3);
    assert_true(worst_theta > 0.0 && worst_theta < 1e-3);
    free(x);
}

#endif /* EBM_TESTS_ENERGIES_SUPPORT_H */

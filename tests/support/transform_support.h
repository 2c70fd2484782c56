/* SPDX-License-Identifier: MIT */
/* Transformed models for the tests of ebm_transformed_create. */
#ifndef EBM_TESTS_TRANSFORM_SUPPORT_H
#define EBM_TESTS_TRANSFORM_SUPPORT_H

#include <float.h>
#include <stdbool.h>

#include "energies_support.h"

enum { MOST = 32 };

typedef struct block_case {
    int32_t kind;
    int64_t size;
    double lo, hi;
} block_case;

/* A transformed model that alone keeps the inner one. */
static inline ebm_model *wrap(ebm_model *inner, int32_t n, const block_case *blocks) {
    int32_t kinds[MOST];
    int64_t sizes[MOST];
    double lo[MOST];
    double hi[MOST];
    for (int32_t b = 0; b < n; b++) {
        kinds[b] = blocks[b].kind;
        sizes[b] = blocks[b].size;
        lo[b] = blocks[b].lo;
        hi[b] = blocks[b].hi;
    }
    ebm_model *model = NULL;
    assert_ok(ebm_transformed_create(NULL, inner, n, kinds, sizes, lo, hi, &model));
    ebm_model_destroy(inner);
    return model;
}

static inline int64_t natural_dim(int32_t n, const block_case *blocks) {
    int64_t dim = 0;
    for (int32_t b = 0; b < n; b++) {
        dim += blocks[b].size;
    }
    return dim;
}

/* E = 0, for finite x. */
static inline int32_t flat(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                           void *user_data) {
    (void)theta;
    (void)user_data;
    for (int64_t i = 0; i < n * dim; i++) {
        assert_true(fabsf(x[i]) <= FLT_MAX);
    }
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        energy[r] = 0;
    }
    for (int64_t i = 0; grad_x != NULL && i < n * dim; i++) {
        grad_x[i] = 0;
    }
    return EBM_CB_OK;
}

static inline ebm_model *flat_model(int32_t n, const block_case *blocks) {
    ebm_model *inner = NULL;
    assert_ok(ebm_model_create(NULL, natural_dim(n, blocks), flat, NULL, NULL, &inner));
    return wrap(inner, n, blocks);
}

/* Every kind, 15 coordinates from 13. */
static const block_case MIXED[] = {{EBM_TRANSFORM_SIMPLEX, 4, 0, 0},  {EBM_TRANSFORM_LOWER, 2, -1.5, 0},
                                   {EBM_TRANSFORM_NONE, 1, 0, 0},     {EBM_TRANSFORM_ORDERED, 3, 0, 0},
                                   {EBM_TRANSFORM_INTERVAL, 2, -2, 3}, {EBM_TRANSFORM_UPPER, 1, 0, 0.75},
                                   {EBM_TRANSFORM_SIMPLEX, 2, 0, 0}};
enum { N_MIXED = sizeof MIXED / sizeof MIXED[0], MIXED_X = 15, MIXED_Y = 13 };

/* Some Gaussian, the same at every call. */
static inline ebm_model *gaussian(int64_t dim) {
    float *mean = new_normals(2, dim);
    float *precision = new_precision(dim);
    ebm_model *model = NULL;
    assert_ok(ebm_gaussian_create(NULL, dim, mean, precision, &model));
    free(mean);
    free(precision);
    return model;
}

#endif /* EBM_TESTS_TRANSFORM_SUPPORT_H */

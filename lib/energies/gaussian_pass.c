/* SPDX-License-Identifier: MIT */
/*
 * The Gaussian's callbacks. With d = x - m and S = (P + P') / 2: E = d' P d / 2 = d' S d / 2, dE/dx = S d,
 * dE/dm = -S d, dE/dP = d d' / 2. S, not P, stands in the gradients, which so stay right when P is unsymmetric.
 */
#include <stddef.h>

#include "core/blas.h"
#include "energies/gaussian.h"
#include "energies/loops.h"

/*
 * SMALL: up to this dim, loops are faster than a matrix product (with OpenBLAS about twice at 2, the same at 4).
 * ROWS: working memory holds this many rows at a time.
 */
enum { SMALL = 4, LANES = 64, TILE = 16, ROWS = 256 };

/* One copy each of what several functions call: as large as a loop made for vectors is, and no faster inside them. */
#define NOINLINE __attribute__((noinline))

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* s = (p + p') / 2, in tiles that stay in the cache while they are read across. */
static NOINLINE void symmetric_part(int64_t dim, const float *p, float *s) {
    for (int64_t i0 = 0; i0 < dim; i0 += TILE) {
        for (int64_t j0 = 0; j0 < dim; j0 += TILE) {
            for (int64_t i = i0; i < least(i0 + TILE, dim); i++) {
                for (int64_t j = j0; j < least(j0 + TILE, dim); j++) {
                    s[i * dim + j] = 0.5F * p[i * dim + j] + 0.5F * p[j * dim + i];
                }
            }
        }
    }
}

/* d[r, i] = x[r, i] - mean[i] */
static NOINLINE void subtract_mean(int64_t n, int64_t dim, const float *x, const float *mean, float *d) {
    for (int64_t r = 0; r < n; r++) {
        for (int64_t i = 0; i < dim; i++) {
            d[r * dim + i] = x[r * dim + i] - mean[i];
        }
    }
}

/* Up to LANES rows of a small dim, turned so that a vector holds one coordinate of many rows. */
static void small_rows(int64_t n, int64_t dim, const float *x, const float *mean, const float *s, double *energy,
                       float *grad_x) {
    float d[SMALL][LANES] = {{0}};
    float product[SMALL][LANES];
    for (int64_t i = 0; i < dim; i++) {
        for (int64_t r = 0; r < n; r++) {
            d[i][r] = x[r * dim + i] - mean[i];
        }
    }
    for (int64_t i = 0; i < dim; i++) {
        for (int64_t r = 0; r < LANES; r++) {
            product[i][r] = s[i * dim] * d[0][r];
        }
        for (int64_t j = 1; j < dim; j++) {
            for (int64_t r = 0; r < LANES; r++) {
                product[i][r] += s[i * dim + j] * d[j][r];
            }
        }
    }
    for (int64_t i = 0; grad_x != NULL && i < dim; i++) {
        for (int64_t r = 0; r < n; r++) {
            grad_x[r * dim + i] = product[i][r];
        }
    }
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        double sum = 0.0;
        for (int64_t i = 0; i < dim; i++) {
            sum += (double)d[i][r] * (double)product[i][r];
        }
        energy[r] = 0.5 * sum;
    }
}

static void small_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x) {
    float s[SMALL * SMALL];
    symmetric_part(dim, theta + dim, s);
    for (int64_t first = 0; first < n; first += LANES) {
        small_rows(least(LANES, n - first), dim, x + first * dim, theta, s, energy == NULL ? NULL : energy + first,
                   grad_x == NULL ? NULL : grad_x + first * dim);
    }
}

/* Energies alone do not need the symmetric part: they are the same without it. */
static int32_t large_energy(ebm__gaussian *gaussian, int64_t n, const float *x, const float *theta, double *energy,
                            float *grad_x) {
    int64_t dim = gaussian->dim;
    int64_t rows = least(ROWS, n);
    int64_t second = grad_x != NULL ? dim : rows; /* rows of what stands beside d: s, or a product that nobody wants */
    int64_t bytes = (rows + second) * dim * (int64_t)sizeof(float);
    float *d = ebm__scratch_borrow(&gaussian->state.scratch, bytes, "Gaussian");
    if (d == NULL) {
        return EBM_ERR_NOMEM;
    }
    float *beside = d + rows * dim;
    const float *matrix = theta + dim;
    if (grad_x != NULL) {
        symmetric_part(dim, theta + dim, beside);
        matrix = beside;
    }
    for (int64_t first = 0; first < n; first += rows) {
        int64_t count = least(rows, n - first);
        float *product = grad_x != NULL ? grad_x + first * dim : beside;
        subtract_mean(count, dim, x + first * dim, theta, d);
        ebm__gemm(false, false, count, dim, dim, d, matrix, 0.0F, product);
        for (int64_t r = 0; energy != NULL && r < count; r++) {
            energy[first + r] = 0.5 * ebm__dot(dim, d + r * dim, product + r * dim);
        }
    }
    ebm__scratch_return(&gaussian->state.scratch, d);
    return EBM_CB_OK;
}

int32_t ebm__gaussian_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                             void *user_data) {
    if (dim <= SMALL) {
        small_energy(n, dim, x, theta, energy, grad_x);
        return EBM_CB_OK;
    }
    return large_energy(user_data, n, x, theta, energy, grad_x);
}

/* grad_theta from memory for two blocks of rows (d, and w d / 2) and one row (the sum of w d). */
static void sum_gradients(int64_t n, int64_t dim, int64_t rows, const float *x, const float *weight, const float *theta,
                          float *memory, float *grad_theta) {
    float *d = memory;
    float *weighted = d + rows * dim;
    float *sum = weighted + rows * dim;
    float *grad_precision = grad_theta + dim;
    for (int64_t first = 0; first < n; first += rows) {
        int64_t count = least(rows, n - first);
        subtract_mean(count, dim, x + first * dim, theta, d);
        ebm__column_sums(count, dim, d, weight + first, first > 0, sum);
        for (int64_t r = 0; r < count; r++) {
            float half = 0.5F * weight[first + r];
            for (int64_t i = 0; i < dim; i++) {
                weighted[r * dim + i] = half * d[r * dim + i];
            }
        }
        ebm__gemm(true, false, dim, dim, count, weighted, d, first > 0 ? 1.0F : 0.0F, grad_precision);
    }
    /* dE/dm = -(P sum + P' sum) / 2 */
    ebm__gemm(false, true, 1, dim, dim, sum, theta + dim, 0.0F, grad_theta);
    ebm__gemm(false, false, 1, dim, dim, sum, theta + dim, 1.0F, grad_theta);
    for (int64_t i = 0; i < dim; i++) {
        grad_theta[i] *= -0.5F;
    }
}

int32_t ebm__gaussian_param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta,
                                 double *energy, float *grad_theta, void *user_data) {
    ebm__gaussian *gaussian = user_data;
    if (energy != NULL) {
        int32_t answer = ebm__gaussian_energy(n, dim, x, theta, energy, NULL, user_data);
        if (answer != EBM_CB_OK) {
            return answer;
        }
    }
    if (grad_theta == NULL) {
        return EBM_CB_OK;
    }
    int64_t rows = least(ROWS, n);
    int64_t bytes = (2 * rows + 1) * dim * (int64_t)sizeof(float);
    float *memory = ebm__scratch_borrow(&gaussian->state.scratch, bytes, "Gaussian");
    if (memory == NULL) {
        return EBM_ERR_NOMEM;
    }
    sum_gradients(n, dim, rows, x, weight, theta, memory, grad_theta);
    ebm__scratch_return(&gaussian->state.scratch, memory);
    return EBM_CB_OK;
}

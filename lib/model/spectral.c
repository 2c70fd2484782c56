/* SPDX-License-Identifier: MIT */
/*
 * Projection onto matrices of bounded norm after every training step (Gouk, Frank, Pfahringer and Cree 2021): W <- W
 * min(1, limit / |W|). The norm is a Schatten norm of high order, by repeated squaring: products alone, no start, no
 * question of convergence, and an upper bound of the spectral norm whatever W is.
 */
#include "model/spectral.h"

#include <inttypes.h>
#include <math.h>

#include "core/blas.h"
#include "core/error.h"
#include "core/memory.h"

enum { SQUARINGS = 6 }; /* the trace of (W W')^128, of s^256, is the square of the Frobenius norm of (W W')^64 */

static int64_t smaller_side(int64_t rows, int64_t columns) {
    return rows < columns ? rows : columns;
}

static double trace_of(int64_t n, const float *a) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)a[i * n + i];
    }
    return sum;
}

double ebm__spectral_bound(int64_t rows, int64_t columns, const float *a, float *work) {
    int64_t n = smaller_side(rows, columns);
    float *power = work;
    float *square = work + n * n;
    double order = 1;
    double log_scale = 0; /* (W W')^order is power times exp of this */
    ebm__gemm(rows > columns, rows <= columns, n, n, rows > columns ? rows : columns, a, a, 0.0F, power);
    for (int i = 0; i <= SQUARINGS; i++) {
        double trace = trace_of(n, power); /* of eigenvalues of 0 or more: none is larger */
        if (!(trace > 0) || isinf(trace)) {
            return 0;
        }
        float inverse = (float)(1 / trace);
        log_scale += log(trace);
        for (int64_t j = 0; j < n * n; j++) {
            power[j] *= inverse;
        }
        if (i == SQUARINGS) {
            break;
        }
        ebm__gemm(false, false, n, n, n, power, power, 0.0F, square);
        float *swap = power;
        power = square;
        square = swap;
        order *= 2;
        log_scale *= 2;
    }
    double sum = 0;
    for (int64_t j = 0; j < n * n; j++) {
        sum += (double)power[j] * (double)power[j];
    }
    return exp((2 * log_scale + log(sum)) / (4 * order));
}

/* The matrix that a tensor is; false for vectors and numbers. */
static bool is_matrix(const ebm__tensor *tensor, int64_t *rows, int64_t *columns) {
    if (tensor->rank < 2) {
        return false;
    }
    *rows = tensor->shape[0];
    *columns = tensor->size / tensor->shape[0];
    return *rows <= EBM__BLAS_MAX && *columns <= EBM__BLAS_MAX;
}

static ebm_status reserve(ebm_model *model, const char *caller) {
    int64_t most = 0;
    int64_t bytes;
    for (int64_t t = 0; t < model->n_tensors; t++) {
        int64_t rows;
        int64_t columns;
        if (is_matrix(&model->tensors[t], &rows, &columns) && smaller_side(rows, columns) > most) {
            most = smaller_side(rows, columns);
        }
    }
    if (!ebm__multiply(most, most, &bytes) || !ebm__multiply(bytes, 2 * sizeof(float), &bytes)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: a matrix of %" PRId64 " rows and columns does not fit", caller, most);
    }
    return ebm__reserve(model->handle.context, bytes, caller, &model->spectral, &model->spectral_bytes);
}

ebm_status ebm__model_limit_norms(ebm_model *model, float *theta, const char *caller) {
    if (model->spectral_limit == 0) {
        return EBM_OK;
    }
    EBM__TRY(reserve(model, caller));
    for (int64_t t = 0; t < model->n_tensors; t++) {
        const ebm__tensor *tensor = &model->tensors[t];
        int64_t rows;
        int64_t columns;
        if (!is_matrix(tensor, &rows, &columns)) {
            continue;
        }
        float *w = theta + tensor->offset;
        double bound = ebm__spectral_bound(rows, columns, w, model->spectral);
        if (bound > model->spectral_limit) {
            float scale = (float)(model->spectral_limit / bound);
            for (int64_t i = 0; i < tensor->size; i++) {
                w[i] *= scale;
            }
        }
    }
    return EBM_OK;
}

ebm_status ebm_model_set_spectral_limit(ebm_model *model, double limit) {
    EBM__REQUIRE(model);
    if (!(limit >= 0 && isfinite(limit))) {
        return ebm__fail(EBM_ERR_ARG, "%s: limit is %g, must be finite and 0 or more", __func__, limit);
    }
    EBM__USE(use, model);
    model->spectral_limit = limit;
    return EBM_OK;
}

ebm_status ebm_model_get_spectral_limit(const ebm_model *model, double *limit) {
    EBM__REQUIRE(model);
    EBM__REQUIRE(limit);
    EBM__TRY(ebm__readable(&model->handle, __func__));
    *limit = model->spectral_limit;
    return EBM_OK;
}

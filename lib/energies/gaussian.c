/* SPDX-License-Identifier: MIT */
/* Making a Gaussian energy: what a mean and a precision matrix must be, and where they start. */
#include "energies/gaussian.h"

#include <ebm/energies.h>

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "energies/builtin.h"

static const char CALLER[] = "ebm_gaussian_create";

static ebm_status check_mean(int64_t dim, const float *mean) {
    for (int64_t i = 0; i < dim; i++) {
        if (!isfinite(mean[i])) {
            return ebm__fail(EBM_ERR_ARG, "%s: mean[%" PRId64 "] is %g, must be finite", CALLER, i, (double)mean[i]);
        }
    }
    return EBM_OK;
}

/*
 * The two halves may differ by rounding, 1e-6 of what |P_ij| can be at most where P is positive definite: the geometric
 * mean of P_ii and P_jj. A diagonal entry that is not positive is left to the factorisation.
 */
static ebm_status check_symmetric(int64_t dim, const float *p) {
    for (int64_t i = 0; i < dim; i++) {
        for (int64_t j = 0; j <= i; j++) {
            double lower = (double)p[i * dim + j];
            double upper = (double)p[j * dim + i];
            if (!isfinite(lower) || !isfinite(upper)) {
                return ebm__fail(EBM_ERR_ARG,
                                 "%s: precision[%" PRId64 ", %" PRId64 "] or its mirror is %g, must be finite", CALLER,
                                 i, j, isfinite(lower) ? upper : lower);
            }
            double size = sqrt(fabs((double)p[i * dim + i] * (double)p[j * dim + j]));
            if (fabs(lower - upper) > 1e-6 * size) {
                return ebm__fail(EBM_ERR_ARG,
                                 "%s: precision[%" PRId64 ", %" PRId64 "] is %g and its mirror %g, must be symmetric",
                                 CALLER, i, j, lower, upper);
            }
        }
    }
    return EBM_OK;
}

static double dot(int64_t n, const double *a, const double *b) {
    double lane[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        for (int j = 0; j < 4; j++) {
            lane[j] += a[i + j] * b[i + j];
        }
    }
    for (int j = 0; i + j < n; j++) {
        lane[j] += a[i + j] * b[i + j];
    }
    return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

/*
 * Cholesky's factorisation of the symmetric part, row by row: L_ij = (P_ij - sum_k L_ik L_jk) / L_jj. A pivot that is
 * no larger than the rounding error of a factorisation, (dim + 1) eps P_ii (Higham 2002, theorem 10.3), counts as zero.
 */
static ebm_status factorise(int64_t dim, const float *p, double *factor) {
    for (int64_t i = 0; i < dim; i++) {
        double *row = factor + i * dim;
        for (int64_t j = 0; j < i; j++) {
            double entry = 0.5 * ((double)p[i * dim + j] + (double)p[j * dim + i]);
            row[j] = (entry - dot(j, row, factor + j * dim)) / factor[j * dim + j];
        }
        double diagonal = (double)p[i * dim + i];
        double pivot = diagonal - dot(i, row, row);
        if (!(pivot > (double)(dim + 1) * DBL_EPSILON * diagonal)) {
            return ebm__fail(EBM_ERR_ARG,
                             "%s: precision is not positive definite: pivot %" PRId64 " is %g, must be above 0",
                             CALLER, i, pivot);
        }
        row[i] = sqrt(pivot);
    }
    return EBM_OK;
}

static ebm_status check_precision(ebm_context *context, int64_t dim, const float *precision) {
    EBM__TRY(check_symmetric(dim, precision));
    double *factor;
    EBM__TRY(ebm__alloc(context, dim * dim, sizeof(double), CALLER, &factor));
    ebm_status status = factorise(dim, precision, factor);
    ebm__free(context, factor);
    return status;
}

static int32_t init(uint64_t seed, int64_t n_params, float *theta, void *user_data) {
    const ebm__gaussian *gaussian = user_data;
    (void)seed;
    memset(theta, 0, (size_t)n_params * sizeof(float));
    for (int64_t i = 0; i < gaussian->dim; i++) {
        theta[gaussian->dim + i * (gaussian->dim + 1)] = 1.0F;
    }
    return EBM_CB_OK;
}

static ebm_status add_tensors(ebm_model *model, int64_t dim) {
    int64_t shape[2] = {dim, dim};
    EBM__TRY(ebm_model_add_tensor(model, "mean", 1, shape));
    return ebm_model_add_tensor(model, "precision", 2, shape);
}

static ebm_status set_values(ebm_context *context, ebm_model *model, int64_t dim, const float *mean,
                             const float *precision) {
    EBM__TRY(ebm_model_init_params(model, 0));
    if (mean != NULL) {
        EBM__TRY(check_mean(dim, mean));
        EBM__TRY(ebm_model_set_tensor(model, "mean", dim, mean));
    }
    if (precision != NULL) {
        EBM__TRY(check_precision(context, dim, precision));
        EBM__TRY(ebm_model_set_tensor(model, "precision", dim * dim, precision));
    }
    return EBM_OK;
}

ebm_status ebm_gaussian_create(ebm_context *context, int64_t dim, const float *mean, const float *precision,
                               ebm_model **out) {
    static const ebm__builtin_callbacks callbacks = {ebm__gaussian_energy, ebm__gaussian_param_grad, init, NULL};
    EBM__REQUIRE(out);
    EBM__TRY(ebm__builtin_check_dim(dim, CALLER));
    if (dim > (INT64_MAX / (int64_t)sizeof(float) - dim) / dim) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: dim is %" PRId64 ", and dim x dim floats do not fit", CALLER, dim);
    }
    ebm__gaussian *gaussian;
    EBM__TRY(ebm__builtin_state_create(context, sizeof *gaussian, CALLER, &gaussian));
    gaussian->dim = dim;
    ebm_model *model;
    EBM__TRY(ebm__builtin_model_create(context, dim, &callbacks, gaussian, &model));
    ebm_status status = add_tensors(model, dim);
    if (status == EBM_OK) {
        status = set_values(context, model, dim, mean, precision);
    }
    if (status != EBM_OK) {
        ebm_model_destroy(model);
        return status;
    }
    *out = model;
    return EBM_OK;
}

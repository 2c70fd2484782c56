/* SPDX-License-Identifier: MIT */
#include "sampler/metric.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/blas.h"
#include "core/memory.h"
#include "sampler/bounds.h"
#include "sampler/settings.h"

int64_t ebm__metric_size(const ebm_sampler *sampler) {
    switch (sampler->settings.metric) {
        case EBM_METRIC_DIAGONAL:
            return sampler->dim;
        case EBM_METRIC_DENSE:
            return sampler->dim * sampler->dim;
        default:
            return 0;
    }
}

/* Of the largest element on the diagonal of a row: below, a pivot is taken for rounding. */
static const double LEAST_PIVOT = 1e-13;

/*
 * L of the free rows and columns of the symmetric W (Cholesky; Golub and Van Loan 2013, alg. 4.2.1), zeros elsewhere.
 * Returns the row at which W turns out not to be positive definite, or -1. Only the lower triangle of W is read.
 */
static int64_t factorize(int64_t dim, const uint8_t *mask, const float *w, double *l) {
    memset(l, 0, (size_t)(dim * dim) * sizeof *l);
    for (int64_t i = 0; i < dim; i++) {
        if (mask != NULL && mask[i] == 0) {
            continue;
        }
        for (int64_t j = 0; j <= i; j++) {
            if (mask != NULL && mask[j] == 0) {
                continue;
            }
            double sum = (double)w[i * dim + j];
            for (int64_t k = 0; k < j; k++) {
                sum -= l[i * dim + k] * l[j * dim + k];
            }
            if (i > j) {
                l[i * dim + j] = sum / l[j * dim + j];
            } else if (sum > LEAST_PIVOT * (double)w[i * dim + i]) {
                l[i * dim + i] = sqrt(sum);
            } else {
                return i;
            }
        }
    }
    return -1;
}

/* See ebm__scale: what comes first stands again at the end. */
static int64_t scale_size(int64_t dim) {
    return dim + EBM__GROUP - 1;
}

static void make_scale(ebm_sampler *sampler) {
    for (int64_t e = 0; e < scale_size(sampler->dim); e++) {
        int64_t i = e % sampler->dim;
        bool is_free = sampler->mask == NULL || sampler->mask[i] != 0;
        float scale = ebm__has_metric(sampler) ? sqrtf(sampler->inverse_mass[i]) : 1.0F;
        sampler->factor[e] = is_free ? scale : 0.0F;
    }
}

ebm_status ebm__metric_prepare(ebm_sampler *sampler) {
    int64_t dim = sampler->dim;
    int32_t kind = sampler->settings.metric;
    if (kind == EBM_METRIC_DENSE && ebm__reflects(sampler)) {
        return ebm__fail(EBM_ERR_STATE,
                         "bounds that reflect need an identity or diagonal metric: "
                         "a dense one is not the same in the mirror");
    }
    if (kind == EBM_METRIC_DENSE && sampler->n_chains > EBM__BLAS_MAX) {
        return ebm__fail(EBM_ERR_STATE, "a dense metric allows at most %" PRId64 " chains", EBM__BLAS_MAX);
    }
    if (!sampler->factor_is_stale) {
        return EBM_OK;
    }
    if (kind == EBM_METRIC_IDENTITY && sampler->mask != NULL && sampler->factor == NULL) {
        EBM__TRY(ebm__alloc(sampler->handle.context, scale_size(dim), sizeof(float), "metric", &sampler->factor));
    }
    if (kind == EBM_METRIC_DIAGONAL || (kind == EBM_METRIC_IDENTITY && sampler->mask != NULL)) {
        make_scale(sampler);
    } else if (kind == EBM_METRIC_DENSE) {
        factorize(dim, sampler->mask, sampler->inverse_mass,
                  sampler->factor_work); /* a part of what has been checked */
        for (int64_t i = 0; i < dim * dim; i++) {
            sampler->factor[i] = (float)sampler->factor_work[i];
        }
    }
    sampler->factor_is_stale = false;
    return EBM_OK;
}

/* The first element that may not stand in a diagonal, or -1. */
static int64_t first_not_positive(int64_t n, const float *diagonal, int64_t stride) {
    for (int64_t i = 0; i < n; i++) {
        if (!(diagonal[i * stride] > 0 && isfinite(diagonal[i * stride]))) {
            return i;
        }
    }
    return -1;
}

/* The first element of the upper triangle that is not that of the lower, but for rounding; or -1. */
static int64_t first_asymmetric(int64_t dim, const float *w) {
    for (int64_t i = 0; i < dim; i++) {
        for (int64_t j = i + 1; j < dim; j++) {
            double bound = 1e-5 * sqrt((double)w[i * dim + i] * (double)w[j * dim + j]);
            if (!(fabs((double)w[i * dim + j] - (double)w[j * dim + i]) <= bound)) {
                return i * dim + j;
            }
        }
    }
    return -1;
}

static ebm_status check(const ebm_sampler *sampler, int32_t kind, const float *w, double *work, const char *caller) {
    int64_t dim = sampler->dim;
    int64_t stride = kind == EBM_METRIC_DENSE ? dim + 1 : 1;
    int64_t bad = first_not_positive(dim, w, stride);
    if (bad >= 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: inverse_mass is %g at coordinate %" PRId64 ", must be finite and above 0",
                         caller, (double)w[bad * stride], bad);
    }
    if (kind == EBM_METRIC_DIAGONAL) {
        return EBM_OK;
    }
    bad = first_asymmetric(dim, w);
    if (bad >= 0) {
        return ebm__fail(EBM_ERR_ARG,
                         "%s: inverse_mass is not symmetric: %g at %" PRId64 ", %" PRId64 ", and %g on the other side",
                         caller, (double)w[bad], bad / dim, bad % dim, (double)w[bad % dim * dim + bad / dim]);
    }
    bad = factorize(dim, NULL, w, work);
    if (bad >= 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: inverse_mass is not positive definite, found at row %" PRId64, caller, bad);
    }
    return EBM_OK;
}

ebm_status ebm__metric_assign(ebm_sampler *sampler, const float *inverse_mass, const char *caller) {
    EBM__TRY(check(sampler, sampler->settings.metric, inverse_mass, sampler->factor_work, caller));
    memcpy(sampler->inverse_mass, inverse_mass, (size_t)ebm__metric_size(sampler) * sizeof *inverse_mass);
    sampler->factor_is_stale = true;
    return EBM_OK;
}

ebm_status ebm__metric_check(ebm_sampler *sampler, const char *caller) {
    sampler->factor_is_stale = true;
    return ebm__has_metric(sampler)
               ? check(sampler, sampler->settings.metric, sampler->inverse_mass, sampler->factor_work, caller)
               : EBM_OK;
}

static void set_identity(int64_t dim, int32_t kind, float *w) {
    for (int64_t i = 0; i < dim; i++) {
        w[kind == EBM_METRIC_DENSE ? i * dim + i : i] = 1.0F; /* the rest is 0 */
    }
}

/* The memory of a metric: all of it, or none. */
typedef struct memory {
    float *inverse_mass;
    float *factor;
    double *work;
} memory;

static ebm_status allocate(ebm_context *context, int64_t dim, int32_t kind, const char *caller, memory *m) {
    int64_t size = kind == EBM_METRIC_DENSE ? dim * dim : dim;
    EBM__TRY(ebm__alloc(context, size, sizeof(float), caller, &m->inverse_mass));
    int64_t factor_size = kind == EBM_METRIC_DENSE ? size : scale_size(dim);
    EBM__TRY(ebm__alloc(context, factor_size, sizeof(float), caller, &m->factor));
    return kind == EBM_METRIC_DENSE ? ebm__alloc(context, size, sizeof(double), caller, &m->work) : EBM_OK;
}

static void release(ebm_context *context, memory *m) {
    ebm__free(context, m->inverse_mass);
    ebm__free(context, m->factor);
    ebm__free(context, m->work);
}

static ebm_status fill(ebm_sampler *sampler, int32_t kind, const float *inverse_mass, const char *caller, memory *m) {
    int64_t dim = sampler->dim;
    EBM__TRY(allocate(sampler->handle.context, dim, kind, caller, m));
    if (inverse_mass == NULL) {
        set_identity(dim, kind, m->inverse_mass);
        return EBM_OK;
    }
    EBM__TRY(check(sampler, kind, inverse_mass, m->work, caller));
    memcpy(m->inverse_mass, inverse_mass, (size_t)(kind == EBM_METRIC_DENSE ? dim * dim : dim) * sizeof *inverse_mass);
    return EBM_OK;
}

static ebm_status check_size(const ebm_sampler *sampler, const char *caller, int32_t kind, int64_t n,
                             const float *inverse_mass) {
    int64_t size = 0;
    if (kind == EBM_METRIC_DENSE &&
        (sampler->dim > EBM__BLAS_MAX || !ebm__multiply(sampler->dim, sampler->dim, &size))) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: a dense metric of %" PRId64 " dimensions does not fit", caller,
                         sampler->dim);
    }
    size = kind == EBM_METRIC_DENSE ? size : kind == EBM_METRIC_DIAGONAL ? sampler->dim : 0;
    if (n != (inverse_mass == NULL ? 0 : size)) {
        return ebm__fail(EBM_ERR_ARG, "%s: n is %" PRId64 ", must be %" PRId64 " numbers, or 0 with NULL", caller, n,
                         size);
    }
    return EBM_OK;
}

ebm_status ebm_sampler_set_metric(ebm_sampler *sampler, int32_t kind, int64_t n, const float *inverse_mass) {
    EBM__REQUIRE(sampler);
    if (kind < EBM_METRIC_IDENTITY || kind > EBM_METRIC_DENSE) {
        return ebm__fail(EBM_ERR_ARG, "%s: kind is %d, must be one of the constants %d to %d", __func__, kind,
                         EBM_METRIC_IDENTITY, EBM_METRIC_DENSE);
    }
    EBM__TRY(check_size(sampler, __func__, kind, n, inverse_mass));
    EBM__USE(use, sampler);
    memory fresh = {0};
    ebm_status status = kind == EBM_METRIC_IDENTITY ? EBM_OK : fill(sampler, kind, inverse_mass, __func__, &fresh);
    if (status != EBM_OK) {
        release(sampler->handle.context, &fresh);
        return status;
    }
    memory old = {sampler->inverse_mass, sampler->factor, sampler->factor_work};
    release(sampler->handle.context, &old);
    sampler->inverse_mass = fresh.inverse_mass;
    sampler->factor = fresh.factor;
    sampler->factor_work = fresh.work;
    sampler->settings.metric = kind;
    sampler->factor_is_stale = true;
    return EBM_OK;
}

ebm_status ebm_sampler_get_metric(const ebm_sampler *sampler, int32_t *kind, int64_t n, float *inverse_mass) {
    EBM__REQUIRE(sampler);
    EBM__TRY(ebm__readable(&sampler->handle, __func__));
    int64_t size = ebm__metric_size(sampler);
    if (n != (inverse_mass == NULL ? 0 : size)) {
        return ebm__fail(EBM_ERR_ARG, "%s: n is %" PRId64 ", must be %" PRId64 " numbers, or 0 with NULL", __func__, n,
                         size);
    }
    if (kind != NULL) {
        *kind = sampler->settings.metric;
    }
    if (inverse_mass != NULL && size > 0) {
        memcpy(inverse_mass, sampler->inverse_mass, (size_t)size * sizeof *inverse_mass);
    }
    return EBM_OK;
}

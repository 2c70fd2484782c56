/* SPDX-License-Identifier: MIT */
/* The running summary: moments here, quantiles in a sketch. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <ebm/evaluate.h>

#include "core/error.h"
#include "core/handle.h"
#include "core/memory.h"
#include "evaluate/arguments.h"
#include "evaluate/sketch.h"

struct ebm_summary {
    ebm__handle handle;
    int64_t dim;
    int32_t parts;
    int64_t count;
    double *mean;
    double *square;   /* sums of squared distances from the mean */
    double *products; /* dim x dim, below the diagonal: sums of products of such distances; NULL where not wanted */
    double *before;   /* to work in: distances from the old mean */
    ebm__sketch sketch;
};

static bool has(const ebm_summary *summary, int32_t part) {
    return (summary->parts & part) != 0;
}

static void destroy_summary(ebm__handle *handle) {
    ebm_summary *summary = (ebm_summary *)(void *)handle; /* the handle is the first member */
    ebm_context *context = handle->context;
    ebm__free(context, summary->mean);
    ebm__free(context, summary->square);
    ebm__free(context, summary->products);
    ebm__free(context, summary->before);
    if (has(summary, EBM_SUMMARY_QUANTILES)) {
        ebm__sketch_clear(&summary->sketch);
    }
    ebm__free(context, summary);
}

static ebm_status allocate_parts(ebm_summary *summary, const char *caller) {
    ebm_context *context = summary->handle.context;
    int64_t dim = summary->dim;
    if (has(summary, EBM_SUMMARY_COVARIANCE)) { /* the largest first: dim, below 2^31, may be too much for it */
        EBM__TRY(ebm__alloc(context, dim * dim, sizeof(double), caller, &summary->products));
    }
    EBM__TRY(ebm__alloc(context, dim, sizeof(double), caller, &summary->mean));
    EBM__TRY(ebm__alloc(context, dim, sizeof(double), caller, &summary->square));
    EBM__TRY(ebm__alloc(context, dim, sizeof(double), caller, &summary->before));
    if (has(summary, EBM_SUMMARY_QUANTILES)) {
        EBM__TRY(ebm__sketch_init(&summary->sketch, context, dim, caller));
    }
    return EBM_OK;
}

ebm_status ebm_summary_create(ebm_context *context, int64_t dim, int32_t parts, ebm_summary **out) {
    EBM__REQUIRE(out);
    if (dim < 1 || dim > INT32_MAX) {
        return ebm__fail(EBM_ERR_ARG, "%s: dim is %" PRId64 ", must be 1 to 2^31 - 1", __func__, dim);
    }
    if ((parts & ~(EBM_SUMMARY_COVARIANCE | EBM_SUMMARY_QUANTILES)) != 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: parts is %" PRId32 ", must be a sum of EBM_SUMMARY_ constants", __func__,
                         parts);
    }
    ebm_summary *summary;
    EBM__TRY(ebm__alloc(context, 1, sizeof *summary, __func__, &summary));
    ebm__handle_init(&summary->handle, context, destroy_summary);
    summary->dim = dim;
    summary->parts = parts;
    ebm_status status = allocate_parts(summary, __func__);
    if (status != EBM_OK) {
        ebm__handle_release(&summary->handle);
        return status;
    }
    *out = summary;
    return EBM_OK;
}

void ebm_summary_destroy(ebm_summary *summary) {
    if (summary != NULL) {
        ebm__handle_release(&summary->handle);
    }
}

ebm_status ebm_summary_reset(ebm_summary *summary) {
    EBM__REQUIRE(summary);
    EBM__USE(use, summary);
    size_t bytes = (size_t)summary->dim * sizeof(double);
    summary->count = 0;
    memset(summary->mean, 0, bytes);
    memset(summary->square, 0, bytes);
    if (has(summary, EBM_SUMMARY_COVARIANCE)) {
        memset(summary->products, 0, (size_t)summary->dim * bytes);
    }
    if (has(summary, EBM_SUMMARY_QUANTILES)) {
        ebm__sketch_reset(&summary->sketch);
    }
    return EBM_OK;
}

/* Welford, "Note on a method for calculating corrected sums of squares and products" (1962). */
static void add_row(ebm_summary *summary, const float *x) {
    double share = 1 / (double)++summary->count;
    for (int64_t i = 0; i < summary->dim; i++) {
        summary->before[i] = (double)x[i] - summary->mean[i];
        summary->mean[i] += summary->before[i] * share;
        summary->square[i] += summary->before[i] * ((double)x[i] - summary->mean[i]);
    }
    for (int64_t i = 0; summary->products != NULL && i < summary->dim; i++) {
        double after = (double)x[i] - summary->mean[i];
        double *row = summary->products + i * summary->dim;
        for (int64_t j = 0; j < i; j++) {
            row[j] += after * summary->before[j];
        }
    }
}

/* So that nothing fails half-way. */
static ebm_status make_room(ebm_summary *summary, int64_t more, const char *caller) {
    int64_t count;
    if (__builtin_add_overflow(summary->count, more, &count)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: %" PRId64 " more rows do not fit", caller, more);
    }
    return has(summary, EBM_SUMMARY_QUANTILES) ? ebm__sketch_reserve(&summary->sketch, count, caller) : EBM_OK;
}

ebm_status ebm_summary_add(ebm_summary *summary, int64_t n, const float *x) {
    EBM__REQUIRE(summary);
    EBM__USE(use, summary);
    EBM__TRY(ebm__require_floats(__func__, "n", "x", n, summary->dim, x));
    EBM__TRY(make_room(summary, n, __func__));
    for (int64_t r = 0; r < n; r++) {
        add_row(summary, x + r * summary->dim);
    }
    if (has(summary, EBM_SUMMARY_QUANTILES)) {
        ebm__sketch_add(&summary->sketch, n, x);
    }
    return EBM_OK;
}

/* Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983), eq. 2.1. */
static void merge_moments(ebm_summary *summary, const ebm_summary *other) {
    double here = (double)summary->count;
    double there = (double)other->count;
    double share = there / (here + there);
    for (int64_t i = 0; i < summary->dim; i++) {
        summary->before[i] = other->mean[i] - summary->mean[i];
        summary->mean[i] += summary->before[i] * share;
        summary->square[i] += other->square[i] + summary->before[i] * summary->before[i] * here * share;
    }
    for (int64_t i = 0; summary->products != NULL && i < summary->dim; i++) {
        double *row = summary->products + i * summary->dim;
        for (int64_t j = 0; j < i; j++) {
            row[j] += other->products[i * summary->dim + j] + summary->before[i] * summary->before[j] * here * share;
        }
    }
    summary->count += other->count;
}

ebm_status ebm_summary_merge(ebm_summary *summary, ebm_summary *other) {
    EBM__REQUIRE(summary);
    EBM__REQUIRE(other);
    if (summary == other) {
        return ebm__fail(EBM_ERR_ARG, "%s: other is the summary itself", __func__);
    }
    EBM__USE(use, summary);
    EBM__USE(use_other, other);
    if (other->dim != summary->dim || other->parts != summary->parts) {
        return ebm__fail(EBM_ERR_ARG,
                         "%s: other has dim %" PRId64 " and parts %" PRId32 ", must be as the summary's, %" PRId64
                         " and %" PRId32,
                         __func__, other->dim, other->parts, summary->dim, summary->parts);
    }
    EBM__TRY(make_room(summary, other->count, __func__));
    if (other->count == 0) {
        return EBM_OK;
    }
    merge_moments(summary, other);
    if (has(summary, EBM_SUMMARY_QUANTILES)) {
        ebm__sketch_merge(&summary->sketch, &other->sketch);
    }
    return EBM_OK;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

ebm_status ebm_summary_get_count(const ebm_summary *summary, int64_t *count) {
    EBM__REQUIRE(summary);
    EBM__REQUIRE(count);
    EBM__TRY(ebm__readable(&summary->handle, __func__));
    *count = summary->count;
    return EBM_OK;
}

ebm_status ebm_summary_get_mean(const ebm_summary *summary, double *mean) {
    EBM__REQUIRE(summary);
    EBM__REQUIRE(mean);
    EBM__TRY(ebm__readable(&summary->handle, __func__));
    for (int64_t i = 0; i < summary->dim; i++) {
        mean[i] = summary->count > 0 ? summary->mean[i] : (double)NAN;
    }
    return EBM_OK;
}

/* What is divided by count - 1, which must be above 0. */
static double divided(const ebm_summary *summary, double sum) {
    return summary->count > 1 ? sum / (double)(summary->count - 1) : (double)NAN;
}

ebm_status ebm_summary_get_variance(const ebm_summary *summary, double *variance) {
    EBM__REQUIRE(summary);
    EBM__REQUIRE(variance);
    EBM__TRY(ebm__readable(&summary->handle, __func__));
    for (int64_t i = 0; i < summary->dim; i++) {
        variance[i] = divided(summary, summary->square[i]);
    }
    return EBM_OK;
}

static ebm_status require_part(const ebm_summary *summary, int32_t part, const char *name, const char *caller) {
    if (!has(summary, part)) {
        return ebm__fail(EBM_ERR_STATE, "%s: the summary was made without %s", caller, name);
    }
    return EBM_OK;
}

ebm_status ebm_summary_get_covariance(const ebm_summary *summary, double *covariance) {
    EBM__REQUIRE(summary);
    EBM__REQUIRE(covariance);
    EBM__TRY(ebm__readable(&summary->handle, __func__));
    EBM__TRY(require_part(summary, EBM_SUMMARY_COVARIANCE, "EBM_SUMMARY_COVARIANCE", __func__));
    int64_t dim = summary->dim;
    for (int64_t i = 0; i < dim; i++) {
        for (int64_t j = 0; j < i; j++) {
            covariance[i * dim + j] = divided(summary, summary->products[i * dim + j]);
            covariance[j * dim + i] = covariance[i * dim + j];
        }
        covariance[i * dim + i] = divided(summary, summary->square[i]);
    }
    return EBM_OK;
}

ebm_status ebm_summary_get_quantile(ebm_summary *summary, double probability, double *quantile) {
    EBM__REQUIRE(summary);
    EBM__REQUIRE(quantile);
    EBM__USE(use, summary);
    EBM__TRY(require_part(summary, EBM_SUMMARY_QUANTILES, "EBM_SUMMARY_QUANTILES", __func__));
    if (!(probability >= 0 && probability <= 1)) {
        return ebm__fail(EBM_ERR_ARG, "%s: probability is %g, must be 0 to 1", __func__, probability);
    }
    return ebm__sketch_quantile(&summary->sketch, probability, __func__, quantile);
}

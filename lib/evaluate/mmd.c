/* SPDX-License-Identifier: MIT */
/* Maximum mean discrepancy, Gretton, Borgwardt, Rasch, Schoelkopf and Smola, "A kernel two-sample test" (2012). */
#include <inttypes.h>
#include <math.h>

#include <ebm/evaluate.h>

#include "core/error.h"
#include "core/parallel.h"
#include "evaluate/arguments.h"
#include "evaluate/pairs.h"
#include "evaluate/sort.h"
#include "evaluate/temporary.h"

enum { ROWS_AT_ONCE = 16, MEDIAN_ROWS = 1000 };

/* Both samples as one: first the rows of x, then those of y. */
typedef struct job {
    int64_t n_x, n_y, dim;
    const float *x, *y;
    double factor;            /* the kernel is exp(factor |x - y|^2) */
    double *within, *between; /* sums of a row with the later rows of its own sample, and of a row of x with y */
} job;

static const float *row_of(const job *j, int64_t row) {
    return row < j->n_x ? j->x + row * j->dim : j->y + (row - j->n_x) * j->dim;
}

static double sum_kernels(const job *j, const float *row, int64_t first, int64_t end) {
    double sum = 0;
    for (int64_t other = first; other < end; other++) {
        sum += exp(j->factor * ebm__square_distance(j->dim, row, row_of(j, other)));
    }
    return sum;
}

static ebm_status sum_rows(void *data, int64_t chunk, int64_t first, int64_t n) {
    const job *j = data;
    (void)chunk;
    int64_t all = j->n_x + j->n_y;
    for (int64_t i = first; i < first + n; i++) {
        const float *row = row_of(j, i);
        j->within[i] = sum_kernels(j, row, i + 1, i < j->n_x ? j->n_x : all);
        j->between[i] = i < j->n_x ? sum_kernels(j, row, j->n_x, all) : 0;
    }
    return EBM_OK;
}

static double sum_of(int64_t n, const double *values) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += values[i];
    }
    return sum;
}

/* The median of all distances between MEDIAN_ROWS evenly spaced rows, or between all rows where there are fewer. */
static ebm_status median_distance(ebm_context *context, const char *caller, const job *j, double *median) {
    int64_t all = j->n_x + j->n_y;
    int64_t rows = all < MEDIAN_ROWS ? all : MEDIAN_ROWS;
    int64_t n_pairs = rows * (rows - 1) / 2;
    EBM__TEMPORARY(memory, context);
    EBM__TRY(ebm__alloc(context, 2 * n_pairs, sizeof(uint64_t), caller, &memory.memory));
    uint64_t *keys = memory.memory;
    int64_t n = 0;
    for (int64_t a = 0; a < rows; a++) {
        for (int64_t b = 0; b < a; b++) {
            const float *one = row_of(j, (int64_t)((double)all / (double)rows * (double)a));
            const float *other = row_of(j, (int64_t)((double)all / (double)rows * (double)b));
            keys[n++] = ebm__order_of_double(ebm__square_distance(j->dim, one, other));
        }
    }
    ebm__sort(n_pairs, keys, keys + n_pairs, 0, 8);
    *median = (sqrt(ebm__double_of_order(keys[(n_pairs - 1) / 2])) + sqrt(ebm__double_of_order(keys[n_pairs / 2]))) / 2;
    if (!(*median > 0)) {
        return ebm__fail(EBM_ERR_ARG, "%s: width is the median distance, which is 0: most rows are equal; give a width",
                         caller);
    }
    return EBM_OK;
}

static ebm_status estimate(ebm_context *context, const char *caller, job *j, double *mmd_squared) {
    int64_t all = j->n_x + j->n_y;
    EBM__TEMPORARY(memory, context);
    EBM__TRY(ebm__alloc(context, 2 * all, sizeof(double), caller, &memory.memory));
    j->within = memory.memory;
    j->between = j->within + all;
    EBM__TRY(ebm__parallel_rows(context, all, ROWS_AT_ONCE, sum_rows, j));
    double n_x = (double)j->n_x;
    double n_y = (double)j->n_y;
    *mmd_squared = 2 * sum_of(j->n_x, j->within) / (n_x * (n_x - 1)) +
                   2 * sum_of(j->n_y, j->within + j->n_x) / (n_y * (n_y - 1)) -
                   2 * sum_of(j->n_x, j->between) / (n_x * n_y);
    return EBM_OK;
}

ebm_status ebm_mmd(ebm_context *context, int64_t n_x, const float *x, int64_t n_y, const float *y, int64_t dim,
                   double width, double *mmd_squared, double *width_used) {
    EBM__REQUIRE(mmd_squared);
    if (width != EBM_MMD_WIDTH_MEDIAN && !(isfinite(width) && width > 0)) {
        return ebm__fail(EBM_ERR_ARG, "%s: width is %g, must be finite and above 0, or EBM_MMD_WIDTH_MEDIAN (-1)",
                         __func__, width);
    }
    EBM__TRY(ebm__require_floats(__func__, "n_x", "x", n_x, dim, x));
    EBM__TRY(ebm__require_floats(__func__, "n_y", "y", n_y, dim, y));
    job j = {.n_x = n_x, .n_y = n_y, .dim = dim, .x = x, .y = y};
    if (n_x < 2 || n_y < 2) {
        width = width == EBM_MMD_WIDTH_MEDIAN ? (double)NAN : width;
        *mmd_squared = (double)NAN;
    } else {
        if (width == EBM_MMD_WIDTH_MEDIAN) {
            EBM__TRY(median_distance(context, __func__, &j, &width));
        }
        j.factor = -1 / (2 * width * width);
        EBM__TRY(estimate(context, __func__, &j, mmd_squared));
    }
    if (width_used != NULL) {
        *width_used = width;
    }
    return EBM_OK;
}

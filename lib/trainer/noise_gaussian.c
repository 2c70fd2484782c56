/* SPDX-License-Identifier: MIT */
/*
 * A Gaussian fitted to data: x = m + L z with z ~ N(0, I), log p = -|W (x - m)|^2 / 2 - sum_i log L_ii - d/2 log 2 pi,
 * W = L^-1. All of it in double.
 */
#include <inttypes.h>
#include <math.h>

#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "trainer/noise.h"

enum { TASK_ROWS = 16 };                  /* of a matrix, or of a batch */
static const double LEAST_PIVOT = 1e-13; /* of a variance: below, it is taken for rounding */
static const double LOG_2_PI = 1.83787706640934548356;

/* --- memory, and what follows from the factor */

ebm_status ebm__noise_gaussian_make(ebm_context *context, int64_t dim, int32_t covariance, const char *caller,
                                    ebm__noise_gaussian *out) {
    int64_t size = dim;
    int64_t total;
    if ((covariance == EBM_COVARIANCE_FULL && !ebm__multiply(dim, dim, &size)) || !ebm__multiply(size, 3, &total)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: a covariance of %" PRId64 " dimensions does not fit", caller, dim);
    }
    *out = (ebm__noise_gaussian){.covariance = covariance};
    EBM__TRY(ebm__alloc(context, 2 * size + dim, sizeof(double), caller, &out->memory));
    out->mean = out->memory;
    out->factor = out->mean + dim;
    out->inverse = out->factor + size;
    return EBM_OK;
}

/* W L = I, row by row: W_i = (e_i - sum over k < i of L_ik W_k) / L_ii. */
static void invert(int64_t dim, const double *l, double *w) {
    for (int64_t i = 0; i < dim; i++) {
        double *row = w + i * dim;
        for (int64_t k = 0; k < i; k++) {
            for (int64_t j = 0; j <= k; j++) {
                row[j] -= l[i * dim + k] * w[k * dim + j];
            }
        }
        for (int64_t j = 0; j < i; j++) {
            row[j] /= l[i * dim + i];
        }
        row[i] = 1 / l[i * dim + i];
    }
}

void ebm__noise_gaussian_complete(ebm__noise_gaussian *g, int64_t dim) {
    bool full = g->covariance == EBM_COVARIANCE_FULL;
    if (full) {
        invert(dim, g->factor, g->inverse);
    }
    g->log_peak = -(double)dim / 2 * LOG_2_PI;
    for (int64_t i = 0; i < dim; i++) {
        double deviation = g->factor[full ? i * dim + i : i];
        g->log_peak -= log(deviation);
        if (!full) {
            g->inverse[i] = 1 / deviation;
        }
    }
}

/* --- fitting */

typedef struct fit_job {
    int64_t n, dim;
    const float *x;
    const double *mean;
    double *covariance; /* dim x dim, its lower triangle is filled */
} fit_job;

static void fit_mean(const fit_job *job, double *mean) {
    for (int64_t r = 0; r < job->n; r++) {
        for (int64_t j = 0; j < job->dim; j++) {
            mean[j] += (double)job->x[r * job->dim + j] / (double)job->n;
        }
    }
}

/* row += sum over four rows of data of share (x - m): one pass over `row` for four. */
static void add_four(int64_t n, const double *share, const float *const *x, const double *restrict mean,
                     double *restrict row) {
    for (int64_t j = 0; j < n; j++) {
        double m = mean[j];
        row[j] += (share[0] * ((double)x[0][j] - m) + share[1] * ((double)x[1][j] - m)) +
                  (share[2] * ((double)x[2][j] - m) + share[3] * ((double)x[3][j] - m));
    }
}

/* A few rows of the covariance, which stay in the cache while all data pass. */
static void fit_rows(int64_t index, void *data) {
    const fit_job *job = data;
    int64_t dim = job->dim;
    int64_t end = (index + 1) * TASK_ROWS < dim ? (index + 1) * TASK_ROWS : dim;
    for (int64_t r = 0; r < job->n; r += 4) {
        const float *x[4];
        for (int64_t k = 0; k < 4; k++) { /* beyond the last row stands the first, with no share */
            x[k] = job->x + (r + k < job->n ? r + k : 0) * dim;
        }
        for (int64_t i = index * TASK_ROWS; i < end; i++) {
            double share[4];
            for (int64_t k = 0; k < 4; k++) {
                share[k] = r + k < job->n ? ((double)x[k][i] - job->mean[i]) / (double)job->n : 0;
            }
            add_four(i + 1, share, x, job->mean, job->covariance + i * dim);
        }
    }
}

/* L in place of a covariance (Golub and Van Loan 2013, alg. 4.2.1); the row where it has no positive pivot, or -1. */
static int64_t factorize(int64_t dim, double *a) {
    for (int64_t i = 0; i < dim; i++) {
        double variance = a[i * dim + i];
        for (int64_t j = 0; j <= i; j++) {
            double sum = a[i * dim + j];
            for (int64_t k = 0; k < j; k++) {
                sum -= a[i * dim + k] * a[j * dim + k];
            }
            if (i > j) {
                a[i * dim + j] = sum / a[j * dim + j];
            } else if (sum > LEAST_PIVOT * variance) {
                a[i * dim + i] = sqrt(sum);
            } else {
                return i;
            }
        }
    }
    return -1;
}

/* What rounding leaves of a coordinate that never changes is no variance. */
static bool varies(double variance, double mean) {
    return variance > LEAST_PIVOT * mean * mean && variance > 0;
}

static int64_t fit_full(ebm_context *context, const fit_job *job, double floor, ebm__noise_gaussian *g,
                        ebm_status *status) {
    int64_t dim = job->dim;
    fit_job of_tasks = *job;
    *status = ebm__parallel_for(context, (dim - 1) / TASK_ROWS + 1, fit_rows, &of_tasks);
    if (*status != EBM_OK) {
        return -1;
    }
    for (int64_t i = 0; i < dim; i++) {
        g->factor[i * dim + i] += floor;
        if (!varies(g->factor[i * dim + i], g->mean[i])) {
            return i;
        }
    }
    return factorize(dim, g->factor);
}

static int64_t fit_diagonal(const fit_job *job, double floor, ebm__noise_gaussian *g) {
    for (int64_t r = 0; r < job->n; r++) {
        for (int64_t j = 0; j < job->dim; j++) {
            double d = (double)job->x[r * job->dim + j] - g->mean[j];
            g->factor[j] += d * d / (double)job->n;
        }
    }
    for (int64_t j = 0; j < job->dim; j++) {
        if (!varies(g->factor[j] + floor, g->mean[j])) {
            return j;
        }
        g->factor[j] = sqrt(g->factor[j] + floor);
    }
    return -1;
}

ebm_status ebm__noise_gaussian_fit(ebm_context *context, int64_t n, int64_t dim, const float *x, int32_t covariance,
                                   double min_std, const char *caller, ebm__noise_gaussian *out) {
    ebm__noise_gaussian g;
    EBM__TRY(ebm__noise_gaussian_make(context, dim, covariance, caller, &g));
    fit_job job = {n, dim, x, g.mean, g.factor};
    fit_mean(&job, g.mean);
    ebm_status status = EBM_OK;
    int64_t bad = covariance == EBM_COVARIANCE_FULL
                      ? fit_full(context, &job, min_std * min_std, &g, &status)
                      : fit_diagonal(&job, min_std * min_std, &g);
    if (status == EBM_OK && bad >= 0) {
        status = ebm__fail(EBM_ERR_ARG,
                           "%s: min_std is %g, must be larger for these %" PRId64
                           " rows: the covariance is not positive definite at coordinate %" PRId64,
                           caller, min_std, n, bad);
    }
    if (status != EBM_OK) {
        ebm__free(context, g.memory);
        return status;
    }
    ebm__noise_gaussian_complete(&g, dim);
    *out = g;
    return EBM_OK;
}

/* --- drawing and scoring */

typedef struct row_job {
    const ebm__noise_gaussian *gaussian;
    int64_t dim;
    const float *in; /* z, or x */
    float *y;        /* NULL: densities of x */
    double *log_density;
} row_job;

enum { LANES = 8 }; /* independent partial sums, so that additions need not wait for each other */

static double sum_lanes(const double *sum) {
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

static double dot(int64_t n, const double *a, const float *z) {
    double sum[LANES] = {0};
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        for (int64_t lane = 0; lane < LANES; lane++) {
            sum[lane] += a[j + lane] * (double)z[j + lane];
        }
    }
    for (; j < n; j++) {
        sum[0] += a[j] * (double)z[j];
    }
    return sum_lanes(sum);
}

static double dot_centred(int64_t n, const double *a, const float *x, const double *mean) {
    double sum[LANES] = {0};
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        for (int64_t lane = 0; lane < LANES; lane++) {
            sum[lane] += a[j + lane] * ((double)x[j + lane] - mean[j + lane]);
        }
    }
    for (; j < n; j++) {
        sum[0] += a[j] * ((double)x[j] - mean[j]);
    }
    return sum_lanes(sum);
}

/* A row of L or W serves all the rows of a piece while it is in the cache. */
static void full_rows(const row_job *job, int64_t first, int64_t n, double *square) {
    const ebm__noise_gaussian *g = job->gaussian;
    int64_t dim = job->dim;
    for (int64_t i = 0; i < dim; i++) {
        for (int64_t r = 0; r < n; r++) {
            const float *in = job->in + (first + r) * dim;
            double z = (double)in[i];
            if (job->y == NULL) {
                z = dot_centred(i + 1, g->inverse + i * dim, in, g->mean);
            } else {
                job->y[(first + r) * dim + i] = (float)(g->mean[i] + dot(i + 1, g->factor + i * dim, in));
            }
            square[r] += z * z;
        }
    }
}

static void diagonal_rows(const row_job *job, int64_t first, int64_t n, double *square) {
    const ebm__noise_gaussian *g = job->gaussian;
    int64_t dim = job->dim;
    for (int64_t r = 0; r < n; r++) {
        const float *in = job->in + (first + r) * dim;
        for (int64_t i = 0; i < dim; i++) {
            double z = job->y != NULL ? (double)in[i] : ((double)in[i] - g->mean[i]) * g->inverse[i];
            square[r] += z * z;
        }
        for (int64_t i = 0; job->y != NULL && i < dim; i++) {
            job->y[(first + r) * dim + i] = (float)(g->mean[i] + g->factor[i] * (double)in[i]);
        }
    }
}

static ebm_status do_rows(void *data, int64_t chunk, int64_t first, int64_t n) {
    const row_job *job = data;
    double square[TASK_ROWS] = {0};
    (void)chunk;
    if (job->gaussian->covariance == EBM_COVARIANCE_FULL) {
        full_rows(job, first, n, square);
    } else {
        diagonal_rows(job, first, n, square);
    }
    for (int64_t r = 0; r < n; r++) {
        job->log_density[first + r] = job->gaussian->log_peak - square[r] / 2;
    }
    return EBM_OK;
}

ebm_status ebm__noise_gaussian_draw(const ebm__noise_gaussian *gaussian, ebm_context *context, int64_t n, int64_t dim,
                                    const float *z, float *y, double *log_density) {
    row_job job = {gaussian, dim, z, y, log_density};
    return ebm__parallel_rows(context, n, TASK_ROWS, do_rows, &job);
}

ebm_status ebm__noise_gaussian_density(const ebm__noise_gaussian *gaussian, ebm_context *context, int64_t n,
                                       int64_t dim, const float *x, double *log_density) {
    row_job job = {gaussian, dim, x, NULL, log_density};
    return ebm__parallel_rows(context, n, TASK_ROWS, do_rows, &job);
}

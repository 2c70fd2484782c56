/* SPDX-License-Identifier: MIT */
/* Coordinates are gathered a few at a time, which are neighbours in memory, and shared out among threads. */
#include "evaluate/diagnose.h"

#include <math.h>
#include <stdatomic.h>

#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"
#include "evaluate/arguments.h"
#include "evaluate/column.h"
#include "evaluate/temporary.h"

/*
 * Half a cache line of neighbours; and draws that one chain gets before the next one's turn, a line of what is
 * written.
 */
enum { GROUP = 8, DRAWS_AT_ONCE = 16, FFT_ARRAYS = 5 };

typedef struct job {
    int64_t n_draws, n_chains, dim;
    int64_t total, split;
    int64_t n_fft; /* 0: not needed */
    const float *draws;
    const double *scores;
    const ebm__wanted *wanted;
    char *memory; /* of all workers */
    int64_t worker_bytes;
    atomic_int_fast64_t next; /* first group that nobody has taken */
} job;

static bool wants_time(const ebm__wanted *w) {
    return w->ess_bulk != NULL || w->ess_tail != NULL || w->autocorrelation_time != NULL || w->mcse_mean != NULL ||
           w->mcse_sd != NULL || w->mcse_quantile != NULL;
}

static bool wants_scores(const ebm__wanted *w) {
    return w->ess_bulk != NULL || w->rhat != NULL;
}

/* Where a chain's draw t stands in a column; see ebm__column. */
static int64_t place_of(const job *j, int64_t chain, int64_t t) {
    int64_t half = j->n_draws / 2;
    if (j->n_draws % 2 == 0 || t < half) {
        return chain * 2 * half + t;
    }
    return t == half ? j->split + chain : chain * 2 * half + t - 1;
}

static void gather(const job *j, int64_t first, int64_t n, float *x) {
    for (int64_t t0 = 0; t0 < j->n_draws; t0 += DRAWS_AT_ONCE) {
        int64_t end = t0 + DRAWS_AT_ONCE < j->n_draws ? t0 + DRAWS_AT_ONCE : j->n_draws;
        for (int64_t c = 0; c < j->n_chains; c++) {
            for (int64_t t = t0; t < end; t++) {
                const float *from = j->draws + (t * j->n_chains + c) * j->dim + first;
                float *to = x + place_of(j, c, t);
                for (int64_t d = 0; d < n; d++) {
                    to[d * j->total] = from[d];
                }
            }
        }
    }
}

/* A worker's memory: doubles first, then keys, then floats. */
static int64_t bytes_of(const job *j) {
    int64_t doubles = j->split + FFT_ARRAYS * j->n_fft;
    return doubles * (int64_t)sizeof(double) + 2 * j->total * (int64_t)sizeof(uint64_t) +
           GROUP * j->total * (int64_t)sizeof(float);
}

static void work(int64_t worker, void *data) {
    job *j = data;
    double *doubles = (double *)(void *)(j->memory + worker * j->worker_bytes);
    double *fft = doubles + j->split;
    uint64_t *keys = (uint64_t *)(void *)(fft + FFT_ARRAYS * j->n_fft);
    float *x = (float *)(void *)(keys + 2 * j->total);
    int64_t n = j->n_fft;
    ebm__column column = {.total = j->total,
                          .split = j->split,
                          .order = keys,
                          .spare = keys + j->total,
                          .scores = j->scores,
                          .chains = {.n_chains = 2 * j->n_chains,
                                     .n = j->n_draws / 2,
                                     .v = doubles,
                                     .n_fft = n,
                                     .cosine = fft,
                                     .sine = fft + n,
                                     .re = fft + 2 * n,
                                     .im = fft + 3 * n,
                                     .power = fft + 4 * n}};
    for (;;) {
        int64_t first = atomic_fetch_add_explicit(&j->next, 1, memory_order_relaxed) * GROUP;
        if (first >= j->dim) {
            return;
        }
        int64_t columns = j->dim - first < GROUP ? j->dim - first : GROUP;
        gather(j, first, columns, x);
        for (int64_t d = 0; d < columns; d++) {
            column.x = x + d * j->total;
            ebm__column_diagnose(&column, j->n_draws, j->wanted, first + d);
        }
    }
}

/* How many threads the host's own parallel-for has is not known. */
static int64_t workers_of(const ebm_context *context) {
    enum { OF_THE_HOST = 16 };
    ebm_parallel_for_fn host = NULL;
    if (context != NULL && ebm_context_get_parallel_for(context, &host, NULL) == EBM_OK && host != NULL) {
        return OF_THE_HOST;
    }
    return ebm__context_concurrency(context);
}

static void fill_unknown(int64_t dim, double *place) {
    for (int64_t d = 0; place != NULL && d < dim; d++) {
        place[d] = (double)NAN;
    }
}

/* Of no draws nothing is known. */
static void diagnose_nothing(int64_t dim, const ebm__wanted *w) {
    double *const places[] = {w->mean, w->sd, w->rhat, w->ess_bulk, w->ess_tail, w->autocorrelation_time, w->mcse_mean,
                              w->mcse_sd, w->quantile[0], w->quantile[1], w->quantile[2], w->mcse_quantile};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        fill_unknown(dim, places[i]);
    }
}

ebm_status ebm__diagnose(ebm_context *context, const char *caller, int64_t n_draws, int64_t n_chains, int64_t dim,
                         const float *draws, const ebm__wanted *wanted) {
    job j = {.n_draws = n_draws, .n_chains = n_chains, .dim = dim, .draws = draws, .wanted = wanted};
    EBM__TRY(ebm__require_draws(caller, n_draws, n_chains, dim, draws, &j.total));
    if (j.total == 0) {
        diagnose_nothing(dim, wanted);
        return EBM_OK;
    }
    EBM__TRY(ebm__context_check_fork(context));
    j.split = n_draws / 2 * 2 * n_chains;
    j.n_fft = wants_time(wanted) && n_draws / 2 > EBM__DIRECT_LAGS ? ebm__chains_fft_length(n_draws / 2) : 0;
    j.worker_bytes = (bytes_of(&j) + 63) / 64 * 64;
    atomic_init(&j.next, 0);
    EBM__TEMPORARY(scores, context);
    if (wants_scores(wanted) && n_draws >= EBM__LEAST_DRAWS_RHAT) {
        EBM__TRY(ebm__alloc(context, 2 * j.split, sizeof(double), caller, &scores.memory));
        ebm__column_scores(j.split, scores.memory);
    }
    j.scores = scores.memory;
    int64_t n_groups = (dim - 1) / GROUP + 1;
    int64_t n_workers = workers_of(context) < n_groups ? workers_of(context) : n_groups;
    EBM__TEMPORARY(memory, context);
    EBM__TRY(ebm__alloc(context, n_workers, (size_t)j.worker_bytes, caller, &memory.memory));
    j.memory = memory.memory;
    return ebm__parallel_for(context, n_workers, work, &j);
}

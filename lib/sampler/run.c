/* SPDX-License-Identifier: MIT */
/* Moving chains: one loop for every kernel. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "model/model.h"
#include "sampler/kernel.h"
#include "sampler/metric.h"

typedef struct step_job {
    ebm_sampler *sampler;
    const ebm__kernel *kernel;
} step_job;

static ebm_status stopped(void) {
    return ebm__fail(EBM_ERR_STOPPED, "stopped on request");
}

static ebm_status move_chunk(void *data, int64_t chunk, int64_t first, int64_t n) {
    const step_job *job = data;
    if (ebm__sampler_stop_requested(job->sampler)) {
        return stopped();
    }
    job->sampler->reports[chunk] = (ebm__chunk_report){0};
    return job->kernel->move(job->sampler, chunk, first, n);
}

static void swap(float **a, float **b) {
    float *kept = *a;
    *a = *b;
    *b = kept;
}

/* What n_steps steps are to do beside moving the chains. */
typedef struct work {
    int64_t n_steps;
    int64_t thin; /* after so many the states are appended to `out`, unless that is NULL */
    float *out;
    ebm__after_step_fn after; /* NULL: nothing */
    void *data;
} work;

static double mean_acceptance(const ebm_sampler *sampler, int64_t n_chunks) {
    double sum = 0;
    for (int64_t c = 0; c < n_chunks; c++) {
        sum += sampler->reports[c].acceptance;
    }
    return sum / (double)sampler->n_chains;
}

/* Of all steps of a call. */
typedef struct totals {
    double accepted;
    int64_t leaps;
} totals;

static void commit_step(ebm_sampler *sampler, const ebm__kernel *kernel, int64_t n_chunks, totals *totals_so_far) {
    double grad_square = 0;
    for (int64_t c = 0; c < n_chunks; c++) {
        grad_square += sampler->reports[c].grad_square;
        totals_so_far->accepted += sampler->reports[c].accepted;
        totals_so_far->leaps += sampler->reports[c].leaps;
        sampler->report.impossible += sampler->reports[c].impossible;
        sampler->report.divergent += sampler->reports[c].divergent;
    }
    sampler->report.grad_rms = sqrt(grad_square / ((double)sampler->n_chains * (double)sampler->dim));
    sampler->report.step_acceptance = mean_acceptance(sampler, n_chunks);
    sampler->report.has_stepped = true;
    sampler->report.has_trajectory = kernel->draws_momenta;
    swap(&sampler->x, &sampler->x_next);
    if (kernel->keeps_momenta) {
        swap(&sampler->momenta, &sampler->momenta_next);
    }
    sampler->knows_chains = kernel->knows_chains;
    sampler->step++;
}

static int64_t rows_in_chunk(const ebm_sampler *sampler) {
    return ebm__model_chunk_rows(sampler->model, sampler->n_chains);
}

static int64_t chunk_count(const ebm_sampler *sampler) {
    return (sampler->n_chains - 1) / rows_in_chunk(sampler) + 1;
}

static ebm_status move_all(ebm_sampler *sampler, const ebm__kernel *kernel) {
    step_job job = {sampler, kernel};
    sampler->knows_chains = false;
    return ebm__parallel_rows(sampler->handle.context, sampler->n_chains, rows_in_chunk(sampler), move_chunk, &job);
}

static ebm_status step_all(ebm_sampler *sampler, const work *w, const char *caller) {
    const ebm__kernel *kernel = ebm__kernel_of(sampler);
    int64_t floats = sampler->n_chains * sampler->dim;
    totals so_far = {0};
    int64_t done = 0;
    ebm_status status = ebm__sampler_stop_requested(sampler) ? stopped() : ebm__metric_prepare(sampler);
    status = status == EBM_OK ? kernel->begin(sampler) : status;
    while (done < w->n_steps && status == EBM_OK) {
        status = move_all(sampler, kernel);
        if (status != EBM_OK) {
            break;
        }
        commit_step(sampler, kernel, chunk_count(sampler), &so_far);
        done++;
        if (w->out != NULL && done % w->thin == 0) {
            memcpy(w->out + (done / w->thin - 1) * floats, sampler->x, (size_t)floats * sizeof *w->out);
        }
        status = w->after == NULL ? EBM_OK : w->after(sampler, w->data);
    }
    if (done > 0) {
        double moves = (double)done * (double)sampler->n_chains;
        sampler->report.acceptance = so_far.accepted / moves;
        sampler->report.mean_leaps = (double)so_far.leaps / moves;
    }
    return status == EBM_OK ? EBM_OK
                            : ebm__fail_within(status, "%s: Markov step %" PRIu64 ": ", caller, sampler->step + 1);
}

static ebm_status advance(ebm_sampler *sampler, const work *w, const char *caller) {
    if (w->n_steps == 0) {
        return EBM_OK;
    }
    ebm_status status = step_all(sampler, w, caller);
    if (status == EBM_ERR_STOPPED) { /* the request has been heard */
        atomic_store_explicit(&sampler->stop, false, memory_order_relaxed);
    }
    return status;
}

ebm_status ebm__sampler_advance(ebm_sampler *sampler, int64_t n_steps, int64_t thin, float *out, const char *caller) {
    const work w = {.n_steps = n_steps, .thin = thin, .out = out};
    return advance(sampler, &w, caller);
}

ebm_status ebm__sampler_advance_with(ebm_sampler *sampler, int64_t n_steps, ebm__after_step_fn after, void *data,
                                     const char *caller) {
    const work w = {.n_steps = n_steps, .after = after, .data = data};
    return advance(sampler, &w, caller);
}

ebm_status ebm__sampler_probe(ebm_sampler *sampler, double *acceptance) {
    const ebm__kernel *kernel = ebm__kernel_of(sampler);
    EBM__TRY(move_all(sampler, kernel->probe != NULL ? kernel->probe : kernel));
    *acceptance = mean_acceptance(sampler, chunk_count(sampler));
    return kernel->begin(sampler); /* what it keeps belongs to where the step went */
}

ebm_status ebm_sampler_run(ebm_sampler *sampler, int64_t n_steps) {
    EBM__REQUIRE(sampler);
    if (n_steps < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_steps is %" PRId64 ", must be 0 or more", __func__, n_steps);
    }
    EBM__USE(use, sampler);
    EBM__USE(use_model, sampler->model);
    EBM__TRY(ebm__sampler_start(sampler, __func__));
    return ebm__sampler_advance(sampler, n_steps, 1, NULL, __func__);
}

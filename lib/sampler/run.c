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
#include "sampler/tempering.h"

typedef struct step_job {
    ebm_sampler *sampler;
    const ebm__kernel *kernel;
} step_job;

static ebm_status stopped(void) {
    return ebm__fail(EBM_ERR_STOPPED, "stopped on request");
}

static int64_t rows_in_chunk(const ebm_sampler *sampler) {
    return ebm__model_chunk_rows(sampler->model, sampler->n_chains);
}

/* Every rung is cut in the same way, so that no piece is of more than one. */
static int64_t chunks_in_rung(const ebm_sampler *sampler) {
    return (sampler->n_chains - 1) / rows_in_chunk(sampler) + 1;
}

static ebm_status move_chunk(const step_job *job, int64_t chunk) {
    ebm_sampler *sampler = job->sampler;
    if (ebm__sampler_stop_requested(sampler)) {
        return stopped();
    }
    int64_t per_rung = chunks_in_rung(sampler);
    int64_t rung = chunk / per_rung;
    int64_t rows = rows_in_chunk(sampler);
    int64_t begin = chunk % per_rung * rows; /* in the rung */
    int64_t n = sampler->n_chains - begin < rows ? sampler->n_chains - begin : rows;
    sampler->reports[chunk] = (ebm__chunk_report){0};
    ebm_status status = job->kernel->move(sampler, chunk, rung * sampler->n_chains + begin, n);
    return status == EBM_OK || rung == 0
               ? status
               : ebm__fail_within(status, "rung %" PRId64 ", whose rows begin at %" PRId64 ": ", rung,
                                  rung * sampler->n_chains);
}

static ebm_status move_chunks(void *data, int64_t unused, int64_t first, int64_t n) {
    (void)unused;
    for (int64_t chunk = first; chunk < first + n; chunk++) {
        EBM__TRY(move_chunk(data, chunk));
    }
    return EBM_OK;
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

double ebm__sampler_step_acceptance(const ebm_sampler *sampler, int32_t rung) {
    int64_t n_chunks = chunks_in_rung(sampler);
    double sum = 0;
    for (int64_t c = 0; c < n_chunks; c++) {
        sum += sampler->reports[rung * n_chunks + c].acceptance;
    }
    return sum / (double)sampler->n_chains;
}

/* Of all steps of a call. */
typedef struct totals {
    double accepted;
    int64_t leaps;
} totals;

/* What is reported is of the chains, not of their hotter replicas. */
static void commit_step(ebm_sampler *sampler, const ebm__kernel *kernel, totals *totals_so_far) {
    int64_t n_chunks = chunks_in_rung(sampler);
    double grad_square = 0;
    double elements = (double)sampler->n_chains * (double)sampler->dim;
    int64_t clipped = 0;
    for (int64_t c = 0; c < n_chunks; c++) {
        grad_square += sampler->reports[c].grad_square;
        clipped += sampler->reports[c].clipped;
        totals_so_far->accepted += sampler->reports[c].accepted;
        totals_so_far->leaps += sampler->reports[c].leaps;
        sampler->report.impossible += sampler->reports[c].impossible;
        sampler->report.divergent += sampler->reports[c].divergent;
    }
    sampler->report.grad_rms = sqrt(grad_square / elements);
    sampler->report.clipped = (double)clipped / elements;
    sampler->report.step_acceptance = ebm__sampler_step_acceptance(sampler, 0);
    sampler->report.has_stepped = true;
    sampler->report.has_trajectory = kernel->draws_momenta;
    swap(&sampler->x, &sampler->x_next);
    if (kernel->keeps_momenta) {
        swap(&sampler->momenta, &sampler->momenta_next);
    }
    sampler->knows_energies = kernel->knows_energies;
    sampler->knows_chains = kernel->knows_chains;
    sampler->step++;
    ebm__tempering_swap(sampler);
}

static ebm_status move_all(ebm_sampler *sampler, const ebm__kernel *kernel) {
    step_job job = {sampler, kernel};
    int64_t n_chunks = sampler->ladder.n_rungs * chunks_in_rung(sampler);
    sampler->knows_energies = false;
    sampler->knows_chains = false;
    return ebm__parallel_rows(sampler->handle.context, n_chunks, sampler->model->concurrent != 0 ? 1 : n_chunks,
                              move_chunks, &job);
}

static ebm_status step_all(ebm_sampler *sampler, const work *w, const char *caller) {
    const ebm__kernel *kernel = ebm__kernel_of(sampler);
    int64_t floats = sampler->n_chains * sampler->dim;
    totals so_far = {0};
    int64_t done = 0;
    ebm_status status = ebm__sampler_stop_requested(sampler) ? stopped() : ebm__kernel_prepare(sampler);
    while (done < w->n_steps && status == EBM_OK) {
        status = move_all(sampler, kernel);
        status = status == EBM_OK ? ebm__tempering_evaluate(sampler, kernel) : status;
        if (status != EBM_OK) {
            break;
        }
        commit_step(sampler, kernel, &so_far);
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
    *acceptance = ebm__sampler_step_acceptance(sampler, 0);
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

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

static const ebm__kernel *kernel_of(const ebm_sampler *sampler) {
    return sampler->settings.kernel == EBM_KERNEL_MALA ? &ebm__kernel_mala : &ebm__kernel_langevin;
}

void ebm__hold_masked(const ebm_sampler *sampler, int64_t n, const float *from, float *to) {
    if (sampler->mask == NULL) {
        return;
    }
    int64_t dim = sampler->dim;
    for (int64_t r = 0; r < n; r++) {
        for (int64_t i = 0; i < dim; i++) {
            to[r * dim + i] = sampler->mask[i] != 0 ? to[r * dim + i] : from[r * dim + i];
        }
    }
}

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

static void commit_step(ebm_sampler *sampler, int64_t n_chunks, int64_t *accepted) {
    double grad_square = 0;
    for (int64_t c = 0; c < n_chunks; c++) {
        grad_square += sampler->reports[c].grad_square;
        *accepted += sampler->reports[c].accepted;
        sampler->report.impossible += sampler->reports[c].impossible;
    }
    sampler->report.grad_rms = sqrt(grad_square / ((double)sampler->n_chains * (double)sampler->dim));
    sampler->report.has_stepped = true;
    float *moved = sampler->x_next;
    sampler->x_next = sampler->x;
    sampler->x = moved;
    sampler->step++;
}

static ebm_status step_all(ebm_sampler *sampler, int64_t n_steps, int64_t thin, float *out, const char *caller) {
    const ebm__kernel *kernel = kernel_of(sampler);
    step_job job = {sampler, kernel};
    int64_t rows = ebm__model_chunk_rows(sampler->model, sampler->n_chains);
    int64_t n_chunks = (sampler->n_chains - 1) / rows + 1;
    int64_t floats = sampler->n_chains * sampler->dim;
    int64_t accepted = 0;
    int64_t done = 0;
    ebm_status status = ebm__sampler_stop_requested(sampler) ? stopped() : kernel->begin(sampler);
    for (; done < n_steps && status == EBM_OK; done++) {
        status = ebm__parallel_rows(sampler->handle.context, sampler->n_chains, rows, move_chunk, &job);
        if (status != EBM_OK) {
            break;
        }
        commit_step(sampler, n_chunks, &accepted);
        if (out != NULL && (done + 1) % thin == 0) {
            memcpy(out + (done / thin) * floats, sampler->x, (size_t)floats * sizeof *out);
        }
    }
    if (done > 0) {
        sampler->report.acceptance = (double)accepted / ((double)done * (double)sampler->n_chains);
    }
    return status == EBM_OK
               ? EBM_OK
               : ebm__fail_within(status, "%s: Markov step %" PRIu64 ": ", caller, sampler->step + 1);
}

ebm_status ebm__sampler_advance(ebm_sampler *sampler, int64_t n_steps, int64_t thin, float *out, const char *caller) {
    if (n_steps == 0) {
        return EBM_OK;
    }
    ebm_status status = step_all(sampler, n_steps, thin, out, caller);
    if (status == EBM_ERR_STOPPED) { /* the request has been heard */
        atomic_store_explicit(&sampler->stop, false, memory_order_relaxed);
    }
    return status;
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

ebm_status ebm_sampler_draw(ebm_sampler *sampler, int64_t n_draws, int64_t thin, float *out) {
    EBM__REQUIRE(sampler);
    if (n_draws < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_draws is %" PRId64 ", must be 0 or more", __func__, n_draws);
    }
    if (thin < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: thin is %" PRId64 ", must be at least 1", __func__, thin);
    }
    int64_t bytes;
    int64_t n_steps;
    int64_t floats = sampler->n_chains * sampler->dim;
    if (!ebm__multiply(n_draws, thin, &n_steps) || !ebm__multiply(n_draws, floats * (int64_t)sizeof *out, &bytes)) {
        return ebm__fail(EBM_ERR_OVERFLOW,
                         "%s: n_draws is %" PRId64 " and thin is %" PRId64 ", and that many steps, or draws of %" PRId64
                         " floats, do not fit",
                         __func__, n_draws, thin, floats);
    }
    EBM__USE(use, sampler);
    EBM__USE(use_model, sampler->model);
    if (n_draws == 0) {
        return EBM_OK;
    }
    EBM__REQUIRE(out);
    EBM__TRY(ebm__sampler_start(sampler, __func__));
    return ebm__sampler_advance(sampler, n_steps, thin, out, __func__);
}

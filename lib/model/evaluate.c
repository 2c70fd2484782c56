/* SPDX-License-Identifier: MIT */
/* Energies and gradients of many rows: in chunks, on threads, with sums in a fixed order. */
#include <inttypes.h>
#include <string.h>

#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "model/guard.h"
#include "model/model.h"

enum { MOST_SUMMED_CHUNKS = 16, ROWS_STEP = 64, SUM_FLOATS = 16384 };

int64_t ebm__model_chunk_rows(const ebm_model *model, int64_t n) {
    return model->concurrent != 0 ? ebm__rows_per_chunk(model->dim, n) : n;
}

ebm_status ebm__model_energy_rows(const ebm_model *model, const float *theta, int64_t first_row, int64_t n,
                                  const float *x, bool allow_infinity, const double *ceiling, double *energy,
                                  float *grad) {
    return ebm__guard_energy(model, theta, first_row, n, x, allow_infinity, ceiling, energy, grad);
}

typedef struct energy_job {
    const ebm_model *model;
    const float *theta;
    const float *x;
    bool allow_infinity;
    double *energy;
    float *grad;
} energy_job;

static ebm_status energy_chunk(void *data, int64_t chunk, int64_t first, int64_t n) {
    const energy_job *job = data;
    (void)chunk;
    int64_t dim = job->model->dim;
    return ebm__guard_energy(job->model, job->theta, first, n, job->x + first * dim, job->allow_infinity,
                             NULL, job->energy == NULL ? NULL : job->energy + first,
                             job->grad == NULL ? NULL : job->grad + first * dim);
}

ebm_status ebm__model_energy_all(ebm_model *model, const float *theta, int64_t n, const float *x, bool allow_infinity,
                                 double *energy, float *grad) {
    ebm__model_freeze(model);
    energy_job job = {model, theta, x, allow_infinity, energy, grad};
    return ebm__parallel_rows(model->handle.context, n, ebm__model_chunk_rows(model, n), energy_chunk, &job);
}

typedef struct param_grad_job {
    const ebm_model *model;
    const float *theta;
    const float *x;
    const float *direction; /* NULL: param_grad; else mixed_grad, and `energy` is its slope */
    const float *weight;
    double *energy;
    float *partial; /* n_chunks x n_params */
    int64_t n_chunks;
    float *grad;
} param_grad_job;

static ebm_status param_grad_chunk(void *data, int64_t chunk, int64_t first, int64_t n) {
    const param_grad_job *job = data;
    const float *x = job->x + first * job->model->dim;
    const float *weight = job->weight + first;
    double *energy = job->energy == NULL ? NULL : job->energy + first;
    float *grad = job->partial + chunk * job->model->n_params;
    return job->direction == NULL
               ? ebm__guard_param_grad(job->model, job->theta, first, n, x, weight, energy, grad)
               : ebm__guard_mixed_grad(job->model, job->theta, first, n, x, job->direction + first * job->model->dim,
                                       weight, energy, grad);
}

/* The chunks' gradients are added in their order, in double. */
static void sum_chunks(int64_t index, void *data) {
    const param_grad_job *job = data;
    int64_t n_params = job->model->n_params;
    int64_t end = (index + 1) * SUM_FLOATS < n_params ? (index + 1) * SUM_FLOATS : n_params;
    for (int64_t i = index * SUM_FLOATS; i < end; i++) {
        double sum = 0;
        for (int64_t c = 0; c < job->n_chunks; c++) {
            sum += (double)job->partial[c * n_params + i];
        }
        job->grad[i] = (float)sum;
    }
}

/* At most MOST_SUMMED_CHUNKS chunks, so that their gradients take a bounded share of memory. */
static int64_t summed_rows_per_chunk(const ebm_model *model, int64_t n) {
    if (model->concurrent == 0 || n <= EBM__LEAST_CHUNK_ROWS) {
        return n;
    }
    int64_t share = (n - 1) / MOST_SUMMED_CHUNKS + 1;
    return share <= EBM__LEAST_CHUNK_ROWS ? EBM__LEAST_CHUNK_ROWS : (share + ROWS_STEP - 1) / ROWS_STEP * ROWS_STEP;
}

static ebm_status sum_gradients(ebm_model *model, param_grad_job *job, int64_t n) {
    ebm__model_freeze(model);
    int64_t rows = summed_rows_per_chunk(model, n);
    job->n_chunks = (n - 1) / rows + 1;
    job->partial = job->grad;
    ebm_context *context = model->handle.context;
    if (job->n_chunks == 1) {
        return ebm__parallel_rows(context, n, rows, param_grad_chunk, job);
    }
    int64_t bytes;
    if (!ebm__multiply(job->n_chunks * (int64_t)sizeof *job->grad, model->n_params, &bytes)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "gradients of %" PRId64 " parameters do not fit", model->n_params);
    }
    EBM__TRY(ebm__reserve(context, bytes, "gradients of chunks", &model->partial, &model->partial_bytes));
    job->partial = model->partial;
    EBM__TRY(ebm__parallel_rows(context, n, rows, param_grad_chunk, job));
    return ebm__parallel_for(context, (model->n_params - 1) / SUM_FLOATS + 1, sum_chunks, job);
}

ebm_status ebm__model_param_grad_all(ebm_model *model, const float *theta, int64_t n, const float *x,
                                     const float *weight, double *energy, float *grad) {
    param_grad_job job = {.model = model, .theta = theta, .x = x, .weight = weight, .energy = energy, .grad = grad};
    return sum_gradients(model, &job, n);
}

ebm_status ebm__model_mixed_grad_all(ebm_model *model, const float *theta, int64_t n, const float *x,
                                     const float *direction, const float *weight, double *slope, float *grad) {
    param_grad_job job = {.model = model,
                          .theta = theta,
                          .x = x,
                          .direction = direction,
                          .weight = weight,
                          .energy = slope,
                          .grad = grad};
    return sum_gradients(model, &job, n);
}

ebm_status ebm__require_rows(const ebm_model *model, const char *caller, const char *name, int64_t n, const float *x) {
    int64_t bytes;
    if (n < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: n is %" PRId64 ", must be 0 or more", caller, n);
    }
    if (!ebm__multiply(n, model->dim * (int64_t)sizeof *x, &bytes)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: n is %" PRId64 ", and n x %" PRId64 " floats do not fit", caller, n,
                         model->dim);
    }
    if (n > 0 && x == NULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s is NULL", caller, name);
    }
    return ebm__require_finite(caller, name, n, model->dim, x);
}

static ebm_status finish(ebm_status status, const char *caller) {
    return status == EBM_OK ? EBM_OK : ebm__fail_within(status, "%s: ", caller);
}

ebm_status ebm_model_energy(ebm_model *model, int64_t n, const float *x, double *energy) {
    EBM__REQUIRE(model);
    EBM__USE(use, model);
    EBM__TRY(ebm__require_rows(model, __func__, "x", n, x));
    if (n == 0) {
        return EBM_OK;
    }
    EBM__REQUIRE(energy);
    return finish(ebm__model_energy_all(model, model->theta, n, x, true, energy, NULL), __func__);
}

ebm_status ebm_model_grad_x(ebm_model *model, int64_t n, const float *x, double *energy, float *grad) {
    EBM__REQUIRE(model);
    EBM__USE(use, model);
    EBM__TRY(ebm__require_rows(model, __func__, "x", n, x));
    if (n == 0) {
        return EBM_OK;
    }
    EBM__REQUIRE(grad);
    return finish(ebm__model_energy_all(model, model->theta, n, x, true, energy, grad), __func__);
}

ebm_status ebm_model_param_grad(ebm_model *model, int64_t n, const float *x, const float *weight, double *energy,
                                int64_t n_params, float *grad) {
    EBM__REQUIRE(model);
    EBM__USE(use, model);
    EBM__TRY(ebm__require_rows(model, __func__, "x", n, x));
    if (model->param_grad_fn == NULL) {
        return ebm__fail(EBM_ERR_STATE, "%s: the model has no param_grad callback", __func__);
    }
    if (n_params != model->n_params) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_params is %" PRId64 ", the model has %" PRId64, __func__, n_params,
                         model->n_params);
    }
    if (n == 0) {
        if (grad != NULL) { /* an empty sum */
            memset(grad, 0, (size_t)n_params * sizeof *grad);
        }
        return EBM_OK;
    }
    EBM__REQUIRE(weight);
    if (n_params == 0) {
        return energy == NULL ? EBM_OK
                              : finish(ebm__model_energy_all(model, NULL, n, x, false, energy, NULL), __func__);
    }
    EBM__REQUIRE(grad);
    EBM__TRY(ebm__require_finite(__func__, "weight", 1, n, weight));
    return finish(ebm__model_param_grad_all(model, model->theta, n, x, weight, energy, grad), __func__);
}

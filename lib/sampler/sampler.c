/* SPDX-License-Identifier: MIT */
#include "sampler/sampler.h"

#include <inttypes.h>
#include <math.h>

#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/model.h"
#include "sampler/tempering.h"

static void destroy_sampler(ebm__handle *handle) {
    ebm_sampler *sampler = (ebm_sampler *)(void *)handle; /* the handle is the first member */
    ebm_context *context = handle->context;
    ebm__scratch_clear(&sampler->scratch);
    ebm__free(context, sampler->mask);
    ebm__free(context, sampler->inverse_mass);
    ebm__free(context, sampler->factor);
    ebm__free(context, sampler->factor_work);
    ebm__free(context, sampler->x);
    ebm__free(context, sampler->x_next);
    ebm__free(context, sampler->buffer);
    ebm__free(context, sampler->picks);
    ebm__free(context, sampler->age);
    ebm__free(context, sampler->batch_age);
    ebm__free(context, sampler->energy);
    ebm__free(context, sampler->trajectory_energy);
    ebm__free(context, sampler->grad);
    ebm__free(context, sampler->momenta);
    ebm__free(context, sampler->momenta_next);
    ebm__free(context, sampler->reports);
    ebm__free(context, sampler->adapt_memory);
    ebm__free(context, sampler->saved_x);
    ebm__free(context, sampler->saved_momenta);
    ebm__ladder_free(context, &sampler->ladder);
    ebm_model_destroy(sampler->model);
    ebm__free(context, sampler);
}

/* What a new sampler does until it is told otherwise. */
static const ebm__sampler_settings DEFAULTS = {
    .kernel = EBM_KERNEL_LANGEVIN,
    .step_size = 0.01,
    .noise_std = EBM_NOISE_STD_AUTO,
    .temperature = 1.0,
    .noise_order = EBM_NOISE_WITH_GRADIENT,
    .lo = -INFINITY,
    .hi = INFINITY,
    .bounds_rule = EBM_BOUNDS_CLAMP,
    .grad_clip = INFINITY,
    .start = EBM_START_PERSISTENT,
    .noise_kind = EBM_NOISE_NORMAL,
    .noise_a = 0.0,
    .noise_b = 1.0,
    .capacity = 0,
    .restart_probability = 0.0,
    .leapfrog_steps = 10,
    .jitter = 0.0,
    .friction = 1.0,
    .max_depth = 10,
    .metric = EBM_METRIC_IDENTITY,
    .metric_adaptation = 1,
    .swap_every = 1,
};

static ebm_status allocate_states(ebm_sampler *sampler, const char *caller) {
    int64_t floats;
    if (!ebm__multiply(sampler->n_chains, sampler->dim, &floats)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: n_chains is %" PRId64 ", and n_chains x %" PRId64 " floats do not fit",
                         caller, sampler->n_chains, sampler->dim);
    }
    ebm__rows rows = {0};
    ebm_status status = ebm__rows_alloc(sampler, 1, caller, &rows);
    sampler->x = rows.x;
    sampler->x_next = rows.x_next;
    sampler->reports = rows.reports;
    return status;
}

ebm_status ebm_sampler_create(ebm_context *context, ebm_model *model, int64_t n_chains, uint64_t seed,
                              ebm_sampler **out) {
    EBM__REQUIRE(model);
    EBM__REQUIRE(out);
    if (n_chains < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_chains is %" PRId64 ", must be at least 1", __func__, n_chains);
    }
    EBM__USE(use, model);
    context = context == NULL ? ebm__model_context(model) : context;
    ebm_sampler *sampler;
    EBM__TRY(ebm__alloc(context, 1, sizeof *sampler, __func__, &sampler));
    ebm__handle_init(&sampler->handle, context, destroy_sampler);
    ebm__scratch_init(&sampler->scratch, context);
    sampler->n_chains = n_chains;
    sampler->step_factor = 1;
    sampler->noise_factor = 1;
    sampler->n_rows = n_chains;
    sampler->ladder.n_rungs = 1;
    sampler->dim = model->dim;
    sampler->seed = seed;
    sampler->settings = DEFAULTS;
    sampler->episode = EBM__FIRST_EPISODE + 1;
    atomic_init(&sampler->stop, false);
    ebm_status status = allocate_states(sampler, __func__);
    if (status != EBM_OK) {
        ebm__handle_release(&sampler->handle);
        return status;
    }
    ebm__handle_keep(&model->handle);
    ebm__model_freeze(model);
    sampler->model = model;
    *out = sampler;
    return EBM_OK;
}

void ebm_sampler_destroy(ebm_sampler *sampler) {
    if (sampler != NULL) {
        ebm__handle_release(&sampler->handle);
    }
}

int64_t ebm_sampler_chain_count(const ebm_sampler *sampler) {
    return sampler == NULL ? 0 : sampler->n_chains;
}

double ebm__sampler_temperature(const ebm_sampler *sampler, int64_t row) {
    const ebm__ladder *ladder = &sampler->ladder;
    double factor = ladder->n_rungs == 1 ? 1 : ladder->temperature[row / sampler->n_chains];
    return sampler->settings.temperature * factor;
}

double ebm__sampler_step_size(const ebm_sampler *sampler, int64_t row) {
    const ebm__ladder *ladder = &sampler->ladder;
    double factor = ladder->n_rungs == 1 ? 1 : ladder->step_size[row / sampler->n_chains];
    return sampler->settings.step_size * sampler->step_factor * factor;
}

/* A sigma that is set stands for a temperature, sigma^2 / (2 eta), which is then what the ladder multiplies. */
double ebm__sampler_noise_std(const ebm_sampler *sampler, int64_t row) {
    const ebm__sampler_settings *s = &sampler->settings;
    const ebm__ladder *ladder = &sampler->ladder;
    if (s->noise_std < 0) {
        return sampler->noise_factor *
               sqrt(2.0 * ebm__sampler_step_size(sampler, row) * ebm__sampler_temperature(sampler, row));
    }
    int64_t rung = row / sampler->n_chains;
    return s->noise_std * sampler->noise_factor *
           (ladder->n_rungs == 1 ? 1 : sqrt(ladder->step_size[rung] * ladder->temperature[rung]));
}

bool ebm__sampler_has_bounds(const ebm_sampler *sampler) {
    return isfinite(sampler->settings.lo) || isfinite(sampler->settings.hi);
}

ebm__langevin ebm__sampler_pass(const ebm_sampler *sampler, int64_t row) {
    const ebm__sampler_settings *s = &sampler->settings;
    return (ebm__langevin){.eta = (float)ebm__sampler_step_size(sampler, row),
                           .sigma = (float)ebm__sampler_noise_std(sampler, row),
                           .clip = (float)s->grad_clip,
                           .lo = (float)s->lo,
                           .hi = (float)s->hi,
                           .reflect = s->bounds_rule == EBM_BOUNDS_REFLECT};
}

ebm_status ebm_sampler_request_stop(ebm_sampler *sampler) {
    if (sampler == NULL) {
        return EBM_ERR_ARG; /* no message: a signal handler may be asking */
    }
    atomic_store_explicit(&sampler->stop, true, memory_order_relaxed);
    return EBM_OK;
}

bool ebm__sampler_stop_requested(const ebm_sampler *sampler) {
    return atomic_load_explicit(&sampler->stop, memory_order_relaxed) ||
           (sampler->outer_stop != NULL && atomic_load_explicit(sampler->outer_stop, memory_order_relaxed));
}

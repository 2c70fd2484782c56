/* SPDX-License-Identifier: MIT */
/*
 * The warm-up: a step size by the dual averaging of Hoffman and Gelman (2014, sec. 3.2), and a metric from windows of
 * the chains' own states, as Stan has it. All chains share both: what they are accepted with is averaged, their
 * states are pooled. On a ladder every rung has a step size of its own; the metric is from the chains.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "model/model.h"
#include "sampler/adapt_metric.h"
#include "sampler/kernel.h"
#include "sampler/metric.h"

/* Hoffman and Gelman's gamma, t_0 and kappa. */
static const double RELAXATION = 0.05;
static const double DELAY = 10;
static const double FADING = 0.75;

/* Step sizes stay in the middle of the range of float, whatever the acceptance does. */
static const double MOST_LOG = 60;

typedef struct averaging {
    double centre;  /* mu, towards which the logarithms of step sizes are drawn */
    double error;   /* H bar */
    double average; /* of log eta */
    int64_t n;
} averaging;

typedef struct adaptation {
    double target;
    averaging *step_size; /* of every rung */
    bool with_metric;
    int64_t done;
    ebm__windows windows;
    ebm__moments moments;
    /* As it was. */
    double old_step_size;
    double *old_rungs;
    float *old_metric;
} adaptation;

static double limited(double log_eta) {
    return fmax(-MOST_LOG, fmin(log_eta, MOST_LOG));
}

static double update(averaging *a, double target, double acceptance) {
    double t = (double)++a->n;
    a->error += ((target - acceptance) - a->error) / (t + DELAY);
    double log_eta = limited(a->centre - sqrt(t) / RELAXATION * a->error);
    a->average += pow(t, -FADING) * (log_eta - a->average);
    return exp(log_eta);
}

/* What the trial steps of kernels that follow a trajectory of a settable length are: one leapfrog step. */
static ebm_status probe(ebm_sampler *sampler, double *acceptance) {
    int64_t kept = sampler->settings.leapfrog_steps;
    sampler->settings.leapfrog_steps = 1;
    ebm_status status = ebm__sampler_probe(sampler, acceptance);
    sampler->settings.leapfrog_steps = kept;
    if (status == EBM_ERR_NONFINITE) { /* where no chain would have stayed */
        *acceptance = 0;
        status = ebm__kernel_of(sampler)->begin(sampler);
    }
    return status;
}

/* Algorithm 4, with Stan's 0.8: doubles or halves the step size until the acceptance of one step crosses it. */
static ebm_status find_step_size(ebm_sampler *sampler) {
    const double crossing = 0.8;
    double acceptance;
    EBM__TRY(probe(sampler, &acceptance));
    double factor = acceptance > crossing ? 2 : 0.5;
    bool above = acceptance > crossing;
    while ((acceptance > crossing) == above && fabs(log(sampler->settings.step_size * factor)) < MOST_LOG) {
        sampler->settings.step_size *= factor;
        EBM__TRY(probe(sampler, &acceptance));
    }
    return EBM_OK;
}

/* The chains' own first: the others are relative to it. */
static void set_step_size(ebm_sampler *sampler, int32_t rung, double eta) {
    if (rung == 0) {
        sampler->settings.step_size = eta;
    } else {
        sampler->ladder.step_size[rung] = eta / sampler->settings.step_size;
    }
}

/* Looked for where the chains stand; the other rungs keep their distance from them. */
static ebm_status restart_averaging(ebm_sampler *sampler, const adaptation *a) {
    EBM__TRY(find_step_size(sampler));
    for (int32_t r = 0; r < sampler->ladder.n_rungs; r++) {
        double log_eta = limited(log(ebm__sampler_step_size(sampler, r * sampler->n_chains)));
        a->step_size[r] = (averaging){.centre = log_eta + log(10), .average = log_eta};
    }
    return EBM_OK;
}

static ebm_status close_window(ebm_sampler *sampler, adaptation *a) {
    EBM__TRY(ebm__moments_use(sampler, &a->moments));
    EBM__TRY(ebm__metric_prepare(sampler));
    ebm__moments_clear(sampler, &a->moments);
    ebm__windows_next(&a->windows);
    return restart_averaging(sampler, a);
}

static ebm_status after_step(ebm_sampler *sampler, void *data) {
    adaptation *a = data;
    for (int32_t r = 0; r < sampler->ladder.n_rungs; r++) {
        set_step_size(sampler, r, update(&a->step_size[r], a->target, ebm__sampler_step_acceptance(sampler, r)));
    }
    int64_t step = a->done++;
    if (!a->with_metric || step < a->windows.first || step >= a->windows.end) {
        return EBM_OK;
    }
    ebm__moments_add(sampler, &a->moments);
    return step + 1 == a->windows.close ? close_window(sampler, a) : EBM_OK;
}

/* The first step size is looked for where the chains stand. */
static ebm_status adapt(ebm_sampler *sampler, int64_t n_steps, adaptation *a, const char *caller) {
    ebm_status status = ebm__kernel_prepare(sampler);
    status = status == EBM_OK ? restart_averaging(sampler, a) : status;
    if (status == EBM_ERR_STOPPED) { /* the request has been heard */
        atomic_store_explicit(&sampler->stop, false, memory_order_relaxed);
    }
    if (status != EBM_OK) {
        return ebm__fail_within(status, "%s: Markov step %" PRIu64 ": ", caller, sampler->step + 1);
    }
    EBM__TRY(ebm__sampler_advance_with(sampler, n_steps, after_step, a, caller));
    for (int32_t r = 0; r < sampler->ladder.n_rungs; r++) {
        set_step_size(sampler, r, exp(a->step_size[r].average));
    }
    return EBM_OK;
}

/* One block of memory, kept for the next time: of the metric, and of the rungs. */
static ebm_status prepare(ebm_sampler *sampler, adaptation *a, const char *caller) {
    int64_t dim = sampler->dim;
    int64_t size = a->with_metric ? ebm__metric_size(sampler) : 0;
    int64_t n = sampler->ladder.n_rungs;
    int64_t rungs = ebm__aligned(n * (int64_t)sizeof(averaging)) + ebm__aligned(n * (int64_t)sizeof(double));
    int64_t bytes;
    if (!ebm__multiply(a->with_metric ? 2 * dim + 2 * size : 0, (int64_t)sizeof(double), &bytes)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: the moments of %" PRId64 " dimensions do not fit", caller, dim);
    }
    EBM__TRY(ebm__reserve(sampler->handle.context, bytes + rungs, caller, &sampler->adapt_memory,
                          &sampler->adapt_bytes));
    char *memory = (char *)sampler->adapt_memory;
    a->step_size = ebm__cut(&memory, n * (int64_t)sizeof(averaging));
    a->old_rungs = ebm__cut(&memory, n * (int64_t)sizeof(double));
    a->old_step_size = sampler->settings.step_size;
    if (n > 1) {
        memcpy(a->old_rungs, sampler->ladder.step_size, (size_t)n * sizeof(double));
    }
    if (a->with_metric) {
        double *doubles = (double *)(void *)memory;
        float *floats = (float *)(void *)(doubles + 2 * dim + size);
        a->moments =
            (ebm__moments){.mean = doubles, .change = doubles + dim, .product = doubles + 2 * dim, .estimate = floats};
        a->old_metric = floats + size;
        memcpy(a->old_metric, sampler->inverse_mass, (size_t)size * sizeof(float));
        ebm__moments_clear(sampler, &a->moments);
    }
    return EBM_OK;
}

static void put_back(ebm_sampler *sampler, const adaptation *a) {
    int64_t n = sampler->ladder.n_rungs;
    sampler->settings.step_size = a->old_step_size;
    if (n > 1) {
        memcpy(sampler->ladder.step_size, a->old_rungs, (size_t)n * sizeof(double));
    }
    if (a->with_metric) {
        memcpy(sampler->inverse_mass, a->old_metric, (size_t)ebm__metric_size(sampler) * sizeof(float));
        sampler->factor_is_stale = true;
    }
}

static ebm_status check_kernel(const ebm_sampler *sampler, const char *caller) {
    const ebm__kernel *kernel = ebm__kernel_of(sampler);
    if (!kernel->rejects) {
        return ebm__fail(EBM_ERR_STATE, "%s: %s does not reject, so there is no acceptance to adapt to", caller,
                         kernel->name);
    }
    if (kernel->uses_noise && sampler->settings.noise_std != EBM_NOISE_STD_AUTO) {
        return ebm__fail(EBM_ERR_STATE, "%s: the noise_std is %g, must be EBM_NOISE_STD_AUTO to follow the step size",
                         caller, sampler->settings.noise_std);
    }
    return EBM_OK;
}

ebm_status ebm_sampler_adapt(ebm_sampler *sampler, int64_t n_steps, double target_acceptance) {
    EBM__REQUIRE(sampler);
    if (n_steps < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_steps is %" PRId64 ", must be 0 or more", __func__, n_steps);
    }
    if (!(target_acceptance > 0 && target_acceptance < 1)) {
        return ebm__fail(EBM_ERR_ARG, "%s: target_acceptance is %g, must be above 0 and below 1", __func__,
                         target_acceptance);
    }
    EBM__USE(use, sampler);
    EBM__USE(use_model, sampler->model);
    if (n_steps == 0) {
        return EBM_OK;
    }
    EBM__TRY(check_kernel(sampler, __func__));
    EBM__TRY(ebm__sampler_start(sampler, __func__));
    adaptation a = {.target = target_acceptance,
                    .with_metric = ebm__has_metric(sampler) && sampler->settings.metric_adaptation != 0,
                    .windows = ebm__windows_plan(n_steps)};
    EBM__TRY(prepare(sampler, &a, __func__));
    ebm_status status = adapt(sampler, n_steps, &a, __func__);
    if (status != EBM_OK) {
        put_back(sampler, &a);
    }
    return status;
}

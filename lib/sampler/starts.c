/* SPDX-License-Identifier: MIT */
/* Where chains start: fresh noise, a trainer's data, or where they, or the states of a buffer, last stopped. */
#include <inttypes.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/philox.h"
#include "model/model.h"
#include "sampler/kernel.h"
#include "sampler/tempering.h"

/*
 * Moves n floats into the bounds, by the bounds' own rule, while adding sigma times numbers first .. of the sequence.
 */
static void bound(const ebm_sampler *sampler, const ebm__sequence *sequence, float sigma, int64_t first, int64_t n,
                  float *x) {
    ebm__langevin pass = ebm__sampler_pass(sampler, 0);
    double unused = 0;
    pass.sigma = sigma;
    ebm__simd_used()->langevin(&pass, sequence, first, n, x, NULL, x, &unused);
}

/* Fresh noise for n floats: numbers first, first + 1, ... of an episode. */
static void fill_noise(const ebm_sampler *sampler, uint64_t episode, int64_t first, int64_t n, float *x) {
    const ebm__sampler_settings *s = &sampler->settings;
    ebm__sequence sequence = {.seed = sampler->seed, .step = episode, .stream = EBM__STREAM_START};
    if (s->noise_kind == EBM_NOISE_UNIFORM) {
        ebm__simd_used()->uniforms(&sequence, first, n, x);
        for (int64_t i = 0; i < n; i++) {
            x[i] = (float)(s->noise_a + (s->noise_b - s->noise_a) * (double)x[i]);
        }
        bound(sampler, &sequence, 0, first, n, x);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        x[i] = (float)s->noise_a;
    }
    bound(sampler, &sequence, (float)s->noise_b, first, n, x);
}

static bool needs_buffer(const ebm_sampler *sampler) {
    return sampler->settings.capacity > sampler->n_chains;
}

static ebm_status allocate_buffer(ebm_sampler *sampler, const char *caller) {
    ebm_context *context = sampler->handle.context;
    int64_t capacity = sampler->settings.capacity;
    if (sampler->buffer == NULL) {
        EBM__TRY(ebm__alloc(context, capacity * sampler->dim, sizeof(float), caller, &sampler->buffer));
    }
    return sampler->picks != NULL ? EBM_OK
                                  : ebm__alloc(context, capacity, sizeof(int64_t), caller, &sampler->picks);
}

/* How many states persist: the chains, or those of the buffer. */
int64_t ebm__persistent_count(const ebm__sampler_settings *settings, int64_t n_chains) {
    return settings->capacity > n_chains ? settings->capacity : n_chains;
}

/* States first .. first + n - 1 of those that persist are new. */
static void forget_ages(ebm_sampler *sampler, int64_t first, int64_t n) {
    if (sampler->age != NULL) {
        memset(sampler->age + first, 0, (size_t)n * sizeof *sampler->age);
    }
}

/* The noise of an episode belongs first to the chains, with their replicas, then to the buffer. */
static ebm_status start_buffer(ebm_sampler *sampler, uint64_t episode, const char *caller) {
    EBM__TRY(allocate_buffer(sampler, caller));
    fill_noise(sampler, episode, sampler->n_rows * sampler->dim, sampler->settings.capacity * sampler->dim,
               sampler->buffer);
    sampler->buffer_started = true;
    forget_ages(sampler, 0, sampler->settings.capacity);
    return EBM_OK;
}

/* What is known of where the chains stood is of no use any more. */
static void forget_energies(ebm_sampler *sampler) {
    sampler->knows_energies = false;
    sampler->knows_chains = false;
}

static ebm_status start_from_noise(ebm_sampler *sampler, uint64_t episode, const char *caller) {
    if (needs_buffer(sampler)) {
        EBM__TRY(start_buffer(sampler, episode, caller));
    } else {
        forget_ages(sampler, 0, sampler->n_chains);
    }
    fill_noise(sampler, episode, 0, sampler->n_rows * sampler->dim, sampler->x);
    ebm__tempering_forget(sampler, 0, sampler->n_chains);
    sampler->started = true;
    sampler->has_momenta = false;
    forget_energies(sampler);
    return EBM_OK;
}

ebm_status ebm__sampler_start(ebm_sampler *sampler, const char *caller) {
    if (sampler->started) {
        return EBM_OK;
    }
    if (sampler->settings.start == EBM_START_DATA) {
        return ebm__fail(EBM_ERR_STATE,
                         "%s: the chains start from data, and none was given: call ebm_sampler_set_states, or train",
                         caller);
    }
    return start_from_noise(sampler, EBM__FIRST_EPISODE, caller);
}

/*
 * n_chains different rows of the buffer, each set equally likely: the first swaps of Fisher and Yates (Knuth 1997,
 * 3.4.2 P).
 */
static void pick_rows(ebm_sampler *sampler) {
    ebm__sequence sequence = {.seed = sampler->seed, .step = sampler->episode, .stream = EBM__STREAM_PICK};
    int64_t capacity = sampler->settings.capacity;
    for (int64_t i = 0; i < capacity; i++) {
        sampler->picks[i] = i;
    }
    for (int64_t c = 0; c < sampler->n_chains; c++) {
        int64_t other = c + (int64_t)ebm__random_below(&sequence, c, (uint64_t)(capacity - c));
        int64_t row = sampler->picks[other];
        sampler->picks[other] = sampler->picks[c];
        sampler->picks[c] = row;
        sampler->batch_age[c] = sampler->age[row];
        memcpy(sampler->x + c * sampler->dim, sampler->buffer + row * sampler->dim,
               (size_t)sampler->dim * sizeof(float));
    }
}

/* Fresh noise for the free coordinates of one chain, and of its replicas. */
static void restart_chain(ebm_sampler *sampler, int64_t chain) {
    int64_t dim = sampler->dim;
    for (int64_t row = chain; row < sampler->n_rows; row += sampler->n_chains) {
        float *x = sampler->x + row * dim;
        float *noise = sampler->x_next + row * dim; /* free between steps */
        fill_noise(sampler, sampler->episode, row * dim, dim, noise);
        ebm__hold_masked(sampler, 1, x, noise);
        memcpy(x, noise, (size_t)dim * sizeof *x);
    }
    ebm__tempering_forget(sampler, chain, 1);
}

static void restart_some(ebm_sampler *sampler) {
    ebm__sequence sequence = {.seed = sampler->seed, .step = sampler->episode, .stream = EBM__STREAM_RESTART};
    if (sampler->settings.restart_probability == 0) {
        return;
    }
    for (int64_t c = 0; c < sampler->n_chains; c++) {
        if (ebm__random_uniform(&sequence, c) < sampler->settings.restart_probability) {
            restart_chain(sampler, c);
            sampler->batch_age[c] = 0;
        }
    }
}

/* Chain c, with its replicas, starts at row c of the batch, or, when that is shorter, at row c modulo n. */
static void copy_data(ebm_sampler *sampler, int64_t n, const float *data) {
    int64_t dim = sampler->dim;
    for (int64_t row = 0; row < sampler->n_rows; row++) {
        memcpy(sampler->x + row * dim, data + (row % sampler->n_chains % n) * dim, (size_t)dim * sizeof *data);
    }
    ebm__sequence unused = {.seed = sampler->seed, .step = sampler->episode, .stream = EBM__STREAM_START};
    bound(sampler, &unused, 0, 0, sampler->n_rows * dim, sampler->x);
    ebm__tempering_forget(sampler, 0, sampler->n_chains);
}

static ebm_status go_on(ebm_sampler *sampler, const char *caller) {
    EBM__TRY(ebm__sampler_start(sampler, caller));
    if (needs_buffer(sampler)) {
        if (!sampler->buffer_started) {
            EBM__TRY(start_buffer(sampler, sampler->episode, caller));
        }
        pick_rows(sampler);
    } else {
        memcpy(sampler->batch_age, sampler->age, (size_t)sampler->n_chains * sizeof *sampler->age);
    }
    restart_some(sampler);
    return EBM_OK;
}

static ebm_status save_states(ebm_sampler *sampler, const char *caller) {
    int64_t floats = sampler->n_rows * sampler->dim;
    if (sampler->saved_x == NULL) {
        EBM__TRY(ebm__alloc(sampler->handle.context, floats, sizeof(float), caller, &sampler->saved_x));
    }
    bool momenta = sampler->has_momenta || ebm__kernel_of(sampler)->keeps_momenta;
    if (momenta && sampler->saved_momenta == NULL) {
        EBM__TRY(ebm__alloc(sampler->handle.context, floats, sizeof(float), caller, &sampler->saved_momenta));
    }
    if (sampler->age == NULL) {
        int64_t persistent = ebm__persistent_count(&sampler->settings, sampler->n_chains);
        EBM__TRY(ebm__alloc(sampler->handle.context, persistent, sizeof *sampler->age, caller, &sampler->age));
    }
    if (sampler->batch_age == NULL) {
        EBM__TRY(ebm__alloc(sampler->handle.context, sampler->n_chains, sizeof *sampler->age, caller,
                            &sampler->batch_age));
    }
    memcpy(sampler->saved_x, sampler->x, (size_t)floats * sizeof(float));
    sampler->saved_has_momenta = sampler->has_momenta;
    if (sampler->has_momenta) {
        memcpy(sampler->saved_momenta, sampler->momenta, (size_t)floats * sizeof(float));
    }
    sampler->saved_step = sampler->step;
    sampler->saved_episode = sampler->episode;
    sampler->saved_started = sampler->started;
    sampler->saved_report = sampler->report;
    ebm__ladder_save(sampler);
    return EBM_OK;
}

/* Do all chains go on from where they stopped? Then momenta that the kernel keeps go on with them. */
bool ebm__sampler_all_go_on(const ebm_sampler *sampler) {
    return sampler->settings.start == EBM_START_PERSISTENT && !needs_buffer(sampler) &&
           sampler->settings.restart_probability == 0;
}

static ebm_status put_at_starts(ebm_sampler *sampler, int64_t n, const float *data, const char *caller) {
    switch (sampler->settings.start) {
        case EBM_START_NOISE:
            if (!sampler->started) { /* held coordinates need a value too */
                EBM__TRY(start_from_noise(sampler, EBM__FIRST_EPISODE, caller));
            }
            for (int64_t c = 0; c < sampler->n_chains; c++) {
                restart_chain(sampler, c);
            }
            return EBM_OK;
        case EBM_START_DATA:
            copy_data(sampler, n, data);
            return EBM_OK;
        default:
            return go_on(sampler, caller);
    }
}

ebm_status ebm__sampler_begin_negatives(ebm_sampler *sampler, int64_t n, const float *data, const char *caller) {
    EBM__TRY(save_states(sampler, caller));
    ebm_status status = put_at_starts(sampler, n, data, caller);
    if (status != EBM_OK) {
        ebm__sampler_undo_negatives(sampler);
        return status;
    }
    sampler->episode++;
    sampler->started = true;
    sampler->has_momenta = sampler->has_momenta && ebm__sampler_all_go_on(sampler);
    forget_energies(sampler); /* the parameters have changed */
    return EBM_OK;
}

void ebm__sampler_finish_negatives(ebm_sampler *sampler) {
    if (sampler->settings.start != EBM_START_PERSISTENT) {
        return;
    }
    bool buffered = needs_buffer(sampler);
    size_t row_bytes = (size_t)sampler->dim * sizeof(float);
    int64_t made = (int64_t)(sampler->step - sampler->saved_step);
    for (int64_t c = 0; c < sampler->n_chains; c++) {
        sampler->age[buffered ? sampler->picks[c] : c] = sampler->batch_age[c] + made;
    }
    for (int64_t c = 0; buffered && c < sampler->n_chains; c++) {
        memcpy(sampler->buffer + sampler->picks[c] * sampler->dim, sampler->x + c * sampler->dim, row_bytes);
    }
}

void ebm__sampler_undo_negatives(ebm_sampler *sampler) {
    size_t bytes = (size_t)(sampler->n_rows * sampler->dim) * sizeof(float);
    memcpy(sampler->x, sampler->saved_x, bytes);
    forget_energies(sampler);
    sampler->has_momenta = sampler->saved_has_momenta;
    if (sampler->has_momenta) {
        memcpy(sampler->momenta, sampler->saved_momenta, bytes);
    }
    sampler->step = sampler->saved_step;
    sampler->episode = sampler->saved_episode;
    sampler->started = sampler->saved_started;
    sampler->report = sampler->saved_report;
    ebm__ladder_restore(sampler);
}

ebm_status ebm_sampler_restart(ebm_sampler *sampler) {
    EBM__REQUIRE(sampler);
    EBM__USE(use, sampler);
    EBM__TRY(start_from_noise(sampler, sampler->episode, __func__));
    sampler->episode++;
    return EBM_OK;
}

static ebm_status check_chain_count(const ebm_sampler *sampler, const char *caller, int64_t n) {
    if (n < 0 || n > sampler->n_chains) {
        return ebm__fail(EBM_ERR_ARG, "%s: n is %" PRId64 ", the sampler has %" PRId64 " chains", caller, n,
                         sampler->n_chains);
    }
    return EBM_OK;
}

ebm_status ebm_sampler_set_states(ebm_sampler *sampler, int64_t n, const float *x) {
    EBM__REQUIRE(sampler);
    EBM__USE(use, sampler);
    EBM__TRY(check_chain_count(sampler, __func__, n));
    if (n == 0) {
        return EBM_OK;
    }
    EBM__REQUIRE(x);
    EBM__TRY(ebm__require_finite(__func__, "x", n, sampler->dim, x));
    int64_t outside = ebm__sampler_first_outside(n * sampler->dim, x, sampler->settings.lo, sampler->settings.hi);
    if (outside >= 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: x is %g at chain %" PRId64 ", coordinate %" PRId64
                         ", outside the bounds %g to %g", __func__, (double)x[outside], outside / sampler->dim,
                         outside % sampler->dim, sampler->settings.lo, sampler->settings.hi);
    }
    if (!sampler->started) { /* the chains that are not set stand at noise */
        EBM__TRY(start_from_noise(sampler, EBM__FIRST_EPISODE, __func__));
    }
    memmove(sampler->x, x, (size_t)(n * sampler->dim) * sizeof *x);
    forget_ages(sampler, 0, needs_buffer(sampler) ? 0 : n);
    ebm__tempering_spread(sampler, n);
    sampler->has_momenta = false;
    forget_energies(sampler);
    return EBM_OK;
}

ebm_status ebm_sampler_get_states(ebm_sampler *sampler, int64_t n, float *x) {
    EBM__REQUIRE(sampler);
    EBM__USE(use, sampler);
    EBM__TRY(check_chain_count(sampler, __func__, n));
    if (n == 0) {
        return EBM_OK;
    }
    EBM__REQUIRE(x);
    EBM__TRY(ebm__sampler_start(sampler, __func__));
    memcpy(x, sampler->x, (size_t)(n * sampler->dim) * sizeof *x);
    return EBM_OK;
}

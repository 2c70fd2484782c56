/* SPDX-License-Identifier: MIT */
/* The ladder of parallel tempering as a setting: its memory, what is set, and what is told of it. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <ebm/tempering.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "sampler/settings.h"
#include "sampler/tempering.h"

ebm_status ebm__rows_alloc(const ebm_sampler *sampler, int32_t n_rungs, const char *caller, ebm__rows *rows) {
    ebm_context *context = sampler->handle.context;
    int64_t floats = n_rungs * sampler->n_chains * sampler->dim;
    int64_t n_chunks = (sampler->n_chains - 1) / EBM__LEAST_CHUNK_ROWS + 1;
    EBM__TRY(ebm__alloc(context, floats, sizeof(float), caller, &rows->x));
    EBM__TRY(ebm__alloc(context, floats, sizeof(float), caller, &rows->x_next));
    return ebm__alloc(context, n_rungs * n_chunks, sizeof *rows->reports, caller, &rows->reports);
}

static void free_rows(ebm_context *context, ebm__rows *rows) {
    ebm__free(context, rows->x);
    ebm__free(context, rows->x_next);
    ebm__free(context, rows->reports);
}

void ebm__ladder_free(ebm_context *context, ebm__ladder *ladder) {
    ebm__free(context, ladder->temperature);
    ebm__free(context, ladder->counts);
    ebm__free(context, ladder->saved_counts);
}

static int64_t counts_bytes(int32_t n_rungs, int64_t n_chains) {
    return n_rungs * ((int64_t)sizeof(double) + (int64_t)sizeof(int64_t) + n_chains);
}

static ebm_status alloc_ladder(const ebm_sampler *sampler, int32_t n_rungs, const char *caller, ebm__ladder *ladder) {
    ebm_context *context = sampler->handle.context;
    int64_t bytes = counts_bytes(n_rungs, sampler->n_chains);
    ladder->n_rungs = n_rungs;
    if (n_rungs == 1) {
        return EBM_OK;
    }
    EBM__TRY(ebm__alloc(context, 2 * (int64_t)n_rungs, sizeof(double), caller, &ladder->temperature));
    EBM__TRY(ebm__alloc(context, bytes, 1, caller, &ladder->counts));
    EBM__TRY(ebm__alloc(context, bytes, 1, caller, &ladder->saved_counts));
    ladder->step_size = ladder->temperature + n_rungs;
    ladder->proposed = (int64_t *)(void *)(ladder->counts + n_rungs);
    ladder->came_from = (uint8_t *)(ladder->proposed + n_rungs);
    return EBM_OK;
}

void ebm__ladder_save(ebm_sampler *sampler) {
    ebm__ladder *ladder = &sampler->ladder;
    if (ladder->n_rungs > 1) {
        memcpy(ladder->saved_counts, ladder->counts, (size_t)counts_bytes(ladder->n_rungs, sampler->n_chains));
        ladder->saved_round_trips = ladder->round_trips;
    }
}

void ebm__ladder_restore(ebm_sampler *sampler) {
    ebm__ladder *ladder = &sampler->ladder;
    if (ladder->n_rungs > 1) {
        memcpy(ladder->counts, ladder->saved_counts, (size_t)counts_bytes(ladder->n_rungs, sampler->n_chains));
        ladder->round_trips = ladder->saved_round_trips;
    }
}

void ebm__ladder_clear_counts(ebm_sampler *sampler) {
    ebm__ladder *ladder = &sampler->ladder;
    ladder->round_trips = 0;
    for (int32_t r = 0; r < ladder->n_rungs && ladder->n_rungs > 1; r++) {
        ladder->counts[r] = 0;
        ladder->proposed[r] = 0;
    }
    ebm__tempering_forget(sampler, 0, sampler->n_chains);
}

static void free_array(ebm_context *context, float **array) {
    ebm__free(context, *array);
    *array = NULL;
}

/* What a sampler makes when it is first needed has the wrong size now. */
static void drop_other_rows(ebm_sampler *sampler) {
    ebm_context *context = sampler->handle.context;
    ebm__free(context, sampler->energy);
    ebm__free(context, sampler->trajectory_energy);
    sampler->energy = NULL;
    sampler->trajectory_energy = NULL;
    sampler->report.has_trajectory = false;
    free_array(context, &sampler->grad);
    free_array(context, &sampler->momenta);
    free_array(context, &sampler->momenta_next);
    free_array(context, &sampler->saved_x);
    free_array(context, &sampler->saved_momenta);
    sampler->has_momenta = false;
    sampler->knows_energies = false;
    sampler->knows_chains = false;
}

/* All memory of another number of rungs, or none of it. The chains stay where they stand. */
static ebm_status resize(ebm_sampler *sampler, int32_t n_rungs, const char *caller) {
    ebm_context *context = sampler->handle.context;
    ebm__rows rows = {0};
    ebm__ladder ladder = {0};
    ebm_status status = ebm__rows_alloc(sampler, n_rungs, caller, &rows);
    status = status == EBM_OK ? alloc_ladder(sampler, n_rungs, caller, &ladder) : status;
    if (status != EBM_OK) {
        free_rows(context, &rows);
        ebm__ladder_free(context, &ladder);
        return status;
    }
    memcpy(rows.x, sampler->x, (size_t)(sampler->n_chains * sampler->dim) * sizeof *rows.x);
    ebm__rows old = {sampler->x, sampler->x_next, sampler->reports};
    free_rows(context, &old);
    ebm__ladder_free(context, &sampler->ladder);
    drop_other_rows(sampler);
    sampler->x = rows.x;
    sampler->x_next = rows.x_next;
    sampler->reports = rows.reports;
    sampler->ladder = ladder;
    sampler->n_rows = n_rungs * sampler->n_chains;
    ebm__tempering_spread(sampler, sampler->n_chains);
    return EBM_OK;
}

static ebm_status check_rungs(const ebm_sampler *sampler, int32_t n_rungs, const char *caller) {
    int64_t bytes;
    if (n_rungs < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_rungs is %d, must be at least 1", caller, n_rungs);
    }
    if (!ebm__multiply(sampler->n_chains * sampler->dim, n_rungs * (int64_t)sizeof(float), &bytes)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: n_rungs is %d, and n_rungs x %" PRId64 " x %" PRId64
                         " floats do not fit", caller, n_rungs, sampler->n_chains, sampler->dim);
    }
    return EBM_OK;
}

static ebm_status check_temperatures(int32_t n_rungs, const double *t, const char *caller) {
    if (t[0] != 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: temperatures[0] is %g, must be 1: the chains' own", caller, t[0]);
    }
    for (int32_t r = 1; r < n_rungs; r++) {
        if (!(t[r] > t[r - 1] && isfinite((float)t[r]))) {
            return ebm__fail(EBM_ERR_ARG, "%s: temperatures[%d] is %g, must be finite and above the one before, %g",
                             caller, r, t[r], t[r - 1]);
        }
    }
    return EBM_OK;
}

static void set_temperatures(ebm_sampler *sampler, const double *temperatures) {
    ebm__ladder *ladder = &sampler->ladder;
    for (int32_t r = 0; r < ladder->n_rungs && ladder->n_rungs > 1; r++) {
        ladder->temperature[r] = temperatures[r];
        ladder->step_size[r] = 1;
    }
    ebm__ladder_clear_counts(sampler);
}

ebm_status ebm_sampler_set_ladder(ebm_sampler *sampler, int32_t n_rungs, const double *temperatures) {
    EBM__REQUIRE(sampler);
    EBM__TRY(check_rungs(sampler, n_rungs, __func__));
    if (n_rungs > 1) {
        EBM__REQUIRE(temperatures);
    }
    if (temperatures != NULL) {
        EBM__TRY(check_temperatures(n_rungs, temperatures, __func__));
    }
    EBM__USE(use, sampler);
    if (n_rungs != sampler->ladder.n_rungs) {
        EBM__TRY(resize(sampler, n_rungs, __func__));
    }
    set_temperatures(sampler, temperatures);
    return EBM_OK;
}

int32_t ebm_sampler_rung_count(const ebm_sampler *sampler) {
    return sampler == NULL ? 0 : sampler->ladder.n_rungs;
}

static ebm_status require_count(const char *caller, int32_t n, int32_t expected) {
    return n == expected ? EBM_OK
                         : ebm__fail(EBM_ERR_ARG, "%s: n is %d, must be %d for this ladder", caller, n, expected);
}

/* A number for each rung; without a ladder the only one has 1. */
static void copy_rungs(const ebm_sampler *sampler, const double *from, double *to) {
    for (int32_t r = 0; r < sampler->ladder.n_rungs; r++) {
        to[r] = from == NULL ? 1 : from[r];
    }
}

ebm_status ebm_sampler_get_ladder(const ebm_sampler *sampler, int32_t n, double *temperatures) {
    EBM__REQUIRE(sampler);
    EBM__REQUIRE(temperatures);
    EBM__TRY(ebm__readable(&sampler->handle, __func__));
    EBM__TRY(require_count(__func__, n, sampler->ladder.n_rungs));
    copy_rungs(sampler, sampler->ladder.temperature, temperatures);
    return EBM_OK;
}

ebm_status ebm_sampler_set_rung_step_sizes(ebm_sampler *sampler, int32_t n, const double *factors) {
    EBM__REQUIRE(sampler);
    EBM__REQUIRE(factors);
    EBM__USE(use, sampler);
    EBM__TRY(require_count(__func__, n, sampler->ladder.n_rungs));
    if (factors[0] != 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: factors[0] is %g, must be 1: the chains' own", __func__, factors[0]);
    }
    for (int32_t r = 1; r < n; r++) {
        if (!ebm__is_step_size(factors[r])) {
            return ebm__fail(EBM_ERR_ARG, "%s: factors[%d] is %g, must be " EBM__STEP_SIZE_RANGE, __func__, r,
                             factors[r]);
        }
    }
    for (int32_t r = 1; r < n; r++) {
        sampler->ladder.step_size[r] = factors[r];
    }
    return EBM_OK;
}

ebm_status ebm_sampler_get_rung_step_sizes(const ebm_sampler *sampler, int32_t n, double *factors) {
    EBM__REQUIRE(sampler);
    EBM__REQUIRE(factors);
    EBM__TRY(ebm__readable(&sampler->handle, __func__));
    EBM__TRY(require_count(__func__, n, sampler->ladder.n_rungs));
    copy_rungs(sampler, sampler->ladder.step_size, factors);
    return EBM_OK;
}

ebm_status ebm_sampler_set_swap_every(ebm_sampler *sampler, int64_t n_steps) {
    EBM__REQUIRE(sampler);
    if (n_steps < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_steps is %" PRId64 ", must be at least 1", __func__, n_steps);
    }
    EBM__USE(use, sampler);
    sampler->settings.swap_every = n_steps;
    return EBM_OK;
}

ebm_status ebm_sampler_get_swap_every(const ebm_sampler *sampler, int64_t *n_steps) {
    EBM__GET(sampler, n_steps, sampler->settings.swap_every);
}

ebm_status ebm_sampler_get_swap_rates(const ebm_sampler *sampler, int32_t n, double *rates) {
    EBM__REQUIRE(sampler);
    EBM__TRY(ebm__readable(&sampler->handle, __func__));
    EBM__TRY(require_count(__func__, n, sampler->ladder.n_rungs - 1));
    if (n == 0) {
        return EBM_OK;
    }
    EBM__REQUIRE(rates);
    const ebm__ladder *ladder = &sampler->ladder;
    for (int32_t r = 0; r < n; r++) {
        if (ladder->proposed[r] == 0) {
            return ebm__fail(EBM_ERR_STATE, "%s: no swap between rungs %d and %d has been proposed yet", __func__, r,
                             r + 1);
        }
    }
    for (int32_t r = 0; r < n; r++) {
        rates[r] = ladder->counts[r] / (double)ladder->proposed[r];
    }
    return EBM_OK;
}

ebm_status ebm_sampler_get_round_trips(const ebm_sampler *sampler, int64_t *trips) {
    EBM__GET(sampler, trips, sampler->ladder.round_trips);
}

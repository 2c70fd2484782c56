/* SPDX-License-Identifier: MIT */
/*
 * Keeps what a trainer's file would hold, in memory, every so many steps, and goes back to it when training diverges.
 * A state counts as good only once training has gone on well for another so many steps: a state that is taken shortly
 * before a divergence may be a part of it.
 */
#include "io/rollback.h"

#include <inttypes.h>
#include <string.h>

#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/model_tensors.h"
#include "io/trainer_state.h"
#include "trainer/schedule.h"

typedef struct rollback {
    ebm__keeper keeper;
    ebm__tensor_list list; /* its memory is used again */
    ebm__kept kept[EBM__N_KEPT];
} rollback;

static rollback *rollback_of(const ebm_trainer *trainer) {
    return (rollback *)(void *)trainer->keepers[EBM__KEEPER_ROLLBACK]; /* the keeper is the first member */
}

/*
 * All that changes from step to step. What kernels know of the energies where chains stand is made anew, and fitted
 * noise does not change.
 */
static ebm_status list_state(rollback *r, const ebm_trainer *trainer) {
    ebm__trainer_state state = ebm__trainer_state_of(trainer);
    state.parts.chains.energies = false;
    state.parts.chains.gradients = false;
    state.parts.chains.trajectories = false;
    state.parts.covariance = 0;
    state.parts.average = trainer->average != NULL;
    r->list.n = 0;
    EBM__TRY(ebm__list_model_tensors(&r->list, EBM__GROUP_PARAM, state.model, state.theta));
    return ebm__list_progress(&r->list, &state);
}

/* FNV-1a of names and sizes (Fowler, Noll, Vo): two states of one layout can take each other's place. */
static uint64_t layout_of(const ebm__tensor_list *list) {
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (int64_t i = 0; i < list->n; i++) {
        for (const char *c = list->places[i].name; *c != 0; c++) {
            hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001B3);
        }
        hash = (hash ^ (uint64_t)ebm__tensor_bytes(&list->places[i])) * UINT64_C(0x100000001B3);
    }
    return hash;
}

/* Memory for the state after the step that is about to count. One of another shape is of no use any more. */
static ebm_status before_change(ebm__keeper *keeper, ebm_trainer *trainer, const char *caller) {
    rollback *r = (rollback *)(void *)keeper;
    EBM__TRY(list_state(r, trainer));
    int64_t bytes = ebm__tensor_list_bytes(&r->list);
    for (int i = 0; i < EBM__N_KEPT; i++) {
        if (r->kept[i].capacity < bytes) {
            EBM__TRY(ebm__reserve(trainer->handle.context, bytes, caller, &r->kept[i].bytes, &r->kept[i].capacity));
            r->kept[i].size = 0;
        }
    }
    return EBM_OK;
}

static void take(rollback *r) {
    ebm__kept *latest = &r->kept[EBM__LATEST];
    if (latest->size > 0) {
        ebm__kept before = r->kept[EBM__CONFIRMED];
        r->kept[EBM__CONFIRMED] = *latest;
        *latest = before;
    }
    latest->size = ebm__tensor_list_bytes(&r->list);
    latest->layout = layout_of(&r->list);
    ebm__tensor_list_pack(&r->list, latest->bytes);
}

static ebm_status hold_and_take(rollback *r, ebm_trainer *trainer, const char *caller) {
    EBM__USE_ANY(use_sampler, trainer->sampler, caller);
    EBM__USE_FOR(use_model, trainer->model, caller);
    EBM__TRY(list_state(r, trainer));
    if (ebm__tensor_list_bytes(&r->list) <= r->kept[EBM__CONFIRMED].capacity &&
        ebm__tensor_list_bytes(&r->list) <= r->kept[EBM__LATEST].capacity) {
        take(r);
    }
    return EBM_OK;
}

static void after_step(ebm__keeper *keeper, ebm_trainer *trainer) {
    rollback *r = (rollback *)(void *)keeper;
    bool due = r->kept[EBM__LATEST].size == 0 || trainer->steps % trainer->settings.rollback_every == 0;
    if (due && trainer->health.verdict <= EBM_VERDICT_HEALTHY) {
        (void)hold_and_take(r, trainer, "rollback"); /* a model that another thread holds: at the next step then */
    }
}

/* Random numbers that led to the failure do not come again: their counters go on, past the step that failed. */
static void go_back(rollback *r, ebm_trainer *trainer, int which) {
    ebm_sampler *sampler = trainer->sampler;
    int64_t batches = trainer->batches;
    int64_t rollbacks = trainer->rollbacks;
    int64_t normals_per_row = trainer->noise.normals_per_row;
    uint64_t step = sampler == NULL ? 0 : sampler->step + (uint64_t)ebm__trainer_mcmc_steps(trainer);
    uint64_t episode = sampler == NULL ? 0 : sampler->episode + 1;
    ebm__tensor_list_unpack(&r->list, r->kept[which].bytes);
    trainer->batches = batches + 1;
    trainer->rollbacks = rollbacks + 1;
    trainer->noise.normals_per_row = normals_per_row;
    if (trainer->epoch_next >= trainer->epoch_rows) { /* never, unless a file said so */
        trainer->epoch_rows = 0;
        trainer->epoch_next = 0;
    }
    if (sampler != NULL) {
        sampler->step = step;
        sampler->episode = episode;
        sampler->knows_energies = false;
        sampler->knows_chains = false;
        sampler->report.has_trajectory = false;
        sampler->factor_is_stale = sampler->inverse_mass != NULL;
    }
    trainer->settings.learning_rate *= trainer->settings.rollback_factor;
    if (which == EBM__LATEST) { /* it is all there is: it stays */
        ebm__kept kept = r->kept[EBM__CONFIRMED];
        r->kept[EBM__CONFIRMED] = r->kept[EBM__LATEST];
        r->kept[EBM__LATEST] = kept;
    }
    r->kept[EBM__LATEST].size = 0;
}

static ebm_status after_failure(ebm__keeper *keeper, ebm_trainer *trainer, ebm_status status, const char *caller) {
    rollback *r = (rollback *)(void *)keeper;
    int which = r->kept[EBM__CONFIRMED].size > 0 ? EBM__CONFIRMED : EBM__LATEST;
    if (r->kept[which].size == 0) {
        return status;
    }
    if (trainer->rollbacks >= trainer->settings.most_rollbacks) {
        return ebm__fail_within(status, "after %" PRId64 " rollbacks: ", trainer->rollbacks);
    }
    EBM__USE_ANY(use_sampler, trainer->sampler, caller);
    EBM__USE_FOR(use_model, trainer->model, caller);
    EBM__TRY(list_state(r, trainer));
    if (r->kept[which].layout != layout_of(&r->list)) {
        return ebm__fail_within(status, "settings have changed since a state to go back to was kept: ");
    }
    int64_t failed = trainer->steps;
    go_back(r, trainer, which);
    ebm__log(trainer->handle.context, EBM_LOG_WARNING,
             "rollback %" PRId64 " of %d: from step %" PRId64 " to step %" PRId64 ", learning rate %.3g",
             trainer->rollbacks, trainer->settings.most_rollbacks, failed, trainer->steps,
             trainer->settings.learning_rate);
    return EBM_OK;
}

static void destroy(ebm__keeper *keeper, ebm_context *context) {
    rollback *r = (rollback *)(void *)keeper;
    for (int i = 0; i < EBM__N_KEPT; i++) {
        ebm__free(context, r->kept[i].bytes);
    }
    ebm__tensor_list_clear(&r->list);
    ebm__free(context, r);
}

ebm_status ebm_trainer_set_rollback(ebm_trainer *trainer, int64_t every_steps, double learning_rate_factor,
                                    int32_t most) {
    EBM__REQUIRE(trainer);
    rollback *r = NULL;
    if (every_steps < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: every_steps is %" PRId64 ", must be 0 or more", __func__, every_steps);
    }
    if (every_steps > 0 && !((float)learning_rate_factor > 0 && learning_rate_factor <= 1)) {
        return ebm__fail(EBM_ERR_ARG, "%s: learning_rate_factor is %g, must be above 0, to 1", __func__,
                         learning_rate_factor);
    }
    if (every_steps > 0 && most < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: most is %d, must be at least 1", __func__, most);
    }
    EBM__USE(use, trainer);
    if (every_steps > 0) {
        EBM__TRY(ebm__alloc(trainer->handle.context, 1, sizeof *r, __func__, &r));
        r->keeper = (ebm__keeper){after_step, destroy, before_change, after_failure};
        r->list.context = trainer->handle.context;
        trainer->settings.rollback_factor = learning_rate_factor;
        trainer->settings.most_rollbacks = most;
    }
    trainer->settings.rollback_every = every_steps;
    ebm__trainer_set_keeper(trainer, EBM__KEEPER_ROLLBACK, r == NULL ? NULL : &r->keeper);
    return EBM_OK;
}

ebm_status ebm_trainer_get_rollback(const ebm_trainer *trainer, int64_t *every_steps, double *learning_rate_factor,
                                    int32_t *most) {
    EBM__REQUIRE(trainer);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    if (every_steps != NULL) {
        *every_steps = trainer->settings.rollback_every;
    }
    if (learning_rate_factor != NULL) {
        *learning_rate_factor = trainer->settings.rollback_factor;
    }
    if (most != NULL) {
        *most = trainer->settings.most_rollbacks;
    }
    return EBM_OK;
}

ebm_status ebm_trainer_get_rollback_count(const ebm_trainer *trainer, int64_t *count) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(count);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    *count = trainer->rollbacks;
    return EBM_OK;
}

/* ---- for files ---- */

ebm__kept ebm__rollback_kept(const ebm_trainer *trainer, int which) {
    const rollback *r = rollback_of(trainer);
    return r == NULL ? (ebm__kept){0} : r->kept[which];
}

ebm_status ebm__rollback_make(ebm_trainer *trainer, int which, int64_t size, uint8_t **bytes) {
    rollback *r = rollback_of(trainer);
    if (r == NULL) {
        return ebm__fail(EBM_ERR_FORMAT, "the file has a state to go back to, but its setting is to keep none");
    }
    EBM__TRY(list_state(r, trainer));
    if (size != ebm__tensor_list_bytes(&r->list)) {
        return ebm__fail(EBM_ERR_FORMAT, "the state to go back to has %" PRId64 " bytes, must be %" PRId64, size,
                         ebm__tensor_list_bytes(&r->list));
    }
    ebm__kept *kept = &r->kept[which];
    EBM__TRY(ebm__reserve(trainer->handle.context, size, "a state to go back to", &kept->bytes, &kept->capacity));
    kept->size = size;
    kept->layout = layout_of(&r->list);
    *bytes = kept->bytes;
    return EBM_OK;
}

ebm_status ebm__rollback_check(ebm_trainer *trainer, int which,
                               ebm_status (*check)(const ebm__tensor_list *list, const uint8_t *packed)) {
    rollback *r = rollback_of(trainer);
    EBM__TRY(list_state(r, trainer));
    return check(&r->list, r->kept[which].bytes);
}

/* SPDX-License-Identifier: MIT */
/* Saving a trainer every so many steps or seconds. */
#include <ebm/io.h>

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/clock.h"
#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/tensor_file.h"
#include "io/trainer_file.h"

enum { MOST_KEPT = 100 };

typedef struct autosave {
    ebm__keeper keeper;
    int64_t every_steps;
    double every_seconds;
    int32_t keep_last;
    double last; /* when it was last tried */
    int64_t failures;
    char path[];
} autosave;

static autosave *autosave_of(const ebm_trainer *trainer) {
    return (autosave *)(void *)trainer->keepers[EBM__KEEPER_SAVES]; /* the keeper is the first member */
}

static bool is_due(const autosave *a, const ebm_trainer *trainer) {
    return (a->every_steps > 0 && trainer->steps % a->every_steps == 0) ||
           (a->every_seconds > 0 && ebm__seconds() - a->last >= a->every_seconds);
}

/* A full disk must not end a training: the host is told, and the next attempt comes when it is due. */
static void after_step(ebm__keeper *keeper, ebm_trainer *trainer) {
    autosave *a = (autosave *)(void *)keeper;
    if (!is_due(a, trainer)) {
        return;
    }
    if (ebm__trainer_write(trainer, a->path, a->keep_last, "automatic saving") != EBM_OK) {
        a->failures++;
        ebm__log(trainer->handle.context, EBM_LOG_WARNING, "after step %" PRId64 ": %s", trainer->steps,
                 ebm_last_error());
    }
    a->last = ebm__seconds();
}

static void destroy(ebm__keeper *keeper, ebm_context *context) {
    ebm__free(context, keeper);
}

static ebm_status check(const char *caller, int64_t every_steps, double every_seconds, int32_t keep_last) {
    if (every_steps < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: every_steps is %" PRId64 ", must be 0 or more", caller, every_steps);
    }
    if (!(every_seconds >= 0 && isfinite(every_seconds))) {
        return ebm__fail(EBM_ERR_ARG, "%s: every_seconds is %g, must be finite and 0 or more", caller, every_seconds);
    }
    if (every_steps == 0 && every_seconds == 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: every_steps and every_seconds are 0, one must be above", caller);
    }
    if (keep_last < 1 || keep_last > MOST_KEPT) {
        return ebm__fail(EBM_ERR_ARG, "%s: keep_last is %d, must be 1 to %d", caller, keep_last, MOST_KEPT);
    }
    return EBM_OK;
}

ebm_status ebm_trainer_set_autosave(ebm_trainer *trainer, const char *path, int64_t every_steps, double every_seconds,
                                    int32_t keep_last) {
    EBM__REQUIRE(trainer);
    autosave *a = NULL;
    if (path != NULL) {
        EBM__TRY(ebm__require_path(__func__, path));
        EBM__TRY(check(__func__, every_steps, every_seconds, keep_last));
    }
    EBM__USE(use, trainer);
    if (path != NULL) {
        size_t bytes = sizeof *a + strlen(path) + 1;
        EBM__TRY(ebm__alloc(trainer->handle.context, 1, bytes, __func__, &a));
        a->keeper = (ebm__keeper){.after_step = after_step, .destroy = destroy};
        a->every_steps = every_steps;
        a->every_seconds = every_seconds;
        a->keep_last = keep_last;
        a->last = ebm__seconds();
        memcpy(a->path, path, strlen(path) + 1);
    }
    ebm__trainer_set_keeper(trainer, EBM__KEEPER_SAVES, a == NULL ? NULL : &a->keeper);
    return EBM_OK;
}

ebm_status ebm_trainer_get_autosave(const ebm_trainer *trainer, const char **path, int64_t *every_steps,
                                    double *every_seconds, int32_t *keep_last) {
    EBM__REQUIRE(trainer);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    const autosave *a = autosave_of(trainer);
    if (path != NULL) {
        *path = a == NULL ? NULL : a->path;
    }
    if (every_steps != NULL) {
        *every_steps = a == NULL ? 0 : a->every_steps;
    }
    if (every_seconds != NULL) {
        *every_seconds = a == NULL ? 0 : a->every_seconds;
    }
    if (keep_last != NULL) {
        *keep_last = a == NULL ? 1 : a->keep_last;
    }
    return EBM_OK;
}

ebm_status ebm_trainer_get_autosave_failures(const ebm_trainer *trainer, int64_t *count) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(count);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    const autosave *a = autosave_of(trainer);
    *count = a == NULL ? 0 : a->failures;
    return EBM_OK;
}

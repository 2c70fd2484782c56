/* SPDX-License-Identifier: MIT */
/* Keeping draws: in the host's array, or shown to the host one by one. */
#include <inttypes.h>
#include <stdatomic.h>

#include "core/error.h"
#include "core/memory.h"
#include "model/model.h"
#include "sampler/sampler.h"

static ebm_status check_counts(const char *caller, int64_t n_draws, int64_t thin, int64_t *n_steps) {
    if (n_draws < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_draws is %" PRId64 ", must be 0 or more", caller, n_draws);
    }
    if (thin < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: thin is %" PRId64 ", must be at least 1", caller, thin);
    }
    if (!ebm__multiply(n_draws, thin, n_steps)) {
        return ebm__fail(EBM_ERR_OVERFLOW,
                         "%s: n_draws is %" PRId64 " and thin is %" PRId64 ", and that many steps do not fit", caller,
                         n_draws, thin);
    }
    return EBM_OK;
}

ebm_status ebm_sampler_draw(ebm_sampler *sampler, int64_t n_draws, int64_t thin, float *out) {
    EBM__REQUIRE(sampler);
    int64_t n_steps = 0;
    int64_t bytes;
    int64_t floats = sampler->n_chains * sampler->dim;
    EBM__TRY(check_counts(__func__, n_draws, thin, &n_steps));
    if (!ebm__multiply(n_draws, floats * (int64_t)sizeof *out, &bytes)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: n_draws is %" PRId64 ", and draws of %" PRId64 " floats do not fit",
                         __func__, n_draws, floats);
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

typedef struct shown {
    int64_t thin;
    int64_t steps; /* made */
    ebm_draw_fn fn;
    void *user_data;
} shown;

/* While the host looks, the sampler is at rest and its getters work. */
static ebm_status show(ebm_sampler *sampler, void *data) {
    shown *s = data;
    if (++s->steps % s->thin != 0) {
        return EBM_OK;
    }
    int64_t draw = s->steps / s->thin - 1;
    atomic_store_explicit(&sampler->handle.activity, EBM__WATCHED, memory_order_release);
    int depth = ebm__callback_enter();
    int32_t answer = s->fn(draw, sampler->n_chains, sampler->dim, sampler->x, s->user_data);
    ebm__callback_leave(depth);
    atomic_store_explicit(&sampler->handle.activity, EBM__WORKING, memory_order_relaxed);
    if (answer == EBM_CB_OK) {
        return EBM_OK;
    }
    if (answer == EBM_CB_STOP) {
        return ebm__fail(EBM_ERR_STOPPED, "the draw callback asked to stop at draw %" PRId64, draw);
    }
    return ebm__fail(EBM_ERR_CALLBACK, "the draw callback returned %d at draw %" PRId64, answer, draw);
}

ebm_status ebm_sampler_draw_each(ebm_sampler *sampler, int64_t n_draws, int64_t thin, ebm_draw_fn fn,
                                 void *user_data) {
    EBM__REQUIRE(sampler);
    EBM__REQUIRE(fn);
    int64_t n_steps = 0;
    EBM__TRY(check_counts(__func__, n_draws, thin, &n_steps));
    EBM__USE(use, sampler);
    EBM__USE(use_model, sampler->model);
    if (n_draws == 0) {
        return EBM_OK;
    }
    EBM__TRY(ebm__sampler_start(sampler, __func__));
    shown s = {.thin = thin, .fn = fn, .user_data = user_data};
    return ebm__sampler_advance_with(sampler, n_steps, show, &s, __func__);
}

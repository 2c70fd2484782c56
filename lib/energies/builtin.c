/* SPDX-License-Identifier: MIT */
#include "energies/builtin.h"

#include <inttypes.h>
#include <string.h>

#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"

ebm_status ebm__builtin_state_create(ebm_context *context, int64_t bytes, const char *caller, void *out) {
    ebm__builtin_state *state;
    EBM__TRY(ebm__alloc(context, bytes, 1, caller, &state));
    state->context = ebm__context_keep(context);
    ebm__scratch_init(&state->scratch, context);
    memcpy(out, &state, sizeof state);
    return EBM_OK;
}

void ebm__builtin_state_release(void *state) {
    ebm__builtin_state *builtin = state;
    if (builtin == NULL) {
        return;
    }
    if (builtin->clear != NULL) {
        builtin->clear(state);
    }
    ebm_context *context = builtin->context;
    ebm__scratch_clear(&builtin->scratch);
    ebm__free(context, builtin);
    ebm__context_release(context);
}

static ebm_status describe(ebm_model *model, const ebm__builtin_callbacks *callbacks) {
    EBM__TRY(ebm_model_set_concurrent(model, 1));
    EBM__TRY(ebm_model_set_mixed_grad(model, callbacks->mixed_grad));
    return ebm_model_set_init(model, callbacks->init);
}

ebm_status ebm__builtin_model_create(ebm_context *context, int64_t dim, const ebm__builtin_callbacks *callbacks,
                                     void *state, ebm_model **out) {
    ebm_model *model;
    ebm_status status = ebm_model_create(context, dim, callbacks->energy, callbacks->param_grad, state, &model);
    if (status != EBM_OK) {
        ebm__builtin_state_release(state);
        return status;
    }
    status = ebm_model_set_release(model, ebm__builtin_state_release);
    if (status != EBM_OK) {
        ebm__builtin_state_release(state);
    } else {
        status = describe(model, callbacks);
    }
    if (status != EBM_OK) {
        ebm_model_destroy(model);
        return status;
    }
    *out = model;
    return EBM_OK;
}

ebm_status ebm__builtin_check_dim(int64_t dim, const char *caller) {
    if (dim < 1 || dim > INT32_MAX) {
        return ebm__fail(EBM_ERR_ARG, "%s: dim is %" PRId64 ", must be 1 to 2147483647", caller, dim);
    }
    return EBM_OK;
}

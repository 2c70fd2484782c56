/* SPDX-License-Identifier: MIT */
#include "core/handle.h"

#include <stddef.h>

#include "core/context.h"
#include "core/error.h"

_Thread_local int ebm__callback_depth;

void ebm__handle_init(ebm__handle *handle, ebm_context *context, void (*destroy)(ebm__handle *)) {
    handle->context = ebm__context_keep(context);
    atomic_init(&handle->references, 1);
    atomic_init(&handle->activity, EBM__IDLE);
    handle->poisoned = false;
    handle->destroy = destroy;
}

void ebm__handle_keep(ebm__handle *handle) {
    atomic_fetch_add_explicit(&handle->references, 1, memory_order_relaxed);
}

void ebm__handle_release(ebm__handle *handle) {
    if (atomic_fetch_sub_explicit(&handle->references, 1, memory_order_acq_rel) == 1) {
        ebm_context *context = handle->context;
        handle->destroy(handle);
        ebm__context_release(context);
    }
}

ebm_status ebm__use_begin(ebm__use *use, ebm__handle *handle, const char *caller) {
    int idle = EBM__IDLE;
    if (!atomic_compare_exchange_strong_explicit(&handle->activity, &idle, EBM__WORKING, memory_order_acquire,
                                                 memory_order_relaxed)) {
        return ebm__fail(EBM_ERR_BUSY, "%s: the handle is at work in another call", caller);
    }
    if (handle->poisoned) {
        atomic_store_explicit(&handle->activity, EBM__IDLE, memory_order_release);
        return ebm__readable(handle, caller);
    }
    ebm__handle_keep(handle); /* so that a callback may destroy it */
    use->handle = handle;
    use->depth = ebm__callback_depth;
    return EBM_OK;
}

void ebm__use_end(ebm__use *use) {
    if (use->handle == NULL) {
        return;
    }
    if (ebm__callback_depth != use->depth) {
        use->handle->poisoned = true;
    }
    atomic_store_explicit(&use->handle->activity, EBM__IDLE, memory_order_release);
    ebm__handle_release(use->handle);
    use->handle = NULL;
}

ebm_status ebm__readable(const ebm__handle *handle, const char *caller) {
    if (atomic_load_explicit(&handle->activity, memory_order_acquire) == EBM__WORKING) {
        return ebm__fail(EBM_ERR_BUSY, "%s: the handle is at work in another call", caller);
    }
    if (handle->poisoned) {
        return ebm__fail(EBM_ERR_STATE, "%s: an exception of a callback has passed through the handle; destroy it",
                         caller);
    }
    return EBM_OK;
}

/* SPDX-License-Identifier: MIT */
#include "core/memory.h"

#include <inttypes.h>
#include <string.h>

#include "core/context.h"
#include "core/error.h"

enum { ALIGNMENT = 64 };

ebm_status ebm__alloc(ebm_context *context, int64_t count, size_t size, const char *caller, void *out) {
    int64_t bytes;
    if (!ebm__multiply(count, (int64_t)size, &bytes) || bytes > PTRDIFF_MAX - 2 * ALIGNMENT) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: %" PRId64 " items of %zu bytes do not fit in memory", caller, count,
                         size);
    }
    /*
     * The host's allocator promises only the alignment of a C type, so the block's true start is kept just before it.
     */
    char *block = ebm__context_alloc(context, (size_t)bytes + ALIGNMENT + sizeof(void *));
    if (block == NULL) {
        return ebm__fail(EBM_ERR_NOMEM, "%s: no memory for %" PRId64 " items of %zu bytes", caller, count, size);
    }
    uintptr_t first = (uintptr_t)block + sizeof(void *);
    char *aligned = block + sizeof(void *) + (ALIGNMENT - first % ALIGNMENT) % ALIGNMENT;
    memcpy(aligned - sizeof(void *), &block, sizeof(void *));
    memset(aligned, 0, (size_t)bytes);
    memcpy(out, &aligned, sizeof(void *));
    return EBM_OK;
}

ebm_status ebm__reserve(ebm_context *context, int64_t bytes, const char *caller, void *memory, int64_t *capacity) {
    if (bytes <= *capacity) {
        return EBM_OK;
    }
    void *larger = NULL;
    EBM__TRY(ebm__alloc(context, bytes, 1, caller, &larger));
    void *before;
    memcpy(&before, memory, sizeof before);
    ebm__free(context, before);
    memcpy(memory, &larger, sizeof larger);
    *capacity = bytes;
    return EBM_OK;
}

void ebm__free(ebm_context *context, void *memory) {
    if (memory == NULL) {
        return;
    }
    void *block;
    memcpy(&block, (char *)memory - sizeof(void *), sizeof(void *));
    ebm__context_free(context, block);
}

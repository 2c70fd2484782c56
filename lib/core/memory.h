/* SPDX-License-Identifier: MIT */
/* Memory from the context's allocator, with sizes that are checked before anything is asked for. */
#ifndef EBM_CORE_MEMORY_H
#define EBM_CORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebm/context.h>

/* *product = a * b for a, b >= 0. False, and *product untouched, when it does not fit. */
static inline bool ebm__multiply(int64_t a, int64_t b, int64_t *product) {
    int64_t value;
    if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &value)) {
        return false;
    }
    *product = value;
    return true;
}

/*
 * Memory for count * size bytes, filled with zeros and aligned to 64 bytes (a cache line, and the widest vector).
 * EBM_ERR_OVERFLOW when the product does not fit, EBM_ERR_NOMEM when there is none; `caller` stands first in the
 * message.
 * A product of 0 gives memory that may not be read.
 */
ebm_status ebm__alloc(ebm_context *context, int64_t count, size_t size, const char *caller, void *out);

/*
 * Makes sure that *memory (which ebm__alloc gave, or NULL) has at least `bytes`, *capacity being what it has. The
 * content is lost when it has to grow. On failure both are as before.
 */
ebm_status ebm__reserve(ebm_context *context, int64_t bytes, const char *caller, void *memory, int64_t *capacity);

/* Gives back what ebm__alloc gave. NULL is nothing. */
void ebm__free(ebm_context *context, void *memory);

#endif /* EBM_CORE_MEMORY_H */

/* SPDX-License-Identifier: MIT */
/* Memory that goes back at the end of the block, also when a callback's exception ends it. */
#ifndef EBM_EVALUATE_TEMPORARY_H
#define EBM_EVALUATE_TEMPORARY_H

#include "core/memory.h"

typedef struct ebm__temporary {
    ebm_context *context;
    void *memory; /* from ebm__alloc, or NULL */
} ebm__temporary;

static inline void ebm__temporary_free(ebm__temporary *t) {
    ebm__free(t->context, t->memory);
}

#define EBM__TEMPORARY(name, context) \
    __attribute__((cleanup(ebm__temporary_free))) ebm__temporary name = {(context), NULL}

#endif /* EBM_EVALUATE_TEMPORARY_H */

/* SPDX-License-Identifier: MIT */
#include "core/scratch.h"

#include <stdbool.h>
#include <stddef.h>

#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"

enum { HEADER = 64 }; /* keeps what follows the header aligned */

struct ebm__scratch_block {
    ebm__scratch_block *next;
    int64_t bytes;
    bool lent;
};

void ebm__scratch_init(ebm__scratch *scratch, ebm_context *context) {
    scratch->context = context;
    scratch->blocks = NULL;
    scratch->block_bytes = 0;
    pthread_mutex_init(&scratch->lock, NULL);
}

void ebm__scratch_clear(ebm__scratch *scratch) {
    while (scratch->blocks != NULL) {
        ebm__scratch_block *block = scratch->blocks;
        scratch->blocks = block->next;
        ebm__free(scratch->context, block);
    }
    pthread_mutex_destroy(&scratch->lock);
}

static ebm__scratch_block *find_idle(const ebm__scratch *scratch) {
    ebm__scratch_block *block = scratch->blocks;
    while (block != NULL && block->lent) {
        block = block->next;
    }
    return block;
}

/* Blocks that nobody has are freed when they have become too small. */
static void free_small_blocks(ebm__scratch *scratch) {
    ebm__scratch_block **link = &scratch->blocks;
    while (*link != NULL) {
        ebm__scratch_block *block = *link;
        if (!block->lent && block->bytes < scratch->block_bytes) {
            *link = block->next;
            ebm__free(scratch->context, block);
        } else {
            link = &block->next;
        }
    }
}

static ebm_status add_block(ebm__scratch *scratch, const char *caller) {
    ebm__scratch_block *block = NULL;
    EBM__TRY(ebm__alloc(scratch->context, scratch->block_bytes + HEADER, 1, caller, &block));
    block->bytes = scratch->block_bytes;
    block->next = scratch->blocks;
    scratch->blocks = block;
    return EBM_OK;
}

static ebm__scratch_block *take(ebm__scratch *scratch, int64_t bytes, const char *caller) {
    if (bytes > scratch->block_bytes) {
        scratch->block_bytes = bytes;
        free_small_blocks(scratch);
        for (int32_t i = 0; i < ebm__context_concurrency(scratch->context); i++) {
            if (add_block(scratch, caller) != EBM_OK) {
                return NULL;
            }
        }
    }
    if (find_idle(scratch) == NULL && add_block(scratch, caller) != EBM_OK) {
        return NULL;
    }
    ebm__scratch_block *block = find_idle(scratch);
    block->lent = true;
    return block;
}

void *ebm__scratch_borrow(ebm__scratch *scratch, int64_t bytes, const char *caller) {
    pthread_mutex_lock(&scratch->lock);
    ebm__scratch_block *block = take(scratch, bytes, caller);
    pthread_mutex_unlock(&scratch->lock);
    return block == NULL ? NULL : (char *)block + HEADER;
}

void ebm__scratch_return(ebm__scratch *scratch, void *memory) {
    if (memory == NULL) {
        return;
    }
    ebm__scratch_block *block = (ebm__scratch_block *)(void *)((char *)memory - HEADER);
    pthread_mutex_lock(&scratch->lock);
    block->lent = false;
    free_small_blocks(scratch); /* a larger size may have been wanted meanwhile */
    pthread_mutex_unlock(&scratch->lock);
}

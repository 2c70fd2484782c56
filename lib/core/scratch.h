/* SPDX-License-Identifier: MIT */
/*
 * Working memory that several threads borrow: a few blocks, kept between calls. Once there is one for every thread
 * that the context has, borrowing allocates nothing.
 */
#ifndef EBM_CORE_SCRATCH_H
#define EBM_CORE_SCRATCH_H

#include <pthread.h>
#include <stdint.h>

#include <ebm/context.h>

typedef struct ebm__scratch_block ebm__scratch_block;

typedef struct ebm__scratch {
    ebm_context *context; /* not owned */
    pthread_mutex_t lock;
    ebm__scratch_block *blocks; /* all of them, lent or not: what a throwing callback did not give back is freed too */
    int64_t block_bytes;        /* the largest size that was ever wanted */
} ebm__scratch;

void ebm__scratch_init(ebm__scratch *scratch, ebm_context *context);
void ebm__scratch_clear(ebm__scratch *scratch);

/*
 * Borrows at least `bytes`, aligned to 64 bytes, content undefined. NULL when there is no memory (ebm_last_error says
 * so).
 * At the first call, and when a larger size is wanted, blocks for all of the context's threads are made at once.
 */
void *ebm__scratch_borrow(ebm__scratch *scratch, int64_t bytes, const char *caller);
void ebm__scratch_return(ebm__scratch *scratch, void *memory);

#endif /* EBM_CORE_SCRATCH_H */

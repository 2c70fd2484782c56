/* SPDX-License-Identifier: MIT */
/* The context behind every handle. NULL is a context too: malloc, one thread, no messages. */
#ifndef EBM_CORE_CONTEXT_H
#define EBM_CORE_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/context.h>

/* Keep a context alive, and let it go. NULL is allowed. */
ebm_context *ebm__context_keep(ebm_context *context);
void ebm__context_release(ebm_context *context);

/* The context's allocator, with no alignment of its own: memory.h is what the library uses. */
void *ebm__context_alloc(ebm_context *context, size_t size);
void ebm__context_free(ebm_context *context, void *memory);

/* EBM_ERR_FORKED in a forked child of the process that started the context's threads. */
ebm_status ebm__context_check_fork(const ebm_context *context);

/* How many tasks of ebm__parallel_for may run at once, as far as is known. At least 1. */
int32_t ebm__context_concurrency(const ebm_context *context);

/*
 * Calls task(i, data) for every i in [0, n_tasks), in any order, on the context's threads; returns when all are done.
 * Tasks must not fail: they note errors in `data`. When the threads are taken (by another handle, or by a task
 * further up the stack), the calling thread does all. EBM_ERR_FORKED, EBM_ERR_CALLBACK (the host's parallel-for
 * failed).
 */
ebm_status ebm__parallel_for(ebm_context *context, int64_t n_tasks, ebm_task_fn task, void *data);

/* Sends one line to the host's log function, if there is one. Numbers are written as in the C locale. */
__attribute__((format(printf, 3, 4))) void ebm__log(ebm_context *context, int32_t level, const char *format, ...);

#endif /* EBM_CORE_CONTEXT_H */

/* SPDX-License-Identifier: MIT */
/* A few threads that share out the tasks of one loop at a time. */
#ifndef EBM_CORE_POOL_H
#define EBM_CORE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include <ebm/context.h>

typedef struct ebm__pool ebm__pool;

/* Starts n_threads - 1 threads (n_threads >= 2). EBM_ERR_NOMEM when they cannot be had. */
ebm_status ebm__pool_create(ebm_context *context, int32_t n_threads, ebm__pool **out);
void ebm__pool_destroy(ebm_context *context, ebm__pool *pool);

/* True in a child of the process that started the threads: they do not exist here. */
bool ebm__pool_forked(const ebm__pool *pool);

/* Runs task(i, data) for i in [0, n_tasks) on all threads, the caller among them. One call at a time. */
void ebm__pool_run(ebm__pool *pool, int64_t n_tasks, ebm_task_fn task, void *data);

#endif /* EBM_CORE_POOL_H */

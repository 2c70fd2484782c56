/* SPDX-License-Identifier: MIT */
/**
 * @file context.h
 * What a host decides once: where memory comes from, how many threads work, where messages go. NULL may stand for a
 * context everywhere: malloc, one thread, no messages.
 */
#ifndef EBM_CONTEXT_H
#define EBM_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/export.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A host's decisions. Opaque. */
typedef struct ebm_context ebm_context;

/**
 * The host's memory: `size` bytes (never 0), aligned for any C type, or NULL when there is none. Any thread may call
 * it.
 */
typedef void *(*ebm_alloc_fn)(size_t size, void *opaque);
/** Gives back what ebm_alloc_fn returned (never NULL). Any thread may call it. */
typedef void (*ebm_free_fn)(void *memory, void *opaque);

/** One piece of work, made by the library and called by the host's own parallel-for. It never fails or calls back. */
typedef void (*ebm_task_fn)(int64_t index, void *task_data);
/**
 * The host's own parallel-for: calls task(i, task_data) once for every i in [0, n_tasks), in any order, on any threads,
 * and returns when all are done: EBM_CB_OK. Any other answer says that not all were called, and the running call fails
 * with EBM_ERR_CALLBACK.
 */
typedef int32_t (*ebm_parallel_for_fn)(int64_t n_tasks, ebm_task_fn task, void *task_data, void *user_data);

/**
 * Takes a message: one line in the C locale, no line end, valid during the call. May come from any thread that calls
 * the library.
 */
typedef void (*ebm_log_fn)(int32_t level, const char *message, void *user_data);

enum {
    EBM_LOG_WARNING = 1, /**< something that the host should look at: training diverged, a stale file was removed */
    EBM_LOG_INFO = 2     /**< one line an epoch of ebm_trainer_fit; a file without a digest was loaded */
};

enum {
    EBM_CB_OK = 0,  /**< a callback's answer: done, every wanted output is written */
    EBM_CB_STOP = 1 /**< a callback's answer: stop this run; the running call ends with EBM_ERR_STOPPED */
};

/**
 * Makes a context with malloc, one thread and no messages.
 * @param out receives the handle; left as it was on failure.
 * @since 0.1
 */
EBM_API ebm_status ebm_context_create(ebm_context **out);

/**
 * Makes a context whose memory, and that of all handles made with it, comes from the host.
 * @param alloc_fn,free_fn both or neither; NULL is malloc and free.
 * @param opaque handed to both, may be NULL.
 * @param out receives the handle.
 * Errors: EBM_ERR_ARG when only one function is given.
 * @since 0.1
 */
EBM_API ebm_status ebm_context_create_with_allocator(ebm_alloc_fn alloc_fn, ebm_free_fn free_fn, void *opaque,
                                                     ebm_context **out);

/** Gives the context back. Handles made with it keep what they need alive. @since 0.1 */
EBM_API void ebm_context_destroy(ebm_context *context);

/**
 * How many threads work on models whose callbacks may run side by side (ebm_model_set_concurrent); the calling thread
 * is one of them. Results are the same bits for any number. 1, the default, starts none. The library's threads block
 * all signals. After fork, a child that uses a context with more than one thread gets EBM_ERR_FORKED. When n > 1,
 * keep the BLAS to one thread itself (OPENBLAS_NUM_THREADS=1).
 * @param n 1 to 256.
 * Errors: EBM_ERR_ARG, EBM_ERR_NOMEM (threads could not be started), EBM_ERR_BUSY.
 * @since 0.1
 */
EBM_API ebm_status ebm_context_set_threads(ebm_context *context, int32_t n);
/** The number of threads. @param n receives it. @since 0.1 */
EBM_API ebm_status ebm_context_get_threads(const ebm_context *context, int32_t *n);

/**
 * Hands the work to the host's own parallel-for in place of the library's threads.
 * @param fn NULL goes back to those.
 * @param user_data handed to fn, not owned.
 * Errors: EBM_ERR_BUSY.
 * @since 0.1
 */
EBM_API ebm_status ebm_context_set_parallel_for(ebm_context *context, ebm_parallel_for_fn fn, void *user_data);
/** The host's parallel-for and its data. @param fn,user_data receive them; each may be NULL. @since 0.1 */
EBM_API ebm_status ebm_context_get_parallel_for(const ebm_context *context, ebm_parallel_for_fn *fn, void **user_data);

/** Where messages go. @param fn NULL, the default, is nowhere. @param user_data handed to fn, not owned. @since 0.1 */
EBM_API ebm_status ebm_context_set_log(ebm_context *context, ebm_log_fn fn, void *user_data);
/** The log function and its data. @param fn,user_data receive them; each may be NULL. @since 0.1 */
EBM_API ebm_status ebm_context_get_log(const ebm_context *context, ebm_log_fn *fn, void **user_data);

#ifdef __cplusplus
}
#endif

#endif /* EBM_CONTEXT_H */

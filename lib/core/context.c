/* SPDX-License-Identifier: MIT */
#include "core/context.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/error.h"
#include "core/handle.h"
#include "core/memory.h"
#include "core/pool.h"

enum { MOST_THREADS = 256, LOG_LINE_SIZE = 512 };

struct ebm_context {
    atomic_int references;
    ebm_alloc_fn alloc_fn; /* NULL: malloc */
    ebm_free_fn free_fn;
    void *opaque;

    pthread_mutex_t lock; /* held while a loop runs or its means change; never waited for */
    ebm__pool *pool;      /* NULL: one thread */
    atomic_int owner;     /* the process that has these threads */
    atomic_int n_threads; /* set after `owner` */
    ebm_parallel_for_fn parallel_for; /* the host's, or NULL */
    void *parallel_for_data;

    ebm_log_fn log;
    void *log_data;
};

ebm_status ebm_context_create(ebm_context **out) {
    EBM__REQUIRE(out);
    return ebm_context_create_with_allocator(NULL, NULL, NULL, out);
}

ebm_status ebm_context_create_with_allocator(ebm_alloc_fn alloc_fn, ebm_free_fn free_fn, void *opaque,
                                             ebm_context **out) {
    EBM__REQUIRE(out);
    if ((alloc_fn == NULL) != (free_fn == NULL)) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s is NULL but the other function is not", __func__,
                         alloc_fn == NULL ? "alloc_fn" : "free_fn");
    }
    ebm_context *context = alloc_fn == NULL ? malloc(sizeof *context) : alloc_fn(sizeof *context, opaque);
    if (context == NULL) {
        return ebm__fail(EBM_ERR_NOMEM, "%s: no memory for a context", __func__);
    }
    *context = (ebm_context){.alloc_fn = alloc_fn, .free_fn = free_fn, .opaque = opaque};
    atomic_init(&context->references, 1);
    atomic_init(&context->owner, 0);
    atomic_init(&context->n_threads, 1);
    pthread_mutex_init(&context->lock, NULL);
    *out = context;
    return EBM_OK;
}

ebm_context *ebm__context_keep(ebm_context *context) {
    if (context != NULL) {
        atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    }
    return context;
}

void ebm__context_release(ebm_context *context) {
    if (context == NULL || atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    ebm__pool_destroy(context, context->pool);
    pthread_mutex_destroy(&context->lock);
    ebm_context last = *context; /* the allocator is needed once more, for the context itself */
    ebm__context_free(&last, context);
}

void ebm_context_destroy(ebm_context *context) {
    ebm__context_release(context);
}

void *ebm__context_alloc(ebm_context *context, size_t size) {
    return context == NULL || context->alloc_fn == NULL ? malloc(size) : context->alloc_fn(size, context->opaque);
}

void ebm__context_free(ebm_context *context, void *memory) {
    if (context == NULL || context->free_fn == NULL) {
        free(memory);
    } else {
        context->free_fn(memory, context->opaque);
    }
}

int32_t ebm__context_concurrency(const ebm_context *context) {
    return context == NULL ? 1 : atomic_load_explicit(&context->n_threads, memory_order_acquire);
}

ebm_status ebm__context_check_fork(const ebm_context *context) {
    int32_t n_threads = ebm__context_concurrency(context);
    if (n_threads == 1 || getpid() == atomic_load_explicit(&context->owner, memory_order_relaxed)) {
        return EBM_OK;
    }
    return ebm__fail(EBM_ERR_FORKED, "the context's %d threads belong to the parent of this forked process", n_threads);
}

/* Runs only when no loop is running, and returns with the lock held. */
static ebm_status lock_for_change(ebm_context *context, const char *caller) {
    if (pthread_mutex_trylock(&context->lock) != 0) {
        return ebm__fail(EBM_ERR_BUSY, "%s: a loop is running on this context", caller);
    }
    return EBM_OK;
}

ebm_status ebm_context_set_threads(ebm_context *context, int32_t n) {
    EBM__REQUIRE(context);
    if (n < 1 || n > MOST_THREADS) {
        return ebm__fail(EBM_ERR_ARG, "%s: n is %d, must be 1 to %d", __func__, n, MOST_THREADS);
    }
    EBM__TRY(lock_for_change(context, __func__));
    ebm__pool *pool = NULL;
    ebm_status status = n == 1 ? EBM_OK : ebm__pool_create(context, n, &pool);
    if (status == EBM_OK) {
        ebm__pool_destroy(context, context->pool);
        context->pool = pool;
        atomic_store_explicit(&context->owner, getpid(), memory_order_relaxed);
        atomic_store_explicit(&context->n_threads, n, memory_order_release);
    }
    pthread_mutex_unlock(&context->lock);
    return status;
}

ebm_status ebm_context_get_threads(const ebm_context *context, int32_t *n) {
    EBM__REQUIRE(context);
    EBM__REQUIRE(n);
    *n = ebm__context_concurrency(context);
    return EBM_OK;
}

ebm_status ebm_context_set_parallel_for(ebm_context *context, ebm_parallel_for_fn fn, void *user_data) {
    EBM__REQUIRE(context);
    EBM__TRY(lock_for_change(context, __func__));
    context->parallel_for = fn;
    context->parallel_for_data = user_data;
    pthread_mutex_unlock(&context->lock);
    return EBM_OK;
}

ebm_status ebm_context_get_parallel_for(const ebm_context *context, ebm_parallel_for_fn *fn, void **user_data) {
    EBM__REQUIRE(context);
    if (fn != NULL) {
        *fn = context->parallel_for;
    }
    if (user_data != NULL) {
        *user_data = context->parallel_for_data;
    }
    return EBM_OK;
}

ebm_status ebm_context_set_log(ebm_context *context, ebm_log_fn fn, void *user_data) {
    EBM__REQUIRE(context);
    context->log = fn;
    context->log_data = user_data;
    return EBM_OK;
}

ebm_status ebm_context_get_log(const ebm_context *context, ebm_log_fn *fn, void **user_data) {
    EBM__REQUIRE(context);
    if (fn != NULL) {
        *fn = context->log;
    }
    if (user_data != NULL) {
        *user_data = context->log_data;
    }
    return EBM_OK;
}

/* A host's function that answers EBM_CB_OK is not taken at its word: one that threw in Python answers 0 too. */
typedef struct counted_tasks {
    ebm_task_fn task;
    void *data;
    int64_t n_tasks;
    atomic_int_fast64_t done;
} counted_tasks;

static void run_counted(int64_t index, void *argument) {
    counted_tasks *counted = argument;
    if (index >= 0 && index < counted->n_tasks) {
        counted->task(index, counted->data);
        atomic_fetch_add_explicit(&counted->done, 1, memory_order_acq_rel);
    }
}

static ebm_status run_by_host(const ebm_context *context, int64_t n_tasks, ebm_task_fn task, void *data) {
    counted_tasks counted = {.task = task, .data = data, .n_tasks = n_tasks};
    atomic_init(&counted.done, 0);
    int depth = ebm__callback_enter();
    int32_t answer = context->parallel_for(n_tasks, run_counted, &counted, context->parallel_for_data);
    ebm__callback_leave(depth);
    if (answer != EBM_CB_OK) {
        return ebm__fail(EBM_ERR_CALLBACK, "parallel_for callback returned %d", answer);
    }
    int64_t done = (int64_t)atomic_load_explicit(&counted.done, memory_order_acquire);
    return done == n_tasks
               ? EBM_OK
               : ebm__fail(EBM_ERR_CALLBACK, "parallel_for callback made %" PRId64 " calls of %" PRId64, done, n_tasks);
}

static void unlock(pthread_mutex_t **lock) {
    pthread_mutex_unlock(*lock);
}

/* With the lock held, which is given back also when a callback's exception passes. */
static ebm_status run_on_threads(ebm_context *context, int64_t n_tasks, ebm_task_fn task, void *data) {
    __attribute__((cleanup(unlock), unused)) pthread_mutex_t *lock = &context->lock;
    if (context->parallel_for != NULL) {
        return run_by_host(context, n_tasks, task, data);
    }
    if (context->pool != NULL) {
        ebm__pool_run(context->pool, n_tasks, task, data);
        return EBM_OK;
    }
    for (int64_t i = 0; i < n_tasks; i++) {
        task(i, data);
    }
    return EBM_OK;
}

ebm_status ebm__parallel_for(ebm_context *context, int64_t n_tasks, ebm_task_fn task, void *data) {
    EBM__TRY(ebm__context_check_fork(context));
    if (context != NULL && n_tasks > 1 && pthread_mutex_trylock(&context->lock) == 0) {
        return run_on_threads(context, n_tasks, task, data);
    }
    for (int64_t i = 0; i < n_tasks; i++) {
        task(i, data);
    }
    return EBM_OK;
}

void ebm__log(ebm_context *context, int32_t level, const char *format, ...) {
    if (context == NULL || context->log == NULL) {
        return;
    }
    char line[LOG_LINE_SIZE];
    va_list args;
    va_start(args, format);
    ebm__format(line, sizeof line, format, args);
    va_end(args);
    int depth = ebm__callback_enter();
    context->log(level, line, context->log_data);
    ebm__callback_leave(depth);
}

/* SPDX-License-Identifier: MIT */
#include "core/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/error.h"
#include "core/memory.h"

/*
 * A loop of a Markov step lasts some 10 to 1,000 microseconds and the next one follows at once, so a thread looks for
 * new work for a while before it sleeps: waking one costs about 50 microseconds.
 */
enum { SPINS = 4000 };

struct ebm__pool {
    pid_t owner;
    int32_t n_workers;
    pthread_t *workers;

    pthread_mutex_t lock; /* guards sleeping and waking only */
    pthread_cond_t work_posted;
    pthread_cond_t work_done;
    int32_t n_sleeping;

    /* The loop in hand. Written by the caller before `generation` moves, read by workers after they saw it move. */
    ebm_task_fn task;
    void *data;
    int64_t n_tasks;
    atomic_int_fast64_t next;      /* first task that nobody has taken */
    atomic_int_fast32_t n_working; /* workers that have not finished this loop */
    atomic_uint generation;        /* moves with every loop */
    atomic_bool closing;
};

static void pause_processor(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

static void take_tasks(ebm__pool *pool) {
    for (;;) {
        int64_t index = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (index >= pool->n_tasks) {
            return;
        }
        pool->task(index, pool->data);
    }
}

static unsigned wait_for_work(ebm__pool *pool, unsigned seen) {
    for (int i = 0; i < SPINS; i++) {
        unsigned now = atomic_load_explicit(&pool->generation, memory_order_acquire);
        if (now != seen) {
            return now;
        }
        pause_processor();
    }
    pthread_mutex_lock(&pool->lock);
    pool->n_sleeping++;
    unsigned now;
    while ((now = atomic_load_explicit(&pool->generation, memory_order_acquire)) == seen) {
        pthread_cond_wait(&pool->work_posted, &pool->lock);
    }
    pool->n_sleeping--;
    pthread_mutex_unlock(&pool->lock);
    return now;
}

static void *worker_main(void *argument) {
    ebm__pool *pool = argument;
    unsigned seen = 0;
    for (;;) {
        seen = wait_for_work(pool, seen);
        if (atomic_load_explicit(&pool->closing, memory_order_relaxed)) {
            return NULL;
        }
        take_tasks(pool);
        if (atomic_fetch_sub_explicit(&pool->n_working, 1, memory_order_acq_rel) == 1) {
            pthread_mutex_lock(&pool->lock);
            pthread_cond_signal(&pool->work_done);
            pthread_mutex_unlock(&pool->lock);
        }
    }
}

static void post_work(ebm__pool *pool) {
    atomic_store_explicit(&pool->n_working, pool->n_workers, memory_order_relaxed);
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
    if (pool->n_sleeping > 0) {
        pthread_cond_broadcast(&pool->work_posted);
    }
    pthread_mutex_unlock(&pool->lock);
}

static void wait_until_done(ebm__pool *const *place) {
    ebm__pool *pool = *place;
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&pool->n_working, memory_order_acquire) == 0) {
            break;
        }
        pause_processor();
    }
    /* The lock is taken even when all are done: the last worker may still be about to signal. */
    pthread_mutex_lock(&pool->lock);
    while (atomic_load_explicit(&pool->n_working, memory_order_acquire) != 0) {
        pthread_cond_wait(&pool->work_done, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
}

void ebm__pool_run(ebm__pool *pool, int64_t n_tasks, ebm_task_fn task, void *data) {
    pool->task = task;
    pool->data = data;
    pool->n_tasks = n_tasks;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    post_work(pool);
    /* Waits also when a callback's exception passes: the others still work on what the caller's stack holds. */
    __attribute__((cleanup(wait_until_done), unused)) ebm__pool *const posted = pool;
    take_tasks(pool);
}

bool ebm__pool_forked(const ebm__pool *pool) {
    return getpid() != pool->owner;
}

static void stop_workers(ebm__pool *pool) {
    atomic_store_explicit(&pool->closing, true, memory_order_relaxed);
    post_work(pool);
    for (int32_t i = 0; i < pool->n_workers; i++) {
        pthread_join(pool->workers[i], NULL);
    }
}

/* The host's signals are the host's: none is ever delivered to a thread that it did not make. */
static int start_worker(ebm__pool *pool, pthread_t *thread) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(thread, NULL, worker_main, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

ebm_status ebm__pool_create(ebm_context *context, int32_t n_threads, ebm__pool **out) {
    ebm__pool *pool;
    EBM__TRY(ebm__alloc(context, 1, sizeof *pool, "ebm_context_set_threads", &pool));
    ebm_status status =
        ebm__alloc(context, n_threads - 1, sizeof *pool->workers, "ebm_context_set_threads", &pool->workers);
    if (status != EBM_OK) {
        ebm__free(context, pool);
        return status;
    }
    pool->owner = getpid();
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work_posted, NULL);
    pthread_cond_init(&pool->work_done, NULL);
    for (int32_t i = 0; i < n_threads - 1; i++) {
        if (start_worker(pool, &pool->workers[i]) != 0) {
            ebm__pool_destroy(context, pool);
            return ebm__fail(EBM_ERR_NOMEM, "ebm_context_set_threads: n is %d, but only %d threads could be started",
                             n_threads, i + 1);
        }
        pool->n_workers++;
    }
    *out = pool;
    return EBM_OK;
}

void ebm__pool_destroy(ebm_context *context, ebm__pool *pool) {
    if (pool == NULL) {
        return;
    }
    if (!ebm__pool_forked(pool)) { /* in a child there is nobody to join, and the lock may be in any state */
        stop_workers(pool);
        pthread_cond_destroy(&pool->work_done);
        pthread_cond_destroy(&pool->work_posted);
        pthread_mutex_destroy(&pool->lock);
    }
    ebm__free(context, pool->workers);
    ebm__free(context, pool);
}

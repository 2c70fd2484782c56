/* SPDX-License-Identifier: MIT */
/* A context whose memory is counted, and runs out when a test says so. Any thread may use it. */
#ifndef EBM_TEST_FAILING_ALLOCATOR_H
#define EBM_TEST_FAILING_ALLOCATOR_H

#include <stdatomic.h>
#include <stdlib.h>

#include <ebm/context.h>

typedef struct failing_allocator {
    atomic_long calls;   /* allocations asked for */
    atomic_long live;    /* blocks that have not come back */
    atomic_size_t most;  /* the largest block that was asked for */
    atomic_long fail_at; /* which allocation fails, counted from 1; 0: none */
    atomic_int for_good; /* all that follow fail too */
} failing_allocator;

static inline void *failing_alloc(size_t size, void *opaque) {
    failing_allocator *a = opaque;
    long call = atomic_fetch_add(&a->calls, 1) + 1;
    long fail_at = atomic_load(&a->fail_at);
    size_t most = atomic_load(&a->most);
    while (size > most && !atomic_compare_exchange_weak(&a->most, &most, size)) {
    }
    if (fail_at != 0 && (call == fail_at || (call > fail_at && atomic_load(&a->for_good) != 0))) {
        return NULL;
    }
    void *memory = malloc(size);
    if (memory != NULL) {
        atomic_fetch_add(&a->live, 1);
    }
    return memory;
}

static inline void failing_free(void *memory, void *opaque) {
    failing_allocator *a = opaque;
    atomic_fetch_sub(&a->live, 1);
    free(memory);
}

/* From now on: the n-th allocation fails (0: none does). */
static inline void failing_allocator_arm(failing_allocator *a, long n, int for_good) {
    atomic_store(&a->calls, 0);
    atomic_store(&a->most, 0);
    atomic_store(&a->for_good, for_good);
    atomic_store(&a->fail_at, n);
}

#endif /* EBM_TEST_FAILING_ALLOCATOR_H */

/* SPDX-License-Identifier: MIT */
/*
 * A record of everything that a piece of work computed, to be compared bit for bit, and the contexts to repeat it in.
 */
#ifndef EBM_TESTS_STAT_RECORD_H
#define EBM_TESTS_STAT_RECORD_H

#include <string.h>

#include "stat_models.h"

enum { STAT_RECORD_BYTES = 1 << 20 };

typedef struct stat_record {
    size_t n;
    unsigned char *bytes;
} stat_record;

static inline stat_record stat_record_new(void) {
    return (stat_record){0, stat_alloc(STAT_RECORD_BYTES, 1)};
}

static inline void stat_note(stat_record *record, size_t size, const void *bytes) {
    assert_true(record->n + size <= STAT_RECORD_BYTES);
    memcpy(record->bytes + record->n, bytes, size);
    record->n += size;
}

static inline void stat_note_states(stat_record *record, ebm_sampler *sampler, int64_t dim) {
    int64_t n = ebm_sampler_chain_count(sampler);
    float *x = stat_alloc(n * dim, sizeof *x);
    STAT_OK(ebm_sampler_get_states(sampler, n, x));
    stat_note(record, (size_t)(n * dim) * sizeof *x, x);
    free(x);
}

static inline void stat_note_params(stat_record *record, const ebm_model *model) {
    int64_t n = ebm_model_param_count(model);
    float *theta = stat_alloc(n, sizeof *theta);
    STAT_OK(ebm_model_get_params(model, n, theta));
    stat_note(record, (size_t)n * sizeof *theta, theta);
    free(theta);
}

static inline int stat_same(const stat_record *a, const stat_record *b) {
    return a->n > 0 && a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0;
}

static inline void stat_assert_same(const stat_record *a, const stat_record *b, const char *what, const char *how) {
    if (!stat_same(a, b)) {
        size_t i = 0;
        while (i < a->n && i < b->n && a->bytes[i] == b->bytes[i]) {
            i++;
        }
        print_error("%s, %s: differs at byte %zu of %zu and %zu\n", what, how, i, a->n, b->n);
        fail();
    }
}

/*
 * Memory that is dirty when it is given, with bits that are not numbers, and made dirty when it comes back. Odd
 * addresses, too.
 */
enum { STAT_DIRTY_HEADER = 48 };

static inline void *stat_dirty_alloc(size_t size, void *opaque) {
    unsigned char *memory = malloc(size + STAT_DIRTY_HEADER);
    if (memory == NULL) {
        return NULL;
    }
    ++*(int64_t *)opaque;
    memcpy(memory, &size, sizeof size);
    memset(memory + STAT_DIRTY_HEADER, 0xFF, size);
    return memory + STAT_DIRTY_HEADER;
}

static inline void stat_dirty_free(void *memory, void *opaque) {
    unsigned char *start = (unsigned char *)memory - STAT_DIRTY_HEADER;
    size_t size;
    --*(int64_t *)opaque;
    memcpy(&size, start, sizeof size);
    memset(memory, 0xFE, size);
    free(start);
}

/* A host's parallel-for that works from the end. */
static inline int32_t stat_backwards(int64_t n_tasks, ebm_task_fn task, void *task_data, void *user_data) {
    ++*(int64_t *)user_data;
    for (int64_t i = n_tasks - 1; i >= 0; i--) {
        task(i, task_data);
    }
    return EBM_CB_OK;
}

#endif /* EBM_TESTS_STAT_RECORD_H */

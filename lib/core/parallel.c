/* SPDX-License-Identifier: MIT */
#include "core/parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "core/context.h"
#include "core/error.h"

enum { CHUNK_FLOATS = 16384, ROWS_STEP = 64, WISHED_CHUNKS = 8, TEXT_SIZE = 512 };

static int64_t round_up(int64_t value, int64_t step) {
    return (value + step - 1) / step * step;
}

int64_t ebm__rows_per_chunk(int64_t dim, int64_t n) {
    int64_t rows = CHUNK_FLOATS / dim;
    int64_t share = n / WISHED_CHUNKS;
    rows = share < rows ? share : rows;
    return rows < EBM__LEAST_CHUNK_ROWS ? EBM__LEAST_CHUNK_ROWS : round_up(rows, ROWS_STEP);
}

typedef struct rows_loop {
    ebm__rows_fn work;
    void *data;
    int64_t n;
    int64_t chunk_rows;
    atomic_int_fast64_t first_failed; /* chunk; n_chunks when none has failed */
    pthread_mutex_t lock;             /* guards the two below */
    ebm_status status;
    char text[TEXT_SIZE];
} rows_loop;

static void work_on_chunk(int64_t chunk, void *argument) {
    rows_loop *loop = argument;
    if (chunk > atomic_load_explicit(&loop->first_failed, memory_order_relaxed)) {
        return;
    }
    int64_t first = chunk * loop->chunk_rows;
    int64_t n = loop->n - first < loop->chunk_rows ? loop->n - first : loop->chunk_rows;
    ebm_status status = loop->work(loop->data, chunk, first, n);
    if (status == EBM_OK) {
        return;
    }
    pthread_mutex_lock(&loop->lock);
    if (chunk < atomic_load_explicit(&loop->first_failed, memory_order_relaxed)) {
        atomic_store_explicit(&loop->first_failed, chunk, memory_order_relaxed);
        loop->status = status;
        snprintf(loop->text, sizeof loop->text, "%s", ebm_last_error());
    }
    pthread_mutex_unlock(&loop->lock);
}

ebm_status ebm__parallel_rows(ebm_context *context, int64_t n, int64_t chunk_rows, ebm__rows_fn work, void *data) {
    if (n <= chunk_rows) {
        EBM__TRY(ebm__context_check_fork(context)); /* threads would not have shared this; the answer is the same */
        return n == 0 ? EBM_OK : work(data, 0, 0, n);
    }
    int64_t n_chunks = (n - 1) / chunk_rows + 1;
    rows_loop loop = {.work = work, .data = data, .n = n, .chunk_rows = chunk_rows, .status = EBM_OK};
    atomic_init(&loop.first_failed, n_chunks);
    pthread_mutex_init(&loop.lock, NULL);
    ebm_status status = ebm__parallel_for(context, n_chunks, work_on_chunk, &loop);
    pthread_mutex_destroy(&loop.lock);
    if (status == EBM_OK && loop.status != EBM_OK) {
        status = ebm__fail(loop.status, "%s", loop.text);
    }
    return status;
}

/* SPDX-License-Identifier: MIT */
/* Loops over rows whose pieces may fail. */
#ifndef EBM_CORE_PARALLEL_H
#define EBM_CORE_PARALLEL_H

#include <stdint.h>

#include <ebm/context.h>
#include <ebm/status.h>

/* Works on rows first .. first + n - 1, piece number `chunk` of its loop. On failure it has called ebm__fail. */
typedef ebm_status (*ebm__rows_fn)(void *data, int64_t chunk, int64_t first, int64_t n);

/* No piece but the last has fewer rows. */
enum { EBM__LEAST_CHUNK_ROWS = 128 };

/*
 * Rows in a piece of a loop over n rows of dim floats. It depends on nothing else, so that results are the same for
 * any number of threads. A piece fits in the second-level cache, is worth the cost of handing it out, and holds whole
 * groups of random numbers; there are enough pieces for a few threads where n allows.
 */
int64_t ebm__rows_per_chunk(int64_t dim, int64_t n);

/*
 * Cuts n rows into pieces of `chunk_rows` and works on them on the context's threads. When pieces fail, the status
 * and message of the first of them, in the order of rows, come back in the calling thread.
 */
ebm_status ebm__parallel_rows(ebm_context *context, int64_t n, int64_t chunk_rows, ebm__rows_fn work, void *data);

#endif /* EBM_CORE_PARALLEL_H */

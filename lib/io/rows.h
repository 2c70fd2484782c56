/* SPDX-License-Identifier: MIT */
/* The arguments that every reader of rows has. */
#ifndef EBM_IO_ROWS_H
#define EBM_IO_ROWS_H

#include <inttypes.h>
#include <stdint.h>

#include "core/error.h"

static inline ebm_status ebm__require_data_path(const char *caller, const char *path) {
    if (path == NULL || path[0] == '\0') {
        return ebm__fail(EBM_ERR_ARG, "%s: path is %s", caller, path == NULL ? "NULL" : "empty");
    }
    return EBM_OK;
}

static inline ebm_status ebm__require_row_range(const char *caller, int64_t first, int64_t n, int64_t row_size,
                                                const float *out) {
    if (first < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: first is %" PRId64 ", must be 0 or more", caller, first);
    }
    if (n < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: n is %" PRId64 ", must be 0 or more", caller, n);
    }
    if (row_size < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: row_size is %" PRId64 ", must be 0 or more", caller, row_size);
    }
    if (n > 0 && row_size > 0 && out == NULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: out is NULL", caller);
    }
    return EBM_OK;
}

/* How a reader ends: its own name and the file's before the message. */
static inline ebm_status ebm__end_reading(ebm_status status, const char *caller, const char *path) {
    return status == EBM_OK ? EBM_OK : ebm__fail_within(status, "%s: '%.200s': ", caller, path);
}

#endif /* EBM_IO_ROWS_H */

/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as an npy, an idx and a csv file. What has a shape can be read, unless a number in it is none that a float
 * can hold; what is read are finite floats; and rows that are read apart are the same as those read together.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ebm/ebm.h>

#include "fuzz_replay.h"
#include "memory_file.h"

enum { MOST_FLOATS = 1 << 16 };

typedef enum kind { NPY, IDX, CSV } kind;

static ebm_status read_rows(kind k, int64_t first, int64_t n, int64_t row_size, float *out) {
    return k == NPY   ? ebm_read_npy("memory", first, n, row_size, out)
           : k == IDX ? ebm_read_idx("memory", first, n, row_size, out)
                      : ebm_read_csv("memory", 0, first, n, row_size, out);
}

static ebm_status read_shape(kind k, int64_t *n_rows, int64_t *row_size) {
    if (k == CSV) {
        return ebm_read_csv_shape("memory", 0, n_rows, row_size);
    }
    int32_t rank = -1;
    int64_t shape[8];
    ebm_status status = k == NPY ? ebm_read_npy_shape("memory", &rank, shape) : ebm_read_idx_shape("memory", &rank, shape);
    if (status == EBM_OK) {
        require(rank >= 0 && rank <= 8, "the rank");
        *n_rows = rank == 0 ? 1 : shape[0];
        *row_size = 1;
        for (int32_t i = 1; i < rank; i++) {
            *row_size *= shape[i];
        }
    }
    return status;
}

static void check_rows(kind k, int64_t n_rows, int64_t row_size) {
    static float all[MOST_FLOATS];
    static float again[MOST_FLOATS];
    int64_t n = n_rows * row_size;
    require(n_rows >= 0 && row_size >= 0, "the shape");
    if (n > MOST_FLOATS) {
        return;
    }
    ebm_status status = read_rows(k, 0, n_rows, row_size, all);
    if (status != EBM_OK) {
        require(status == EBM_ERR_NONFINITE || (k == CSV && status == EBM_ERR_FORMAT), "a shape but no numbers");
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        require(isfinite(all[i]), "a value that is not finite was read");
    }
    int64_t half = n_rows / 2;
    require(read_rows(k, half, n_rows - half, row_size, again) == EBM_OK, "the second half");
    require(memcmp(again, all + half * row_size, (size_t)((n_rows - half) * row_size) * sizeof *all) == 0, "other rows");
    require(read_rows(k, half, n_rows - half + 1, row_size, again) == EBM_ERR_ARG, "more rows than there are");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_file_use(data == NULL ? (const uint8_t *)"" : data, (int64_t)size);
    for (int k = NPY; k <= CSV; k++) {
        int64_t n_rows = 0;
        int64_t row_size = 0;
        ebm_status status = read_shape((kind)k, &n_rows, &row_size);
        if (status == EBM_OK) {
            check_rows((kind)k, n_rows, row_size);
        } else {
            require(status == EBM_ERR_FORMAT || status == EBM_ERR_CORRUPT, "an unexpected status");
        }
    }
    memory_file_use(NULL, 0);
    return 0;
}

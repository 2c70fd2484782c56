/* SPDX-License-Identifier: MIT */
#include "io/array_file.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/rows.h"

enum { BUFFER_BYTES = 1 << 14 };

static const int64_t NUMBER_BYTES[] = {
    [EBM__BOOL] = 1, [EBM__U8] = 1,  [EBM__I8] = 1,  [EBM__U16] = 2, [EBM__I16] = 2, [EBM__U32] = 4,
    [EBM__I32] = 4,  [EBM__U64] = 8, [EBM__I64] = 8, [EBM__F32] = 4, [EBM__F64] = 8,
};

ebm_status ebm__array_header_bytes(ebm__array_file *array, void *bytes, int64_t n) {
    if (n > array->file.size - array->read) {
        return ebm__fail(EBM_ERR_CORRUPT, "the file ends within its header, after %" PRId64 " bytes", array->file.size);
    }
    array->read += n;
    return ebm__file_read(&array->file, bytes, n);
}

static int64_t n_rows(const ebm__array_file *array) {
    return array->rank == 0 ? 1 : array->shape[0];
}

/* How many numbers a row has; the file's size is what the header says, to the byte. */
static ebm_status measure(const ebm__array_file *array, int64_t *row_size) {
    int64_t bytes = NUMBER_BYTES[array->type];
    int64_t size = 1;
    bool fits = true;
    for (int32_t i = 1; i < array->rank; i++) {
        fits = fits && ebm__multiply(size, array->shape[i], &size);
    }
    fits = fits && ebm__multiply(bytes, size, &bytes) && ebm__multiply(bytes, n_rows(array), &bytes);
    int64_t there = array->file.size - array->read;
    if (!fits || bytes != there) {
        return ebm__fail(EBM_ERR_CORRUPT, "%" PRId64 " bytes follow the header, which asks for %s%" PRId64, there,
                         fits ? "" : "more than ", fits ? bytes : there);
    }
    *row_size = size;
    return EBM_OK;
}

static uint64_t load(const uint8_t *bytes, int64_t size, bool big_endian) {
    uint64_t value = 0;
    for (int64_t i = 0; i < size; i++) {
        value = value << 8 | bytes[big_endian ? i : size - 1 - i];
    }
    return value;
}

static double as_f64(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float as_f32(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void convert(const ebm__array_file *array, int64_t n, const uint8_t *bytes, float *out) {
    const bool big = array->big_endian;
#define EACH(value)                     \
    for (int64_t i = 0; i < n; i++) {   \
        out[i] = (float)(value);        \
    }                                   \
    break
    switch (array->type) {
        case EBM__BOOL: EACH(bytes[i] != 0);
        case EBM__U8: EACH(bytes[i]);
        case EBM__I8: EACH((int8_t)bytes[i]);
        case EBM__U16: EACH((uint16_t)load(bytes + 2 * i, 2, big));
        case EBM__I16: EACH((int16_t)load(bytes + 2 * i, 2, big));
        case EBM__U32: EACH((uint32_t)load(bytes + 4 * i, 4, big));
        case EBM__I32: EACH((int32_t)load(bytes + 4 * i, 4, big));
        case EBM__U64: EACH(load(bytes + 8 * i, 8, big));
        case EBM__I64: EACH((int64_t)load(bytes + 8 * i, 8, big));
        case EBM__F32: EACH(as_f32((uint32_t)load(bytes + 4 * i, 4, big)));
        case EBM__F64: EACH(as_f64(load(bytes + 8 * i, 8, big)));
    }
#undef EACH
}

static ebm_status check_finite(int64_t first, int64_t n, int64_t row_size, const float *values) {
    int bad = 0;
    for (int64_t i = 0; i < n; i++) {
        bad |= !(fabsf(values[i]) <= FLT_MAX);
    }
    for (int64_t i = 0; bad != 0; i++) {
        if (!(fabsf(values[i]) <= FLT_MAX)) {
            return ebm__fail(EBM_ERR_NONFINITE, "element %" PRId64 " of row %" PRId64 " is %s, as a float",
                             (first + i) % row_size, (first + i) / row_size,
                             isnan(values[i]) ? "NaN" : "infinite");
        }
    }
    return EBM_OK;
}

/* `count` numbers from number `first` of the data on. */
static ebm_status read_numbers(ebm__array_file *array, int64_t first, int64_t count, int64_t row_size, float *out) {
    uint8_t buffer[BUFFER_BYTES];
    const int64_t bytes = NUMBER_BYTES[array->type];
    EBM__TRY(ebm__file_skip(&array->file, first * bytes));
    for (int64_t done = 0; done < count;) {
        int64_t n = count - done < BUFFER_BYTES / bytes ? count - done : BUFFER_BYTES / bytes;
        EBM__TRY(ebm__file_read(&array->file, buffer, n * bytes));
        convert(array, n, buffer, out + done);
        EBM__TRY(check_finite(first + done, n, row_size, out + done));
        done += n;
    }
    return EBM_OK;
}

static ebm_status shape_of_open(ebm__array_file *array, ebm__read_header_fn read_header, int32_t *rank,
                                int64_t *shape) {
    int64_t row_size;
    EBM__TRY(read_header(array));
    EBM__TRY(measure(array, &row_size));
    *rank = array->rank;
    memcpy(shape, array->shape, (size_t)array->rank * sizeof *shape);
    return EBM_OK;
}

ebm_status ebm__array_file_shape(const char *caller, ebm__read_header_fn read_header, const char *path, int32_t *rank,
                                 int64_t *shape) {
    EBM__TRY(ebm__require_data_path(caller, path));
    if (rank == NULL || shape == NULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s is NULL", caller, rank == NULL ? "rank" : "shape");
    }
    ebm__array_file array = {.rank = 0};
    ebm_status status = ebm__file_open(path, &array.file);
    if (status == EBM_OK) {
        status = shape_of_open(&array, read_header, rank, shape);
        ebm__file_close(&array.file);
    }
    return ebm__end_reading(status, caller, path);
}

static ebm_status rows_of_open(ebm__array_file *array, ebm__read_header_fn read_header, int64_t first, int64_t n,
                               int64_t row_size, float *out) {
    int64_t size;
    EBM__TRY(read_header(array));
    EBM__TRY(measure(array, &size));
    if (row_size != size) {
        return ebm__fail(EBM_ERR_MISMATCH, "row_size is %" PRId64 ", rows have %" PRId64, row_size, size);
    }
    if (first > n_rows(array) || n > n_rows(array) - first) {
        return ebm__fail(EBM_ERR_ARG, "first is %" PRId64 " and n %" PRId64 ", there are %" PRId64 " rows", first, n,
                         n_rows(array));
    }
    return n == 0 || size == 0 ? EBM_OK : read_numbers(array, first * size, n * size, size, out);
}

ebm_status ebm__array_file_rows(const char *caller, ebm__read_header_fn read_header, const char *path, int64_t first,
                                int64_t n, int64_t row_size, float *out) {
    EBM__TRY(ebm__require_data_path(caller, path));
    EBM__TRY(ebm__require_row_range(caller, first, n, row_size, out));
    ebm__array_file array = {.rank = 0};
    ebm_status status = ebm__file_open(path, &array.file);
    if (status == EBM_OK) {
        status = rows_of_open(&array, read_header, first, n, row_size, out);
        ebm__file_close(&array.file);
    }
    return ebm__end_reading(status, caller, path);
}

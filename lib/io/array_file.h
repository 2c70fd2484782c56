/* SPDX-License-Identifier: MIT */
/* Files that are one array of numbers behind a header: what npy and idx have in common. */
#ifndef EBM_IO_ARRAY_FILE_H
#define EBM_IO_ARRAY_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include <ebm/status.h>

#include "core/file.h"

enum { EBM__ARRAY_MOST_RANK = 8 };

/* The types of numbers; the table in array_file.c has their sizes. */
typedef enum ebm__number {
    EBM__BOOL,
    EBM__U8,
    EBM__I8,
    EBM__U16,
    EBM__I16,
    EBM__U32,
    EBM__I32,
    EBM__U64,
    EBM__I64,
    EBM__F32,
    EBM__F64
} ebm__number;

typedef struct ebm__array_file {
    ebm__file file;
    int64_t read; /* bytes so far */
    ebm__number type;
    bool big_endian;
    int32_t rank;
    int64_t shape[EBM__ARRAY_MOST_RANK];
} ebm__array_file;

/* Reads the header, all of it, into type, big_endian, rank and shape. */
typedef ebm_status (*ebm__read_header_fn)(ebm__array_file *array);

/* The next n bytes of a header. EBM_ERR_CORRUPT when the file ends before. */
ebm_status ebm__array_header_bytes(ebm__array_file *array, void *bytes, int64_t n);

/* What the public functions do, once they know how to read a header; their arguments, and their name for messages. */
ebm_status ebm__array_file_shape(const char *caller, ebm__read_header_fn read_header, const char *path, int32_t *rank,
                                 int64_t *shape);
ebm_status ebm__array_file_rows(const char *caller, ebm__read_header_fn read_header, const char *path, int64_t first,
                                int64_t n, int64_t row_size, float *out);

#endif /* EBM_IO_ARRAY_FILE_H */

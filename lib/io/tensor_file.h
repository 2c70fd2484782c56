/* SPDX-License-Identifier: MIT */
/* A safetensors file in memory, whole, its digest checked. */
#ifndef EBM_IO_TENSOR_FILE_H
#define EBM_IO_TENSOR_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "io/safetensors_read.h"

typedef struct ebm__tensor_file {
    ebm_context *context;
    char *text; /* the header's */
    ebm__safetensors_header header;
    int64_t data_bytes;
    uint8_t *data;
    bool *used; /* the header's entries that a list has matched */
} ebm__tensor_file;

/* EBM_ERR_ARG unless there is a path. */
ebm_status ebm__require_path(const char *caller, const char *path);

/*
 * Reads a file. EBM_ERR_IO, EBM_ERR_FORMAT, EBM_ERR_CORRUPT (also when the digest says so), EBM_ERR_NOMEM. In any case
 * to be cleared afterwards.
 */
ebm_status ebm__tensor_file_read(ebm_context *context, const char *path, ebm__tensor_file *file);
void ebm__tensor_file_clear(ebm__tensor_file *file);

/*
 * EBM_ERR_MISMATCH when a tensor has not been matched, unless its name begins with one of the prefixes `others` (ended
 * by NULL).
 */
ebm_status ebm__tensor_file_require_used(const ebm__tensor_file *file, const char *const *others);

/* After a file has been loaded: the host is told when that was on trust. */
void ebm__tensor_file_report(const ebm__tensor_file *file, const char *path, const char *caller);

#endif /* EBM_IO_TENSOR_FILE_H */

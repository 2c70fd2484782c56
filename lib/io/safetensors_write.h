/* SPDX-License-Identifier: MIT */
/*
 * Writes the header of a safetensors file into memory: first measured, then written, by the same calls in the same
 * order.
 */
#ifndef EBM_IO_SAFETENSORS_WRITE_H
#define EBM_IO_SAFETENSORS_WRITE_H

#include <stdint.h>

#include <ebm/status.h>

#include "io/digest.h"

typedef struct ebm__safetensors_writer {
    char *file;          /* the file's beginning; NULL while measuring */
    int64_t length;      /* of that so far */
    int64_t data_offset; /* of the data in the file, once the header has been ended */
    int64_t data_bytes;
    int64_t n_tensors;
} ebm__safetensors_writer;

/* Starts a file: measures it when `file` is NULL, else writes it there, where data_offset bytes have room. */
void ebm__safetensors_begin(ebm__safetensors_writer *writer, char *file);
/*
 * Adds the tensor `group.name`, of a type in io/dtype.h. Its data follow those of the tensor before. EBM_ERR_OVERFLOW.
 * Both are printable ASCII, and together no name that was added before.
 */
ebm_status ebm__safetensors_add(ebm__safetensors_writer *writer, int32_t dtype, const char *group, const char *name,
                                int32_t rank, const int64_t *shape);
/* Ends the header. EBM_ERR_OVERFLOW when it is beyond the limits. */
ebm_status ebm__safetensors_end(ebm__safetensors_writer *writer);
/* Fills in the digest, which is that of the whole file: of what has been written here, and of the data. */
void ebm__safetensors_seal(const ebm__safetensors_writer *writer, const ebm__digest *digest);

#endif /* EBM_IO_SAFETENSORS_WRITE_H */

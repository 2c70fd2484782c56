/* SPDX-License-Identifier: MIT */
/* Writes a safetensors file into memory: first measured, then written, by the same calls in the same order. */
#ifndef EBM_IO_SAFETENSORS_WRITE_H
#define EBM_IO_SAFETENSORS_WRITE_H

#include <stdint.h>

#include <ebm/status.h>

typedef struct ebm__safetensors_writer {
    char *file;          /* NULL while measuring */
    int64_t length;      /* of the file's text so far */
    int64_t data_offset; /* of the data in the file, once the header has been ended */
    int64_t data_bytes;
    int64_t put_bytes; /* of the data, so far */
    int64_t n_tensors;
} ebm__safetensors_writer;

/* Starts a file: measures it when `file` is NULL, else writes it there (data_offset + data_bytes as measured). */
void ebm__safetensors_begin(ebm__safetensors_writer *writer, char *file);
/*
 * Adds the tensor `group.name`, of a type in io/dtype.h. Its data follow those of the tensor before. EBM_ERR_OVERFLOW.
 * Both are printable ASCII, and together no name that was added before.
 */
ebm_status ebm__safetensors_add(ebm__safetensors_writer *writer, int32_t dtype, const char *group, const char *name,
                                int32_t rank, const int64_t *shape);
/* Ends the header. EBM_ERR_OVERFLOW when it is beyond the limits. */
ebm_status ebm__safetensors_end(ebm__safetensors_writer *writer);
/* Writes the next tensor's n numbers: after the header's end, in the order in which tensors were added. */
void ebm__safetensors_put(ebm__safetensors_writer *writer, int32_t dtype, int64_t n, const void *values);
/* When all data stand in the file: fills in the digest. */
void ebm__safetensors_seal(ebm__safetensors_writer *writer);

#endif /* EBM_IO_SAFETENSORS_WRITE_H */

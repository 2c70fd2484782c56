/* SPDX-License-Identifier: MIT */
/*
 * Reads the header of a safetensors file, strictly: the tensors tile the data without hole or overlap, sizes are
 * multiplied with checks, no key stands twice, and nothing stands there that the format does not know. What is asked
 * for in time and memory is proportional to the header's length.
 */
#ifndef EBM_IO_SAFETENSORS_READ_H
#define EBM_IO_SAFETENSORS_READ_H

#include <stdbool.h>
#include <stdint.h>

#include <ebm/context.h>

#include "io/digest.h"
#include "io/safetensors.h"

typedef struct ebm__safetensors_entry {
    const char *name;  /* UTF-8 */
    const char *dtype; /* as in the file: "F32", ... */
    int32_t rank;
    int64_t shape[EBM__SAFETENSORS_MOST_RANK];
    int64_t begin, end; /* of its bytes, from the start of the data */
} ebm__safetensors_entry;

typedef struct ebm__safetensors_header {
    ebm_context *context;
    struct json_t *json; /* what the names point into */
    int64_t n_entries;
    ebm__safetensors_entry *entries;  /* in the order of their data */
    ebm__safetensors_entry **by_name; /* the same in the order of their names */
    bool has_digest;
    char digest[EBM__DIGEST_DIGITS];
} ebm__safetensors_header;

/*
 * How long the header is, from the first 8 bytes of a file of `file_bytes`. EBM_ERR_FORMAT when this is no
 * safetensors file, EBM_ERR_CORRUPT when it ends within its header.
 */
ebm_status ebm__safetensors_length(const uint8_t first[EBM__SAFETENSORS_LENGTH_BYTES], int64_t file_bytes,
                                   int64_t *length);

/*
 * Reads the header `text`, which `data_bytes` of data follow, and overwrites the digits of a digest in it with '0'.
 * EBM_ERR_FORMAT, EBM_ERR_CORRUPT (the data are shorter or longer than the header says, or the digest's key is
 * damaged), EBM_ERR_NOMEM. On failure the header is as after clearing.
 */
ebm_status ebm__safetensors_read(ebm_context *context, char *text, int64_t length, int64_t data_bytes,
                                 ebm__safetensors_header *header);
/* Gives back what a header holds, and leaves it empty: it may be cleared again. */
void ebm__safetensors_clear(ebm__safetensors_header *header);

/* The tensor `group.name`, or NULL. */
const ebm__safetensors_entry *ebm__safetensors_find(const ebm__safetensors_header *header, const char *group,
                                                    const char *name);

/* Room for a piece of text from a file in a message. */
typedef struct ebm__shown {
    char text[136];
} ebm__shown;

/* A name from a file as it may stand in a message: of bounded length, every byte that is not printable ASCII as '?'. */
const char *ebm__safetensors_show(const char *name, ebm__shown *shown);

#endif /* EBM_IO_SAFETENSORS_READ_H */

/* SPDX-License-Identifier: MIT */
/*
 * The safetensors format (https://github.com/huggingface/safetensors#format) as this library reads and writes it:
 *
 *     8 bytes   N, little-endian
 *     N bytes   a JSON object of {name: {"dtype", "shape": [..], "data_offsets": [begin, end]}}, padded with spaces
 *     the rest  the tensors' bytes, row-major, little-endian; begin and end count from here
 *
 * `__metadata__` maps strings to strings. "ebm.digest" in it is the digest (digest.h) of the whole file as it would
 * be if the digest's own digits were all '0'.
 */
#ifndef EBM_IO_SAFETENSORS_H
#define EBM_IO_SAFETENSORS_H

#include <stdint.h>

#define EBM__SAFETENSORS_METADATA "__metadata__"
#define EBM__SAFETENSORS_DIGEST "ebm.digest"

enum {
    EBM__SAFETENSORS_LENGTH_BYTES = 8,
    EBM__SAFETENSORS_ALIGNMENT = 64,         /* of the data in files written here */
    EBM__SAFETENSORS_MOST_HEADER = 16 << 20, /* the library's own limits */
    EBM__SAFETENSORS_MOST_TENSORS = 65536,
    EBM__SAFETENSORS_MOST_RANK = 8
};

#endif /* EBM_IO_SAFETENSORS_H */

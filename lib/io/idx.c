/* SPDX-License-Identifier: MIT */
/* The idx format of LeCun, Cortes and Burges (MNIST): 0, 0, a type, the rank; sizes; numbers; all big-endian. */
#include <ebm/io.h>

#include "core/error.h"
#include "io/array_file.h"

static ebm_status type_of(uint8_t code, ebm__number *type) {
    switch (code) {
        case 0x08: *type = EBM__U8; return EBM_OK;
        case 0x09: *type = EBM__I8; return EBM_OK;
        case 0x0B: *type = EBM__I16; return EBM_OK;
        case 0x0C: *type = EBM__I32; return EBM_OK;
        case 0x0D: *type = EBM__F32; return EBM_OK;
        case 0x0E: *type = EBM__F64; return EBM_OK;
        default: return ebm__fail(EBM_ERR_FORMAT, "not an idx file: its type is 0x%02x", code);
    }
}

static ebm_status read_header(ebm__array_file *array) {
    uint8_t magic[4];
    EBM__TRY(ebm__array_header_bytes(array, magic, sizeof magic));
    if (magic[0] == 0x1F && magic[1] == 0x8B) {
        return ebm__fail(EBM_ERR_FORMAT, "a gzip file, which has to be unpacked first");
    }
    if (magic[0] != 0 || magic[1] != 0) {
        return ebm__fail(EBM_ERR_FORMAT, "not an idx file: it begins with 0x%02x%02x", magic[0], magic[1]);
    }
    EBM__TRY(type_of(magic[2], &array->type));
    if (magic[3] > EBM__ARRAY_MOST_RANK) {
        return ebm__fail(EBM_ERR_FORMAT, "the rank is %d, at most %d can be read", magic[3], EBM__ARRAY_MOST_RANK);
    }
    array->big_endian = true;
    array->rank = magic[3];
    for (int32_t i = 0; i < array->rank; i++) {
        uint8_t size[4];
        EBM__TRY(ebm__array_header_bytes(array, size, sizeof size));
        array->shape[i] = (int64_t)size[0] << 24 | (int64_t)size[1] << 16 | (int64_t)size[2] << 8 | (int64_t)size[3];
    }
    return EBM_OK;
}

ebm_status ebm_read_idx_shape(const char *path, int32_t *rank, int64_t *shape) {
    return ebm__array_file_shape(__func__, read_header, path, rank, shape);
}

ebm_status ebm_read_idx(const char *path, int64_t first, int64_t n, int64_t row_size, float *out) {
    return ebm__array_file_rows(__func__, read_header, path, first, n, row_size, out);
}

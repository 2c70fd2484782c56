/* SPDX-License-Identifier: MIT */
#include "io/safetensors_write.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/digest.h"
#include "io/dtype.h"
#include "io/little_endian.h"
#include "io/safetensors.h"

/* The digits of the digest stand where this ends, in every file written here. */
#define BEGINNING "{\"" EBM__SAFETENSORS_METADATA "\":{\"" EBM__SAFETENSORS_DIGEST "\":\""
#define NO_DIGEST "0000000000000000"

enum { DIGITS_OFFSET = EBM__SAFETENSORS_LENGTH_BYTES + sizeof BEGINNING - 1 };

_Static_assert(sizeof NO_DIGEST - 1 == EBM__DIGEST_DIGITS, "one 0 for each digit");

static void put(ebm__safetensors_writer *writer, const char *text, size_t n) {
    if (writer->file != NULL) {
        memcpy(writer->file + writer->length, text, n);
    }
    writer->length += (int64_t)n;
}

static void put_text(ebm__safetensors_writer *writer, const char *text) {
    put(writer, text, strlen(text));
}

static void put_number(ebm__safetensors_writer *writer, int64_t number) {
    char digits[24];
    put(writer, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, number));
}

static void put_name(ebm__safetensors_writer *writer, const char *name) {
    for (const char *c = name; *c != 0; c++) {
        if (*c == '"' || *c == '\\') {
            put(writer, "\\", 1);
        }
        put(writer, c, 1);
    }
}

void ebm__safetensors_begin(ebm__safetensors_writer *writer, char *file) {
    *writer = (ebm__safetensors_writer){.file = file, .length = EBM__SAFETENSORS_LENGTH_BYTES};
    put_text(writer, BEGINNING NO_DIGEST "\"}");
}

ebm_status ebm__safetensors_add(ebm__safetensors_writer *writer, int32_t dtype, const char *group, const char *name,
                                int32_t rank, const int64_t *shape) {
    int64_t bytes = ebm__dtypes[dtype].bytes;
    for (int32_t i = 0; i < rank; i++) {
        if (!ebm__multiply(bytes, shape[i], &bytes)) {
            return ebm__fail(EBM_ERR_OVERFLOW, "the size of the tensor '%s' does not fit", name);
        }
    }
    int64_t end;
    if (__builtin_add_overflow(writer->data_bytes, bytes, &end)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "the size of the file does not fit");
    }
    put_text(writer, ",\"");
    put_name(writer, group);
    put_text(writer, ".");
    put_name(writer, name);
    put_text(writer, "\":{\"dtype\":\"");
    put_text(writer, ebm__dtypes[dtype].name);
    put_text(writer, "\",\"shape\":[");
    for (int32_t i = 0; i < rank; i++) {
        if (i > 0) {
            put_text(writer, ",");
        }
        put_number(writer, shape[i]);
    }
    put_text(writer, "],\"data_offsets\":[");
    put_number(writer, writer->data_bytes);
    put_text(writer, ",");
    put_number(writer, end);
    put_text(writer, "]}");
    writer->data_bytes = end;
    writer->n_tensors++;
    return EBM_OK;
}

ebm_status ebm__safetensors_end(ebm__safetensors_writer *writer) {
    put_text(writer, "}");
    while (writer->length % EBM__SAFETENSORS_ALIGNMENT != 0) {
        put_text(writer, " ");
    }
    int64_t header = writer->length - EBM__SAFETENSORS_LENGTH_BYTES;
    if (writer->n_tensors > EBM__SAFETENSORS_MOST_TENSORS || header > EBM__SAFETENSORS_MOST_HEADER) {
        return ebm__fail(EBM_ERR_OVERFLOW,
                         "%" PRId64 " tensors with a header of %" PRId64 " bytes, a file may have %d and %d",
                         writer->n_tensors, header, EBM__SAFETENSORS_MOST_TENSORS, EBM__SAFETENSORS_MOST_HEADER);
    }
    writer->data_offset = writer->length;
    int64_t size;
    if (__builtin_add_overflow(writer->data_offset, writer->data_bytes, &size)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "the size of the file does not fit");
    }
    if (writer->file != NULL) {
        ebm__write_u64((uint8_t *)writer->file, (uint64_t)header);
    }
    return EBM_OK;
}

void ebm__safetensors_seal(const ebm__safetensors_writer *writer, const ebm__digest *digest) {
    ebm__digest_end(digest, writer->file + DIGITS_OFFSET);
}

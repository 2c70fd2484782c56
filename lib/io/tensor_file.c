/* SPDX-License-Identifier: MIT */
#include "io/tensor_file.h"

#include <inttypes.h>
#include <string.h>

#include "core/context.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/digest.h"

ebm_status ebm__require_path(const char *caller, const char *path) {
    if (path == NULL || *path == 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: path is %s", caller, path == NULL ? "NULL" : "empty");
    }
    return EBM_OK;
}

static ebm_status check_digest(const ebm__tensor_file *file, const ebm__digest *digest) {
    char digits[EBM__DIGEST_DIGITS];
    ebm__digest_end(digest, digits);
    if (file->header.has_digest && memcmp(digits, file->header.digest, sizeof digits) != 0) {
        ebm__shown stated = {{0}};
        memcpy(stated.text, file->header.digest, EBM__DIGEST_DIGITS);
        return ebm__fail(EBM_ERR_CORRUPT, "the digest is %.*s, the file says '%s'", EBM__DIGEST_DIGITS, digits,
                         ebm__safetensors_show(stated.text, &stated));
    }
    return EBM_OK;
}

static ebm_status read_open(const ebm__file *open, ebm__tensor_file *file) {
    uint8_t first[EBM__SAFETENSORS_LENGTH_BYTES];
    int64_t length;
    if (open->size < EBM__SAFETENSORS_LENGTH_BYTES) {
        return ebm__fail(EBM_ERR_FORMAT, "no safetensors file: it has %" PRId64 " bytes", open->size);
    }
    EBM__TRY(ebm__file_read(open, first, sizeof first));
    EBM__TRY(ebm__safetensors_length(first, open->size, &length));
    EBM__TRY(ebm__alloc(file->context, length, 1, "the header", &file->text));
    EBM__TRY(ebm__file_read(open, file->text, length));
    file->data_bytes = open->size - EBM__SAFETENSORS_LENGTH_BYTES - length;
    EBM__TRY(ebm__safetensors_read(file->context, file->text, length, file->data_bytes, &file->header));
    EBM__TRY(ebm__alloc(file->context, file->header.n_entries, sizeof *file->used, "the list of tensors",
                        &file->used));
    EBM__TRY(ebm__alloc(file->context, file->data_bytes, 1, "the file's content", &file->data));
    EBM__TRY(ebm__file_read(open, file->data, file->data_bytes));
    ebm__digest digest;
    ebm__digest_begin(&digest);
    ebm__digest_add(&digest, first, sizeof first);
    ebm__digest_add(&digest, file->text, length);
    ebm__digest_add(&digest, file->data, file->data_bytes);
    return check_digest(file, &digest);
}

ebm_status ebm__tensor_file_read(ebm_context *context, const char *path, ebm__tensor_file *file) {
    ebm__file open;
    *file = (ebm__tensor_file){.context = context};
    EBM__TRY(ebm__file_open(path, &open));
    ebm_status status = read_open(&open, file);
    ebm__file_close(&open);
    return status;
}

void ebm__tensor_file_clear(ebm__tensor_file *file) {
    ebm__safetensors_clear(&file->header);
    ebm__free(file->context, file->text);
    ebm__free(file->context, file->data);
    ebm__free(file->context, file->used);
    *file = (ebm__tensor_file){.context = file->context};
}

static bool begins_with_one(const char *name, const char *const *prefixes) {
    while (*prefixes != NULL && strncmp(name, *prefixes, strlen(*prefixes)) != 0) {
        prefixes++;
    }
    return *prefixes != NULL;
}

ebm_status ebm__tensor_file_require_used(const ebm__tensor_file *file, const char *const *others) {
    for (int64_t i = 0; i < file->header.n_entries; i++) {
        const char *name = file->header.entries[i].name;
        if (!file->used[i] && !begins_with_one(name, others)) {
            ebm__shown shown;
            return ebm__fail(EBM_ERR_MISMATCH, "the file has the tensor '%s', for which there is no place",
                             ebm__safetensors_show(name, &shown));
        }
    }
    return EBM_OK;
}

void ebm__tensor_file_report(const ebm__tensor_file *file, const char *path, const char *caller) {
    if (!file->header.has_digest) {
        ebm__log(file->context, EBM_LOG_INFO, "%s: '%s' has no digest: loaded unverified", caller, path);
    }
}

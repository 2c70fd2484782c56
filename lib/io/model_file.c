/* SPDX-License-Identifier: MIT */
/* A model's parameters to and from a safetensors file, through the public functions of a model. */
#include <ebm/io.h>

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/context.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/digest.h"
#include "io/little_endian.h"
#include "io/safetensors.h"
#include "io/safetensors_read.h"
#include "io/safetensors_write.h"
#include "model/model.h"

#define GROUP "param"
#define DTYPE "F32"

_Static_assert((int)EBM__SAFETENSORS_MOST_RANK >= (int)EBM__MOST_RANK, "every tensor of a model can be written");

/* EBM_ERR_NONFINITE, naming the first tensor with a value that is not finite. */
static ebm_status check_finite(const ebm_model *model, const float *theta) {
    int64_t n = ebm_model_param_count(model);
    int64_t i = 0;
    while (i < n && isfinite(theta[i])) {
        i++;
    }
    if (i == n) {
        return EBM_OK;
    }
    const char *name = "";
    int64_t first = 0;
    int64_t offset = 0;
    for (int64_t t = 0; t < ebm_model_tensor_count(model) && offset <= i; t++) {
        EBM__TRY(ebm_model_tensor_info(model, t, NULL, NULL, NULL, &offset));
        if (offset <= i) {
            EBM__TRY(ebm_model_tensor_info(model, t, &name, NULL, NULL, &first));
        }
    }
    return ebm__fail(EBM_ERR_NONFINITE, "tensor '%s' is %s at element %" PRId64, name,
                     isnan(theta[i]) ? "NaN" : theta[i] > 0 ? "+infinity" : "-infinity", i - first);
}

static ebm_status require_path(const char *caller, const char *path) {
    if (path == NULL || *path == 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: path is %s", caller, path == NULL ? "NULL" : "empty");
    }
    return EBM_OK;
}

/* ---- saving ---- */

/* The header of the model's file: measured when `file` is NULL, else written there. */
static ebm_status describe(const ebm_model *model, char *file, ebm__safetensors_writer *writer) {
    ebm__safetensors_begin(writer, file);
    for (int64_t i = 0; i < ebm_model_tensor_count(model); i++) {
        const char *name;
        int32_t rank;
        int64_t shape[EBM__MOST_RANK];
        EBM__TRY(ebm_model_tensor_info(model, i, &name, &rank, shape, NULL));
        EBM__TRY(ebm__safetensors_add(writer, GROUP, name, rank, shape));
    }
    return ebm__safetensors_end(writer);
}

static ebm_status write_file(const ebm_model *model, char *file, const char *path) {
    ebm__safetensors_writer writer;
    EBM__TRY(describe(model, file, &writer));
    float *theta = (float *)(void *)(file + writer.data_offset); /* aligned: both are multiples of 64 */
    EBM__TRY(ebm_model_get_params(model, ebm_model_param_count(model), theta));
    EBM__TRY(check_finite(model, theta));
    ebm__safetensors_seal(&writer);
    return ebm__file_replace(ebm__model_context(model), path, file, writer.data_offset + writer.data_bytes);
}

static ebm_status save(const ebm_model *model, const char *path) {
    ebm_context *context = ebm__model_context(model);
    ebm__safetensors_writer measure;
    EBM__TRY(describe(model, NULL, &measure));
    char *file;
    EBM__TRY(ebm__alloc(context, measure.data_offset + measure.data_bytes, 1, "the file's content", &file));
    ebm_status status = write_file(model, file, path);
    ebm__free(context, file);
    return status;
}

ebm_status ebm_model_save(const ebm_model *model, const char *path) {
    EBM__REQUIRE(model);
    EBM__TRY(require_path(__func__, path));
    ebm_status status = save(model, path);
    return status == EBM_OK ? EBM_OK : ebm__fail_within(status, "%s: '%.200s': ", __func__, path);
}

/* ---- loading ---- */

typedef struct loading {
    ebm_context *context;
    ebm__file file;
    char *text; /* the header's */
    ebm__safetensors_header header;
    int64_t data_bytes;
    ebm__digest digest; /* of what has been read so far */
    int64_t *places;    /* of each entry of the header in theta */
    float *theta;
} loading;

static ebm_status read_header(loading *l) {
    uint8_t first[EBM__SAFETENSORS_LENGTH_BYTES];
    if (l->file.size < EBM__SAFETENSORS_LENGTH_BYTES) {
        return ebm__fail(EBM_ERR_FORMAT, "no safetensors file: it has %" PRId64 " bytes", l->file.size);
    }
    EBM__TRY(ebm__file_read(&l->file, first, sizeof first));
    int64_t length;
    EBM__TRY(ebm__safetensors_length(first, l->file.size, &length));
    EBM__TRY(ebm__alloc(l->context, length, 1, "the header", &l->text));
    EBM__TRY(ebm__file_read(&l->file, l->text, length));
    l->data_bytes = l->file.size - EBM__SAFETENSORS_LENGTH_BYTES - length;
    EBM__TRY(ebm__safetensors_read(l->context, l->text, length, l->data_bytes, &l->header));
    ebm__digest_begin(&l->digest);
    ebm__digest_add(&l->digest, first, sizeof first);
    ebm__digest_add(&l->digest, l->text, length);
    return EBM_OK;
}

static ebm_status match_tensor(loading *l, const ebm_model *model, int64_t index) {
    const char *name;
    int32_t rank;
    int64_t shape[EBM__MOST_RANK];
    int64_t offset;
    EBM__TRY(ebm_model_tensor_info(model, index, &name, &rank, shape, &offset));
    const ebm__safetensors_entry *entry = ebm__safetensors_find(&l->header, GROUP, name);
    if (entry == NULL) {
        return ebm__fail(EBM_ERR_MISMATCH, "the file lacks the model's tensor '%s'", name);
    }
    if (strcmp(entry->dtype, DTYPE) != 0) {
        return ebm__fail(EBM_ERR_MISMATCH, "the file's tensor '%s' has dtype %s, must be " DTYPE, name, entry->dtype);
    }
    if (entry->rank != rank) {
        return ebm__fail(EBM_ERR_MISMATCH, "the file's tensor '%s' has rank %d, the model's %d", name, entry->rank,
                         rank);
    }
    for (int32_t i = 0; i < rank; i++) {
        if (entry->shape[i] != shape[i]) {
            return ebm__fail(EBM_ERR_MISMATCH,
                             "the file's tensor '%s' has shape[%d] = %" PRId64 ", the model's %" PRId64, name, i,
                             entry->shape[i], shape[i]);
        }
    }
    l->places[entry - l->header.entries] = offset;
    return EBM_OK;
}

/* Every tensor of the model must be in the file, and no other. */
static ebm_status match(loading *l, const ebm_model *model) {
    int64_t n = l->header.n_entries;
    EBM__TRY(ebm__alloc(l->context, n, sizeof *l->places, "the list of tensors", &l->places));
    for (int64_t i = 0; i < n; i++) {
        l->places[i] = -1;
    }
    for (int64_t i = 0; i < ebm_model_tensor_count(model); i++) {
        EBM__TRY(match_tensor(l, model, i));
    }
    for (int64_t i = 0; i < n; i++) {
        if (l->places[i] < 0) {
            ebm__shown shown;
            return ebm__fail(EBM_ERR_MISMATCH, "the model has no tensor '%s', which the file has",
                             ebm__safetensors_show(l->header.entries[i].name, &shown));
        }
    }
    return EBM_OK;
}

static ebm_status check_digest(const loading *l) {
    char digits[EBM__DIGEST_DIGITS];
    ebm__digest_end(&l->digest, digits);
    if (memcmp(digits, l->header.digest, sizeof digits) != 0) {
        ebm__shown stated = {{0}};
        memcpy(stated.text, l->header.digest, EBM__DIGEST_DIGITS);
        return ebm__fail(EBM_ERR_CORRUPT, "the digest is %.*s, the file says '%s'", EBM__DIGEST_DIGITS, digits,
                         ebm__safetensors_show(stated.text, &stated));
    }
    return EBM_OK;
}

/* The file does not fit the model (`status`): because it is another model's, or because it is damaged? */
static ebm_status judge_mismatch(loading *l, ebm_status status) {
    if (!l->header.has_digest) {
        return status;
    }
    char bytes[4096];
    for (int64_t left = l->data_bytes; left > 0;) {
        int64_t n = left < (int64_t)sizeof bytes ? left : (int64_t)sizeof bytes;
        EBM__TRY(ebm__file_read(&l->file, bytes, n));
        ebm__digest_add(&l->digest, bytes, n);
        left -= n;
    }
    EBM__TRY(check_digest(l));
    return status;
}

static ebm_status read_data(loading *l) {
    EBM__TRY(ebm__alloc(l->context, l->data_bytes, 1, "the parameters", &l->theta));
    for (int64_t i = 0; i < l->header.n_entries; i++) {
        const ebm__safetensors_entry *entry = &l->header.entries[i];
        float *values = l->theta + l->places[i];
        int64_t bytes = entry->end - entry->begin;
        EBM__TRY(ebm__file_read(&l->file, values, bytes));
        ebm__digest_add(&l->digest, values, bytes);
        ebm__turn_f32(values, bytes / (int64_t)sizeof *values);
    }
    return l->header.has_digest ? check_digest(l) : EBM_OK;
}

static ebm_status load_open(loading *l, ebm_model *model) {
    EBM__TRY(read_header(l));
    ebm_status status = match(l, model);
    if (status == EBM_ERR_MISMATCH) {
        return judge_mismatch(l, status);
    }
    EBM__TRY(status);
    EBM__TRY(read_data(l));
    EBM__TRY(check_finite(model, l->theta));
    return ebm_model_set_params(model, ebm_model_param_count(model), l->theta);
}

ebm_status ebm_model_load(ebm_model *model, const char *path) {
    EBM__REQUIRE(model);
    EBM__TRY(require_path(__func__, path));
    loading l = {.context = ebm__model_context(model)};
    ebm_status status = ebm__file_open(path, &l.file);
    if (status == EBM_OK) {
        status = load_open(&l, model);
        bool verified = l.header.has_digest;
        ebm__file_close(&l.file);
        ebm__safetensors_clear(&l.header);
        ebm__free(l.context, l.text);
        ebm__free(l.context, l.places);
        ebm__free(l.context, l.theta);
        if (status == EBM_OK && !verified) {
            ebm__log(l.context, EBM_LOG_INFO, "%s: '%s' has no digest: loaded unverified", __func__, path);
        }
    }
    return status == EBM_OK ? EBM_OK : ebm__fail_within(status, "%s: '%.200s': ", __func__, path);
}

/* SPDX-License-Identifier: MIT */
#include "io/tensor_list.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/little_endian.h"
#include "io/safetensors_write.h"

/* ---- what the numbers may be ---- */

static bool is_good_double(int32_t check, double value) {
    switch (check) {
        case EBM__FINITE:
            return fabs(value) <= DBL_MAX;
        case EBM__ENERGY:
            return value >= -DBL_MAX;
        case EBM__SHARE:
            return value >= 0 && value <= 1;
        default:
            return true;
    }
}

static bool is_good_integer(int32_t check, int64_t value) {
    switch (check) {
        case EBM__COUNT:
            return value >= 0 && value <= (int64_t)1 << 62;
        case EBM__FLAG:
            return value >= 0 && value <= 1;
        case EBM__ONE_OF_3:
            return value >= 0 && value <= 2;
        case EBM__ONE_OF_8:
            return value >= 0 && value <= 7;
        default:
            return true;
    }
}

/* The numbers may stand at any address: those of a file from elsewhere do. */
static double double_at(int32_t dtype, const char *bytes, int64_t i) {
    float narrow;
    double wide;
    if (dtype == EBM__DTYPE_F32) {
        memcpy(&narrow, bytes + i * (int64_t)sizeof narrow, sizeof narrow);
        return (double)narrow;
    }
    memcpy(&wide, bytes + i * (int64_t)sizeof wide, sizeof wide);
    return wide;
}

static int64_t integer_at(int32_t dtype, const char *bytes, int64_t i) {
    int32_t narrow;
    int64_t wide;
    if (dtype == EBM__DTYPE_U8) {
        return (uint8_t)bytes[i];
    }
    if (dtype == EBM__DTYPE_I32) {
        memcpy(&narrow, bytes + i * (int64_t)sizeof narrow, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, bytes + i * (int64_t)sizeof wide, sizeof wide);
    return wide;
}

static bool is_real(int32_t dtype) {
    return dtype == EBM__DTYPE_F32 || dtype == EBM__DTYPE_F64;
}

/* A first look without branches, at what nearly all large tensors are. */
static bool all_finite(const char *bytes, int64_t n) {
    int bad = 0;
    for (int64_t i = 0; i < n; i++) {
        float value;
        memcpy(&value, bytes + i * (int64_t)sizeof value, sizeof value);
        bad |= !(fabsf(value) <= FLT_MAX);
    }
    return bad == 0;
}

static ebm_status refuse_real(const ebm__tensor_place *place, int64_t i, double value) {
    if (place->check == EBM__SHARE) {
        return ebm__fail(EBM_ERR_FORMAT, "tensor '%s.%s' is %g at element %" PRId64 ", must be 0 to 1", place->group,
                         place->name, value, i);
    }
    return ebm__fail(EBM_ERR_NONFINITE, "tensor '%s.%s' is %s at element %" PRId64, place->group, place->name,
                     isnan(value) ? "NaN" : value > 0 ? "+infinity" : "-infinity", i);
}

static ebm_status check_values(const ebm__tensor_place *place, const void *values, int64_t n) {
    const char *bytes = values;
    if (place->check == EBM__ANY || (place->dtype == EBM__DTYPE_F32 && all_finite(bytes, n))) {
        return EBM_OK;
    }
    for (int64_t i = 0; i < n; i++) {
        if (is_real(place->dtype)) {
            double value = double_at(place->dtype, bytes, i);
            if (!is_good_double(place->check, value)) {
                return refuse_real(place, i, value);
            }
        } else if (!is_good_integer(place->check, integer_at(place->dtype, bytes, i))) {
            return ebm__fail(EBM_ERR_FORMAT, "tensor '%s.%s' is %" PRId64 " at element %" PRId64
                             ", which is out of range", place->group, place->name,
                             integer_at(place->dtype, bytes, i), i);
        }
    }
    return EBM_OK;
}

ebm_status ebm__tensor_list_check(const ebm__tensor_list *list, const uint8_t *packed) {
    for (int64_t i = 0; i < list->n; i++) {
        EBM__TRY(check_values(&list->places[i], packed, ebm__tensor_count(&list->places[i])));
        packed += ebm__tensor_bytes(&list->places[i]);
    }
    return EBM_OK;
}

/* ---- saving ---- */

/* Wide numbers come first, so that all stand at multiples of their width. */
enum { WIDEST = 8 };

/* The header: measured when `file` is NULL, else written there. */
static ebm_status describe(const ebm__tensor_list *list, char *file, ebm__safetensors_writer *writer) {
    ebm__safetensors_begin(writer, file);
    for (int64_t width = WIDEST; width > 0; width /= 2) {
        for (int64_t i = 0; i < list->n; i++) {
            const ebm__tensor_place *place = &list->places[i];
            if (ebm__dtypes[place->dtype].bytes == width) {
                EBM__TRY(ebm__safetensors_add(writer, place->dtype, place->group, place->name, place->rank,
                                              place->shape));
            }
        }
    }
    return ebm__safetensors_end(writer);
}

/*
 * Large tensors are written from where they stand; small ones are gathered with the header, as are all where numbers
 * have to be turned.
 */
static bool is_large(const ebm__tensor_place *place) {
    enum { LARGE = 1 << 16 };
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && ebm__tensor_bytes(place) >= LARGE;
}

/* The file, in its parts. */
typedef struct assembly {
    char *gathered; /* the header and the small tensors */
    int64_t n_gathered;
    ebm__piece *pieces;
    int64_t n_pieces;
} assembly;

static void append_large(assembly *a, const ebm__tensor_place *place) {
    int64_t bytes = ebm__tensor_bytes(place);
    a->pieces[a->n_pieces++] = (ebm__piece){place->values, bytes};
    a->pieces[a->n_pieces++] = (ebm__piece){a->gathered + a->n_gathered, 0};
}

static void append_small(assembly *a, const ebm__tensor_place *place) {
    char *to = a->gathered + a->n_gathered;
    int64_t width = ebm__dtypes[place->dtype].bytes;
    int64_t bytes = ebm__tensor_count(place) * width;
    if (bytes > 0) {
        memcpy(to, place->values, (size_t)bytes);
    }
    ebm__turn(to, width, ebm__tensor_count(place));
    a->n_gathered += bytes;
    a->pieces[a->n_pieces - 1].n += bytes;
}

static ebm_status assemble(const ebm__tensor_list *list, assembly *a) {
    ebm__safetensors_writer writer;
    EBM__TRY(describe(list, a->gathered, &writer));
    a->n_gathered = writer.data_offset;
    a->pieces[a->n_pieces++] = (ebm__piece){a->gathered, writer.data_offset};
    for (int64_t width = WIDEST; width > 0; width /= 2) {
        for (int64_t i = 0; i < list->n; i++) {
            const ebm__tensor_place *place = &list->places[i];
            if (ebm__dtypes[place->dtype].bytes == width) {
                EBM__TRY(check_values(place, place->values, ebm__tensor_count(place)));
                (is_large(place) ? append_large : append_small)(a, place);
            }
        }
    }
    ebm__digest digest;
    ebm__digest_begin(&digest);
    for (int64_t i = 0; i < a->n_pieces; i++) {
        ebm__digest_add(&digest, a->pieces[i].bytes, a->pieces[i].n);
    }
    ebm__safetensors_seal(&writer, &digest);
    return EBM_OK;
}

static ebm_status save(const ebm__tensor_list *list, const char *path, int32_t keep_last, assembly *a) {
    ebm__safetensors_writer measure;
    EBM__TRY(describe(list, NULL, &measure));
    int64_t bytes = measure.data_offset;
    int64_t n_pieces = 1;
    for (int64_t i = 0; i < list->n; i++) {
        const ebm__tensor_place *place = &list->places[i];
        bytes += is_large(place) ? 0 : ebm__tensor_bytes(place);
        n_pieces += is_large(place) ? 2 : 0;
    }
    EBM__TRY(ebm__alloc(list->context, bytes, 1, "the file's content", &a->gathered));
    EBM__TRY(ebm__alloc(list->context, n_pieces, sizeof *a->pieces, "the file's content", &a->pieces));
    EBM__TRY(assemble(list, a));
    return ebm__file_replace(list->context, path, a->n_pieces, a->pieces, keep_last);
}

ebm_status ebm__tensor_list_save(const ebm__tensor_list *list, const char *path, int32_t keep_last) {
    assembly a = {0};
    ebm_status status = save(list, path, keep_last, &a);
    ebm__free(list->context, a.gathered);
    ebm__free(list->context, a.pieces);
    return status;
}

/* ---- loading ---- */

static ebm_status match_one(ebm__tensor_place *place, ebm__tensor_file *file) {
    const ebm__safetensors_entry *entry = ebm__safetensors_find(&file->header, place->group, place->name);
    if (entry == NULL) {
        return ebm__fail(EBM_ERR_MISMATCH, "the file lacks the tensor '%s.%s'", place->group, place->name);
    }
    if (strcmp(entry->dtype, ebm__dtypes[place->dtype].name) != 0) {
        return ebm__fail(EBM_ERR_MISMATCH, "the file's tensor '%s.%s' has dtype %s, must be %s", place->group,
                         place->name, entry->dtype, ebm__dtypes[place->dtype].name);
    }
    if (entry->rank != place->rank) {
        return ebm__fail(EBM_ERR_MISMATCH, "the file's tensor '%s.%s' has rank %d, must be %d", place->group,
                         place->name, entry->rank, place->rank);
    }
    for (int32_t i = 0; i < place->rank; i++) {
        if (entry->shape[i] != place->shape[i]) {
            return ebm__fail(EBM_ERR_MISMATCH,
                             "the file's tensor '%s.%s' has shape[%d] = %" PRId64 ", must be %" PRId64, place->group,
                             place->name, i, entry->shape[i], place->shape[i]);
        }
    }
    file->used[entry - file->header.entries] = true;
    place->entry = entry;
    return EBM_OK;
}

ebm_status ebm__tensor_list_match(ebm__tensor_list *list, ebm__tensor_file *file) {
    for (int64_t i = 0; i < list->n; i++) {
        EBM__TRY(match_one(&list->places[i], file));
    }
    return EBM_OK;
}

ebm_status ebm__tensor_list_copy(const ebm__tensor_list *list, ebm__tensor_file *file) {
    for (int64_t i = 0; i < list->n; i++) {
        const ebm__tensor_place *place = &list->places[i];
        uint8_t *bytes = file->data + place->entry->begin;
        int64_t n_bytes = place->entry->end - place->entry->begin;
        int64_t width = ebm__dtypes[place->dtype].bytes;
        ebm__turn(bytes, width, n_bytes / width);
        EBM__TRY(check_values(place, bytes, n_bytes / width));
        if (n_bytes > 0) {
            memcpy(place->values, bytes, (size_t)n_bytes);
        }
    }
    return EBM_OK;
}

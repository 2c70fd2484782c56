/* SPDX-License-Identifier: MIT */
/*
 * numpy's npy format, versions 1.0 and 2.0 (NEP 1): a magic string, the header's length, and a header that is a Python
 * dictionary, {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 784), }, padded with spaces and ended by a
 * newline. Strict: three keys, each once, and nothing that numpy would not write.
 */
#include <ebm/io.h>

#include <inttypes.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/array_file.h"

enum { MOST_HEADER = 10000 /* numpy's own limit in reading */, MOST_WORD = 16 };

/* A place in the header, which ends with a 0. */
typedef struct cursor {
    const char *text;
    const char *at;
} cursor;

typedef struct header {
    char type[MOST_WORD + 1];
    bool fortran_order;
    bool has_type, has_order, has_shape;
} header;

static ebm_status refuse(const cursor *c, const char *wanted) {
    return ebm__fail(EBM_ERR_FORMAT, "not an npy file: %s is wanted at character %d of the header", wanted,
                     (int)(c->at - c->text));
}

static void skip_spaces(cursor *c) {
    while (*c->at == ' ') {
        c->at++;
    }
}

/* Passes `text`, if that is what comes next. */
static bool take(cursor *c, const char *text) {
    size_t length = strlen(text);
    skip_spaces(c);
    if (strncmp(c->at, text, length) != 0) {
        return false;
    }
    c->at += length;
    return true;
}

/* Characters between two quotes of one kind, printable, none of them a quote or a backslash. */
static ebm_status read_word(cursor *c, char word[MOST_WORD + 1]) {
    skip_spaces(c);
    char quote = *c->at;
    if (quote != '\'' && quote != '"') {
        return refuse(c, "a string");
    }
    c->at++;
    int n = 0;
    for (; *c->at != quote; c->at++) {
        if (*c->at < ' ' || *c->at > '~' || *c->at == '\\' || n == MOST_WORD) {
            return refuse(c, "the end of a string");
        }
        word[n++] = *c->at;
    }
    c->at++;
    word[n] = '\0';
    return EBM_OK;
}

static ebm_status read_number(cursor *c, int64_t *value) {
    skip_spaces(c);
    if (*c->at < '0' || *c->at > '9') {
        return refuse(c, "a number");
    }
    *value = 0;
    for (; *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (!ebm__multiply(*value, 10, value) || __builtin_add_overflow(*value, *c->at - '0', value)) {
            return ebm__fail(EBM_ERR_CORRUPT, "a size of the shape is 2^63 or more");
        }
    }
    return EBM_OK;
}

/* (), (3,), (3, 4): a comma after each but the last, where it is needed only after the first. */
static ebm_status read_shape(cursor *c, ebm__array_file *array) {
    if (!take(c, "(")) {
        return refuse(c, "a tuple");
    }
    bool comma = true;
    for (array->rank = 0; !take(c, ")"); array->rank++) {
        if (!comma) {
            return refuse(c, "a comma");
        }
        if (array->rank == EBM__ARRAY_MOST_RANK) {
            return ebm__fail(EBM_ERR_FORMAT, "the rank is more than %d", EBM__ARRAY_MOST_RANK);
        }
        EBM__TRY(read_number(c, &array->shape[array->rank]));
        comma = take(c, ",");
    }
    return array->rank == 1 && !comma ? refuse(c, "a comma") : EBM_OK;
}

static ebm_status read_value(cursor *c, const char *key, header *h, ebm__array_file *array) {
    if (strcmp(key, "descr") == 0 && !h->has_type) {
        h->has_type = true;
        return read_word(c, h->type);
    }
    if (strcmp(key, "fortran_order") == 0 && !h->has_order) {
        h->has_order = true;
        h->fortran_order = take(c, "True");
        return h->fortran_order || take(c, "False") ? EBM_OK : refuse(c, "True or False");
    }
    if (strcmp(key, "shape") == 0 && !h->has_shape) {
        h->has_shape = true;
        return read_shape(c, array);
    }
    return ebm__fail(EBM_ERR_FORMAT, "not an npy file: '%s' is not a key of the header, or there twice", key);
}

static ebm_status read_dictionary(cursor *c, header *h, ebm__array_file *array) {
    if (!take(c, "{")) {
        return refuse(c, "a dictionary");
    }
    bool comma = true;
    while (!take(c, "}")) {
        char key[MOST_WORD + 1];
        if (!comma) {
            return refuse(c, "a comma");
        }
        EBM__TRY(read_word(c, key));
        if (!take(c, ":")) {
            return refuse(c, "a colon");
        }
        EBM__TRY(read_value(c, key, h, array));
        comma = take(c, ",");
    }
    if (!take(c, "\n") || *c->at != '\0') {
        return refuse(c, "the end");
    }
    if (!h->has_type || !h->has_order || !h->has_shape) {
        return ebm__fail(EBM_ERR_FORMAT, "not an npy file: descr, fortran_order or shape is missing in the header");
    }
    return EBM_OK;
}

static ebm_status type_of(const char *name, ebm__number *type) {
    static const struct {
        const char *name;
        ebm__number type;
    } types[] = {{"<f4", EBM__F32}, {"<f8", EBM__F64}, {"|b1", EBM__BOOL}, {"|u1", EBM__U8},
                 {"|i1", EBM__I8},  {"<u2", EBM__U16}, {"<i2", EBM__I16},  {"<u4", EBM__U32},
                 {"<i4", EBM__I32}, {"<u8", EBM__U64}, {"<i8", EBM__I64}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(name, types[i].name) == 0) {
            *type = types[i].type;
            return EBM_OK;
        }
    }
    return ebm__fail(EBM_ERR_FORMAT, "the type is '%s', must be little-endian floats of 4 or 8 bytes, integers or bool",
                     name);
}

static ebm_status read_length(ebm__array_file *array, int64_t *length) {
    static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    uint8_t first[8];
    uint8_t size[4] = {0};
    EBM__TRY(ebm__array_header_bytes(array, first, sizeof first));
    if (memcmp(first, magic, sizeof magic) != 0) {
        return ebm__fail(EBM_ERR_FORMAT, "not an npy file: it does not begin with \\x93NUMPY");
    }
    if ((first[6] != 1 && first[6] != 2) || first[7] != 0) {
        return ebm__fail(EBM_ERR_FORMAT, "the npy version is %d.%d, must be 1.0 or 2.0", first[6], first[7]);
    }
    EBM__TRY(ebm__array_header_bytes(array, size, first[6] == 1 ? 2 : 4));
    *length = (int64_t)size[0] | (int64_t)size[1] << 8 | (int64_t)size[2] << 16 | (int64_t)size[3] << 24;
    if (*length > MOST_HEADER) {
        return ebm__fail(EBM_ERR_FORMAT, "the header has %" PRId64 " bytes, must have at most %d", *length, MOST_HEADER);
    }
    return EBM_OK;
}

static ebm_status read_header(ebm__array_file *array) {
    char text[MOST_HEADER + 1];
    int64_t length = 0;
    header h = {.has_type = false};
    EBM__TRY(read_length(array, &length));
    EBM__TRY(ebm__array_header_bytes(array, text, length));
    text[length] = '\0';
    if (memchr(text, '\0', (size_t)length) != NULL) {
        return ebm__fail(EBM_ERR_FORMAT, "not an npy file: there is a zero byte in the header");
    }
    EBM__TRY(read_dictionary(&(cursor){.text = text, .at = text}, &h, array));
    EBM__TRY(type_of(h.type, &array->type));
    if (h.fortran_order && array->rank > 1) {
        return ebm__fail(EBM_ERR_FORMAT, "the array is in Fortran's order, must be in C's");
    }
    return EBM_OK;
}

ebm_status ebm_read_npy_shape(const char *path, int32_t *rank, int64_t *shape) {
    return ebm__array_file_shape(__func__, read_header, path, rank, shape);
}

ebm_status ebm_read_npy(const char *path, int64_t first, int64_t n, int64_t row_size, float *out) {
    return ebm__array_file_rows(__func__, read_header, path, first, n, row_size, out);
}

/* SPDX-License-Identifier: MIT */
#include "io/safetensors_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/dtype.h"
#include "io/little_endian.h"

/*
 * A header nests no deeper than {"name": {"shape": [..]}}, and the largest one has no more values and names than
 * this.
 */
enum { MOST_DEPTH = 3, MOST_ITEMS = 16 * EBM__SAFETENSORS_MOST_TENSORS };

const char *ebm__safetensors_show(const char *name, ebm__shown *shown) {
    size_t i = 0;
    for (; name[i] != 0 && i < sizeof shown->text - 1; i++) {
        shown->text[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
    }
    shown->text[i] = 0;
    return shown->text;
}

ebm_status ebm__safetensors_length(const uint8_t first[EBM__SAFETENSORS_LENGTH_BYTES], int64_t file_bytes,
                                   int64_t *length) {
    uint64_t n = ebm__read_u64(first);
    if (n > EBM__SAFETENSORS_MOST_HEADER) {
        return ebm__fail(EBM_ERR_FORMAT, "no safetensors file: its header would have %" PRIu64 " bytes, the most is %d",
                         n, EBM__SAFETENSORS_MOST_HEADER);
    }
    if ((int64_t)n > file_bytes - EBM__SAFETENSORS_LENGTH_BYTES) {
        return ebm__fail(EBM_ERR_CORRUPT, "the header has %" PRIu64 " bytes, but the file ends after %" PRId64, n,
                         file_bytes - EBM__SAFETENSORS_LENGTH_BYTES);
    }
    *length = (int64_t)n;
    return EBM_OK;
}

/*
 * Looks at brackets, commas and colons alone, so that the parser is never given what would cost it much stack or
 * memory.
 */
static ebm_status check_nesting(const char *text, int64_t length) {
    int64_t depth = 0;
    int64_t items = 0;
    bool in_string = false;
    for (int64_t i = 0; i < length; i++) {
        char c = text[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else {
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
            items += c == ',' || c == ':';
        }
        if (depth > MOST_DEPTH || items > MOST_ITEMS) {
            return ebm__fail(EBM_ERR_FORMAT, "byte %" PRId64 " of the header: it %s", i,
                             depth > MOST_DEPTH ? "nests too deep" : "has too many entries");
        }
    }
    return EBM_OK;
}

typedef struct feed {
    const char *next;
    const char *end;
    bool no_memory;
} feed;

/*
 * Hands the text to jansson, byte by byte: without memory its lexer blames the text, or loses a character and goes
 * on, and what it does next may reset errno. So malloc's ENOMEM is looked for before every byte.
 */
static size_t feed_byte(void *buffer, size_t size, void *data) {
    feed *f = data;
    (void)size;
    f->no_memory = f->no_memory || errno == ENOMEM;
    if (f->no_memory || f->next == f->end) {
        return 0;
    }
    *(char *)buffer = *f->next++;
    return 1;
}

static ebm_status parse(const char *text, int64_t length, json_t **json) {
    if (length == 0 || text[0] != '{') {
        return ebm__fail(EBM_ERR_FORMAT, "no safetensors file: its header does not begin with '{'");
    }
    while (text[length - 1] == ' ') {
        length--;
    }
    if (text[length - 1] != '}') {
        return ebm__fail(EBM_ERR_FORMAT, "the header does not end with '}' and spaces");
    }
    EBM__TRY(check_nesting(text, length));
    json_error_t error;
    feed f = {text, text + length, false};
    errno = 0;
    *json = json_load_callback(feed_byte, &f, JSON_REJECT_DUPLICATES, &error);
    if (f.no_memory || errno == ENOMEM) {
        return ebm__fail(EBM_ERR_NOMEM, "no memory to read a header of %" PRId64 " bytes", length);
    }
    if (*json != NULL) {
        return EBM_OK;
    }
    ebm__shown shown;
    return ebm__fail(EBM_ERR_FORMAT, "byte %d of the header: %s", error.position,
                     ebm__safetensors_show(error.text, &shown));
}

/* The numbers of an array: integers from 0, at most `most` of them. Returns how many, or -1. */
static int32_t read_sizes(const json_t *array, int32_t most, int64_t *out) {
    if (!json_is_array(array) || json_array_size(array) > (size_t)most) {
        return -1;
    }
    int32_t n = (int32_t)json_array_size(array);
    for (int32_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(array, (size_t)i);
        if (!json_is_integer(item) || json_integer_value(item) < 0) {
            return -1;
        }
        out[i] = json_integer_value(item);
    }
    return n;
}

static ebm_status refuse_entry(const char *name, const char *why) {
    ebm__shown shown;
    return ebm__fail(EBM_ERR_FORMAT, "tensor '%s': %s", ebm__safetensors_show(name, &shown), why);
}

static ebm_status read_entry(const char *name, const json_t *value, ebm__safetensors_entry *entry) {
    const char *dtype = json_string_value(json_object_get(value, "dtype"));
    if (json_object_size(value) != 3 || dtype == NULL) {
        return refuse_entry(name, "it must have dtype (a string), shape and data_offsets, and nothing else");
    }
    int64_t bytes = 0;
    for (int i = 0; i < EBM__N_DTYPES; i++) {
        if (strcmp(dtype, ebm__dtypes[i].name) == 0) {
            bytes = ebm__dtypes[i].bytes;
        }
    }
    if (bytes == 0) {
        return refuse_entry(name, "its dtype is unknown");
    }
    entry->name = name;
    entry->dtype = dtype;
    entry->rank = read_sizes(json_object_get(value, "shape"), EBM__SAFETENSORS_MOST_RANK, entry->shape);
    if (entry->rank < 0) {
        return refuse_entry(name, "its shape must be an array of at most 8 integers from 0");
    }
    for (int32_t i = 0; i < entry->rank; i++) {
        if (!ebm__multiply(bytes, entry->shape[i], &bytes)) {
            return refuse_entry(name, "the product of its shape does not fit");
        }
    }
    int64_t offsets[2];
    if (read_sizes(json_object_get(value, "data_offsets"), 2, offsets) != 2) {
        return refuse_entry(name, "its data_offsets must be two integers from 0");
    }
    if (offsets[0] > offsets[1] || offsets[1] - offsets[0] != bytes) {
        return refuse_entry(name, "its data_offsets are not as far apart as its dtype and shape say");
    }
    entry->begin = offsets[0];
    entry->end = offsets[1];
    return EBM_OK;
}

/* Is `key` the digest's key with one byte damaged? Then the file must not pass for one without a digest. */
static bool nearly_digest_key(const char *key) {
    const char *real = EBM__SAFETENSORS_DIGEST;
    if (strlen(key) != strlen(real)) {
        return false;
    }
    int differences = 0;
    for (size_t i = 0; key[i] != 0; i++) {
        differences += key[i] != real[i];
    }
    return differences == 1;
}

/* Where the digits stand in the text as it is: the parser does not tell. */
static char *find_digits(char *text, int64_t length, const char *digits) {
    const char quoted[] = "\"" EBM__SAFETENSORS_DIGEST "\"";
    const char blanks[] = " \t\r\n";
    char *end = text + length;
    char *at = text;
    while ((at = memmem(at, (size_t)(end - at), quoted, sizeof quoted - 1)) != NULL) {
        at += sizeof quoted - 1;
        char *c = at + strspn(at, blanks); /* ends at the header's last '}' at the latest */
        if (*c == ':') {
            c += 1 + strspn(c + 1, blanks);
            if (*c == '"' && end - c > EBM__DIGEST_DIGITS && memcmp(c + 1, digits, EBM__DIGEST_DIGITS) == 0) {
                return c + 1;
            }
        }
    }
    return NULL;
}

static ebm_status read_metadata(const json_t *metadata, char *text, int64_t length, ebm__safetensors_header *header) {
    if (!json_is_object(metadata)) {
        return ebm__fail(EBM_ERR_FORMAT, "%s must be an object", EBM__SAFETENSORS_METADATA);
    }
    const char *key;
    json_t *value;
    ebm__shown shown;
    json_object_foreach((json_t *)metadata, key, value) {
        if (!json_is_string(value)) {
            return ebm__fail(EBM_ERR_FORMAT, "%s: '%s' must be a string", EBM__SAFETENSORS_METADATA,
                             ebm__safetensors_show(key, &shown));
        }
        if (nearly_digest_key(key)) {
            return ebm__fail(EBM_ERR_CORRUPT, "the key of the digest is damaged: '%s'",
                             ebm__safetensors_show(key, &shown));
        }
    }
    const char *digits = json_string_value(json_object_get(metadata, EBM__SAFETENSORS_DIGEST));
    if (digits == NULL) {
        return EBM_OK;
    }
    char *place = strlen(digits) == EBM__DIGEST_DIGITS ? find_digits(text, length, digits) : NULL;
    if (place == NULL) {
        return ebm__fail(EBM_ERR_CORRUPT, "the digest '%s' is not %d hexadecimal digits",
                         ebm__safetensors_show(digits, &shown), EBM__DIGEST_DIGITS);
    }
    header->has_digest = true;
    memcpy(header->digest, digits, EBM__DIGEST_DIGITS);
    memset(place, '0', EBM__DIGEST_DIGITS);
    return EBM_OK;
}

static int compare_places(const void *a, const void *b) {
    const ebm__safetensors_entry *left = a;
    const ebm__safetensors_entry *right = b;
    if (left->begin != right->begin) {
        return left->begin < right->begin ? -1 : 1;
    }
    return (left->end > right->end) - (left->end < right->end); /* empty tensors first */
}

static int compare_names(const void *a, const void *b) {
    const ebm__safetensors_entry *const *left = a;
    const ebm__safetensors_entry *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static ebm_status check_tiling(const ebm__safetensors_header *header, int64_t data_bytes) {
    int64_t place = 0;
    for (int64_t i = 0; i < header->n_entries; i++) {
        const ebm__safetensors_entry *entry = &header->entries[i];
        if (entry->begin != place) {
            return refuse_entry(entry->name, entry->begin > place ? "there is a hole in the data before it"
                                                                  : "its data overlap another tensor's");
        }
        place = entry->end;
    }
    if (place != data_bytes) {
        return ebm__fail(EBM_ERR_CORRUPT, "the file has %" PRId64 " bytes of data, its header says %" PRId64,
                         data_bytes, place);
    }
    return EBM_OK;
}

/* From the parsed text to the header; what has been made up to a failure is cleared by the caller. */
static ebm_status fill(char *text, int64_t length, int64_t data_bytes, ebm__safetensors_header *header) {
    EBM__TRY(parse(text, length, &header->json));
    const json_t *metadata = json_object_get(header->json, EBM__SAFETENSORS_METADATA);
    int64_t n = (int64_t)json_object_size(header->json) - (metadata != NULL);
    if (n > EBM__SAFETENSORS_MOST_TENSORS) {
        return ebm__fail(EBM_ERR_FORMAT, "the file has %" PRId64 " tensors, the most is %d", n,
                         EBM__SAFETENSORS_MOST_TENSORS);
    }
    EBM__TRY(ebm__alloc(header->context, n, sizeof *header->entries, "the list of tensors", &header->entries));
    EBM__TRY(ebm__alloc(header->context, n, sizeof *header->by_name, "the list of tensors", &header->by_name));
    const char *key;
    json_t *value;
    json_object_foreach(header->json, key, value) {
        if (value != metadata) {
            EBM__TRY(read_entry(key, value, &header->entries[header->n_entries++]));
        }
    }
    qsort(header->entries, (size_t)n, sizeof *header->entries, compare_places);
    for (int64_t i = 0; i < n; i++) {
        header->by_name[i] = &header->entries[i];
    }
    qsort(header->by_name, (size_t)n, sizeof *header->by_name, compare_names);
    EBM__TRY(check_tiling(header, data_bytes));
    return metadata == NULL ? EBM_OK : read_metadata(metadata, text, length, header);
}

ebm_status ebm__safetensors_read(ebm_context *context, char *text, int64_t length, int64_t data_bytes,
                                 ebm__safetensors_header *header) {
    *header = (ebm__safetensors_header){.context = context};
    ebm_status status = fill(text, length, data_bytes, header);
    if (status != EBM_OK) {
        ebm__safetensors_clear(header);
    }
    return status;
}

void ebm__safetensors_clear(ebm__safetensors_header *header) {
    json_decref(header->json);
    ebm__free(header->context, header->entries);
    ebm__free(header->context, header->by_name);
    *header = (ebm__safetensors_header){.context = header->context};
}

static int compare_key(const void *key, const void *element) {
    const ebm__safetensors_entry *const *entry = element;
    return strcmp(key, (*entry)->name);
}

const ebm__safetensors_entry *ebm__safetensors_find(const ebm__safetensors_header *header, const char *group,
                                                    const char *name) {
    char key[256];
    int length = snprintf(key, sizeof key, "%s.%s", group, name);
    if (length < 0 || length >= (int)sizeof key) {
        return NULL;
    }
    ebm__safetensors_entry **found =
        bsearch(key, header->by_name, (size_t)header->n_entries, sizeof *header->by_name, compare_key);
    return found == NULL ? NULL : *found;
}

/* SPDX-License-Identifier: MIT */
/*
 * Numbers in lines, with commas between them (RFC 4180, without quotes). One pass, byte by byte; a field has a bounded
 * length, so that time is linear in the file's size and memory does not depend on it.
 */
#include <ebm/io.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "io/rows.h"

enum { BUFFER_BYTES = 1 << 14, MOST_FIELD = 63, END = -1 };

typedef struct csv {
    ebm__file file;
    int64_t left; /* bytes of the file that are not in the buffer yet */
    int64_t at, n; /* in the buffer */
    int64_t line; /* as editors count: from 1 */
    locale_t c_locale;
    int64_t first, end; /* the rows whose numbers are wanted */
    int64_t row_size;   /* fields of a row; -1: not known yet */
    float *out;
    uint8_t buffer[BUFFER_BYTES];
} csv;

/* What stands at a place: a byte, or END. */
static ebm_status peek(csv *c, int *byte) {
    if (c->at == c->n && c->left > 0) {
        c->n = c->left < BUFFER_BYTES ? c->left : BUFFER_BYTES;
        c->at = 0;
        c->left -= c->n;
        EBM__TRY(ebm__file_read(&c->file, c->buffer, c->n));
    }
    *byte = c->at == c->n ? END : c->buffer[c->at];
    return EBM_OK;
}

static bool is_line_end(int byte) {
    return byte == '\n' || byte == END;
}

/* One field up to its comma or the line's end, without the blanks around it. */
static ebm_status read_field(csv *c, int64_t column, char field[MOST_FIELD + 1], int *delimiter) {
    int length = 0;
    for (;; c->at++) {
        EBM__TRY(peek(c, delimiter));
        if (*delimiter == ',' || is_line_end(*delimiter)) {
            break;
        }
        bool blank = *delimiter == ' ' || *delimiter == '\t' || *delimiter == '\r';
        if (blank && length == 0) {
            continue;
        }
        if (*delimiter == '\0') {
            return ebm__fail(EBM_ERR_FORMAT, "line %" PRId64 ", column %" PRId64 " has a zero byte", c->line, column);
        }
        if (length == MOST_FIELD) {
            return ebm__fail(EBM_ERR_FORMAT, "line %" PRId64 ", column %" PRId64 " has more than %d characters", c->line,
                             column, MOST_FIELD);
        }
        field[length++] = (char)*delimiter;
    }
    while (length > 0 && (field[length - 1] == ' ' || field[length - 1] == '\t' || field[length - 1] == '\r')) {
        length--;
    }
    field[length] = '\0';
    if (length == 0) {
        return ebm__fail(EBM_ERR_FORMAT, "line %" PRId64 ", column %" PRId64 " is empty", c->line, column);
    }
    return EBM_OK;
}

static ebm_status convert(const csv *c, int64_t column, char *field, float *out) {
    char *end = field;
    bool decimal = field[strspn(field, "0123456789+-.eE")] == '\0'; /* no hexadecimals, no words */
    double value = decimal ? strtod_l(field, &end, c->c_locale) : 0.0;
    if (end == field || *end != '\0') {
        for (char *p = field; *p != '\0'; p++) {
            *p = *p >= ' ' && *p <= '~' ? *p : '?';
        }
        return ebm__fail(EBM_ERR_FORMAT, "line %" PRId64 ", column %" PRId64 " is '%s', must be a number", c->line,
                         column, field);
    }
    *out = (float)value;
    if (!(fabsf(*out) <= FLT_MAX)) {
        return ebm__fail(EBM_ERR_NONFINITE, "line %" PRId64 ", column %" PRId64 " is %s, infinite as a float", c->line,
                         column, field);
    }
    return EBM_OK;
}

/* One line of numbers, row number `row`. */
static ebm_status read_row(csv *c, int64_t row) {
    bool wanted = row >= c->first && row < c->end;
    int64_t n = 0;
    int delimiter = ',';
    while (delimiter == ',') {
        char field[MOST_FIELD + 1];
        EBM__TRY(read_field(c, n + 1, field, &delimiter));
        if (wanted && n < c->row_size) {
            EBM__TRY(convert(c, n + 1, field, c->out + (row - c->first) * c->row_size + n));
        }
        n++;
        c->at += delimiter != END;
    }
    if (c->row_size < 0) {
        c->row_size = n;
    }
    if (n != c->row_size) {
        return ebm__fail(row > 0 ? EBM_ERR_FORMAT : EBM_ERR_MISMATCH, "line %" PRId64 " has %" PRId64 " columns, not %" PRId64,
                         c->line, n, c->row_size);
    }
    c->line++;
    return EBM_OK;
}

static ebm_status skip_line(csv *c) {
    int byte;
    EBM__TRY(peek(c, &byte));
    while (!is_line_end(byte)) {
        c->at++;
        EBM__TRY(peek(c, &byte));
    }
    c->at += byte != END;
    c->line++;
    return EBM_OK;
}

/* UTF-8's mark, with which some programs begin. */
static ebm_status skip_mark(csv *c) {
    int byte;
    EBM__TRY(peek(c, &byte));
    if (c->n - c->at >= 3 && memcmp(c->buffer + c->at, "\xEF\xBB\xBF", 3) == 0) {
        c->at += 3;
    }
    return EBM_OK;
}

/* All rows, or those up to `end`. */
static ebm_status read_rows(csv *c, int32_t header_lines, int64_t *n_rows) {
    int byte;
    c->left = c->file.size;
    c->line = 1;
    EBM__TRY(skip_mark(c));
    for (int32_t i = 0; i < header_lines; i++) {
        EBM__TRY(skip_line(c));
    }
    *n_rows = 0;
    EBM__TRY(peek(c, &byte));
    while (byte != END && *n_rows < c->end) {
        EBM__TRY(read_row(c, *n_rows));
        *n_rows += 1;
        EBM__TRY(peek(c, &byte));
    }
    return EBM_OK;
}

static ebm_status require_header_lines(const char *caller, int32_t header_lines) {
    if (header_lines < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: header_lines is %" PRId32 ", must be 0 or more", caller, header_lines);
    }
    return EBM_OK;
}

ebm_status ebm_read_csv_shape(const char *path, int32_t header_lines, int64_t *n_rows, int64_t *row_size) {
    EBM__TRY(ebm__require_data_path(__func__, path));
    EBM__TRY(require_header_lines(__func__, header_lines));
    EBM__REQUIRE(n_rows);
    EBM__REQUIRE(row_size);
    csv c = {.row_size = -1, .first = INT64_MAX, .end = INT64_MAX};
    int64_t counted = 0;
    ebm_status status = ebm__file_open(path, &c.file);
    if (status == EBM_OK) {
        status = read_rows(&c, header_lines, &counted);
        ebm__file_close(&c.file);
    }
    if (status == EBM_OK) {
        *n_rows = counted;
        *row_size = counted == 0 ? 0 : c.row_size;
    }
    return ebm__end_reading(status, __func__, path);
}

static ebm_status read_open(csv *c, int32_t header_lines) {
    int64_t n_rows = 0;
    c->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c->c_locale == (locale_t)0) {
        return ebm__fail(EBM_ERR_NOMEM, "no memory for a locale");
    }
    ebm_status status = read_rows(c, header_lines, &n_rows);
    freelocale(c->c_locale);
    EBM__TRY(status);
    if (n_rows < c->end) {
        return ebm__fail(EBM_ERR_ARG, "first is %" PRId64 " and n %" PRId64 ", there are %" PRId64 " rows", c->first,
                         c->end - c->first, n_rows);
    }
    return EBM_OK;
}

ebm_status ebm_read_csv(const char *path, int32_t header_lines, int64_t first, int64_t n, int64_t row_size,
                        float *out) {
    EBM__TRY(ebm__require_data_path(__func__, path));
    EBM__TRY(require_header_lines(__func__, header_lines));
    EBM__TRY(ebm__require_row_range(__func__, first, n, row_size, out));
    if (n > INT64_MAX - first) {
        return ebm__fail(EBM_ERR_ARG, "%s: first is %" PRId64 " and n %" PRId64 ", there are fewer rows", __func__, first,
                         n);
    }
    csv c = {.row_size = row_size, .first = first, .end = first + n, .out = out};
    ebm_status status = ebm__file_open(path, &c.file);
    if (status == EBM_OK) {
        status = read_open(&c, header_lines);
        ebm__file_close(&c.file);
    }
    return ebm__end_reading(status, __func__, path);
}

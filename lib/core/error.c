/* SPDX-License-Identifier: MIT */
#include "core/error.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

enum { LAST_ERROR_SIZE = 512 };

static _Thread_local char last_error[LAST_ERROR_SIZE];

const char *ebm_status_string(int32_t status) {
    switch (status) {
#define STATUS_CASE(name, value, text) \
    case value:                        \
        return text;
        EBM_STATUS_TABLE(STATUS_CASE)
#undef STATUS_CASE
        default:
            return "unknown status";
    }
}

const char *ebm_last_error(void) {
    return last_error;
}

int ebm__format(char *out, size_t size, const char *format, va_list args) {
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = c_locale == (locale_t)0 ? (locale_t)0 : uselocale(c_locale);
    int written = vsnprintf(out, size, format, args);
    if (c_locale != (locale_t)0) {
        uselocale(before);
        freelocale(c_locale);
    }
    return written;
}

ebm_status ebm__fail(ebm_status code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    ebm__format(last_error, sizeof last_error, format, args);
    va_end(args);
    return code;
}

ebm_status ebm__fail_within(ebm_status code, const char *format, ...) {
    char inner[LAST_ERROR_SIZE];
    memcpy(inner, last_error, sizeof inner);
    va_list args;
    va_start(args, format);
    int written = ebm__format(last_error, sizeof last_error, format, args);
    va_end(args);
    if (written >= 0 && written < LAST_ERROR_SIZE) {
        snprintf(last_error + written, sizeof last_error - (size_t)written, "%s", inner);
    }
    return code;
}

/* SPDX-License-Identifier: MIT */
/* How a function says what went wrong. */
#ifndef EBM_CORE_ERROR_H
#define EBM_CORE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

#include <ebm/status.h>

/*
 * Writes this thread's last error and returns `code`. The text names the function, the argument and its value. What
 * leads to it is rare (cold): compiled for size, out of the way of the rest.
 */
__attribute__((cold, nothrow, format(printf, 2, 3))) ebm_status ebm__fail(ebm_status code, const char *format, ...);

/* vsnprintf as in the C locale, whatever the thread's own is: a message of the library reads the same everywhere. */
int ebm__format(char *out, size_t size, const char *format, va_list args);

/* Puts a new beginning before this thread's last error, so that a caller can say where it was; returns `code`. */
__attribute__((cold, nothrow, format(printf, 2, 3))) ebm_status ebm__fail_within(ebm_status code, const char *format,
                                                                                 ...);

/* Returns EBM_ERR_ARG from the function that stands around it when `pointer` is NULL. */
#define EBM__REQUIRE(pointer)                                                               \
    do {                                                                                    \
        if ((pointer) == NULL) {                                                            \
            return ebm__fail(EBM_ERR_ARG, "%s: %s is NULL", __func__, #pointer);            \
        }                                                                                   \
    } while (0)

/* Returns what `call` returned from the function that stands around it, unless that is EBM_OK. */
#define EBM__TRY(call)                           \
    do {                                         \
        ebm_status ebm__try_status = (call);     \
        if (ebm__try_status != EBM_OK) {         \
            return ebm__try_status;              \
        }                                        \
    } while (0)

#endif /* EBM_CORE_ERROR_H */

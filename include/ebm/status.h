/* SPDX-License-Identifier: MIT */
/** @file status.h  The codes that functions return, and the text of the last error. */
#ifndef EBM_STATUS_H
#define EBM_STATUS_H

#include <stdint.h>

#include <ebm/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Result of a call: 0 or one of the negative constants below. */
typedef int32_t ebm_status;

/**
 * Every status: name, value, meaning. Values are fixed; new ones are added at the end.
 * Expand it with a macro of three arguments to make a table in another language.
 */
#define EBM_STATUS_TABLE(X)                                                                                       \
    X(EBM_OK, 0, "success")                                                                                       \
    X(EBM_ERR_ARG, -1, "an argument is out of its range")                                                         \
    X(EBM_ERR_NOMEM, -2, "out of memory")                                                                         \
    X(EBM_ERR_STATE, -3, "the call does not fit the state of the handle")                                         \
    X(EBM_ERR_BUSY, -4, "the handle is at work in another call")                                                  \
    X(EBM_ERR_CALLBACK, -5, "a callback of the host failed")                                                      \
    X(EBM_ERR_NONFINITE, -6, "an energy, a gradient or a parameter is not finite")                                    \
    X(EBM_ERR_DIVERGED, -7, "training has diverged")                                                              \
    X(EBM_ERR_STOPPED, -8, "stopped on request")                                                                  \
    X(EBM_ERR_OVERFLOW, -9, "a size does not fit its type")                                                       \
    X(EBM_ERR_IO, -10, "reading or writing a file failed")                                                        \
    X(EBM_ERR_DURABILITY, -11, "the file was written, but the disk did not confirm that it will last")            \
    X(EBM_ERR_FORMAT, -12, "the file is not of the expected format")                                              \
    X(EBM_ERR_CORRUPT, -13, "the file is damaged")                                                                \
    X(EBM_ERR_MISMATCH, -14, "the file belongs to a model of another shape")                                      \
    X(EBM_ERR_FORKED, -15, "a context with threads was used in a forked child")

enum {
#define EBM_STATUS_CONSTANT(name, value, text) name = value,
    EBM_STATUS_TABLE(EBM_STATUS_CONSTANT)
#undef EBM_STATUS_CONSTANT
};

/**
 * What a status means, in English.
 * @param status any value; an unknown one gives "unknown status".
 * @return a constant string, never freed. Never fails; any thread.
 * @since 0.1
 */
EBM_API const char *ebm_status_string(int32_t status);

/**
 * What went wrong in this thread's last failed call: the function, the argument and its value.
 * @return this thread's own buffer, at most 511 characters; "" before the first failure; valid until the next failure
 *   in this thread. A call that succeeds leaves it as it was, save
 *   ebm_model_check_gradients, which reports there. Never fails; any thread.
 * @since 0.1
 */
EBM_API const char *ebm_last_error(void);

#ifdef __cplusplus
}
#endif

#endif /* EBM_STATUS_H */

/* SPDX-License-Identifier: MIT */
/** @file version.h  Which version this is: of the headers (macros) and of the library that is running (functions). */
#ifndef EBM_VERSION_H
#define EBM_VERSION_H

#include <stdint.h>

#include <ebm/export.h>

#define EBM_VERSION_MAJOR 0
#define EBM_VERSION_MINOR 1
#define EBM_VERSION_PATCH 0
/** major * 1,000,000 + minor * 1,000 + patch. */
#define EBM_VERSION_NUMBER (EBM_VERSION_MAJOR * 1000000 + EBM_VERSION_MINOR * 1000 + EBM_VERSION_PATCH)

#ifdef __cplusplus
extern "C" {
#endif

/** The EBM_VERSION_NUMBER of the running library. Never fails; any thread. @since 0.1 */
EBM_API int32_t ebm_version_number(void);

/** The running library's version, "0.1.0". A constant string, never freed. Never fails; any thread. @since 0.1 */
EBM_API const char *ebm_version_string(void);

/**
 * How the running library was built and what it chose on this processor: compiler, BLAS found at configure time,
 * width of the vector kernels in use, whether model files are supported. One line of text for bug reports; its form
 * may change. A constant string, never freed. Never fails; any thread.
 * @since 0.1
 */
EBM_API const char *ebm_build_info(void);

#ifdef __cplusplus
}
#endif

#endif /* EBM_VERSION_H */

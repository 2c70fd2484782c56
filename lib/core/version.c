/* SPDX-License-Identifier: MIT */
#include <ebm/version.h>

#include <pthread.h>
#include <stdio.h>

#include "core/simd.h"

#define TEXT(value) #value
#define TEXT_OF(macro) TEXT(macro)

int32_t ebm_version_number(void) {
    return EBM_VERSION_NUMBER;
}

const char *ebm_version_string(void) {
    return TEXT_OF(EBM_VERSION_MAJOR) "." TEXT_OF(EBM_VERSION_MINOR) "." TEXT_OF(EBM_VERSION_PATCH);
}

static char build_info[256];
static pthread_once_t build_info_once = PTHREAD_ONCE_INIT;

static void write_build_info(void) {
    snprintf(build_info, sizeof build_info, "libebm %s, %s, BLAS %s, %s vectors, model files %s", ebm_version_string(),
             EBM_BUILD_COMPILER, EBM_BUILD_BLAS, ebm__simd_best()->name, EBM_WITH_IO ? "on" : "off");
}

const char *ebm_build_info(void) {
    pthread_once(&build_info_once, write_build_info);
    return build_info;
}

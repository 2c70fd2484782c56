/* SPDX-License-Identifier: MIT */
/* What the files with setters and getters share. */
#ifndef EBM_SAMPLER_SETTINGS_H
#define EBM_SAMPLER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "sampler/sampler.h"

/* A setter of one number: its range, then its place. */
ebm_status ebm__sampler_set_double(ebm_sampler *sampler, const char *caller, const char *name, double value, bool valid,
                                   const char *range, double *place);
ebm_status ebm__sampler_set_choice(ebm_sampler *sampler, const char *caller, const char *name, int32_t value,
                                   int32_t least, int32_t most, int32_t *place);

/* The body of a getter of one setting. */
#define EBM__GET(sampler, out, value)                                   \
    do {                                                                \
        EBM__REQUIRE(sampler);                                          \
        EBM__REQUIRE(out);                                              \
        EBM__TRY(ebm__readable(&(sampler)->handle, __func__));          \
        *(out) = (value);                                               \
        return EBM_OK;                                                  \
    } while (0)

#endif /* EBM_SAMPLER_SETTINGS_H */

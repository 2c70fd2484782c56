/* SPDX-License-Identifier: MIT */
/* What the files with setters and getters share. */
#ifndef EBM_SAMPLER_SETTINGS_H
#define EBM_SAMPLER_SETTINGS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "sampler/sampler.h"

/* A setter of one number: its range, then its place. */
ebm_status ebm__sampler_set_double(ebm_sampler *sampler, const char *caller, const char *name, double value, bool valid,
                                   const char *range, double *place);
ebm_status ebm__sampler_set_choice(ebm_sampler *sampler, const char *caller, const char *name, int32_t value,
                                   int32_t least, int32_t most, int32_t *place);

/* What these three settings may be, and in words: for their setters, and for schedules of them. */
#define EBM__STEP_SIZE_RANGE "finite and above 0"
#define EBM__NOISE_STD_RANGE "finite, 0 or more, or EBM_NOISE_STD_AUTO (-1)"
#define EBM__TEMPERATURE_RANGE "finite and 0 or more"

static inline bool ebm__is_step_size(double eta) {
    return isfinite((float)eta) && (float)eta > 0;
}

static inline bool ebm__is_noise_std(double sigma) {
    return sigma == EBM_NOISE_STD_AUTO || (isfinite((float)sigma) && (sigma == 0 || (float)sigma > 0));
}

static inline bool ebm__is_temperature(double temperature) {
    return isfinite((float)temperature) && temperature >= 0;
}

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

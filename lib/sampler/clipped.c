/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "sampler/kernel.h"

int64_t ebm__count_clipped(const ebm_sampler *sampler, int64_t n, const float *grad) {
    enum { BLOCK = 1 << 20 }; /* counts of a block fit a lane of 32 bits */
    const float clip = (float)sampler->settings.grad_clip;
    int64_t total = 0;
    if (!isfinite(clip)) {
        return 0;
    }
    for (int64_t first = 0; first < n; first += BLOCK) {
        int64_t end = n - first < BLOCK ? n : first + BLOCK;
        int32_t count = 0;
        for (int64_t i = first; i < end; i++) {
            count += fabsf(grad[i]) > clip;
        }
        total += count;
    }
    return total;
}

/* SPDX-License-Identifier: MIT */
#include "sampler/bounds.h"

#include <float.h>
#include <math.h>
#include <string.h>

float ebm__fold(float y, double lo, double hi, double *direction) {
    double value = (double)y;
    *direction = 1;
    if (value >= lo && value <= hi) {
        return y; /* with all its bits: a held coordinate comes this way too */
    }
    if (isfinite(lo) && isfinite(hi)) {
        double width = hi - lo;
        double turned = fmod(value - lo, 2 * width);
        turned = turned < 0 ? turned + 2 * width : turned;
        *direction = turned > width ? -1 : 1;
        value = lo + (turned > width ? 2 * width - turned : turned);
    } else if (value < lo) {
        *direction = -1;
        value = 2 * lo - value;
    } else if (value > hi) {
        *direction = -1;
        value = 2 * hi - value;
    }
    float inside = (float)value;
    inside = (double)inside < lo ? (float)lo : inside;
    return (double)inside > hi ? (float)hi : inside;
}

bool ebm__is_inside(const ebm_sampler *sampler, const float *x) {
    float least = fmaxf((float)sampler->settings.lo, -FLT_MAX);
    float most = fminf((float)sampler->settings.hi, FLT_MAX);
    int out = 0;
    for (int64_t i = 0; i < sampler->dim; i++) {
        out |= !(x[i] >= least && x[i] <= most);
    }
    return out == 0;
}

void ebm__bring_inside(const ebm_sampler *sampler, int64_t n, bool finite, const float *x, const float *y,
                       float *x_next, uint8_t *rejected) {
    int64_t dim = sampler->dim;
    memset(rejected, 0, (size_t)n);
    if (ebm__reflects(sampler)) {
        double direction;
        for (int64_t i = 0; i < n * dim; i++) {
            x_next[i] = ebm__fold(y[i], sampler->settings.lo, sampler->settings.hi, &direction);
        }
    } else if (finite && !ebm__sampler_has_bounds(sampler)) {
        return;
    }
    for (int64_t r = 0; r < n; r++) {
        rejected[r] = !ebm__is_inside(sampler, x_next + r * dim);
        if (rejected[r] != 0) {
            memcpy(x_next + r * dim, x + r * dim, (size_t)dim * sizeof *x);
        }
    }
}

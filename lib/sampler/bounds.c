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

bool ebm__bring_inside(const ebm_sampler *sampler, const float *x, const float *y, float *x_next) {
    const ebm__sampler_settings *s = &sampler->settings;
    size_t row_bytes = (size_t)sampler->dim * sizeof *x;
    if (ebm__reflects(sampler)) {
        double direction;
        for (int64_t i = 0; i < sampler->dim; i++) {
            x_next[i] = ebm__fold(y[i], s->lo, s->hi, &direction);
        }
    } else {
        memcpy(x_next, y, row_bytes);
    }
    if (!ebm__is_inside(sampler, x_next)) {
        memcpy(x_next, x, row_bytes);
        return false;
    }
    return true;
}

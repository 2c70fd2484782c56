/* SPDX-License-Identifier: MIT */
/*
 * Bounds in kernels that accept and reject. They keep such a kernel exact for the density cut to them. Clamping: a
 * proposal outside has density 0 and is rejected. Reflecting: the energy is continued beyond the bounds by mirroring,
 * E~(y) = E(fold(y)), and the step is an ordinary one under E~; where the mirror has turned a coordinate's direction,
 * so has it the gradient's and the momentum's. E~ and the step are unchanged by the mirrorings, so the folded chain
 * is reversible too.
 */
#ifndef EBM_SAMPLER_BOUNDS_H
#define EBM_SAMPLER_BOUNDS_H

#include <stdbool.h>

#include "sampler/sampler.h"

/*
 * The mirror image of y in [lo, hi], one of which may be infinite. *direction is -1 when the image runs the other
 * way, else 1.
 */
float ebm__fold(float y, double lo, double hi, double *direction);

static inline bool ebm__reflects(const ebm_sampler *sampler) {
    return ebm__sampler_has_bounds(sampler) && sampler->settings.bounds_rule == EBM_BOUNDS_REFLECT;
}

/* Is one state finite, and inside the bounds? */
bool ebm__is_inside(const ebm_sampler *sampler, const float *x);

/*
 * From where the proposals of n rows went, y, to where they are evaluated, x_next, which y may be: inside the bounds,
 * and finite. One that must not go there is to be rejected, and its x_next is x. `finite` says that all y are.
 */
void ebm__bring_inside(const ebm_sampler *sampler, int64_t n, bool finite, const float *x, const float *y,
                       float *x_next, uint8_t *rejected);

#endif /* EBM_SAMPLER_BOUNDS_H */

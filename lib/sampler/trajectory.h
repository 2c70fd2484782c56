/* SPDX-License-Identifier: MIT */
/*
 * A step along a trajectory: momenta, L leapfrog steps (see sampler/dynamics.h), and the end accepted with probability
 * min(1, exp((H_0 - H_L) / T)). The end's gradient is the next trajectory's first: L gradients a step.
 *
 * A trajectory ends early, to be rejected, where it must not go (bounds that reject; +infinity), and where E alone
 * exceeds H at the start by more than EBM__DIVERGENT T: beyond lies only overflow. The same trajectory run back from
 * its end must be rejected too, so E on the way is held against H at both ends.
 */
#ifndef EBM_SAMPLER_TRAJECTORY_H
#define EBM_SAMPLER_TRAJECTORY_H

#include "sampler/sampler.h"

typedef struct ebm__trajectory {
    int64_t n_leaps;    /* L */
    /* The step goes on with sampler->momenta, damped, and turned after a rejection; or draws fresh ones. */
    bool keeps_momenta;
    double kept;        /* what the damping leaves of them: w <- kept w + sqrt((1 - kept^2) T) z */
} ebm__trajectory;

/* The `move` of a kernel. */
ebm_status ebm__trajectory_move(ebm_sampler *sampler, const ebm__trajectory *plan, int64_t chunk, int64_t first,
                                int64_t n);

#endif /* EBM_SAMPLER_TRAJECTORY_H */

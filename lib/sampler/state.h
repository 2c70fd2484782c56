/* SPDX-License-Identifier: MIT */
/* A sampler's state as a whole, for files that restore it. */
#ifndef EBM_SAMPLER_STATE_H
#define EBM_SAMPLER_STATE_H

#include "sampler/sampler.h"

/* What a sampler has beside its settings: each comes into being at some step. */
typedef struct ebm__sampler_parts {
    bool states;       /* the chains have started */
    bool momenta;      /* that a kernel keeps from step to step */
    bool energies;     /* of where the chains stand, as the last step knew them */
    bool gradients;    /* the same */
    bool trajectories; /* energies at their start */
    bool buffer;
    bool ages;
} ebm__sampler_parts;

ebm__sampler_parts ebm__sampler_parts_of(const ebm_sampler *sampler);

/*
 * Gives a fresh sampler, whose settings are set, memory for these parts, and marks them as there: the caller fills
 * them.
 */
ebm_status ebm__sampler_make_parts(ebm_sampler *sampler, const ebm__sampler_parts *parts, const char *caller);

/*
 * Two samplers of one context, model and number of chains exchange all that is theirs but the handles. Cannot fail.
 */
void ebm__sampler_exchange(ebm_sampler *a, ebm_sampler *b);

#endif /* EBM_SAMPLER_STATE_H */

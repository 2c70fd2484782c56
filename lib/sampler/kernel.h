/* SPDX-License-Identifier: MIT */
/* What a transition kernel is: one file each, all called through this. */
#ifndef EBM_SAMPLER_KERNEL_H
#define EBM_SAMPLER_KERNEL_H

#include <stdint.h>

#include "sampler/sampler.h"

typedef struct ebm__kernel {
    /* Before the first of a row of steps: do the settings go together, is the memory there? Evaluates what it must. */
    ebm_status (*begin)(ebm_sampler *sampler);
    /*
     * One step of chains first .. first + n - 1: reads sampler->x, writes sampler->x_next, fills
     * sampler->reports[chunk]. Other chains may be moving in other threads. The step is void when a piece of it
     * fails: x then stays, and what else the kernel keeps of these chains must be made anew by the next `begin`.
     */
    ebm_status (*move)(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n);
} ebm__kernel;

extern const ebm__kernel ebm__kernel_langevin;
extern const ebm__kernel ebm__kernel_mala;

/* Puts the held coordinates of n rows of `to` back to what they are in `from`. Nothing when all are free. */
void ebm__hold_masked(const ebm_sampler *sampler, int64_t n, const float *from, float *to);

#endif /* EBM_SAMPLER_KERNEL_H */

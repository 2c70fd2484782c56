/* SPDX-License-Identifier: MIT */
/*
 * When a trajectory has turned round, found without recursion: its momenta come one by one, and are joined two and
 * two as the digits of a binary number carry, so that what is kept of 2^j of them is at most j branches.
 */
#ifndef EBM_SAMPLER_NUTS_TREE_H
#define EBM_SAMPLER_NUTS_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/simd.h"

/*
 * Do two branches, of which right begins where left ends, make one that has turned round? The generalised criterion of
 * Betancourt (2017, sec. A.4.2), p^T W rho > 0 at both ends with rho the sum of momenta, for the whole; and, as Stan
 * has it since 2.21, for left with the first of right, and for right with the last of left. All momenta are whitened
 * (see sampler/metric.h).
 */
bool ebm__branches_turn(int64_t dim, const ebm__branch *left, const ebm__branch *right);

/* The branches of a doubling that wait for the other half of what they will be a part of. */
typedef struct ebm__open_branches {
    int64_t dim;
    float *memory; /* 3 dim floats for every level */
    float *sum;    /* dim, of the branch that grows */
} ebm__open_branches;

/*
 * Adds momentum number `leaf`, from 0, of a doubling, and joins what has become whole. False when a branch has turned
 * round. After the last momentum *joined is the whole doubling, until the next call.
 */
bool ebm__open_branches_add(const ebm__open_branches *open, int64_t leaf, bool is_last, const float *w,
                            ebm__branch *joined);

#endif /* EBM_SAMPLER_NUTS_TREE_H */

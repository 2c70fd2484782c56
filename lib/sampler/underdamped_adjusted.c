/* SPDX-License-Identifier: MIT */
/*
 * Underdamped Langevin dynamics made exact: the momenta are damped, then one leapfrog step is accepted or rejected,
 * and a rejection turns the momenta round (Horowitz 1991). Two half dampings between two leapfrog steps make one
 * whole, so this is the OBABO scheme of Bou-Rabee and Vanden-Eijnden (2010), seen between the two.
 */
#include <math.h>

#include "core/error.h"
#include "sampler/dynamics.h"
#include "sampler/kernel.h"
#include "sampler/trajectory.h"

static const char NAME[] = "adjusted underdamped Langevin";

static ebm_status begin(ebm_sampler *sampler) {
    EBM__TRY(ebm__begin_momenta(sampler, NAME));
    return ebm__kernel_begin(sampler, NAME, EBM__ACCEPTS | EBM__GRADIENT);
}

static ebm_status move(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n) {
    const ebm__trajectory plan = {.n_leaps = 1, .keeps_momenta = true, .kept = ebm__kept_momentum(sampler, first)};
    return ebm__trajectory_move(sampler, &plan, chunk, first, n);
}

const ebm__kernel ebm__kernel_underdamped_adjusted = {
    .name = NAME,
    .rejects = true,
    .knows_energies = true,
    .knows_chains = true,
    .keeps_momenta = true,
    .begin = begin,
    .move = move};

/* SPDX-License-Identifier: MIT */
/*
 * Hamiltonian Monte Carlo (Duane, Kennedy, Pendleton and Roweth 1987; Neal 2011): every trajectory has fresh momenta.
 */
#include "sampler/kernel.h"
#include "sampler/trajectory.h"

static ebm_status begin(ebm_sampler *sampler) {
    return ebm__kernel_begin(sampler, "HMC", EBM__ACCEPTS | EBM__GRADIENT);
}

static ebm_status move(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n) {
    const ebm__trajectory plan = {.n_leaps = sampler->settings.leapfrog_steps};
    return ebm__trajectory_move(sampler, &plan, chunk, first, n);
}

const ebm__kernel ebm__kernel_hmc = {
    .name = "HMC", .rejects = true, .knows_energies = true, .knows_chains = true, .draws_momenta = true, .begin = begin,
    .move = move};

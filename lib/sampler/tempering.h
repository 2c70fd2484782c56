/* SPDX-License-Identifier: MIT */
/*
 * Parallel tempering (Swendsen and Wang 1986; Geyer 1991): every chain has replicas at higher temperatures, which
 * move as it does, and neighbours on this ladder exchange their states. With the replica at rung r following
 * exp(-E / T_r), an exchange accepted with probability min(1, exp((1 / T_r - 1 / T_r+1) (E_r - E_r+1))) leaves the
 * product of all their densities as it is. Pairs (0, 1), (2, 3), ... and (1, 2), (3, 4), ... take turns (Okabe et
 * al. 2001): a replica that has swapped goes on in its direction, and comes round the ladder in a time that grows
 * with the number of rungs, not its square (Syed, Bouchard-Cote, Deligiannidis and Doucet 2022).
 *
 * All replicas are rows of the sampler's arrays: those of rung r are rows r n_chains .. (r + 1) n_chains - 1, in the
 * order of the chains, and the first n_chains rows are the chains themselves. Kernels take a row's rung into account
 * through ebm__sampler_temperature and its neighbours, and through nothing else.
 */
#ifndef EBM_SAMPLER_TEMPERING_H
#define EBM_SAMPLER_TEMPERING_H

#include <stdint.h>

#include "sampler/kernel.h"

/* The arrays that a sampler always has, for all rows of a number of rungs. */
typedef struct ebm__rows {
    float *x;
    float *x_next;
    ebm__chunk_report *reports;
} ebm__rows;

/* On failure what has been made is left in `rows`. */
ebm_status ebm__rows_alloc(const ebm_sampler *sampler, int32_t n_rungs, const char *caller, ebm__rows *rows);

void ebm__ladder_free(ebm_context *context, ebm__ladder *ladder);

/* The counts, for a trainer's batch of negatives that may have to be undone. */
void ebm__ladder_save(ebm_sampler *sampler);
void ebm__ladder_restore(ebm_sampler *sampler);

/* No swap has been proposed, and no replica has been anywhere yet. */
void ebm__ladder_clear_counts(ebm_sampler *sampler);

/* Chains first .. first + n - 1 stand elsewhere than where they moved to: their replicas have not been anywhere yet. */
void ebm__tempering_forget(ebm_sampler *sampler, int64_t first, int64_t n);

/* The replicas of the first n chains come to stand where these stand. */
void ebm__tempering_spread(ebm_sampler *sampler, int64_t n);

/* Before a row of steps: memory for energies, and what a chain holds fixed is what its replicas hold. */
ebm_status ebm__tempering_prepare(ebm_sampler *sampler);

/* After a step, before it counts: the energies that its swaps need, where the kernel does not know them. */
ebm_status ebm__tempering_evaluate(ebm_sampler *sampler, const ebm__kernel *kernel);

/* The swaps after a step that counts, if they are due. */
void ebm__tempering_swap(ebm_sampler *sampler);

#endif /* EBM_SAMPLER_TEMPERING_H */

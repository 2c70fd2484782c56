/* SPDX-License-Identifier: MIT */
/* The proposal of a Langevin step or a random walk, which MALA and random-walk Metropolis then accept or reject. */
#ifndef EBM_SAMPLER_PROPOSAL_H
#define EBM_SAMPLER_PROPOSAL_H

#include <stdbool.h>

#include "sampler/sampler.h"

/* Where it goes, and with a dense metric how: n x dim each. */
typedef struct ebm__proposal {
    float *y;     /* before any bounds; x_next where they do not reflect */
    float *move;  /* whitened; the others for a step with gradient only: L^T g at x, and working memory */
    float *force;
    float *work;
} ebm__proposal;

/*
 * Proposes for chains first .. first + n - 1: y = x + sigma L z, and with the gradients that the sampler knows, where
 * `grad_square` is not NULL, y = x - eta W g + sigma L z. Adds the squares of the gradients' elements to *grad_square.
 * True when all y are finite.
 */
bool ebm__propose(const ebm_sampler *sampler, int64_t first, int64_t n, const ebm__proposal *p, double *grad_square);

#endif /* EBM_SAMPLER_PROPOSAL_H */

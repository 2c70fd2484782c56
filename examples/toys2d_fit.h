/* SPDX-License-Identifier: MIT */
/* Training on points in the plane by each objective, with settings that suit all of sets2d.h, and what came of it. */
#ifndef EXAMPLES_TOYS2D_FIT_H
#define EXAMPLES_TOYS2D_FIT_H

#include <ebm/ebm.h>
#include <stdint.h>

#include "sets2d.h"

enum { TOYS2D_GRID = 240, TOYS2D_CELLS = TOYS2D_GRID * TOYS2D_GRID };

/* The network, at its starting values. */
ebm_status toys2d_create(ebm_context *context, uint64_t seed, ebm_model **model);

/*
 * Trains it by one of EBM_OBJECTIVE_... on n points and leaves it with the averaged parameters. `share` of the full
 * number of steps are made: 1, or less for a quick look.
 * Errors: those of the library; EBM_ERR_DIVERGED among them.
 */
ebm_status toys2d_train(ebm_context *context, ebm_model *model, int objective, double share, uint64_t seed, int64_t n,
                        const float *x);

/*
 * The density exp(-E) / Z in the middle of every cell of a grid over the box, row by row from the top, with Z by
 * quadrature over the same cells.
 */
ebm_status toys2d_density(ebm_model *model, double *log_z, double *density);

/* The mean of -E - log Z over n points. */
ebm_status toys2d_log_likelihood(ebm_model *model, double log_z, int64_t n, const float *x, double *mean);

/* How much of the density belongs to each mode of the set; the last number, after all modes, is what belongs to none. */
void toys2d_masses(int set, const double *density, double *mass);

/* The same of n points: the share of each. */
void toys2d_shares(int set, int64_t n, const float *x, double *share);

#endif /* EXAMPLES_TOYS2D_FIT_H */

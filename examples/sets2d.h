/* SPDX-License-Identifier: MIT */
/*
 * Six sets of points in the plane, on which what a model has learned can be seen, and known: each is a mixture of
 * `n_modes` parts of equal weight whose densities are at hand. Coordinates have a standard deviation of about 1, and
 * all that matters lies within SETS2D_BOX of the origin.
 */
#ifndef EXAMPLES_SETS2D_H
#define EXAMPLES_SETS2D_H

#include <stdint.h>

enum { EIGHT_GAUSSIANS, MOONS, RINGS, CHECKERBOARD, PINWHEEL, TWO_SPIRALS, SETS2D_COUNT, SETS2D_MOST_MODES = 8 };

#define SETS2D_BOX 3.0 /* the square [-3, 3] x [-3, 3] */

const char *sets2d_name(int set);
int sets2d_mode_count(int set);

/* n x 2 points; the same seed gives the same points. */
void sets2d_draw(int set, uint64_t seed, int64_t n, float *x);

/* The log density that they were drawn from, and the part of the mixture that is densest there; -1 where none is. */
double sets2d_log_density(int set, const float *x, int *mode);

#endif /* EXAMPLES_SETS2D_H */

/* SPDX-License-Identifier: MIT */
/*
 * Derivatives in theta and x together, from param_grad alone. With G(x) = dE/dtheta, the derivative of r . dE/dx in
 * theta is that of G along r, and
 *     (G(x + h r) - G(x - h r)) / 2h = (r . d/dx) G + O(h^2),
 *     (G(x + h r) - 2 G(x) + G(x - h r)) / h^2 = (r . d/dx)^2 G + O(h^2):
 * sums of signed weights times G, which is what one call of param_grad computes for many rows.
 *
 * float32 rounds G by e = 2^-24, so that a move of length m costs e / m in a first difference and 4 e / m^2 in a
 * second, in units of G, beside m^2 of G's own curvature; they balance near m = cbrt(e) = 2^-8 and e^(1/4) = 2^-6.
 * These are lengths in the unit over which E changes, for which the batch's scale has to stand.
 */
#ifndef EBM_TRAINER_DIFFERENCE_H
#define EBM_TRAINER_DIFFERENCE_H

#include <stdint.h>

/*
 * The scale of n rows: cbrt(r s^2), with r the root mean square of their elements and s the standard deviation of a
 * coordinate, at least r / 100. For data about 0 it is s; an offset r beyond s asks for longer moves, since x + h r is
 * rounded by e r: e r / m and (m / s)^2 balance there. 1 when all is 0.
 */
double ebm__difference_scale(int64_t n, int64_t dim, const float *x);

/*
 * h that makes the root mean square of h r `length`, or the largest element 4 times that, if that is less; 0 when r is
 * 0, NaN when r is not finite.
 */
float ebm__difference_step(int64_t dim, const float *r, double length);

/* moved = x + h r; moved may be x. */
void ebm__difference_move(int64_t dim, const float *x, float h, const float *r, float *moved);

/*
 * The rows of a first difference along r, plus = x + h r and minus = x - h r, which must be neighbours in a batch: so
 * their rounding cancels within a callback's sum. Returns `factor` / 2h, the weight of plus and, negative, of minus:
 * the two add factor (r . d/dx) G to the gradient. 0 when r is 0; not finite when r, or the weight, is not.
 */
float ebm__difference_pair(int64_t dim, const float *x, const float *r, double length, double factor, float *plus,
                           float *minus);

#endif /* EBM_TRAINER_DIFFERENCE_H */

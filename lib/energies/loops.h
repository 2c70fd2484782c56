/* SPDX-License-Identifier: MIT */
/* Sums over matrices of floats, in double, for what is too thin to be worth a matrix product. */
#ifndef EBM_ENERGIES_LOOPS_H
#define EBM_ENERGIES_LOOPS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The sum of a[i] * b[i]. Products of two floats are exact in double; they are added in eight fixed lanes, which a
 * compiler may keep in vectors of any width without changing a bit.
 */
double ebm__dot(int64_t n, const float *a, const float *b);

/* out[c] = sum over rows r of weight[r] * a[r, c], in double (NULL: all weights are 1); added to out[c] if `add`. */
void ebm__column_sums(int64_t rows, int64_t width, const float *a, const float *weight, bool add, float *out);

#endif /* EBM_ENERGIES_LOOPS_H */

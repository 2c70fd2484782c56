/* SPDX-License-Identifier: MIT */
/* The draws of one coordinate, and its diagnostics. */
#ifndef EBM_EVALUATE_COLUMN_H
#define EBM_EVALUATE_COLUMN_H

#include <stdint.h>

#include "evaluate/chains.h"
#include "evaluate/diagnose.h"

/*
 * Draws of a coordinate, each at its place: first the halves of all chains, one after the other, in the order of
 * time; then the middle draws of chains of odd length, which are in neither half.
 */
typedef struct ebm__column {
    int64_t total;         /* all draws */
    int64_t split;         /* those in the halves */
    const float *x;        /* total */
    uint64_t *order;       /* total; sorted: ebm__order_of_float(x[place]) << 32 | place */
    uint64_t *spare;       /* total */
    const double *scores;  /* normal score of rank r, at 2 r - 2, for r = 1, 1.5 .. split */
    ebm__chains chains;    /* the halves: work with v, split values */
} ebm__column;

/* The normal scores of `split` values, 2 split - 1 numbers: Phi^-1((r - 3/8) / (split + 1/4)), Blom (1958). */
void ebm__column_scores(int64_t split, double *scores);

/* Works on a column whose x is filled, and writes what is wanted for coordinate d. */
void ebm__column_diagnose(ebm__column *column, int64_t n_draws, const ebm__wanted *wanted, int64_t d);

#endif /* EBM_EVALUATE_COLUMN_H */

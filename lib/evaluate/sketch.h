/* SPDX-License-Identifier: MIT */
/*
 * Quantiles of streams that are not kept, one stream a coordinate: the random mergeable summary of Agarwal, Cormode,
 * Huang, Phillips, Wei and Yi, "Mergeable summaries" (2012), sec. 3.2.
 *
 * Values gather in a base of 2 K. A full base is sorted, and every other value is kept, the odd or the even ones by
 * the toss of a coin: K values that stand for two each, which go to level 0. Where a level is taken, both are merged
 * and halved in the same way, and go one level up, as in a binary counter.
 *
 * Error: halving values of weight w moves a rank by 0 or, with mean 0, by w. The halvings into level h are n / (K
 * 2^(h+1)), with w = 2^h, and there are levels up to 2^h <= n / 2 K, so the variance is at most n^2 / (2 K^2). By
 * Hoeffding's inequality for sums of bounded terms, the rank is off by more than t n with a probability of at most 2
 * exp(-t^2 K^2): below 1 % for t = 2.31 / K. Of the halvings, half meet an even number of values and do no harm,
 * which makes the usual error half of n / K.
 */
#ifndef EBM_EVALUATE_SKETCH_H
#define EBM_EVALUATE_SKETCH_H

#include <stdint.h>

#include <ebm/context.h>
#include <ebm/status.h>

enum { EBM__SKETCH_K = 1024, EBM__SKETCH_BASE = 2 * EBM__SKETCH_K, EBM__SKETCH_LEVELS = 53 };

typedef struct ebm__sketch {
    ebm_context *context; /* not owned */
    int64_t dim;
    int64_t count; /* level h is taken when bit h of count / EBM__SKETCH_BASE is set */
    uint64_t tosses;
    float *least, *greatest;           /* dim */
    float *base;                       /* dim x EBM__SKETCH_BASE */
    float *level[EBM__SKETCH_LEVELS];  /* dim x EBM__SKETCH_K, sorted; NULL where it was never needed */
    uint64_t *keys;                    /* to work in: 2 x EBM__SKETCH_BASE */
    float *run;                        /* to work in: EBM__SKETCH_BASE */
} ebm__sketch;

/* An empty sketch. EBM_ERR_NOMEM, EBM_ERR_OVERFLOW: ebm__sketch_clear is needed then too. */
ebm_status ebm__sketch_init(ebm__sketch *sketch, ebm_context *context, int64_t dim, const char *caller);
void ebm__sketch_clear(ebm__sketch *sketch);

/* Makes room for `count` rows in all: adding and merging up to there cannot fail. */
ebm_status ebm__sketch_reserve(ebm__sketch *sketch, int64_t count, const char *caller);
void ebm__sketch_add(ebm__sketch *sketch, int64_t n, const float *x);
void ebm__sketch_merge(ebm__sketch *sketch, const ebm__sketch *other);
void ebm__sketch_reset(ebm__sketch *sketch);

/* The p-quantiles of all coordinates, NaN without rows. EBM_ERR_NOMEM. */
ebm_status ebm__sketch_quantile(const ebm__sketch *sketch, double p, const char *caller, double *quantile);

#endif /* EBM_EVALUATE_SKETCH_H */

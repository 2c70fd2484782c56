/* SPDX-License-Identifier: MIT */
/* The covariance of the chains' states, gathered over a window of steps, as an estimate of the inverse mass. */
#ifndef EBM_SAMPLER_ADAPT_METRIC_H
#define EBM_SAMPLER_ADAPT_METRIC_H

#include "core/error.h"
#include "sampler/sampler.h"

/* Moments of what has been seen (Welford 1962): means, and sums of products of what differs from them. */
typedef struct ebm__moments {
    int64_t n;
    double *mean;    /* dim */
    double *product; /* dim when the metric is diagonal, dim x dim, the lower triangle, when dense */
    double *change;  /* dim, working memory */
    float *estimate; /* as many as the metric has */
} ebm__moments;

/* Which steps, of n_steps, windows begin and end with: Stan's (Stan Reference Manual, sec. on warm-up). */
typedef struct ebm__windows {
    int64_t first; /* the first step that counts */
    int64_t end;   /* the step after the last that counts */
    int64_t size;  /* of the present window */
    int64_t close; /* the step after the last of the present window */
} ebm__windows;

ebm__windows ebm__windows_plan(int64_t n_steps);
/*
 * After a window has been closed: the next, twice as long; or, where what is left would not hold the one after it,
 * all that is left.
 */
void ebm__windows_next(ebm__windows *windows);

void ebm__moments_clear(const ebm_sampler *sampler, ebm__moments *moments);
/* Adds the states of all chains. */
void ebm__moments_add(const ebm_sampler *sampler, ebm__moments *moments);
/* Makes the metric of what has been seen. */
ebm_status ebm__moments_use(ebm_sampler *sampler, ebm__moments *moments);

#endif /* EBM_SAMPLER_ADAPT_METRIC_H */

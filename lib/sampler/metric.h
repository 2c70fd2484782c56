/* SPDX-License-Identifier: MIT */
/*
 * The metric: an inverse mass matrix W = L L^T, best near the covariance of the target. All kernels work in the
 * coordinates that it whitens: noise and momenta are N(0, I) there, a force is pulled back to them by L^T, and what
 * they move by is pushed out to x by L. A momentum p ~ N(0, T W^-1) is w = L^T p, so that p^T W p = |w|^2.
 *
 * Held coordinates have no part in it: L is the factor of the rows and columns of W that are free, with zeros
 * elsewhere. A diagonal L is one factor a coordinate, which the loops of core/simd.h take along.
 */
#ifndef EBM_SAMPLER_METRIC_H
#define EBM_SAMPLER_METRIC_H

#include <stdbool.h>

#include "core/error.h"
#include "sampler/sampler.h"

static inline bool ebm__has_metric(const ebm_sampler *sampler) {
    return sampler->settings.metric != EBM_METRIC_IDENTITY;
}

static inline bool ebm__is_dense(const ebm_sampler *sampler) {
    return sampler->settings.metric == EBM_METRIC_DENSE;
}

/* L where it is diagonal; no scale without a metric, which leaves held coordinates to ebm__hold_masked. */
static inline ebm__scale ebm__metric_scale(const ebm_sampler *sampler) {
    bool diagonal = sampler->settings.metric == EBM_METRIC_DIAGONAL;
    return (ebm__scale){diagonal ? sampler->factor : NULL, sampler->dim};
}

/* The same for rows, without a metric too: held coordinates have the scale 0. Not for a dense metric. */
static inline ebm__dynamics ebm__metric_dynamics(const ebm_sampler *sampler) {
    bool scaled = ebm__has_metric(sampler) || sampler->mask != NULL;
    return (ebm__dynamics){.dim = sampler->dim,
                           .clip = (float)sampler->settings.grad_clip,
                           .scale = {scaled ? sampler->factor : NULL, sampler->dim}};
}

/*
 * Before a row of steps, and after a change of W: makes L. EBM_ERR_STATE when the metric does not go with other
 * settings.
 */
ebm_status ebm__metric_prepare(ebm_sampler *sampler);

/*
 * Takes dim or dim x dim numbers for W, by the kind that is set. EBM_ERR_ARG, and W as it was, when it is not
 * positive definite.
 */
ebm_status ebm__metric_assign(ebm_sampler *sampler, const float *inverse_mass, const char *caller);

/* The same check for a W that was written in place. */
ebm_status ebm__metric_check(ebm_sampler *sampler, const char *caller);

/* The numbers that W has. */
int64_t ebm__metric_size(const ebm_sampler *sampler);

/* Floats of working memory that the functions below, and ebm__leap, need for n rows. */
static inline int64_t ebm__metric_work(const ebm_sampler *sampler, int64_t n) {
    return ebm__is_dense(sampler) ? 2 * n * sampler->dim : 0;
}

/* What follows is for a dense metric. */

/* u = L^T g for n rows, where g is the gradient, clipped; u may not be work. */
void ebm__metric_pull(const ebm_sampler *sampler, int64_t n, const float *grad, float *u, float *work);

/* v = L m for n rows. */
void ebm__metric_push(const ebm_sampler *sampler, int64_t n, const float *m, float *v);

/*
 * A Langevin proposal of chains first .. first + n - 1 from x: m = sigma z - eta u, y = x + L m. u may be NULL. With
 * sigma 0 there is no noise.
 */
void ebm__metric_propose(const ebm_sampler *sampler, const ebm__langevin *pass, int64_t first, int64_t n,
                         const float *x, const float *u, float *m, float *y);

#endif /* EBM_SAMPLER_METRIC_H */

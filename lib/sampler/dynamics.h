/* SPDX-License-Identifier: MIT */
/*
 * Hamiltonian dynamics of many chains: H(x, w) = E(x) + |w|^2 / 2 at temperature T, whose density exp(-H / T) has the
 * momenta w ~ N(0, T I), as the metric whitens them (see sampler/metric.h). The leapfrog step of Duane et al. (1987) is
 * w <- w - (eta / 2) L^T dE/dx, x <- x + eta L w, w <- w - (eta / 2) L^T dE/dx. Each of the three moves one of x and
 * w by a function of the other, so volume is kept whatever the force, a clipped gradient too, and whatever L. Without
 * a metric L is the identity, with zeros for held coordinates.
 */
#ifndef EBM_SAMPLER_DYNAMICS_H
#define EBM_SAMPLER_DYNAMICS_H

#include "core/error.h"
#include "sampler/sampler.h"

/* What a trajectory's error in H / T must exceed to be called divergent: Stan's threshold. */
#define EBM__DIVERGENT 1000.0

/* What one step of damping leaves of a momentum: exp(-gamma eta), in the rung of a row. */
double ebm__kept_momentum(const ebm_sampler *sampler, int64_t row);

/*
 * For the begin of kernels that keep momenta from step to step: memory for them, and fresh ones where there are none.
 */
ebm_status ebm__begin_momenta(ebm_sampler *sampler, const char *name);

/* What damping does that leaves `kept` of a momentum, and N(0, T) as it was. */
ebm__damping ebm__damping_by(const ebm_sampler *sampler, int64_t first, double kept);

/* Puts the momenta of held coordinates of n rows to 0. */
void ebm__hold_momenta(const ebm_sampler *sampler, int64_t n, float *w);

/* n rows, of chains first .. first + n - 1: w_next = kept w + sqrt((1 - kept^2) T) z. w_next may be w. */
void ebm__damp_momenta(const ebm_sampler *sampler, int64_t first, int64_t n, double kept, const float *w,
                       float *w_next);

/* Fresh momenta of chains first .. first + n - 1, for the step that the sampler is at. */
void ebm__draw_momenta(const ebm_sampler *sampler, int64_t first, int64_t n, float *w);

/* Step sizes of chains first .. first + n - 1: eta (1 + jitter u), u uniform in [-1, 1). */
void ebm__draw_step_sizes(const ebm_sampler *sampler, int64_t first, int64_t n, float *eta);

/*
 * Moves n rows: w by -kick L^T grad, then x by drift L w, as ebm__leaps says; mirrored at bounds that reflect, with the
 * momentum turned. A row stands still where kick and drift are 0. `work` has ebm__metric_work floats. True when every
 * x_next is finite.
 */
bool ebm__leap(const ebm_sampler *sampler, int64_t n, const ebm__leaps *rows, float *work);

/* |w|^2 of n rows. */
void ebm__row_squares(const ebm_sampler *sampler, int64_t n, const float *w, double *square);

/* Sum of squares, in double and in a fixed order. */
double ebm__sum_of_squares(int64_t n, const float *v);

#endif /* EBM_SAMPLER_DYNAMICS_H */

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

/* n rows, of chains first .. first + n - 1: w <- kept w + sqrt((1 - kept^2) T) z. z is working memory, n x dim. */
void ebm__damp_momenta(const ebm_sampler *sampler, int64_t first, int64_t n, double kept, float *w, float *z);

/* Fresh momenta of chains first .. first + n - 1, for the step that the sampler is at. */
void ebm__draw_momenta(const ebm_sampler *sampler, int64_t first, int64_t n, float *w);

/* Step sizes of chains first .. first + n - 1: eta (1 + jitter u), u uniform in [-1, 1). */
void ebm__draw_step_sizes(const ebm_sampler *sampler, int64_t first, int64_t n, float *eta);

/*
 * n rows: w <- w - kick[r] L^T grad, unless grad is NULL; then x <- x + drift[r] L w, unless drift is NULL, mirrored
 * at bounds that reflect, with the momentum turned. Row r stands still where kick and drift are 0. `work` has
 * ebm__metric_work floats.
 */
void ebm__leap(const ebm_sampler *sampler, int64_t n, const float *kick, const float *drift, const float *grad, float *x,
               float *w, float *work);

/* Sum of squares, in double and in a fixed order. */
double ebm__sum_of_squares(int64_t n, const float *v);

static inline double ebm__kinetic_energy(int64_t dim, const float *w) {
    return 0.5 * ebm__sum_of_squares(dim, w);
}

#endif /* EBM_SAMPLER_DYNAMICS_H */

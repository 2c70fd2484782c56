/* SPDX-License-Identifier: MIT */
/**
 * @file evaluate.h
 * How far draws can be trusted, and how near they are to a model or to other draws. All but ebm_stein_discrepancy,
 * ebm_sampler_summarize and the running summary work on plain arrays, whoever made them.
 *
 * Arrays of draws are n_draws x n_chains x dim floats, as ebm_sampler_draw writes them: draw t of chain c begins at
 * (t * n_chains + c) * dim. All values must be finite (EBM_ERR_ARG). Results have one number a coordinate, unless said
 * otherwise. **What the draws do not tell is NaN**, with EBM_OK: each function says when.
 *
 * R-hat, effective sample sizes and standard errors are those of Vehtari, Gelman, Simpson, Carpenter and Buerkner,
 * "Rank-normalization, folding, and localization" (Bayesian Analysis 2021), in the details as in the R package
 * `posterior`. Each chain is split in two halves (the middle draw of an odd number is left out there). One chain is
 * enough for all of them: its halves are compared.
 *
 * Functions without a handle may run in any number of threads at once. They share the coordinates among the context's
 * threads; results are the same bits for any number. After a failure the content of outputs is undefined.
 */
#ifndef EBM_EVALUATE_H
#define EBM_EVALUATE_H

#include <stdint.h>

#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/model.h>
#include <ebm/sampler.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- arrays of draws ---------------------------------------------------------------------------------------------- */

/**
 * Split R-hat: the larger of that of the rank-normalised draws and that of their rank-normalised distances from the
 * median (sec. 4.1, 4.2). 1 is good; above 1.01 the chains do not agree.
 * @param context may be NULL. @param n_draws 0 or more; below 4 the result is NaN. @param n_chains 1 or more; n_draws
 * x n_chains below 2^31.
 * @param dim 1 or more. @param draws n_draws x n_chains x dim, finite. @param rhat receives dim numbers: NaN where
 * all draws are equal, +infinity where each half-chain stands still and they differ. Errors: EBM_ERR_ARG,
 * EBM_ERR_OVERFLOW, EBM_ERR_FORKED. @since 0.1
 */
EBM_API ebm_status ebm_rhat(ebm_context *context, int64_t n_draws, int64_t n_chains, int64_t dim, const float *draws,
                            double *rhat);

/**
 * Effective sample sizes: how many independent draws would tell as much about the bulk (rank-normalised draws, sec.
 * 4.1) and about the tails (the smaller of those of x <= 5 % quantile and of x <= 95 % quantile, sec. 4.3; a tail
 * that ties leave empty is not counted). Autocorrelations are cut off by Geyer's initial monotone sequence (1992).
 * Above 400 is good.
 * @param n_draws below 12 the results are NaN. @param bulk,tail receive dim numbers each; one may be NULL. NaN where
 * all draws are equal. All else is as in ebm_rhat. @since 0.1
 */
EBM_API ebm_status ebm_ess(ebm_context *context, int64_t n_draws, int64_t n_chains, int64_t dim, const float *draws,
                           double *bulk, double *tail);

/**
 * Monte Carlo standard errors of the mean, sd / sqrt(ESS of x), and of the standard deviation (delta method, from the
 * ESS of (x - mean)^2). @param n_draws below 12 the results are NaN. @param mean,sd receive dim numbers each; one may
 * be NULL. NaN where all draws are equal. All else is as in ebm_rhat. @since 0.1
 */
EBM_API ebm_status ebm_mcse(ebm_context *context, int64_t n_draws, int64_t n_chains, int64_t dim, const float *draws,
                            double *mean, double *sd);

/**
 * A quantile and its Monte Carlo standard error (sec. 4.4). Quantiles lie on the line between the two order statistics
 * next to place (S - 1) p of S draws (type 7 of Hyndman and Fan 1996, as in R and numpy).
 * @param probability p, above 0 and below 1. @param quantile receives dim numbers; NaN without draws.
 * @param mcse receives dim numbers, or NULL; NaN where all draws are equal, or at or below the quantile, and for
 * n_draws below 12. All else is as in ebm_rhat. @since 0.1
 */
EBM_API ebm_status ebm_mcse_quantile(ebm_context *context, int64_t n_draws, int64_t n_chains, int64_t dim,
                                     const float *draws, double probability, double *quantile, double *mcse);

/**
 * Integrated autocorrelation time of x, in draws: this many weigh as one independent draw for the mean. 1 for
 * independent draws, less for antithetic ones. (Number of draws in the halves divided by the ESS of x.)
 * @param n_draws below 12 the result is NaN. @param time receives dim numbers; NaN where all draws are equal.
 * All else is as in ebm_rhat. @since 0.1
 */
EBM_API ebm_status ebm_autocorrelation_time(ebm_context *context, int64_t n_draws, int64_t n_chains, int64_t dim,
                                            const float *draws, double *time);

/**
 * All that a table of results shows, in one call. Each output receives dim numbers, or is NULL: mean, standard
 * deviation (divisor S - 1; NaN for one draw), standard error of the mean (ebm_mcse), quantiles of 5, 50 and 95 % (as
 * in ebm_mcse_quantile), ebm_ess, ebm_rhat. @param mean,sd,mcse,q5,q50,q95,ess_bulk,ess_tail,rhat receive them; NaN
 * where those functions say so, all without draws. All else is as in ebm_rhat. @since 0.1
 */
EBM_API ebm_status ebm_summarize(ebm_context *context, int64_t n_draws, int64_t n_chains, int64_t dim,
                                 const float *draws, double *mean, double *sd, double *mcse, double *q5, double *q50,
                                 double *q95, double *ess_bulk, double *ess_tail, double *rhat);

/**
 * E-BFMI of each chain: sum of (H_t - H_(t-1))^2 over sum of (H_t - mean)^2 (Betancourt 2016, sec. 3.1). Below 0.3
 * the momentum of a Hamiltonian kernel cannot follow the changes of energy; for independent energies it is 2.
 * @param n_draws 0 or more. @param n_chains 1 or more. @param energy n_draws x n_chains, finite: energies at the
 * start of the trajectories, momentum included. @param ebfmi receives n_chains numbers; NaN for fewer than 2 draws,
 * and for a chain of equal ones. Errors: EBM_ERR_ARG, EBM_ERR_OVERFLOW. @since 0.1
 */
EBM_API ebm_status ebm_ebfmi(int64_t n_draws, int64_t n_chains, const double *energy, double *ebfmi);

/**
 * Draws, and says in a table how far the draws can be trusted: a line of ebm_summarize for every coordinate, then the
 * sampler's acceptance, trajectories, divergences and E-BFMI, then in words what is wrong, if anything is: R-hat above
 * 1.01, effective sample sizes below 400, divergent trajectories, E-BFMI below 0.3, hardly any acceptance, a kernel
 * that is biased by its step size. The chains should have left their start (ebm_sampler_adapt, ebm_sampler_run).
 * @param n_draws,thin as in ebm_sampler_draw; n_draws 1 or more. E-BFMI is told when thin is 1.
 * @param names dim strings, or NULL: x[0], x[1] ... . Only the first 24 bytes of a name are shown.
 * @param draws receives n_draws x n_chains x dim floats, or NULL: they are kept for this call only.
 * @param size bytes that `table` has room for: 128 x (dim + 16) are always enough, and fewer are refused.
 * @param table receives the text, lines that end in a newline, closed by a 0; numbers as in the C locale. After a
 *        failure its content is undefined.
 * Errors: as ebm_sampler_draw and ebm_summarize.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_summarize(ebm_sampler *sampler, int64_t n_draws, int64_t thin, const char *const *names,
                                         float *draws, int64_t size, char *table);

/* --- distances ---------------------------------------------------------------------------------------------------- */

/**
 * Kernel Stein discrepancy between draws and a model's density exp(-E(x)), with the inverse multiquadric kernel
 * (scale^2 + |x - y|^2)^exponent (Gorham and Mackey 2017, eq. 3 and sec. 4): the root of the mean of the Stein kernel
 * over all n^2 pairs. It goes to 0 as the draws approach the density, wants no normalising constant, and takes n^2
 * dim / 2 steps. Modes far apart it hardly weighs against each other (their shares are not in the score).
 * @param n rows; 0 gives NaN. @param x n x dim, finite. @param scale finite and above 0; 1 is usual. @param exponent
 * above -1, below 0; -0.5 is usual. @param discrepancy receives one number. Errors: as ebm_model_grad_x;
 * EBM_ERR_NONFINITE also where x is impossible. @since 0.1
 */
EBM_API ebm_status ebm_stein_discrepancy(ebm_model *model, int64_t n, const float *x, double scale, double exponent,
                                         double *discrepancy);

/** ebm_mmd(..., width = EBM_MMD_WIDTH_MEDIAN, ...): the median distance between the rows of both samples. */
#define EBM_MMD_WIDTH_MEDIAN (-1.0)

/**
 * Squared maximum mean discrepancy between two samples, the unbiased estimate (Gretton et al. 2012, eq. 3), with the
 * kernel exp(-|x - y|^2 / (2 width^2)). It is near 0, of either sign, when both come from one distribution. It takes
 * (n_x + n_y)^2 dim / 2 steps.
 * @param context may be NULL. @param n_x,n_y rows; with fewer than 2 in either the result is NaN. @param x,y n_x x
 * dim and n_y x dim, finite.
 * @param dim 1 or more. @param width above 0, finite, or EBM_MMD_WIDTH_MEDIAN (sec. 8): of more than 1,000 rows in
 * all, 1,000 evenly spaced ones are looked at. @param mmd_squared receives one number. @param width_used receives the
 * width, or NULL. Errors: EBM_ERR_ARG (also when the median distance is 0), EBM_ERR_OVERFLOW, EBM_ERR_FORKED.
 * @since 0.1
 */
EBM_API ebm_status ebm_mmd(ebm_context *context, int64_t n_x, const float *x, int64_t n_y, const float *y, int64_t dim,
                           double width, double *mmd_squared, double *width_used);

/**
 * Area under the receiver operating characteristic: the probability that a positive's score is above a negative's, ties
 * counted half (Mann and Whitney 1947; Hanley and McNeil 1982). With energies as scores, positives are what should
 * look foreign.
 * @param context may be NULL. @param n_negative,n_positive 0 or more; the result is NaN when either is 0.
 * @param negative,positive scores; infinite ones are allowed, NaN is not. @param auroc receives one number.
 * Errors: EBM_ERR_ARG, EBM_ERR_OVERFLOW. @since 0.1
 */
EBM_API ebm_status ebm_auroc(ebm_context *context, int64_t n_negative, const double *negative, int64_t n_positive,
                             const double *positive, double *auroc);

/* --- running summary ---------------------------------------------------------------------------------------------- */

/** Means, spreads and quantiles of rows that are not kept. Opaque. */
typedef struct ebm_summary ebm_summary;

enum {
    EBM_SUMMARY_COVARIANCE = 1, /**< the whole covariance matrix: dim^2 doubles, and dim^2 / 2 steps a row */
    EBM_SUMMARY_QUANTILES = 2   /**< quantiles: n rows take 4 KiB x (2 + log2(n / 2048)) a coordinate, at least 8 KiB */
};

/**
 * Makes a summary of rows of dim floats. Mean and variance are always found, in double (Welford 1962).
 * What it tells depends on the rows and their order, and not on how they are split into calls.
 * @param context may be NULL. @param dim 1 to 2^31 - 1. @param parts 0, or a sum of EBM_SUMMARY_... . @param out
 * receives the handle. Errors: EBM_ERR_ARG, EBM_ERR_OVERFLOW. @since 0.1
 */
EBM_API ebm_status ebm_summary_create(ebm_context *context, int64_t dim, int32_t parts, ebm_summary **out);
/** Gives the summary back. @since 0.1 */
EBM_API void ebm_summary_destroy(ebm_summary *summary);

/**
 * Takes rows in. @param n 0 or more. @param x n x dim, finite: the states of ebm_sampler_get_states, or draws.
 * Errors: EBM_ERR_ARG, EBM_ERR_OVERFLOW; nothing is taken then. @since 0.1
 */
EBM_API ebm_status ebm_summary_add(ebm_summary *summary, int64_t n, const float *x);
/**
 * Takes in all that another summary has seen (Chan, Golub and LeVeque 1983; Agarwal et al. 2012), which stays as it is.
 * @param other a summary of the same dim and parts, not `summary` itself. Errors: EBM_ERR_ARG, EBM_ERR_OVERFLOW;
 * nothing is taken then. @since 0.1
 */
EBM_API ebm_status ebm_summary_merge(ebm_summary *summary, ebm_summary *other);
/** Forgets all rows. @since 0.1 */
EBM_API ebm_status ebm_summary_reset(ebm_summary *summary);

/** Rows taken in. @param count receives them. @since 0.1 */
EBM_API ebm_status ebm_summary_get_count(const ebm_summary *summary, int64_t *count);
/** Means. @param mean receives dim numbers; NaN without rows. @since 0.1 */
EBM_API ebm_status ebm_summary_get_mean(const ebm_summary *summary, double *mean);
/** Variances, with divisor count - 1. @param variance receives dim numbers; NaN for fewer than 2 rows. @since 0.1 */
EBM_API ebm_status ebm_summary_get_variance(const ebm_summary *summary, double *variance);
/**
 * Covariances, with divisor count - 1. @param covariance receives dim x dim numbers, symmetric; NaN for fewer than 2
 * rows. Errors: EBM_ERR_STATE (made without EBM_SUMMARY_COVARIANCE). @since 0.1
 */
EBM_API ebm_status ebm_summary_get_covariance(const ebm_summary *summary, double *covariance);
/**
 * Quantiles, by the mergeable summary of Agarwal, Cormode, Huang, Phillips, Wei and Yi (2012, sec. 3.2) with 1,024
 * values a level. Up to 2,047 rows they are exact (type 7, as in ebm_mcse_quantile). Beyond, the share of rows below
 * what is given differs from p by less than 0.0023 with probability 99 %, whatever the rows and their order, and by
 * 0.0005 as a rule. The least and the greatest (p = 0 and 1) are always exact.
 * @param probability p, 0 to 1. @param quantile receives dim numbers; NaN without rows.
 * Errors: EBM_ERR_ARG, EBM_ERR_STATE (made without EBM_SUMMARY_QUANTILES). @since 0.1
 */
EBM_API ebm_status ebm_summary_get_quantile(ebm_summary *summary, double probability, double *quantile);

#ifdef __cplusplus
}
#endif

#endif /* EBM_EVALUATE_H */

/* SPDX-License-Identifier: MIT */
/**
 * @file tempering.h
 * Temperatures other than one: parallel tempering, for densities with modes that a chain does not leave, and annealed
 * schedules, for generation.
 *
 * With a ladder every chain has replicas at higher temperatures inside its sampler, which cross barriers more easily
 * and pass their states down by swaps (Swendsen and Wang 1986; Geyer 1991). The chains themselves follow exp(-E/T) as
 * without a ladder, and no others are seen: states, draws, a trainer's negatives, the buffer and all reports are of
 * the chains. Any kernel can be used, and a trainer's persistent chains too. A step costs n_rungs times as many
 * evaluations.
 */
#ifndef EBM_TEMPERING_H
#define EBM_TEMPERING_H

#include <stdint.h>

#include <ebm/export.h>
#include <ebm/sampler.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Parallel tempering. Rung r of a chain follows exp(-E / (T t_r)). After a step, neighbours on the ladder swap their
 * states with probability min(1, exp((1 / T_r - 1 / T_r+1) (E_r - E_r+1))): pairs (0, 1), (2, 3), ... after one step,
 * (1, 2), (3, 4), ... after the next (Okabe et al. 2001; Syed et al. 2022). Exact kernels stay exact. Langevin steps,
 * which do not know the energy where they arrive, cost one energy more per swap; with a noise_std that is set they
 * swap by the temperature that it implies.
 *
 * The top must be hot enough for a chain to cross the barriers, near a quarter of their height over T or more; rungs
 * are best spaced by ebm_sampler_tune_ladder. Each rung is a batch of its own for the callback: many chains on few
 * rungs keep batches large.
 *
 * The hotter replicas stand where their chain stands when the number of rungs changes and when states are set; they
 * start from noise or data with their chain; behind a buffer larger than n_chains they go on while the chain starts
 * from another state. They hold fixed what their chain holds fixed. Counts of swaps and trips start anew, step sizes
 * of rungs become 1, and when the number of rungs changes momenta are drawn anew.
 * @param n_rungs 1, the default, is no ladder: temperatures may then be NULL.
 * @param temperatures t, n_rungs numbers, relative to the sampler's T, copied: the first exactly 1, then growing,
 *        finite.
 * Errors: EBM_ERR_ARG, EBM_ERR_OVERFLOW, EBM_ERR_NOMEM. A run with a T, or a noise_std, of 0 and a ladder is
 * EBM_ERR_STATE.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_ladder(ebm_sampler *sampler, int32_t n_rungs, const double *temperatures);
/**
 * The ladder's temperatures, relative to the sampler's.
 * @param n as many as there are rungs: ebm_sampler_rung_count.
 * @param temperatures receives n numbers.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_get_ladder(const ebm_sampler *sampler, int32_t n, double *temperatures);
/** Number of rungs, 1 without a ladder; 0 when sampler is NULL. Never fails; any thread. @since 0.1 */
EBM_API int32_t ebm_sampler_rung_count(const ebm_sampler *sampler);

/**
 * Steps between swaps, counted in the steps of ebm_sampler_get_steps.
 * @param n_steps 1 (the default) or more.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_swap_every(ebm_sampler *sampler, int64_t n_steps);
/** Steps between swaps. @param n_steps receives them. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_swap_every(const ebm_sampler *sampler, int64_t *n_steps);

/**
 * Step sizes of the rungs, as factors of eta. With 1 everywhere, the default, a replica of a Gaussian makes at every
 * temperature the same steps, seen in units of its own standard deviation: noise and momenta grow with sqrt(T), and
 * it is accepted as often. Where the energy flattens or steepens away from its modes other factors are better:
 * ebm_sampler_adapt finds one for each rung.
 * @param n as many as there are rungs.
 * @param factors the first exactly 1, all finite and above 0.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_rung_step_sizes(ebm_sampler *sampler, int32_t n, const double *factors);
/**
 * Step sizes of the rungs, as factors of eta.
 * @param n as many as there are rungs.
 * @param factors receives n numbers.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_get_rung_step_sizes(const ebm_sampler *sampler, int32_t n, double *factors);

/**
 * Moves every chain n_steps times and moves the inner temperatures on the way, until all swap rates are equal (Syed
 * et al. 2022, sec. 5): in rounds, each twice as long as the one before. The ends of the ladder stay. Afterwards it is
 * fixed, and its counts start anew. Rates near 0.5 on many rungs are as good as they get; with rates r the sum of the
 * 1 - r_k, which hardly depends on the rungs, tells how many are needed: about twice it, and one.
 * @param n_steps 0 or more, and at least 2 swap_every; with one chain a few thousand.
 * Errors: as ebm_sampler_run, the ladder is then as before; EBM_ERR_STATE also without a ladder.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_tune_ladder(ebm_sampler *sampler, int64_t n_steps);

/**
 * How likely swaps between each rung and the next were, as a mean over all that have been proposed since the ladder
 * was set or tuned.
 * @param n one less than there are rungs.
 * @param rates receives n numbers, 0 to 1.
 * Errors: EBM_ERR_ARG; EBM_ERR_STATE until each has been proposed: from two rounds of swaps on.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_get_swap_rates(const ebm_sampler *sampler, int32_t n, double *rates);
/**
 * How often replicas have gone from the cold end of the ladder to the hot one and back, over all chains, since the
 * ladder was set or tuned: what a ladder is for. Where a chain is put elsewhere, its replicas begin anew.
 * @param trips receives the number; 0 without a ladder.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_get_round_trips(const ebm_sampler *sampler, int64_t *trips);

/**
 * Moves every chain along a schedule: steps_each steps with each of n_points settings, one after another, as in
 * annealed Langevin dynamics (Song and Ermon 2019) and simulated annealing. Afterwards, and after a failure, the
 * settings are as they were before. Everything else is as one ebm_sampler_run of n_points x steps_each steps; all
 * points are checked before the first step.
 * @param n_points 0 or more.
 * @param step_size,noise_std,temperature n_points numbers each, in the range of their setters; NULL: as set.
 * @param steps_each 1 or more.
 * Errors: as ebm_sampler_run; EBM_ERR_ARG and EBM_ERR_STATE name the point.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_anneal(ebm_sampler *sampler, int64_t n_points, const double *step_size,
                                      const double *noise_std, const double *temperature, int64_t steps_each);

#ifdef __cplusplus
}
#endif

#endif /* EBM_TEMPERING_H */

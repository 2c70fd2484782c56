/* SPDX-License-Identifier: MIT */
/**
 * @file schedules.h
 * How a trainer's settings change from step to step. A schedule is a factor f(t) on a setting, a function of nothing but
 * the number t of steps made (ebm_trainer_get_steps), so a resumed run follows it on. The setting itself, in trainer or
 * sampler, stays as it was set: f multiplies whatever it is at each step.
 */
#ifndef EBM_SCHEDULES_H
#define EBM_SCHEDULES_H

#include <stdint.h>

#include <ebm/export.h>
#include <ebm/status.h>
#include <ebm/trainer.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What is multiplied. */
enum {
    EBM_SCHEDULED_LEARNING_RATE = 1,
    EBM_SCHEDULED_STEP_SIZE = 2, /**< of the sampler, on all rungs, in the trainer's steps; f must stay above 0 */
    EBM_SCHEDULED_NOISE_STD = 3, /**< of the sampler's Langevin, MALA and random walk; sqrt(2 eta T) unless it is set */
    EBM_SCHEDULED_MCMC_STEPS = 4 /**< of the likelihood: k f, rounded to the nearest, at least 1 */
};

/**
 * f after the warm-up, with u the steps since it ended, n n_steps and r factor. During a warm-up of w steps f is
 * (t + 1) / (w + 1), so it reaches 1 with the first step after it.
 */
enum {
    EBM_SCHEDULE_CONSTANT = 0,    /**< 1. The default */
    EBM_SCHEDULE_LINEAR = 1,      /**< 1 + (r - 1) u / n; from u = n on r */
    EBM_SCHEDULE_EXPONENTIAL = 2, /**< r^(u / n); from u = n on r */
    EBM_SCHEDULE_COSINE = 3, /**< r + (1 - r) (1 + cos(pi u / n)) / 2; from u = n on r (Loshchilov and Hutter 2017) */
    EBM_SCHEDULE_STEP = 4    /**< r^floor(u / n): times r after every n steps */
};

/**
 * Sets the schedule of one setting.
 * @param what one of EBM_SCHEDULED_... .
 * @param kind one of EBM_SCHEDULE_... .
 * @param warmup_steps w, 0 or more.
 * @param n_steps n, 1 or more. It and factor are ignored for EBM_SCHEDULE_CONSTANT.
 * @param factor r, finite and 0 or more; above 0 for EBM_SCHEDULE_EXPONENTIAL and EBM_SCHEDULE_STEP, and for a step size.
 * Errors: EBM_ERR_ARG. A step that finds a value its setting could not have (a schedule of steps has grown it beyond
 * float) is EBM_ERR_STATE.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_schedule(ebm_trainer *trainer, int32_t what, int32_t kind, int64_t warmup_steps,
                                            int64_t n_steps, double factor);
/**
 * The schedule of one setting.
 * @param what one of EBM_SCHEDULED_... .
 * @param kind,warmup_steps,n_steps,factor receive it; each may be NULL. 1 and 1 of a constant one.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_get_schedule(const ebm_trainer *trainer, int32_t what, int32_t *kind,
                                            int64_t *warmup_steps, int64_t *n_steps, double *factor);
/**
 * The value that the next step will use: the setting times f.
 * @param what one of EBM_SCHEDULED_... .
 * @param value receives it; a whole number for EBM_SCHEDULED_MCMC_STEPS.
 * Errors: EBM_ERR_ARG, EBM_ERR_STATE (a setting of the sampler, of a trainer without one), EBM_ERR_BUSY.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_get_scheduled_value(const ebm_trainer *trainer, int32_t what, double *value);

#ifdef __cplusplus
}
#endif

#endif /* EBM_SCHEDULES_H */

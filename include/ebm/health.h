/* SPDX-License-Identifier: MIT */
/**
 * @file health.h
 * How a training goes: numbers of every step, and a verdict on them in words. Both are of objectives that train on
 * chains; of the others only what they have. The record costs less than 2 % of a step, and changes no bit of the
 * training. What to do about each verdict stands in docs/training.md.
 */
#ifndef EBM_HEALTH_H
#define EBM_HEALTH_H

#include <stdint.h>

#include <ebm/export.h>
#include <ebm/status.h>
#include <ebm/trainer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers of the last step or gradient, for ebm_trainer_get_health. */
enum {
    EBM_HEALTH_ENERGY_DATA = 1,        /**< mean E over the data */
    EBM_HEALTH_ENERGY_DATA_STD = 2,    /**< standard deviation of E over the data */
    EBM_HEALTH_ENERGY_MODEL = 3,       /**< mean E over the negatives */
    EBM_HEALTH_ENERGY_MODEL_STD = 4,   /**< standard deviation of E over the negatives */
    EBM_HEALTH_GAP = 5,                /**< mean E over the data, less mean E over the negatives */
    EBM_HEALTH_GRAD_X = 6,             /**< root mean square of an element of dE/dx, before a clip, in the last move */
    EBM_HEALTH_GRAD_X_CLIPPED = 7,     /**< share of these elements that the sampler's clip has cut */
    EBM_HEALTH_GRAD_THETA = 8,         /**< Euclidean norm of the gradient in theta, before a clip */
    EBM_HEALTH_GRAD_THETA_CLIPPED = 9, /**< 1 when the trainer's clip has scaled it down, else 0 */
    /** how far the batch's k steps moved a chain: root mean square of a free coordinate */
    EBM_HEALTH_MOVED = 10,
    /**
     * the same, relative to how far the noise alone would have moved it: near 1, E was hardly felt; far above 1, E
     * alone was. Not of NUTS
     */
    EBM_HEALTH_MOVED_SHARE = 11,
    /** standard deviation of a free coordinate across the negatives, over that across the data (of mean variances) */
    EBM_HEALTH_SPREAD = 12,
    EBM_HEALTH_AGE_MEAN = 13,          /**< Markov steps of these persistent chains in training since their start */
    EBM_HEALTH_AGE_MAX = 14,           /**< of the oldest of them */
    EBM_HEALTH_ACCEPTANCE = 15,        /**< share of proposals accepted; 1 for kernels that accept all */
    /**
     * R-hat (Gelman and Rubin 1992) of persistent chains without buffer and restarts, over the last whole window of 32
     * steps: the larger of two, of E and of a fixed projection of x, each without what all chains have in common.
     * Near 1, every chain visits what the others visit; far above, each stays in its own place
     */
    EBM_HEALTH_RHAT = 16
};

/* What ebm_trainer_get_verdict answers. */
enum {
    EBM_VERDICT_UNKNOWN = 0,   /**< too early to say: there is a verdict from step 96 on; or there are no chains */
    EBM_VERDICT_HEALTHY = 1,   /**< nothing is wrong that can be seen */
    EBM_VERDICT_TOO_COLD = 2,  /**< the chains fall into minima of E instead of sampling: too little noise */
    EBM_VERDICT_TOO_HOT = 3,   /**< noise dominates: the chains do not come down to the energies of the data */
    EBM_VERDICT_STUCK = 4,     /**< the chains do not move: steps too small, all rejected, or cut by the clip */
    EBM_VERDICT_COLLAPSED = 5, /**< the chains are much alike, and the data are not */
    EBM_VERDICT_DRIFTING = 6,  /**< energies run away as a whole, and lose precision */
    EBM_VERDICT_DIVERGING = 7  /**< the gap between data and negatives grows without bound */
};

/**
 * Whether steps are recorded.
 * @param on 1 (the default), or 0: no record and no verdict.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_health_record(ebm_trainer *trainer, int32_t on);
/** Whether steps are recorded. @param on receives 1 or 0. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_health_record(const ebm_trainer *trainer, int32_t *on);

/**
 * A number of the last step or gradient.
 * @param what one of EBM_HEALTH_... .
 * @param value receives it; R-hat may be infinite.
 * Errors: EBM_ERR_ARG; EBM_ERR_STATE (no step yet, the record is off, or the last step had no such number).
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_get_health(const ebm_trainer *trainer, int32_t what, double *value);

/**
 * What the numbers say. They are judged over windows of 32 steps, and a verdict is given, or taken back, by two
 * windows in a row that agree.
 * @param verdict receives one of EBM_VERDICT_... .
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_get_verdict(const ebm_trainer *trainer, int32_t *verdict);
/**
 * A verdict in a few English words.
 * @param verdict any value; an unknown one gives "unknown verdict".
 * @return a constant string, never freed. Never fails; any thread.
 * @since 0.1
 */
EBM_API const char *ebm_verdict_string(int32_t verdict);
/**
 * The trainer's verdict as a sentence, with the numbers that it rests on and what may help.
 * @param size bytes of `text`, 1 or more; 512 are always enough, and what does not fit is cut off.
 * @param text receives the sentence, with a 0 at its end.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_describe_health(const ebm_trainer *trainer, int64_t size, char *text);

/*
 * --- going back
 * ------------------------------------------------------------------------------------------------------
 */

/**
 * What is to be done when training diverges: a step that would fail with EBM_ERR_DIVERGED, or the verdict
 * EBM_VERDICT_DIVERGING. The trainer keeps its whole state in memory, as ebm_trainer_save would write it, after every
 * so many steps whose verdict is not a bad one; a state counts as good when as many steps more have gone well. The
 * call then goes back to the last good one (the first, until there is another), with the learning rate, as it was set
 * last, times a factor, and returns EBM_OK: the step has not counted, and ebm_trainer_get_steps is lower than before.
 * ebm_trainer_fit and ebm_trainer_fit_stream go on from there. The counters of random streams are not put back, so
 * that the same numbers do not come again; yet a run repeats itself. Before the first step that counts there is
 * nothing to go back to. Each rollback is told to the context's log, and counted. ebm_trainer_gradient knows none.
 * @param every_steps 1 or more; 0, the default, is none: the rest is then ignored.
 * @param learning_rate_factor above 0, to 1; 0.5 until set.
 * @param most rollbacks in all, 1 or more; 3 until set. After them, divergence is EBM_ERR_DIVERGED, as without.
 * Errors: EBM_ERR_ARG, EBM_ERR_NOMEM. The memory is asked for in the first step.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_rollback(ebm_trainer *trainer, int64_t every_steps, double learning_rate_factor,
                                            int32_t most);
/**
 * The rollback as it was set.
 * @param every_steps,learning_rate_factor,most receive it; each may be NULL.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_get_rollback(const ebm_trainer *trainer, int64_t *every_steps,
                                            double *learning_rate_factor, int32_t *most);
/** Rollbacks so far. @param count receives them. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_rollback_count(const ebm_trainer *trainer, int64_t *count);

#ifdef __cplusplus
}
#endif

#endif /* EBM_HEALTH_H */

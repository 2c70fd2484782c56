/* SPDX-License-Identifier: MIT */
/**
 * @file trainer.h
 * Fits theta to data, by maximum likelihood unless told otherwise (objectives.h). The loss of a batch is then L = mean
 * E(x+) - mean E(x-) + alpha (mean E(x+)^2 + mean E(x-)^2), with x+ the data and x- the sampler's negatives; for alpha
 * = 0 its gradient G+ - G- is that of the negative log-likelihood (LeCun et al. 2006, sec. 2.2; Hinton 2002, eq. 3).
 */
#ifndef EBM_TRAINER_H
#define EBM_TRAINER_H

#include <stdint.h>

#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/model.h>
#include <ebm/sampler.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Fits a model. Opaque. */
typedef struct ebm_trainer ebm_trainer;

/**
 * Looks at a trainer between two steps; its getters, the model and the sampler may be used. Answers EBM_CB_OK, or
 * EBM_CB_STOP to stop.
 */
typedef int32_t (*ebm_progress_fn)(const ebm_trainer *trainer, void *user_data);

/**
 * Fills a batch, for ebm_trainer_fit_stream.
 * @param batch its number: the steps that the trainer has made. The same number should give the same rows again, so that
 *   training repeats itself, and goes on from a file as it would have gone on.
 * @param n rows wanted.
 * @param dim floats in a row.
 * @param x receives n x dim floats, finite; it comes filled with NaN, and what is left is found.
 * @param user_data what ebm_trainer_fit_stream was given.
 * @return as of ebm_energy_fn.
 */
typedef int32_t (*ebm_batch_fn)(int64_t batch, int64_t n, int64_t dim, float *x, void *user_data);

enum {
    EBM_OPT_SGD = 1,  /**< v <- mu v + g, theta <- theta - lr v; weight decay adds decay * theta to g */
    EBM_OPT_ADAM = 2, /**< Kingma and Ba 2015, algorithm 1; weight decay adds decay * theta to g. The default */
    EBM_OPT_ADAMW = 3 /**< Adam with theta <- theta - lr * decay * theta beside it (Loshchilov and Hutter 2019) */
};

/**
 * Makes a trainer.
 * @param context NULL stands for the model's own.
 * @param model,sampler kept alive by the trainer; the sampler must be of this model, and the model needs parameters
 *   and a param_grad callback. sampler may be NULL: an objective without chains (objectives.h) must then be set
 *   before the first step.
 * @param out receives the handle.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_create(ebm_context *context, ebm_model *model, ebm_sampler *sampler, ebm_trainer **out);
/** Gives the trainer back. @since 0.1 */
EBM_API void ebm_trainer_destroy(ebm_trainer *trainer);

/*
 * --- settings: each is checked when set, and holds from the next step on
 * ---------------------------------------------
 */

/**
 * The seed of all that the trainer draws itself: order of the data, noise, directions. Chains have the sampler's.
 * @param seed any value; the sampler's seed until set, 0 without a sampler.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_seed(ebm_trainer *trainer, uint64_t seed);
/** The trainer's own seed. @param seed receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_seed(const ebm_trainer *trainer, uint64_t *seed);
/** The optimizer. A change forgets the old one's state. @param optimizer one of EBM_OPT_... . @since 0.1 */
EBM_API ebm_status ebm_trainer_set_optimizer(ebm_trainer *trainer, int32_t optimizer);
/** The optimizer. @param optimizer receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_optimizer(const ebm_trainer *trainer, int32_t *optimizer);
/** The learning rate lr, before any schedule (schedules.h). @param rate finite, 0 or more; default 1e-3. @since 0.1 */
EBM_API ebm_status ebm_trainer_set_learning_rate(ebm_trainer *trainer, double rate);
/** The learning rate as it was set. @param rate receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_learning_rate(const ebm_trainer *trainer, double *rate);
/** mu of SGD. @param momentum 0 (the default) to below 1. @since 0.1 */
EBM_API ebm_status ebm_trainer_set_momentum(ebm_trainer *trainer, double momentum);
/** The momentum. @param momentum receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_momentum(const ebm_trainer *trainer, double *momentum);
/** beta1 and beta2 of Adam and AdamW. @param beta1,beta2 0 to below 1; default 0.9, 0.999. @since 0.1 */
EBM_API ebm_status ebm_trainer_set_betas(ebm_trainer *trainer, double beta1, double beta2);
/** The betas. @param beta1,beta2 receive them; each may be NULL. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_betas(const ebm_trainer *trainer, double *beta1, double *beta2);
/** What Adam adds to the square root of its second moment. @param epsilon finite, above 0; default 1e-8. @since 0.1 */
EBM_API ebm_status ebm_trainer_set_epsilon(ebm_trainer *trainer, double epsilon);
/** Adam's epsilon. @param epsilon receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_epsilon(const ebm_trainer *trainer, double *epsilon);
/** Weight decay, in the optimizer's own form. @param decay finite, 0 (the default) or more. @since 0.1 */
EBM_API ebm_status ebm_trainer_set_weight_decay(ebm_trainer *trainer, double decay);
/** The weight decay. @param decay receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_weight_decay(const ebm_trainer *trainer, double *decay);
/**
 * Scales the gradient in theta down to this Euclidean norm (Pascanu et al. 2013).
 * @param norm above 0; INFINITY, the default, is none.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_grad_clip(ebm_trainer *trainer, double norm);
/** The clip of the gradient in theta. @param norm receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_grad_clip(const ebm_trainer *trainer, double *norm);
/** MCMC steps for each batch of negatives, before any schedule. @param k 1 or more; default 20. @since 0.1 */
EBM_API ebm_status ebm_trainer_set_mcmc_steps(ebm_trainer *trainer, int64_t k);
/** MCMC steps for each batch of negatives. @param k receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_mcmc_steps(const ebm_trainer *trainer, int64_t *k);
/** Rows of data in a step of ebm_trainer_fit and ..._fit_stream. @param n 1 or more; default 128. @since 0.1 */
EBM_API ebm_status ebm_trainer_set_batch_size(ebm_trainer *trainer, int64_t n);
/** Rows of data in a step. @param n receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_batch_size(const ebm_trainer *trainer, int64_t *n);
/**
 * alpha of the likelihood's energy penalty, which keeps energies near 0 (Du and Mordatch 2019, sec. 3.3).
 * @param alpha finite, 0 (the default) or more.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_energy_penalty(ebm_trainer *trainer, double alpha);
/** The energy penalty. @param alpha receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_energy_penalty(const ebm_trainer *trainer, double *alpha);
/**
 * Standard deviation of normal noise added to the data, fresh at every step; not cut by the sampler's bounds.
 * @param std finite, 0 (the default) or more.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_data_noise(ebm_trainer *trainer, double std);
/** The noise on the data. @param std receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_data_noise(const ebm_trainer *trainer, double *std);
/**
 * Keeps an exponential average of theta: a <- d a + (1 - d) theta after every step, starting from theta as it is at
 * the first such step (Polyak and Juditsky 1992). It is kept in float32, which rounds it off for d beyond 0.9999.
 * @param decay d, 0 (the default: keep none) to below 1. Setting 0 forgets it.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_average(ebm_trainer *trainer, double decay);
/** The decay of the average. @param decay receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_average(const ebm_trainer *trainer, double *decay);
/**
 * |mean E(x+) - mean E(x-)| beyond which training counts as diverged, for objectives that have a gap.
 * @param limit above 0; INFINITY, the default, leaves only non-finite values.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_gap_limit(ebm_trainer *trainer, double limit);
/** The limit of the gap. @param limit receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_gap_limit(const ebm_trainer *trainer, double *limit);
/**
 * A function to call after every so many steps, of ebm_trainer_step and ebm_trainer_fit alike. The step before it
 * counts, also when it answers EBM_CB_STOP and the call returns EBM_ERR_STOPPED.
 * @param fn NULL is none.
 * @param user_data handed to fn, not owned.
 * @param every 1 or more.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_progress(ebm_trainer *trainer, ebm_progress_fn fn, void *user_data, int64_t every);
/** The progress function. @param fn,user_data,every receive it; each may be NULL. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_progress(const ebm_trainer *trainer, ebm_progress_fn *fn, void **user_data,
                                            int64_t *every);

/*
 * --- work
 * ------------------------------------------------------------------------------------------------------------
 */

/**
 * One step on a batch that the host brings: for the likelihood the sampler starts its chains by its rule and moves
 * them; theta takes one step of the optimizer. A step that fails changes nothing: parameters, chains, buffer and
 * optimizer stand as before it. A step whose new parameters are not finite, or give non-finite energies (on up to 64 rows of the batch and the
 * negatives) or a gap beyond the limit, is such a failure, so the parameters after a step that succeeded are always
 * good ones.
 * @param n rows; any number, it may differ from the number of chains.
 * @param x n x dim, finite.
 * Errors: EBM_ERR_ARG; EBM_ERR_STATE; EBM_ERR_CALLBACK; EBM_ERR_DIVERGED (non-finite values, or a gap beyond the
 * limit: the message names the step and the cause); EBM_ERR_STOPPED; EBM_ERR_FORKED. EBM_ERR_STATE also when the
 * objective lacks its sampler or its noise.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_step(ebm_trainer *trainer, int64_t n, const float *x);
/**
 * Steps over an array, n_epochs times, in batches of an order shuffled anew for each epoch (the last batch may be
 * smaller). The order depends on the trainer's seed and the number of the epoch, so two calls of one epoch are one
 * call of two.
 *
 * After a failure or a stop inside an epoch, and after ebm_trainer_load of a file saved inside one, the next call goes
 * on with the batch that was due, as if nothing had come between; the epoch that it finishes first counts as one of
 * n_epochs. So a run of N epochs goes on with n_epochs = N - ebm_trainer_get_epochs. With another number of rows the
 * epoch begins anew.
 * @param n rows.
 * @param x n x dim, finite.
 * @param n_epochs 0 or more.
 * Errors: as ebm_trainer_step; the steps made before one are kept.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_fit(ebm_trainer *trainer, int64_t n, const float *x, int64_t n_epochs);
/**
 * Steps over batches that a function brings, for data that come as a stream or are larger than memory; each of as many
 * rows as ebm_trainer_set_batch_size says. No order is drawn and no epoch counted: that is the function's.
 *
 * A batch that could not be used, since the function or the step failed, is asked for again by the next call. So a run
 * of N steps goes on, also after ebm_trainer_load, with n_steps = N - ebm_trainer_get_steps.
 * @param fn called in the calling thread, before each step. The trainer is busy then, model and sampler are not.
 * @param user_data handed to fn, not owned.
 * @param n_steps 0 or more.
 * Errors: as ebm_trainer_step, the steps made before one are kept; EBM_ERR_CALLBACK and EBM_ERR_STOPPED also by fn's
 * answer; EBM_ERR_NONFINITE (a float of the batch is not finite).
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_fit_stream(ebm_trainer *trainer, ebm_batch_fn fn, void *user_data, int64_t n_steps);
/**
 * The gradient of the loss on a batch, for a host with its own optimizer: moves the chains as a step does, updates
 * nothing, leaves out weight decay and clip.
 * @param n rows.
 * @param x n x dim, finite.
 * @param n_params the parameter count.
 * @param grad receives n_params floats, on success only; for n = 0 it is left as it was.
 * Errors: as ebm_trainer_step.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_gradient(ebm_trainer *trainer, int64_t n, const float *x, int64_t n_params, float *grad);
/**
 * Asks the running step, fit or gradient to stop: it returns EBM_ERR_STOPPED within one batch of a callback. When
 * none is running, the next one stops at its start. Any thread, or a signal handler.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_request_stop(ebm_trainer *trainer);

/**
 * Copies the averaged parameters.
 * @param n_params the parameter count.
 * @param theta receives n_params floats.
 * Errors: EBM_ERR_STATE (there is no average yet).
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_get_average_params(const ebm_trainer *trainer, int64_t n_params, float *theta);
/**
 * Exchanges the model's parameters with the averaged ones, to sample, score or save with those; a second call
 * exchanges them back. Until then the trainer refuses to step.
 * Errors: EBM_ERR_STATE (there is no average yet).
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_swap_average(ebm_trainer *trainer);

/*
 * --- report: of the last step or gradient; EBM_ERR_STATE before the first
 * -------------------------------------------
 */

/** Steps that succeeded. @param steps receives them. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_steps(const ebm_trainer *trainer, int64_t *steps);
/** Whole epochs of ebm_trainer_fit. @param epochs receives them. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_epochs(const ebm_trainer *trainer, int64_t *epochs);
/** The loss, as the objective has it; no weight decay. @param loss receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_loss(const ebm_trainer *trainer, double *loss);
/** mean E(x+), the data with whatever noise they got. @param energy receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_energy_data(const ebm_trainer *trainer, double *energy);
/**
 * mean E(x-): of the sampler's negatives, or of the rows of noise under noise-contrastive estimation.
 * @param energy receives it.
 * Errors also: EBM_ERR_STATE (score matching has no x-).
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_get_energy_model(const ebm_trainer *trainer, double *energy);
/**
 * mean E(x+) - mean E(x-). Of the likelihood it is near 0 when the model fits and the chains keep up; of
 * noise-contrastive estimation it goes below 0 and stays, by as much as data and noise differ.
 * @param gap receives it.
 * Errors also: EBM_ERR_STATE (score matching has no x-).
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_get_gap(const ebm_trainer *trainer, double *gap);
/** Euclidean norm of the gradient in theta and a learned log Z, before any clip. @param norm receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_grad_norm(const ebm_trainer *trainer, double *norm);
/**
 * Share of proposals accepted among the steps for the last negatives; 1 for Langevin.
 * @param rate receives it.
 * Errors also: EBM_ERR_STATE (there were no chains).
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_get_acceptance(const ebm_trainer *trainer, double *rate);

#ifdef __cplusplus
}
#endif

#endif /* EBM_TRAINER_H */

/* SPDX-License-Identifier: MIT */
/**
 * @file model.h
 * An energy E(x; theta): two callbacks of the host, the dimension of x, and the parameters theta as named tensors in
 * one flat vector of floats. The library's own energies (energies.h) are made through these very functions.
 */
#ifndef EBM_MODEL_H
#define EBM_MODEL_H

#include <stdint.h>

#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An energy with its parameters. Opaque. */
typedef struct ebm_model ebm_model;

/**
 * Computes energies and their gradient in x for a batch of rows.
 *
 * @param n rows, at least 1.
 * @param dim floats in a row.
 * @param x n x dim.
 * @param theta the parameters, one flat vector in the order of the tensors (NULL when the model has none); always use
 *   this pointer, which may differ from call to call.
 * @param energy n doubles, or NULL when not wanted.
 * @param grad_x n x dim, dE/dx, or NULL when not wanted.
 * @param user_data what ebm_model_create was given.
 * @return EBM_CB_OK or EBM_CB_STOP; EBM_ERR_NOMEM when memory ran out; every other value is a failure
 *   (EBM_ERR_CALLBACK).
 *
 * Wanted outputs are overwritten, and must be written in full: they come filled with NaN, and what is left is found.
 * An energy of +infinity says that x is impossible (its gradient is then ignored). No other energy or gradient may be
 * infinite, and none NaN.
 */
typedef int32_t (*ebm_energy_fn)(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                                 float *grad_x, void *user_data);

/**
 * Computes the weighted sum of the parameter gradients, grad_theta = sum_i weight[i] dE(x_i)/dtheta.
 *
 * @param weight n floats of either sign.
 * @param energy n doubles, or NULL when not wanted.
 * @param grad_theta as long as theta, or NULL when not wanted. All else is as in ebm_energy_fn.
 */
typedef int32_t (*ebm_param_grad_fn)(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta,
                                     double *energy, float *grad_theta, void *user_data);

/**
 * Computes the parameter gradient of slopes along directions: with d_i = direction_i . dE(x_i)/dx,
 * grad_theta = sum_i weight[i] d d_i / dtheta.
 *
 * @param direction n x dim.
 * @param slope receives the d_i, n doubles, or NULL when not wanted. All else is as in ebm_param_grad_fn.
 */
typedef int32_t (*ebm_mixed_grad_fn)(int64_t n, int64_t dim, const float *x, const float *direction,
                                     const float *weight, const float *theta, double *slope, float *grad_theta,
                                     void *user_data);

/** Fills theta (n_params floats) with starting values that depend on the seed alone. Answers like ebm_energy_fn. */
typedef int32_t (*ebm_init_fn)(uint64_t seed, int64_t n_params, float *theta, void *user_data);

/** Called once, with the model's user_data, when the last handle that needs it is gone. */
typedef void (*ebm_release_fn)(void *user_data);

enum {
    EBM_SIGN_ENERGY = 0,     /**< the callbacks compute E and its gradients */
    EBM_SIGN_LOG_DENSITY = 1 /**< the callbacks compute log-densities, -E, and their gradients */
};

/**
 * Makes a model without parameters; ebm_model_add_tensor gives it some.
 * @param context may be NULL.
 * @param dim floats in a row of x, 1 to 2^31 - 1.
 * @param energy_fn needed.
 * @param param_grad_fn NULL when there is nothing to train.
 * @param user_data handed to the callbacks; not owned, unless ebm_model_set_release says so.
 * @param out receives the handle.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_create(ebm_context *context, int64_t dim, ebm_energy_fn energy_fn,
                                    ebm_param_grad_fn param_grad_fn, void *user_data, ebm_model **out);

/** Gives the model back. Samplers and trainers made on it keep it alive. @since 0.1 */
EBM_API void ebm_model_destroy(ebm_model *model);

/**
 * Appends a tensor of zeros to the parameters. Possible until the model is first evaluated, bound, or given to a
 * sampler or trainer.
 * @param name unique, 1 to 127 printable ASCII characters, no space, not `__metadata__`.
 * @param rank 0 (a single number) to 8.
 * @param shape rank sizes, each at least 1; NULL when rank is 0.
 * Errors: EBM_ERR_ARG, EBM_ERR_OVERFLOW (sizes whose product has no place), EBM_ERR_STATE (too late).
 * @since 0.1
 */
EBM_API ebm_status ebm_model_add_tensor(ebm_model *model, const char *name, int32_t rank, const int64_t *shape);

/** Floats in a row of x; 0 when model is NULL. Never fails; any thread. @since 0.1 */
EBM_API int64_t ebm_model_dim(const ebm_model *model);
/** Floats in theta; 0 when model is NULL. Never fails; not while a tensor is being added. @since 0.1 */
EBM_API int64_t ebm_model_param_count(const ebm_model *model);
/** How many tensors theta has; 0 when model is NULL. Never fails; not while a tensor is being added. @since 0.1 */
EBM_API int64_t ebm_model_tensor_count(const ebm_model *model);
/**
 * Describes a tensor.
 * @param index 0 to count - 1, in the order of adding.
 * @param name receives a string that lives as long as the model.
 * @param rank receives the rank.
 * @param shape receives rank sizes (room for 8).
 * @param offset receives its first float's place in theta. Each output may be NULL.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_tensor_info(const ebm_model *model, int64_t index, const char **name, int32_t *rank,
                                         int64_t *shape, int64_t *offset);

/**
 * Sets all parameters.
 * @param n the parameter count.
 * @param theta n finite floats, copied.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_set_params(ebm_model *model, int64_t n, const float *theta);
/**
 * Copies all parameters out.
 * @param n the parameter count.
 * @param theta receives n floats.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_get_params(const ebm_model *model, int64_t n, float *theta);
/**
 * Sets one tensor.
 * @param name one that exists.
 * @param n its size.
 * @param values n finite floats, copied.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_set_tensor(ebm_model *model, const char *name, int64_t n, const float *values);
/**
 * Copies one tensor out.
 * @param name one that exists.
 * @param n its size.
 * @param values receives n floats.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_get_tensor(const ebm_model *model, const char *name, int64_t n, float *values);

/**
 * Makes the host's own memory the parameters: read at every evaluation, written by the trainer. The model's present
 * values are *not* copied there.
 * @param n the parameter count.
 * @param theta n floats that must outlive the model; NULL goes back to memory of the library's own, and takes the
 *   bound values along.
 * Errors: EBM_ERR_ARG, EBM_ERR_STATE (ebm_transformed_create has made the parameters those of two models).
 * @since 0.1
 */
EBM_API ebm_status ebm_model_bind_params(ebm_model *model, int64_t n, float *theta);

/**
 * What the callbacks compute.
 * @param sign EBM_SIGN_ENERGY (the default) or EBM_SIGN_LOG_DENSITY.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_set_sign(ebm_model *model, int32_t sign);
/** What the callbacks compute. @param sign receives it. @since 0.1 */
EBM_API ebm_status ebm_model_get_sign(const ebm_model *model, int32_t *sign);

/**
 * Whether the callbacks may be called from several threads at once. With more than one thread they must not throw C++
 * exceptions: outside the calling thread those end the process.
 * @param concurrent 0 (the default): one call at a time, each with all rows. 1: rows come in chunks whose size
 *   depends on dim and n alone, on as many threads as the context has.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_set_concurrent(ebm_model *model, int32_t concurrent);
/** Whether the callbacks may be called from several threads at once. @param concurrent receives 0 or 1. @since 0.1 */
EBM_API ebm_status ebm_model_get_concurrent(const ebm_model *model, int32_t *concurrent);

/**
 * Gives user_data to the model: release(user_data) is called when it is needed no more. There is no way back.
 * @param release needed.
 * Errors: EBM_ERR_ARG, EBM_ERR_STATE (the model owns its user_data already, as those of energies.h do).
 * @since 0.1
 */
EBM_API ebm_status ebm_model_set_release(ebm_model *model, ebm_release_fn release);
/**
 * Gives the model a rule for starting values, which ebm_model_init_params follows.
 * @param init NULL takes it away.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_set_init(ebm_model *model, ebm_init_fn init);

/**
 * Gives the model an exact derivative in theta and x together. Score matching then needs no differences of param_grad
 * (for the second derivatives of sliced score matching: only first ones of this). The MLP and the convolutional energy
 * bring one, and so do sums of such parts and transformed energies around them, which take over at their creation
 * whether they have it.
 * @param mixed_grad NULL takes it away.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_set_mixed_grad(ebm_model *model, ebm_mixed_grad_fn mixed_grad);
/** The model's exact derivative in theta and x. @param mixed_grad receives it, or NULL: it has none. @since 0.1 */
EBM_API ebm_status ebm_model_get_mixed_grad(const ebm_model *model, ebm_mixed_grad_fn *mixed_grad);

/**
 * Keeps the norms of weight matrices small: after every training step, and in ebm_model_init_params, each tensor of rank
 * 2 or more, as a matrix of shape[0] rows, is scaled by min(1, limit / |W|) (Gouk, Frank, Pfahringer, Cree 2021). |W| is
 * the Schatten norm of order 256: at least the largest singular value, and at most that times min(rows, columns)^(1/256)
 * (1.02 for 256). Parameters that are set, bound or loaded stay as they are until the next step.
 *
 * The energy itself stays the function that its parameters make, so gradients are exact, and a saved model needs no more
 * than its parameters. The limit is not saved with a model or a trainer: set it where the model is made.
 * @param limit finite and above 0; 0 (the default): none.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_set_spectral_limit(ebm_model *model, double limit);
/** The limit on the norms of matrices. @param limit receives it. @since 0.1 */
EBM_API ebm_status ebm_model_get_spectral_limit(const ebm_model *model, double *limit);

/**
 * Sets the parameters by the model's rule for starting values; the energies of energies.h state theirs.
 * @param seed any value: the same seed gives the same bits everywhere.
 * Errors: EBM_ERR_STATE (the model has no rule), EBM_ERR_CALLBACK, EBM_ERR_NONFINITE.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_init_params(ebm_model *model, uint64_t seed);

/**
 * E(x; theta).
 * @param n rows.
 * @param x n x dim, finite.
 * @param energy receives n doubles (+infinity where x is impossible); its content is undefined after a failure.
 * Errors: EBM_ERR_ARG, EBM_ERR_CALLBACK, EBM_ERR_NONFINITE, EBM_ERR_STOPPED, EBM_ERR_FORKED.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_energy(ebm_model *model, int64_t n, const float *x, double *energy);
/**
 * E and dE/dx.
 * @param energy receives n doubles, or NULL.
 * @param grad receives n x dim floats (zeros where x is impossible and energy is not NULL); all else is as in
 *   ebm_model_energy.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_grad_x(ebm_model *model, int64_t n, const float *x, double *energy, float *grad);
/**
 * sum_i weight[i] dE(x_i)/dtheta.
 * @param weight n finite floats.
 * @param energy receives n doubles, or NULL.
 * @param n_params the parameter count.
 * @param grad receives n_params floats (zeros for n = 0, unless NULL); all else is as in ebm_model_energy, but an
 *   infinite energy is EBM_ERR_NONFINITE.
 * Errors also: EBM_ERR_STATE (the model has no param_grad callback).
 * @since 0.1
 */
EBM_API ebm_status ebm_model_param_grad(ebm_model *model, int64_t n, const float *x, const float *weight,
                                        double *energy, int64_t n_params, float *grad);

/**
 * sum_i weight[i] d/dtheta (direction_i . dE(x_i)/dx).
 * @param direction n x dim, finite.
 * @param weight n finite floats.
 * @param slope receives direction_i . dE(x_i)/dx, n doubles, or NULL.
 * @param n_params the parameter count.
 * @param grad receives n_params floats; all else is as in ebm_model_param_grad.
 * Errors also: EBM_ERR_STATE (the model has no mixed_grad or no param_grad callback, or no parameters).
 * @since 0.1
 */
EBM_API ebm_status ebm_model_mixed_grad(ebm_model *model, int64_t n, const float *x, const float *direction,
                                        const float *weight, double *slope, int64_t n_params, float *grad);

/**
 * Compares both gradients with central differences of the energy, of fourth order: f' = (8 (f(h) - f(-h)) - (f(2h) -
 * f(-2h))) / 12h (Abramowitz and Stegun 1964, 25.3.21). An error is relative to the largest entry of the gradient it
 * belongs to; with float32 callbacks 1e-3 is good, 1e-1 wrong. The step h is max(1, |x|) / 32: scale x and theta to
 * about 1. Where the worst ones are, and both values, is then told by ebm_last_error(). Of more than 1,024
 * parameters, 1,024 evenly spaced ones are checked.
 * @param n rows, 1 or more to learn anything.
 * @param x n x dim, finite.
 * @param worst_x,worst_theta receive the worst relative errors (0 for a model without parameters or without
 *   param_grad); each may be NULL.
 * Errors: as ebm_model_param_grad; EBM_ERR_NONFINITE also when an energy near x is +infinity.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_check_gradients(ebm_model *model, int64_t n, const float *x, double *worst_x,
                                             double *worst_theta);
/**
 * Compares the mixed gradient with central differences of param_grad along random signs, of the same order and step as
 * above, and its slopes with grad_x. Needs four calls of param_grad and of energy, whatever the number of parameters.
 * @param worst receives the worst relative error; ebm_last_error() tells where. May be NULL.
 * Errors: as ebm_model_mixed_grad.
 * @since 0.1
 */
EBM_API ebm_status ebm_model_check_mixed_grad(ebm_model *model, int64_t n, const float *x, double *worst);

#ifdef __cplusplus
}
#endif

#endif /* EBM_MODEL_H */

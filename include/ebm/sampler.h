/* SPDX-License-Identifier: MIT */
/**
 * @file sampler.h
 * Many Markov chains on one model. A sampler has a transition kernel, a rule for where chains start, bounds, a mask of
 * coordinates held fixed, and its own random stream: its results depend on the model, the settings, the states and the
 * seed, and on nothing else: not on the number of threads, nor on how the steps are split into calls.
 *
 * Chains start by the start rule at the first call that needs states, unless ebm_sampler_set_states came before.
 */
#ifndef EBM_SAMPLER_H
#define EBM_SAMPLER_H

#include <stdint.h>

#include <ebm/export.h>
#include <ebm/model.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Markov chains on a model. Opaque. */
typedef struct ebm_sampler ebm_sampler;

enum {
    /**
     * Unadjusted Langevin: x <- x - eta dE/dx + sigma z, z ~ N(0, I) (Roberts and Tweedie 1996, ULA). Biased by its
     * step size.
     */
    EBM_KERNEL_LANGEVIN = 1,
    /**
     * The same proposal, accepted or rejected so that exp(-E/T) holds exactly (Besag 1994; Roberts and Tweedie 1996,
     * MALA).
     */
    EBM_KERNEL_MALA = 2,
    /**
     * Hamiltonian Monte Carlo (Duane et al. 1987; Neal 2011): momenta w ~ N(0, T I), then L leapfrog steps of size
     * eta, w <- w - eta/2 dE/dx, x <- x + eta w, w <- w - eta/2 dE/dx, accepted or rejected so that exp(-E/T) holds
     * exactly. L gradients a step.
     */
    EBM_KERNEL_HMC = 3,
    /**
     * Random-walk Metropolis: x + sigma z, accepted or rejected so that exp(-E/T) holds exactly (Metropolis et al.
     * 1953). The callback is never asked for grad_x.
     */
    EBM_KERNEL_RANDOM_WALK = 4,
    /**
     * Underdamped Langevin dynamics, dx = w dt, dw = -dE/dx dt - gamma w dt + sqrt(2 gamma T) dW, in steps of the
     * splitting BAOAB (Leimkuhler and Matthews 2013). Biased by its step size, less than Langevin; one gradient a
     * step. The momenta w are a part of the chains' state: they go on from step to step and call to call, and are
     * drawn anew when states are set or restarted, when the mask changes, and when a trainer starts chains elsewhere
     * than where they stopped.
     */
    EBM_KERNEL_UNDERDAMPED = 5,
    /**
     * The same dynamics, one leapfrog step at a time, accepted or rejected so that exp(-E/T) holds exactly; a
     * rejection turns the momenta round (Horowitz 1991; Bou-Rabee and Vanden-Eijnden 2010). One gradient a step.
     */
    EBM_KERNEL_UNDERDAMPED_ADJUSTED = 6,
    /**
     * The No-U-Turn sampler (Hoffman and Gelman 2014; Betancourt 2017), as in Stan: HMC trajectories that double,
     * forward or backward, until they turn round, and a next state drawn from their points by weight. exp(-E/T) holds
     * exactly. As many gradients a step as the trajectory has points, less than 2^max_depth; chains whose trajectories
     * are finished drop out of the batch.
     */
    EBM_KERNEL_NUTS = 7
};

enum {
    EBM_NOISE_WITH_GRADIENT = 0,  /**< x <- x - eta dE/dx(x) + sigma z, the default */
    EBM_NOISE_BEFORE_GRADIENT = 1 /**< y <- x + sigma z, then x <- y - eta dE/dx(y) (Du and Mordatch 2019) */
};

enum {
    /** a coordinate that leaves is set to the bound it crossed; kernels that accept and reject reject the proposal */
    EBM_BOUNDS_CLAMP = 0,
    /** a coordinate that leaves is mirrored back; those kernels stay exact for the density cut to the bounds */
    EBM_BOUNDS_REFLECT = 1
};

enum {
    EBM_METRIC_IDENTITY = 0, /**< W = I, the default */
    EBM_METRIC_DIAGONAL = 1, /**< dim numbers, each best near its coordinate's variance */
    EBM_METRIC_DENSE = 2     /**< dim x dim numbers, best near the covariance; not with EBM_BOUNDS_REFLECT */
};

enum {
    EBM_START_NOISE = 0,     /**< every start is fresh noise */
    /** chain c starts from row c (modulo n) of the trainer's batch: contrastive divergence (Hinton 2002) */
    EBM_START_DATA = 1,
    /** chains go on where they stopped (Tieleman 2008), the default; see ebm_sampler_set_buffer */
    EBM_START_PERSISTENT = 2
};

enum {
    EBM_NOISE_NORMAL = 0, /**< N(a, b^2) in every coordinate */
    EBM_NOISE_UNIFORM = 1 /**< uniform on [a, b] in every coordinate */
};

/** ebm_sampler_set_noise_std(sampler, EBM_NOISE_STD_AUTO): back to sigma = sqrt(2 eta T). */
#define EBM_NOISE_STD_AUTO (-1.0)

/**
 * Makes a sampler.
 * @param context NULL stands for the model's own.
 * @param model kept alive by the sampler.
 * @param n_chains 1 or more.
 * @param seed any value.
 * @param out receives the handle.
 * Errors: EBM_ERR_ARG, EBM_ERR_OVERFLOW.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_create(ebm_context *context, ebm_model *model, int64_t n_chains, uint64_t seed,
                                      ebm_sampler **out);
/** Gives the sampler back. A trainer made on it keeps it alive. @since 0.1 */
EBM_API void ebm_sampler_destroy(ebm_sampler *sampler);
/** Number of chains; 0 when sampler is NULL. Never fails; any thread. @since 0.1 */
EBM_API int64_t ebm_sampler_chain_count(const ebm_sampler *sampler);

/* --- settings: each is checked when set, and holds from the next step on --- */

/** The transition kernel. @param kernel one of EBM_KERNEL_...; default EBM_KERNEL_LANGEVIN. @since 0.1 */
EBM_API ebm_status ebm_sampler_set_kernel(ebm_sampler *sampler, int32_t kernel);
/** The transition kernel. @param kernel receives it. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_kernel(const ebm_sampler *sampler, int32_t *kernel);

/**
 * eta. In Langevin steps and MALA it is the factor of the gradient. In HMC, NUTS and underdamped dynamics it is a step
 * of time: one leapfrog step moves x as a Langevin step with the factor eta^2 / 2 does. In a random walk it only makes
 * sigma.
 * @param eta finite, above 0; default 0.01.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_step_size(ebm_sampler *sampler, double eta);
/** The step size eta. @param eta receives it. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_step_size(const ebm_sampler *sampler, double *eta);

/**
 * sigma, the standard deviation of the noise in one step. Until it is set, sigma = sqrt(2 eta T), which makes the
 * chains follow exp(-E/T) for small eta.
 * @param sigma finite, 0 (gradient descent) or more, or EBM_NOISE_STD_AUTO.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_noise_std(ebm_sampler *sampler, double sigma);
/** The sigma in effect, set or derived. @param sigma receives it. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_noise_std(const ebm_sampler *sampler, double *sigma);

/**
 * T, the temperature of the target exp(-E/T): in sigma = sqrt(2 eta T), in momenta, and in what is accepted.
 * @param temperature finite, 0 or more (0: descent; kernels that accept and reject need more); default 1.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_temperature(ebm_sampler *sampler, double temperature);
/** The temperature T. @param temperature receives it. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_temperature(const ebm_sampler *sampler, double *temperature);

/**
 * The temperature that step size and noise imply, sigma^2 / (2 eta): what Langevin chains follow, for small eta, is
 * exp(-E / implied). MALA follows exp(-E/T) whatever this says.
 * @param temperature receives it.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_get_implied_temperature(const ebm_sampler *sampler, double *temperature);

/**
 * Where the noise stands in a Langevin step.
 * @param order EBM_NOISE_WITH_GRADIENT or EBM_NOISE_BEFORE_GRADIENT (not with MALA).
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_noise_order(ebm_sampler *sampler, int32_t order);
/** Where the noise stands. @param order receives it. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_noise_order(const ebm_sampler *sampler, int32_t *order);

/**
 * Keeps every coordinate in [lo, hi]; starts that fall outside are brought in by the same rule.
 * @param lo,hi lo < hi; either may be infinite; both infinite, the default, is no bounds.
 * @param rule EBM_BOUNDS_CLAMP or EBM_BOUNDS_REFLECT.
 * Errors: EBM_ERR_ARG; EBM_ERR_STATE when a chain stands outside.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_bounds(ebm_sampler *sampler, double lo, double hi, int32_t rule);
/** The bounds. @param lo,hi,rule receive them; each may be NULL. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_bounds(const ebm_sampler *sampler, double *lo, double *hi, int32_t *rule);

/**
 * Cuts every element of dE/dx to [-limit, limit] before it is used (MALA and HMC stay exact: their proposals use the
 * cut gradient throughout).
 * @param limit above 0; INFINITY, the default, is none.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_grad_clip(ebm_sampler *sampler, double limit);
/** The clip of dE/dx. @param limit receives it. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_grad_clip(const ebm_sampler *sampler, double *limit);

/**
 * L, the leapfrog steps of one HMC step. A trajectory of length L eta near a quarter of the period of the widest
 * direction, pi/2 standard deviations, forgets most.
 * @param n 1 or more; default 10.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_leapfrog_steps(ebm_sampler *sampler, int64_t n);
/** The leapfrog steps. @param n receives them. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_leapfrog_steps(const ebm_sampler *sampler, int64_t *n);

/**
 * Draws the step size of every chain's every trajectory anew, uniform on eta (1 - fraction) to eta (1 + fraction), so
 * that no trajectory length is in step with a period of the energy (Neal 2011, sec. 5.4.2.2). For HMC, NUTS and
 * EBM_KERNEL_UNDERDAMPED_ADJUSTED.
 * @param fraction 0 (the default) or more, below 1.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_jitter(ebm_sampler *sampler, double fraction);
/** The jitter of the step size. @param fraction receives it. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_jitter(const ebm_sampler *sampler, double *fraction);

/**
 * How often a NUTS trajectory may double: it has less than 2^depth leapfrog steps. Trajectories that reach it
 * (ebm_sampler_get_mean_leapfrog_steps near 2^depth) are cut short: right, but slow to forget.
 * @param depth 1 to 20; default 10.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_max_depth(ebm_sampler *sampler, int32_t depth);
/** How often a NUTS trajectory may double. @param depth receives it. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_max_depth(const ebm_sampler *sampler, int32_t *depth);

/**
 * gamma, the friction of underdamped dynamics: a momentum is forgotten in a time of 1 / gamma, that is
 * 1 / (gamma eta) steps. A gamma near 1 / (the widest standard deviation, at T = 1) mixes well.
 * @param gamma above 0, or INFINITY: fresh momenta in every step; default 1.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_friction(ebm_sampler *sampler, double gamma);
/** The friction. @param gamma receives it. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_friction(const ebm_sampler *sampler, double *gamma);

/**
 * The metric: the inverse W of the mass matrix, for every kernel. Steps are made in coordinates in which W is the
 * identity: with W = L L^T, Langevin steps and MALA move by -eta W dE/dx + sigma L z, a random walk by sigma L z, and
 * dynamics have kinetic energy p W p / 2 with momenta p ~ N(0, T W^-1). Exact kernels stay exact. Held coordinates
 * have no part in it.
 * @param kind one of EBM_METRIC_... .
 * @param n numbers: 0, dim or dim x dim, by the kind.
 * @param inverse_mass W, copied: finite, positive, when dense symmetric and positive definite; NULL, with n = 0,
 *        starts from the identity.
 * Errors: EBM_ERR_ARG, EBM_ERR_OVERFLOW, EBM_ERR_NOMEM.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_metric(ebm_sampler *sampler, int32_t kind, int64_t n, const float *inverse_mass);
/**
 * The metric.
 * @param kind receives its kind; may be NULL.
 * @param n 0 with NULL, or as many numbers as the metric has.
 * @param inverse_mass receives W; may be NULL.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_get_metric(const ebm_sampler *sampler, int32_t *kind, int64_t n, float *inverse_mass);

/**
 * Holds coordinates fixed: the chains then sample the conditional density of the others (in-painting,
 * class-conditional sampling).
 * @param free dim bytes, 0 = held, 1 = free, copied; NULL, the default, frees all.
 * Errors: EBM_ERR_ARG (another value, or none free).
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_mask(ebm_sampler *sampler, const uint8_t *free);
/** The mask. @param free receives dim bytes, 0 or 1. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_mask(const ebm_sampler *sampler, uint8_t *free);

/** Where chains start each time a trainer needs negatives. @param start one of EBM_START_... . @since 0.1 */
EBM_API ebm_status ebm_sampler_set_start(ebm_sampler *sampler, int32_t start);
/** Where chains start. @param start receives it. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_start(const ebm_sampler *sampler, int32_t *start);

/**
 * What noise is, in starts and restarts.
 * @param kind EBM_NOISE_NORMAL (the default, with a = 0, b = 1: mean and standard deviation, b >= 0) or
 *   EBM_NOISE_UNIFORM (on [a, b], a < b). Both finite.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_noise_start(ebm_sampler *sampler, int32_t kind, double a, double b);
/** What noise is. @param kind,a,b receive it; each may be NULL. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_noise_start(const ebm_sampler *sampler, int32_t *kind, double *a, double *b);

/**
 * The buffer behind EBM_START_PERSISTENT (Du and Mordatch 2019, sec. 3.2). It starts as noise. For every batch of
 * negatives n_chains of its states are drawn without replacement, each is replaced by fresh noise with the restart
 * probability, all are moved, and all go back to their places. Changing the capacity empties it. Behind a buffer
 * larger than n_chains, what ebm_sampler_set_states put into the chains is left behind at the next batch, and held
 * coordinates (ebm_sampler_set_mask) are those of the state that is drawn.
 * @param capacity n_chains or more; 0, the default, stands for n_chains: the chains themselves.
 * @param restart_probability 0 (the default) to 1.
 * Errors: EBM_ERR_ARG, EBM_ERR_OVERFLOW.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_buffer(ebm_sampler *sampler, int64_t capacity, double restart_probability);
/** The buffer's settings. @param capacity,restart_probability receive them; each may be NULL. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_buffer(const ebm_sampler *sampler, int64_t *capacity, double *restart_probability);

/**
 * Whether ebm_sampler_adapt estimates a diagonal or dense metric.
 * @param on 1 (the default), or 0: it keeps the one that is set.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_metric_adaptation(ebm_sampler *sampler, int32_t on);
/** Whether the metric is adapted. @param on receives 1 or 0. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_metric_adaptation(const ebm_sampler *sampler, int32_t *on);

/* --- work --- */

/**
 * Throws away all states, the buffer's too, and starts every chain from fresh noise. The random stream goes on.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_restart(ebm_sampler *sampler);
/**
 * Sets the states of the first n chains.
 * @param n 0 to n_chains.
 * @param x n x dim, finite and inside the bounds.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_set_states(ebm_sampler *sampler, int64_t n, const float *x);
/**
 * Copies the states of the first n chains.
 * @param n 0 to n_chains.
 * @param x receives n x dim floats.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_get_states(ebm_sampler *sampler, int64_t n, float *x);

/**
 * Moves every chain n_steps times. After a failure or a stop the chains stand where the last whole step left them,
 * and ebm_sampler_get_steps says which it was: the same bits as a run of that many steps. Nothing is allocated after
 * the first step (with a host's parallel-for: the first that ran as widely).
 * @param n_steps 0 or more.
 * Errors: EBM_ERR_ARG; EBM_ERR_STATE (settings that do not go together, such as MALA without noise);
 * EBM_ERR_CALLBACK; EBM_ERR_NONFINITE (an energy or gradient was not finite, where the kernel cannot reject it, or a
 * state left the floats); EBM_ERR_STOPPED; EBM_ERR_FORKED.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_run(ebm_sampler *sampler, int64_t n_steps);
/**
 * Runs thin steps and keeps the states, n_draws times.
 * @param n_draws,thin 0 or more, 1 or more.
 * @param out receives n_draws x n_chains x dim floats; after a failure the draws made before it are there.
 * Errors: as ebm_sampler_run, and EBM_ERR_OVERFLOW.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_draw(ebm_sampler *sampler, int64_t n_draws, int64_t thin, float *out);

/**
 * What ebm_sampler_draw_each calls with every draw.
 * @param draw its number, from 0.
 * @param x n_chains x dim, the states; valid during the call, not to be written to.
 * @return EBM_CB_OK, or EBM_CB_STOP to end the run; any other value is a failure.
 */
typedef int32_t (*ebm_draw_fn)(int64_t draw, int64_t n_chains, int64_t dim, const float *x, void *user_data);
/**
 * Runs thin steps and shows the states to `fn`, n_draws times: for runs longer than memory. In `fn` the sampler's
 * getters work, and all else on it is EBM_ERR_BUSY. The draws are those of ebm_sampler_draw.
 * @param n_draws,thin 0 or more, 1 or more.
 * @param user_data handed on to `fn`; may be NULL.
 * Errors: as ebm_sampler_run; EBM_ERR_OVERFLOW; EBM_ERR_STOPPED and EBM_ERR_CALLBACK by what `fn` returns.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_draw_each(ebm_sampler *sampler, int64_t n_draws, int64_t thin, ebm_draw_fn fn,
                                         void *user_data);

/**
 * Moves every chain n_steps times, and finds a step size and a metric on the way, which then stay as they are: to be
 * read by ebm_sampler_get_step_size and ebm_sampler_get_metric. For kernels that accept and reject.
 *
 * The step size, one for all chains (on a ladder, see tempering.h, one for each rung), follows dual averaging towards a
 * mean probability of acceptance (Hoffman and Gelman 2014, sec. 3.2), from a start that their algorithm 4 finds. A
 * diagonal or dense metric becomes the variances or covariances of the chains' states, pooled over all chains, shrunk a
 * little to 1e-3 as Stan does it: estimated anew in windows of 25, 50, 100 ... steps between 75 first and 50 last
 * steps, or, in fewer than 150 steps, between the first 15 and the last 10 percent; not in fewer than 20. With the
 * identity only the step size is adapted.
 * @param n_steps 0 or more; 1000 is plenty for one chain, many chains need fewer.
 * @param target_acceptance above 0, below 1: about 0.8 for HMC and NUTS, 0.57 for MALA, 0.23 for a random walk, 0.95
 *        for EBM_KERNEL_UNDERDAMPED_ADJUSTED.
 * Errors: as ebm_sampler_run, the step size and metric are then as before; EBM_ERR_STATE also for a kernel that does
 * not reject, and for one with a noise_std that is set.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_adapt(ebm_sampler *sampler, int64_t n_steps, double target_acceptance);
/**
 * Asks the running call to stop: it returns EBM_ERR_STOPPED within one batch of the callback. When none is running,
 * the next one stops at its start. One atomic store: any thread, or a signal handler.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_request_stop(ebm_sampler *sampler);

/* --- report --- */

/** Steps made since the sampler was created. @param steps receives them. @since 0.1 */
EBM_API ebm_status ebm_sampler_get_steps(const ebm_sampler *sampler, int64_t *steps);
/**
 * Mean E of the chains where they stand, with the parameters as they are now: evaluated at this call.
 * @param energy receives it.
 * Errors: as ebm_model_energy.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_get_mean_energy(ebm_sampler *sampler, double *energy);
/**
 * Root mean square of the elements of dE/dx that the last step saw, before any clip; 0 for a random walk.
 * @param rms receives it; EBM_ERR_STATE before the first step.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_get_grad_rms(const ebm_sampler *sampler, double *rms);
/**
 * Share of proposals accepted in the last run, draw or batch of negatives; 1 for kernels that do not reject; for NUTS
 * the mean over the points of its trajectories.
 * @param rate receives it; EBM_ERR_STATE before the first step.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_get_acceptance(const ebm_sampler *sampler, double *rate);
/**
 * Leapfrog steps that a chain took in a step, on average over the last run, draw or adaptation; 0 for kernels without.
 * @param steps receives them; EBM_ERR_STATE before the first step.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_get_mean_leapfrog_steps(const ebm_sampler *sampler, double *steps);
/**
 * Divergent trajectories since the sampler was created: rejected, because the energy, kinetic energy included, went
 * wrong by more than 1000 T. A few say that the step size is too large where they happen.
 * @param count receives it.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_get_divergent_count(const ebm_sampler *sampler, int64_t *count);
/**
 * H = E + kinetic energy of the first n chains at the start of their last trajectory, which is what ebm_ebfmi takes.
 * @param n 0 to n_chains.
 * @param energy receives n numbers.
 * Errors: EBM_ERR_ARG; EBM_ERR_STATE unless the last step was one of HMC or NUTS.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_get_trajectory_energies(const ebm_sampler *sampler, int64_t n, double *energy);
/**
 * Proposals rejected for an energy of +infinity since the sampler was created; or for an infinite gradient, where the
 * energy is above that of the start by more than 1000 T (far out gradients overflow float, energies do not yet).
 * @param count receives it.
 * @since 0.1
 */
EBM_API ebm_status ebm_sampler_get_nonfinite_count(const ebm_sampler *sampler, int64_t *count);

#ifdef __cplusplus
}
#endif

#endif /* EBM_SAMPLER_H */

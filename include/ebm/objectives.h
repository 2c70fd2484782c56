/* SPDX-License-Identifier: MIT */
/**
 * @file objectives.h
 * What a trainer minimises: the likelihood's loss (trainer.h), or one of three that need no chains, and so no sampler.
 * All of them go through a model's two callbacks alone. Where a loss has gradients in x, its gradient in theta is made
 * of differences of param_grad along lines in x, which need no further derivative from the host.
 */
#ifndef EBM_OBJECTIVES_H
#define EBM_OBJECTIVES_H

#include <stdint.h>

#include <ebm/export.h>
#include <ebm/status.h>
#include <ebm/trainer.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    /** Maximum likelihood with the sampler's negatives (trainer.h). The default. */
    EBM_OBJECTIVE_LIKELIHOOD = 1,
    /**
     * Denoising score matching (Vincent 2011), weighted by the level's variance (Song and Ermon 2019): L = mean |s
     * dE/dx(x~) - z|^2 / 2 with x~ = x + s z, z ~ N(0, I), s one of the noise levels. It fits the data *with that
     * noise*; several levels, which the energy is not told, give the mixture of the data with each of those noises, in
     * proportion to s^2.
     */
    EBM_OBJECTIVE_DENOISING_SCORE_MATCHING = 2,
    /**
     * Sliced score matching, with the variance reduced (Song et al. 2019): L = mean of |dE/dx|^2 / 2 - v' H v with H
     * the second derivatives of E in x, and v of random signs. It fits the data themselves; the energy must be smooth,
     * and data that lie on a grid or a surface have no minimum: set a data noise.
     */
    EBM_OBJECTIVE_SLICED_SCORE_MATCHING = 3,
    /**
     * Noise-contrastive estimation (Gutmann and Hyvarinen 2010, with nu as in their 2012): tells data
     * from noise of a known density, L = mean log(1 + e^-G(x)) + nu mean log(1 + e^G(y)), where G(u) = -E(u) - log Z -
     * log p_noise(u) - log nu, x the data, y nu rows of noise for each, and log Z one more parameter that is learned.
     */
    EBM_OBJECTIVE_NOISE_CONTRASTIVE = 4
};

/**
 * What is minimised. A change forgets the optimizer's state.
 * @param objective one of EBM_OBJECTIVE_... .
 * Errors: EBM_ERR_ARG; EBM_ERR_STATE (the likelihood, of a trainer without a sampler).
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_objective(ebm_trainer *trainer, int32_t objective);
/** What is minimised. @param objective receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_objective(const ebm_trainer *trainer, int32_t *objective);

/**
 * Noise levels of denoising score matching. The rows of a batch take them in turn, from a random one on.
 * @param n 1 to 256.
 * @param std n standard deviations, each finite and above 0; a single 0.1 until set.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_noise_levels(ebm_trainer *trainer, int32_t n, const double *std);
/**
 * The noise levels.
 * @param n receives how many.
 * @param std receives them, n doubles. Each may be NULL.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_get_noise_levels(const ebm_trainer *trainer, int32_t *n, double *std);
/**
 * How far the score-matching objectives move x for the differences that stand for a derivative in x, as a share of
 * the batch's own scale, cbrt(r s^2) with r the root mean square and s the standard deviation of its coordinates.
 * First differences use it, second differences four times as much. docs/training.md shows what it costs in accuracy.
 * @param share 1e-6 to 1; default 2^-8, right for callbacks that compute in float32.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_difference_step(ebm_trainer *trainer, double share);
/** The step of the differences. @param share receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_difference_step(const ebm_trainer *trainer, double *share);

/*
 * --- noise-contrastive estimation: the noise, and log Z
 * --------------------------------------------------------------------------------------------------------
 */

/**
 * Draws rows of noise.
 * @param n rows.
 * @param dim floats in a row.
 * @param normals n x normals_per_row independent numbers from N(0, 1): the only source of chance, so that training
 *   repeats itself.
 * @param y receives n x dim floats, finite; it comes filled with NaN, and what is left is found.
 * @param user_data what ebm_trainer_set_noise was given.
 * @return as of ebm_energy_fn.
 */
typedef int32_t (*ebm_noise_sample_fn)(int64_t n, int64_t dim, const float *normals, float *y, void *user_data);

/**
 * log p_noise of each row, normalised.
 * @param log_density receives n doubles, finite: the noise must reach wherever there are data. All else is as in
 *   ebm_noise_sample_fn.
 */
typedef int32_t (*ebm_noise_density_fn)(int64_t n, int64_t dim, const float *x, double *log_density, void *user_data);

enum {
    EBM_COVARIANCE_DIAGONAL = 1, /**< variances alone */
    EBM_COVARIANCE_FULL = 2      /**< dim x dim: 16 dim^2 bytes, and dim^2 additions for each row and row of noise */
};

/**
 * Makes the noise a Gaussian with the mean and covariance of these rows (the maximum-likelihood estimates). It replaces
 * whatever noise there was.
 * @param n rows, 1 or more; dim + 1 or more for a full covariance, unless min_std is above 0.
 * @param x n x dim, finite.
 * @param covariance EBM_COVARIANCE_DIAGONAL or EBM_COVARIANCE_FULL.
 * @param min_std its square is added to every variance, so that coordinates that never change have some; finite, 0 or
 *   more.
 * Errors: EBM_ERR_ARG (also a covariance that is not positive definite: raise min_std), EBM_ERR_FORKED.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_fit_noise(ebm_trainer *trainer, int64_t n, const float *x, int32_t covariance,
                                         double min_std);
/**
 * Makes the noise the host's own. It replaces whatever noise there was.
 * @param sample,log_density both needed; both NULL take the noise away, and all else is then ignored. They are called
 *   in the calling thread.
 * @param normals_per_row how many normal numbers a row is drawn from, 1 or more.
 * @param user_data handed to both, not owned.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_noise(ebm_trainer *trainer, ebm_noise_sample_fn sample,
                                         ebm_noise_density_fn log_density, int64_t normals_per_row, void *user_data);
/**
 * The host's own noise; NULL and 0 when it is a fitted Gaussian, or none.
 * @param sample,log_density,normals_per_row,user_data receive it; each may be NULL.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_get_noise(const ebm_trainer *trainer, ebm_noise_sample_fn *sample,
                                         ebm_noise_density_fn *log_density, int64_t *normals_per_row,
                                         void **user_data);
/** nu: rows of noise for each row of data. @param ratio 1 or more; default 1. @since 0.1 */
EBM_API ebm_status ebm_trainer_set_noise_ratio(ebm_trainer *trainer, int64_t ratio);
/** nu. @param ratio receives it. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_noise_ratio(const ebm_trainer *trainer, int64_t *ratio);
/**
 * Where log Z stands. Until it is set, it starts at the first batch, with that batch's estimate by importance
 * sampling, log mean e^(-E(y) - log p_noise(y)) over the noise y. Every step then moves it as one more parameter
 * (without weight decay; it is not averaged, so it belongs to the present parameters).
 * @param log_z finite.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_log_z(ebm_trainer *trainer, double log_z);
/**
 * log Z as it has been learned, a float32.
 * @param log_z receives it.
 * Errors: EBM_ERR_STATE (not set, and no batch yet).
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_get_log_z(const ebm_trainer *trainer, double *log_z);
/**
 * The loss's derivative in log Z at the last batch, for a host that moves log Z itself after ebm_trainer_gradient.
 * @param grad receives it.
 * Errors: EBM_ERR_STATE (the last batch, if any, was another objective's).
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_get_log_z_gradient(const ebm_trainer *trainer, double *grad);

#ifdef __cplusplus
}
#endif

#endif /* EBM_OBJECTIVES_H */

/* SPDX-License-Identifier: MIT */
/* The noise that data are told from: rows can be drawn from it, and have a known density. */
#ifndef EBM_TRAINER_NOISE_H
#define EBM_TRAINER_NOISE_H

#include <stdbool.h>
#include <stdint.h>

#include <ebm/objectives.h>

/* N(m, L L') with L lower triangular, and W = L^-1; of independent coordinates only the diagonals. */
typedef struct ebm__noise_gaussian {
    int32_t covariance; /* 0: none; or one of EBM_COVARIANCE_... */
    double *memory;     /* of the three below */
    double *mean;
    double *factor;
    double *inverse;
    double log_peak; /* log density at m */
} ebm__noise_gaussian;

typedef struct ebm__noise {
    ebm_noise_sample_fn sample; /* NULL: the host has none */
    ebm_noise_density_fn log_density_fn;
    int64_t normals_per_row;
    void *user_data;
    ebm__noise_gaussian gaussian;

    /* One batch: what noise is made of, and log densities of data and noise. */
    float *normals;
    double *log_density;
    int64_t normals_bytes, log_density_bytes;
} ebm__noise;

bool ebm__noise_is_set(const ebm__noise *noise);
ebm_status ebm__noise_reserve(ebm_trainer *trainer, int64_t n, int64_t n_noise, const char *caller);

/*
 * Draws n_noise rows into rows + n * dim from the sequence of this batch, and fills noise.log_density for those and for
 * the n rows of data before them. Host's functions are called in this thread.
 */
ebm_status ebm__noise_draw(ebm_trainer *trainer, int64_t n, int64_t n_noise, float *rows);

/* noise_gaussian.c: memory, all zeros, in *out, whose content is lost; then what follows from the factor. */
ebm_status ebm__noise_gaussian_make(ebm_context *context, int64_t dim, int32_t covariance, const char *caller,
                                    ebm__noise_gaussian *out);
void ebm__noise_gaussian_complete(ebm__noise_gaussian *gaussian, int64_t dim);

/* noise_gaussian.c. `fit` makes a new one in *out, whose content is lost. EBM_ERR_ARG: not positive definite. */
ebm_status ebm__noise_gaussian_fit(ebm_context *context, int64_t n, int64_t dim, const float *x, int32_t covariance,
                                   double min_std, const char *caller, ebm__noise_gaussian *out);
/* y = m + L z, and its log density; that of rows x. Rows on threads. */
ebm_status ebm__noise_gaussian_draw(const ebm__noise_gaussian *gaussian, ebm_context *context, int64_t n, int64_t dim,
                                    const float *z, float *y, double *log_density);
ebm_status ebm__noise_gaussian_density(const ebm__noise_gaussian *gaussian, ebm_context *context, int64_t n,
                                       int64_t dim, const float *x, double *log_density);

/* Another noise in place of the trainer's, which owns its memory from then on. */
void ebm__noise_replace(ebm_trainer *trainer, const ebm__noise *by);
void ebm__noise_clear(ebm__noise *noise, ebm_context *context);

#endif /* EBM_TRAINER_NOISE_H */

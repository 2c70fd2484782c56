/* SPDX-License-Identifier: MIT */
/* Inside the Gaussian energy. Its theta is the mean (dim), then the precision (dim x dim). */
#ifndef EBM_ENERGIES_GAUSSIAN_H
#define EBM_ENERGIES_GAUSSIAN_H

#include <stdint.h>

#include <ebm/model.h>

#include "energies/builtin.h"

typedef struct ebm__gaussian {
    ebm__builtin_state state; /* first */
    int64_t dim;
} ebm__gaussian;

/* The callbacks; user_data is an ebm__gaussian. */
int32_t ebm__gaussian_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                             void *user_data);
int32_t ebm__gaussian_param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta,
                                 double *energy, float *grad_theta, void *user_data);

#endif /* EBM_ENERGIES_GAUSSIAN_H */

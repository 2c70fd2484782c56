/* SPDX-License-Identifier: MIT */
/* What stands before a fragment of C or C++ in the documents: the names that they use without declaring them. */
#include <ebm/ebm.h>
#include <stdio.h>
#include <stdlib.h>

extern ebm_context *context;
extern ebm_model *model;
extern ebm_sampler *sampler;
extern ebm_trainer *trainer;
extern ebm_status status;
extern int64_t n, dim, n_params, n_chains, steps;
extern float *x, *data, *draws, *theta, *grad;
extern double *energies;
/* of diagnostics.md */
extern int64_t n_draws;
extern float *states;
extern double *mean, *sd, *mcse, *q5, *q50, *q95, *ess_bulk, *ess_tail, *rhat, *covariance;
extern void *user_data;
int32_t energy(int64_t rows, int64_t width, const float *state, const float *parameters, double *e, float *grad_x,
               void *user);
int32_t param_grad(int64_t rows, int64_t width, const float *state, const float *weight, const float *parameters,
                   double *e, float *grad_theta, void *user);

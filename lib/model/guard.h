/* SPDX-License-Identifier: MIT */
/* Every call of a host's callback goes through here: outputs are poisoned before, and checked after. */
#ifndef EBM_MODEL_GUARD_H
#define EBM_MODEL_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"

/* Calls the energy callback once. Arguments as in ebm__model_energy_rows. */
ebm_status ebm__guard_energy(const ebm_model *model, const float *theta, int64_t first_row, int64_t n, const float *x,
                             bool allow_infinity, const double *ceiling, double *energy, float *grad);

/* Calls the param_grad callback once; grad has the model's n_params floats. */
ebm_status ebm__guard_param_grad(const ebm_model *model, const float *theta, int64_t first_row, int64_t n,
                                 const float *x, const float *weight, double *energy, float *grad);

/* Calls the init callback once. */
ebm_status ebm__guard_init(const ebm_model *model, uint64_t seed, float *theta);

#endif /* EBM_MODEL_GUARD_H */

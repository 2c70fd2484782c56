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

/* Calls the mixed_grad callback once, if the model has one (EBM_ERR_STATE). */
ebm_status ebm__guard_mixed_grad(const ebm_model *model, const float *theta, int64_t first_row, int64_t n,
                                 const float *x, const float *direction, const float *weight, double *slope,
                                 float *grad);

/* Calls the init callback once. */
ebm_status ebm__guard_init(const ebm_model *model, uint64_t seed, float *theta);

/*
 * The same for a part of the energy whose callback is running: infinite gradients are left for the guard of the whole,
 * which knows the ceiling.
 */
ebm_status ebm__guard_part_energy(const ebm_model *model, const float *theta, int64_t first_row, int64_t n,
                                  const float *x, bool allow_infinity, double *energy, float *grad);

/*
 * For the callbacks of energies that are made of other models, and call those through the functions above. The first
 * tells which row of the host's the callback's row 0 is, to be asked before any part is called: with it, a part's
 * message names the host's row. The second is what such a callback returns when a part has failed: its status and its
 * message then come out as they are.
 */
int64_t ebm__guard_first_row(void);
int32_t ebm__guard_hand_on(ebm_status status);

/*
 * For callbacks that are not a model's. Outputs are filled with NaNs of bits that no computation makes: one that still
 * has these was not written.
 */
void ebm__poison_floats(int64_t n, float *values);
void ebm__poison_doubles(int64_t n, double *values);
bool ebm__is_poison_float(const float *value);
bool ebm__is_poison_double(const double *value);

/* Are all floats of n rows written, and finite? EBM_ERR_CALLBACK or EBM_ERR_NONFINITE names the first that is not. */
ebm_status ebm__check_rows(const char *callback, int64_t n, int64_t dim, const float *x);

/* What a callback's answer means. The library's own energies answer EBM_ERR_NOMEM when working memory runs out. */
ebm_status ebm__check_answer(const char *callback, int32_t answer, int64_t first_row, int64_t n);

#endif /* EBM_MODEL_GUARD_H */

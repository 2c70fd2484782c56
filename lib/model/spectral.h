/* SPDX-License-Identifier: MIT */
/* A limit on the spectral norms of a model's matrices: its tensors of rank 2 or more, shape[0] rows each. */
#ifndef EBM_MODEL_SPECTRAL_H
#define EBM_MODEL_SPECTRAL_H

#include "model/model.h"

/*
 * An upper bound of the largest singular value of a (rows x columns): the Schatten norm of order 256, (sum of
 * s^256)^(1/256), which exceeds it by at most the factor min(rows, columns)^(1/256), with s^2 the eigenvalues of the
 * smaller of a a' and a' a. `work` has room for twice the square of min(rows, columns). 0 when a is not finite.
 */
double ebm__spectral_bound(int64_t rows, int64_t columns, const float *a, float *work);

/* Scales down, in theta, every matrix whose bound exceeds the model's limit. Memory is kept for the next call. */
ebm_status ebm__model_limit_norms(ebm_model *model, float *theta, const char *caller);

#endif /* EBM_MODEL_SPECTRAL_H */

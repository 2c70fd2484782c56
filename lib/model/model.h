/* SPDX-License-Identifier: MIT */
/* The model behind its handle, and evaluation for the parts of the library that already hold it. */
#ifndef EBM_MODEL_MODEL_H
#define EBM_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <ebm/model.h>

#include "core/handle.h"

enum { EBM__MOST_RANK = 8, EBM__MOST_NAME = 127 };

typedef struct ebm__tensor {
    char name[EBM__MOST_NAME + 1];
    int32_t rank;
    int64_t shape[EBM__MOST_RANK];
    int64_t offset; /* in theta */
    int64_t size;
} ebm__tensor;

struct ebm_model {
    ebm__handle handle;
    int64_t dim;
    ebm_energy_fn energy_fn;
    ebm_param_grad_fn param_grad_fn;
    ebm_mixed_grad_fn mixed_grad_fn; /* NULL: none */
    ebm_init_fn init_fn;
    ebm_release_fn release_fn;
    void *user_data;
    int32_t sign;
    int32_t concurrent;
    bool frozen; /* no more tensors */
    bool shared; /* theta is another model's too: it may not be bound elsewhere */

    ebm__tensor *tensors;
    int64_t n_tensors;
    int64_t n_params;
    float *own_theta; /* the library's memory, unused while the host's is bound */
    float *theta;     /* the parameters: own_theta or the host's memory; NULL without parameters */

    float *partial; /* parameter gradients of chunks */
    int64_t partial_bytes;
    double spectral_limit; /* of matrices' norms, after a training step; 0: none */
    float *spectral;       /* working memory for that */
    int64_t spectral_bytes;
};

ebm_context *ebm__model_context(const ebm_model *model);

/* From now on the model takes no more tensors. */
void ebm__model_freeze(ebm_model *model);

/* Gives a new model the parameters of `owner`, which it must keep alive: the same names, sizes and memory. */
ebm_status ebm__model_share_params(ebm_model *model, ebm_model *owner);

/* EBM_ERR_ARG, naming row and column, unless all of the n x dim floats are finite. `name` is the argument's. */
ebm_status ebm__require_finite(const char *caller, const char *name, int64_t n, int64_t dim, const float *x);

/* The same for a host's n rows, with the checks of n and of NULL before it. */
ebm_status ebm__require_rows(const ebm_model *model, const char *caller, const char *name, int64_t n, const float *x);

/*
 * Energies and gradients of n rows under the parameters `theta`, for callers that hold the model. energy or grad may
 * be NULL.
 * +infinity is left as an energy, with a gradient of zeros, when `allow_infinity`; otherwise it is EBM_ERR_NONFINITE.
 * With `ceiling`, n numbers, or NULL, a row with an infinite gradient and an energy above its number, from where no
 * proposal would be accepted, counts as one with an energy of +infinity: far out gradients overflow float before
 * energies overflow double.
 * ebm__model_energy_rows calls the callback once, in this thread, for all rows; ebm__model_energy_all in chunks, on
 * threads, where the model allows.
 * `first_row` is added to row numbers in messages.
 */
ebm_status ebm__model_energy_rows(const ebm_model *model, const float *theta, int64_t first_row, int64_t n,
                                  const float *x, bool allow_infinity, const double *ceiling, double *energy,
                                  float *grad);
ebm_status ebm__model_energy_all(ebm_model *model, const float *theta, int64_t n, const float *x, bool allow_infinity,
                                 double *energy, float *grad);

/*
 * grad = sum_i weight[i] dE(x_i)/dtheta, and energies unless NULL, in chunks, on threads, where the model allows.
 * Energies and gradients are finite on success.
 */
ebm_status ebm__model_param_grad_all(ebm_model *model, const float *theta, int64_t n, const float *x,
                                     const float *weight, double *energy, float *grad);

/*
 * grad = sum_i weight[i] d/dtheta (direction_i . dE(x_i)/dx), and, unless NULL, slope[i] = direction_i . dE(x_i)/dx.
 * EBM_ERR_STATE when the model has no mixed_grad callback. All else as above.
 */
ebm_status ebm__model_mixed_grad_all(ebm_model *model, const float *theta, int64_t n, const float *x,
                                     const float *direction, const float *weight, double *slope, float *grad);

/* Rows that one call of the energy callback gets, of n. */
int64_t ebm__model_chunk_rows(const ebm_model *model, int64_t n);

#endif /* EBM_MODEL_MODEL_H */

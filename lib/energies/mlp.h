/* SPDX-License-Identifier: MIT */
/*
 * Inside the multilayer perceptron: h_0 = x, h_l = act(W_l h_(l-1) + b_l) for l = 1 .. L, E = w' h_L + b. In the code
 * layers count from 0, and the last one, layer[n_hidden], is the output w, b.
 */
#ifndef EBM_ENERGIES_MLP_H
#define EBM_ENERGIES_MLP_H

#include <stdint.h>

#include <ebm/model.h>

#include "energies/builtin.h"

enum { EBM__MLP_MOST_HIDDEN = 64 };

typedef struct ebm__mlp_layer {
    int64_t in;     /* width of what comes in */
    int64_t out;    /* width of what goes out */
    int64_t weight; /* place in theta of the weights, out x in */
    int64_t bias;   /* place in theta of the biases, out */
} ebm__mlp_layer;

typedef struct ebm__mlp {
    ebm__builtin_state state; /* first */
    int32_t activation;
    int32_t n_hidden;
    int64_t widest; /* of the hidden layers; 0 when there are none */
    int64_t total;  /* units in all hidden layers */
    ebm__mlp_layer layer[EBM__MLP_MOST_HIDDEN + 1];
} ebm__mlp;

/* The callbacks; user_data is an ebm__mlp. */
int32_t ebm__mlp_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                        void *user_data);
int32_t ebm__mlp_param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta,
                            double *energy, float *grad_theta, void *user_data);

#endif /* EBM_ENERGIES_MLP_H */

/* SPDX-License-Identifier: MIT */
/*
 * Inside the convolutional energy: h_0 = x, h_l = act(W_l * h_(l-1) + b_l), a mean over places if wanted, then a
 * perceptron. Inside, images are channels last (place after place, each with all its channels): a convolution is then
 * one product, rows being places and columns being channels, as everywhere in the library. Layers count from 0.
 */
#ifndef EBM_ENERGIES_CONV_H
#define EBM_ENERGIES_CONV_H

#include <stdbool.h>
#include <stdint.h>

#include <ebm/model.h>

#include "energies/builtin.h"
#include "energies/mlp.h"

enum { EBM__CONV_MOST_LAYERS = 64 };

typedef struct ebm__conv_layer {
    int64_t channels, height, width; /* of what comes in */
    int64_t filters, kernel, stride;
    int64_t pad;                     /* zeros beyond the edges above and left; as many or fewer are met below and right */
    int64_t out_height, out_width;
    int64_t places;                  /* out_height x out_width */
    int64_t patch;                   /* kernel x kernel x channels: the floats that one place sees */
    int64_t tile;                    /* places in one product */
    int64_t weight;                  /* place in theta of the weights, filters x kernel x kernel x channels */
    int64_t bias;                    /* place in theta of the biases, filters */
    bool residual;                   /* what comes in is added to what goes out */
} ebm__conv_layer;

typedef struct ebm__conv {
    ebm__builtin_state state; /* first */
    int32_t activation; /* without EBM_NET_RESIDUAL */
    int32_t pooling;
    int32_t n_layers;
    int64_t widest;   /* floats of an image that comes out of a layer, at most */
    int64_t total;    /* of all that do */
    int64_t features; /* that the perceptron gets */
    ebm__conv_layer layer[EBM__CONV_MOST_LAYERS];
    ebm__mlp head;
} ebm__conv;

/* The callbacks; user_data is an ebm__conv. */
int32_t ebm__conv_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                         void *user_data);
int32_t ebm__conv_param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta,
                             double *energy, float *grad_theta, void *user_data);
int32_t ebm__conv_mixed_grad(int64_t n, int64_t dim, const float *x, const float *direction, const float *weight,
                             const float *theta, double *slope, float *grad_theta, void *user_data);

#endif /* EBM_ENERGIES_CONV_H */

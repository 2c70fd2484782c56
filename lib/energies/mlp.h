/* SPDX-License-Identifier: MIT */
/*
 * Inside the multilayer perceptron: h_0 = x, h_l = act(W_l h_(l-1) + b_l) for l = 1 .. L, E = w' h_L + b. In the code
 * layers count from 0, and the last one, layer[n_hidden], is the output w, b.
 */
#ifndef EBM_ENERGIES_MLP_H
#define EBM_ENERGIES_MLP_H

#include <stdbool.h>
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
    int32_t activation; /* without EBM_NET_RESIDUAL */
    bool residual;
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
int32_t ebm__mlp_mixed_grad(int64_t n, int64_t dim, const float *x, const float *direction, const float *weight,
                            const float *theta, double *slope, float *grad_theta, void *user_data);

/*
 * What follows is also for energies that end in a perceptron, whose parameters are the last ones of theta. `caller` and
 * `count_name`, the argument's, stand in messages.
 */
ebm_status ebm__mlp_check(const char *caller, const char *count_name, int32_t n_hidden, const int64_t *widths,
                          int32_t activation);

/* The layers for `dim` inputs, the first one's weights at `place` in theta. Arguments are as ebm__mlp_check wants. */
ebm_status ebm__mlp_lay_out(ebm__mlp *mlp, const char *caller, int64_t dim, int64_t place, int32_t n_hidden,
                            const int64_t *widths, int32_t activation);
ebm_status ebm__mlp_add_tensors(ebm_model *model, const ebm__mlp *mlp);

/*
 * Weights theta[place], ... from N(0, g / fan_in). g = 2 keeps the size of signals where about half of them pass (He et
 * al. 2015, eq. 10), g = 1 where all do (LeCun et al. 1998): for tanh, and for what no activation (0) follows.
 * Number i of the random sequence is for element i of theta.
 */
void ebm__mlp_draw_weights(uint64_t seed, int64_t place, int64_t count, int64_t fan_in, int32_t activation,
                           float *theta);
void ebm__mlp_init_weights(const ebm__mlp *mlp, uint64_t seed, float *theta);

/*
 * What a pass over rows computes: of the energy or, with a direction, of its derivative D along that. Each may be NULL.
 */
typedef struct ebm__mlp_outputs {
    double *energy; /* or D */
    float *grad_x;  /* of row i times weight[i], if there are weights */
    const float *weight;
    float *grad_theta; /* needs weights */
    bool add;          /* to what is in grad_theta */
    const float *direction; /* needs weights and grad_theta */
    float *grad_direction;  /* as grad_x */
} ebm__mlp_outputs;

int32_t ebm__mlp_pass(ebm__mlp *mlp, int64_t n, const float *x, const float *theta, const ebm__mlp_outputs *to);

#endif /* EBM_ENERGIES_MLP_H */

/* SPDX-License-Identifier: MIT */
/*
 * The multilayer perceptron's callbacks: one forward pass, and one backward pass by the chain rule (Rumelhart, Hinton
 * and Williams 1986). With slopes s_l = act'(W_l h_(l-1) + b_l):
 *   delta_L = w s_L, delta_(l-1) = (W_l' delta_l) s_(l-1), dE/dx = W_1' delta_1,
 *   dE/dW_l = delta_l h_(l-1)', dE/db_l = delta_l, dE/dw = h_L, dE/db = 1.
 * A residual layer, h_l = h_(l-1) + act(...), hands dE/dh_l down too: dE/dh_(l-1) = W_l' delta_l + dE/dh_l.
 * With a direction there are two rows for each point, as energies/tangent.h has them.
 * Rows pass in blocks that leave the processor's second-level cache some room; matrix products are BLAS's.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "core/blas.h"
#include "core/simd.h"
#include "energies/loops.h"
#include "energies/mlp.h"
#include "energies/tangent.h"

enum { ROWS = 256, ALIGNED_ROWS = 16 /* floats in a cache line */ };

/* One block of rows on its way through the layers. */
typedef struct block {
    const ebm__mlp *mlp;
    const float *theta;
    int64_t rows;
    int64_t points; /* rows, or, with tangents, half of them */
    const float *x;
    float *hidden[EBM__MLP_MOST_HIDDEN]; /* outputs of the layers; two buffers in turn unless all are needed */
    float *slope[EBM__MLP_MOST_HIDDEN];  /* NULL when only energies are wanted; the backward pass leaves deltas here */
    float *spare;                        /* for the backward pass */
    float *pairs;                        /* with tangents: room for x */
} block;

typedef enum need { NEED_ENERGY, NEED_GRAD_X, NEED_GRAD_THETA, NEED_MIXED } need;

/* Cuts `memory` up for blocks of at most `rows` rows, or, when memory is NULL, tells how many floats that takes. */
static int64_t cut(const ebm__mlp *mlp, need what, int64_t rows, float *memory, block *b) {
    rows = (rows + ALIGNED_ROWS - 1) / ALIGNED_ROWS * ALIGNED_ROWS;
    int64_t pair = rows * mlp->widest;
    int64_t all = rows * mlp->total;
    bool keeps = what >= NEED_GRAD_THETA;
    int64_t hidden = keeps ? all : 2 * pair;
    int64_t slope = what == NEED_ENERGY ? 0 : all;
    int64_t spare = keeps ? pair : 0;
    int64_t pairs = what == NEED_MIXED ? rows * mlp->layer[0].in : 0;
    if (memory != NULL) {
        int64_t before = 0;
        for (int32_t l = 0; l < mlp->n_hidden; l++) {
            b->hidden[l] = memory + (keeps ? before : l % 2 * pair);
            b->slope[l] = what == NEED_ENERGY ? NULL : memory + hidden + before;
            before += rows * mlp->layer[l].out;
        }
        b->spare = keeps ? memory + hidden + slope : memory;
        b->pairs = memory + hidden + slope + spare;
    }
    return hidden + slope + spare + pairs;
}

static const float *input_of(const block *b, int32_t l) {
    return l == 0 ? b->x : b->hidden[l - 1];
}

/* The second of two halves of rows; that of points when there are no tangents. */
static int64_t tangents(const block *b, int64_t width) {
    return (b->rows - b->points) * width;
}

static bool is_residual(const ebm__mlp *mlp, int32_t l) {
    return mlp->residual && l > 0 && l < mlp->n_hidden && mlp->layer[l].in == mlp->layer[l].out;
}

static void forward(const block *b) {
    const ebm__simd *simd = ebm__simd_used();
    for (int32_t l = 0; l < b->mlp->n_hidden; l++) {
        const ebm__mlp_layer *layer = &b->mlp->layer[l];
        ebm__gemm(false, true, b->rows, layer->out, layer->in, input_of(b, l), b->theta + layer->weight, 0.0F,
                  b->hidden[l]);
        if (b->points == b->rows) {
            simd->activate(b->mlp->activation, b->rows, layer->out, b->theta + layer->bias, b->hidden[l], b->slope[l]);
        } else {
            int64_t half = tangents(b, layer->out);
            ebm__tangent_forward(b->mlp->activation, b->points, layer->out, b->theta + layer->bias, b->hidden[l],
                                 b->hidden[l] + half, b->slope[l], b->slope[l] + half, b->spare);
        }
        for (int64_t i = 0; is_residual(b->mlp, l) && i < b->rows * layer->out; i++) {
            b->hidden[l][i] += b->hidden[l - 1][i];
        }
    }
}

static void write_energies(const block *b, double *energy) {
    const ebm__mlp_layer *output = &b->mlp->layer[b->mlp->n_hidden];
    const float *last = input_of(b, b->mlp->n_hidden) + tangents(b, output->in);
    const float *w = b->theta + output->weight;
    double bias = b->points < b->rows ? 0.0 : (double)b->theta[output->bias];
    for (int64_t r = 0; r < b->points; r++) {
        energy[r] = ebm__dot(output->in, last + r * output->in, w) + bias;
    }
}

/* delta_L, times the rows' weights if there are any: w is the same for all rows (eta is 0, tau w). slope[L] becomes it. */
static void start_back(const block *b, const float *weight) {
    const ebm__mlp_layer *output = &b->mlp->layer[b->mlp->n_hidden];
    const float *w = b->theta + output->weight;
    float *slope = b->slope[b->mlp->n_hidden - 1];
    bool keeps = is_residual(b->mlp, b->mlp->n_hidden - 1);
    for (int64_t r = 0; r < b->rows; r++) {
        float scale = weight == NULL ? 1.0F : weight[r < b->points ? r : r - b->points];
        float passed = b->points < b->rows && r < b->points ? 0.0F : scale; /* eta is 0 */
        for (int64_t c = 0; keeps && c < output->in; c++) {
            b->spare[r * output->in + c] = passed * w[c];
        }
        for (int64_t c = 0; c < output->in; c++) {
            slope[r * output->in + c] *= scale * w[c];
        }
    }
}

/*
 * delta_(l-1) from delta_l, through layer l; slope[l - 1] becomes it. dE/dh_l is in spare if this layer or the one above
 * has a use for it, and dE/dh_(l-1) after that.
 */
static void step_back(const block *b, int32_t l) {
    const ebm__mlp_layer *layer = &b->mlp->layer[l];
    float *slope = b->slope[l - 1];
    ebm__gemm(false, false, b->rows, layer->in, layer->out, b->slope[l], b->theta + layer->weight,
              is_residual(b->mlp, l) ? 1.0F : 0.0F, b->spare);
    if (b->points < b->rows) {
        int64_t half = tangents(b, layer->in);
        ebm__tangent_back(half, b->spare, b->spare + half, slope, slope + half);
        return;
    }
    for (int64_t i = 0; i < b->rows * layer->in; i++) {
        slope[i] *= b->spare[i];
    }
}

/*
 * Through the first layer, from the deltas of the first or second half of the rows. Times the rows' weights where no
 * layer has taken them in.
 */
static void finish_half(const block *b, bool second, const float *weight, float *grad) {
    const ebm__mlp_layer *first = &b->mlp->layer[0];
    if (b->mlp->n_hidden > 0) {
        ebm__gemm(false, false, b->points, first->in, first->out, b->slope[0] + (second ? tangents(b, first->out) : 0),
                  b->theta + first->weight, 0.0F, grad);
        return;
    }
    for (int64_t r = 0; r < b->points; r++) {
        float scale = weight == NULL ? 1.0F : weight[r];
        if (b->points < b->rows && !second) {
            scale = 0.0F; /* a linear energy's D does not depend on x */
        }
        for (int64_t c = 0; c < first->in; c++) {
            grad[r * first->in + c] = scale * b->theta[first->weight + c];
        }
    }
}

static void backward_to_x(const block *b, const float *weight, float *grad_x) {
    if (b->mlp->n_hidden > 0) {
        start_back(b, weight);
    }
    for (int32_t l = b->mlp->n_hidden - 1; l > 0; l--) {
        step_back(b, l);
    }
    finish_half(b, false, weight, grad_x);
}

/* `add`: to what earlier blocks have left in grad_theta. */
static void backward_to_theta(const block *b, const float *weight, bool add, float *grad_theta) {
    int32_t n_hidden = b->mlp->n_hidden;
    const ebm__mlp_layer *output = &b->mlp->layer[n_hidden];
    ebm__column_sums(b->points, output->in, input_of(b, n_hidden) + tangents(b, output->in), weight, add,
                     grad_theta + output->weight);
    if (b->points == b->rows) {
        ebm__column_sums(b->rows, 1, weight, NULL, add, grad_theta + output->bias);
    } else if (!add) {
        grad_theta[output->bias] = 0.0F;
    }
    if (n_hidden > 0) {
        start_back(b, weight);
    }
    for (int32_t l = n_hidden - 1; l >= 0; l--) {
        const ebm__mlp_layer *layer = &b->mlp->layer[l];
        ebm__gemm(true, false, layer->out, layer->in, b->rows, b->slope[l], input_of(b, l), add ? 1.0F : 0.0F,
                  grad_theta + layer->weight);
        ebm__column_sums(b->points, layer->out, b->slope[l], NULL, add, grad_theta + layer->bias);
        if (l > 0) {
            step_back(b, l);
        }
    }
}

/* The rows of points `first`, ...: theirs and their tangents'. */
static const float *pair_up(const block *b, int64_t first, const float *x, const float *direction) {
    int64_t dim = b->mlp->layer[0].in;
    size_t bytes = (size_t)(b->points * dim) * sizeof *x;
    memcpy(b->pairs, x + first * dim, bytes);
    memcpy(b->pairs + b->points * dim, direction + first * dim, bytes);
    return b->pairs;
}

static void pass_block(const block *b, int64_t first, const ebm__mlp_outputs *to) {
    int64_t dim = b->mlp->layer[0].in;
    const float *weight = to->weight == NULL ? NULL : to->weight + first;
    float *grad_x = to->grad_x == NULL ? NULL : to->grad_x + first * dim;
    forward(b);
    if (to->energy != NULL) {
        write_energies(b, to->energy + first);
    }
    if (to->grad_theta != NULL) {
        backward_to_theta(b, weight, to->add || first > 0, to->grad_theta);
        if (grad_x != NULL) {
            finish_half(b, false, weight, grad_x);
        }
        if (to->grad_direction != NULL) {
            finish_half(b, true, weight, to->grad_direction + first * dim);
        }
    } else if (grad_x != NULL) {
        backward_to_x(b, weight, grad_x);
    }
}

int32_t ebm__mlp_pass(ebm__mlp *mlp, int64_t n, const float *x, const float *theta, const ebm__mlp_outputs *to) {
    need what = to->direction != NULL    ? NEED_MIXED
                : to->grad_theta != NULL ? NEED_GRAD_THETA
                : to->grad_x != NULL     ? NEED_GRAD_X
                                         : NEED_ENERGY;
    int64_t per_point = to->direction != NULL ? 2 : 1;
    int64_t most = n < ROWS / per_point ? n : ROWS / per_point;
    int64_t floats = cut(mlp, what, most * per_point, NULL, NULL);
    float *memory = NULL;
    if (floats > 0) {
        memory = ebm__scratch_borrow(&mlp->state.scratch, floats * (int64_t)sizeof(float), "multilayer perceptron");
        if (memory == NULL) {
            return EBM_ERR_NOMEM;
        }
    }
    block b = {.mlp = mlp, .theta = theta};
    cut(mlp, what, most * per_point, memory, &b);
    for (int64_t first = 0; first < n; first += most) {
        b.points = n - first < most ? n - first : most;
        b.rows = b.points * per_point;
        b.x = to->direction != NULL ? pair_up(&b, first, x, to->direction) : x + first * mlp->layer[0].in;
        pass_block(&b, first, to);
    }
    ebm__scratch_return(&mlp->state.scratch, memory);
    return EBM_CB_OK;
}

int32_t ebm__mlp_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                        void *user_data) {
    (void)dim; /* the first layer knows it */
    return ebm__mlp_pass(user_data, n, x, theta, &(ebm__mlp_outputs){.energy = energy, .grad_x = grad_x});
}

int32_t ebm__mlp_param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta,
                            double *energy, float *grad_theta, void *user_data) {
    (void)dim;
    return ebm__mlp_pass(user_data, n, x, theta,
                         &(ebm__mlp_outputs){.energy = energy, .weight = weight, .grad_theta = grad_theta});
}

int32_t ebm__mlp_mixed_grad(int64_t n, int64_t dim, const float *x, const float *direction, const float *weight,
                            const float *theta, double *slope, float *grad_theta, void *user_data) {
    (void)dim;
    return ebm__mlp_pass(user_data, n, x, theta,
                         &(ebm__mlp_outputs){
                             .energy = slope, .weight = weight, .grad_theta = grad_theta, .direction = direction});
}

/* SPDX-License-Identifier: MIT */
/**
 * @file energies.h
 * Energies that come with the library. Each is an ebm_model made through the public callbacks: whatever works on one of
 * these works on a host's own. All are concurrent (ebm_model_set_concurrent) and have a rule for starting values;
 * ebm_transformed_create has both from the model that it wraps.
 */
#ifndef EBM_ENERGIES_H
#define EBM_ENERGIES_H

#include <stdint.h>

#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/model.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    EBM_ACT_SILU = 1,     /**< z / (1 + exp(-z)) (Elfwing, Uchibe, Doya 2018) */
    EBM_ACT_SOFTPLUS = 2, /**< log(1 + exp(z)) (Dugas et al. 2001) */
    EBM_ACT_TANH = 3,     /**< tanh(z) */
    EBM_ACT_RELU = 4      /**< max(z, 0); its energy is piecewise linear, so prefer a smooth one for sampling */
};

enum {
    EBM_NET_RESIDUAL = 256 /**< added to an activation: layers of matching shape become h + act(W h + b) */
};

enum {
    EBM_POOL_NONE = 0, /**< every place and channel is a feature of its own */
    EBM_POOL_MEAN = 1  /**< the mean of each channel over all places */
};

/**
 * Gaussian: E(x) = (x - m)' P (x - m) / 2. Tensors: `mean` (dim), `precision` (dim x dim). The density is that of
 * N(m, P^-1). Training moves both; only the symmetric part of P has an effect.
 * @param context may be NULL.
 * @param dim 1 or more.
 * @param mean dim finite floats, copied; NULL is zero.
 * @param precision dim x dim, symmetric, positive definite, copied; NULL is the identity.
 * @param out receives the handle. ebm_model_init_params sets the mean to 0 and the precision to the identity.
 * Errors: EBM_ERR_ARG (also for a matrix that is not symmetric or not positive definite), EBM_ERR_OVERFLOW.
 * @since 0.1
 */
EBM_API ebm_status ebm_gaussian_create(ebm_context *context, int64_t dim, const float *mean, const float *precision,
                                       ebm_model **out);

/**
 * Double well: E(x) = sum_i b (x_i^2 - 1)^2, two wells a coordinate with a barrier of height b between them. Tensor:
 * `barrier` (rank 0). ebm_model_init_params sets the barrier to 1.
 * @param context may be NULL.
 * @param dim 1 or more.
 * @param barrier b, finite and above 0.
 * @param out receives the handle.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_double_well_create(ebm_context *context, int64_t dim, double barrier, ebm_model **out);

/**
 * Multilayer perceptron with one output: h_0 = x, h_l = act(W_l h_(l-1) + b_l), E(x) = w' h_L + b. Tensors, for l = 1
 * .. L: `layer<l>.weight` (widths[l-1] x width of layer l-1, as torch.nn.Linear), `layer<l>.bias`; then
 * `output.weight` (1 x last width) and `output.bias` (1). Activations are float32, energies are summed in float64.
 *
 * ebm_model_init_params draws weights from N(0, g / fan_in) and sets biases to 0, with g = 2 for SiLU, softplus and
 * ReLU (He et al. 2015, eq. 10) and g = 1 for tanh and for the output (LeCun et al. 1998). Before that all are 0.
 *
 * @param context may be NULL.
 * @param dim floats in x.
 * @param n_hidden number of hidden layers L, 0 to 64 (0: a linear energy).
 * @param widths n_hidden sizes, each at least 1.
 * @param activation one of EBM_ACT_...; + EBM_NET_RESIDUAL: from the second hidden layer on, one that is as wide as the
 *   layer before it is h_l = h_(l-1) + act(W_l h_(l-1) + b_l) (He, Zhang, Ren, Sun 2016).
 * @param out receives the handle.
 * Errors: EBM_ERR_ARG, EBM_ERR_OVERFLOW.
 * @since 0.1
 */
EBM_API ebm_status ebm_mlp_create(ebm_context *context, int64_t dim, int32_t n_hidden, const int64_t *widths,
                                  int32_t activation, ebm_model **out);

/**
 * Convolutional energy of images: h_0 = x, h_l = act(W_l * h_(l-1) + b_l) for l = 1 .. n_conv; the features are all of
 * the last h, or its means over places; then a multilayer perceptron on them, as ebm_mlp_create makes it. A row of x is
 * channels x height x width floats. The convolution (as everywhere, in fact a correlation) puts (kernel - 1) / 2 zeros,
 * rounded down, around the image: at stride 1 an odd kernel keeps its size; (size + 2 pad - kernel) / stride + 1,
 * rounded down, in general.
 *
 * Tensors, channels last: `conv<l>.weight` (filters[l-1] x kernel x kernel x channels that come in: what torch.nn.Conv2d
 * has, permuted by 0, 2, 3, 1), `conv<l>.bias`; then those of the perceptron, `layer<l>.weight` ..., whose inputs count
 * row, column, channel. Activations are float32, energies are summed in float64. Starting values are the perceptron's,
 * with fan_in = kernel x kernel x channels.
 *
 * @param context may be NULL.
 * @param channels,height,width of the image, each at least 1, their product at most 2^31 - 1.
 * @param n_conv convolutions, 1 to 64.
 * @param filters,kernel,stride n_conv sizes each, at least 1; an even kernel needs 2 x 2 pixels or more.
 * @param pooling one of EBM_POOL_... .
 * @param n_dense hidden layers of the perceptron, 0 to 64.
 * @param widths n_dense sizes, each at least 1.
 * @param activation one of EBM_ACT_..., after convolutions and hidden layers alike; + EBM_NET_RESIDUAL: from the second
 *   convolution on, one that keeps channels, height and width is h + act(W * h + b), and so in the perceptron.
 * @param out receives the handle.
 * Errors: EBM_ERR_ARG, EBM_ERR_OVERFLOW.
 * @since 0.1
 */
EBM_API ebm_status ebm_conv_create(ebm_context *context, int64_t channels, int64_t height, int64_t width,
                                   int32_t n_conv, const int64_t *filters, const int64_t *kernel,
                                   const int64_t *stride, int32_t pooling, int32_t n_dense, const int64_t *widths,
                                   int32_t activation, ebm_model **out);

/**
 * Weighted sum of energies: E(x) = sum_k w_k E_k(x), with the density prod_k q_k(x)^w_k: a product of experts (Hinton
 * 2002), concepts composed (Du, Li, Mordatch 2020), or one model at the temperature T (n_models = 1, w = 1 / T).
 *
 * Tensors: those of every part that can be trained (one with a param_grad callback), part after part, with `<k>.` before
 * their names: `0.layer1.weight`. They start as copies of the parts' parameters and are the sum's own from then on: a
 * part's own parameters neither move with the sum nor move it. The parameters of a part without param_grad are copied
 * too, and stay as they were. The weights are no parameters. A part may stand in the sum more than once.
 *
 * The sum keeps its parts alive, calls their callbacks, and follows the sign of each. It is concurrent if every part
 * was at its creation; a part that was not must not be evaluated elsewhere at the same time. +infinity, times a weight
 * above 0, is +infinity. When a part fails, the sum fails with the part's status and its message, and the part's index.
 * ebm_model_init_params follows every part's own rule, for part k with the seed `seed ^ k * 0x9E3779B97F4A7C15`; without
 * a rule for each of the trained parts the sum has none.
 *
 * @param context may be NULL.
 * @param n_models 1 or more.
 * @param models n_models models of the same dim; they take no more tensors.
 * @param weights n_models finite numbers of either sign; 0 leaves a part out. NULL: all are 1.
 * @param out receives the handle.
 * Errors: EBM_ERR_ARG (also for a tensor's name that becomes too long), EBM_ERR_OVERFLOW, EBM_ERR_BUSY and
 * EBM_ERR_STATE (a part is at work or was left by an exception).
 * @since 0.1
 */
EBM_API ebm_status ebm_sum_create(ebm_context *context, int32_t n_models, ebm_model *const *models,
                                  const double *weights, ebm_model **out);

enum {
    EBM_TRANSFORM_NONE = 0,     /**< x = y */
    EBM_TRANSFORM_LOWER = 1,    /**< x > lo: x = lo + exp(y) */
    EBM_TRANSFORM_UPPER = 2,    /**< x < hi: x = hi - exp(y) */
    EBM_TRANSFORM_INTERVAL = 3, /**< lo < x < hi: x = lo + (hi - lo) / (1 + exp(-y)) */
    EBM_TRANSFORM_SIMPLEX = 4,  /**< K x above 0 with the sum 1, from K - 1 y; y = 0 is x = 1 / K */
    EBM_TRANSFORM_ORDERED = 5   /**< x_1 < x_2 < ...: x_1 = y_1, x_k = x_(k-1) + exp(y_k) */
};

/**
 * An energy whose coordinates x obey constraints, as one whose coordinates y are any reals: E_t(y) = E(x(y)) - log |det
 * dx/dy|, so that y has the density that makes x(y) distributed as exp(-E(x)). Samplers and trainers work on it as on
 * any model; ebm_transformed_constrain then gives x. Source: Stan Reference Manual, "Constraint Transforms" (simplex:
 * stick-breaking).
 *
 * The coordinates of x are cut into blocks, in order. x is the nearest float inside the constraint, never on a bound
 * (of a simplex: never 0; ordered: no two equal), so an inner energy may take its logarithm; log |det dx/dy| is that
 * of y before this rounding. Where x exceeds the largest float, E_t is +infinity. A density that rises steeply to a
 * bound is resolved best with that bound at 0, where floats are dense. Gradients beyond the largest float are cut off
 * there.
 *
 * The parameters are those of `inner`, in the same memory: training the one trains the other. Neither may be bound
 * elsewhere afterwards (bind those of `inner` before). While a call works on the one, leave the other alone.
 *
 * @param context may be NULL.
 * @param inner the energy in x; kept, so it may be destroyed before the new model. It may be transformed itself. It
 *   takes no more tensors. Whether it is concurrent, and has a rule for starting values, is taken over now; its sign is
 *   respected, and the new model's own is EBM_SIGN_ENERGY.
 * @param n_blocks 1 or more.
 * @param kinds n_blocks of EBM_TRANSFORM_... .
 * @param sizes n_blocks sizes in x, 1 or more (simplex: 2 or more), with the sum ebm_model_dim(inner).
 * @param lo,hi n_blocks bounds, read where the kind has such a bound, finite and at most half the largest float in
 *   size; NULL when none is read.
 * @param out receives the handle. Its dim is the sum of sizes less one for each simplex.
 * Errors: EBM_ERR_ARG.
 * @since 0.1
 */
EBM_API ebm_status ebm_transformed_create(ebm_context *context, ebm_model *inner, int32_t n_blocks,
                                          const int32_t *kinds, const int64_t *sizes, const double *lo,
                                          const double *hi, ebm_model **out);
/**
 * x(y), one transform deep. Reads only what is fixed at creation: any thread, and inside callbacks too.
 * @param model one of ebm_transformed_create.
 * @param n rows.
 * @param y n x ebm_model_dim(model), finite.
 * @param x receives n rows of the inner model's dim; not the memory of y.
 * Errors: EBM_ERR_ARG (also for a model that is not transformed), EBM_ERR_OVERFLOW.
 * @since 0.1
 */
EBM_API ebm_status ebm_transformed_constrain(const ebm_model *model, int64_t n, const float *y, float *x);
/**
 * The y of an x inside the constraints: of data to train on, or of a place to start from. All else is as in
 * ebm_transformed_constrain.
 * @param x n rows of the inner model's dim, finite. Above lo, below hi, in order; a simplex adds up to 1 within 1e-4,
 *   and its sum is taken for 1.
 * @param y receives n x ebm_model_dim(model); not the memory of x.
 * Errors: EBM_ERR_ARG, with row and column; y is then as it was.
 * @since 0.1
 */
EBM_API ebm_status ebm_transformed_unconstrain(const ebm_model *model, int64_t n, const float *x, float *y);

#ifdef __cplusplus
}
#endif

#endif /* EBM_ENERGIES_H */

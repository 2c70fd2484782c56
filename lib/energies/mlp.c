/* SPDX-License-Identifier: MIT */
/* Making a multilayer perceptron: its layers, their tensors, and where weights start. */
#include "energies/mlp.h"

#include <ebm/energies.h>

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/blas.h"
#include "core/error.h"
#include "core/simd.h"

static const char CALLER[] = "ebm_mlp_create";

ebm_status ebm__mlp_check(const char *caller, const char *count_name, int32_t n_hidden, const int64_t *widths,
                          int32_t activation) {
    if (n_hidden < 0 || n_hidden > EBM__MLP_MOST_HIDDEN) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s is %" PRId32 ", must be 0 to %d", caller, count_name, n_hidden,
                         EBM__MLP_MOST_HIDDEN);
    }
    if (n_hidden > 0 && widths == NULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: widths is NULL", caller);
    }
    for (int32_t l = 0; l < n_hidden; l++) {
        if (widths[l] < 1) {
            return ebm__fail(EBM_ERR_ARG, "%s: widths[%" PRId32 "] is %" PRId64 ", must be 1 or more", caller, l,
                             widths[l]);
        }
        if (widths[l] > EBM__BLAS_MAX) {
            return ebm__fail(EBM_ERR_OVERFLOW, "%s: widths[%" PRId32 "] is %" PRId64 ", must be at most %" PRId64,
                             caller, l, widths[l], EBM__BLAS_MAX);
        }
    }
    int32_t alone = activation & ~EBM_NET_RESIDUAL;
    if (alone < EBM_ACT_SILU || alone > EBM_ACT_RELU) {
        return ebm__fail(EBM_ERR_ARG,
                         "%s: activation is %" PRId32 ", must be one of EBM_ACT_..., or that + EBM_NET_RESIDUAL", caller,
                         activation);
    }
    return EBM_OK;
}

ebm_status ebm__mlp_lay_out(ebm__mlp *mlp, const char *caller, int64_t dim, int64_t place, int32_t n_hidden,
                            const int64_t *widths, int32_t activation) {
    const int64_t most = INT64_MAX / (int64_t)sizeof(float);
    int64_t in = dim;
    mlp->activation = activation & ~EBM_NET_RESIDUAL;
    mlp->residual = activation != mlp->activation;
    mlp->n_hidden = n_hidden;
    for (int32_t l = 0; l <= n_hidden; l++) {
        int64_t out = l < n_hidden ? widths[l] : 1;
        int64_t size = in * out; /* each below 2^31 */
        if (size > most - out - place) {
            return ebm__fail(EBM_ERR_OVERFLOW, "%s: with the %" PRId64 " x %" PRId64 " weights of layer %" PRId32
                             ", the parameters do not fit", caller, out, in, l + 1);
        }
        mlp->layer[l] = (ebm__mlp_layer){.in = in, .out = out, .weight = place, .bias = place + size};
        place += size + out;
        if (l < n_hidden) {
            mlp->total += out;
            mlp->widest = out > mlp->widest ? out : mlp->widest;
        }
        in = out;
    }
    return EBM_OK;
}

ebm_status ebm__mlp_add_tensors(ebm_model *model, const ebm__mlp *mlp) {
    for (int32_t l = 0; l <= mlp->n_hidden; l++) {
        char layer[16] = "output";
        if (l < mlp->n_hidden) {
            snprintf(layer, sizeof layer, "layer%d", (int)l + 1);
        }
        int64_t shape[2] = {mlp->layer[l].out, mlp->layer[l].in};
        char name[32];
        snprintf(name, sizeof name, "%s.weight", layer);
        EBM__TRY(ebm_model_add_tensor(model, name, 2, shape));
        snprintf(name, sizeof name, "%s.bias", layer);
        EBM__TRY(ebm_model_add_tensor(model, name, 1, shape));
    }
    return EBM_OK;
}

void ebm__mlp_draw_weights(uint64_t seed, int64_t place, int64_t count, int64_t fan_in, int32_t activation,
                           float *theta) {
    const ebm__sequence sequence = {.seed = seed, .step = 0, .stream = EBM__STREAM_INIT};
    double gain = activation == 0 || activation == EBM_ACT_TANH ? 1.0 : 2.0;
    float deviation = (float)sqrt(gain / (double)fan_in);
    ebm__simd_used()->normals(&sequence, place, count, theta + place);
    for (int64_t i = place; i < place + count; i++) {
        theta[i] *= deviation;
    }
}

void ebm__mlp_init_weights(const ebm__mlp *mlp, uint64_t seed, float *theta) {
    for (int32_t l = 0; l <= mlp->n_hidden; l++) {
        const ebm__mlp_layer *layer = &mlp->layer[l];
        ebm__mlp_draw_weights(seed, layer->weight, layer->in * layer->out, layer->in,
                              l == mlp->n_hidden ? 0 : mlp->activation, theta);
    }
}

static int32_t init(uint64_t seed, int64_t n_params, float *theta, void *user_data) {
    memset(theta, 0, (size_t)n_params * sizeof(float)); /* biases */
    ebm__mlp_init_weights(user_data, seed, theta);
    return EBM_CB_OK;
}

ebm_status ebm_mlp_create(ebm_context *context, int64_t dim, int32_t n_hidden, const int64_t *widths,
                          int32_t activation, ebm_model **out) {
    static const ebm__builtin_callbacks callbacks = {ebm__mlp_energy, ebm__mlp_param_grad, init,
                                                    ebm__mlp_mixed_grad};
    EBM__REQUIRE(out);
    EBM__TRY(ebm__builtin_check_dim(dim, CALLER));
    EBM__TRY(ebm__mlp_check(CALLER, "n_hidden", n_hidden, widths, activation));
    ebm__mlp *mlp;
    EBM__TRY(ebm__builtin_state_create(context, sizeof *mlp, CALLER, &mlp));
    ebm_status status = ebm__mlp_lay_out(mlp, CALLER, dim, 0, n_hidden, widths, activation);
    if (status != EBM_OK) {
        ebm__builtin_state_release(mlp);
        return status;
    }
    ebm_model *model;
    EBM__TRY(ebm__builtin_model_create(context, dim, &callbacks, mlp, &model));
    status = ebm__mlp_add_tensors(model, mlp);
    if (status != EBM_OK) {
        ebm_model_destroy(model);
        return status;
    }
    *out = model;
    return EBM_OK;
}

/* SPDX-License-Identifier: MIT */
/* Making a convolutional energy: the geometry of its layers, their tensors, and where weights start. */
#include "energies/conv.h"

#include <ebm/energies.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/blas.h"
#include "core/error.h"
#include "core/memory.h"

enum { TILE_FLOATS = 1 << 17, TILE_STEP = 16 }; /* columns of a tile, beside the weights, in a second-level cache */

static const char CALLER[] = "ebm_conv_create";

/* The arguments that describe the convolutions. */
typedef struct shape {
    int64_t channels, height, width;
    int32_t n_layers;
    const int64_t *filters, *kernel, *stride;
} shape;

static ebm_status check_size(const char *name, int32_t index, int64_t size, int64_t most) {
    char place[16] = "";
    if (index >= 0) {
        snprintf(place, sizeof place, "[%" PRId32 "]", index);
    }
    if (size < 1 || size > most) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s%s is %" PRId64 ", must be 1 to %" PRId64, CALLER, name, place, size, most);
    }
    return EBM_OK;
}

static ebm_status check_shape(const shape *s) {
    int64_t pixels;
    int64_t dim;
    EBM__TRY(check_size("channels", -1, s->channels, EBM__BLAS_MAX));
    EBM__TRY(check_size("height", -1, s->height, EBM__BLAS_MAX));
    EBM__TRY(check_size("width", -1, s->width, EBM__BLAS_MAX));
    if (!ebm__multiply(s->height, s->width, &pixels) || !ebm__multiply(s->channels, pixels, &dim) ||
        dim > EBM__BLAS_MAX) {
        return ebm__fail(EBM_ERR_OVERFLOW,
                         "%s: channels x height x width is %" PRId64 " x %" PRId64 " x %" PRId64
                         ", must be at most %" PRId64, CALLER, s->channels, s->height, s->width, EBM__BLAS_MAX);
    }
    EBM__TRY(check_size("n_conv", -1, s->n_layers, EBM__CONV_MOST_LAYERS));
    const char *missing = s->filters == NULL ? "filters" : s->kernel == NULL ? "kernel" : s->stride == NULL ? "stride"
                                                                                                         : NULL;
    if (missing != NULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s is NULL", CALLER, missing);
    }
    return EBM_OK;
}

/* Layer l on top of what comes in; `place` is where theta is free, and moves on. */
static ebm_status lay_out_layer(const shape *s, int32_t l, ebm__conv_layer *layer, int64_t *place) {
    const int64_t most = INT64_MAX / (int64_t)sizeof(float);
    EBM__TRY(check_size("filters", l, s->filters[l], EBM__BLAS_MAX));
    EBM__TRY(check_size("kernel", l, s->kernel[l], EBM__BLAS_MAX));
    EBM__TRY(check_size("stride", l, s->stride[l], EBM__BLAS_MAX));
    layer->filters = s->filters[l];
    layer->kernel = s->kernel[l];
    layer->stride = s->stride[l];
    layer->pad = (layer->kernel - 1) / 2;
    int64_t room = 2 * layer->pad - layer->kernel;
    if (layer->height + room < 0 || layer->width + room < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: kernel[%" PRId32 "] is %" PRId64 ", too large for %" PRId64 " x %" PRId64
                         " pixels", CALLER, l, layer->kernel, layer->height, layer->width);
    }
    layer->out_height = (layer->height + room) / layer->stride + 1;
    layer->out_width = (layer->width + room) / layer->stride + 1;
    layer->places = layer->out_height * layer->out_width; /* at most height x width */
    int64_t out;
    int64_t weights;
    if (!ebm__multiply(layer->places, layer->filters, &out) || out > EBM__BLAS_MAX ||
        !ebm__multiply(layer->kernel * layer->kernel, layer->channels, &layer->patch) || layer->patch > EBM__BLAS_MAX) {
        return ebm__fail(EBM_ERR_OVERFLOW,
                         "%s: layer %" PRId32 " makes %" PRId64 " places x %" PRId64 " filters of %" PRId64 " x %" PRId64
                         " x %" PRId64 " pixels, too many", CALLER, l, layer->places, layer->filters, layer->kernel,
                         layer->kernel, layer->channels);
    }
    weights = layer->patch * layer->filters; /* each below 2^31 */
    if (weights > most - layer->filters - *place) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: with the %" PRId64 " x %" PRId64 " weights of filters[%" PRId32
                         "], the parameters do not fit", CALLER, layer->filters, layer->patch, l);
    }
    int64_t tile = TILE_FLOATS / layer->patch / TILE_STEP * TILE_STEP;
    layer->tile = tile < TILE_STEP ? TILE_STEP : tile;
    layer->weight = *place;
    layer->bias = *place + weights;
    *place += weights + layer->filters;
    return EBM_OK;
}

static ebm_status lay_out(ebm__conv *conv, const shape *s, int32_t n_dense, const int64_t *widths, int32_t activation) {
    int64_t place = 0;
    ebm__conv_layer in = {.channels = s->channels, .height = s->height, .width = s->width};
    conv->n_layers = s->n_layers;
    for (int32_t l = 0; l < s->n_layers; l++) {
        ebm__conv_layer *layer = &conv->layer[l];
        *layer = in;
        EBM__TRY(lay_out_layer(s, l, layer, &place));
        layer->residual = (activation & EBM_NET_RESIDUAL) != 0 && l > 0 && layer->filters == layer->channels &&
                          layer->out_height == layer->height && layer->out_width == layer->width;
        int64_t out = layer->places * layer->filters;
        conv->total += out;
        conv->widest = out > conv->widest ? out : conv->widest;
        conv->features = conv->pooling == EBM_POOL_MEAN ? layer->filters : out;
        in = (ebm__conv_layer){.channels = layer->filters, .height = layer->out_height, .width = layer->out_width};
    }
    return ebm__mlp_lay_out(&conv->head, CALLER, conv->features, place, n_dense, widths, activation);
}

static ebm_status add_tensors(ebm_model *model, const ebm__conv *conv) {
    for (int32_t l = 0; l < conv->n_layers; l++) {
        const ebm__conv_layer *layer = &conv->layer[l];
        const int64_t sizes[4] = {layer->filters, layer->kernel, layer->kernel, layer->channels};
        char name[32];
        snprintf(name, sizeof name, "conv%d.weight", (int)l + 1);
        EBM__TRY(ebm_model_add_tensor(model, name, 4, sizes));
        snprintf(name, sizeof name, "conv%d.bias", (int)l + 1);
        EBM__TRY(ebm_model_add_tensor(model, name, 1, sizes));
    }
    return ebm__mlp_add_tensors(model, &conv->head);
}

static int32_t init(uint64_t seed, int64_t n_params, float *theta, void *user_data) {
    const ebm__conv *conv = user_data;
    memset(theta, 0, (size_t)n_params * sizeof(float)); /* biases */
    for (int32_t l = 0; l < conv->n_layers; l++) {
        const ebm__conv_layer *layer = &conv->layer[l];
        ebm__mlp_draw_weights(seed, layer->weight, layer->filters * layer->patch, layer->patch, conv->activation, theta);
    }
    ebm__mlp_init_weights(&conv->head, seed, theta);
    return EBM_CB_OK;
}

static void clear(void *state) {
    ebm__conv *conv = state;
    ebm__scratch_clear(&conv->head.state.scratch);
}

static ebm_status make_state(ebm_context *context, const shape *s, int32_t pooling, int32_t n_dense,
                             const int64_t *widths, int32_t activation, ebm__conv **out) {
    ebm__conv *conv;
    EBM__TRY(ebm__builtin_state_create(context, sizeof *conv, CALLER, &conv));
    ebm__scratch_init(&conv->head.state.scratch, context);
    conv->state.clear = clear;
    conv->pooling = pooling;
    conv->activation = activation & ~EBM_NET_RESIDUAL;
    ebm_status status = lay_out(conv, s, n_dense, widths, activation);
    if (status != EBM_OK) {
        ebm__builtin_state_release(conv);
        return status;
    }
    *out = conv;
    return EBM_OK;
}

ebm_status ebm_conv_create(ebm_context *context, int64_t channels, int64_t height, int64_t width, int32_t n_conv,
                           const int64_t *filters, const int64_t *kernel, const int64_t *stride, int32_t pooling,
                           int32_t n_dense, const int64_t *widths, int32_t activation, ebm_model **out) {
    static const ebm__builtin_callbacks callbacks = {ebm__conv_energy, ebm__conv_param_grad, init,
                                                    ebm__conv_mixed_grad};
    const shape s = {channels, height, width, n_conv, filters, kernel, stride};
    EBM__REQUIRE(out);
    EBM__TRY(check_shape(&s));
    if (pooling != EBM_POOL_NONE && pooling != EBM_POOL_MEAN) {
        return ebm__fail(EBM_ERR_ARG, "%s: pooling is %" PRId32 ", must be one of EBM_POOL_...", CALLER, pooling);
    }
    EBM__TRY(ebm__mlp_check(CALLER, "n_dense", n_dense, widths, activation));
    ebm__conv *conv;
    EBM__TRY(make_state(context, &s, pooling, n_dense, widths, activation, &conv));
    ebm_model *model;
    EBM__TRY(ebm__builtin_model_create(context, channels * height * width, &callbacks, conv, &model));
    ebm_status status = add_tensors(model, conv);
    if (status != EBM_OK) {
        ebm_model_destroy(model);
        return status;
    }
    *out = model;
    return EBM_OK;
}

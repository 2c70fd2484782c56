/* SPDX-License-Identifier: MIT */
/*
 * The convolutional energy's callbacks: forward, and back by the chain rule. With C_l the columns of h_(l-1) and slopes
 * s_l = act'(C_l W_l' + b_l), the perceptron gives dE/dh_L, and
 *   delta_L = dE/dh_L s_L, delta_(l-1) = im(delta_l W_l) s_(l-1), dE/dx = im(delta_1 W_1),
 *   dE/dW_l = delta_l' C_l, dE/db_l = the sum of delta_l over places,
 * where im adds columns back to pixels. Columns are made for a tile of places at a time, and made again on the way
 * back, so that they stay in the second-level cache and their memory does not grow with the image.
 * A residual layer, h_l = h_(l-1) + act(...), adds dE/dh_l to that.
 * With a direction there are two images for each point, as energies/tangent.h has them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "core/blas.h"
#include "core/simd.h"
#include "energies/conv.h"
#include "energies/conv_columns.h"
#include "energies/loops.h"
#include "energies/tangent.h"

#include <ebm/energies.h>

enum {
    MOST_IMAGES = 128,        /* in a block: a chunk of the model's rows, which gives the perceptron a good product */
    BLOCK_FLOATS = 1 << 21,   /* of all layers' outputs and slopes, unless one image has more */
    ALIGNED = 16              /* floats in a cache line */
};

/* What a call of a callback wants. Each may be NULL. */
typedef struct outputs {
    double *energy; /* or, with a direction, the slope along it */
    float *grad_x;
    const float *weight; /* of the rows in grad_theta */
    float *grad_theta;
    const float *direction; /* needs weights and grad_theta */
} outputs;

/* One block of images on its way through the layers. */
typedef struct block {
    ebm__conv *conv;
    const float *theta;
    int64_t images;
    int64_t points;                     /* images, or, with tangents, half of them */
    const float *x;                     /* channels last */
    float *pixels;                      /* room for x, where it comes with its channels first, or tangents beside it */
    float *hidden[EBM__CONV_MOST_LAYERS]; /* outputs of the layers; two buffers in turn unless all are needed */
    float *slope[EBM__CONV_MOST_LAYERS]; /* NULL when only energies are wanted; the way back leaves deltas here */
    float *pooled;
    float *columns;
    float *spare; /* gradients in a layer's input, for the way back */
    float *bends; /* with tangents: room for what a tile's activation needs */
} block;

/* A place for `floats` in memory that is cut from front to back; with memory NULL, used tells in the end how much. */
typedef struct arena {
    float *memory;
    int64_t used;
} arena;

static float *take(arena *a, int64_t floats) {
    float *piece = a->memory == NULL ? NULL : a->memory + a->used;
    a->used += (floats + ALIGNED - 1) / ALIGNED * ALIGNED;
    return piece;
}

static void cut(const ebm__conv *conv, const outputs *to, int64_t images, arena *a, block *b) {
    const ebm__conv_layer *input = &conv->layer[0];
    bool back = to->grad_x != NULL || to->grad_theta != NULL;
    int64_t columns = 0;
    int64_t activated = 0;
    float *turn[2] = {NULL, NULL};
    if (to->grad_theta == NULL) {
        turn[0] = take(a, images * conv->widest);
        turn[1] = take(a, images * conv->widest);
    }
    for (int32_t l = 0; l < conv->n_layers; l++) {
        const ebm__conv_layer *layer = &conv->layer[l];
        int64_t size = images * layer->places * layer->filters;
        b->hidden[l] = to->grad_theta != NULL ? take(a, size) : turn[l % 2];
        b->slope[l] = back ? take(a, size) : NULL;
        columns = layer->tile * layer->patch > columns ? layer->tile * layer->patch : columns;
        activated = layer->tile * layer->filters > activated ? layer->tile * layer->filters : activated;
    }
    b->columns = take(a, columns + EBM__COLUMNS_SLACK);
    b->pixels = input->channels > 1 || to->direction != NULL
                    ? take(a, images * input->channels * input->height * input->width)
                    : NULL;
    b->pooled = conv->pooling == EBM_POOL_MEAN ? take(a, images * conv->features) : NULL;
    b->spare = back ? take(a, images * conv->widest) : NULL;
    b->bends = to->direction != NULL ? take(a, 2 * activated) : NULL;
}

static const float *input_of(const block *b, int32_t l) {
    return l == 0 ? b->x : b->hidden[l - 1];
}

/* A tile of places: where its columns are. A kernel of one pixel sees the image as it is. */
static const float *columns_of(const block *b, int32_t l, int64_t first, int64_t count) {
    const ebm__conv_layer *layer = &b->conv->layer[l];
    const float *x = input_of(b, l);
    if (layer->kernel == 1 && layer->stride == 1) {
        return x + first * layer->channels;
    }
    const float *end = x + b->images * layer->height * layer->width * layer->channels;
    ebm__conv_columns(layer, x, end, first, count, b->columns);
    return b->columns;
}

/* Places of the tile that begins at `first`, of the layer's places in so many images. */
static int64_t tile_at(const ebm__conv_layer *layer, int64_t images, int64_t first) {
    int64_t left = images * layer->places - first;
    return left < layer->tile ? left : layer->tile;
}

/* The second of two halves of images, each with `size` floats; that of points when there are no tangents. */
static int64_t tangents(const block *b, int64_t size) {
    return (b->images - b->points) * size;
}

static void convolve(const block *b, int32_t l, int64_t first, int64_t count) {
    const ebm__conv_layer *layer = &b->conv->layer[l];
    ebm__gemm(false, true, count, layer->filters, layer->patch, columns_of(b, l, first, count),
              b->theta + layer->weight, 0.0F, b->hidden[l] + first * layer->filters);
}

/* Of a tile's places. */
static void add_input(const block *b, int32_t l, int64_t first, int64_t count) {
    int64_t filters = b->conv->layer[l].filters;
    float *h = b->hidden[l] + first * filters;
    const float *in = b->hidden[l - 1] + first * filters;
    for (int64_t i = 0; i < count * filters; i++) {
        h[i] += in[i];
    }
}

static void forward_layer(const block *b, int32_t l) {
    const ebm__conv_layer *layer = &b->conv->layer[l];
    const float *bias = b->theta + layer->bias;
    int64_t half = tangents(b, layer->places);
    for (int64_t first = 0; first < b->points * layer->places; first += layer->tile) {
        int64_t count = tile_at(layer, b->points, first);
        float *h = b->hidden[l] + first * layer->filters;
        float *slope = b->slope[l] == NULL ? NULL : b->slope[l] + first * layer->filters;
        convolve(b, l, first, count);
        if (half == 0) {
            ebm__simd_used()->activate(b->conv->activation, count, layer->filters, bias, h, slope);
        } else {
            convolve(b, l, first + half, count);
            ebm__tangent_forward(b->conv->activation, count, layer->filters, bias, h, h + half * layer->filters, slope,
                                 slope + half * layer->filters, b->bends);
        }
        if (layer->residual) {
            add_input(b, l, first, count);
        }
        if (layer->residual && half > 0) {
            add_input(b, l, first + half, count);
        }
    }
}

/* What the perceptron gets: all of h_L, or its mean over places. */
static const float *features_of(const block *b) {
    int32_t last = b->conv->n_layers - 1;
    const ebm__conv_layer *layer = &b->conv->layer[last];
    if (b->pooled == NULL) {
        return b->hidden[last];
    }
    float share = 1.0F / (float)layer->places;
    for (int64_t i = 0; i < b->images; i++) {
        float *mean = b->pooled + i * layer->filters;
        ebm__column_sums(layer->places, layer->filters, b->hidden[last] + i * layer->places * layer->filters, NULL,
                         false, mean);
        for (int64_t c = 0; c < layer->filters; c++) {
            mean[c] *= share;
        }
    }
    return b->pooled;
}

/* slope[l] becomes the deltas; the gradients in h_l are in spare. */
static void take_slopes(const block *b, int32_t l) {
    const ebm__conv_layer *layer = &b->conv->layer[l];
    float *slope = b->slope[l];
    int64_t half = tangents(b, layer->places * layer->filters);
    if (half > 0) {
        ebm__tangent_back(half, b->spare, b->spare + half, slope, slope + half);
        return;
    }
    for (int64_t i = 0; i < b->images * layer->places * layer->filters; i++) {
        slope[i] *= b->spare[i];
    }
}

/* dE/dh_L from dE/dfeatures, in spare: of a mean, each place has its share. From back to front, as they share memory. */
static void spread_mean(const block *b) {
    const ebm__conv_layer *layer = &b->conv->layer[b->conv->n_layers - 1];
    float share = 1.0F / (float)layer->places;
    for (int64_t r = b->images * layer->places - 1; r >= 0; r--) {
        const float *grad = b->spare + r / layer->places * layer->filters;
        for (int64_t c = 0; c < layer->filters; c++) {
            b->spare[r * layer->filters + c] = share * grad[c];
        }
    }
}

/*
 * Through layer l: into the gradients of its parameters, unless grad_theta is NULL, and of its input, unless that is. Of
 * a residual layer grad_input holds the gradients in its output.
 */
static void backward_layer(const block *b, int32_t l, bool add, float *grad_theta, float *grad_input) {
    const ebm__conv_layer *layer = &b->conv->layer[l];
    int64_t n_places = b->images * layer->places;
    if (grad_theta != NULL) {
        ebm__column_sums(b->points * layer->places, layer->filters, b->slope[l], NULL, add, grad_theta + layer->bias);
    }
    if (grad_input != NULL && !layer->residual) {
        memset(grad_input, 0, (size_t)(b->images * layer->height * layer->width * layer->channels) * sizeof(float));
    }
    for (int64_t first = 0; first < n_places; first += layer->tile) {
        int64_t count = tile_at(layer, b->images, first);
        const float *delta = b->slope[l] + first * layer->filters;
        if (grad_theta != NULL) {
            ebm__gemm(true, false, layer->filters, layer->patch, count, delta, columns_of(b, l, first, count),
                      add || first > 0 ? 1.0F : 0.0F, grad_theta + layer->weight);
        }
        if (grad_input != NULL) {
            ebm__gemm(false, false, count, layer->patch, layer->filters, delta, b->theta + layer->weight, 0.0F,
                      b->columns);
            ebm__conv_add_columns(layer, b->columns, first, count, grad_input);
        }
    }
}

static void backward(const block *b, bool add, const outputs *to, float *grad_x) {
    const ebm__conv_layer *input = &b->conv->layer[0];
    if (b->pooled != NULL) {
        spread_mean(b);
    }
    take_slopes(b, b->conv->n_layers - 1);
    for (int32_t l = b->conv->n_layers - 1; l > 0; l--) {
        backward_layer(b, l, add, to->grad_theta, b->spare);
        take_slopes(b, l - 1);
    }
    if (grad_x == NULL || b->pixels == NULL) {
        backward_layer(b, 0, add, to->grad_theta, grad_x);
        return;
    }
    backward_layer(b, 0, add, to->grad_theta, b->pixels); /* x itself is needed no more */
    ebm__conv_transpose(b->images, input->height * input->width, input->channels, b->pixels, grad_x);
}

/* The block's rows of x as its images: theirs where they are, unless their channels come first, or tangents with them. */
static const float *take_pixels(const block *b, const float *x, const float *direction) {
    const ebm__conv_layer *input = &b->conv->layer[0];
    int64_t size = input->height * input->width;
    if (b->pixels == NULL) {
        return x;
    }
    ebm__conv_transpose(b->points, input->channels, size, x, b->pixels);
    if (direction != NULL) {
        ebm__conv_transpose(b->points, input->channels, size, direction,
                            b->pixels + b->points * input->channels * size);
    }
    return b->pixels;
}

/* The perceptron, forward and back: the gradients in its features are then in spare. */
static int32_t pass_head(const block *b, int64_t first, const outputs *to) {
    const float *features = features_of(b);
    int64_t half = tangents(b, b->conv->features);
    const ebm__mlp_outputs of_head = {
        .energy = to->energy == NULL ? NULL : to->energy + first,
        .grad_x = b->spare,
        .weight = to->weight == NULL ? NULL : to->weight + first,
        .grad_theta = to->grad_theta,
        .add = first > 0,
        .direction = half > 0 ? features + half : NULL,
        .grad_direction = half > 0 ? b->spare + half : NULL,
    };
    return ebm__mlp_pass(&b->conv->head, b->points, features, b->theta, &of_head);
}

static int32_t pass_block(block *b, const float *x, int64_t first, const outputs *to) {
    const ebm__conv_layer *input = &b->conv->layer[0];
    int64_t dim = input->channels * input->height * input->width;
    b->x = take_pixels(b, x + first * dim, to->direction == NULL ? NULL : to->direction + first * dim);
    for (int32_t l = 0; l < b->conv->n_layers; l++) {
        forward_layer(b, l);
    }
    int32_t answer = pass_head(b, first, to);
    if (answer == EBM_CB_OK && b->spare != NULL) {
        backward(b, first > 0, to, to->grad_x == NULL ? NULL : to->grad_x + first * dim);
    }
    return answer;
}

static int64_t points_per_block(const ebm__conv *conv, int64_t n, int64_t per_point) {
    int64_t most = BLOCK_FLOATS / (2 * conv->total);
    most = (most > MOST_IMAGES ? MOST_IMAGES : most) / per_point;
    most = most < 1 ? 1 : most;
    return n < most ? n : most;
}

static int32_t pass(ebm__conv *conv, int64_t n, const float *x, const float *theta, const outputs *to) {
    int64_t per_point = to->direction != NULL ? 2 : 1;
    int64_t most = points_per_block(conv, n, per_point);
    block b = {.conv = conv, .theta = theta};
    arena a = {.memory = NULL};
    cut(conv, to, most * per_point, &a, &b);
    a.memory = ebm__scratch_borrow(&conv->state.scratch, a.used * (int64_t)sizeof(float), "convolutional energy");
    if (a.memory == NULL) {
        return EBM_ERR_NOMEM;
    }
    a.used = 0;
    cut(conv, to, most * per_point, &a, &b);
    int32_t answer = EBM_CB_OK;
    for (int64_t first = 0; first < n && answer == EBM_CB_OK; first += most) {
        b.points = n - first < most ? n - first : most;
        b.images = b.points * per_point;
        answer = pass_block(&b, x, first, to);
    }
    ebm__scratch_return(&conv->state.scratch, a.memory);
    return answer;
}

int32_t ebm__conv_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                         void *user_data) {
    (void)dim; /* the first layer knows it */
    return pass(user_data, n, x, theta, &(outputs){.energy = energy, .grad_x = grad_x});
}

int32_t ebm__conv_param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta,
                             double *energy, float *grad_theta, void *user_data) {
    (void)dim;
    return pass(user_data, n, x, theta, &(outputs){.energy = energy, .weight = weight, .grad_theta = grad_theta});
}

int32_t ebm__conv_mixed_grad(int64_t n, int64_t dim, const float *x, const float *direction, const float *weight,
                             const float *theta, double *slope, float *grad_theta, void *user_data) {
    (void)dim;
    return pass(user_data, n, x, theta,
                &(outputs){.energy = slope, .weight = weight, .grad_theta = grad_theta, .direction = direction});
}

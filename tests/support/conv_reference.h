/* SPDX-License-Identifier: MIT */
/*
 * The convolutional energy by its definition: one multiplication after the other, in double, images as channels x height
 * x width; nothing is shared with the library but the order of the parameters.
 */
#ifndef EBM_TESTS_CONV_REFERENCE_H
#define EBM_TESTS_CONV_REFERENCE_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ebm/ebm.h>

enum { CONV_MOST = 8 };

typedef struct conv_case {
    int64_t channels, height, width;
    int32_t n_conv;
    int64_t filters[CONV_MOST], kernel[CONV_MOST], stride[CONV_MOST];
    int32_t pooling, n_dense;
    int64_t widths[CONV_MOST];
    int32_t activation;
} conv_case;

/* What goes into layer l and what comes out of it: before the activation z, after it h, and dE/dz. */
typedef struct conv_maps {
    int64_t channels[CONV_MOST + 1], height[CONV_MOST + 1], width[CONV_MOST + 1];
    double *z[CONV_MOST + 1], *h[CONV_MOST + 1], *grad[CONV_MOST + 1]; /* index 0: the image */
} conv_maps;

static inline double conv_act(int32_t activation, double z) {
    switch (activation) {
        case EBM_ACT_SILU: return z / (1.0 + exp(-z));
        case EBM_ACT_SOFTPLUS: return log1p(exp(z));
        case EBM_ACT_TANH: return tanh(z);
        default: return z > 0.0 ? z : 0.0;
    }
}

static inline double conv_slope(int32_t activation, double z) {
    double s = 1.0 / (1.0 + exp(-z));
    switch (activation) {
        case EBM_ACT_SILU: return s * (1.0 + z * (1.0 - s));
        case EBM_ACT_SOFTPLUS: return s;
        case EBM_ACT_TANH: return 1.0 - tanh(z) * tanh(z);
        default: return z > 0.0 ? 1.0 : 0.0;
    }
}

static inline void conv_geometry(const conv_case *c, conv_maps *m) {
    memset(m, 0, sizeof *m);
    m->channels[0] = c->channels;
    m->height[0] = c->height;
    m->width[0] = c->width;
    for (int32_t l = 0; l < c->n_conv; l++) {
        int64_t pad = (c->kernel[l] - 1) / 2;
        m->channels[l + 1] = c->filters[l];
        m->height[l + 1] = (m->height[l] + 2 * pad - c->kernel[l]) / c->stride[l] + 1;
        m->width[l + 1] = (m->width[l] + 2 * pad - c->kernel[l]) / c->stride[l] + 1;
    }
    for (int32_t l = 0; l <= c->n_conv; l++) {
        size_t size = (size_t)(m->channels[l] * m->height[l] * m->width[l]);
        m->z[l] = calloc(size, sizeof(double));
        m->h[l] = calloc(size, sizeof(double));
        m->grad[l] = calloc(size, sizeof(double));
    }
}

static inline void conv_release(const conv_case *c, conv_maps *m) {
    for (int32_t l = 0; l <= c->n_conv; l++) {
        free(m->z[l]);
        free(m->h[l]);
        free(m->grad[l]);
    }
}

/*
 * For every weight of layer l and every place: `back` false: z += w h; back true: into both gradients. theta points at
 * the layer's weights, grad_theta too.
 */
static inline void conv_layer(const conv_case *c, conv_maps *m, int32_t l, int back, double row_weight,
                              const float *theta, double *grad_theta) {
    int64_t k = c->kernel[l];
    int64_t pad = (k - 1) / 2;
    for (int64_t f = 0; f < c->filters[l]; f++) {
        for (int64_t oy = 0; oy < m->height[l + 1]; oy++) {
            for (int64_t ox = 0; ox < m->width[l + 1]; ox++) {
                int64_t o = (f * m->height[l + 1] + oy) * m->width[l + 1] + ox;
                int64_t bias = c->filters[l] * k * k * m->channels[l] + f;
                if (back) {
                    grad_theta[bias] += row_weight * m->grad[l + 1][o];
                } else {
                    m->z[l + 1][o] = (double)theta[bias];
                }
                for (int64_t i = 0; i < k * k * m->channels[l]; i++) {
                    int64_t ch = i % m->channels[l];
                    int64_t y = oy * c->stride[l] - pad + i / m->channels[l] / k;
                    int64_t x = ox * c->stride[l] - pad + i / m->channels[l] % k;
                    if (y < 0 || y >= m->height[l] || x < 0 || x >= m->width[l]) {
                        continue;
                    }
                    int64_t in = (ch * m->height[l] + y) * m->width[l] + x;
                    double w = (double)theta[f * k * k * m->channels[l] + i];
                    if (back) {
                        m->grad[l][in] += w * m->grad[l + 1][o];
                        grad_theta[f * k * k * m->channels[l] + i] += row_weight * m->h[l][in] * m->grad[l + 1][o];
                    } else {
                        m->z[l + 1][o] += w * m->h[l][in];
                    }
                }
            }
        }
    }
}

/* The perceptron on `n` features: its energy, dE/dfeature, and its parameters' gradients, by the same kind of loops. */
static inline double conv_head(const conv_case *c, int64_t n, const double *feature, double row_weight,
                               const float *theta, double *grad_feature, double *grad_theta) {
    double *z[CONV_MOST + 1] = {NULL};
    double *h[CONV_MOST + 1] = {NULL};
    double *grad[CONV_MOST + 1] = {NULL};
    int64_t in[CONV_MOST + 1];
    int64_t place[CONV_MOST + 1];
    int64_t from = 0;
    for (int32_t l = 0; l <= c->n_dense; l++) {
        int64_t out = l < c->n_dense ? c->widths[l] : 1;
        in[l] = l == 0 ? n : c->widths[l - 1];
        place[l] = from;
        z[l] = calloc((size_t)out, sizeof(double));
        h[l] = calloc((size_t)out, sizeof(double));
        grad[l] = calloc((size_t)out, sizeof(double));
        for (int64_t o = 0; o < out; o++) {
            z[l][o] = (double)theta[from + out * in[l] + o];
            for (int64_t i = 0; i < in[l]; i++) {
                z[l][o] += (double)theta[from + o * in[l] + i] * (l == 0 ? feature[i] : h[l - 1][i]);
            }
            h[l][o] = conv_act(c->activation, z[l][o]);
        }
        from += out * in[l] + out;
    }
    double energy = z[c->n_dense][0];
    grad[c->n_dense][0] = 1.0;
    for (int32_t l = c->n_dense; l >= 0; l--) {
        int64_t out = l < c->n_dense ? c->widths[l] : 1;
        for (int64_t o = 0; o < out; o++) {
            double delta = grad[l][o] * (l < c->n_dense ? conv_slope(c->activation, z[l][o]) : 1.0);
            grad_theta[place[l] + out * in[l] + o] += row_weight * delta;
            for (int64_t i = 0; i < in[l]; i++) {
                *(l == 0 ? &grad_feature[i] : &grad[l - 1][i]) += (double)theta[place[l] + o * in[l] + i] * delta;
                grad_theta[place[l] + o * in[l] + i] += row_weight * delta * (l == 0 ? feature[i] : h[l - 1][i]);
            }
        }
    }
    for (int32_t l = 0; l <= c->n_dense; l++) {
        free(z[l]);
        free(h[l]);
        free(grad[l]);
    }
    return energy;
}

/* Feature number of element (channel, place) of the last map: row, column, channel; or the channel alone. */
static inline int64_t conv_feature(const conv_case *c, const conv_maps *m, int64_t channel, int64_t place) {
    return c->pooling == EBM_POOL_MEAN ? channel : place * m->channels[c->n_conv] + channel;
}

/* Energy of one image; dE/dx; row_weight dE/dtheta is added to grad_theta. */
static inline double conv_reference(const conv_case *c, const float *x, double row_weight, const float *theta,
                                    double *grad_x, double *grad_theta) {
    conv_maps m;
    int64_t place[CONV_MOST + 1] = {0};
    conv_geometry(c, &m);
    for (int64_t i = 0; i < c->channels * c->height * c->width; i++) {
        m.h[0][i] = (double)x[i];
    }
    for (int32_t l = 0; l < c->n_conv; l++) {
        conv_layer(c, &m, l, 0, 0.0, theta + place[l], NULL);
        for (int64_t i = 0; i < m.channels[l + 1] * m.height[l + 1] * m.width[l + 1]; i++) {
            m.h[l + 1][i] = conv_act(c->activation, m.z[l + 1][i]);
        }
        place[l + 1] = place[l] + c->filters[l] * (c->kernel[l] * c->kernel[l] * m.channels[l] + 1);
    }
    int64_t channels = m.channels[c->n_conv];
    int64_t places = m.height[c->n_conv] * m.width[c->n_conv];
    double share = c->pooling == EBM_POOL_MEAN ? 1.0 / (double)places : 1.0;
    int64_t n = c->pooling == EBM_POOL_MEAN ? channels : channels * places;
    double *feature = calloc((size_t)n, sizeof *feature);
    double *grad_feature = calloc((size_t)n, sizeof *grad_feature);
    for (int64_t i = 0; i < channels * places; i++) {
        feature[conv_feature(c, &m, i / places, i % places)] += share * m.h[c->n_conv][i];
    }
    double energy = conv_head(c, n, feature, row_weight, theta + place[c->n_conv], grad_feature,
                              grad_theta + place[c->n_conv]);
    for (int64_t i = 0; i < channels * places; i++) {
        m.grad[c->n_conv][i] = share * grad_feature[conv_feature(c, &m, i / places, i % places)];
    }
    for (int32_t l = c->n_conv - 1; l >= 0; l--) {
        for (int64_t i = 0; i < m.channels[l + 1] * m.height[l + 1] * m.width[l + 1]; i++) {
            m.grad[l + 1][i] *= conv_slope(c->activation, m.z[l + 1][i]);
        }
        conv_layer(c, &m, l, 1, row_weight, theta + place[l], grad_theta + place[l]);
    }
    memcpy(grad_x, m.grad[0], (size_t)(c->channels * c->height * c->width) * sizeof *grad_x);
    free(feature);
    free(grad_feature);
    conv_release(c, &m);
    return energy;
}

#endif /* EBM_TESTS_CONV_REFERENCE_H */

/* SPDX-License-Identifier: MIT */
/*
 * A multilayer perceptron with SiLU and a Gaussian in double, as ebm_mlp_create and ebm_gaussian_create have them, and
 * with those the gradients of both score-matching objectives: what float32 and differences are measured against.
 */
#ifndef EBM_TESTS_REFERENCE_ENERGIES_H
#define EBM_TESTS_REFERENCE_ENERGIES_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/simd.h"
#include "stat_basics.h"

enum { REFERENCE_MOST_LAYERS = 4, REFERENCE_MOST_WIDTH = 1024 };

typedef struct reference {
    int32_t n_layers; /* with the output; 0: a Gaussian */
    int64_t width[REFERENCE_MOST_LAYERS + 1];
    int64_t n_params;
    const float *theta;
} reference;

/* grad_x = dE/dx unless NULL; grad_theta += weight dE/dtheta unless NULL. */
static inline void reference_mlp(const reference *m, const double *x, double weight, double *grad_x,
                                 double *grad_theta) {
    static double h[REFERENCE_MOST_LAYERS + 1][REFERENCE_MOST_WIDTH];
    static double slope[REFERENCE_MOST_LAYERS + 1][REFERENCE_MOST_WIDTH];
    static double delta[2][REFERENCE_MOST_WIDTH];
    const float *w[REFERENCE_MOST_LAYERS];
    const float *place = m->theta;
    memcpy(h[0], x, (size_t)m->width[0] * sizeof *x);
    for (int l = 0; l < m->n_layers; l++) {
        int64_t in = m->width[l];
        int64_t out = m->width[l + 1];
        w[l] = place;
        for (int64_t o = 0; o < out; o++) {
            double z = (double)place[in * out + o];
            for (int64_t i = 0; i < in; i++) {
                z += (double)place[o * in + i] * h[l][i];
            }
            double s = 1 / (1 + exp(-z));
            h[l + 1][o] = z * s;
            slope[l + 1][o] = l + 1 < m->n_layers ? s * (1 + z * (1 - s)) : 1; /* the output is linear */
        }
        place += in * out + out;
    }
    double *above = delta[0];
    double *below = delta[1];
    above[0] = 1;
    for (int l = m->n_layers - 1; l >= 0; l--) {
        int64_t in = m->width[l];
        int64_t out = m->width[l + 1];
        memset(below, 0, (size_t)in * sizeof *below);
        for (int64_t o = 0; o < out; o++) {
            double d = above[o] * slope[l + 1][o];
            double *of_theta = grad_theta == NULL ? NULL : grad_theta + (w[l] - m->theta);
            for (int64_t i = 0; i < in; i++) {
                below[i] += d * (double)w[l][o * in + i];
                if (of_theta != NULL) {
                    of_theta[o * in + i] += weight * d * h[l][i];
                }
            }
            if (of_theta != NULL) {
                of_theta[in * out + o] += weight * d;
            }
        }
        double *swap = above;
        above = below;
        below = swap;
    }
    if (grad_x != NULL) {
        memcpy(grad_x, above, (size_t)m->width[0] * sizeof *grad_x);
    }
}

/* E = (x - m)' P (x - m) / 2 with the mean of P and its transpose; theta = m, P. */
static inline void reference_gaussian(const reference *m, const double *x, double weight, double *grad_x,
                                      double *grad_theta) {
    int64_t dim = m->width[0];
    for (int64_t i = 0; i < dim; i++) {
        double slope = 0;
        for (int64_t j = 0; j < dim; j++) {
            const float *p = m->theta + dim;
            double d = x[j] - (double)m->theta[j];
            slope += ((double)p[i * dim + j] + (double)p[j * dim + i]) / 2 * d;
            if (grad_theta != NULL) {
                grad_theta[dim + i * dim + j] += weight * (x[i] - (double)m->theta[i]) * d / 2;
            }
        }
        if (grad_x != NULL) {
            grad_x[i] = slope;
        }
        if (grad_theta != NULL) {
            grad_theta[i] -= weight * slope;
        }
    }
}

static inline void reference_row(const reference *m, const double *x, double weight, double *grad_x,
                                 double *grad_theta) {
    if (m->n_layers == 0) {
        reference_gaussian(m, x, weight, grad_x, grad_theta);
    } else {
        reference_mlp(m, x, weight, grad_x, grad_theta);
    }
}

static inline void reference_moved(const reference *m, const double *x, double h, const double *r, double weight,
                                   double *grad_theta) {
    double moved[REFERENCE_MOST_WIDTH];
    for (int64_t j = 0; j < m->width[0]; j++) {
        moved[j] = x[j] + h * r[j];
    }
    reference_row(m, moved, weight, NULL, grad_theta);
}

/* grad_theta += weight (r . d/dx) dE/dtheta; in double a difference of length 1e-5 is good to 1e-9. */
static inline void reference_mixed(const reference *m, const double *x, const double *r, double weight,
                                   double *grad_theta) {
    const double h = 1e-5;
    reference_moved(m, x, h, r, weight / (2 * h), grad_theta);
    reference_moved(m, x, -h, r, -weight / (2 * h), grad_theta);
}

/* The first batch's numbers, as the trainer draws them from its seed. */
static inline void reference_numbers(uint64_t seed, uint32_t stream, int64_t count, float *out) {
    ebm__sequence sequence = {.seed = seed, .step = 0, .stream = stream};
    if (stream == EBM__STREAM_SLICE) {
        ebm__simd_used()->uniforms(&sequence, 0, count, out);
    } else {
        ebm__simd_used()->normals(&sequence, 0, count, out);
    }
}

/* Of denoising score matching with one level; x~ as the trainer rounds it. */
static inline void reference_denoising(const reference *m, uint64_t seed, double level, int64_t n, const float *x,
                                       double *grad_theta) {
    int64_t dim = m->width[0];
    float *z = stat_alloc(n * dim, sizeof *z);
    reference_numbers(seed, EBM__STREAM_PERTURB, n * dim, z);
    for (int64_t i = 0; i < n; i++) {
        double moved[REFERENCE_MOST_WIDTH];
        double r[REFERENCE_MOST_WIDTH];
        for (int64_t j = 0; j < dim; j++) {
            moved[j] = (double)(x[i * dim + j] + (float)level * z[i * dim + j]);
        }
        reference_row(m, moved, 0, r, NULL);
        for (int64_t j = 0; j < dim; j++) {
            r[j] = level * r[j] - (double)z[i * dim + j];
        }
        reference_mixed(m, moved, r, level / (double)n, grad_theta);
    }
    free(z);
}

static inline void reference_sliced(const reference *m, uint64_t seed, int64_t n, const float *x, double *grad_theta) {
    const double h = 1e-3;
    int64_t dim = m->width[0];
    float *uniform = stat_alloc(n * dim, sizeof *uniform);
    reference_numbers(seed, EBM__STREAM_SLICE, n * dim, uniform);
    for (int64_t i = 0; i < n; i++) {
        double at[REFERENCE_MOST_WIDTH];
        double v[REFERENCE_MOST_WIDTH];
        double g[REFERENCE_MOST_WIDTH];
        double weight = -1 / (h * h * (double)n);
        for (int64_t j = 0; j < dim; j++) {
            at[j] = (double)x[i * dim + j];
            v[j] = uniform[i * dim + j] < 0.5F ? -1 : 1;
        }
        reference_row(m, at, 0, g, NULL);
        reference_mixed(m, at, g, 1 / (double)n, grad_theta);
        reference_moved(m, at, h, v, weight, grad_theta);
        reference_moved(m, at, 0, v, -2 * weight, grad_theta);
        reference_moved(m, at, -h, v, weight, grad_theta);
    }
    free(uniform);
}

/* |a - b| / |b|. */
static inline double reference_error(int64_t n, const float *a, const double *b) {
    double difference = 0;
    double square = 0;
    for (int64_t i = 0; i < n; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        square += b[i] * b[i];
    }
    return sqrt(difference / square);
}

/*
 * The relative error of the trainer's gradient, by Euclidean norms, for ROWS rows of data of this size about this mean;
 * `level` 0: sliced score matching.
 */
static inline double reference_gradient_error(ebm_model *model, reference *m, double level, double mean, double size,
                                              double share) {
    enum { ROWS = 64 };
    const uint64_t seed = 5;
    ebm_trainer *trainer = NULL;
    float *x = stat_alloc(ROWS * m->width[0], sizeof *x);
    float *theta = stat_alloc(m->n_params, sizeof *theta);
    float *grad = stat_alloc(m->n_params, sizeof *grad);
    double *expected = stat_alloc(m->n_params, sizeof *expected);
    stat_fill_normals(9, size, ROWS * m->width[0], x);
    for (int64_t i = 0; i < ROWS * m->width[0]; i++) {
        x[i] += (float)mean;
    }
    STAT_OK(ebm_model_get_params(model, m->n_params, theta));
    m->theta = theta;
    STAT_OK(ebm_trainer_create(NULL, model, NULL, &trainer));
    STAT_OK(ebm_trainer_set_seed(trainer, seed));
    STAT_OK(ebm_trainer_set_difference_step(trainer, share));
    if (level > 0) {
        STAT_OK(ebm_trainer_set_objective(trainer, EBM_OBJECTIVE_DENOISING_SCORE_MATCHING));
        STAT_OK(ebm_trainer_set_noise_levels(trainer, 1, &level));
        reference_denoising(m, seed, level, ROWS, x, expected);
    } else {
        STAT_OK(ebm_trainer_set_objective(trainer, EBM_OBJECTIVE_SLICED_SCORE_MATCHING));
        reference_sliced(m, seed, ROWS, x, expected);
    }
    STAT_OK(ebm_trainer_gradient(trainer, ROWS, x, m->n_params, grad));
    double error = reference_error(m->n_params, grad, expected);
    ebm_trainer_destroy(trainer);
    free(expected);
    free(grad);
    free(theta);
    free(x);
    return error;
}

/* The energies that errors are shown for. */
enum { REFERENCE_CASES = 4 };

static inline const char *reference_case(int index, ebm_model **model, reference *m) {
    static const char *const names[REFERENCE_CASES] = {"MLP 2-128-128-1", "MLP 64-128-128-1", "MLP 784-256-1",
                                                       "Gaussian, 100"};
    static const reference shapes[REFERENCE_CASES] = {
        {.n_layers = 3, .width = {2, 128, 128, 1}},
        {.n_layers = 3, .width = {64, 128, 128, 1}},
        {.n_layers = 2, .width = {784, 256, 1}},
        {.n_layers = 0, .width = {100}},
    };
    *m = shapes[index];
    if (m->n_layers == 0) {
        STAT_OK(ebm_gaussian_create(NULL, m->width[0], NULL, NULL, model));
    } else {
        STAT_OK(ebm_mlp_create(NULL, m->width[0], m->n_layers - 1, m->width + 1, EBM_ACT_SILU, model));
        STAT_OK(ebm_model_init_params(*model, 3));
    }
    m->n_params = ebm_model_param_count(*model);
    return names[index];
}

#endif /* EBM_TESTS_REFERENCE_ENERGIES_H */

/* SPDX-License-Identifier: MIT */
/*
 * Sliced score matching with variance reduction (Song, Garg, Shi and Ermon 2019). With the score s = -dE/dx and
 * g = dE/dx, a row's loss is v' (ds/dx) v + |s|^2 / 2 = |g|^2 / 2 - v' H v, where v has random signs: its covariance is
 * I, and diagonal second derivatives come without any variance from v.
 *
 * The loss takes v' H v from v . (g(x + h v) - g(x - h v)) / 2h. Its gradient,
 *     dL/dtheta = mean over rows of (g . d/dx) G - (v . d/dx)^2 G,  G = dE/dtheta,
 * has a first difference along g and a second one along v: five rows of one call of param_grad. With the model's
 * mixed_grad, which gives (r . d/dx) G, the first is exact and the second becomes a first difference of that: three rows,
 * whose slopes v . g(x + h v) and v . g(x - h v) are what the loss needs.
 */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "trainer/difference.h"
#include "trainer/objective.h"

enum {
    GRAD_ROWS = 3,    /* x, x + h v, x - h v */
    THETA_ROWS = 5,   /* x + k v, x, x - k v, x + h g, x - h g */
    WORK_PER_ROW = 5, /* x, v, and g at the three */
    SECOND = 4,       /* how much longer a second difference's move is */
    MIXED_ROWS = 3,   /* x + h v, x - h v, x */
    MIXED_WORK = 6    /* x, v, g, and the three directions */
};

static ebm_status reserve(ebm_trainer *trainer, int64_t n, const char *caller) {
    return trainer->model->mixed_grad_fn != NULL
               ? ebm__trainer_reserve(trainer, n, MIXED_ROWS, 0, MIXED_WORK, caller)
               : ebm__trainer_reserve(trainer, n, THETA_ROWS, 0, WORK_PER_ROW, caller);
}

static void draw_signs(const ebm_trainer *trainer, int64_t count, float *v) {
    ebm__sequence sequence = {.seed = trainer->settings.seed,
                              .step = (uint64_t)trainer->batches,
                              .stream = EBM__STREAM_SLICE};
    ebm__simd_used()->uniforms(&sequence, 0, count, v);
    for (int64_t i = 0; i < count; i++) {
        v[i] = v[i] < 0.5F ? -1.0F : 1.0F;
    }
}

static void place_for_gradients(int64_t dim, const float *x, const float *v, double length, float *rows) {
    memcpy(rows, x, (size_t)dim * sizeof *x);
    ebm__difference_move(dim, x, (float)length, v, rows + dim);
    ebm__difference_move(dim, x, -(float)length, v, rows + 2 * dim);
}

static double half_square(int64_t dim, const float *grad) {
    double sum = 0;
    for (int64_t j = 0; j < dim; j++) {
        sum += (double)grad[j] * (double)grad[j] / 2;
    }
    return sum;
}

/* |g|^2 / 2 - v' H v of one row. */
static double loss_of_row(int64_t dim, const float *v, const float *grad, double length) {
    double curvature = 0;
    for (int64_t j = 0; j < dim; j++) {
        curvature += (double)v[j] * ((double)grad[dim + j] - (double)grad[2 * dim + j]);
    }
    return half_square(dim, grad) - curvature / (2 * (double)(float)length);
}

/* The five rows that stand for row i. */
static ebm_status place_for_theta(ebm_trainer *trainer, int64_t n, int64_t i, const float *x, const float *v,
                                  const float *grad, double length) {
    int64_t dim = trainer->model->dim;
    float *rows = trainer->rows + i * THETA_ROWS * dim;
    float *weight = trainer->weight + i * THETA_ROWS;
    float k = (float)(SECOND * length);
    ebm__difference_move(dim, x, k, v, rows);
    memcpy(rows + dim, x, (size_t)dim * sizeof *x);
    ebm__difference_move(dim, x, -k, v, rows + 2 * dim);
    weight[0] = (float)(-1 / ((double)k * (double)k * (double)n));
    weight[1] = -2 * weight[0]; /* exactly, so that a constant G cancels */
    weight[2] = weight[0];
    weight[3] = ebm__difference_pair(dim, x, grad, length, 1 / (double)n, rows + 3 * dim, rows + 4 * dim);
    weight[4] = -weight[3];
    EBM__TRY(ebm__require_weight(weight[1], i));
    return ebm__require_weight(weight[3], i);
}

static ebm_status differentiate_mixed(ebm_trainer *trainer, int64_t n, const float *x, const float *v, double length,
                                      ebm__trainer_report *report) {
    ebm_model *model = trainer->model;
    int64_t dim = model->dim;
    float *grad = trainer->work + 2 * n * dim;
    float *direction = grad + n * dim;
    float h = (float)length;
    EBM__TRY(ebm__model_energy_all(model, model->theta, n, x, false, trainer->energy, grad));
    report->energy_data = ebm__mean(n, trainer->energy);
    for (int64_t i = 0; i < n; i++) {
        float *rows = trainer->rows + i * MIXED_ROWS * dim;
        float *to = direction + i * MIXED_ROWS * dim;
        size_t bytes = (size_t)dim * sizeof *x;
        ebm__difference_move(dim, x + i * dim, h, v + i * dim, rows);
        ebm__difference_move(dim, x + i * dim, -h, v + i * dim, rows + dim);
        memcpy(rows + 2 * dim, x + i * dim, bytes);
        memcpy(to, v + i * dim, bytes);
        memcpy(to + dim, v + i * dim, bytes);
        memcpy(to + 2 * dim, grad + i * dim, bytes);
        float *weight = trainer->weight + i * MIXED_ROWS;
        weight[0] = (float)(-1 / (2 * (double)h * (double)n));
        weight[1] = -weight[0];
        weight[2] = 1 / (float)n;
        EBM__TRY(ebm__require_weight(weight[0], i));
    }
    trainer->probe = (ebm__probe){.n_data = MIXED_ROWS * n};
    EBM__TRY(ebm__trainer_check_stop(trainer));
    double *slope = trainer->energy;
    EBM__TRY(ebm__model_mixed_grad_all(model, model->theta, MIXED_ROWS * n, trainer->rows, direction, trainer->weight,
                                       slope, trainer->grad));
    for (int64_t i = 0; i < n; i++) {
        double curvature = (slope[MIXED_ROWS * i] - slope[MIXED_ROWS * i + 1]) / (2 * (double)h);
        report->loss += (half_square(dim, grad + i * dim) - curvature) / (double)n;
    }
    return EBM_OK;
}

static ebm_status differentiate(ebm_trainer *trainer, int64_t n, ebm__trainer_report *report) {
    ebm_model *model = trainer->model;
    int64_t dim = model->dim;
    float *x = trainer->work;
    float *v = x + n * dim;
    float *grad = v + n * dim;
    double length = trainer->settings.difference_step * ebm__difference_scale(n, dim, trainer->rows);
    memcpy(x, trainer->rows, (size_t)(n * dim) * sizeof *x);
    draw_signs(trainer, n * dim, v);
    if (model->mixed_grad_fn != NULL) {
        return differentiate_mixed(trainer, n, x, v, length, report);
    }
    for (int64_t i = 0; i < n; i++) {
        place_for_gradients(dim, x + i * dim, v + i * dim, length, trainer->rows + i * GRAD_ROWS * dim);
    }
    EBM__TRY(ebm__model_energy_all(model, model->theta, GRAD_ROWS * n, trainer->rows, false, trainer->energy, grad));
    for (int64_t i = 0; i < n; i++) {
        const float *grad_of_row = grad + i * GRAD_ROWS * dim;
        report->energy_data += trainer->energy[i * GRAD_ROWS] / (double)n;
        report->loss += loss_of_row(dim, v + i * dim, grad_of_row, length) / (double)n;
        EBM__TRY(place_for_theta(trainer, n, i, x + i * dim, v + i * dim, grad_of_row, length));
    }
    trainer->probe = (ebm__probe){.n_data = THETA_ROWS * n};
    EBM__TRY(ebm__trainer_check_stop(trainer));
    return ebm__model_param_grad_all(model, model->theta, THETA_ROWS * n, trainer->rows, trainer->weight, NULL,
                                     trainer->grad);
}

const ebm__objective ebm__sliced = {.reserve = reserve, .differentiate = differentiate};

/* SPDX-License-Identifier: MIT */
/* The optional exact derivative in theta and x together: given, asked for, and checked. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/simd.h"
#include "model/model.h"

/* The step of the check, relative to max(1, |x|), as that of ebm_model_check_gradients. */
static const double STEP = 1.0 / 32;
enum { POINTS = 4 };
static const int OFFSETS[POINTS] = {-2, -1, 1, 2}; /* in units of h */
static const double WEIGHTS[POINTS] = {1.0 / 12, -8.0 / 12, 8.0 / 12, -1.0 / 12};

ebm_status ebm_model_set_mixed_grad(ebm_model *model, ebm_mixed_grad_fn mixed_grad) {
    EBM__REQUIRE(model);
    EBM__USE(use, model);
    model->mixed_grad_fn = mixed_grad;
    return EBM_OK;
}

ebm_status ebm_model_get_mixed_grad(const ebm_model *model, ebm_mixed_grad_fn *mixed_grad) {
    EBM__REQUIRE(model);
    EBM__REQUIRE(mixed_grad);
    EBM__TRY(ebm__readable(&model->handle, __func__));
    *mixed_grad = model->mixed_grad_fn;
    return EBM_OK;
}

static ebm_status require_callback(const ebm_model *model, const char *caller) {
    const char *missing = model->mixed_grad_fn == NULL   ? "mixed_grad callback"
                          : model->param_grad_fn == NULL ? "param_grad callback"
                          : model->n_params == 0         ? "parameters"
                                                         : NULL;
    return missing == NULL ? EBM_OK : ebm__fail(EBM_ERR_STATE, "%s: the model has no %s", caller, missing);
}

ebm_status ebm_model_mixed_grad(ebm_model *model, int64_t n, const float *x, const float *direction,
                                const float *weight, double *slope, int64_t n_params, float *grad) {
    EBM__REQUIRE(model);
    EBM__USE(use, model);
    EBM__TRY(ebm__require_rows(model, __func__, "x", n, x));
    EBM__TRY(require_callback(model, __func__));
    if (n_params != model->n_params) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_params is %" PRId64 ", the model has %" PRId64, __func__, n_params,
                         model->n_params);
    }
    if (n == 0) {
        if (grad != NULL) { /* an empty sum */
            memset(grad, 0, (size_t)n_params * sizeof *grad);
        }
        return EBM_OK;
    }
    EBM__TRY(ebm__require_rows(model, __func__, "direction", n, direction));
    EBM__REQUIRE(weight);
    EBM__REQUIRE(grad);
    EBM__TRY(ebm__require_finite(__func__, "weight", 1, n, weight));
    ebm_status status = ebm__model_mixed_grad_all(model, model->theta, n, x, direction, weight, slope, grad);
    return status == EBM_OK ? EBM_OK : ebm__fail_within(status, "%s: ", __func__);
}

typedef struct check {
    ebm_model *model;
    int64_t n;
    const float *x;
    float *work;    /* three times n x dim: what follows */
    float *moved;   /* points of the differences */
    float *signs;   /* directions of length 1 */
    float *grad_x;
    float *weight;  /* ones */
    double *slope;
    float *grad;    /* mixed_grad's, then param_grad's */
    double *sum;    /* of differences */
} check;

static ebm_status allocate(check *c, const char *caller) {
    ebm_context *context = c->model->handle.context;
    int64_t n_x = c->n * c->model->dim;
    EBM__TRY(ebm__alloc(context, n_x, 3 * sizeof *c->work, caller, &c->work));
    EBM__TRY(ebm__alloc(context, c->n, sizeof *c->weight, caller, &c->weight));
    EBM__TRY(ebm__alloc(context, c->n, sizeof *c->slope, caller, &c->slope));
    EBM__TRY(ebm__alloc(context, c->model->n_params, 2 * sizeof *c->grad, caller, &c->grad));
    EBM__TRY(ebm__alloc(context, c->model->n_params, sizeof *c->sum, caller, &c->sum));
    c->moved = c->work;
    c->signs = c->work + n_x;
    c->grad_x = c->work + 2 * n_x;
    return EBM_OK;
}

/* Runs at the end of the block, also when a callback's exception ends it. */
static void release(check *c) {
    ebm_context *context = c->model->handle.context;
    ebm__free(context, c->work);
    ebm__free(context, c->weight);
    ebm__free(context, c->slope);
    ebm__free(context, c->grad);
    ebm__free(context, c->sum);
}

/* What parts most: an error relative to the largest of what it belongs to. */
typedef struct finding {
    double error;
    const char *what;
    int64_t index;
    double given, differenced;
} finding;

static void note(finding *w, const char *what, int64_t index, double given, double differenced, double scale) {
    double error = fabs(given - differenced) / (scale > 0 ? scale : 1);
    if (error > w->error || w->what == NULL) {
        *w = (finding){error, what, index, given, differenced};
    }
}

/* Directions of random signs; returns the largest |x|. */
static double prepare(const check *c) {
    int64_t n_x = c->n * c->model->dim;
    const ebm__sequence sequence = {.stream = EBM__STREAM_SLICE};
    float length = (float)(1 / sqrt((double)c->model->dim));
    double largest = 0;
    ebm__simd_used()->uniforms(&sequence, 0, n_x, c->signs);
    for (int64_t i = 0; i < n_x; i++) {
        c->signs[i] = c->signs[i] < 0.5F ? -length : length;
        largest = fmax(largest, fabs((double)c->x[i]));
    }
    for (int64_t i = 0; i < c->n; i++) {
        c->weight[i] = 1;
    }
    return largest;
}

static ebm_status check_slopes(const check *c, finding *w) {
    const ebm_model *model = c->model;
    double scale = 0;
    EBM__TRY(ebm__model_energy_all(c->model, model->theta, c->n, c->x, false, NULL, c->grad_x));
    for (int64_t i = 0; i < c->n; i++) {
        scale = fmax(scale, fabs(c->slope[i]));
    }
    for (int64_t i = 0; i < c->n; i++) {
        double product = 0;
        for (int64_t j = i * model->dim; j < (i + 1) * model->dim; j++) {
            product += (double)c->signs[j] * (double)c->grad_x[j];
        }
        note(w, "slope of row", i, c->slope[i], product, scale);
    }
    return EBM_OK;
}

static ebm_status check_theta(const check *c, double h, finding *w) {
    ebm_model *model = c->model;
    float *grad = c->grad + model->n_params;
    double scale = 0;
    for (int p = 0; p < POINTS; p++) {
        for (int64_t i = 0; i < c->n * model->dim; i++) {
            c->moved[i] = (float)((double)c->x[i] + OFFSETS[p] * h * (double)c->signs[i]);
        }
        EBM__TRY(ebm__model_param_grad_all(model, model->theta, c->n, c->moved, c->weight, NULL, grad));
        for (int64_t k = 0; k < model->n_params; k++) {
            c->sum[k] += WEIGHTS[p] / h * (double)grad[k];
        }
    }
    for (int64_t k = 0; k < model->n_params; k++) {
        scale = fmax(scale, fabs((double)c->grad[k]));
    }
    for (int64_t k = 0; k < model->n_params; k++) {
        note(w, "parameter", k, (double)c->grad[k], c->sum[k], scale);
    }
    return EBM_OK;
}

static ebm_status run_check(const check *c, finding *w) {
    double h = exp2(floor(log2(STEP * fmax(1.0, prepare(c)))));
    EBM__TRY(ebm__model_mixed_grad_all(c->model, c->model->theta, c->n, c->x, c->signs, c->weight, c->slope, c->grad));
    EBM__TRY(check_slopes(c, w));
    return check_theta(c, h, w);
}

ebm_status ebm_model_check_mixed_grad(ebm_model *model, int64_t n, const float *x, double *worst) {
    EBM__REQUIRE(model);
    EBM__USE(use, model);
    EBM__TRY(ebm__require_rows(model, __func__, "x", n, x));
    EBM__TRY(require_callback(model, __func__));
    finding w = {.what = NULL};
    if (n > 0) {
        __attribute__((cleanup(release))) check c = {.model = model, .n = n, .x = x};
        EBM__TRY(allocate(&c, __func__));
        ebm_status status = run_check(&c, &w);
        if (status != EBM_OK) {
            return ebm__fail_within(status, "%s: ", __func__);
        }
    }
    if (worst != NULL) {
        *worst = w.error;
    }
    return ebm__fail(EBM_OK, "%s: parts most at %s %" PRId64 ": given %.6g, differenced %.6g", __func__,
                     w.what == NULL ? "nothing" : w.what, w.index, w.given, w.differenced);
}

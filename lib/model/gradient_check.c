/* SPDX-License-Identifier: MIT */
/* Do the callbacks' gradients belong to their energies? */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "model/model.h"

/*
 * The step, relative to max(1, |x|). The difference has an error of about h^4 f''''' / 30 and of epsilon |f| / h; for
 * float32 callbacks (epsilon = 6e-8) both are near 1e-6 at h = 2^-5.
 */
static const double STEP = 1.0 / 32;
enum { MOST_PARAMS = 1024, POINTS = 4 };

typedef struct worst {
    double error; /* relative to the scale below */
    int64_t row;
    int64_t index;
    double given;
    double differenced;
} worst;

typedef struct check {
    ebm_model *model;
    int64_t n;
    float *x;       /* a copy that is moved point by point: n x dim */
    float *theta;   /* likewise; NULL without parameters */
    float *grad;    /* what the callbacks give */
    float *weight;  /* ones */
    double *energy; /* n */
} check;

static void note(worst *w, double given, double differenced, double scale, int64_t row, int64_t index) {
    double error = fabs(given - differenced) / (scale > 0 ? scale : 1);
    if (error > w->error || w->row < 0) {
        *w = (worst){error, row, index, given, differenced};
    }
}

static double largest(int64_t n, const float *values) {
    double most = 0;
    for (int64_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)values[i]));
    }
    return most;
}

/* The four points of the difference, in units of h, and their weights. */
static const int OFFSETS[POINTS] = {-2, -1, 1, 2};
static const double WEIGHTS[POINTS] = {1.0 / 12, -8.0 / 12, 8.0 / 12, -1.0 / 12};

/* Sum over the points of weight * E, for each row or for all, as *place takes its four values. */
static ebm_status difference(const check *c, float *place, int64_t n, const float *x, double *h, double *sum) {
    float centre = *place;
    ebm_status status = EBM_OK;
    *h = STEP * fmax(1.0, fabs((double)centre));
    *h = exp2(floor(log2(*h))); /* so that it is exact in float */
    *sum = 0;
    for (int p = 0; p < POINTS && status == EBM_OK; p++) {
        *place = (float)((double)centre + OFFSETS[p] * *h);
        status = ebm__model_energy_all(c->model, c->theta, n, x, false, c->energy, NULL);
        for (int64_t i = 0; i < n && status == EBM_OK; i++) {
            *sum += WEIGHTS[p] * c->energy[i];
        }
    }
    *place = centre;
    return status;
}

static ebm_status check_x(const check *c, worst *w) {
    int64_t dim = c->model->dim;
    EBM__TRY(ebm__model_energy_all(c->model, c->theta, c->n, c->x, false, c->energy, c->grad));
    for (int64_t r = 0; r < c->n; r++) {
        float *row = c->x + r * dim;
        double scale = largest(dim, c->grad + r * dim);
        for (int64_t i = 0; i < dim; i++) {
            double h;
            double sum;
            EBM__TRY(difference(c, row + i, 1, row, &h, &sum));
            note(w, (double)c->grad[r * dim + i], sum / h, scale, r, i);
        }
    }
    return EBM_OK;
}

static ebm_status check_theta(const check *c, worst *w) {
    int64_t n_params = c->model->n_params;
    EBM__TRY(ebm__model_param_grad_all(c->model, c->theta, c->n, c->x, c->weight, NULL, c->grad));
    double scale = largest(n_params, c->grad);
    int64_t n_checked = n_params < MOST_PARAMS ? n_params : MOST_PARAMS;
    for (int64_t k = 0; k < n_checked; k++) {
        int64_t j = n_params <= MOST_PARAMS ? k : (int64_t)((double)k * ((double)n_params / MOST_PARAMS));
        double h;
        double sum;
        EBM__TRY(difference(c, c->theta + j, c->n, c->x, &h, &sum));
        note(w, (double)c->grad[j], sum / h, scale, 0, j);
    }
    return EBM_OK;
}

static ebm_status run_check(const check *c, const char *caller, const float *x, worst *in_x, worst *in_theta) {
    ebm_model *model = c->model;
    memcpy(c->x, x, (size_t)(c->n * model->dim) * sizeof *x);
    for (int64_t i = 0; i < c->n; i++) {
        c->weight[i] = 1;
    }
    if (model->n_params > 0) {
        memcpy(c->theta, model->theta, (size_t)model->n_params * sizeof *x);
    }
    ebm_status status = check_x(c, in_x);
    if (status == EBM_OK && model->n_params > 0 && model->param_grad_fn != NULL) {
        status = check_theta(c, in_theta);
    }
    return status == EBM_OK ? EBM_OK : ebm__fail_within(status, "%s: ", caller);
}

static ebm_status allocate(check *c, const char *caller) {
    ebm_context *context = c->model->handle.context;
    int64_t n_x = c->n * c->model->dim;
    int64_t n_grad = n_x > c->model->n_params ? n_x : c->model->n_params;
    EBM__TRY(ebm__alloc(context, n_x, sizeof *c->x, caller, &c->x));
    EBM__TRY(ebm__alloc(context, n_grad, sizeof *c->grad, caller, &c->grad));
    EBM__TRY(ebm__alloc(context, c->n, sizeof *c->weight, caller, &c->weight));
    EBM__TRY(ebm__alloc(context, c->n, sizeof *c->energy, caller, &c->energy));
    return c->model->n_params == 0 ? EBM_OK
                                   : ebm__alloc(context, c->model->n_params, sizeof *c->theta, caller, &c->theta);
}

/* Runs at the end of the block, also when a callback's exception ends it. */
static void release(check *c) {
    ebm_context *context = c->model->handle.context;
    ebm__free(context, c->x);
    ebm__free(context, c->grad);
    ebm__free(context, c->weight);
    ebm__free(context, c->energy);
    ebm__free(context, c->theta);
}

ebm_status ebm_model_check_gradients(ebm_model *model, int64_t n, const float *x, double *worst_x,
                                     double *worst_theta) {
    EBM__REQUIRE(model);
    EBM__USE(use, model);
    EBM__TRY(ebm__require_rows(model, __func__, "x", n, x));
    worst in_x = {.row = -1};
    worst in_theta = {.row = -1};
    if (n > 0) {
        __attribute__((cleanup(release))) check c = {.model = model, .n = n};
        EBM__TRY(allocate(&c, __func__));
        EBM__TRY(run_check(&c, __func__, x, &in_x, &in_theta));
    }
    if (worst_x != NULL) {
        *worst_x = in_x.error;
    }
    if (worst_theta != NULL) {
        *worst_theta = in_theta.error;
    }
    return ebm__fail(EBM_OK,
                     "%s: grad_x parts most at row %" PRId64 ", coordinate %" PRId64 ": given %.6g, differenced %.6g; "
                     "grad_theta at parameter %" PRId64 ": given %.6g, differenced %.6g",
                     __func__, in_x.row, in_x.index, in_x.given, in_x.differenced, in_theta.index, in_theta.given,
                     in_theta.differenced);
}

/* SPDX-License-Identifier: MIT */
/* An energy in natural coordinates, E(x), as one in unconstrained ones: E_t(y) = E(x(y)) - log |det dx/dy|. */
#include <ebm/energies.h>

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "energies/builtin.h"
#include "energies/loops.h"
#include "energies/transform.h"
#include "model/model.h"

typedef struct transformed {
    ebm__builtin_state state;
    ebm_model *inner; /* kept */
    ebm_mixed_grad_fn mixed_grad; /* its, at creation */
    int64_t dim;      /* of y */
    int64_t natural_dim;
    int64_t longest; /* the largest block's size */
    int32_t n_blocks;
    ebm__transform *blocks;
} transformed;

static void release(void *user_data) {
    transformed *t = user_data;
    ebm_model_destroy(t->inner);
    ebm__free(t->state.context, t->blocks);
    ebm__builtin_state_release(t);
}

/* What one call borrows. */
typedef struct rows {
    float *x;             /* n x natural_dim */
    float *grad;          /* likewise, dE/dx; NULL when not wanted */
    double *log_jacobian; /* n; NULL when not wanted */
    double *work;         /* 2 x longest */
} rows;

static float *borrow(transformed *t, int64_t n, bool with_energy, bool with_grad, rows *r) {
    int64_t floats = n * t->natural_dim;
    int64_t n_jacobian = with_energy ? n : 0;
    int64_t bytes = (2 * t->longest + n_jacobian) * (int64_t)sizeof(double) +
                    (with_grad ? 2 : 1) * floats * (int64_t)sizeof(float);
    r->work = ebm__scratch_borrow(&t->state.scratch, bytes, "transformed energy");
    if (r->work == NULL) {
        return NULL;
    }
    r->log_jacobian = with_energy ? r->work + 2 * t->longest : NULL;
    r->x = (float *)(void *)(r->work + 2 * t->longest + n_jacobian);
    r->grad = with_grad ? r->x + floats : NULL;
    return r->x;
}

/* All rows' x, and their log-Jacobians unless NULL. */
static void constrain_rows(const transformed *t, int64_t n, const float *y, float *x, double *log_jacobian) {
    for (int64_t r = 0; r < n; r++) {
        double sum = 0;
        for (int32_t b = 0; b < t->n_blocks; b++) {
            sum += ebm__transform_constrain(&t->blocks[b], y, x);
            y += t->blocks[b].free_size;
            x += t->blocks[b].size;
        }
        if (log_jacobian != NULL) {
            log_jacobian[r] = sum;
        }
    }
}

static void gradient_rows(const transformed *t, int64_t n, const float *y, const float *grad_x, double *work,
                          float *grad_y) {
    for (int64_t r = 0; r < n; r++) {
        for (int32_t b = 0; b < t->n_blocks; b++) {
            const ebm__transform *block = &t->blocks[b];
            ebm__transform_gradient(block, y, grad_x, work, grad_y);
            y += block->free_size;
            grad_y += block->free_size;
            grad_x += block->size;
        }
    }
}

static void push_rows(const transformed *t, int64_t n, const float *y, const float *direction, float *moved) {
    for (int64_t r = 0; r < n; r++) {
        for (int32_t b = 0; b < t->n_blocks; b++) {
            const ebm__transform *block = &t->blocks[b];
            ebm__transform_push(block, y, direction, moved);
            y += block->free_size;
            direction += block->free_size;
            moved += block->size;
        }
    }
}

/*
 * The sign of the inner model's answers. A NaN keeps its bits, here and below: they may be the guard's mark of an
 * output that was not written.
 */
static void turn_sign(const transformed *t, int64_t n, float *values) {
    for (int64_t i = 0; t->inner->sign == EBM_SIGN_LOG_DENSITY && i < n; i++) {
        values[i] = isnan(values[i]) ? values[i] : -values[i];
    }
}

static void add_jacobians(const transformed *t, int64_t n, const double *log_jacobian, double *energy) {
    double sign = t->inner->sign == EBM_SIGN_LOG_DENSITY ? -1 : 1;
    for (int64_t r = 0; r < n; r++) {
        energy[r] = isnan(energy[r]) ? energy[r] : sign * energy[r] - log_jacobian[r];
    }
}

static int32_t transformed_energy(int64_t n, int64_t dim, const float *y, const float *theta, double *energy,
                                  float *grad_y, void *user_data) {
    transformed *t = user_data;
    int64_t floats = n * t->natural_dim;
    rows r;
    (void)dim;
    if (borrow(t, n, energy != NULL, grad_y != NULL, &r) == NULL) {
        return EBM_ERR_NOMEM;
    }
    constrain_rows(t, n, y, r.x, r.log_jacobian);
    for (int64_t i = 0; grad_y != NULL && i < floats; i++) {
        r.grad[i] = grad_y[0]; /* the guard's mark goes down with the request */
    }
    int32_t answer = t->inner->energy_fn(n, t->natural_dim, r.x, theta, energy, r.grad, t->inner->user_data);
    if (answer == EBM_CB_OK && energy != NULL) {
        add_jacobians(t, n, r.log_jacobian, energy);
    }
    if (answer == EBM_CB_OK && grad_y != NULL) {
        turn_sign(t, floats, r.grad);
        gradient_rows(t, n, y, r.grad, r.work, grad_y);
    }
    ebm__scratch_return(&t->state.scratch, r.work);
    return answer;
}

/* theta does not move the Jacobian. */
static int32_t transformed_param_grad(int64_t n, int64_t dim, const float *y, const float *weight, const float *theta,
                                      double *energy, float *grad_theta, void *user_data) {
    transformed *t = user_data;
    rows r;
    (void)dim;
    if (borrow(t, n, energy != NULL, false, &r) == NULL) {
        return EBM_ERR_NOMEM;
    }
    constrain_rows(t, n, y, r.x, r.log_jacobian);
    int32_t answer = t->inner->param_grad_fn(n, t->natural_dim, r.x, weight, theta, energy, grad_theta,
                                             t->inner->user_data);
    if (answer == EBM_CB_OK && energy != NULL) {
        add_jacobians(t, n, r.log_jacobian, energy);
    }
    if (answer == EBM_CB_OK && grad_theta != NULL) {
        turn_sign(t, t->inner->n_params, grad_theta);
    }
    ebm__scratch_return(&t->state.scratch, r.work);
    return answer;
}

/* slope = r . dE/dy - r . d log |det dx/dy| / dy, from the first of these. */
static void add_pulls(const transformed *t, int64_t n, const float *y, const float *direction, const rows *r,
                      double *slope) {
    double sign = t->inner->sign == EBM_SIGN_LOG_DENSITY ? -1 : 1;
    float *zeros = r->x; /* the points are needed no more, */
    float *pull = r->grad; /* nor the moves */
    memset(zeros, 0, (size_t)t->natural_dim * sizeof *zeros);
    for (int64_t i = 0; i < n; i++) {
        gradient_rows(t, 1, y + i * t->dim, zeros, r->work, pull);
        double sum = ebm__dot(t->dim, direction + i * t->dim, pull);
        slope[i] = isnan(slope[i]) ? slope[i] : sign * slope[i] + sum;
    }
}

/* Along r in y is along (dx/dy) r in x; theta does not move the Jacobian. */
static int32_t transformed_mixed_grad(int64_t n, int64_t dim, const float *y, const float *direction,
                                      const float *weight, const float *theta, double *slope, float *grad_theta,
                                      void *user_data) {
    transformed *t = user_data;
    rows r;
    (void)dim;
    if (borrow(t, n, false, true, &r) == NULL) {
        return EBM_ERR_NOMEM;
    }
    constrain_rows(t, n, y, r.x, NULL);
    push_rows(t, n, y, direction, r.grad);
    int32_t answer =
        t->mixed_grad(n, t->natural_dim, r.x, r.grad, weight, theta, slope, grad_theta, t->inner->user_data);
    if (answer == EBM_CB_OK && slope != NULL) {
        add_pulls(t, n, y, direction, &r, slope);
    }
    if (answer == EBM_CB_OK && grad_theta != NULL) {
        turn_sign(t, t->inner->n_params, grad_theta);
    }
    ebm__scratch_return(&t->state.scratch, r.work);
    return answer;
}

static int32_t transformed_init(uint64_t seed, int64_t n_params, float *theta, void *user_data) {
    const transformed *t = user_data;
    return t->inner->init_fn(seed, n_params, theta, t->inner->user_data);
}

static ebm_status fill_blocks(transformed *t, const char *caller, const int32_t *kinds, const int64_t *sizes,
                              const double *lo, const double *hi) {
    for (int32_t b = 0; b < t->n_blocks; b++) {
        ebm__transform *block = &t->blocks[b];
        EBM__TRY(ebm__transform_init(block, caller, b, kinds[b], sizes[b], lo, hi));
        if (block->size > t->inner->dim - t->natural_dim) {
            return ebm__fail(EBM_ERR_ARG, "%s: sizes[%" PRId32 "] is %" PRId64 ", but only %" PRId64 " of the inner "
                             "model's %" PRId64 " coordinates are left", caller, b, block->size,
                             t->inner->dim - t->natural_dim, t->inner->dim);
        }
        t->natural_dim += block->size;
        t->dim += block->free_size;
        t->longest = block->size > t->longest ? block->size : t->longest;
    }
    if (t->natural_dim != t->inner->dim) {
        return ebm__fail(EBM_ERR_ARG, "%s: sizes have the sum %" PRId64 ", must be the inner model's dim, %" PRId64,
                         caller, t->natural_dim, t->inner->dim);
    }
    return EBM_OK;
}

/* A model around the state, which it then owns. */
static ebm_status create_model(transformed *t, ebm_context *context, ebm_model **out) {
    ebm_model *model;
    ebm_param_grad_fn param_grad = t->inner->param_grad_fn == NULL ? NULL : transformed_param_grad;
    EBM__TRY(ebm_model_create(context, t->dim, transformed_energy, param_grad, t, &model));
    ebm_status status = ebm__model_share_params(model, t->inner);
    if (status != EBM_OK) {
        ebm_model_destroy(model);
        return status;
    }
    model->concurrent = t->inner->concurrent;
    t->mixed_grad = t->inner->mixed_grad_fn;
    model->mixed_grad_fn = t->mixed_grad == NULL ? NULL : transformed_mixed_grad;
    model->init_fn = t->inner->init_fn == NULL ? NULL : transformed_init;
    model->release_fn = release;
    *out = model;
    return EBM_OK;
}

ebm_status ebm_transformed_create(ebm_context *context, ebm_model *inner, int32_t n_blocks, const int32_t *kinds,
                                  const int64_t *sizes, const double *lo, const double *hi, ebm_model **out) {
    EBM__REQUIRE(inner);
    EBM__REQUIRE(kinds);
    EBM__REQUIRE(sizes);
    EBM__REQUIRE(out);
    if (n_blocks < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_blocks is %" PRId32 ", must be 1 or more", __func__, n_blocks);
    }
    EBM__USE(use, inner);
    transformed *t;
    EBM__TRY(ebm__builtin_state_create(context, sizeof *t, __func__, &t));
    ebm__handle_keep(&inner->handle);
    t->inner = inner;
    t->n_blocks = n_blocks;
    ebm_status status = ebm__alloc(context, n_blocks, sizeof *t->blocks, __func__, &t->blocks);
    if (status == EBM_OK) {
        status = fill_blocks(t, __func__, kinds, sizes, lo, hi);
    }
    if (status == EBM_OK) {
        status = create_model(t, context, out);
    }
    if (status != EBM_OK) {
        release(t);
    }
    return status;
}

/* The state of a model that ebm_transformed_create made, which never changes after that. NULL for another model. */
static const transformed *state_of(const ebm_model *model, const char *caller) {
    if (model->energy_fn != transformed_energy) {
        ebm__fail(EBM_ERR_ARG, "%s: model is not one of ebm_transformed_create", caller);
        return NULL;
    }
    return model->user_data;
}

ebm_status ebm_transformed_constrain(const ebm_model *model, int64_t n, const float *y, float *x) {
    EBM__REQUIRE(model);
    const transformed *t = state_of(model, __func__);
    if (t == NULL) {
        return EBM_ERR_ARG;
    }
    EBM__TRY(ebm__require_rows(model, __func__, "y", n, y));
    if (n == 0) {
        return EBM_OK;
    }
    EBM__REQUIRE(x);
    constrain_rows(t, n, y, x, NULL);
    return EBM_OK;
}

ebm_status ebm_transformed_unconstrain(const ebm_model *model, int64_t n, const float *x, float *y) {
    EBM__REQUIRE(model);
    const transformed *t = state_of(model, __func__);
    if (t == NULL) {
        return EBM_ERR_ARG;
    }
    EBM__TRY(ebm__require_rows(t->inner, __func__, "x", n, x));
    if (n == 0) {
        return EBM_OK;
    }
    EBM__REQUIRE(y);
    for (int64_t r = 0; r < n; r++) {
        int64_t column = 0;
        for (int32_t b = 0; b < t->n_blocks; b++) {
            EBM__TRY(ebm__transform_check(&t->blocks[b], __func__, r, column, x + r * t->natural_dim + column));
            column += t->blocks[b].size;
        }
    }
    for (int64_t r = 0; r < n; r++) {
        for (int32_t b = 0; b < t->n_blocks; b++) {
            ebm__transform_unconstrain(&t->blocks[b], x, y);
            x += t->blocks[b].size;
            y += t->blocks[b].free_size;
        }
    }
    return EBM_OK;
}

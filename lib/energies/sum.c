/* SPDX-License-Identifier: MIT */
/* E = sum_k w_k E_k. The parts' callbacks run behind the guard, as when a host calls the parts themselves. */
#include <ebm/energies.h>

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "energies/builtin.h"
#include "energies/loops.h"
#include "model/guard.h"
#include "model/model.h"

static const char CALLER[] = "ebm_sum_create";

typedef struct part {
    ebm_model *model; /* kept */
    double weight;
    int64_t offset; /* in the sum's theta, of a part that is trained */
    float *fixed;   /* the parameters of one that is not */
} part;

typedef struct sum {
    ebm__builtin_state state; /* first */
    int32_t n_parts;
    part *parts;
} sum;

static bool is_trained(const part *p) {
    return p->model->n_params > 0 && p->model->param_grad_fn != NULL;
}

static const float *theta_of(const part *p, const float *theta) {
    return is_trained(p) ? theta + p->offset : p->fixed;
}

static void clear(void *state) {
    sum *s = state;
    for (int32_t k = 0; s->parts != NULL && k < s->n_parts && s->parts[k].model != NULL; k++) {
        ebm__free(s->state.context, s->parts[k].fixed);
        ebm__handle_release(&s->parts[k].model->handle);
    }
    ebm__free(s->state.context, s->parts);
}

/* A call of either callback: what it gets, what it wants (each output may be NULL), and room for the parts' answers. */
typedef struct call {
    int64_t first_row, n;
    const float *x;
    const float *theta;
    double *energy;
    float *grad_x;
    const float *weight; /* of the rows in grad_theta */
    float *grad_theta;
    const float *direction; /* NULL, or the energies are slopes along it, and grad_theta is that of these */
    double *part_energy;
    float *part_grad_x;
    bool first; /* no part has been added so far */
} call;

static void add_energies(const call *c, double weight) {
    for (int64_t i = 0; i < c->n; i++) {
        c->energy[i] = (c->first ? 0.0 : c->energy[i]) + weight * c->part_energy[i];
    }
}

static void add_gradients(const call *c, int64_t dim, double weight) {
    for (int64_t i = 0; i < c->n * dim; i++) {
        c->grad_x[i] = (float)((c->first ? 0.0 : (double)c->grad_x[i]) + weight * (double)c->part_grad_x[i]);
    }
}

static ebm_status add_energy_of(const part *p, const call *c) {
    bool may_be_infinite = p->weight > 0.0 && c->grad_theta == NULL;
    EBM__TRY(ebm__guard_part_energy(p->model, theta_of(p, c->theta), c->first_row, c->n, c->x, may_be_infinite,
                                    c->energy == NULL ? NULL : c->part_energy,
                                    c->grad_x == NULL ? NULL : c->part_grad_x));
    if (c->energy != NULL) {
        add_energies(c, p->weight);
    }
    if (c->grad_x != NULL) {
        add_gradients(c, p->model->dim, p->weight);
    }
    return EBM_OK;
}

/* Of a part that is not trained. */
static ebm_status add_slopes_of(const part *p, const call *c) {
    int64_t dim = p->model->dim;
    EBM__TRY(ebm__guard_part_energy(p->model, theta_of(p, c->theta), c->first_row, c->n, c->x, false, NULL,
                                    c->part_grad_x));
    for (int64_t i = 0; i < c->n; i++) {
        c->part_energy[i] = ebm__dot(dim, c->direction + i * dim, c->part_grad_x + i * dim);
    }
    add_energies(c, p->weight);
    return EBM_OK;
}

static ebm_status add_theta_grad_of(const part *p, const call *c) {
    float *grad = c->grad_theta + p->offset;
    double *energy = c->energy == NULL ? NULL : c->part_energy;
    const float *theta = theta_of(p, c->theta);
    if (c->direction == NULL) {
        EBM__TRY(ebm__guard_param_grad(p->model, theta, c->first_row, c->n, c->x, c->weight, energy, grad));
    } else {
        EBM__TRY(ebm__guard_mixed_grad(p->model, theta, c->first_row, c->n, c->x, c->direction, c->weight, energy,
                                       grad));
    }
    for (int64_t i = 0; i < p->model->n_params; i++) {
        grad[i] = (float)(p->weight * (double)grad[i]);
    }
    if (c->energy != NULL) {
        add_energies(c, p->weight);
    }
    return EBM_OK;
}

static ebm_status add_part(const part *p, call *c) {
    bool wants_theta = c->grad_theta != NULL && is_trained(p);
    if (p->weight == 0.0) {
        if (wants_theta) {
            memset(c->grad_theta + p->offset, 0, (size_t)p->model->n_params * sizeof(float));
        }
        return EBM_OK;
    }
    if (wants_theta) {
        EBM__TRY(add_theta_grad_of(p, c));
    } else if (c->energy != NULL && c->direction != NULL) {
        EBM__TRY(add_slopes_of(p, c));
    } else if (c->energy != NULL || c->grad_x != NULL) {
        EBM__TRY(add_energy_of(p, c));
    }
    c->first = false;
    return EBM_OK;
}

static void set_empty(const call *c, int64_t dim) {
    if (c->energy != NULL) {
        memset(c->energy, 0, (size_t)c->n * sizeof *c->energy);
    }
    if (c->grad_x != NULL) {
        memset(c->grad_x, 0, (size_t)(c->n * dim) * sizeof *c->grad_x);
    }
}

static int32_t pass(sum *s, int64_t dim, call *c) {
    int64_t n_grad = c->grad_x != NULL || (c->direction != NULL && c->energy != NULL) ? c->n * dim : 0;
    c->first_row = ebm__guard_first_row();
    c->first = true;
    c->part_energy = ebm__scratch_borrow(
        &s->state.scratch, c->n * (int64_t)sizeof(double) + n_grad * (int64_t)sizeof(float), "sum of energies");
    if (c->part_energy == NULL) {
        return EBM_ERR_NOMEM;
    }
    c->part_grad_x = (float *)(void *)(c->part_energy + c->n);
    ebm_status status = EBM_OK;
    for (int32_t k = 0; k < s->n_parts && status == EBM_OK; k++) {
        status = add_part(&s->parts[k], c);
        if (status != EBM_OK) {
            (void)ebm__fail_within(status, "part %" PRId32 " of a sum: ", k);
        }
    }
    if (status == EBM_OK && c->first) {
        set_empty(c, dim);
    }
    ebm__scratch_return(&s->state.scratch, c->part_energy);
    return status == EBM_OK ? EBM_CB_OK : ebm__guard_hand_on(status);
}

static int32_t sum_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                          void *user_data) {
    return pass(user_data, dim, &(call){.n = n, .x = x, .theta = theta, .energy = energy, .grad_x = grad_x});
}

static int32_t sum_param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta,
                              double *energy, float *grad_theta, void *user_data) {
    return pass(user_data, dim,
                &(call){.n = n, .x = x, .theta = theta, .energy = energy, .weight = weight, .grad_theta = grad_theta});
}

static int32_t sum_mixed_grad(int64_t n, int64_t dim, const float *x, const float *direction, const float *weight,
                              const float *theta, double *slope, float *grad_theta, void *user_data) {
    return pass(user_data, dim,
                &(call){.n = n,
                        .x = x,
                        .theta = theta,
                        .energy = slope,
                        .weight = weight,
                        .grad_theta = grad_theta,
                        .direction = direction});
}

/* Parts get seeds of their own: with one seed, two parts of the same shape would start as the same function. */
static int32_t init(uint64_t seed, int64_t n_params, float *theta, void *user_data) {
    const sum *s = user_data;
    (void)n_params;
    for (int32_t k = 0; k < s->n_parts; k++) {
        const part *p = &s->parts[k];
        if (is_trained(p)) {
            ebm_status status =
                ebm__guard_init(p->model, seed ^ (uint64_t)k * UINT64_C(0x9E3779B97F4A7C15), theta + p->offset);
            if (status != EBM_OK) {
                (void)ebm__fail_within(status, "part %" PRId32 " of a sum: ", k);
                return ebm__guard_hand_on(status);
            }
        }
    }
    return EBM_CB_OK;
}

static ebm_status check_arguments(int32_t n_models, ebm_model *const *models, const double *weights) {
    if (n_models < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_models is %" PRId32 ", must be 1 or more", CALLER, n_models);
    }
    if (models == NULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: models is NULL", CALLER);
    }
    for (int32_t k = 0; k < n_models; k++) {
        if (models[k] == NULL) {
            return ebm__fail(EBM_ERR_ARG, "%s: models[%" PRId32 "] is NULL", CALLER, k);
        }
        if (models[k]->dim != models[0]->dim) {
            return ebm__fail(EBM_ERR_ARG, "%s: models[%" PRId32 "] has dim %" PRId64 ", models[0] has %" PRId64, CALLER,
                             k, models[k]->dim, models[0]->dim);
        }
        if (weights != NULL && !isfinite(weights[k])) {
            return ebm__fail(EBM_ERR_ARG, "%s: weights[%" PRId32 "] is %g, must be finite", CALLER, k, weights[k]);
        }
    }
    return EBM_OK;
}

/* Takes the part into the state, with a copy of its parameters where they are fixed. */
static ebm_status take_part(sum *s, int32_t k, ebm_model *model, double weight) {
    part *p = &s->parts[k];
    EBM__USE_FOR(use, model, CALLER);
    ebm__model_freeze(model);
    p->weight = weight;
    if (model->n_params > 0 && model->param_grad_fn == NULL) {
        EBM__TRY(ebm__alloc(s->state.context, model->n_params, sizeof *p->fixed, CALLER, &p->fixed));
        memcpy(p->fixed, model->theta, (size_t)model->n_params * sizeof *p->fixed);
    }
    p->model = model;
    ebm__handle_keep(&model->handle);
    return EBM_OK;
}

static ebm_status take_parts(sum *s, int32_t n_models, ebm_model *const *models, const double *weights) {
    s->state.clear = clear;
    EBM__TRY(ebm__alloc(s->state.context, n_models, sizeof *s->parts, CALLER, &s->parts));
    s->n_parts = n_models;
    for (int32_t k = 0; k < n_models; k++) {
        EBM__TRY(take_part(s, k, models[k], weights == NULL ? 1.0 : weights[k]));
    }
    return EBM_OK;
}

static ebm_status add_tensors_of(ebm_model *model, int32_t k, part *p) {
    p->offset = model->n_params;
    for (int64_t t = 0; t < p->model->n_tensors; t++) {
        const ebm__tensor *tensor = &p->model->tensors[t];
        char name[EBM__MOST_NAME + 16];
        snprintf(name, sizeof name, "%" PRId32 ".%s", k, tensor->name);
        ebm_status status = ebm_model_add_tensor(model, name, tensor->rank, tensor->shape);
        if (status != EBM_OK) {
            return ebm__fail_within(status, "%s: ", CALLER);
        }
    }
    return EBM_OK;
}

/* The parameters as they stand in the parts. */
static ebm_status fill(ebm_model *model, sum *s) {
    bool has_rule = true;
    for (int32_t k = 0; k < s->n_parts; k++) {
        if (is_trained(&s->parts[k])) {
            EBM__TRY(add_tensors_of(model, k, &s->parts[k]));
        }
    }
    for (int32_t k = 0; k < s->n_parts; k++) {
        const part *p = &s->parts[k];
        EBM__USE_FOR(use, p->model, CALLER);
        if (is_trained(p)) {
            memcpy(model->theta + p->offset, p->model->theta, (size_t)p->model->n_params * sizeof(float));
            has_rule = has_rule && p->model->init_fn != NULL;
        }
        if (p->model->concurrent == 0) {
            EBM__TRY(ebm_model_set_concurrent(model, 0));
        }
    }
    return has_rule ? EBM_OK : ebm_model_set_init(model, NULL);
}

ebm_status ebm_sum_create(ebm_context *context, int32_t n_models, ebm_model *const *models, const double *weights,
                          ebm_model **out) {
    EBM__REQUIRE(out);
    EBM__TRY(check_arguments(n_models, models, weights));
    sum *s;
    EBM__TRY(ebm__builtin_state_create(context, sizeof *s, CALLER, &s));
    ebm_status status = take_parts(s, n_models, models, weights);
    if (status != EBM_OK) {
        ebm__builtin_state_release(s);
        return status;
    }
    bool trains = false;
    bool is_mixed = true;
    for (int32_t k = 0; k < n_models; k++) {
        bool trained = is_trained(&s->parts[k]);
        trains = trains || trained;
        is_mixed = is_mixed && (!trained || models[k]->mixed_grad_fn != NULL);
    }
    const ebm__builtin_callbacks callbacks = {sum_energy, trains ? sum_param_grad : NULL, init,
                                              trains && is_mixed ? sum_mixed_grad : NULL};
    ebm_model *model;
    EBM__TRY(ebm__builtin_model_create(context, models[0]->dim, &callbacks, s, &model));
    status = fill(model, s);
    if (status != EBM_OK) {
        ebm_model_destroy(model);
        return status;
    }
    *out = model;
    return EBM_OK;
}

/* SPDX-License-Identifier: MIT */
/* How a gradient moves theta: SGD with momentum, Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019). */
#include <float.h>
#include <inttypes.h>
#include <math.h>

#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"
#include "trainer/trainer.h"

enum { TASK_FLOATS = 16384 };

/* One update, all factors as the floats that the loop uses. */
typedef struct update {
    const ebm_trainer *trainer;
    int32_t kind;
    float grad_scale;  /* of the clip */
    float coupled;     /* weight decay that is added to the gradient */
    float shrink;      /* what AdamW multiplies theta with */
    float rate;        /* of Adam: lr / (1 - beta1^t) */
    float root_scale;  /* of Adam: 1 / sqrt(1 - beta2^t) */
    float epsilon;
    float keep1, take1; /* beta1, 1 - beta1; or, for SGD, momentum and 1 */
    float keep2, take2;
} update;

static void update_sgd(const update *u, int64_t n, const float *restrict grad, const float *restrict theta,
                       const float *restrict velocity, float *restrict next_velocity, float *restrict next_theta) {
    for (int64_t i = 0; i < n; i++) {
        float g = u->grad_scale * grad[i] + u->coupled * theta[i];
        next_velocity[i] = u->keep1 * velocity[i] + g;
        next_theta[i] = theta[i] - u->rate * next_velocity[i];
    }
}

static void update_adam(const update *u, int64_t n, const float *restrict grad, const float *restrict theta,
                        const float *restrict first, const float *restrict second, float *restrict next_first,
                        float *restrict next_second, float *restrict next_theta) {
    for (int64_t i = 0; i < n; i++) {
        float g = u->grad_scale * grad[i] + u->coupled * theta[i];
        float m = u->keep1 * first[i] + u->take1 * g;
        float v = u->keep2 * second[i] + u->take2 * (g * g);
        next_first[i] = m;
        next_second[i] = v;
        next_theta[i] = u->shrink * theta[i] - u->rate * m / (sqrtf(v) * u->root_scale + u->epsilon);
    }
}

static void update_task(int64_t index, void *data) {
    const update *u = data;
    const ebm_trainer *t = u->trainer;
    const ebm__optimizer *o = &t->optimizer;
    int64_t i = index * TASK_FLOATS;
    int64_t n = t->model->n_params - i < TASK_FLOATS ? t->model->n_params - i : TASK_FLOATS;
    if (u->kind == EBM_OPT_SGD) {
        update_sgd(u, n, t->grad + i, t->model->theta + i, o->first + i, o->next_first + i, o->next_theta + i);
    } else {
        update_adam(u, n, t->grad + i, t->model->theta + i, o->first + i, o->second + i, o->next_first + i,
                    o->next_second + i, o->next_theta + i);
    }
}

/* log Z moves as a parameter does, but for weight decay, which would draw it to a value without a meaning. */
static void update_log_z(const update *of_theta, ebm__log_z *z) {
    update u = *of_theta;
    u.coupled = 0;
    u.shrink = 1;
    if (u.kind == EBM_OPT_SGD) {
        update_sgd(&u, 1, &z->grad, &z->used, &z->first, &z->next_first, &z->next_value);
    } else {
        update_adam(&u, 1, &z->grad, &z->used, &z->first, &z->second, &z->next_first, &z->next_second, &z->next_value);
    }
}

static void accept_log_z(ebm__log_z *z) {
    z->value = z->next_value;
    z->first = z->next_first;
    z->second = z->next_second;
    z->known = true;
}

ebm_status ebm__optimizer_prepare(ebm_trainer *trainer, const char *caller) {
    ebm__optimizer *o = &trainer->optimizer;
    float **arrays[] = {&o->first, &o->next_first, &o->next_theta, &o->second, &o->next_second};
    int n_arrays = trainer->settings.optimizer == EBM_OPT_SGD ? 3 : 5;
    if (o->first == NULL) {
        o->beta1_power = 1;
        o->beta2_power = 1;
    }
    for (int i = 0; i < n_arrays; i++) {
        if (*arrays[i] == NULL) {
            EBM__TRY(ebm__alloc(trainer->handle.context, trainer->model->n_params, sizeof(float), caller, arrays[i]));
        }
    }
    return EBM_OK;
}

static update plan(const ebm_trainer *trainer, double grad_norm) {
    const ebm__trainer_settings *s = &trainer->settings;
    const ebm__optimizer *o = &trainer->optimizer;
    double rate = ebm__trainer_learning_rate(trainer);
    bool sgd = s->optimizer == EBM_OPT_SGD;
    bool decoupled = s->optimizer == EBM_OPT_ADAMW;
    return (update){
        .trainer = trainer,
        .kind = s->optimizer,
        .grad_scale = (float)(grad_norm > s->grad_clip ? s->grad_clip / grad_norm : 1.0),
        .coupled = decoupled ? 0.0F : (float)s->weight_decay,
        .shrink = decoupled ? (float)(1 - rate * s->weight_decay) : 1.0F,
        .rate = (float)(sgd ? rate : rate / (1 - o->beta1_power * s->beta1)),
        .root_scale = (float)(1 / sqrt(1 - o->beta2_power * s->beta2)),
        .epsilon = (float)s->epsilon,
        .keep1 = (float)(sgd ? s->momentum : s->beta1),
        .take1 = (float)(1 - s->beta1),
        .keep2 = (float)s->beta2,
        .take2 = (float)(1 - s->beta2),
    };
}

static bool all_finite(int64_t n, const float *values) {
    int bad = 0;
    for (int64_t i = 0; i < n; i++) {
        bad |= !(fabsf(values[i]) <= FLT_MAX);
    }
    return bad == 0;
}

ebm_status ebm__optimizer_propose(ebm_trainer *trainer, double grad_norm, const char *caller) {
    EBM__TRY(ebm__optimizer_prepare(trainer, caller));
    update u = plan(trainer, grad_norm);
    int64_t n_params = trainer->model->n_params;
    EBM__TRY(ebm__parallel_for(trainer->handle.context, (n_params - 1) / TASK_FLOATS + 1, update_task, &u));
    bool learns_log_z = trainer->settings.objective == EBM_OBJECTIVE_NOISE_CONTRASTIVE;
    if (learns_log_z) {
        update_log_z(&u, &trainer->log_z);
    }
    const ebm__optimizer *o = &trainer->optimizer;
    /* A moment that is infinite would hold its parameter fixed for ever, unseen. */
    const char *what = !all_finite(n_params, o->next_theta)                              ? "a parameter"
                       : !all_finite(n_params, o->next_first)                            ? "a first moment"
                       : u.kind != EBM_OPT_SGD && !all_finite(n_params, o->next_second) ? "a second moment"
                       : learns_log_z && !isfinite(trainer->log_z.next_value)           ? "log Z"
                                                                                         : NULL;
    return what == NULL ? EBM_OK
                        : ebm__fail(EBM_ERR_DIVERGED, "%s left the range of float (gradient norm %g, learning rate %g)",
                                    what, grad_norm, ebm__trainer_learning_rate(trainer));
}

void ebm__optimizer_accept(ebm_trainer *trainer) {
    ebm__optimizer *o = &trainer->optimizer;
    float *first = o->first;
    float *second = o->second;
    o->first = o->next_first;
    o->second = o->next_second;
    o->next_first = first;
    o->next_second = second;
    if (trainer->settings.objective == EBM_OBJECTIVE_NOISE_CONTRASTIVE) {
        accept_log_z(&trainer->log_z);
    }
    o->beta1_power *= trainer->settings.beta1;
    o->beta2_power *= trainer->settings.beta2;
    for (int64_t i = 0; i < trainer->model->n_params; i++) {
        trainer->model->theta[i] = o->next_theta[i];
    }
}

void ebm__optimizer_clear(ebm_trainer *trainer) {
    ebm_context *context = trainer->handle.context;
    ebm__optimizer *o = &trainer->optimizer;
    ebm__free(context, o->first);
    ebm__free(context, o->second);
    ebm__free(context, o->next_first);
    ebm__free(context, o->next_second);
    ebm__free(context, o->next_theta);
    *o = (ebm__optimizer){0};
    trainer->log_z.first = 0;
    trainer->log_z.second = 0;
}

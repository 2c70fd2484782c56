/* SPDX-License-Identifier: MIT */
#include "trainer/trainer.h"

#include <math.h>

#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"

void ebm__trainer_set_keeper(ebm_trainer *trainer, int which, ebm__keeper *keeper) {
    ebm__keeper *old = trainer->keepers[which];
    if (old != NULL) {
        old->destroy(old, trainer->handle.context);
    }
    trainer->keepers[which] = keeper;
}

static void destroy_trainer(ebm__handle *handle) {
    ebm_trainer *trainer = (ebm_trainer *)(void *)handle; /* the handle is the first member */
    ebm_context *context = handle->context;
    for (int i = 0; i < EBM__N_KEEPERS; i++) {
        ebm__trainer_set_keeper(trainer, i, NULL);
    }
    ebm__optimizer_clear(trainer);
    ebm__free(context, trainer->rows);
    ebm__free(context, trainer->weight);
    ebm__free(context, trainer->energy);
    ebm__free(context, trainer->work);
    ebm__noise_clear(&trainer->noise, context);
    ebm__health_clear(&trainer->health, context);
    ebm__free(context, trainer->grad);
    ebm__free(context, trainer->average);
    ebm__free(context, trainer->order);
    ebm__free(context, trainer->batch);
    ebm_sampler_destroy(trainer->sampler);
    ebm_model_destroy(trainer->model);
    ebm__free(context, trainer);
}

#define UNCHANGED {EBM_SCHEDULE_CONSTANT, 0, 1, 1.0}

/* What a new trainer does until it is told otherwise. */
static const ebm__trainer_settings DEFAULTS = {
    .objective = EBM_OBJECTIVE_LIKELIHOOD,
    .seed = 0, /* the sampler's, if there is one */
    .optimizer = EBM_OPT_ADAM,
    .learning_rate = 1e-3,
    .schedules = {UNCHANGED, UNCHANGED, UNCHANGED, UNCHANGED},
    .momentum = 0.0,
    .beta1 = 0.9,
    .beta2 = 0.999,
    .epsilon = 1e-8,
    .weight_decay = 0.0,
    .grad_clip = INFINITY,
    .mcmc_steps = 20,
    .batch_size = 128,
    .energy_penalty = 0.0,
    .data_noise = 0.0,
    .average_decay = 0.0,
    .gap_limit = INFINITY,
    .health_record = 1,
    .rollback_every = 0,
    .rollback_factor = 0.5,
    .most_rollbacks = 3,
    .difference_step = 0x1p-8,
    .noise_ratio = 1,
    .n_noise_levels = 1,
    .noise_levels = {0.1},
    .progress = NULL,
    .progress_data = NULL,
    .progress_every = 1,
};

static ebm_status check_parts(const ebm_model *model, const ebm_sampler *sampler, const char *caller) {
    if (sampler != NULL && sampler->model != model) {
        return ebm__fail(EBM_ERR_ARG, "%s: sampler was made on another model", caller);
    }
    if (model->param_grad_fn == NULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: model has no param_grad callback, there is nothing to train", caller);
    }
    if (model->n_params == 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: model has no parameters, there is nothing to train", caller);
    }
    return EBM_OK;
}

ebm_status ebm_trainer_create(ebm_context *context, ebm_model *model, ebm_sampler *sampler, ebm_trainer **out) {
    EBM__REQUIRE(model);
    EBM__REQUIRE(out);
    EBM__USE_ANY(use_sampler, sampler, __func__);
    EBM__USE(use_model, model);
    EBM__TRY(check_parts(model, sampler, __func__));
    context = context == NULL ? ebm__model_context(model) : context;
    ebm_trainer *trainer = NULL;
    EBM__TRY(ebm__alloc(context, 1, sizeof *trainer, __func__, &trainer));
    ebm__handle_init(&trainer->handle, context, destroy_trainer);
    trainer->settings = DEFAULTS;
    trainer->health.rhat = NAN;
    atomic_init(&trainer->stop, false);
    ebm_status status = ebm__alloc(context, model->n_params, sizeof(float), __func__, &trainer->grad);
    if (status != EBM_OK) {
        ebm__handle_release(&trainer->handle);
        return status;
    }
    ebm__handle_keep(&model->handle);
    trainer->model = model;
    if (sampler != NULL) {
        ebm__handle_keep(&sampler->handle);
        trainer->sampler = sampler;
        trainer->settings.seed = sampler->seed;
    }
    *out = trainer;
    return EBM_OK;
}

void ebm_trainer_destroy(ebm_trainer *trainer) {
    if (trainer != NULL) {
        ebm__handle_release(&trainer->handle);
    }
}

ebm_status ebm_trainer_request_stop(ebm_trainer *trainer) {
    if (trainer == NULL) {
        return EBM_ERR_ARG; /* no message: a signal handler may be asking */
    }
    atomic_store_explicit(&trainer->stop, true, memory_order_relaxed);
    return EBM_OK;
}

/* SPDX-License-Identifier: MIT */
#include "model/model.h"

#include <inttypes.h>

#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"

static void destroy_model(ebm__handle *handle) {
    ebm_model *model = (ebm_model *)(void *)handle; /* the handle is the first member */
    if (model->release_fn != NULL) {
        model->release_fn(model->user_data);
    }
    ebm__free(handle->context, model->partial);
    ebm__free(handle->context, model->spectral);
    ebm__free(handle->context, model->own_theta);
    ebm__free(handle->context, model->tensors);
    ebm__free(handle->context, model);
}

ebm_status ebm_model_create(ebm_context *context, int64_t dim, ebm_energy_fn energy_fn, ebm_param_grad_fn param_grad_fn,
                            void *user_data, ebm_model **out) {
    EBM__REQUIRE(energy_fn);
    EBM__REQUIRE(out);
    if (dim < 1 || dim > INT32_MAX) {
        return ebm__fail(EBM_ERR_ARG, "%s: dim is %" PRId64 ", must be 1 to %d", __func__, dim, INT32_MAX);
    }
    ebm_model *model;
    EBM__TRY(ebm__alloc(context, 1, sizeof *model, __func__, &model));
    ebm__handle_init(&model->handle, context, destroy_model);
    model->dim = dim;
    model->energy_fn = energy_fn;
    model->param_grad_fn = param_grad_fn;
    model->user_data = user_data;
    *out = model;
    return EBM_OK;
}

void ebm_model_destroy(ebm_model *model) {
    if (model != NULL) {
        ebm__handle_release(&model->handle);
    }
}

ebm_context *ebm__model_context(const ebm_model *model) {
    return model->handle.context;
}

void ebm__model_freeze(ebm_model *model) {
    model->frozen = true;
}

int64_t ebm_model_dim(const ebm_model *model) {
    return model == NULL ? 0 : model->dim;
}

ebm_status ebm_model_set_sign(ebm_model *model, int32_t sign) {
    EBM__REQUIRE(model);
    if (sign != EBM_SIGN_ENERGY && sign != EBM_SIGN_LOG_DENSITY) {
        return ebm__fail(EBM_ERR_ARG, "%s: sign is %d, must be EBM_SIGN_ENERGY or EBM_SIGN_LOG_DENSITY", __func__,
                         sign);
    }
    EBM__USE(use, model);
    model->sign = sign;
    return EBM_OK;
}

ebm_status ebm_model_get_sign(const ebm_model *model, int32_t *sign) {
    EBM__REQUIRE(model);
    EBM__REQUIRE(sign);
    EBM__TRY(ebm__readable(&model->handle, __func__));
    *sign = model->sign;
    return EBM_OK;
}

ebm_status ebm_model_set_concurrent(ebm_model *model, int32_t concurrent) {
    EBM__REQUIRE(model);
    if (concurrent != 0 && concurrent != 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: concurrent is %d, must be 0 or 1", __func__, concurrent);
    }
    EBM__USE(use, model);
    model->concurrent = concurrent;
    return EBM_OK;
}

ebm_status ebm_model_get_concurrent(const ebm_model *model, int32_t *concurrent) {
    EBM__REQUIRE(model);
    EBM__REQUIRE(concurrent);
    EBM__TRY(ebm__readable(&model->handle, __func__));
    *concurrent = model->concurrent;
    return EBM_OK;
}

ebm_status ebm_model_set_release(ebm_model *model, ebm_release_fn release) {
    EBM__REQUIRE(model);
    EBM__REQUIRE(release);
    EBM__USE(use, model);
    if (model->release_fn != NULL) {
        return ebm__fail(EBM_ERR_STATE, "%s: the model already has a release function, and owns its user_data",
                         __func__);
    }
    model->release_fn = release;
    return EBM_OK;
}

ebm_status ebm_model_set_init(ebm_model *model, ebm_init_fn init) {
    EBM__REQUIRE(model);
    EBM__USE(use, model);
    model->init_fn = init;
    return EBM_OK;
}

/* SPDX-License-Identifier: MIT */
/* The parameters: named tensors, one after the other, in one flat vector. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "model/guard.h"
#include "model/model.h"
#include "model/spectral.h"

ebm_status ebm__require_finite(const char *caller, const char *name, int64_t n, int64_t dim, const float *x) {
    int bad = 0;
    for (int64_t i = 0; i < n * dim; i++) {
        bad |= !(fabsf(x[i]) <= FLT_MAX);
    }
    if (bad == 0) {
        return EBM_OK;
    }
    int64_t i = 0;
    while (fabsf(x[i]) <= FLT_MAX) {
        i++;
    }
    return ebm__fail(EBM_ERR_ARG, "%s: %s is %s at row %" PRId64 ", column %" PRId64 ", must be finite", caller, name,
                     isnan(x[i]) ? "NaN" : x[i] > 0 ? "+infinity" : "-infinity", i / dim, i % dim);
}

static const ebm__tensor *find_tensor(const ebm_model *model, const char *name) {
    for (int64_t i = 0; i < model->n_tensors; i++) {
        if (strcmp(model->tensors[i].name, name) == 0) {
            return &model->tensors[i];
        }
    }
    return NULL;
}

static ebm_status check_name(const ebm_model *model, const char *caller, const char *name) {
    size_t length = strnlen(name, EBM__MOST_NAME + 1);
    if (length == 0 || length > EBM__MOST_NAME) {
        return ebm__fail(EBM_ERR_ARG, "%s: name has %s%d characters, must have 1 to %d", caller,
                         length == 0 ? "" : "more than ", length == 0 ? 0 : EBM__MOST_NAME, EBM__MOST_NAME);
    }
    for (size_t i = 0; i < length; i++) {
        if (name[i] <= ' ' || name[i] > '~') {
            return ebm__fail(EBM_ERR_ARG, "%s: name has the byte 0x%02x, must be printable ASCII without a space",
                             caller, (unsigned char)name[i]);
        }
    }
    if (strcmp(name, "__metadata__") == 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: name is '__metadata__', which model files keep for themselves", caller);
    }
    if (find_tensor(model, name) != NULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: name is '%s', which the model already has", caller, name);
    }
    return EBM_OK;
}

static ebm_status shape_size(const char *caller, int32_t rank, const int64_t *shape, int64_t *size) {
    *size = 1;
    for (int32_t i = 0; i < rank; i++) {
        if (shape[i] < 1) {
            return ebm__fail(EBM_ERR_ARG, "%s: shape[%d] is %" PRId64 ", must be at least 1", caller, i, shape[i]);
        }
        if (!ebm__multiply(*size, shape[i], size)) {
            return ebm__fail(EBM_ERR_OVERFLOW, "%s: the product of shape[0] to shape[%d] does not fit", caller, i);
        }
    }
    return EBM_OK;
}

/* Larger copies of both arrays, swapped in only when both are there. */
static ebm_status append_tensor(ebm_model *model, const char *caller, const ebm__tensor *tensor) {
    ebm_context *context = model->handle.context;
    int64_t n_params;
    if (__builtin_add_overflow(model->n_params, tensor->size, &n_params)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: %" PRId64 " more parameters do not fit", caller, tensor->size);
    }
    float *theta;
    EBM__TRY(ebm__alloc(context, n_params, sizeof *theta, caller, &theta));
    ebm__tensor *tensors;
    ebm_status status = ebm__alloc(context, model->n_tensors + 1, sizeof *tensors, caller, &tensors);
    if (status != EBM_OK) {
        ebm__free(context, theta);
        return status;
    }
    if (model->n_tensors > 0) {
        memcpy(theta, model->own_theta, (size_t)model->n_params * sizeof *theta);
        memcpy(tensors, model->tensors, (size_t)model->n_tensors * sizeof *tensors);
    }
    tensors[model->n_tensors] = *tensor;
    ebm__free(context, model->own_theta);
    ebm__free(context, model->tensors);
    model->own_theta = theta;
    model->theta = theta;
    model->tensors = tensors;
    model->n_params = n_params;
    model->n_tensors++;
    return EBM_OK;
}

ebm_status ebm_model_add_tensor(ebm_model *model, const char *name, int32_t rank, const int64_t *shape) {
    EBM__REQUIRE(model);
    EBM__REQUIRE(name);
    if (rank < 0 || rank > EBM__MOST_RANK) {
        return ebm__fail(EBM_ERR_ARG, "%s: rank is %d, must be 0 to %d", __func__, rank, EBM__MOST_RANK);
    }
    if (rank > 0) {
        EBM__REQUIRE(shape);
    }
    EBM__USE(use, model);
    EBM__TRY(check_name(model, __func__, name));
    if (model->frozen) {
        return ebm__fail(EBM_ERR_STATE, "%s: name is '%s', but the model is already in use and takes no more tensors",
                         __func__, name);
    }
    ebm__tensor tensor = {.rank = rank, .offset = model->n_params};
    EBM__TRY(shape_size(__func__, rank, shape, &tensor.size));
    memcpy(tensor.name, name, strlen(name) + 1);
    if (rank > 0) {
        memcpy(tensor.shape, shape, (size_t)rank * sizeof *shape);
    }
    return append_tensor(model, __func__, &tensor);
}

int64_t ebm_model_param_count(const ebm_model *model) {
    return model == NULL ? 0 : model->n_params;
}

int64_t ebm_model_tensor_count(const ebm_model *model) {
    return model == NULL ? 0 : model->n_tensors;
}

ebm_status ebm_model_tensor_info(const ebm_model *model, int64_t index, const char **name, int32_t *rank,
                                 int64_t *shape, int64_t *offset) {
    EBM__REQUIRE(model);
    EBM__TRY(ebm__readable(&model->handle, __func__));
    if (index < 0 || index >= model->n_tensors) {
        return ebm__fail(EBM_ERR_ARG, "%s: index is %" PRId64 ", the model has %" PRId64 " tensors", __func__, index,
                         model->n_tensors);
    }
    const ebm__tensor *tensor = &model->tensors[index];
    if (name != NULL) {
        *name = tensor->name;
    }
    if (rank != NULL) {
        *rank = tensor->rank;
    }
    if (shape != NULL) {
        memcpy(shape, tensor->shape, (size_t)tensor->rank * sizeof *shape);
    }
    if (offset != NULL) {
        *offset = tensor->offset;
    }
    return EBM_OK;
}

static ebm_status check_count(const char *caller, int64_t n, int64_t expected, const char *of) {
    if (n != expected) {
        return ebm__fail(EBM_ERR_ARG, "%s: n is %" PRId64 ", %s has %" PRId64 " floats", caller, n, of, expected);
    }
    return EBM_OK;
}

ebm_status ebm_model_set_params(ebm_model *model, int64_t n, const float *theta) {
    EBM__REQUIRE(model);
    EBM__USE(use, model);
    EBM__TRY(check_count(__func__, n, model->n_params, "the model"));
    if (n == 0) {
        return EBM_OK;
    }
    EBM__REQUIRE(theta);
    EBM__TRY(ebm__require_finite(__func__, "theta", 1, n, theta));
    memmove(model->theta, theta, (size_t)n * sizeof *theta);
    return EBM_OK;
}

ebm_status ebm_model_get_params(const ebm_model *model, int64_t n, float *theta) {
    EBM__REQUIRE(model);
    EBM__TRY(ebm__readable(&model->handle, __func__));
    EBM__TRY(check_count(__func__, n, model->n_params, "the model"));
    if (n == 0) {
        return EBM_OK;
    }
    EBM__REQUIRE(theta);
    memmove(theta, model->theta, (size_t)n * sizeof *theta);
    return EBM_OK;
}

static ebm_status find_named(const ebm_model *model, const char *caller, const char *name, int64_t n,
                             const ebm__tensor **tensor) {
    *tensor = find_tensor(model, name);
    if (*tensor == NULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: name is '%.127s', the model has no such tensor", caller, name);
    }
    return check_count(caller, n, (*tensor)->size, name);
}

ebm_status ebm_model_set_tensor(ebm_model *model, const char *name, int64_t n, const float *values) {
    EBM__REQUIRE(model);
    EBM__REQUIRE(name);
    EBM__REQUIRE(values);
    EBM__USE(use, model);
    const ebm__tensor *tensor;
    EBM__TRY(find_named(model, __func__, name, n, &tensor));
    EBM__TRY(ebm__require_finite(__func__, "values", 1, n, values));
    memmove(model->theta + tensor->offset, values, (size_t)n * sizeof *values);
    return EBM_OK;
}

ebm_status ebm_model_get_tensor(const ebm_model *model, const char *name, int64_t n, float *values) {
    EBM__REQUIRE(model);
    EBM__REQUIRE(name);
    EBM__REQUIRE(values);
    EBM__TRY(ebm__readable(&model->handle, __func__));
    const ebm__tensor *tensor;
    EBM__TRY(find_named(model, __func__, name, n, &tensor));
    memmove(values, model->theta + tensor->offset, (size_t)n * sizeof *values);
    return EBM_OK;
}

ebm_status ebm_model_bind_params(ebm_model *model, int64_t n, float *theta) {
    EBM__REQUIRE(model);
    EBM__USE(use, model);
    EBM__TRY(check_count(__func__, n, model->n_params, "the model"));
    if (n == 0) {
        return EBM_OK;
    }
    if (model->shared) {
        return ebm__fail(EBM_ERR_STATE, "%s: the parameters are those of a transformed model and of its inner one",
                         __func__);
    }
    if (theta == NULL && model->theta != model->own_theta) {
        memcpy(model->own_theta, model->theta, (size_t)n * sizeof *theta);
    }
    model->theta = theta == NULL ? model->own_theta : theta;
    ebm__model_freeze(model);
    return EBM_OK;
}

ebm_status ebm__model_share_params(ebm_model *model, ebm_model *owner) {
    if (owner->n_tensors > 0) {
        EBM__TRY(ebm__alloc(model->handle.context, owner->n_tensors, sizeof *model->tensors, "shared parameters",
                            &model->tensors));
        memcpy(model->tensors, owner->tensors, (size_t)owner->n_tensors * sizeof *model->tensors);
    }
    model->n_tensors = owner->n_tensors;
    model->n_params = owner->n_params;
    model->theta = owner->theta;
    model->shared = true;
    owner->shared = true;
    ebm__model_freeze(model);
    ebm__model_freeze(owner);
    return EBM_OK;
}

/* Memory that goes back at the end of the block, also when a callback's exception ends it. */
typedef struct temporary {
    ebm_context *context;
    float *memory;
} temporary;

static void free_temporary(temporary *t) {
    ebm__free(t->context, t->memory);
}

ebm_status ebm_model_init_params(ebm_model *model, uint64_t seed) {
    EBM__REQUIRE(model);
    EBM__USE(use, model);
    if (model->init_fn == NULL) {
        return ebm__fail(EBM_ERR_STATE, "%s: the model has no rule for starting values; see ebm_model_set_init",
                         __func__);
    }
    if (model->n_params == 0) {
        return EBM_OK;
    }
    __attribute__((cleanup(free_temporary))) temporary theta = {.context = model->handle.context};
    EBM__TRY(ebm__alloc(theta.context, model->n_params, sizeof *theta.memory, __func__, &theta.memory));
    ebm_status status = ebm__guard_init(model, seed, theta.memory);
    if (status != EBM_OK) {
        return ebm__fail_within(status, "%s: ", __func__);
    }
    EBM__TRY(ebm__model_limit_norms(model, theta.memory, __func__));
    memcpy(model->theta, theta.memory, (size_t)model->n_params * sizeof *theta.memory);
    return EBM_OK;
}

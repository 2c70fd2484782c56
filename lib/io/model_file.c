/* SPDX-License-Identifier: MIT */
/* A model's parameters to and from a file. */
#include <ebm/io.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/model_tensors.h"
#include "model/model.h"

static ebm_status save(const ebm_model *model, const char *path) {
    ebm__tensor_list list = {.context = ebm__model_context(model)};
    ebm_status status = ebm__list_model_tensors(&list, EBM__GROUP_PARAM, model, model->theta);
    status = status == EBM_OK ? ebm__tensor_list_save(&list, path, 1) : status;
    ebm__tensor_list_clear(&list);
    return status;
}

ebm_status ebm_model_save(const ebm_model *model, const char *path) {
    EBM__REQUIRE(model);
    EBM__TRY(ebm__require_path(__func__, path));
    EBM__TRY(ebm__readable(&model->handle, __func__));
    ebm_status status = save(model, path);
    return status == EBM_OK ? EBM_OK : ebm__fail_within(status, "%s: '%.200s': ", __func__, path);
}

/* What a trainer's file has beside the parameters. */
static const char *const OTHERS[] = {"average.", "opt.", "chain.", "rng.", "health.", "rollback.", NULL};

static ebm_status load_list(ebm_model *model, ebm__tensor_file *file, ebm__tensor_list *list, float *theta) {
    EBM__TRY(ebm__list_model_tensors(list, EBM__GROUP_PARAM, model, theta));
    EBM__TRY(ebm__tensor_list_match(list, file));
    EBM__TRY(ebm__tensor_file_require_used(file, OTHERS));
    EBM__TRY(ebm__tensor_list_copy(list, file));
    return ebm_model_set_params(model, ebm_model_param_count(model), theta);
}

static ebm_status load(ebm_model *model, ebm__tensor_file *file) {
    ebm_context *context = ebm__model_context(model);
    ebm__tensor_list list = {.context = context};
    float *theta;
    EBM__TRY(ebm__alloc(context, ebm_model_param_count(model), sizeof *theta, "the parameters", &theta));
    ebm_status status = load_list(model, file, &list, theta);
    ebm__tensor_list_clear(&list);
    ebm__free(context, theta);
    return status;
}

ebm_status ebm_model_load(ebm_model *model, const char *path) {
    EBM__REQUIRE(model);
    EBM__TRY(ebm__require_path(__func__, path));
    ebm__tensor_file file;
    ebm_status status = ebm__tensor_file_read(ebm__model_context(model), path, &file);
    status = status == EBM_OK ? load(model, &file) : status;
    if (status == EBM_OK) {
        ebm__tensor_file_report(&file, path, __func__);
    }
    ebm__tensor_file_clear(&file);
    return status == EBM_OK ? EBM_OK : ebm__fail_within(status, "%s: '%.200s': ", __func__, path);
}

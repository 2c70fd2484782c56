/* SPDX-License-Identifier: MIT */
#include "io/model_tensors.h"

#include <string.h>

#include "core/error.h"

_Static_assert((int)EBM__SAFETENSORS_MOST_RANK >= (int)EBM__MOST_RANK, "every tensor of a model can be written");

ebm_status ebm__list_model_tensors(ebm__tensor_list *list, const char *group, const ebm_model *model, float *values) {
    for (int64_t i = 0; i < model->n_tensors; i++) {
        const ebm__tensor *tensor = &model->tensors[i];
        ebm__tensor_place place = {.group = group,
                                   .name = tensor->name,
                                   .dtype = EBM__DTYPE_F32,
                                   .check = EBM__FINITE,
                                   .rank = tensor->rank,
                                   .values = values == NULL ? NULL : values + tensor->offset};
        memcpy(place.shape, tensor->shape, sizeof tensor->shape);
        EBM__TRY(ebm__tensor_list_add(list, &place));
    }
    return EBM_OK;
}

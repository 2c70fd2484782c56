/* SPDX-License-Identifier: MIT */
/* A model's tensors in a list: its parameters, or their average. */
#ifndef EBM_IO_MODEL_TENSORS_H
#define EBM_IO_MODEL_TENSORS_H

#include "io/tensor_list.h"
#include "model/model.h"

#define EBM__GROUP_PARAM "param"

/* `values`: as many as the model has parameters, or NULL. */
ebm_status ebm__list_model_tensors(ebm__tensor_list *list, const char *group, const ebm_model *model, float *values);

#endif /* EBM_IO_MODEL_TENSORS_H */

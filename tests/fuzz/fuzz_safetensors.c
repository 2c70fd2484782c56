/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a model file: loading them succeeds with finite parameters, or fails with one of its statuses and leaves
 * the parameters as they were.
 */
#include <math.h>
#include <string.h>

#include <ebm/ebm.h>

#include "fuzz_replay.h"
#include "memory_file.h"

enum { PARAMS = 11 };

static int32_t no_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                         void *user_data) {
    (void)n, (void)dim, (void)x, (void)theta, (void)energy, (void)grad_x, (void)user_data;
    return EBM_CB_STOP;
}

/* The model that the golden files are of. */
static ebm_model *make_model(void) {
    static const int64_t weight[] = {2, 3};
    static const int64_t deep[] = {1, 2, 1, 1, 2, 1, 1, 1};
    ebm_model *model = NULL;
    require(ebm_model_create(NULL, 2, no_energy, NULL, NULL, &model) == EBM_OK, "create");
    require(ebm_model_add_tensor(model, "weight", 2, weight) == EBM_OK, "weight");
    require(ebm_model_add_tensor(model, "scale", 0, NULL) == EBM_OK, "scale");
    require(ebm_model_add_tensor(model, "odd\"name\\", 8, deep) == EBM_OK, "odd");
    return model;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const float before[PARAMS] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    float after[PARAMS];
    ebm_model *model = make_model();
    require(ebm_model_set_params(model, PARAMS, before) == EBM_OK, "set");
    memory_file_use(data == NULL ? (const uint8_t *)"" : data, (int64_t)size);
    ebm_status status = ebm_model_load(model, "memory");
    memory_file_use(NULL, 0);
    require(ebm_model_get_params(model, PARAMS, after) == EBM_OK, "get");
    if (status == EBM_OK) {
        for (int i = 0; i < PARAMS; i++) {
            require(isfinite(after[i]), "a value that is not finite was loaded");
        }
    } else {
        require(memcmp(before, after, sizeof before) == 0, "a refused file has changed the parameters");
        require(status == EBM_ERR_FORMAT || status == EBM_ERR_CORRUPT || status == EBM_ERR_MISMATCH ||
                    status == EBM_ERR_NONFINITE,
                "an unexpected status");
    }
    ebm_model_destroy(model);
    return 0;
}

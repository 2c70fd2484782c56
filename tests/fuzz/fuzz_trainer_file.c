/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a trainer's file: loading them succeeds, and what was loaded can be saved and loaded again; or it fails
 * with one of its statuses and leaves steps and parameters as they were.
 */
#include <unistd.h>

#include <ebm/ebm.h>

#include "fuzz_replay.h"
#include "memory_file.h"

enum { DIM = 3, CHAINS = 6, MOST_PARAMS = 256 };

/* The handles that the golden file is of. */
typedef struct handles {
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
} handles;

static handles make_handles(void) {
    static const int64_t widths[] = {7};
    handles h;
    require(ebm_mlp_create(NULL, DIM, 1, widths, EBM_ACT_SILU, &h.model) == EBM_OK, "model");
    require(ebm_model_init_params(h.model, 1) == EBM_OK, "parameters");
    require(ebm_sampler_create(NULL, h.model, CHAINS, 1, &h.sampler) == EBM_OK, "sampler");
    require(ebm_trainer_create(NULL, h.model, h.sampler, &h.trainer) == EBM_OK, "trainer");
    return h;
}

static void destroy_handles(handles *h) {
    ebm_trainer_destroy(h->trainer);
    ebm_sampler_destroy(h->sampler);
    ebm_model_destroy(h->model);
}

/* Whatever was loaded is a state like any other. */
static void require_saved_and_loaded(const handles *h) {
    char path[64];
    snprintf(path, sizeof path, "/dev/shm/ebm-fuzz-%d", (int)getpid());
    ebm_status status = ebm_trainer_save(h->trainer, path);
    require(status == EBM_OK || status == EBM_ERR_IO, "what was loaded cannot be saved");
    if (status == EBM_OK) {
        require(ebm_trainer_load(h->trainer, path) == EBM_OK, "what was saved cannot be loaded");
        unlink(path);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    float before[MOST_PARAMS];
    float after[MOST_PARAMS];
    int64_t steps;
    handles h = make_handles();
    int64_t n = ebm_model_param_count(h.model);
    require(n <= MOST_PARAMS && ebm_model_get_params(h.model, n, before) == EBM_OK, "get");
    memory_file_use(data == NULL ? (const uint8_t *)"" : data, (int64_t)size);
    ebm_status status = ebm_trainer_load(h.trainer, "memory");
    memory_file_use(NULL, 0);
    if (status == EBM_OK) {
        require_saved_and_loaded(&h);
    } else {
        require(ebm_model_get_params(h.model, n, after) == EBM_OK, "get");
        require(memcmp(before, after, (size_t)n * sizeof *before) == 0, "a refused file has changed the parameters");
        require(ebm_trainer_get_steps(h.trainer, &steps) == EBM_OK && steps == 0,
                "a refused file has changed the steps");
        require(status == EBM_ERR_FORMAT || status == EBM_ERR_CORRUPT || status == EBM_ERR_MISMATCH ||
                    status == EBM_ERR_NONFINITE || status == EBM_ERR_NOMEM,
                "an unexpected status");
    }
    destroy_handles(&h);
    return 0;
}

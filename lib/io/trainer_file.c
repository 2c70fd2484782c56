/* SPDX-License-Identifier: MIT */
/* A trainer to and from a file: all that its next step depends on. */
#include "io/trainer_file.h"

#include <ebm/io.h>

#include "core/error.h"
#include "io/trainer_restore.h"
#include "io/trainer_state.h"

static ebm_status save(const ebm_trainer *trainer, const char *path, int32_t keep_last) {
    ebm__trainer_state state = ebm__trainer_state_of(trainer);
    ebm__tensor_list list = {.context = trainer->handle.context};
    ebm_status status = ebm__list_settings(&list, &state);
    status = status == EBM_OK ? ebm__list_progress(&list, &state) : status;
    status = status == EBM_OK ? ebm__list_kept(&list, &state) : status;
    status = status == EBM_OK ? ebm__tensor_list_save(&list, path, keep_last) : status;
    ebm__tensor_list_clear(&list);
    return status;
}

ebm_status ebm__trainer_write(const ebm_trainer *trainer, const char *path, int32_t keep_last, const char *caller) {
    EBM__USE_ANY(use_sampler, trainer->sampler, caller);
    EBM__USE_FOR(use_model, trainer->model, caller);
    ebm_status status = save(trainer, path, keep_last);
    return status == EBM_OK ? EBM_OK : ebm__fail_within(status, "%s: '%.200s': ", caller, path);
}

ebm_status ebm_trainer_save(const ebm_trainer *trainer, const char *path) {
    EBM__REQUIRE(trainer);
    EBM__TRY(ebm__require_path(__func__, path));
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    return ebm__trainer_write(trainer, path, 1, __func__);
}

ebm_status ebm_trainer_load(ebm_trainer *trainer, const char *path) {
    EBM__REQUIRE(trainer);
    EBM__TRY(ebm__require_path(__func__, path));
    EBM__USE(use, trainer);
    EBM__USE_ANY(use_sampler, trainer->sampler, __func__);
    ebm__tensor_file file;
    ebm_status status = ebm__tensor_file_read(trainer->handle.context, path, &file);
    status = status == EBM_OK ? ebm__trainer_restore(trainer, &file) : status;
    if (status == EBM_OK) {
        ebm__tensor_file_report(&file, path, __func__);
    }
    ebm__tensor_file_clear(&file);
    return status == EBM_OK ? EBM_OK : ebm__fail_within(status, "%s: '%.200s': ", __func__, path);
}

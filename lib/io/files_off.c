/* SPDX-License-Identifier: MIT */
/* Files in a library that was built without them. */
#include <ebm/io.h>

#include "core/error.h"

#define OFF "%s: this library was built without files (EBM_WITH_IO=OFF)"

ebm_status ebm_model_save(const ebm_model *model, const char *path) {
    EBM__REQUIRE(model);
    EBM__REQUIRE(path);
    return ebm__fail(EBM_ERR_STATE, OFF, __func__);
}

ebm_status ebm_model_load(ebm_model *model, const char *path) {
    EBM__REQUIRE(model);
    EBM__REQUIRE(path);
    return ebm__fail(EBM_ERR_STATE, OFF, __func__);
}

ebm_status ebm_trainer_save(const ebm_trainer *trainer, const char *path) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(path);
    return ebm__fail(EBM_ERR_STATE, OFF, __func__);
}

ebm_status ebm_trainer_load(ebm_trainer *trainer, const char *path) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(path);
    return ebm__fail(EBM_ERR_STATE, OFF, __func__);
}

ebm_status ebm_trainer_set_autosave(ebm_trainer *trainer, const char *path, int64_t every_steps, double every_seconds,
                                    int32_t keep_last) {
    EBM__REQUIRE(trainer);
    (void)every_steps;
    (void)every_seconds;
    (void)keep_last;
    return path == NULL ? EBM_OK : ebm__fail(EBM_ERR_STATE, OFF, __func__);
}

ebm_status ebm_trainer_get_autosave(const ebm_trainer *trainer, const char **path, int64_t *every_steps,
                                    double *every_seconds, int32_t *keep_last) {
    EBM__REQUIRE(trainer);
    (void)path;
    (void)every_steps;
    (void)every_seconds;
    (void)keep_last;
    return ebm__fail(EBM_ERR_STATE, OFF, __func__);
}

ebm_status ebm_trainer_get_autosave_failures(const ebm_trainer *trainer, int64_t *count) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(count);
    return ebm__fail(EBM_ERR_STATE, OFF, __func__);
}

ebm_status ebm_trainer_set_log_file(ebm_trainer *trainer, const char *path, int32_t format) {
    EBM__REQUIRE(trainer);
    (void)format;
    return path == NULL ? EBM_OK : ebm__fail(EBM_ERR_STATE, OFF, __func__);
}

ebm_status ebm_trainer_get_log_file(const ebm_trainer *trainer, const char **path, int32_t *format) {
    EBM__REQUIRE(trainer);
    (void)path;
    (void)format;
    return ebm__fail(EBM_ERR_STATE, OFF, __func__);
}

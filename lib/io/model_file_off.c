/* SPDX-License-Identifier: MIT */
/* Model files in a library that was built without them. */
#include <ebm/io.h>

#include "core/error.h"

ebm_status ebm_model_save(const ebm_model *model, const char *path) {
    EBM__REQUIRE(model);
    EBM__REQUIRE(path);
    return ebm__fail(EBM_ERR_STATE, "%s: this library was built without model files (EBM_WITH_IO=OFF)", __func__);
}

ebm_status ebm_model_load(ebm_model *model, const char *path) {
    EBM__REQUIRE(model);
    EBM__REQUIRE(path);
    return ebm__fail(EBM_ERR_STATE, "%s: this library was built without model files (EBM_WITH_IO=OFF)", __func__);
}

/* SPDX-License-Identifier: MIT */
#include "evaluate/arguments.h"

#include <inttypes.h>
#include <stddef.h>

#include "core/error.h"
#include "core/memory.h"
#include "model/model.h"

ebm_status ebm__require_least(const char *caller, const char *name, int64_t value, int64_t least) {
    if (value < least) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s is %" PRId64 ", must be at least %" PRId64, caller, name, value, least);
    }
    return EBM_OK;
}

ebm_status ebm__require_floats(const char *caller, const char *count_name, const char *name, int64_t n, int64_t dim,
                               const float *x) {
    EBM__TRY(ebm__require_least(caller, count_name, n, 0));
    EBM__TRY(ebm__require_least(caller, "dim", dim, 1));
    int64_t floats;
    int64_t bytes;
    if (!ebm__multiply(n, dim, &floats) || !ebm__multiply(floats, (int64_t)sizeof *x, &bytes)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: %s is %" PRId64 ", and that many rows of %" PRId64 " floats do not fit",
                         caller, count_name, n, dim);
    }
    if (n > 0 && x == NULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s is NULL", caller, name);
    }
    return ebm__require_finite(caller, name, n, dim, x);
}

ebm_status ebm__require_draws(const char *caller, int64_t n_draws, int64_t n_chains, int64_t dim, const float *draws,
                              int64_t *total) {
    EBM__TRY(ebm__require_least(caller, "n_draws", n_draws, 0));
    EBM__TRY(ebm__require_least(caller, "n_chains", n_chains, 1));
    if (!ebm__multiply(n_draws, n_chains, total) || *total > INT32_MAX) {
        return ebm__fail(EBM_ERR_OVERFLOW,
                         "%s: n_draws is %" PRId64 " and n_chains is %" PRId64 ", must have a product below 2^31",
                         caller, n_draws, n_chains);
    }
    return ebm__require_floats(caller, "n_draws x n_chains", "draws", *total, dim, draws);
}

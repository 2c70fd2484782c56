/* SPDX-License-Identifier: MIT */
/* Dequantisation and scaling of data in memory. */
#include <ebm/io.h>

#include <inttypes.h>
#include <math.h>

#include "core/error.h"
#include "core/simd.h"

enum { PIECE = 1024 };

typedef struct line {
    double width, scale, shift;
} line;

static float moved(const line *l, float x, double u) {
    return (float)(((double)x + u * l->width) * l->scale + l->shift);
}

static ebm_status require_line(const char *caller, const line *l) {
    if (!(l->width >= 0 && isfinite((float)l->width))) {
        return ebm__fail(EBM_ERR_ARG, "%s: width is %g, must be finite and 0 or more", caller, l->width);
    }
    if (!(isfinite((float)l->scale) && l->scale != 0)) {
        return ebm__fail(EBM_ERR_ARG, "%s: scale is %g, must be finite and not 0", caller, l->scale);
    }
    if (!isfinite((float)l->shift)) {
        return ebm__fail(EBM_ERR_ARG, "%s: shift is %g, must be finite", caller, l->shift);
    }
    return EBM_OK;
}

/* A float ends between what u = 0 and u = 1 make of it, so nothing has to be undone. */
static ebm_status require_floats(const char *caller, const line *l, int64_t n, const float *x) {
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) {
            return ebm__fail(EBM_ERR_ARG, "%s: x[%" PRId64 "] is %g, must be finite", caller, i, (double)x[i]);
        }
        if (!isfinite(moved(l, x[i], 0)) || !isfinite(moved(l, x[i], 1))) {
            return ebm__fail(EBM_ERR_ARG, "%s: x[%" PRId64 "] is %g, which is scaled beyond float", caller, i,
                             (double)x[i]);
        }
    }
    return EBM_OK;
}

ebm_status ebm_scale(int64_t first, int64_t n, float *x, uint64_t seed, double width, double scale, double shift) {
    const line l = {width, scale, shift};
    float u[PIECE] = {0};
    const ebm__sequence sequence = {.seed = seed, .stream = EBM__STREAM_DEQUANTISE};
    if (first < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: first is %" PRId64 ", must be 0 or more", __func__, first);
    }
    if (n < 0 || n > INT64_MAX - first) {
        return ebm__fail(EBM_ERR_ARG, "%s: n is %" PRId64 ", must be 0 or more, and fit behind first (%" PRId64 ")",
                         __func__, n, first);
    }
    EBM__TRY(require_line(__func__, &l));
    if (n > 0) {
        EBM__REQUIRE(x);
        EBM__TRY(require_floats(__func__, &l, n, x));
    }
    for (int64_t i = 0; i < n; i += PIECE) {
        int64_t count = n - i < PIECE ? n - i : PIECE;
        if (width > 0) {
            ebm__simd_used()->uniforms(&sequence, first + i, count, u);
        }
        for (int64_t j = 0; j < count; j++) {
            x[i + j] = moved(&l, x[i + j], (double)u[j]);
        }
    }
    return EBM_OK;
}

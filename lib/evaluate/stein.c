/* SPDX-License-Identifier: MIT */
/* Kernel Stein discrepancy, Gorham and Mackey, "Measuring sample quality with kernels" (2017). */
#include <math.h>

#include <ebm/evaluate.h>

#include "core/error.h"
#include "core/parallel.h"
#include "evaluate/pairs.h"
#include "evaluate/temporary.h"
#include "model/model.h"

enum { ROWS_AT_ONCE = 16 };

typedef struct job {
    int64_t dim;
    const float *x;
    const float *grad; /* dE/dx: minus the score */
    double scale, exponent;
    double *sums; /* one a row */
} job;

/*
 * The Stein kernel, eq. 3: with k = u^e, u = c^2 + r^2, r = |x - y|, and scores b,
 * k0 = b(x).b(y) k + b(x).grad_y k + b(y).grad_x k + div_x grad_y k
 *    = b(x).b(y) u^e - 2 e u^(e-1) (x - y).(b(x) - b(y)) - 2 e dim u^(e-1) - 4 e (e - 1) r^2 u^(e-2)
 */
static double stein_kernel(const job *j, int64_t row, int64_t other) {
    int64_t dim = j->dim;
    const float *x = j->x + row * dim;
    const float *y = j->x + other * dim;
    const float *grad_x = j->grad + row * dim;
    const float *grad_y = j->grad + other * dim;
    double square = ebm__square_distance(dim, x, y);
    double u = j->scale * j->scale + square;
    double power = j->exponent == -0.5 ? 1 / sqrt(u) : pow(u, j->exponent);
    double apart = -ebm__difference_product(dim, x, y, grad_x, grad_y); /* scores are minus gradients */
    return power * (ebm__product(dim, grad_x, grad_y) -
                    2 * j->exponent / u * (apart + (double)dim + 2 * (j->exponent - 1) * square / u));
}

static ebm_status sum_rows(void *data, int64_t chunk, int64_t first, int64_t n) {
    const job *j = data;
    (void)chunk;
    for (int64_t row = first; row < first + n; row++) {
        double sum = 0;
        for (int64_t other = 0; other < row; other++) {
            sum += stein_kernel(j, row, other);
        }
        j->sums[row] = 2 * sum + stein_kernel(j, row, row);
    }
    return EBM_OK;
}

ebm_status ebm_stein_discrepancy(ebm_model *model, int64_t n, const float *x, double scale, double exponent,
                                 double *discrepancy) {
    EBM__REQUIRE(model);
    EBM__REQUIRE(discrepancy);
    if (!(isfinite(scale) && scale > 0)) {
        return ebm__fail(EBM_ERR_ARG, "%s: scale is %g, must be finite and above 0", __func__, scale);
    }
    if (!(exponent > -1 && exponent < 0)) {
        return ebm__fail(EBM_ERR_ARG, "%s: exponent is %g, must be above -1 and below 0", __func__, exponent);
    }
    EBM__USE(use, model);
    EBM__TRY(ebm__require_rows(model, __func__, "x", n, x));
    if (n == 0) {
        *discrepancy = (double)NAN;
        return EBM_OK;
    }
    ebm_context *context = model->handle.context;
    EBM__TEMPORARY(grad, context);
    EBM__TEMPORARY(sums, context);
    EBM__TRY(ebm__alloc(context, n * model->dim, sizeof(float), __func__, &grad.memory));
    EBM__TRY(ebm__alloc(context, n, sizeof(double), __func__, &sums.memory));
    ebm_status status = ebm__model_energy_all(model, model->theta, n, x, false, sums.memory, grad.memory);
    if (status != EBM_OK) {
        return ebm__fail_within(status, "%s: ", __func__);
    }
    job j = {model->dim, x, grad.memory, scale, exponent, sums.memory};
    EBM__TRY(ebm__parallel_rows(context, n, ROWS_AT_ONCE, sum_rows, &j));
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += j.sums[i];
    }
    *discrepancy = sqrt(fmax(sum, 0)) / (double)n; /* rounding may take it below 0 */
    return EBM_OK;
}

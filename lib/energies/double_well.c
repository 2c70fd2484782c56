/* SPDX-License-Identifier: MIT */
/* E(x) = sum_i b (x_i^2 - 1)^2, dE/dx_i = 4 b x_i (x_i^2 - 1), dE/db = sum_i (x_i^2 - 1)^2. */
#include <ebm/energies.h>

#include <float.h>
#include <stddef.h>

#include "core/error.h"
#include "energies/builtin.h"

enum { LANES = 8 };

/* sum_i (x_i^2 - 1)^2. In double, where even the largest float does not overflow. */
static double wells(int64_t dim, const float *x) {
    double lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= dim; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            double v = (double)x[i + j] * (double)x[i + j] - 1.0;
            lane[j] += v * v;
        }
    }
    for (int j = 0; i + j < dim; j++) {
        double v = (double)x[i + j] * (double)x[i + j] - 1.0;
        lane[j] += v * v;
    }
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

static int32_t double_well_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                                  float *grad_x, void *user_data) {
    (void)user_data;
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        energy[r] = (double)theta[0] * wells(dim, x + r * dim);
    }
    if (grad_x != NULL) {
        float four_b = 4.0F * theta[0];
        for (int64_t i = 0; i < n * dim; i++) {
            grad_x[i] = four_b * (x[i] * (x[i] * x[i] - 1.0F));
        }
    }
    return EBM_CB_OK;
}

static int32_t double_well_param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta,
                                      double *energy, float *grad_theta, void *user_data) {
    (void)user_data;
    double sum = 0.0;
    for (int64_t r = 0; r < n; r++) {
        double value = wells(dim, x + r * dim);
        sum += (double)weight[r] * value;
        if (energy != NULL) {
            energy[r] = (double)theta[0] * value;
        }
    }
    if (grad_theta != NULL) {
        grad_theta[0] = (float)sum;
    }
    return EBM_CB_OK;
}

static int32_t double_well_init(uint64_t seed, int64_t n_params, float *theta, void *user_data) {
    (void)seed;
    (void)n_params;
    (void)user_data;
    theta[0] = 1.0F;
    return EBM_CB_OK;
}

static ebm_status set_barrier(ebm_model *model, float barrier) {
    EBM__TRY(ebm_model_add_tensor(model, "barrier", 0, NULL));
    return ebm_model_set_params(model, 1, &barrier);
}

ebm_status ebm_double_well_create(ebm_context *context, int64_t dim, double barrier, ebm_model **out) {
    static const ebm__builtin_callbacks callbacks = {double_well_energy, double_well_param_grad, double_well_init,
                                                    NULL};
    EBM__REQUIRE(out);
    EBM__TRY(ebm__builtin_check_dim(dim, __func__));
    if (!(barrier > 0.0) || barrier > (double)FLT_MAX || (float)barrier <= 0.0F) {
        return ebm__fail(EBM_ERR_ARG, "%s: barrier is %g, must be finite and above 0 as a float", __func__, barrier);
    }
    ebm_model *model;
    EBM__TRY(ebm__builtin_model_create(context, dim, &callbacks, NULL, &model));
    ebm_status status = set_barrier(model, (float)barrier);
    if (status != EBM_OK) {
        ebm_model_destroy(model);
        return status;
    }
    *out = model;
    return EBM_OK;
}

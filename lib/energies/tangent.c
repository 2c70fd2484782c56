/* SPDX-License-Identifier: MIT */
#include "energies/tangent.h"

#include <string.h>

#include "core/simd.h"

#include <ebm/energies.h>

/* act'' from h = act(z), s = act'(z) and, for SiLU, the logistic function of z. */
static void bend_of(int32_t activation, int64_t count, const float *h, const float *s, const float *logistic,
                    float *bend) {
    switch (activation) {
        case EBM_ACT_SILU:
            for (int64_t i = 0; i < count; i++) {
                bend[i] = (1.0F - logistic[i]) * (2.0F * logistic[i] + h[i] * (1.0F - 2.0F * logistic[i]));
            }
            break;
        case EBM_ACT_SOFTPLUS:
            for (int64_t i = 0; i < count; i++) {
                bend[i] = s[i] * (1.0F - s[i]);
            }
            break;
        case EBM_ACT_TANH:
            for (int64_t i = 0; i < count; i++) {
                bend[i] = -2.0F * h[i] * s[i];
            }
            break;
        default:
            memset(bend, 0, (size_t)count * sizeof *bend);
    }
}

void ebm__tangent_forward(int32_t activation, int64_t rows, int64_t width, const float *bias, float *z, float *z_dot,
                          float *bend, float *slope, float *work) {
    const ebm__simd *simd = ebm__simd_used();
    int64_t count = rows * width;
    float *logistic = work + count;
    if (activation == EBM_ACT_SILU) { /* softplus' slope */
        memcpy(work, z, (size_t)count * sizeof *z);
        simd->activate(EBM_ACT_SOFTPLUS, rows, width, bias, work, logistic);
    }
    simd->activate(activation, rows, width, bias, z, slope);
    bend_of(activation, count, z, slope, logistic, bend);
    for (int64_t i = 0; i < count; i++) {
        bend[i] *= z_dot[i];
        z_dot[i] *= slope[i];
    }
}

void ebm__tangent_back(int64_t count, const float *eta, const float *tau, float *bend, float *slope) {
    for (int64_t i = 0; i < count; i++) {
        bend[i] = eta[i] * slope[i] + tau[i] * bend[i];
        slope[i] *= tau[i];
    }
}

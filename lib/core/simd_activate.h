/* SPDX-License-Identifier: MIT */
/* Activations and their slopes. A part of core/simd_body.h. NaN gives NaN. */
#include <stddef.h>

#include <ebm/energies.h>

/* Below, exp is 0: it would round to 0 as a float. */
#define EXP_LEAST -104.0F

/*
 * exp(b) for b <= 0, NaN for NaN: b = n log 2 + r, with log 2 in two parts (n times the first is exact), and exp r
 * by the minimax polynomial for relative error (1.1e-7). 2^n comes in two factors, as it may be less than the least
 * normal float.
 */
EBM__INLINE v_float exp_negative(v_float b) {
    const float whole = 0x1.8p23F + 127.0F + 64.0F; /* leaves n + 64, with an exponent's bias, in the last bits */
    v_float shifted = b * 0x1.715476p+0F + whole;
    v_float n = shifted - whole;
    v_float r = (b - n * 0x1.62E400p-1F) - n * 0x1.7F7D1Cp-20F;
    v_float r2 = r * r;
    v_float low = r * 0x1.5557AEp-3F + 0x1.FFFDFCp-2F;
    v_float p = ((r * 0x1.106284p-7F + 0x1.5729F0p-5F) * r2 + low) * r2 + (r + 1.0F);
    v_float scaled = p * (v_float)((v_uint)shifted << 23);
    return v_select_less(b, v_set(EXP_LEAST), v_set(0.0F), scaled) * 0x1p-64F;
}

EBM__INLINE v_float minus_abs(v_float z) {
    return (v_float)((v_int)z | INT32_MIN);
}

/* s = 1 / (1 + exp(-z)); z s, s + z s (1 - s). Where exp has come to 0, z s (1 - s) must not be infinity times 0. */
EBM__INLINE void silu(v_float z, v_float *h, v_float *slope) {
    v_float bounded = v_max(v_set(EXP_LEAST), v_min(v_set(-EXP_LEAST), z));
    v_float e = exp_negative(minus_abs(z));
    v_float d = 1.0F / (1.0F + e);
    v_float less = e * d; /* s or 1 - s, the smaller */
    v_float shrunk = bounded * less;
    v_float s = v_select_negative((v_int)z, less, d);
    *h = v_select_negative((v_int)z, shrunk, z * d);
    *slope = s + shrunk * d;
}

/*
 * max(z, 0) + log(1 + e) with e = exp(-|z|); log(1 + e) = 2 artanh(a) with a = e / (2 + e) in [0, 1/3], minimax to
 * 4.5e-9; slope 1 / (1 + exp(-z)).
 */
EBM__INLINE void softplus(v_float z, v_float *h, v_float *slope) {
    v_float e = exp_negative(minus_abs(z));
    v_float a = e / (2.0F + e);
    v_float a2 = a * a;
    v_float low = a2 * 0x1.99D208p-2F + 0x1.555502p-1F;
    v_float q = ((a2 * 0x1.1ED7C2p-2F + 0x1.1EBD0Cp-2F) * (a2 * a2) + low) * a2 + 2.0F;
    v_float d = 1.0F / (1.0F + e);
    *h = v_max(v_set(0.0F), z) + q * a;
    *slope = v_select_negative((v_int)z, e * d, d);
}

/* (1 - e) / (1 + e) with e = exp(-2 |z|), or, near 0, an odd polynomial (minimax to 4.4e-9); slope 4 e / (1 + e)^2. */
EBM__INLINE void hyperbolic_tangent(v_float z, v_float *h, v_float *slope) {
    v_float b = minus_abs(z);
    v_float e = exp_negative(b + b);
    v_float d = 1.0F / (1.0F + e);
    v_float square = z * z;
    v_float q = square * -0x1.75E1C4p-8F + 0x1.52269Ap-6F;
    q = q * square - 0x1.B83C5Ap-5F;
    q = q * square + 0x1.110726p-3F;
    q = q * square - 0x1.555532p-2F;
    v_float near = q * square * z + z;
    v_float far = (v_float)((v_int)((1.0F - e) * d) | ((v_int)z & INT32_MIN));
    *h = v_select_less(v_set(-0.625F), b, near, far);
    *slope = 4.0F * e * d * d;
}

EBM__INLINE void rectified(v_float z, v_float *h, v_float *slope) {
    *h = v_max(v_set(0.0F), z);
    *slope = v_select_less(v_set(0.0F), *h, v_set(1.0F), *h); /* 0, or NaN */
}

EBM__INLINE void apply(int32_t activation, v_float z, v_float *h, v_float *slope) {
    switch (activation) {
    case EBM_ACT_SILU: silu(z, h, slope); break;
    case EBM_ACT_SOFTPLUS: softplus(z, h, slope); break;
    case EBM_ACT_TANH: hyperbolic_tangent(z, h, slope); break;
    default: rectified(z, h, slope); break;
    }
}

EBM__INLINE void activate_run(int32_t activation, int64_t count, const float *bias, float *h, float *slope) {
    for (int64_t i = 0; i < count; i += EBM__LANES) {
        v_float value;
        v_float its_slope;
        apply(activation, load_some(false, h + i, count - i) + load_some(false, bias + i, count - i), &value,
              &its_slope);
        store_some(false, h + i, count - i, value);
        if (slope != NULL) {
            store_some(false, slope + i, count - i, its_slope);
        }
    }
}

/* Rows of which two or more fit are worked on together, beside as many copies of the bias: fewer ends of rows. */
enum { TILE = 512 };

static void activate(int32_t activation, int64_t rows, int64_t width, const float *bias, float *h, float *slope) {
    float tile[TILE];
    int64_t together = 1;
    if (width > 0 && width <= TILE / 2 && rows > 1) {
        together = least(TILE / width, rows);
        for (int64_t r = 0; r < together; r++) {
            memcpy(tile + r * width, bias, (size_t)width * sizeof *bias);
        }
        bias = tile;
    }
    for (int64_t r = 0; r < rows; r += together) {
        int64_t count = least(together, rows - r) * width;
        float *values = h + r * width;
        float *slopes = slope == NULL ? NULL : slope + r * width;
        switch (activation) {
        case EBM_ACT_SILU: activate_run(EBM_ACT_SILU, count, bias, values, slopes); break;
        case EBM_ACT_SOFTPLUS: activate_run(EBM_ACT_SOFTPLUS, count, bias, values, slopes); break;
        case EBM_ACT_TANH: activate_run(EBM_ACT_TANH, count, bias, values, slopes); break;
        default: activate_run(EBM_ACT_RELU, count, bias, values, slopes); break;
        }
    }
}

/* SPDX-License-Identifier: MIT */
/* The inner loops for AVX-512: sixteen lanes. Built with -mavx512f -mavx512dq -mavx512vl -mavx512bw. */
#include "core/simd_tables.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__) && defined(__AVX512BW__)
#include <immintrin.h>

#define EBM__LANES 16
#define EBM__WIDTH_NAME "avx512"

#include "core/simd_vector.h"

EBM__INLINE v_quad v_mul_even(v_quad a, v_quad b) {
    return (v_quad)_mm512_mul_epu32((__m512i)a, (__m512i)b);
}

EBM__INLINE v_uint v_pack(v_quad a, v_quad b) {
    return (v_uint)_mm512_shuffle_ps((__m512)a, (__m512)b, 0x88);
}

EBM__INLINE v_quad v_xor3(v_quad a, v_quad b, v_quad c) {
    return (v_quad)_mm512_ternarylogic_epi32((__m512i)a, (__m512i)b, (__m512i)c, 0x96);
}

EBM__INLINE v_float v_sqrt(v_float a) {
    return (v_float)_mm512_sqrt_ps((__m512)a);
}

EBM__INLINE v_float v_min(v_float a, v_float b) {
    return (v_float)_mm512_min_ps((__m512)a, (__m512)b);
}

EBM__INLINE v_float v_max(v_float a, v_float b) {
    return (v_float)_mm512_max_ps((__m512)a, (__m512)b);
}

EBM__INLINE v_double v_load_double(const float *p) {
    return (v_double)_mm512_cvtps_pd(_mm256_loadu_ps(p));
}

EBM__INLINE v_double v_low_double(v_float a) {
    return (v_double)_mm512_cvtps_pd(_mm512_castps512_ps256((__m512)a));
}

EBM__INLINE v_double v_high_double(v_float a) {
    return (v_double)_mm512_cvtps_pd(_mm512_extractf32x8_ps((__m512)a, 1));
}

EBM__INLINE v_float v_load_part(const float *p, int64_t n) {
    return (v_float)_mm512_maskz_loadu_ps((__mmask16)((1U << n) - 1), p);
}

EBM__INLINE void v_store_part(float *p, int64_t n, v_float v) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1U << n) - 1), (__m512)v);
}

EBM__INLINE v_float v_select_negative(v_int sign, v_float a, v_float b) {
    return (v_float)_mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)sign), (__m512)b, (__m512)a);
}

EBM__INLINE v_float v_select_less(v_float p, v_float q, v_float a, v_float b) {
    return (v_float)_mm512_mask_blend_ps(_mm512_cmp_ps_mask((__m512)p, (__m512)q, _CMP_LT_OQ), (__m512)b, (__m512)a);
}

#include "core/simd_body.h"

const ebm__simd *ebm__simd_avx512(void) {
    return &table;
}

#else

const ebm__simd *ebm__simd_avx512(void) {
    return 0;
}
#endif

/* SPDX-License-Identifier: MIT */
/* The inner loops for AVX2: eight lanes. Built with -mavx2, and without FMA. */
#include "core/simd_tables.h"

#if defined(__AVX2__)
#include <immintrin.h>

#define EBM__LANES 8
#define EBM__WIDTH_NAME "avx2"

#include "core/simd_vector.h"

EBM__INLINE v_quad v_mul_even(v_quad a, v_quad b) {
    return (v_quad)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}

EBM__INLINE v_uint v_pack(v_quad a, v_quad b) {
    return (v_uint)_mm256_shuffle_ps((__m256)a, (__m256)b, 0x88);
}

EBM__INLINE v_quad v_xor3(v_quad a, v_quad b, v_quad c) {
    return a ^ b ^ c;
}

EBM__INLINE v_float v_sqrt(v_float a) {
    return (v_float)_mm256_sqrt_ps((__m256)a);
}

EBM__INLINE v_float v_min(v_float a, v_float b) {
    return (v_float)_mm256_min_ps((__m256)a, (__m256)b);
}

EBM__INLINE v_float v_max(v_float a, v_float b) {
    return (v_float)_mm256_max_ps((__m256)a, (__m256)b);
}

EBM__INLINE v_double v_load_double(const float *p) {
    return (v_double)_mm256_cvtps_pd(_mm_loadu_ps(p));
}

EBM__INLINE v_double v_low_double(v_float a) {
    return (v_double)_mm256_cvtps_pd(_mm256_castps256_ps128((__m256)a));
}

EBM__INLINE v_double v_high_double(v_float a) {
    return (v_double)_mm256_cvtps_pd(_mm256_extractf128_ps((__m256)a, 1));
}

EBM__INLINE __m256i v_first(int64_t n) {
    static const int32_t ones_then_zeros[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(const void *)(ones_then_zeros + 8 - n));
}

EBM__INLINE v_float v_load_part(const float *p, int64_t n) {
    return (v_float)_mm256_maskload_ps(p, v_first(n));
}

EBM__INLINE void v_store_part(float *p, int64_t n, v_float v) {
    _mm256_maskstore_ps(p, v_first(n), (__m256)v);
}

EBM__INLINE v_float v_select_negative(v_int sign, v_float a, v_float b) {
    return (v_float)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)sign);
}

EBM__INLINE v_float v_select_less(v_float p, v_float q, v_float a, v_float b) {
    return (v_float)_mm256_blendv_ps((__m256)b, (__m256)a, _mm256_cmp_ps((__m256)p, (__m256)q, _CMP_LT_OQ));
}

#include "core/simd_body.h"

const ebm__simd *ebm__simd_avx2(void) {
    return &table;
}

#else

const ebm__simd *ebm__simd_avx2(void) {
    return 0;
}
#endif

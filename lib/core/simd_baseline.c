/* SPDX-License-Identifier: MIT */
/* The inner loops for every processor: four lanes, SSE2 on x86-64, plain C elsewhere. */
#define EBM__LANES 4
#define EBM__WIDTH_NAME "baseline"

#include "core/simd_vector.h"

#if defined(__SSE2__)
#include <emmintrin.h>

EBM__INLINE v_quad v_mul_even(v_quad a, v_quad b) {
    return (v_quad)_mm_mul_epu32((__m128i)a, (__m128i)b);
}

EBM__INLINE v_uint v_pack(v_quad a, v_quad b) {
    return (v_uint)_mm_shuffle_ps((__m128)a, (__m128)b, 0x88);
}

EBM__INLINE v_float v_sqrt(v_float a) {
    return (v_float)_mm_sqrt_ps((__m128)a);
}

EBM__INLINE v_float v_min(v_float a, v_float b) {
    return (v_float)_mm_min_ps((__m128)a, (__m128)b);
}

EBM__INLINE v_float v_max(v_float a, v_float b) {
    return (v_float)_mm_max_ps((__m128)a, (__m128)b);
}

EBM__INLINE v_double v_load_double(const float *p) {
    return (v_double)_mm_cvtps_pd((__m128)_mm_loadl_epi64((const __m128i *)(const void *)p));
}

EBM__INLINE v_double v_low_double(v_float a) {
    return (v_double)_mm_cvtps_pd((__m128)a);
}

EBM__INLINE v_double v_high_double(v_float a) {
    return (v_double)_mm_cvtps_pd(_mm_movehl_ps((__m128)a, (__m128)a));
}

#else

EBM__INLINE v_quad v_mul_even(v_quad a, v_quad b) {
    return (a & 0xFFFFFFFFU) * (b & 0xFFFFFFFFU);
}

EBM__INLINE v_uint v_pack(v_quad a, v_quad b) {
    return (v_uint){(uint32_t)a[0], (uint32_t)a[1], (uint32_t)b[0], (uint32_t)b[1]};
}

EBM__INLINE v_float v_sqrt(v_float a) {
    return (v_float){__builtin_sqrtf(a[0]), __builtin_sqrtf(a[1]), __builtin_sqrtf(a[2]), __builtin_sqrtf(a[3])};
}

EBM__INLINE v_float v_choose(v_int mask, v_float a, v_float b) {
    return (v_float)((mask & (v_int)a) | (~mask & (v_int)b));
}

EBM__INLINE v_float v_min(v_float a, v_float b) {
    return v_choose(a < b, a, b);
}

EBM__INLINE v_float v_max(v_float a, v_float b) {
    return v_choose(a > b, a, b);
}

EBM__INLINE v_double v_load_double(const float *p) {
    return (v_double){(double)p[0], (double)p[1]};
}

EBM__INLINE v_double v_low_double(v_float a) {
    return (v_double){(double)a[0], (double)a[1]};
}

EBM__INLINE v_double v_high_double(v_float a) {
    return (v_double){(double)a[2], (double)a[3]};
}
#endif

/* Ends of rows: functions of their own, as they are rare and, without masks, loops. */
__attribute__((noinline)) static v_float v_load_part(const float *p, int64_t n) {
    v_float v = {0};
    for (int64_t i = 0; i < n; i++) {
        v[i] = p[i];
    }
    return v;
}

__attribute__((noinline)) static void v_store_part(float *p, int64_t n, v_float v) {
    for (int64_t i = 0; i < n; i++) {
        p[i] = v[i];
    }
}

EBM__INLINE v_quad v_xor3(v_quad a, v_quad b, v_quad c) {
    return a ^ b ^ c;
}

EBM__INLINE v_float v_select_negative(v_int sign, v_float a, v_float b) {
    v_int mask = sign >> 31;
    return (v_float)((mask & (v_int)a) | (~mask & (v_int)b));
}

EBM__INLINE v_float v_select_less(v_float p, v_float q, v_float a, v_float b) {
    v_int mask = p < q;
    return (v_float)((mask & (v_int)a) | (~mask & (v_int)b));
}

#include "core/simd_body.h"

const ebm__simd *ebm__simd_baseline(void) {
    return &table;
}

/* SPDX-License-Identifier: MIT */
/*
 * Vectors of EBM__LANES floats, by the vector extension that gcc and clang share. What it lacks, or what they
 * compile badly, each width adds in its own file (see core/simd_body.h).
 */
#include <stdint.h>
#include <string.h>

#define EBM__INLINE static inline __attribute__((always_inline))
#define EBM__VECTOR __attribute__((vector_size(4 * EBM__LANES)))

typedef float v_float EBM__VECTOR;
typedef int32_t v_int EBM__VECTOR;
typedef uint32_t v_uint EBM__VECTOR;
typedef uint64_t v_quad EBM__VECTOR; /* half as many lanes */
typedef double v_double EBM__VECTOR; /* half as many lanes */

EBM__INLINE v_float v_load(const float *p) {
    v_float v;
    memcpy(&v, p, sizeof v);
    return v;
}

EBM__INLINE void v_store(float *p, v_float v) {
    memcpy(p, &v, sizeof v);
}

EBM__INLINE v_float v_set(float a) {
    return a - (v_float){0}; /* not a sum: -0 + 0 is +0 */
}

EBM__INLINE v_quad v_set_quad(uint64_t a) {
    return a + (v_quad){0};
}

EBM__INLINE v_float v_to_float(v_int a) {
    return __builtin_convertvector(a, v_float);
}

/* SPDX-License-Identifier: MIT */
/* What the tests of core/simd.h share. */
#ifndef EBM_TESTS_SIMD_SUPPORT_H
#define EBM_TESTS_SIMD_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/simd.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define ASSERT_BELOW(a, limit) assert_true((a) <= (limit))
#define ASSERT_NEAR(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

static inline const ebm__simd *width(int i) {
    static const char *const names[] = {"baseline", "avx2", "avx512"};
    return i < 3 ? ebm__simd_named(names[i]) : NULL;
}

/* Steps through the widths that run here, from the narrowest: a processor that runs one runs those before it. */
#define FOR_WIDTHS(simd) for (int width_ = 0; ((simd) = width(width_)) != NULL; width_++)

static inline uint32_t bits(float a) {
    uint32_t b;
    memcpy(&b, &a, sizeof b);
    return b;
}

/* Bit by bit, but any NaN is like another. */
static inline bool same(int64_t n, const float *a, const float *b) {
    for (int64_t i = 0; i < n; i++) {
        if (bits(a[i]) != bits(b[i]) && !(isnan(a[i]) && isnan(b[i]))) {
            return false;
        }
    }
    return true;
}

/* FNV-1a, a word at a time. */
#define HASH_START 0x811C9DC5U
static inline uint32_t hashed(uint32_t hash, int64_t n, const float *a) {
    for (int64_t i = 0; i < n; i++) {
        hash = (hash ^ bits(a[i])) * 16777619U;
    }
    return hash;
}

#endif /* EBM_TESTS_SIMD_SUPPORT_H */

/* SPDX-License-Identifier: MIT */
/* Sorting of floating-point numbers as integers that stand in the same order. */
#ifndef EBM_EVALUATE_SORT_H
#define EBM_EVALUATE_SORT_H

#include <stdint.h>
#include <string.h>

/*
 * Integers in the order of the numbers: the sign bit is turned, and of negative numbers all bits are. 0 is added
 * first, which makes -0 equal to 0. Not for NaN.
 */
static inline uint32_t ebm__order_of_float(float x) {
    uint32_t bits;
    x += 0.0F;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 31 != 0 ? ~bits : bits | UINT32_C(1) << 31;
}

static inline float ebm__float_of_order(uint32_t order) {
    uint32_t bits = order >> 31 != 0 ? order & ~(UINT32_C(1) << 31) : ~order;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint64_t ebm__order_of_double(double x) {
    uint64_t bits;
    x += 0.0;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 != 0 ? ~bits : bits | UINT64_C(1) << 63;
}

static inline double ebm__double_of_order(uint64_t order) {
    uint64_t bits = order >> 63 != 0 ? order & ~(UINT64_C(1) << 63) : ~order;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/*
 * Sorts n keys by their bytes first_byte .. end_byte - 1 (byte 0 is the lowest), upwards; keys that agree there keep
 * their order. `spare` has room for n too. Radix sort from the lowest byte (Knuth 1998, vol. 3, 5.2.5).
 */
void ebm__sort(int64_t n, uint64_t *keys, uint64_t *spare, int first_byte, int end_byte);

#endif /* EBM_EVALUATE_SORT_H */

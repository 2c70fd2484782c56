/* SPDX-License-Identifier: MIT */
/*
 * Sums in double, in lanes of their own: lane i of 16 receives elements i, i + 16, ..., whatever the width; and what
 * looks at, or fills, all of an array. A part of core/simd_body.h.
 */
#include <float.h>
#include <stdbool.h>
#include <stddef.h>

enum { SUM_LANES = 16, SUM_VECTORS = 2 * SUM_LANES / EBM__LANES };

typedef double v_pair __attribute__((vector_size(16)));

/* Lanes i and i + 8, then i and i + 4, ... */
EBM__INLINE double sum_of_lanes(const v_double sum[SUM_VECTORS]) {
    v_pair pair[SUM_LANES / 2];
    memcpy(pair, sum, sizeof pair);
    for (int half = SUM_LANES / 4; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            pair[i] += pair[i + half];
        }
    }
    return pair[0][0] + pair[0][1];
}

EBM__INLINE void add_squares_of(v_float a, v_double sum[2]) {
    v_double low = v_low_double(a);
    v_double high = v_high_double(a);
    sum[0] += low * low;
    sum[1] += high * high;
}

/* Vector v of a block of SUM_LANES elements, of which there are n from v's first on: zeros beyond. */
EBM__INLINE v_float load_some(bool whole, const float *p, int64_t n) {
    return whole || n >= EBM__LANES ? v_load(p) : n > 0 ? v_load_part(p, n) : v_set(0.0F);
}

EBM__INLINE void store_some(bool whole, float *p, int64_t n, v_float v) {
    if (whole || n >= EBM__LANES) {
        v_store(p, v);
    } else if (n > 0) {
        v_store_part(p, n, v);
    }
}

/* Adds the squares of 64 elements. */
EBM__INLINE void add_group_squares(const float *a, v_double sum[SUM_VECTORS]) {
    for (int i = 0; i < EBM__GROUP; i += SUM_LANES) {
#pragma GCC unroll 4 /* else the sums stand in memory */
        for (int v = 0; v < SUM_VECTORS / 2; v++) {
            add_squares_of(v_load(a + i + v * EBM__LANES), sum + 2 * v);
        }
    }
}

static double sum_of_squares(int64_t count, const float *a) {
    v_double sum[SUM_VECTORS] = {{0}};
    int64_t done = 0;
    for (; done + EBM__GROUP <= count; done += EBM__GROUP) {
        add_group_squares(a + done, sum);
    }
    for (int lane = 0; done < count; done += EBM__LANES, lane = (lane + EBM__LANES) % SUM_LANES) {
        add_squares_of(load_some(false, a + done, count - done), sum + lane / EBM__LANES * 2);
    }
    return sum_of_lanes(sum);
}

EBM__INLINE int all_zero(v_float sums) {
    float lane[EBM__LANES];
    memcpy(lane, &sums, sizeof lane);
    int other = 0;
    for (int i = 0; i < EBM__LANES; i++) {
        other |= !(lane[i] == 0.0F);
    }
    return other == 0;
}

/* Zero times a number is NaN where the number is not finite. */
static int all_finite(int64_t count, const float *a) {
    enum { VECTORS = 4 };
    v_float zero[VECTORS] = {{0}};
    int64_t done = 0;
    for (; done + VECTORS * EBM__LANES <= count; done += VECTORS * EBM__LANES) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            zero[v] += v_load(a + done + v * EBM__LANES) * 0.0F;
        }
    }
    for (; done < count; done += EBM__LANES) {
        zero[0] += load_some(false, a + done, count - done) * 0.0F;
    }
    return all_zero((zero[0] + zero[1]) + (zero[2] + zero[3]));
}

static void fill_with(int64_t count, float value, float *a) {
    for (int64_t i = 0; i < count; i++) {
        a[i] = value;
    }
}

/* SPDX-License-Identifier: MIT */
/* Random numbers, a group of 64 at a time. A part of core/simd_body.h. */
#include "core/philox.h"

/* What all blocks of a sequence share: the keys of the rounds, and what of the first two rounds is the same for all. */
typedef struct generator {
    uint64_t key0[EBM__PHILOX_ROUNDS];
    uint64_t key1[EBM__PHILOX_ROUNDS];
    uint32_t word0;  /* after round 1, but for block's high half */
    uint64_t mask2;  /* after round 1, but for the product */
    uint64_t mask0;  /* after round 2, but for the product */
} generator;

static generator begin(const ebm__sequence *sequence) {
    generator g;
    for (uint32_t r = 0; r < EBM__PHILOX_ROUNDS; r++) {
        g.key0[r] = (uint32_t)sequence->seed + r * EBM__PHILOX_W0;
        g.key1[r] = (uint32_t)(sequence->seed >> 32) + r * EBM__PHILOX_W1;
    }
    uint64_t product = (uint64_t)EBM__PHILOX_M1 * (uint32_t)sequence->step;
    g.word0 = (uint32_t)(product >> 32) ^ (uint32_t)g.key0[0];
    g.mask2 = (sequence->stream << 24 | (uint32_t)(sequence->step >> 32)) ^ g.key1[0];
    g.mask0 = (uint32_t)product ^ g.key0[1];
    return g;
}

/*
 * Ten rounds (see core/philox.h) on half of a vector's counters. Each word stands in the low half of a quad, where the
 * multiplication wants it; what the high halves hold plays no part. So neither half of a product has to be moved but the
 * high one, once. Counters of a group differ in word 0 only: rounds 1 and 2 have one product each that is the same for all.
 */
EBM__INLINE void rounds(const generator *g, uint32_t block_high, v_quad block_low, v_quad word[4]) {
    const v_quad m0 = v_set_quad(EBM__PHILOX_M0);
    const v_quad m1 = v_set_quad(EBM__PHILOX_M1);
    uint64_t common = (uint64_t)EBM__PHILOX_M0 * (g->word0 ^ block_high);
    v_quad p0 = v_mul_even(block_low, m0);
    v_quad p1 = v_mul_even((p0 >> 32) ^ g->mask2, m1);
    v_quad c0 = (p1 >> 32) ^ g->mask0;
    v_quad c1 = p1;
    v_quad c2 = p0 ^ ((common >> 32) ^ g->key1[1]);
    v_quad c3 = v_set_quad(common);
#pragma GCC unroll 10
    for (int r = 2; r < EBM__PHILOX_ROUNDS; r++) {
        p0 = v_mul_even(c0, m0);
        p1 = v_mul_even(c2, m1);
        c0 = v_xor3(p1 >> 32, c1, v_set_quad(g->key0[r]));
        c1 = p1;
        c2 = v_xor3(p0 >> 32, c3, v_set_quad(g->key1[r]));
        c3 = p0;
    }
    word[0] = c0;
    word[1] = c1;
    word[2] = c2;
    word[3] = c3;
}

/* The words of blocks 16 group + lane and on, one block a lane. */
EBM__INLINE void words(const generator *g, int64_t group, uint32_t lane, v_uint out[4]) {
    static const uint64_t packed_first[8] = {0, 1, 4, 5, 8, 9, 12, 13}; /* the lanes that v_pack takes from its first */
    uint64_t block = 16 * (uint64_t)group;
    v_quad low;
    memcpy(&low, packed_first, sizeof low);
    low += (uint32_t)block + lane;
    v_quad a[4];
    v_quad b[4];
    rounds(g, (uint32_t)(block >> 32), low, a);
    rounds(g, (uint32_t)(block >> 32), low + 2, b);
    for (int k = 0; k < 4; k++) {
        out[k] = v_pack(a[k], b[k]);
    }
}

/*
 * sqrt(-2 log u) for u = (w + 1/2) 2^-32. Near 0 and near 1 all bits of w count: t is u, or u - 1 in the upper half.
 * log u = e log 2 + log(1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); the polynomial is the minimax one for relative error
 * (3.2e-8) of the form -2 log(1 + f) = f (-2 + f (1 + f q(f))).
 */
EBM__INLINE v_float radius(v_uint w) {
    const int32_t sqrt_half = 0x3F3504F3; /* its bits */
    v_float t = v_to_float((v_int)w) * 0x1p-32F + 0x1p-33F;
    v_float u = v_select_negative((v_int)w, t + 1.0F, t);
    v_int above = (v_int)u - sqrt_half;
    v_float e = v_to_float(above >> 23);
    v_float f = (v_float)((above & 0x7FFFFF) + sqrt_half) - 1.0F;
    f = v_select_negative(above, f, t); /* e = 0 */
    v_float q = f * -0x1.645EB6p-3F + 0x1.2432C0p-2F;
    q = q * f - 0x1.317458p-2F;
    q = q * f + 0x1.538248p-2F;
    q = q * f - 0x1.98D7F2p-2F;
    q = q * f + 0x1.000382p-1F;
    q = q * f - 0x1.5556D8p-1F;
    q = q * f + 1.0F;
    q = q * f - 2.0F;
    return v_sqrt(q * f + e * -0x1.62E430p+0F);
}

/*
 * r cos(a) and r sin(a) for a = 2 pi w 2^-32 = (pi / 2) (quarter + x / 2) with x in [-1, 1). The polynomials are the minimax ones
 * in x^2: sin(pi x / 4) / x to 3e-9 of its value, cos(pi x / 4) to 3.2e-8.
 */
EBM__INLINE void on_circle(v_float r, v_uint w, v_float *r_cos, v_float *r_sin) {
    v_int quarter = (v_int)(w + 0x20000000U); /* in the two highest bits */
    v_float x = v_to_float((v_int)(w << 2)) * 0x1p-31F;
    v_float square = x * x;
    v_float s = square * -0x1.2D9300p-15F + 0x1.465E92p-9F;
    s = s * square - 0x1.4ABBBAp-4F;
    s = s * square + 0x1.921FB6p-1F;
    s = s * x;
    v_float c = square * -0x1.4EA9E6p-12F + 0x1.03B162p-6F;
    c = c * square - 0x1.3BD3A2p-2F;
    c = c * square + 1.0F;
    v_int odd = quarter << 1;
    v_int cos_sign = (quarter + 0x40000000) & INT32_MIN;
    v_int sin_sign = quarter & INT32_MIN;
    *r_cos = r * (v_float)((v_int)v_select_negative(odd, s, c) ^ cos_sign);
    *r_sin = r * (v_float)((v_int)v_select_negative(odd, c, s) ^ sin_sign);
}

EBM__INLINE void normal_group(const generator *g, int64_t group, float *out) {
    for (uint32_t lane = 0; lane < 16; lane += EBM__LANES) {
        v_uint w[4];
        words(g, group, lane, w);
        for (int pair = 0; pair < 2; pair++) {
            v_float a;
            v_float b;
            on_circle(radius(w[2 * pair]), w[2 * pair + 1], &a, &b);
            v_store(out + 32 * pair + lane, a);
            v_store(out + 32 * pair + 16 + lane, b);
        }
    }
}

EBM__INLINE void uniform_group(const generator *g, int64_t group, float *out) {
    for (uint32_t lane = 0; lane < 16; lane += EBM__LANES) {
        v_uint w[4];
        words(g, group, lane, w);
        for (int k = 0; k < 4; k++) {
            v_store(out + 16 * k + lane, v_to_float((v_int)(w[k] >> 8)) * 0x1p-24F);
        }
    }
}

EBM__INLINE int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static void uniforms(const ebm__sequence *sequence, int64_t first, int64_t count, float *out) {
    generator g = begin(sequence);
    while (count > 0) {
        float group[EBM__GROUP];
        int64_t skip = first % EBM__GROUP;
        int64_t n = least(EBM__GROUP - skip, count);
        uniform_group(&g, first / EBM__GROUP, n == EBM__GROUP ? out : group);
        if (n < EBM__GROUP) {
            memcpy(out, group + skip, (size_t)n * sizeof *out);
        }
        first += n;
        count -= n;
        out += n;
    }
}

static void normals(const ebm__sequence *sequence, int64_t first, int64_t count, float *out) {
    generator g = begin(sequence);
    while (count > 0) {
        float group[EBM__GROUP];
        int64_t skip = first % EBM__GROUP;
        int64_t n = least(EBM__GROUP - skip, count);
        normal_group(&g, first / EBM__GROUP, n == EBM__GROUP ? out : group);
        if (n < EBM__GROUP) {
            memcpy(out, group + skip, (size_t)n * sizeof *out);
        }
        first += n;
        count -= n;
        out += n;
    }
}

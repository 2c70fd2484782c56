/* SPDX-License-Identifier: MIT */
/* Random numbers, a group of 64 at a time. A part of core/simd_body.h. */
#include <stdbool.h>

#include "core/philox.h"

/* What all blocks of a sequence share: the keys of the rounds, and what of the first two rounds is the same for all. */
typedef struct generator {
    uint64_t key0[EBM__PHILOX_ROUNDS];
    uint64_t key1[EBM__PHILOX_ROUNDS];
    uint32_t word0; /* after round 1, but for the block number's high half */
    uint64_t mask2; /* what word 2 is after round 1, but for its product */
    uint64_t mask0; /* what word 0 is after round 2, but for its product */
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
 * Ten rounds (see core/philox.h) on a vector's counters, whose words stand in two vectors of quads: the
 * multiplication takes the low halves of quads, and what the high halves hold plays no part, so only the high half
 * of a product has to be moved. The counters of a group differ in word 0 alone, hence rounds 1 and 2 have one
 * product each that is the same for all.
 */
EBM__INLINE void rounds(const generator *g, uint32_t block_high, const v_quad block_low[2], v_quad word[4][2]) {
    const v_quad m0 = v_set_quad(EBM__PHILOX_M0);
    const v_quad m1 = v_set_quad(EBM__PHILOX_M1);
    uint64_t common = (uint64_t)EBM__PHILOX_M0 * (g->word0 ^ block_high);
    v_quad p0[2];
    v_quad p1[2];
    for (int i = 0; i < 2; i++) {
        p0[i] = v_mul_even(block_low[i], m0);
        p1[i] = v_mul_even((p0[i] >> 32) ^ g->mask2, m1);
        word[0][i] = (p1[i] >> 32) ^ g->mask0;
        word[1][i] = p1[i];
        word[2][i] = p0[i] ^ ((common >> 32) ^ g->key1[1]);
        word[3][i] = v_set_quad(common);
    }
#pragma GCC unroll 8
    for (int r = 2; r < EBM__PHILOX_ROUNDS; r++) {
        for (int i = 0; i < 2; i++) {
            p0[i] = v_mul_even(word[0][i], m0);
            p1[i] = v_mul_even(word[2][i], m1);
        }
        for (int i = 0; i < 2; i++) {
            word[0][i] = v_xor3(p1[i] >> 32, word[1][i], v_set_quad(g->key0[r]));
            word[1][i] = p1[i];
            word[2][i] = v_xor3(p0[i] >> 32, word[3][i], v_set_quad(g->key1[r]));
            word[3][i] = p0[i];
        }
    }
}

/* The words of blocks 16 group + lane and on, one block a lane. */
EBM__INLINE void words(const generator *g, int64_t group, uint32_t lane, v_uint out[4]) {
    static const uint64_t packed_first[8] = {0, 1, 4, 5, 8, 9, 12, 13}; /* the lanes that v_pack takes from its first */
    uint64_t block = 16 * (uint64_t)group;
    v_quad low[2];
    v_quad word[4][2];
    memcpy(&low[0], packed_first, sizeof low[0]);
    low[0] += (uint32_t)block + lane;
    low[1] = low[0] + 2;
    rounds(g, (uint32_t)(block >> 32), low, word);
    for (int k = 0; k < 4; k++) {
        out[k] = v_pack(word[k][0], word[k][1]);
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
    v_float f2 = f * f;
    v_float high = (f * 0x1.2432C0p-2F - 0x1.317458p-2F) - f2 * 0x1.645EB6p-3F;
    v_float low = (f * 0x1.000382p-1F - 0x1.5556D8p-1F) + (f * 0x1.538248p-2F - 0x1.98D7F2p-2F) * f2;
    v_float q = (high * (f2 * f2) + low) * f2 + (f - 2.0F);
    return v_sqrt(q * f + e * -0x1.62E430p+0F);
}

/*
 * r cos(a) and r sin(a) for a = 2 pi w 2^-32 = (pi / 2) (quarter + x / 2) with x in [-1, 1). The polynomials are
 * the minimax ones in x^2: sin(pi x / 4) / x to 3e-9 of its value, cos(pi x / 4) to 3.2e-8.
 */
EBM__INLINE void on_circle(v_float r, v_uint w, v_float *r_cos, v_float *r_sin) {
    v_uint quarter = w + 0x20000000U; /* in the two highest bits */
    v_float x = v_to_float((v_int)(w << 2)) * 0x1p-31F;
    v_float x2 = x * x;
    v_float x4 = x2 * x2;
    v_float s = ((x2 * -0x1.2D9300p-15F + 0x1.465E92p-9F) * x4 + (x2 * -0x1.4ABBBAp-4F + 0x1.921FB6p-1F)) * x;
    v_float c = (x2 * -0x1.4EA9E6p-12F + 0x1.03B162p-6F) * x4 + (x2 * -0x1.3BD3A2p-2F + 1.0F);
    v_int odd = (v_int)(quarter << 1);
    v_uint cos_sign = (quarter + 0x40000000U) & 0x80000000U;
    v_uint sin_sign = quarter & 0x80000000U;
    *r_cos = r * (v_float)((v_uint)v_select_negative(odd, s, c) ^ cos_sign);
    *r_sin = r * (v_float)((v_uint)v_select_negative(odd, c, s) ^ sin_sign);
}

/* A function of its own: many passes call it, and 64 numbers take ten times as long as the call. */
__attribute__((noinline)) static void normal_group(const generator *g, int64_t group, float *out) {
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

EBM__INLINE void fill(bool normal, const ebm__sequence *sequence, int64_t first, int64_t count, float *out) {
    generator g = begin(sequence);
    for (int64_t done = 0, n = 0; done < count; done += n) {
        float group[EBM__GROUP];
        int64_t number = (first + done) / EBM__GROUP;
        int64_t skip = (first + done) % EBM__GROUP;
        n = least(EBM__GROUP - skip, count - done);
        float *to = n == EBM__GROUP ? out + done : group;
        if (normal) {
            normal_group(&g, number, to);
        } else {
            uniform_group(&g, number, to);
        }
        if (n < EBM__GROUP) {
            memcpy(out + done, group + skip, (size_t)n * sizeof *out);
        }
    }
}

static void uniforms(const ebm__sequence *sequence, int64_t first, int64_t count, float *out) {
    fill(false, sequence, first, count, out);
}

static void normals(const ebm__sequence *sequence, int64_t first, int64_t count, float *out) {
    fill(true, sequence, first, count, out);
}

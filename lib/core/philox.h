/* SPDX-License-Identifier: MIT */
/*
 * Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3" (2011), section 3.3, one block at a time: for single draws, and as what the vectorised loops are tested
 * against.
 */
#ifndef EBM_CORE_PHILOX_H
#define EBM_CORE_PHILOX_H

#include <stdint.h>

#include "core/simd.h"

#define EBM__PHILOX_ROUNDS 10
#define EBM__PHILOX_M0 0xD2511F53U /* multipliers of the words 0 and 2 */
#define EBM__PHILOX_M1 0xCD9E8D57U
#define EBM__PHILOX_W0 0x9E3779B9U /* what the two words of the key grow by, each round */
#define EBM__PHILOX_W1 0xBB67AE85U

static inline void ebm__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0];
    uint32_t c1 = counter[1];
    uint32_t c2 = counter[2];
    uint32_t c3 = counter[3];
    uint32_t k0 = key[0];
    uint32_t k1 = key[1];
    for (int round = 0; round < EBM__PHILOX_ROUNDS; round++) {
        uint64_t p0 = (uint64_t)EBM__PHILOX_M0 * c0;
        uint64_t p1 = (uint64_t)EBM__PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += EBM__PHILOX_W0;
        k1 += EBM__PHILOX_W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* The four words of one block of a sequence. */
static inline void ebm__random_block(const ebm__sequence *sequence, uint64_t block, uint32_t out[4]) {
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)sequence->step,
                                 sequence->stream << 24 | (uint32_t)(sequence->step >> 32)};
    const uint32_t key[2] = {(uint32_t)sequence->seed, (uint32_t)(sequence->seed >> 32)};
    ebm__philox(counter, key, out);
}

/*
 * Single draws: draw e of a sequence is made from words 0 and 1 of its block e, so a sequence serves either
 * single draws or the numbers of ebm__simd, not both.
 */
static inline uint64_t ebm__random_u64(const ebm__sequence *sequence, int64_t e) {
    uint32_t word[4];
    ebm__random_block(sequence, (uint64_t)e, word);
    return (uint64_t)word[1] << 32 | word[0];
}

/* In [0, 1), a multiple of 2^-53. */
static inline double ebm__random_uniform(const ebm__sequence *sequence, int64_t e) {
    return (double)(ebm__random_u64(sequence, e) >> 11) * 0x1p-53;
}

/* The high half of the 128-bit product a b. */
static inline uint64_t ebm__high_product(uint64_t a, uint64_t b) {
    const uint64_t low = 0xFFFFFFFFU;
    uint64_t middle = (a >> 32) * (b & low) + ((a & low) * (b & low) >> 32);
    uint64_t other_middle = (a & low) * (b >> 32) + (middle & low);
    return (a >> 32) * (b >> 32) + (middle >> 32) + (other_middle >> 32);
}

/* In 0 .. n - 1, n at least 1. No value is likelier than another by more than 2^-64. */
static inline uint64_t ebm__random_below(const ebm__sequence *sequence, int64_t e, uint64_t n) {
    return ebm__high_product(ebm__random_u64(sequence, e), n);
}

#endif /* EBM_CORE_PHILOX_H */

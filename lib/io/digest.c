/* SPDX-License-Identifier: MIT */
#include "io/digest.h"

#include <string.h>

/* The primes of the specification. */
#define PRIME_1 UINT64_C(0x9E3779B185EBCA87)
#define PRIME_2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define PRIME_3 UINT64_C(0x165667B19E3779F9)
#define PRIME_4 UINT64_C(0x85EBCA77C2B2AE63)
#define PRIME_5 UINT64_C(0x27D4EB2F165667C5)

static inline uint64_t rotate(uint64_t a, int bits) {
    return a << bits | a >> (64 - bits);
}

/* Compilers make one load of this where the machine is little-endian. */
static inline uint64_t word(const uint8_t *bytes, int n) {
    uint64_t value = 0;
    for (int i = 0; i < n; i++) {
        value |= (uint64_t)bytes[i] << 8 * i;
    }
    return value;
}

/* round() of the specification. */
static inline uint64_t stir(uint64_t lane, uint64_t input) {
    return rotate(lane + input * PRIME_2, 31) * PRIME_1;
}

void ebm__digest_begin(ebm__digest *digest) {
    *digest = (ebm__digest){.lanes = {PRIME_1 + PRIME_2, PRIME_2, 0, 0 - PRIME_1}};
}

/* Takes all whole stripes of n bytes; returns how many bytes that were. */
static int64_t take_stripes(uint64_t lanes[4], const uint8_t *bytes, int64_t n) {
    uint64_t a = lanes[0];
    uint64_t b = lanes[1];
    uint64_t c = lanes[2];
    uint64_t d = lanes[3];
    int64_t at = 0;
    for (; n - at >= EBM__DIGEST_STRIPE; at += EBM__DIGEST_STRIPE) {
        a = stir(a, word(bytes + at, 8));
        b = stir(b, word(bytes + at + 8, 8));
        c = stir(c, word(bytes + at + 16, 8));
        d = stir(d, word(bytes + at + 24, 8));
    }
    lanes[0] = a;
    lanes[1] = b;
    lanes[2] = c;
    lanes[3] = d;
    return at;
}

void ebm__digest_add(ebm__digest *digest, const void *bytes, int64_t n) {
    const uint8_t *next = bytes;
    int64_t n_held = (int64_t)(digest->length % EBM__DIGEST_STRIPE);
    digest->length += (uint64_t)n;
    if (n_held > 0) {
        int64_t wanted = EBM__DIGEST_STRIPE - n_held;
        int64_t got = n < wanted ? n : wanted;
        memcpy(digest->held + n_held, next, (size_t)got);
        next += got;
        n -= got;
        if (got < wanted) {
            return;
        }
        take_stripes(digest->lanes, digest->held, EBM__DIGEST_STRIPE);
    }
    int64_t taken = take_stripes(digest->lanes, next, n);
    memcpy(digest->held, next + taken, (size_t)(n - taken));
}

static uint64_t merge(const uint64_t lanes[4]) {
    uint64_t hash = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
    for (int i = 0; i < 4; i++) {
        hash = (hash ^ stir(0, lanes[i])) * PRIME_1 + PRIME_4;
    }
    return hash;
}

void ebm__digest_end(const ebm__digest *digest, char *digits) {
    uint64_t hash = digest->length < EBM__DIGEST_STRIPE ? PRIME_5 : merge(digest->lanes);
    hash += digest->length;
    const uint8_t *next = digest->held;
    int n = (int)(digest->length % EBM__DIGEST_STRIPE);
    for (; n >= 8; n -= 8, next += 8) {
        hash = rotate(hash ^ stir(0, word(next, 8)), 27) * PRIME_1 + PRIME_4;
    }
    if (n >= 4) {
        hash = rotate(hash ^ word(next, 4) * PRIME_1, 23) * PRIME_2 + PRIME_3;
        next += 4;
        n -= 4;
    }
    for (; n >= 1; n--, next++) {
        hash = rotate(hash ^ *next * PRIME_5, 11) * PRIME_1;
    }
    hash = (hash ^ hash >> 33) * PRIME_2;
    hash = (hash ^ hash >> 29) * PRIME_3;
    hash ^= hash >> 32;
    for (int i = 0; i < EBM__DIGEST_DIGITS; i++) {
        digits[i] = "0123456789abcdef"[hash >> (60 - 4 * i) & 15];
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * The digest that finds accidents in files (not tampering): XXH64 with seed 0, after "xxHash fast digest algorithm",
 * version 0.1.1, by Yann Collet. Written as 16 lower-case hexadecimal digits, the most significant first, as that
 * page says.
 */
#ifndef EBM_IO_DIGEST_H
#define EBM_IO_DIGEST_H

#include <stdint.h>

enum { EBM__DIGEST_DIGITS = 16, EBM__DIGEST_STRIPE = 32 };

typedef struct ebm__digest {
    uint64_t lanes[4];
    uint64_t length;                  /* bytes so far */
    uint8_t held[EBM__DIGEST_STRIPE]; /* the length % EBM__DIGEST_STRIPE last bytes: they wait for a whole stripe */
} ebm__digest;

void ebm__digest_begin(ebm__digest *digest);
void ebm__digest_add(ebm__digest *digest, const void *bytes, int64_t n);
/* Writes EBM__DIGEST_DIGITS characters, without a final 0. The digest may not be added to any more. */
void ebm__digest_end(const ebm__digest *digest, char *digits);

#endif /* EBM_IO_DIGEST_H */

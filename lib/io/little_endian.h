/* SPDX-License-Identifier: MIT */
/* Numbers in files are little-endian. */
#ifndef EBM_IO_LITTLE_ENDIAN_H
#define EBM_IO_LITTLE_ENDIAN_H

#include <stdint.h>
#include <string.h>

static inline uint64_t ebm__read_u64(const uint8_t *bytes) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value |= (uint64_t)bytes[i] << 8 * i;
    }
    return value;
}

static inline void ebm__write_u64(uint8_t *bytes, uint64_t value) {
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(value >> 8 * i);
    }
}

/* n floats from the machine's order of bytes to the file's, or back. */
static inline void ebm__turn_f32(void *floats, int64_t n) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, (char *)floats + 4 * i, 4);
        bits = __builtin_bswap32(bits);
        memcpy((char *)floats + 4 * i, &bits, 4);
    }
#else
    (void)floats;
    (void)n;
#endif
}

#endif /* EBM_IO_LITTLE_ENDIAN_H */

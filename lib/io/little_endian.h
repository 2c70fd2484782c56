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

/* n numbers of `width` bytes from the machine's order of bytes to the file's, or back. */
static inline void ebm__turn(void *numbers, int64_t width, int64_t n) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    uint8_t *bytes = numbers;
    for (int64_t i = 0; i < n; i++, bytes += width) {
        for (int64_t a = 0, b = width - 1; a < b; a++, b--) {
            uint8_t kept = bytes[a];
            bytes[a] = bytes[b];
            bytes[b] = kept;
        }
    }
#else
    (void)numbers;
    (void)width;
    (void)n;
#endif
}

#endif /* EBM_IO_LITTLE_ENDIAN_H */

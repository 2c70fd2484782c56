/* SPDX-License-Identifier: MIT */
#include "evaluate/sort.h"

enum { BYTE_VALUES = 256 };

static int byte_of(uint64_t key, int byte) {
    return (int)(key >> 8 * byte & 0xFF);
}

/* One pass. False when all keys agree in this byte: `to` is then not written. */
static int sort_by_byte(int64_t n, const uint64_t *from, uint64_t *to, int byte) {
    int64_t place[BYTE_VALUES] = {0};
    for (int64_t i = 0; i < n; i++) {
        place[byte_of(from[i], byte)]++;
    }
    if (place[byte_of(from[0], byte)] == n) {
        return 0;
    }
    int64_t first = 0;
    for (int b = 0; b < BYTE_VALUES; b++) {
        int64_t count = place[b];
        place[b] = first;
        first += count;
    }
    for (int64_t i = 0; i < n; i++) {
        to[place[byte_of(from[i], byte)]++] = from[i];
    }
    return 1;
}

void ebm__sort(int64_t n, uint64_t *keys, uint64_t *spare, int first_byte, int end_byte) {
    uint64_t *from = keys;
    uint64_t *to = spare;
    for (int byte = first_byte; byte < end_byte && n > 0; byte++) {
        if (sort_by_byte(n, from, to, byte)) {
            uint64_t *sorted = to;
            to = from;
            from = sorted;
        }
    }
    if (from != keys) {
        memcpy(keys, from, (size_t)n * sizeof *keys);
    }
}

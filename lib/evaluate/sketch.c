/* SPDX-License-Identifier: MIT */
#include "evaluate/sketch.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/philox.h"
#include "evaluate/sort.h"
#include "evaluate/temporary.h"

enum { K = EBM__SKETCH_K, BASE = EBM__SKETCH_BASE, ROWS_AT_ONCE = 16 };

/* --- memory ------------------------------------------------------------------------------------------------------- */

ebm_status ebm__sketch_init(ebm__sketch *sketch, ebm_context *context, int64_t dim, const char *caller) {
    *sketch = (ebm__sketch){.context = context, .dim = dim};
    EBM__TRY(ebm__alloc(context, dim, sizeof(float), caller, &sketch->least));
    EBM__TRY(ebm__alloc(context, dim, sizeof(float), caller, &sketch->greatest));
    EBM__TRY(ebm__alloc(context, dim, BASE * sizeof(float), caller, &sketch->base));
    EBM__TRY(ebm__alloc(context, 2 * BASE, sizeof(uint64_t), caller, &sketch->keys));
    EBM__TRY(ebm__alloc(context, BASE, sizeof(float), caller, &sketch->run));
    ebm__sketch_reset(sketch);
    return EBM_OK;
}

void ebm__sketch_clear(ebm__sketch *sketch) {
    ebm__free(sketch->context, sketch->least);
    ebm__free(sketch->context, sketch->greatest);
    ebm__free(sketch->context, sketch->base);
    ebm__free(sketch->context, sketch->keys);
    ebm__free(sketch->context, sketch->run);
    for (int h = 0; h < EBM__SKETCH_LEVELS; h++) {
        ebm__free(sketch->context, sketch->level[h]);
    }
}

void ebm__sketch_reset(ebm__sketch *sketch) {
    sketch->count = 0;
    sketch->tosses = 0;
    for (int64_t d = 0; d < sketch->dim; d++) {
        sketch->least[d] = INFINITY;
        sketch->greatest[d] = -INFINITY;
    }
}

ebm_status ebm__sketch_reserve(ebm__sketch *sketch, int64_t count, const char *caller) {
    for (int h = 0; count / BASE >> h != 0; h++) {
        if (sketch->level[h] == NULL) {
            EBM__TRY(ebm__alloc(sketch->context, sketch->dim, K * sizeof(float), caller, &sketch->level[h]));
        }
    }
    return EBM_OK;
}

/* --- halving ------------------------------------------------------------------------------------------------------ */

/*
 * 0 or 1, from how often a coin was tossed and from the values at hand: sketches that are merged later have then had
 * different coins, although each of them repeats its own whenever it sees the same rows.
 */
static int toss(const ebm__sketch *sketch, int64_t d, int level, const float *values) {
    static const uint32_t key[2] = {0x45424D73U, 0x6B657463U};
    uint32_t digest = 0;
    for (int i = 0; i < BASE; i++) {
        digest += ebm__order_of_float(values[i]) * (uint32_t)(2 * i + 1);
    }
    const uint32_t counter[4] = {(uint32_t)sketch->tosses, (uint32_t)d, (uint32_t)level, digest};
    uint32_t out[4];
    ebm__philox(counter, key, out);
    return (int)(out[0] & 1);
}

/*
 * The first half of 2 K sorted values becomes every other of them. (Written as values[i] = values[2 * i + first], gcc
 * 12.2 at -O1 and -O2 reads the wrong values.)
 */
static void halve(const ebm__sketch *sketch, int64_t d, int level, float *values) {
    const float *from = values + toss(sketch, d, level, values);
    for (int i = 0; i < K; i++, from += 2) {
        values[i] = *from;
    }
}

/* run, K sorted values, becomes 2 K with those of the other. From the back, so that nothing is overwritten. */
static void merge_into(float *run, const float *other) {
    int i = K - 1;
    int j = K - 1;
    for (int end = BASE - 1; j >= 0; end--) {
        run[end] = i >= 0 && run[i] > other[j] ? run[i--] : other[j--];
    }
}

/*
 * Puts the K values of `run` at a level of coordinate d, or above it. `taken` has a bit for every level that is
 * taken.
 */
static void carry(ebm__sketch *sketch, int64_t d, int level, int64_t taken) {
    for (; (taken >> level & 1) != 0; level++) {
        merge_into(sketch->run, sketch->level[level] + d * K);
        halve(sketch, d, level + 1, sketch->run);
    }
    memcpy(sketch->level[level] + d * K, sketch->run, K * sizeof(float));
}

/* The base is full: empties it. `taken` as before. */
static void empty_base(ebm__sketch *sketch, int64_t taken) {
    for (int64_t d = 0; d < sketch->dim; d++) {
        const float *base = sketch->base + d * BASE;
        for (int i = 0; i < BASE; i++) {
            sketch->keys[i] = ebm__order_of_float(base[i]);
        }
        ebm__sort(BASE, sketch->keys, sketch->keys + BASE, 0, 4);
        for (int i = 0; i < BASE; i++) {
            sketch->run[i] = ebm__float_of_order((uint32_t)sketch->keys[i]);
        }
        halve(sketch, d, 0, sketch->run);
        carry(sketch, d, 0, taken);
    }
    sketch->tosses++;
}

/* --- taking in ---------------------------------------------------------------------------------------------------- */

/* n rows that fit go into the base, a few rows at a time, so that their coordinates are still at hand. */
static void fill_base(ebm__sketch *sketch, int64_t n, const float *x) {
    int64_t dim = sketch->dim;
    for (int64_t first = 0; first < n; first += ROWS_AT_ONCE) {
        int64_t end = first + ROWS_AT_ONCE < n ? first + ROWS_AT_ONCE : n;
        for (int64_t d = 0; d < dim; d++) {
            float *to = sketch->base + d * BASE + sketch->count % BASE;
            for (int64_t r = first; r < end; r++) {
                float value = x[r * dim + d];
                to[r] = value;
                sketch->least[d] = value < sketch->least[d] ? value : sketch->least[d];
                sketch->greatest[d] = value > sketch->greatest[d] ? value : sketch->greatest[d];
            }
        }
    }
}

void ebm__sketch_add(ebm__sketch *sketch, int64_t n, const float *x) {
    while (n > 0) {
        int64_t room = BASE - sketch->count % BASE;
        int64_t rows = n < room ? n : room;
        fill_base(sketch, rows, x);
        if (rows == room) {
            empty_base(sketch, sketch->count / BASE);
        }
        sketch->count += rows;
        x += rows * sketch->dim;
        n -= rows;
    }
}

/* The other's base is a list a coordinate, as this one's is. */
static void merge_base(ebm__sketch *sketch, const ebm__sketch *other) {
    int64_t here = sketch->count % BASE;
    int64_t there = other->count % BASE;
    int64_t first = there < BASE - here ? there : BASE - here;
    for (int64_t d = 0; d < sketch->dim; d++) {
        memcpy(sketch->base + d * BASE + here, other->base + d * BASE, (size_t)first * sizeof(float));
    }
    if (here + first == BASE) {
        empty_base(sketch, sketch->count / BASE);
        for (int64_t d = 0; d < sketch->dim; d++) {
            memcpy(sketch->base + d * BASE, other->base + d * BASE + first, (size_t)(there - first) * sizeof(float));
        }
    }
    sketch->count += there;
}

void ebm__sketch_merge(ebm__sketch *sketch, const ebm__sketch *other) {
    for (int64_t d = 0; d < sketch->dim; d++) {
        sketch->least[d] = fminf(sketch->least[d], other->least[d]);
        sketch->greatest[d] = fmaxf(sketch->greatest[d], other->greatest[d]);
    }
    for (int h = 0; other->count / BASE >> h != 0; h++) {
        if ((other->count / BASE >> h & 1) == 0) {
            continue;
        }
        for (int64_t d = 0; d < sketch->dim; d++) {
            memcpy(sketch->run, other->level[h] + d * K, K * sizeof(float));
            carry(sketch, d, h, sketch->count / BASE);
        }
        sketch->tosses++;
        sketch->count += (int64_t)BASE << h;
    }
    merge_base(sketch, other);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

/* All that is kept of a coordinate, as keys with log2 of the weight below; sorted. */
static int64_t collect(const ebm__sketch *sketch, int64_t d, uint64_t *keys, uint64_t *spare) {
    int64_t n = 0;
    for (int64_t i = 0; i < sketch->count % BASE; i++) {
        keys[n++] = (uint64_t)ebm__order_of_float(sketch->base[d * BASE + i]) << 32;
    }
    for (int h = 0; sketch->count / BASE >> h != 0; h++) {
        for (int i = 0; (sketch->count / BASE >> h & 1) != 0 && i < K; i++) {
            keys[n++] = (uint64_t)ebm__order_of_float(sketch->level[h][d * K + i]) << 32 | (uint64_t)(h + 1);
        }
    }
    ebm__sort(n, keys, spare, 4, 8);
    return n;
}

/* The value with at most `rank` values, by weight, before it. *i and *before say where the last search has ended. */
static double value_at(const uint64_t *keys, int64_t rank, int64_t *i, int64_t *before) {
    while (*before + (INT64_C(1) << (keys[*i] & UINT32_MAX)) <= rank) {
        *before += INT64_C(1) << (keys[*i] & UINT32_MAX);
        ++*i;
    }
    return (double)ebm__float_of_order((uint32_t)(keys[*i] >> 32));
}

/* Type 7 of Hyndman and Fan (1996), each value repeated as often as its weight says. */
static double weighted_quantile(int64_t count, const uint64_t *keys, double p) {
    double place = (double)(count - 1) * p;
    int64_t below = (int64_t)place;
    int64_t i = 0;
    int64_t before = 0;
    double low = value_at(keys, below, &i, &before);
    double high = value_at(keys, below + 1 < count ? below + 1 : below, &i, &before);
    return low + (place - (double)below) * (high - low);
}

ebm_status ebm__sketch_quantile(const ebm__sketch *sketch, double p, const char *caller, double *quantile) {
    EBM__TEMPORARY(memory, sketch->context);
    int64_t most = BASE;
    for (int h = 0; sketch->count / BASE >> h != 0; h++) {
        most += K;
    }
    EBM__TRY(ebm__alloc(sketch->context, 2 * most, sizeof(uint64_t), caller, &memory.memory));
    uint64_t *keys = memory.memory;
    for (int64_t d = 0; d < sketch->dim; d++) {
        if (sketch->count == 0) {
            quantile[d] = (double)NAN;
        } else if (p == 0 || p == 1) {
            quantile[d] = (double)(p == 0 ? sketch->least[d] : sketch->greatest[d]);
        } else {
            collect(sketch, d, keys, keys + most);
            quantile[d] = weighted_quantile(sketch->count, keys, p);
        }
    }
    return EBM_OK;
}

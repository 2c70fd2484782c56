/* SPDX-License-Identifier: MIT */
/* Which build of the inner loops runs. */
#include "core/simd.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "core/simd_tables.h"

#if defined(__x86_64__) || defined(__i386__)
/* __builtin_cpu_supports also asks whether the operating system keeps the wide registers. */
static bool runs_avx2(void) {
    return __builtin_cpu_supports("avx2");
}
static bool runs_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
}
#else
static bool runs_avx2(void) {
    return false;
}
static bool runs_avx512(void) {
    return false;
}
#endif

enum { WIDTHS = 3 };

/* From the widest to the narrowest, which is never NULL; NULL for what cannot run here. */
static const ebm__simd *width(int i) {
    switch (i) {
    case 0: return runs_avx512() ? ebm__simd_avx512() : NULL;
    case 1: return runs_avx2() ? ebm__simd_avx2() : NULL;
    default: return ebm__simd_baseline();
    }
}

const ebm__simd *ebm__simd_best(void) {
    int i = 0;
    while (width(i) == NULL) {
        i++;
    }
    return width(i);
}

const ebm__simd *ebm__simd_named(const char *name) {
    for (int i = 0; i < WIDTHS; i++) {
        const ebm__simd *simd = width(i);
        if (simd != NULL && strcmp(simd->name, name) == 0) {
            return simd;
        }
    }
    return NULL;
}

static _Atomic(const ebm__simd *) chosen; /* NULL: the best */

const ebm__simd *ebm__simd_used(void) {
    const ebm__simd *simd = atomic_load_explicit(&chosen, memory_order_relaxed);
    return simd != NULL ? simd : ebm__simd_best();
}

void ebm__simd_use(const ebm__simd *simd) {
    atomic_store_explicit(&chosen, simd, memory_order_relaxed);
}

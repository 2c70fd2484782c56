/* SPDX-License-Identifier: MIT */
/*
 * What the benchmarks share. A measurement is one line, `bench case who value unit`, which run.sh collects. A value
 * comes from the least of several short times, taken in turn with those that it is compared with: a machine that others
 * use too makes times longer, never shorter.
 */
#ifndef EBM_TESTS_BENCH_BENCH_H
#define EBM_TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <ebm/ebm.h>

static inline double bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void bench_require(bool condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "%s: %s\n", what, ebm_last_error());
        exit(1);
    }
}

static inline float *bench_floats(int64_t n) {
    float *values = aligned_alloc(64, ((size_t)n * sizeof *values + 63) / 64 * 64);
    bench_require(values != NULL, "no memory");
    return values;
}

/* Uniform on [-1, 1), the same in every run. */
static inline float *bench_random_floats(int64_t n) {
    float *values = bench_floats(n);
    uint64_t state = 1;
    for (int64_t i = 0; i < n; i++) {
        state = state * 6364136223846793005U + 1442695040888963407U; /* Knuth 1998, MMIX */
        values[i] = (float)(state >> 40) * 0x1p-23F - 1.0F;
    }
    return values;
}

static inline void bench_keep_least(double *least, double value) {
    *least = value < *least ? value : *least;
}

static inline void bench_print(const char *bench, const char *name, const char *who, double value, const char *unit) {
    printf("%s %s %s %.6g %s\n", bench, name, who, value, unit);
}

#endif /* EBM_TESTS_BENCH_BENCH_H */

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
#include <string.h>
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

/* E = |x|^2 / 2 and its gradient. In parts, so that an addition need not wait for the one before it. */
static inline void bench_gaussian(int64_t n, int64_t dim, const float *x, double *energy, float *grad_x) {
    enum { PARTS = 4 };
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        const float *row = x + r * dim;
        float sum[PARTS] = {0};
        int64_t i = 0;
        for (; i + PARTS <= dim; i += PARTS) {
            for (int p = 0; p < PARTS; p++) {
                sum[p] += row[i + p] * row[i + p];
            }
        }
        for (; i < dim; i++) {
            sum[0] += row[i] * row[i];
        }
        energy[r] = 0.5 * (double)((sum[0] + sum[1]) + (sum[2] + sum[3]));
    }
    if (grad_x != NULL) {
        memcpy(grad_x, x, (size_t)(n * dim) * sizeof *x);
    }
}

static inline void bench_print(const char *bench, const char *name, const char *who, double value, const char *unit) {
    printf("%s %s %s %.6g %s\n", bench, name, who, value, unit);
}

#endif /* EBM_TESTS_BENCH_BENCH_H */

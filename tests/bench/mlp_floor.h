/* SPDX-License-Identifier: MIT */
/*
 * The floor of training a multilayer perceptron with two hidden layers by CD-20: the bare matrix products of one
 * iteration. On two threads each has half of the rows, and they do not wait for each other.
 */
#ifndef EBM_TESTS_BENCH_MLP_FLOOR_H
#define EBM_TESTS_BENCH_MLP_FLOOR_H

#include <pthread.h>

#include "bench.h"
#include "core/blas.h"

enum { MLP_BATCH = 256, MLP_STEPS = 20, MLP_MOST_THREADS = 2 };

typedef struct mlp_floor {
    int64_t dim, width;
    float *first_weight, *second_weight;
    float *x, *first, *second, *grad_x;          /* 2 MLP_BATCH rows */
    float *grad_theta[MLP_MOST_THREADS];
} mlp_floor;

static inline mlp_floor mlp_floor_make(int64_t dim, int64_t width) {
    mlp_floor f = {.dim = dim, .width = width};
    f.first_weight = bench_random_floats(width * dim);
    f.second_weight = bench_random_floats(width * width);
    f.x = bench_random_floats(2 * MLP_BATCH * dim);
    f.first = bench_random_floats(2 * MLP_BATCH * width);
    f.second = bench_random_floats(2 * MLP_BATCH * width);
    f.grad_x = bench_random_floats(2 * MLP_BATCH * dim);
    for (int t = 0; t < MLP_MOST_THREADS; t++) {
        f.grad_theta[t] = bench_random_floats(width * (dim + width));
    }
    return f;
}

static inline void mlp_floor_free(mlp_floor *f) {
    float *all[] = {f->first_weight, f->second_weight, f->x, f->first, f->second, f->grad_x, f->grad_theta[0],
                    f->grad_theta[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
}

/* The products of one gradient of `rows` rows, from row `from` on, in x or, with grad_theta, in theta. */
static inline void mlp_floor_gradient(const mlp_floor *f, int64_t from, int64_t rows, float *grad_theta) {
    int64_t dim = f->dim;
    int64_t width = f->width;
    const float *x = f->x + from * dim;
    float *first = f->first + from * width;
    float *second = f->second + from * width;
    ebm__gemm(false, true, rows, width, dim, x, f->first_weight, 0.0F, first);
    ebm__gemm(false, true, rows, width, width, first, f->second_weight, 0.0F, second);
    if (grad_theta != NULL) {
        ebm__gemm(true, false, width, width, rows, second, first, 0.0F, grad_theta + width * dim);
        ebm__gemm(false, false, rows, width, width, second, f->second_weight, 0.0F, first);
        ebm__gemm(true, false, width, dim, rows, first, x, 0.0F, grad_theta);
    } else {
        ebm__gemm(false, false, rows, width, width, second, f->second_weight, 0.0F, first);
        ebm__gemm(false, false, rows, dim, width, first, f->first_weight, 0.0F, f->grad_x + from * dim);
    }
}

typedef struct mlp_share {
    const mlp_floor *floor;
    int64_t index, count;
} mlp_share;

static inline void *mlp_floor_share(void *argument) {
    const mlp_share *s = argument;
    int64_t rows = MLP_BATCH / s->count;
    for (int step = 0; step < MLP_STEPS; step++) {
        mlp_floor_gradient(s->floor, s->index * rows, rows, NULL);
    }
    mlp_floor_gradient(s->floor, s->index * 2 * rows, 2 * rows, s->floor->grad_theta[s->index]);
    return NULL;
}

/* One iteration on 1 or 2 threads. */
static inline void mlp_floor_run(const mlp_floor *f, int64_t threads) {
    mlp_share shares[MLP_MOST_THREADS] = {{f, 0, threads}, {f, 1, threads}};
    pthread_t other;
    if (threads == 2) {
        bench_require(pthread_create(&other, NULL, mlp_floor_share, &shares[1]) == 0, "no thread");
    }
    mlp_floor_share(&shares[0]);
    if (threads == 2) {
        pthread_join(other, NULL);
    }
}

#endif /* EBM_TESTS_BENCH_MLP_FLOOR_H */

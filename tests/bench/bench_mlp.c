/* SPDX-License-Identifier: MIT */
/*
 * How much of the time of training an MLP is spent in matrix products: one iteration of CD-20 (20 gradients in x of 256 rows,
 * one gradient in theta of 512) through the public functions, beside the bare products of the same shapes, which are the
 * floor. On two threads the floor is two threads with half of the rows each and no word between them.
 * Run it with OPENBLAS_NUM_THREADS=1. An argument sets the number of repetitions; medians are printed.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ebm/ebm.h>

#include "core/blas.h"

enum { BATCH = 256, STEPS = 20, MOST_REPETITIONS = 1000 };

typedef struct network {
    int64_t dim;
    int64_t width;
    float *theta;                                  /* random: two matrices are enough for the floor */
    float *x, *weight, *first, *second, *grad;     /* of up to 2 * BATCH rows */
    float *grad_theta;
    ebm_model *model[2]; /* on one thread, on two */
} network;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void require(bool condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "bench_mlp: %s: %s\n", what, ebm_last_error());
        exit(1);
    }
}

static float *random_floats(int64_t n) {
    float *values = malloc((size_t)n * sizeof *values);
    require(values != NULL, "no memory");
    for (int64_t i = 0; i < n; i++) {
        values[i] = (float)rand() / (float)RAND_MAX - 0.5F;
    }
    return values;
}

/* The products of one gradient of `rows` rows, from row `from` on: forward, then back to x or to theta. */
static void products(const network *net, int64_t from, int64_t rows, bool to_theta, float *grad_theta) {
    int64_t dim = net->dim;
    int64_t width = net->width;
    const float *x = net->x + from * dim;
    const float *w1 = net->theta;
    const float *w2 = net->theta + width * dim;
    float *first = net->first + from * width;
    float *second = net->second + from * width;
    ebm__gemm(false, true, rows, width, dim, x, w1, 0.0F, first);
    ebm__gemm(false, true, rows, width, width, first, w2, 0.0F, second);
    if (to_theta) {
        ebm__gemm(true, false, width, width, rows, second, first, 0.0F, grad_theta + width * dim);
        ebm__gemm(false, false, rows, width, width, second, w2, 0.0F, first);
        ebm__gemm(true, false, width, dim, rows, first, x, 0.0F, grad_theta);
    } else {
        ebm__gemm(false, false, rows, width, width, second, w2, 0.0F, first);
        ebm__gemm(false, false, rows, dim, width, first, w1, 0.0F, net->grad + from * dim);
    }
}

typedef struct share {
    const network *net;
    int64_t index, count;
    float *grad_theta;
} share;

static void *floor_share(void *argument) {
    const share *s = argument;
    int64_t rows = BATCH / s->count;
    for (int step = 0; step < STEPS; step++) {
        products(s->net, s->index * rows, rows, false, NULL);
    }
    products(s->net, s->index * 2 * rows, 2 * rows, true, s->grad_theta);
    return NULL;
}

static double time_floor(const network *net, int64_t threads) {
    int64_t n_params = ebm_model_param_count(net->model[0]);
    share shares[2] = {{net, 0, threads, net->grad_theta}, {net, 1, threads, net->grad_theta + n_params}};
    double start = now();
    pthread_t other;
    if (threads == 2) {
        require(pthread_create(&other, NULL, floor_share, &shares[1]) == 0, "no thread");
    }
    floor_share(&shares[0]);
    if (threads == 2) {
        pthread_join(other, NULL);
    }
    return now() - start;
}

static double time_library(const network *net, int64_t threads) {
    ebm_model *model = net->model[threads - 1];
    double energy[2 * BATCH];
    double start = now();
    for (int step = 0; step < STEPS; step++) {
        require(ebm_model_grad_x(model, BATCH, net->x, NULL, net->grad) == EBM_OK, "grad_x");
    }
    require(ebm_model_param_grad(model, 2 * BATCH, net->x, net->weight, energy, ebm_model_param_count(model),
                                 net->grad_theta) == EBM_OK, "param_grad");
    return now() - start;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, compare);
    return values[n / 2];
}

static network make(ebm_context *const context[2], int64_t dim, int64_t width) {
    network net = {.dim = dim, .width = width};
    int64_t widths[2] = {width, width};
    for (int i = 0; i < 2; i++) {
        require(ebm_mlp_create(context[i], dim, 2, widths, EBM_ACT_SILU, &net.model[i]) == EBM_OK, "create");
        require(ebm_model_init_params(net.model[i], 1) == EBM_OK, "init");
    }
    net.theta = random_floats(width * dim + width * width);
    net.x = random_floats(2 * BATCH * dim);
    net.weight = random_floats(2 * BATCH);
    net.first = random_floats(2 * BATCH * width);
    net.second = random_floats(2 * BATCH * width);
    net.grad = random_floats(2 * BATCH * dim);
    net.grad_theta = random_floats(2 * ebm_model_param_count(net.model[0]));
    return net;
}

static void release(network *net) {
    ebm_model_destroy(net->model[0]);
    ebm_model_destroy(net->model[1]);
    float *all[] = {net->theta, net->x, net->weight, net->first, net->second, net->grad, net->grad_theta};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
}

/* The four times are taken in turn, so that all see the same machine. */
static void measure(ebm_context *const context[2], int64_t dim, int64_t width, int repetitions) {
    static double floor_time[2][MOST_REPETITIONS], library_time[2][MOST_REPETITIONS];
    network net = make(context, dim, width);
    for (int i = -1; i < repetitions; i++) { /* the first is for warming up */
        for (int t = 0; t < 2; t++) {
            floor_time[t][i < 0 ? 0 : i] = time_floor(&net, t + 1);
            library_time[t][i < 0 ? 0 : i] = time_library(&net, t + 1);
        }
    }
    for (int t = 0; t < 2; t++) {
        double floor = median(floor_time[t], repetitions);
        double library = median(library_time[t], repetitions);
        printf("mlp %3d-%d-%d-1  CD-20, batch 256, SiLU, %dT:  floor %7.3f ms  library %7.3f ms  floor/library %.2f\n", (int)dim,
               (int)width, (int)width, t + 1, 1e3 * floor, 1e3 * library, floor / library);
    }
    release(&net);
}

int main(int argc, char **argv) {
    int repetitions = argc > 1 ? atoi(argv[1]) : 31;
    repetitions = repetitions < 1 ? 1 : repetitions > MOST_REPETITIONS ? MOST_REPETITIONS : repetitions;
    const char *blas_threads = getenv("OPENBLAS_NUM_THREADS");
    if (blas_threads == NULL || strcmp(blas_threads, "1") != 0) {
        printf("note: OPENBLAS_NUM_THREADS is not 1, so OpenBLAS may bring threads of its own to every line\n");
    }
    ebm_context *context[2];
    for (int i = 0; i < 2; i++) {
        require(ebm_context_create(&context[i]) == EBM_OK, "context");
        require(ebm_context_set_threads(context[i], i + 1) == EBM_OK, "threads");
    }
    measure(context, 784, 256, repetitions);
    measure(context, 2, 128, repetitions);
    ebm_context_destroy(context[0]);
    ebm_context_destroy(context[1]);
    return 0;
}

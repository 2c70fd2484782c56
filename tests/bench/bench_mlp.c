/* SPDX-License-Identifier: MIT */
/*
 * How much of the time of training an MLP is spent in matrix products: one iteration of CD-20 (20 gradients in x of 256
 * rows, one gradient in theta of 512) through the public functions, beside the bare products of the same shapes, which
 * are the floor. On two threads the floor is two threads with half of the rows each and no word between them.
 * Run it with OPENBLAS_NUM_THREADS=1.
 */
#include <pthread.h>
#include <string.h>

#include "bench.h"
#include "core/blas.h"

enum { BATCH = 256, STEPS = 20 };

typedef struct network {
    int64_t dim;
    int64_t width;
    float *theta;                                  /* random: two matrices are enough for the floor */
    float *x, *weight, *first, *second, *grad;     /* of up to 2 * BATCH rows */
    float *grad_theta;
    ebm_model *model[2]; /* on one thread, on two */
} network;

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
    double start = bench_now();
    pthread_t other;
    if (threads == 2) {
        bench_require(pthread_create(&other, NULL, floor_share, &shares[1]) == 0, "no thread");
    }
    floor_share(&shares[0]);
    if (threads == 2) {
        pthread_join(other, NULL);
    }
    return bench_now() - start;
}

static double time_library(const network *net, int64_t threads) {
    ebm_model *model = net->model[threads - 1];
    double energy[2 * BATCH];
    double start = bench_now();
    for (int step = 0; step < STEPS; step++) {
        bench_require(ebm_model_grad_x(model, BATCH, net->x, NULL, net->grad) == EBM_OK, "grad_x");
    }
    bench_require(ebm_model_param_grad(model, 2 * BATCH, net->x, net->weight, energy, ebm_model_param_count(model),
                                 net->grad_theta) == EBM_OK, "param_grad");
    return bench_now() - start;
}

static network make(ebm_context *const context[2], int64_t dim, int64_t width) {
    network net = {.dim = dim, .width = width};
    int64_t widths[2] = {width, width};
    for (int i = 0; i < 2; i++) {
        bench_require(ebm_mlp_create(context[i], dim, 2, widths, EBM_ACT_SILU, &net.model[i]) == EBM_OK, "create");
        bench_require(ebm_model_init_params(net.model[i], 1) == EBM_OK, "init");
    }
    net.theta = bench_random_floats(width * dim + width * width);
    net.x = bench_random_floats(2 * BATCH * dim);
    net.weight = bench_random_floats(2 * BATCH);
    net.first = bench_random_floats(2 * BATCH * width);
    net.second = bench_random_floats(2 * BATCH * width);
    net.grad = bench_random_floats(2 * BATCH * dim);
    net.grad_theta = bench_random_floats(2 * ebm_model_param_count(net.model[0]));
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
    double least_floor[2] = {1e9, 1e9};
    double least_library[2] = {1e9, 1e9};
    network net = make(context, dim, width);
    for (int i = 0; i < repetitions; i++) {
        for (int t = 0; t < 2; t++) {
            bench_keep_least(&least_floor[t], time_floor(&net, t + 1));
            bench_keep_least(&least_library[t], time_library(&net, t + 1));
        }
    }
    for (int t = 0; t < 2; t++) {
        char name[64];
        snprintf(name, sizeof name, "%d-%d-%d-1,%dT", (int)dim, (int)width, (int)width, t + 1);
        bench_print("mlp_cd20", name, "gemm-floor", 1e3 * least_floor[t], "ms");
        bench_print("mlp_cd20", name, "libebm", 1e3 * least_library[t], "ms");
        bench_print("mlp_cd20", name, "floor/libebm", least_floor[t] / least_library[t], "");
    }
    release(&net);
}

int main(int argc, char **argv) {
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    const char *blas_threads = getenv("OPENBLAS_NUM_THREADS");
    if (blas_threads == NULL || strcmp(blas_threads, "1") != 0) {
        fprintf(stderr, "bench_mlp: OPENBLAS_NUM_THREADS is not 1: OpenBLAS may bring threads of its own\n");
    }
    ebm_context *context[2];
    for (int i = 0; i < 2; i++) {
        bench_require(ebm_context_create(&context[i]) == EBM_OK, "context");
        bench_require(ebm_context_set_threads(context[i], i + 1) == EBM_OK, "threads");
    }
    measure(context, 784, 256, quick ? 1 : 30);
    measure(context, 2, 128, quick ? 2 : 300);
    ebm_context_destroy(context[0]);
    ebm_context_destroy(context[1]);
    return 0;
}

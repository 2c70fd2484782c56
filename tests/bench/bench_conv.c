/* SPDX-License-Identifier: MIT */
/*
 * How much of the time of a convolutional energy's gradients is spent in matrix products: a batch of 128 images of 28 x
 * 28 through the public functions, beside the bare products of the same shapes, all images in one product a layer, on
 * columns that are there already: the floor. Two networks: 5 x 5 x 32 and 3 x 3 x 64, stride 2, dense 128; and three
 * layers of 3 x 3 x 32, 64, 64, strides 1, 2, 2, dense 128. `step` is what an iteration of training with 20 Markov steps
 * takes of both gradients: 20 in x and one in theta. Times are the processor's, per thread: they bear other programs.
 * Usage: OPENBLAS_NUM_THREADS=1 bench_conv [threads] [quick]
 */
#include <pthread.h>
#include <string.h>

#include "bench.h"
#include "core/blas.h"

enum { BATCH = 128, MOST_LAYERS = 3, SIDE = 28, DENSE = 128, MOST_THREADS = 2 };

enum { MARKOV_STEPS = 20 };

static double processor_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct network {
    const char *name;
    int32_t n_layers;
    int64_t filters[MOST_LAYERS], kernel[MOST_LAYERS], stride[MOST_LAYERS];
} network;

/* What a layer's products are made of: rows x patch columns, filters x patch weights, rows x filters outputs. */
typedef struct products {
    int64_t rows, patch, filters;
    float *columns, *weights, *out, *grad;
} products;

typedef struct network_floor {
    int32_t n;
    products p[MOST_LAYERS + 1]; /* the dense layer is the last */
} network_floor;

static network_floor make_floor(const network *net, int64_t images) {
    network_floor f = {.n = net->n_layers + 1};
    int64_t side = SIDE;
    int64_t channels = 1;
    for (int32_t l = 0; l < net->n_layers; l++) {
        side = (side + 2 * ((net->kernel[l] - 1) / 2) - net->kernel[l]) / net->stride[l] + 1;
        f.p[l] = (products){.rows = images * side * side,
                            .patch = net->kernel[l] * net->kernel[l] * channels,
                            .filters = net->filters[l]};
        channels = net->filters[l];
    }
    f.p[net->n_layers] = (products){.rows = images, .patch = side * side * channels, .filters = DENSE};
    for (int32_t l = 0; l < f.n; l++) {
        products *p = &f.p[l];
        p->columns = bench_random_floats(p->rows * p->patch);
        p->weights = bench_random_floats(p->filters * p->patch);
        p->out = bench_random_floats(p->rows * p->filters);
        p->grad = bench_random_floats(p->filters * p->patch);
    }
    return f;
}

static void free_floor(network_floor *f) {
    for (int32_t l = 0; l < f->n; l++) {
        float *all[] = {f->p[l].columns, f->p[l].weights, f->p[l].out, f->p[l].grad};
        for (int i = 0; i < 4; i++) {
            free(all[i]);
        }
    }
}

static void run_floor(const network_floor *f, bool to_theta) {
    for (int32_t l = 0; l < f->n; l++) {
        const products *p = &f->p[l];
        ebm__gemm(false, true, p->rows, p->filters, p->patch, p->columns, p->weights, 0.0F, p->out);
    }
    for (int32_t l = f->n - 1; l >= 0; l--) {
        const products *p = &f->p[l];
        if (to_theta) {
            ebm__gemm(true, false, p->filters, p->patch, p->rows, p->out, p->columns, 0.0F, p->grad);
        }
        if (!to_theta || l > 0) {
            ebm__gemm(false, false, p->rows, p->patch, p->filters, p->out, p->weights, 0.0F, p->columns);
        }
    }
}

typedef struct share {
    const network_floor *floor;
    bool to_theta;
} share;

static void *floor_share(void *argument) {
    const share *s = argument;
    run_floor(s->floor, s->to_theta);
    return NULL;
}

static double time_floor(network_floor floor[], int threads, bool to_theta) {
    share shares[MOST_THREADS] = {{&floor[0], to_theta}, {&floor[1], to_theta}};
    pthread_t other;
    double start = processor_now();
    if (threads == 2) {
        bench_require(pthread_create(&other, NULL, floor_share, &shares[1]) == 0, "no thread");
    }
    floor_share(&shares[0]);
    if (threads == 2) {
        pthread_join(other, NULL);
    }
    return (processor_now() - start) / threads;
}

typedef struct job {
    ebm_model *model;
    int64_t images, n_params;
    float *x, *weight, *grad_x, *grad_theta;
    double *energy;
} job;

static double time_library(const job *j, bool to_theta) {
    double start = processor_now();
    ebm_status status = to_theta ? ebm_model_param_grad(j->model, j->images, j->x, j->weight, j->energy, j->n_params,
                                                        j->grad_theta)
                                 : ebm_model_grad_x(j->model, j->images, j->x, j->energy, j->grad_x);
    bench_require(status == EBM_OK, "gradient");
    return (processor_now() - start) / (double)(j->images / BATCH);
}

/* On two threads: BATCH images each, as the library cuts them. */
static void measure(const network *net, int threads, int repetitions) {
    const int64_t width = DENSE;
    job j = {.images = BATCH * threads};
    ebm_context *context;
    network_floor floor[MOST_THREADS] = {make_floor(net, BATCH), make_floor(net, BATCH)};
    bench_require(ebm_context_create(&context) == EBM_OK, "context");
    bench_require(ebm_context_set_threads(context, threads) == EBM_OK, "threads");
    bench_require(ebm_conv_create(context, 1, SIDE, SIDE, net->n_layers, net->filters, net->kernel, net->stride,
                                  EBM_POOL_NONE, 1, &width, EBM_ACT_SILU, &j.model) == EBM_OK, "create");
    bench_require(ebm_model_init_params(j.model, 1) == EBM_OK, "init");
    j.n_params = ebm_model_param_count(j.model);
    j.x = bench_random_floats(j.images * SIDE * SIDE);
    j.weight = bench_random_floats(j.images);
    j.grad_x = bench_random_floats(j.images * SIDE * SIDE);
    j.grad_theta = bench_random_floats(j.n_params);
    j.energy = malloc((size_t)j.images * sizeof *j.energy);
    double step[2] = {0};
    char name[64];
    for (int to_theta = 0; to_theta < 2; to_theta++) {
        double least[2] = {1e9, 1e9};
        for (int i = 0; i < repetitions; i++) { /* in turn, so that both see the same machine */
            bench_keep_least(&least[0], time_floor(floor, threads, to_theta != 0));
            bench_keep_least(&least[1], time_library(&j, to_theta != 0));
        }
        snprintf(name, sizeof name, "%s,%s/%dT", net->name, to_theta != 0 ? "theta" : "x", threads);
        bench_print("conv", name, "gemm", 1e3 * least[0], "ms");
        bench_print("conv", name, "library", 1e3 * least[1], "ms");
        for (int who = 0; who < 2; who++) {
            step[who] += (to_theta != 0 ? 1 : MARKOV_STEPS) * least[who];
        }
    }
    snprintf(name, sizeof name, "%s,step/%dT", net->name, threads);
    bench_print("conv", name, "gemm", 1e3 * step[0], "ms");
    bench_print("conv", name, "library", 1e3 * step[1], "ms");
    void *all[] = {j.x, j.weight, j.grad_x, j.grad_theta, j.energy};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
    free_floor(&floor[0]);
    free_floor(&floor[1]);
    ebm_model_destroy(j.model);
    ebm_context_destroy(context);
}

int main(int argc, char **argv) {
    static const network networks[] = {
        {"28x28-32-64-128", 2, {32, 64}, {5, 3}, {2, 2}},
        {"28x28-32-64-64-128", 3, {32, 64, 64}, {3, 3, 3}, {1, 2, 2}},
    };
    int threads = argc > 1 && strcmp(argv[1], "2") == 0 ? 2 : 1;
    bool quick = argc > 1 && strcmp(argv[argc - 1], "quick") == 0;
    for (int i = 0; i < 2; i++) {
        measure(&networks[i], threads, quick ? 1 : 20);
    }
    return 0;
}

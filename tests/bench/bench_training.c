/* SPDX-License-Identifier: MIT */
/*
 * One whole step of training an energy, milliseconds: a multilayer perceptron (SiLU) by CD-20, 256 rows of data, 256
 * chains, Adam; beside it, in turn, the bare matrix products of the same work. Usage: bench_training threads [quick],
 * with OPENBLAS_NUM_THREADS=1.
 */
#include <math.h>
#include <string.h>

#include "mlp_floor.h"

typedef struct training {
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    float *data; /* MLP_BATCH rows */
} training;

static training make_training(int64_t dim, int64_t width, int32_t threads) {
    training t;
    int64_t widths[2] = {width, width};
    bench_require(ebm_context_create(&t.context) == EBM_OK, "context");
    bench_require(ebm_context_set_threads(t.context, threads) == EBM_OK, "threads");
    bench_require(ebm_mlp_create(t.context, dim, 2, widths, EBM_ACT_SILU, &t.model) == EBM_OK, "model");
    bench_require(ebm_model_init_params(t.model, 1) == EBM_OK, "init");
    bench_require(ebm_sampler_create(NULL, t.model, MLP_BATCH, 1, &t.sampler) == EBM_OK, "sampler");
    bench_require(ebm_sampler_set_start(t.sampler, EBM_START_DATA) == EBM_OK, "start");
    bench_require(ebm_trainer_create(NULL, t.model, t.sampler, &t.trainer) == EBM_OK, "trainer");
    bench_require(ebm_trainer_set_mcmc_steps(t.trainer, MLP_STEPS) == EBM_OK, "steps");
    bench_require(ebm_trainer_set_learning_rate(t.trainer, 1e-5) == EBM_OK, "rate");
    t.data = bench_random_floats(MLP_BATCH * dim);
    bench_require(ebm_trainer_step(t.trainer, MLP_BATCH, t.data) == EBM_OK, "step"); /* memory is there from now on */
    return t;
}

static void free_training(training *t) {
    free(t->data);
    ebm_trainer_destroy(t->trainer);
    ebm_sampler_destroy(t->sampler);
    ebm_model_destroy(t->model);
    ebm_context_destroy(t->context);
}

static void measure(int64_t dim, int64_t width, int32_t threads, int repetitions) {
    training t = make_training(dim, width, threads);
    mlp_floor f = mlp_floor_make(dim, width);
    mlp_floor_run(&f, threads);
    double least_library = INFINITY;
    double least_floor = INFINITY;
    for (int i = 0; i < repetitions; i++) {
        double start = bench_now();
        bench_require(ebm_trainer_step(t.trainer, MLP_BATCH, t.data) == EBM_OK, "step");
        double middle = bench_now();
        mlp_floor_run(&f, threads);
        bench_keep_least(&least_library, middle - start);
        bench_keep_least(&least_floor, bench_now() - middle);
    }
    char name[64];
    snprintf(name, sizeof name, "%d-%d-%d-1/%dT", (int)dim, (int)width, (int)width, (int)threads);
    bench_print("training", name, "library", 1e3 * least_library, "ms");
    bench_print("training", name, "gemm", 1e3 * least_floor, "ms");
    mlp_floor_free(&f);
    free_training(&t);
}

int main(int argc, char **argv) {
    int32_t threads = argc > 1 ? (int32_t)strtol(argv[1], NULL, 10) : 1;
    bool quick = argc > 2 && strcmp(argv[2], "quick") == 0;
    if (threads < 1 || threads > MLP_MOST_THREADS) {
        fprintf(stderr, "usage: bench_training 1|2 [quick]\n");
        return 2;
    }
    measure(784, 256, threads, quick ? 2 : 25);
    measure(2, 128, threads, quick ? 5 : 200);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * A trainer's file of 10 million floats beside a plain write and fsync of as many bytes: bench_checkpoint <folder>
 * [quick].
 */
#include "bench.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

enum { PARAMS = 2500000, QUICK_PARAMS = 25000 }; /* and as many of the average, and of two moments */

static int32_t flat_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                           void *user_data) {
    (void)x, (void)theta, (void)user_data;
    for (int64_t i = 0; i < n && energy != NULL; i++) {
        energy[i] = 0;
    }
    for (int64_t i = 0; i < n * dim && grad_x != NULL; i++) {
        grad_x[i] = 0;
    }
    return EBM_CB_OK;
}

static int32_t flat_param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta,
                               double *energy, float *grad_theta, void *user_data) {
    const int64_t *n_params = user_data;
    (void)weight;
    for (int64_t i = 0; i < *n_params && grad_theta != NULL; i++) {
        grad_theta[i] = 1e-3F * (float)(i % 1000);
    }
    return flat_energy(n, dim, x, theta, energy, NULL, user_data);
}

static void write_plainly(const char *path, const void *bytes, int64_t n) {
    const char *next = bytes;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    bench_require(fd >= 0, "open");
    while (n > 0) {
        ssize_t done = write(fd, next, (size_t)n);
        bench_require(done > 0, "write");
        next += done;
        n -= done;
    }
    bench_require(fsync(fd) == 0 && close(fd) == 0, "fsync");
}

int main(int argc, char **argv) {
    bool quick = argc > 2 && strcmp(argv[2], "quick") == 0;
    if (argc < 2) {
        fprintf(stderr, "usage: bench_checkpoint <folder> [quick]\n");
        return 2;
    }
    char ours[PATH_MAX];
    char plain[PATH_MAX];
    snprintf(ours, sizeof ours, "%s/bench_checkpoint.library", argv[1]);
    snprintf(plain, sizeof plain, "%s/bench_checkpoint.plain", argv[1]);
    int64_t n = quick ? QUICK_PARAMS : PARAMS;
    const float x[2] = {0, 0};
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    bench_require(ebm_model_create(NULL, 2, flat_energy, flat_param_grad, &n, &model) == EBM_OK, "model");
    bench_require(ebm_model_add_tensor(model, "weight", 1, &n) == EBM_OK, "tensor");
    float *values = bench_random_floats(4 * n);
    bench_require(ebm_model_set_params(model, n, values) == EBM_OK, "parameters");
    bench_require(ebm_sampler_create(NULL, model, 1, 1, &sampler) == EBM_OK, "sampler");
    bench_require(ebm_trainer_create(NULL, model, sampler, &trainer) == EBM_OK, "trainer");
    bench_require(ebm_trainer_set_average(trainer, 0.99) == EBM_OK, "average");
    bench_require(ebm_trainer_step(trainer, 1, x) == EBM_OK, "step");
    double least_save = INFINITY;
    double least_load = INFINITY;
    double least_plain = INFINITY;
    for (int i = 0; i < (quick ? 2 : 15); i++) {
        double start = bench_now();
        bench_require(ebm_trainer_save(trainer, ours) == EBM_OK, "save");
        double middle = bench_now();
        write_plainly(plain, values, 4 * n * (int64_t)sizeof *values);
        double end = bench_now();
        bench_require(ebm_trainer_load(trainer, ours) == EBM_OK, "load");
        bench_keep_least(&least_save, middle - start);
        bench_keep_least(&least_plain, end - middle);
        bench_keep_least(&least_load, bench_now() - end);
    }
    bench_print("checkpoint", "save", "library", 1e3 * least_save, "ms");
    bench_print("checkpoint", "save", "write+fsync", 1e3 * least_plain, "ms");
    bench_print("checkpoint", "load", "library", 1e3 * least_load, "ms");
    unlink(ours);
    unlink(plain);
    free(values);
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    return 0;
}

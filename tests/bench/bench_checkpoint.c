/* SPDX-License-Identifier: MIT */
/*
 * A trainer's file of 10 million floats beside a plain write, fsync and rename of as many bytes, and loading it beside a
 * plain read, in turn; medians. bench_checkpoint <folder> [quick], with the folder on the disk that is meant.
 */
#include "bench.h"

#include <fcntl.h>
#include <limits.h>
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

/* What a program does that wants the bytes to last, and no more: write, fsync, rename, fsync of the folder. */
static void write_plainly(const char *folder, const char *path, const void *bytes, int64_t n) {
    char temporary[PATH_MAX + 8];
    const char *next = bytes;
    snprintf(temporary, sizeof temporary, "%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    bench_require(fd >= 0, "open");
    while (n > 0) {
        ssize_t done = write(fd, next, (size_t)n);
        bench_require(done > 0, "write");
        next += done;
        n -= done;
    }
    bench_require(fsync(fd) == 0 && close(fd) == 0, "fsync");
    int folder_fd = open(folder, O_RDONLY | O_DIRECTORY);
    bench_require(folder_fd >= 0 && rename(temporary, path) == 0 && fsync(folder_fd) == 0 && close(folder_fd) == 0,
                  "rename");
}

/* Into memory that is new, as that of a program which has just been started. */
static void read_plainly(const char *path, int64_t n) {
    char *bytes = malloc((size_t)n);
    int fd = open(path, O_RDONLY);
    bench_require(bytes != NULL && fd >= 0, "open");
    for (int64_t at = 0; at < n;) {
        ssize_t got = read(fd, bytes + at, (size_t)(n - at));
        bench_require(got > 0, "read");
        at += got;
    }
    bench_require(close(fd) == 0, "close");
    free(bytes);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A disk's times have no least that means anything. */
static double median(int n, double *values) {
    qsort(values, (size_t)n, sizeof *values, by_size);
    return n % 2 != 0 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
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
    enum { MOST = 21, SAVE = 0, WRITE, LOAD, READ, N_KINDS };
    static const char *const names[N_KINDS][2] = {
        {"save", "library"}, {"save", "write+fsync"}, {"load", "library"}, {"load", "read"}};
    double times[N_KINDS][MOST];
    double save_ratio[MOST];
    double load_ratio[MOST];
    int n_rounds = quick ? 2 : MOST;
    const int64_t n_bytes = 4 * n * (int64_t)sizeof *values;
    for (int i = 0; i < n_rounds; i++) {
        double at[N_KINDS + 1] = {bench_now()};
        bench_require(ebm_trainer_save(trainer, ours) == EBM_OK, "save");
        at[1] = bench_now();
        write_plainly(argv[1], plain, values, n_bytes);
        at[2] = bench_now();
        bench_require(ebm_trainer_load(trainer, ours) == EBM_OK, "load");
        at[3] = bench_now();
        read_plainly(plain, n_bytes);
        at[4] = bench_now();
        for (int k = 0; k < N_KINDS; k++) {
            times[k][i] = at[k + 1] - at[k];
        }
        save_ratio[i] = times[SAVE][i] / times[WRITE][i];
        load_ratio[i] = times[LOAD][i] / times[READ][i];
    }
    for (int k = 0; k < N_KINDS; k++) {
        bench_print("checkpoint", names[k][0], names[k][1], 1e3 * median(n_rounds, times[k]), "ms");
    }
    bench_print("checkpoint", "save", "ratio", median(n_rounds, save_ratio), "1");
    bench_print("checkpoint", "load", "ratio", median(n_rounds, load_ratio), "1");
    unlink(ours);
    unlink(plain);
    free(values);
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    return 0;
}

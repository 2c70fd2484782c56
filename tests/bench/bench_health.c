/* SPDX-License-Identifier: MIT */
/*
 * What the health record costs: a whole step of training with it and without, in turn, milliseconds of one processor;
 * the ratio of the least times. A multilayer perceptron (SiLU) by CD-20, 256 rows, 256 chains that persist, with a clip
 * of dE/dx, which the record counts. Usage: bench_health [quick], with OPENBLAS_NUM_THREADS=1.
 */
#include <math.h>

#include "bench.h"

enum { ROWS = 256, STEPS = 20 };

typedef struct training {
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
} training;

static training make(int64_t dim, int64_t width) {
    training t;
    int64_t widths[2] = {width, width};
    bench_require(ebm_mlp_create(NULL, dim, 2, widths, EBM_ACT_SILU, &t.model) == EBM_OK, "model");
    bench_require(ebm_model_init_params(t.model, 1) == EBM_OK, "init");
    bench_require(ebm_sampler_create(NULL, t.model, ROWS, 1, &t.sampler) == EBM_OK, "sampler");
    bench_require(ebm_sampler_set_grad_clip(t.sampler, 1) == EBM_OK, "clip");
    bench_require(ebm_trainer_create(NULL, t.model, t.sampler, &t.trainer) == EBM_OK, "trainer");
    bench_require(ebm_trainer_set_mcmc_steps(t.trainer, STEPS) == EBM_OK, "k");
    bench_require(ebm_trainer_set_learning_rate(t.trainer, 1e-5) == EBM_OK, "rate");
    return t;
}

/* Of this thread: a difference of a hundredth drowns in the time that others take. */
static double processor_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double step(const training *t, int32_t on, const float *data) {
    bench_require(ebm_trainer_set_health_record(t->trainer, on) == EBM_OK, "record");
    double start = processor_time();
    bench_require(ebm_trainer_step(t->trainer, ROWS, data) == EBM_OK, "step");
    return processor_time() - start;
}

static void measure(int64_t dim, int64_t width, int n) {
    double with = (double)INFINITY;
    double without = (double)INFINITY;
    char name[64];
    training t = make(dim, width);
    float *data = bench_random_floats(ROWS * dim);
    step(&t, 1, data);
    for (int i = 0; i < n; i++) {
        bench_keep_least(&without, step(&t, 0, data));
        bench_keep_least(&with, step(&t, 1, data));
    }
    snprintf(name, sizeof name, "%d-%d-%d-1", (int)dim, (int)width, (int)width);
    bench_print("health", name, "with", 1e3 * with, "ms");
    bench_print("health", name, "without", 1e3 * without, "ms");
    bench_print("health", name, "ratio", with / without, "1");
    free(data);
    ebm_trainer_destroy(t.trainer);
    ebm_sampler_destroy(t.sampler);
    ebm_model_destroy(t.model);
}

int main(int argc, char **argv) {
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    measure(784, 256, quick ? 3 : 60);
    measure(2, 128, quick ? 5 : 600);
    return 0;
}

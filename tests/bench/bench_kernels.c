/* SPDX-License-Identifier: MIT */
/*
 * What each kernel does itself, outside the host's callback: nanoseconds a coordinate for each chain-step (a leapfrog
 * step, where the kernel makes several), 10,000 chains of 100 dimensions (NUTS: 1,000, as its steps are long), one
 * thread. Beside it, in turn: the floor, one pass over 10,000 states with noise. A clock in the callback tells what is
 * not the library's; what others take of the processor while it runs falls out of the difference too. Then nanoseconds
 * a step of one chain of 10 dimensions, less those that its callback takes when called alone; and gradients a leapfrog
 * step. Usage: bench_kernels [quick] [a kernel, as its lines name it]
 */
#include <math.h>
#include <string.h>

#include "bench.h"
#include "core/parallel.h"
#include "core/simd.h"

enum { CHAINS = 10000, DIM = 100, SMALL_DIM = 10, PARTS = 4 };

typedef struct spent {
    bool clocked;
    double seconds; /* in the callback */
    int64_t gradients;
} spent;

/* E = |x|^2 / 2, in PARTS sums, so that an addition need not wait for the one before it. */
static int32_t gaussian(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                        void *user_data) {
    spent *s = user_data;
    double start = s->clocked ? bench_now() : 0;
    (void)theta;
    for (int64_t r = 0; r < n; r++) {
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
        s->gradients += n;
    }
    s->seconds += s->clocked ? bench_now() - start : 0;
    return EBM_CB_OK;
}

typedef struct subject {
    const char *name;
    int32_t kernel;
    int32_t metric;
    double step_size; /* near the best for DIM dimensions */
    int64_t steps;    /* some 5 ms of them */
    int64_t chains;
} subject;

static const subject subjects[] = {
    {"langevin", EBM_KERNEL_LANGEVIN, EBM_METRIC_IDENTITY, 0.05, 3, CHAINS},
    {"langevin-diagonal", EBM_KERNEL_LANGEVIN, EBM_METRIC_DIAGONAL, 0.05, 3, CHAINS},
    {"mala", EBM_KERNEL_MALA, EBM_METRIC_IDENTITY, 0.3, 3, CHAINS},
    {"mala-diagonal", EBM_KERNEL_MALA, EBM_METRIC_DIAGONAL, 0.3, 3, CHAINS},
    {"random-walk", EBM_KERNEL_RANDOM_WALK, EBM_METRIC_IDENTITY, 0.028, 3, CHAINS},
    {"random-walk-diagonal", EBM_KERNEL_RANDOM_WALK, EBM_METRIC_DIAGONAL, 0.028, 3, CHAINS},
    {"underdamped", EBM_KERNEL_UNDERDAMPED, EBM_METRIC_IDENTITY, 0.2, 3, CHAINS},
    {"underdamped-diagonal", EBM_KERNEL_UNDERDAMPED, EBM_METRIC_DIAGONAL, 0.2, 3, CHAINS},
    {"underdamped-adjusted", EBM_KERNEL_UNDERDAMPED_ADJUSTED, EBM_METRIC_IDENTITY, 0.2, 3, CHAINS},
    {"hmc", EBM_KERNEL_HMC, EBM_METRIC_IDENTITY, 0.2, 1, CHAINS},
    {"hmc-diagonal", EBM_KERNEL_HMC, EBM_METRIC_DIAGONAL, 0.2, 1, CHAINS},
    {"nuts", EBM_KERNEL_NUTS, EBM_METRIC_IDENTITY, 0.2, 1, CHAINS / 10},
    {"nuts-diagonal", EBM_KERNEL_NUTS, EBM_METRIC_DIAGONAL, 0.2, 1, CHAINS / 10},
};

static ebm_sampler *make_sampler(const subject *s, int64_t chains, int64_t dim, spent *spent_by) {
    ebm_model *model;
    ebm_sampler *sampler;
    static float ones[DIM];
    for (int i = 0; i < DIM; i++) {
        ones[i] = 1.0F;
    }
    bench_require(ebm_model_create(NULL, dim, gaussian, NULL, spent_by, &model) == EBM_OK, "model");
    bench_require(ebm_model_set_concurrent(model, 1) == EBM_OK, "concurrent");
    bench_require(ebm_sampler_create(NULL, model, chains, 1, &sampler) == EBM_OK, "sampler");
    ebm_model_destroy(model);
    bench_require(ebm_sampler_set_kernel(sampler, s->kernel) == EBM_OK, "kernel");
    bench_require(ebm_sampler_set_step_size(sampler, s->step_size) == EBM_OK, "step size");
    if (s->metric != EBM_METRIC_IDENTITY) {
        bench_require(ebm_sampler_set_metric(sampler, s->metric, dim, ones) == EBM_OK, "metric");
    }
    bench_require(ebm_sampler_run(sampler, 3) == EBM_OK, "run"); /* memory is there from now on */
    return sampler;
}

/* The floor, in pieces of the library's size. */
static void run_passes(int64_t steps, float *x) {
    const ebm__langevin pass = {.eta = 0.01F, .sigma = 0.1F, .clip = INFINITY, .lo = -INFINITY, .hi = INFINITY};
    int64_t rows = ebm__rows_per_chunk(DIM, CHAINS);
    double unused = 0;
    for (int64_t step = 0; step < steps; step++) {
        ebm__sequence noise = {.seed = 1, .step = (uint64_t)step, .stream = EBM__STREAM_NOISE};
        for (int64_t first = 0; first < CHAINS; first += rows) {
            int64_t n = CHAINS - first < rows ? CHAINS - first : rows;
            float *piece = x + first * DIM;
            ebm__simd_used()->langevin(&pass, &noise, first * DIM, n * DIM, piece, NULL, piece, &unused);
        }
    }
}

/* Leapfrog steps of a chain in a step; 1 for kernels that make none. */
static double leaps_of(const ebm_sampler *sampler) {
    double leaps;
    bench_require(ebm_sampler_get_mean_leapfrog_steps(sampler, &leaps) == EBM_OK, "leapfrog steps");
    return leaps > 0 ? leaps : 1;
}

static void measure_many(const subject *s, int repetitions) {
    spent by_callback = {.clocked = true};
    ebm_sampler *sampler = make_sampler(s, s->chains, DIM, &by_callback);
    float *moving = bench_random_floats((int64_t)CHAINS * DIM);
    double own = INFINITY;
    double floor = INFINITY;
    double coordinates = (double)CHAINS * DIM;
    int64_t gradients = 0;
    double leaps = 0;
    for (int i = 0; i < repetitions; i++) {
        by_callback = (spent){.clocked = true};
        double start = bench_now();
        bench_require(ebm_sampler_run(sampler, s->steps) == EBM_OK, "run");
        double seconds = bench_now() - start - by_callback.seconds;
        leaps = (double)s->steps * leaps_of(sampler);
        bench_keep_least(&own, seconds / (leaps * (double)(s->chains * DIM)));
        gradients = by_callback.gradients - s->chains; /* but for the first, of where the chains stand */
        run_passes(1, moving); /* now in the caches, as far as they go */
        start = bench_now();
        run_passes(4, moving);
        bench_keep_least(&floor, (bench_now() - start) / (4 * coordinates));
    }
    double acceptance;
    bench_require(ebm_sampler_get_acceptance(sampler, &acceptance) == EBM_OK, "acceptance");
    bench_print("kernels", s->name, "own", 1e9 * own, "ns");
    bench_print("kernels", s->name, "noise-pass", 1e9 * floor, "ns");
    bench_print("kernels", s->name, "ratio", own / floor, "x");
    bench_print("kernels", s->name, "acceptance", acceptance, "x");
    if (s->kernel == EBM_KERNEL_HMC || s->kernel == EBM_KERNEL_UNDERDAMPED_ADJUSTED || s->kernel == EBM_KERNEL_NUTS) {
        bench_print("kernels", s->name, "gradients", (double)gradients / (leaps * (double)s->chains), "x");
    }
    free(moving);
    ebm_sampler_destroy(sampler);
}

static void measure_one(const subject *s, int repetitions) {
    enum { STEPS = 3000 };
    spent unclocked = {.clocked = false};
    ebm_sampler *sampler = make_sampler(s, 1, SMALL_DIM, &unclocked);
    ebm_energy_fn volatile callback = gaussian; /* as the library has it: not to be seen through */
    float *x = bench_random_floats(SMALL_DIM);
    float grad[SMALL_DIM];
    double energy;
    double run = INFINITY;
    double call = INFINITY;
    for (int i = 0; i < repetitions; i++) {
        double start = bench_now();
        bench_require(ebm_sampler_run(sampler, STEPS) == EBM_OK, "run");
        bench_keep_least(&run, (bench_now() - start) / (STEPS * leaps_of(sampler)));
        start = bench_now();
        for (int64_t step = 0; step < STEPS; step++) {
            callback(1, SMALL_DIM, x, NULL, &energy, s->kernel == EBM_KERNEL_RANDOM_WALK ? NULL : grad, &unclocked);
        }
        bench_keep_least(&call, (bench_now() - start) / STEPS);
    }
    bench_print("kernels", s->name, "one-chain", 1e9 * (run - call), "ns");
    free(x);
    ebm_sampler_destroy(sampler);
}

int main(int argc, char **argv) {
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    const char *only = argc > 1 + quick ? argv[1 + quick] : NULL;
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        if (only == NULL || strcmp(only, subjects[i].name) == 0) {
            measure_many(&subjects[i], quick ? 2 : 60);
            measure_one(&subjects[i], quick ? 2 : 60);
        }
    }
    return 0;
}

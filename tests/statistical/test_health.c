/* SPDX-License-Identifier: MIT */
/*
 * The verdicts on trainings: on each that is broken in a way that is known, its own, within a stated number of steps;
 * on healthy ones none, at no time. Every run is repeated with several seeds. `test_health <runs>` does as many of each
 * as it is told, and shows what was said.
 */
#include "stat_basics.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { MOST_DIM = 64 };

typedef struct run {
    const char *name;
    const char *data; /* "eight": Gaussians on a circle; "moons"; "gaussian"; "digits" */
    int32_t verdict;  /* what it must be called, */
    int64_t within;   /* by this step; of healthy ones, all steps */
    int32_t kernel;
    double eta, sigma, temperature, clip;
    int64_t k;
    int32_t start;
    double noise;     /* standard deviation of the noise that chains start from */
    double rate, beta1;
    int32_t host;     /* the energy below, instead of a network */
} run;

#define AUTO EBM_NOISE_STD_AUTO
#define LANGEVIN EBM_KERNEL_LANGEVIN
#define CHAINS EBM_START_PERSISTENT
#define NO_CLIP ((double)INFINITY)

static const run RUNS[] = {
    {"no noise", "eight", EBM_VERDICT_TOO_COLD, 256, LANGEVIN, .002, 0, 1, NO_CLIP, 40, CHAINS, 1, 1e-3, .9, 0},
    {"noise for T = 5e-5", "eight", EBM_VERDICT_TOO_COLD, 320, LANGEVIN, .01, .001, 1, NO_CLIP, 20, CHAINS, .5, 1e-3,
     .9, 0},
    {"noise for T = 100", "eight", EBM_VERDICT_TOO_HOT, 128, LANGEVIN, .002, AUTO, 100, NO_CLIP, 20, CHAINS, 1, 1e-4,
     .9, 0},
    {"noise for T = 10", "eight", EBM_VERDICT_TOO_HOT, 160, LANGEVIN, .002, AUTO, 10, NO_CLIP, 20, CHAINS, 1, 1e-4,
     .9, 0},
    {"steps too small", "eight", EBM_VERDICT_STUCK, 96, LANGEVIN, 1e-7, AUTO, 1, NO_CLIP, 20, CHAINS, 1, 1e-3, .9, 0},
    {"clip too small", "eight", EBM_VERDICT_STUCK, 96, LANGEVIN, .01, 1e-4, 1, 1e-4, 20, CHAINS, 1, 1e-3, .9, 0},
    {"all rejected", "gaussian", EBM_VERDICT_STUCK, 96, EBM_KERNEL_MALA, 400, AUTO, 1, NO_CLIP, 20, CHAINS, 1, 1e-4, .9,
     1},
    {"starts too narrow", "eight", EBM_VERDICT_COLLAPSED, 96, LANGEVIN, .0005, AUTO, 1, NO_CLIP, 5, EBM_START_NOISE,
     .01, 1e-3, .9, 0},
    {"epsilon too small", "gaussian", EBM_VERDICT_DRIFTING, 800, LANGEVIN, .05, AUTO, 1, NO_CLIP, 20, CHAINS, 1, .05,
     0, 1},
    {"steps too large for the slopes", "eight", EBM_VERDICT_DIVERGING, 700, LANGEVIN, .01, AUTO, 1, NO_CLIP, 20,
     CHAINS, 1, 2e-3, .9, 0},
    {"persistent chains", "eight", EBM_VERDICT_HEALTHY, 640, LANGEVIN, .002, AUTO, 1, NO_CLIP, 20, CHAINS, 1, 1e-3, 0,
     0},
    {"contrastive divergence", "moons", EBM_VERDICT_HEALTHY, 512, LANGEVIN, .002, AUTO, 1, NO_CLIP, 20, EBM_START_DATA,
     1, 1e-3, 0, 0},
    {"chains from noise", "moons", EBM_VERDICT_HEALTHY, 400, LANGEVIN, .004, AUTO, 1, NO_CLIP, 40, EBM_START_NOISE, 1,
     1e-3, 0, 0},
    {"MALA", "moons", EBM_VERDICT_HEALTHY, 512, EBM_KERNEL_MALA, .01, AUTO, 1, NO_CLIP, 10, CHAINS, 1, 1e-3, 0, 0},
    {"Gaussian", "gaussian", EBM_VERDICT_HEALTHY, 640, LANGEVIN, .05, AUTO, 1, NO_CLIP, 20, CHAINS, 1, .02, .9, 1},
    {"HMC on a Gaussian", "gaussian", EBM_VERDICT_HEALTHY, 640, EBM_KERNEL_HMC, .3, AUTO, 1, NO_CLIP, 3, CHAINS, 1, .02,
     .9, 1},
    {"digits", "digits", EBM_VERDICT_HEALTHY, 256, LANGEVIN, .1, .05, 1, 1, 25, CHAINS, 1, 4e-3, 0, 0},
};

enum { N_RUNS = sizeof RUNS / sizeof *RUNS };

/* ---- data ---- */

static void draw(const char *set, stat_random *random, float *x) {
    if (strcmp(set, "eight") == 0) {
        int of_circle = (int)(8 * stat_next_uniform(random));
        x[0] = (float)(cos(STAT_PI / 4 * of_circle) + 0.1 * stat_next_normal(random));
        x[1] = (float)(sin(STAT_PI / 4 * of_circle) + 0.1 * stat_next_normal(random));
    } else if (strcmp(set, "moons") == 0) {
        double half = stat_next_uniform(random) < 0.5 ? -1 : 1;
        double angle = STAT_PI * stat_next_uniform(random);
        x[0] = (float)(half * (cos(angle) - 0.5) + 0.1 * stat_next_normal(random));
        x[1] = (float)(half * (sin(angle) - 0.25) + 0.1 * stat_next_normal(random));
    } else {
        x[0] = (float)(1 + stat_next_normal(random));
        x[1] = (float)(1 + 0.7 * stat_next_normal(random));
    }
}

/* The images of examples/digits.c, -1 to 1. */
static void read_digits(int64_t n, float *x) {
    STAT_OK(ebm_read_idx(EBM_TEST_DATA "/../../../examples/data/digits-images-idx3-ubyte", 0, n, MOST_DIM, x));
    for (int64_t i = 0; i < n * MOST_DIM; i++) {
        x[i] = x[i] / 8 - 1;
    }
}

/* ---- energies ---- */

/* a (x - m)^2 / 2 in both coordinates, + c, which no data can determine. */
static int32_t host_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad,
                           void *data) {
    (void)data;
    for (int64_t r = 0; r < n; r++) {
        double sum = (double)theta[4];
        for (int64_t i = 0; i < dim; i++) {
            double d = (double)x[r * dim + i] - (double)theta[2 + i];
            sum += (double)theta[i] * d * d / 2;
            if (grad != NULL) {
                grad[r * dim + i] = (float)((double)theta[i] * d);
            }
        }
        if (energy != NULL) {
            energy[r] = sum;
        }
    }
    return EBM_CB_OK;
}

static int32_t host_param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta,
                               double *energy, float *grad, void *data) {
    double sum[5] = {0};
    for (int64_t r = 0; r < n; r++) {
        for (int64_t i = 0; i < dim; i++) {
            double d = (double)x[r * dim + i] - (double)theta[2 + i];
            sum[i] += (double)weight[r] * d * d / 2;
            sum[2 + i] -= (double)weight[r] * (double)theta[i] * d;
        }
        sum[4] += (double)weight[r];
    }
    for (int p = 0; grad != NULL && p < 5; p++) {
        grad[p] = (float)sum[p];
    }
    return host_energy(n, dim, x, theta, energy, NULL, data);
}

static ebm_model *create_model(const run *r, int64_t dim, uint64_t seed) {
    static const int64_t small[] = {64, 64};
    static const int64_t large[] = {512, 256};
    static const float theta[] = {0.6F, 0.6F, 0, 0, 0};
    const int64_t five = 5;
    ebm_model *model;
    if (r->host) {
        STAT_OK(ebm_model_create(NULL, dim, host_energy, host_param_grad, NULL, &model));
        STAT_OK(ebm_model_add_tensor(model, "theta", 1, &five));
        STAT_OK(ebm_model_set_params(model, 5, theta));
    } else {
        STAT_OK(ebm_mlp_create(NULL, dim, 2, dim == 2 ? small : large, EBM_ACT_SILU, &model));
        STAT_OK(ebm_model_init_params(model, seed));
    }
    return model;
}

/* ---- runs ---- */

static void set_up(const run *r, ebm_sampler *sampler, ebm_trainer *trainer) {
    bool digits = strcmp(r->data, "digits") == 0;
    STAT_OK(ebm_sampler_set_kernel(sampler, r->kernel));
    STAT_OK(ebm_sampler_set_step_size(sampler, r->eta));
    STAT_OK(ebm_sampler_set_noise_std(sampler, r->sigma));
    STAT_OK(ebm_sampler_set_temperature(sampler, r->temperature));
    STAT_OK(ebm_sampler_set_grad_clip(sampler, r->clip));
    STAT_OK(ebm_sampler_set_start(sampler, r->start));
    STAT_OK(ebm_sampler_set_noise_start(sampler, EBM_NOISE_NORMAL, 0, r->noise));
    STAT_OK(ebm_sampler_set_leapfrog_steps(sampler, 4));
    STAT_OK(ebm_trainer_set_mcmc_steps(trainer, r->k));
    STAT_OK(ebm_trainer_set_learning_rate(trainer, r->rate));
    STAT_OK(ebm_trainer_set_betas(trainer, r->beta1, 0.999));
    if (r->verdict == EBM_VERDICT_DRIFTING) { /* the gradient in c is the rounding of the weights: 1e-8 */
        STAT_OK(ebm_trainer_set_epsilon(trainer, 1e-30));
    }
    if (digits) { /* as in examples/digits.c */
        STAT_OK(ebm_sampler_set_bounds(sampler, -1, 1, EBM_BOUNDS_CLAMP));
        STAT_OK(ebm_sampler_set_noise_start(sampler, EBM_NOISE_UNIFORM, -1, 1));
        STAT_OK(ebm_sampler_set_buffer(sampler, 2048, 0.05));
        STAT_OK(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_LEARNING_RATE, EBM_SCHEDULE_LINEAR, 0, 1001, 0));
        STAT_OK(ebm_trainer_set_energy_penalty(trainer, 0.01));
        STAT_OK(ebm_trainer_set_data_noise(trainer, 0.05));
    }
}

/* Said of a training at some step: is it what it must be? */
static void look(const run *r, uint64_t seed, int64_t step, const ebm_trainer *trainer, bool *found) {
    char text[512];
    int32_t verdict;
    STAT_OK(ebm_trainer_get_verdict(trainer, &verdict));
    *found = *found || verdict == r->verdict;
    bool early = verdict == EBM_VERDICT_UNKNOWN || verdict == EBM_VERDICT_HEALTHY;
    if (!*found && !early) {
        STAT_OK(ebm_trainer_describe_health(trainer, sizeof text, text));
        fail_msg("%s, seed %d, step %d: %s", r->name, (int)seed, (int)step, text);
    }
    if (r->verdict == EBM_VERDICT_HEALTHY && !early) {
        STAT_OK(ebm_trainer_describe_health(trainer, sizeof text, text));
        fail_msg("%s, seed %d, step %d: %s", r->name, (int)seed, (int)step, text);
    }
}

/* The step at which the verdict came. */
static int64_t try_run(const run *r, uint64_t seed) {
    enum { N_DIGITS = 1400, BATCH = 100 };
    static float digits[N_DIGITS * MOST_DIM];
    static float batch[BATCH * MOST_DIM];
    bool of_digits = strcmp(r->data, "digits") == 0;
    int64_t dim = of_digits ? MOST_DIM : 2;
    stat_random random = {seed * 1000 + 7};
    ebm_model *model = create_model(r, dim, seed);
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    bool found = false;
    int64_t at = 0;
    STAT_OK(ebm_sampler_create(NULL, model, 120, seed, &sampler));
    STAT_OK(ebm_trainer_create(NULL, model, sampler, &trainer));
    set_up(r, sampler, trainer);
    if (of_digits) {
        read_digits(N_DIGITS, digits);
    }
    for (int64_t step = 1; step <= r->within && !(found && r->verdict != EBM_VERDICT_HEALTHY); step++) {
        for (int64_t row = 0; row < BATCH; row++) {
            int64_t i = (int64_t)(N_DIGITS * stat_next_uniform(&random));
            if (of_digits) {
                memcpy(batch + row * dim, digits + i * dim, (size_t)dim * sizeof *batch);
            } else {
                draw(r->data, &random, batch + row * dim);
            }
        }
        STAT_OK(ebm_trainer_step(trainer, BATCH, batch));
        look(r, seed, step, trainer, &found);
        at = found && at == 0 ? step : at;
    }
    if (!found) {
        char text[512];
        STAT_OK(ebm_trainer_describe_health(trainer, sizeof text, text));
        fail_msg("%s, seed %d: not found by step %d: %s", r->name, (int)seed, (int)r->within, text);
    }
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    return at;
}

static int n_seeds = 2;
static int verbose = 0;

static void test_runs(void **state) {
    const run *r = *state;
    int seeds = strcmp(r->data, "digits") == 0 && !verbose ? 1 : n_seeds;
    for (int seed = 1; seed <= seeds; seed++) {
        int64_t at = try_run(r, (uint64_t)seed);
        if (verbose) {
            print_message("%s, seed %d: %s, from step %d\n", r->name, seed, ebm_verdict_string(r->verdict), (int)at);
        }
    }
}

int main(int argc, char **argv) {
    struct CMUnitTest tests[N_RUNS];
    if (argc == 2) {
        n_seeds = atoi(argv[1]);
        verbose = 1;
    }
    for (int i = 0; i < N_RUNS; i++) {
        tests[i] = (struct CMUnitTest){RUNS[i].name, test_runs, NULL, NULL, (void *)&RUNS[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

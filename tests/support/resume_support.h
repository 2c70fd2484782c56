/* SPDX-License-Identifier: MIT */
/* Trainers of every kind, as rows of a table, for the tests of their files. */
#ifndef EBM_TEST_RESUME_SUPPORT_H
#define EBM_TEST_RESUME_SUPPORT_H

#include <math.h>

#include "io_support.h"

enum { RESUME_DIM = 3, RESUME_CHAINS = 6, RESUME_ROWS = 20, RESUME_BATCH = 6 };

typedef struct resume_case {
    const char *name;
    int32_t optimizer, kernel, start;
    int64_t capacity;
    double restarts;
    int32_t rungs, metric;
    int masked, bounded, averaged, fits;
    int slow; /* theta hardly moves: what chains know of their energies outlasts a step */
    int32_t objective; /* 0: the likelihood */
    int noise;         /* one of RESUME_NOISE_... */
    int bare;          /* no sampler */
} resume_case;

/* Noise to tell data from: a fitted Gaussian, or the host's, which draws from two numbers a row more than it needs. */
enum {
    RESUME_NOISE_NONE,
    RESUME_NOISE_DIAGONAL,
    RESUME_NOISE_FULL,
    RESUME_NOISE_HOST,
    RESUME_HOST_NORMALS = RESUME_DIM + 2
};

#define LIKELIHOOD 0, 0, 0
#define WITHOUT_CHAINS(name, optimizer, objective, noise, averaged, fits, bare)                                 \
    {name, optimizer, EBM_KERNEL_LANGEVIN, EBM_START_PERSISTENT, 0, 0, 1, 0, 0, 0, averaged, fits, 0, objective, \
     noise, bare}

static const resume_case RESUME_CASES[] = {
    {"SGD, Langevin, noise", EBM_OPT_SGD, EBM_KERNEL_LANGEVIN, EBM_START_NOISE, 0, 0, 1, 0, 0, 0, 0, 0, 0, LIKELIHOOD},
    {"Adam, Langevin, data", EBM_OPT_ADAM, EBM_KERNEL_LANGEVIN, EBM_START_DATA, 0, 0, 1, 0, 0, 0, 1, 0, 0, LIKELIHOOD},
    {"AdamW, Langevin, buffer", EBM_OPT_ADAMW, EBM_KERNEL_LANGEVIN,
     EBM_START_PERSISTENT, 17, 0.1, 1, 0, 0, 1, 1, 1, 0, LIKELIHOOD},
    {"Adam, MALA, persistent, held", EBM_OPT_ADAM, EBM_KERNEL_MALA,
     EBM_START_PERSISTENT, 0, 0, 1, 0, 1, 0, 0, 1, 0, LIKELIHOOD},
    {"SGD, MALA, buffer, mirrored", EBM_OPT_SGD, EBM_KERNEL_MALA,
     EBM_START_PERSISTENT, 9, 0, 1, 1, 0, 1, 0, 0, 0, LIKELIHOOD},
    {"AdamW, HMC, persistent, dense", EBM_OPT_ADAMW, EBM_KERNEL_HMC,
     EBM_START_PERSISTENT, 0, 0, 1, 2, 0, 0, 1, 1, 0, LIKELIHOOD},
    {"Adam, HMC, restarts, ladder", EBM_OPT_ADAM, EBM_KERNEL_HMC,
     EBM_START_PERSISTENT, 0, 0.2, 3, 0, 0, 0, 0, 0, 0, LIKELIHOOD},
    {"Adam, underdamped, persistent", EBM_OPT_ADAM, EBM_KERNEL_UNDERDAMPED,
     EBM_START_PERSISTENT, 0, 0, 1, 0, 0, 0, 1, 1, 0, LIKELIHOOD},
    {"SGD, underdamped, ladder, held", EBM_OPT_SGD, EBM_KERNEL_UNDERDAMPED,
     EBM_START_PERSISTENT, 0, 0, 3, 0, 1, 1, 1, 0, 0, LIKELIHOOD},
    {"Adam, underdamped, ladder, buffer", EBM_OPT_ADAM, EBM_KERNEL_UNDERDAMPED,
     EBM_START_PERSISTENT, 11, 0.1, 2, 1, 0, 0, 0, 1, 0, LIKELIHOOD},
    {"AdamW, adjusted underdamped, ladder", EBM_OPT_ADAMW, EBM_KERNEL_UNDERDAMPED_ADJUSTED,
     EBM_START_PERSISTENT, 0, 0, 3, 0, 0, 0, 0, 0, 0, LIKELIHOOD},
    {"Adam, Langevin, ladder, noise", EBM_OPT_ADAM, EBM_KERNEL_LANGEVIN,
     EBM_START_NOISE, 0, 0, 4, 0, 0, 0, 1, 0, 0, LIKELIHOOD},
    {"Adam, NUTS, persistent", EBM_OPT_ADAM, EBM_KERNEL_NUTS,
     EBM_START_PERSISTENT, 0, 0, 1, 0, 0, 0, 0, 1, 0, LIKELIHOOD},
    {"Adam, NUTS, persistent, slow", EBM_OPT_ADAM, EBM_KERNEL_NUTS,
     EBM_START_PERSISTENT, 0, 0, 1, 0, 0, 0, 0, 0, 1, LIKELIHOOD},
    {"SGD, MALA, ladder, slow", EBM_OPT_SGD, EBM_KERNEL_MALA,
     EBM_START_PERSISTENT, 0, 0, 3, 0, 0, 0, 0, 1, 1, LIKELIHOOD},
    {"SGD, random walk, data", EBM_OPT_SGD, EBM_KERNEL_RANDOM_WALK,
     EBM_START_DATA, 0, 0, 2, 0, 0, 1, 1, 1, 0, LIKELIHOOD},
    WITHOUT_CHAINS("SGD, denoising", EBM_OPT_SGD, EBM_OBJECTIVE_DENOISING_SCORE_MATCHING, 0, 1, 1, 1),
    WITHOUT_CHAINS("Adam, denoising", EBM_OPT_ADAM, EBM_OBJECTIVE_DENOISING_SCORE_MATCHING, 0, 0, 0, 0),
    WITHOUT_CHAINS("AdamW, denoising", EBM_OPT_ADAMW, EBM_OBJECTIVE_DENOISING_SCORE_MATCHING, 0, 0, 1, 1),
    WITHOUT_CHAINS("SGD, sliced", EBM_OPT_SGD, EBM_OBJECTIVE_SLICED_SCORE_MATCHING, 0, 0, 0, 0),
    WITHOUT_CHAINS("Adam, sliced", EBM_OPT_ADAM, EBM_OBJECTIVE_SLICED_SCORE_MATCHING, 0, 1, 1, 1),
    WITHOUT_CHAINS("AdamW, sliced", EBM_OPT_ADAMW, EBM_OBJECTIVE_SLICED_SCORE_MATCHING, 0, 0, 1, 0),
    WITHOUT_CHAINS("SGD, diagonal noise", EBM_OPT_SGD, EBM_OBJECTIVE_NOISE_CONTRASTIVE, RESUME_NOISE_DIAGONAL, 0, 1, 1),
    WITHOUT_CHAINS("Adam, full noise", EBM_OPT_ADAM, EBM_OBJECTIVE_NOISE_CONTRASTIVE, RESUME_NOISE_FULL, 1, 0, 1),
    WITHOUT_CHAINS("AdamW, host's noise", EBM_OPT_ADAMW, EBM_OBJECTIVE_NOISE_CONTRASTIVE, RESUME_NOISE_HOST, 0, 1, 0),
    WITHOUT_CHAINS("AdamW, full noise", EBM_OPT_ADAMW, EBM_OBJECTIVE_NOISE_CONTRASTIVE, RESUME_NOISE_FULL, 0, 1, 0),
};

enum { N_RESUME_CASES = sizeof RESUME_CASES / sizeof *RESUME_CASES };

typedef struct resumed {
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
} resumed;

/* As a program makes it that is going to load: nothing is set. */
static inline resumed resume_create_plain(ebm_context *context, int64_t n_chains, uint64_t seed) {
    static const int64_t widths[] = {7};
    resumed r;
    assert_ok(ebm_mlp_create(context, RESUME_DIM, 1, widths, EBM_ACT_SILU, &r.model));
    assert_ok(ebm_model_init_params(r.model, seed));
    r.sampler = NULL;
    if (n_chains > 0) {
        assert_ok(ebm_sampler_create(context, r.model, n_chains, seed, &r.sampler));
    }
    assert_ok(ebm_trainer_create(context, r.model, r.sampler, &r.trainer));
    return r;
}

/* Rows 2 z + 1, from the first numbers of each row. */
static inline int32_t resume_noise_sample(int64_t n, int64_t dim, const float *normals, float *y, void *unused) {
    (void)unused;
    for (int64_t i = 0; i < n * dim; i++) {
        y[i] = 2 * normals[i / dim * RESUME_HOST_NORMALS + i % dim] + 1;
    }
    return EBM_CB_OK;
}

static inline int32_t resume_noise_density(int64_t n, int64_t dim, const float *x, double *log_density, void *unused) {
    (void)unused;
    for (int64_t i = 0; i < n; i++) {
        log_density[i] = -(double)dim * log(2 * sqrt(2 * M_PI));
        for (int64_t j = 0; j < dim; j++) {
            double z = ((double)x[i * dim + j] - 1) / 2;
            log_density[i] -= z * z / 2;
        }
    }
    return EBM_CB_OK;
}

/* Its host's functions, which are in no file. */
static inline void resume_set_host(ebm_trainer *trainer, const resume_case *c) {
    if (c->noise == RESUME_NOISE_HOST) {
        assert_ok(ebm_trainer_set_noise(trainer, resume_noise_sample, resume_noise_density, RESUME_HOST_NORMALS, NULL));
    }
}

/* One that this case's file can be loaded into. */
static inline resumed resume_create_empty(ebm_context *context, const resume_case *c, uint64_t seed) {
    resumed r = resume_create_plain(context, c->bare ? 0 : RESUME_CHAINS, seed);
    resume_set_host(r.trainer, c);
    return r;
}

static inline void resume_destroy(resumed *r) {
    ebm_trainer_destroy(r->trainer);
    ebm_sampler_destroy(r->sampler);
    ebm_model_destroy(r->model);
}

static inline void resume_set_sampler(ebm_sampler *sampler, const resume_case *c) {
    static const double rungs[] = {1, 1.7, 3, 5.5};
    static const double factors[] = {1, 1.2, 0.8, 1.1};
    static const uint8_t mask[RESUME_DIM] = {1, 0, 1};
    static const float diagonal[RESUME_DIM] = {0.5F, 1, 2};
    static const float dense[RESUME_DIM * RESUME_DIM] = {1, 0.3F, 0, 0.3F, 2, 0.1F, 0, 0.1F, 0.5F};
    assert_ok(ebm_sampler_set_kernel(sampler, c->kernel));
    assert_ok(ebm_sampler_set_step_size(sampler, 0.04));
    assert_ok(ebm_sampler_set_temperature(sampler, 0.7));
    assert_ok(ebm_sampler_set_start(sampler, c->start));
    assert_ok(ebm_sampler_set_noise_start(sampler, EBM_NOISE_UNIFORM, -1.5, 1.25));
    assert_ok(ebm_sampler_set_buffer(sampler, c->capacity, c->restarts));
    assert_ok(ebm_sampler_set_leapfrog_steps(sampler, 3));
    assert_ok(ebm_sampler_set_jitter(sampler, 0.2));
    assert_ok(ebm_sampler_set_friction(sampler, 0.6));
    assert_ok(ebm_sampler_set_max_depth(sampler, 3));
    assert_ok(ebm_sampler_set_grad_clip(sampler, 2.5));
    assert_ok(ebm_sampler_set_swap_every(sampler, 2));
    assert_ok(ebm_sampler_set_noise_order(sampler, c->averaged ? EBM_NOISE_BEFORE_GRADIENT : EBM_NOISE_WITH_GRADIENT));
    assert_ok(ebm_sampler_set_metric_adaptation(sampler, 0));
    if (c->metric == EBM_METRIC_DIAGONAL) {
        assert_ok(ebm_sampler_set_metric(sampler, c->metric, RESUME_DIM, diagonal));
    } else if (c->metric == EBM_METRIC_DENSE) {
        assert_ok(ebm_sampler_set_metric(sampler, c->metric, RESUME_DIM * RESUME_DIM, dense));
    }
    if (c->masked) {
        assert_ok(ebm_sampler_set_mask(sampler, mask));
    }
    if (c->bounded) {
        assert_ok(ebm_sampler_set_bounds(sampler, -2, 2.1, c->masked ? EBM_BOUNDS_CLAMP : EBM_BOUNDS_REFLECT));
    }
    if (c->rungs > 1) {
        assert_ok(ebm_sampler_set_ladder(sampler, c->rungs, rungs));
        assert_ok(ebm_sampler_set_rung_step_sizes(sampler, c->rungs, factors));
    }
}

static inline void resume_set_objective(ebm_trainer *trainer, const resume_case *c) {
    static const double levels[] = {0.1, 0.2, 0.5};
    float data[RESUME_ROWS * RESUME_DIM];
    if (c->objective == 0) {
        return;
    }
    test_fill(RESUME_ROWS * RESUME_DIM, data);
    assert_ok(ebm_trainer_set_objective(trainer, c->objective));
    assert_ok(ebm_trainer_set_noise_levels(trainer, 3, levels));
    assert_ok(ebm_trainer_set_difference_step(trainer, 0.01));
    assert_ok(ebm_trainer_set_noise_ratio(trainer, 2));
    if (c->noise == RESUME_NOISE_DIAGONAL || c->noise == RESUME_NOISE_FULL) {
        int32_t covariance = c->noise == RESUME_NOISE_FULL ? EBM_COVARIANCE_FULL : EBM_COVARIANCE_DIAGONAL;
        assert_ok(ebm_trainer_fit_noise(trainer, RESUME_ROWS, data, covariance, 0.1));
    }
    resume_set_host(trainer, c);
}

static inline void resume_set_trainer(ebm_trainer *trainer, const resume_case *c) {
    assert_ok(ebm_trainer_set_optimizer(trainer, c->optimizer));
    assert_ok(ebm_trainer_set_learning_rate(trainer, c->slow ? 1e-7 : 0.01));
    const int32_t kind = c->fits ? EBM_SCHEDULE_COSINE : EBM_SCHEDULE_EXPONENTIAL;
    assert_ok(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_LEARNING_RATE, kind, 20, 300, 0.1));
    assert_ok(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_STEP_SIZE, EBM_SCHEDULE_STEP, c->fits, 30, 0.9));
    assert_ok(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_NOISE_STD, EBM_SCHEDULE_LINEAR, 0, 150, 0.7));
    assert_ok(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_MCMC_STEPS, kind, 130, 50, 2));
    assert_ok(ebm_trainer_set_momentum(trainer, 0.8));
    assert_ok(ebm_trainer_set_betas(trainer, 0.7, 0.98));
    assert_ok(ebm_trainer_set_epsilon(trainer, 1e-6));
    assert_ok(ebm_trainer_set_weight_decay(trainer, 0.01));
    assert_ok(ebm_trainer_set_grad_clip(trainer, 0.5));
    assert_ok(ebm_trainer_set_mcmc_steps(trainer, 3));
    assert_ok(ebm_trainer_set_batch_size(trainer, RESUME_BATCH));
    assert_ok(ebm_trainer_set_energy_penalty(trainer, 0.02));
    assert_ok(ebm_trainer_set_data_noise(trainer, 0.05));
    assert_ok(ebm_trainer_set_gap_limit(trainer, 1e6));
    assert_ok(ebm_trainer_set_average(trainer, c->averaged ? 0.9 : 0));
    assert_ok(ebm_trainer_set_seed(trainer, 9));
    resume_set_objective(trainer, c);
}

static inline resumed resume_create(ebm_context *context, const resume_case *c) {
    resumed r = resume_create_empty(context, c, 42);
    if (!c->bare) {
        resume_set_sampler(r.sampler, c);
    }
    resume_set_trainer(r.trainer, c);
    return r;
}

/* Where training stops, and where it saves on its way, unless `path` is NULL. */
typedef struct resume_stop {
    int64_t at;
    int64_t save_at;
    const char *path;
} resume_stop;

static inline int32_t resume_on_progress(const ebm_trainer *trainer, void *data) {
    const resume_stop *stop = data;
    int64_t steps;
    assert_ok(ebm_trainer_get_steps(trainer, &steps));
    if (stop->path != NULL && steps == stop->save_at) {
        assert_ok(ebm_trainer_save(trainer, stop->path));
    }
    return steps == stop->at ? EBM_CB_STOP : EBM_CB_OK;
}

/* Trains up to a number of steps: with fit, which stops within an epoch, or step by step. */
static inline void resume_train(resumed *r, const resume_case *c, resume_stop stop) {
    float data[RESUME_ROWS * RESUME_DIM];
    test_fill(RESUME_ROWS * RESUME_DIM, data);
    assert_ok(ebm_trainer_set_progress(r->trainer, resume_on_progress, &stop, 1));
    ebm_status status = EBM_OK;
    int64_t steps;
    assert_ok(ebm_trainer_get_steps(r->trainer, &steps));
    if (c->fits) {
        status = ebm_trainer_fit(r->trainer, RESUME_ROWS, data, 1000);
    }
    for (; !c->fits && status == EBM_OK; steps++) {
        const float *batch = data + steps % (RESUME_ROWS - RESUME_BATCH) * RESUME_DIM;
        status = ebm_trainer_step(r->trainer, RESUME_BATCH, batch);
    }
    assert_status(status, EBM_ERR_STOPPED);
    assert_ok(ebm_trainer_get_steps(r->trainer, &steps));
    assert_int_equal(steps, stop.at);
    assert_ok(ebm_trainer_set_progress(r->trainer, NULL, NULL, 1));
}

/* Two files have the same bytes. */
static inline void resume_assert_same_files(const char *what, const char *a, const char *b) {
    static uint8_t left[IO_MOST_BYTES];
    static uint8_t right[IO_MOST_BYTES];
    int64_t n = io_read(a, left);
    assert_true(n > 0);
    if (io_read(b, right) != n || memcmp(left, right, (size_t)n) != 0) {
        fail_msg("%s: '%s' and '%s' differ", what, a, b);
    }
}

#endif /* EBM_TEST_RESUME_SUPPORT_H */

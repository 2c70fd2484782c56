/* SPDX-License-Identifier: MIT */
/* Trainers of every kind, as rows of a table, for the tests of their files. */
#ifndef EBM_TEST_RESUME_SUPPORT_H
#define EBM_TEST_RESUME_SUPPORT_H

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
} resume_case;

static const resume_case RESUME_CASES[] = {
    {"SGD, Langevin, noise", EBM_OPT_SGD, EBM_KERNEL_LANGEVIN, EBM_START_NOISE, 0, 0, 1, 0, 0, 0, 0, 0, 0},
    {"Adam, Langevin, data", EBM_OPT_ADAM, EBM_KERNEL_LANGEVIN, EBM_START_DATA, 0, 0, 1, 0, 0, 0, 1, 0, 0},
    {"AdamW, Langevin, buffer", EBM_OPT_ADAMW, EBM_KERNEL_LANGEVIN, EBM_START_PERSISTENT, 17, 0.1, 1, 0, 0, 1, 1, 1, 0},
    {"Adam, MALA, persistent, held", EBM_OPT_ADAM, EBM_KERNEL_MALA, EBM_START_PERSISTENT, 0, 0, 1, 0, 1, 0, 0, 1, 0},
    {"SGD, MALA, buffer, mirrored", EBM_OPT_SGD, EBM_KERNEL_MALA, EBM_START_PERSISTENT, 9, 0, 1, 1, 0, 1, 0, 0, 0},
    {"AdamW, HMC, persistent, dense", EBM_OPT_ADAMW, EBM_KERNEL_HMC, EBM_START_PERSISTENT, 0, 0, 1, 2, 0, 0, 1, 1, 0},
    {"Adam, HMC, restarts, ladder", EBM_OPT_ADAM, EBM_KERNEL_HMC, EBM_START_PERSISTENT, 0, 0.2, 3, 0, 0, 0, 0, 0, 0},
    {"Adam, underdamped, persistent", EBM_OPT_ADAM, EBM_KERNEL_UNDERDAMPED,
     EBM_START_PERSISTENT, 0, 0, 1, 0, 0, 0, 1, 1, 0},
    {"SGD, underdamped, ladder, held", EBM_OPT_SGD, EBM_KERNEL_UNDERDAMPED,
     EBM_START_PERSISTENT, 0, 0, 3, 0, 1, 1, 1, 0, 0},
    {"Adam, underdamped, ladder, buffer", EBM_OPT_ADAM, EBM_KERNEL_UNDERDAMPED,
     EBM_START_PERSISTENT, 11, 0.1, 2, 1, 0, 0, 0, 1, 0},
    {"AdamW, adjusted underdamped, ladder", EBM_OPT_ADAMW, EBM_KERNEL_UNDERDAMPED_ADJUSTED,
     EBM_START_PERSISTENT, 0, 0, 3, 0, 0, 0, 0, 0, 0},
    {"Adam, Langevin, ladder, noise", EBM_OPT_ADAM, EBM_KERNEL_LANGEVIN, EBM_START_NOISE, 0, 0, 4, 0, 0, 0, 1, 0, 0},
    {"Adam, NUTS, persistent", EBM_OPT_ADAM, EBM_KERNEL_NUTS, EBM_START_PERSISTENT, 0, 0, 1, 0, 0, 0, 0, 1, 0},
    {"Adam, NUTS, persistent, slow", EBM_OPT_ADAM, EBM_KERNEL_NUTS, EBM_START_PERSISTENT, 0, 0, 1, 0, 0, 0, 0, 0, 1},
    {"SGD, MALA, ladder, slow", EBM_OPT_SGD, EBM_KERNEL_MALA, EBM_START_PERSISTENT, 0, 0, 3, 0, 0, 0, 0, 1, 1},
    {"SGD, random walk, data", EBM_OPT_SGD, EBM_KERNEL_RANDOM_WALK, EBM_START_DATA, 0, 0, 2, 0, 0, 1, 1, 1, 0},
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
    assert_ok(ebm_sampler_create(context, r.model, n_chains, seed, &r.sampler));
    assert_ok(ebm_trainer_create(context, r.model, r.sampler, &r.trainer));
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

static inline void resume_set_trainer(ebm_trainer *trainer, const resume_case *c) {
    assert_ok(ebm_trainer_set_optimizer(trainer, c->optimizer));
    assert_ok(ebm_trainer_set_learning_rate(trainer, c->slow ? 1e-7 : 0.01));
    assert_ok(ebm_trainer_set_learning_rate_decay(trainer, EBM_DECAY_COSINE, 0.1, 300));
    if (c->fits) { /* none, but with numbers that it keeps */
        assert_ok(ebm_trainer_set_learning_rate_decay(trainer, EBM_DECAY_NONE, 0, 0));
    }
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
}

static inline resumed resume_create(ebm_context *context, const resume_case *c) {
    resumed r = resume_create_plain(context, RESUME_CHAINS, 42);
    resume_set_sampler(r.sampler, c);
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

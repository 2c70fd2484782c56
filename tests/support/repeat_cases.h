/* SPDX-License-Identifier: MIT */
/* Samplers and trainers, as the rows of tables, whose results must be the same bits however they are worked with. */
#ifndef EBM_TESTS_REPEAT_CASES_H
#define EBM_TESTS_REPEAT_CASES_H

#include <stdbool.h>

#include "stat_record.h"
#include "stat_settings.h"

enum model_kind { QUADRATIC, HOST_ALONE, DOUBLE_WELL, GAUSSIAN, MLP, N_MODELS };

static const int64_t DIM[N_MODELS] = {3, 5, 7, 5, 17}; /* never a whole vector */

static inline ebm_model *new_gaussian(ebm_context *context, int64_t dim) {
    float precision[25];
    float mean[5];
    for (int64_t i = 0; i < dim; i++) {
        mean[i] = 0.1F * (float)i;
        for (int64_t j = 0; j < dim; j++) {
            precision[i * dim + j] = i == j ? 2.0F : 0.3F / (float)(1 + (i > j ? i - j : j - i));
        }
    }
    ebm_model *model = NULL;
    STAT_OK(ebm_gaussian_create(context, dim, mean, precision, &model));
    return model;
}

static inline ebm_model *new_model(ebm_context *context, enum model_kind kind) {
    static const int64_t widths[] = {33, 18};
    ebm_model *model = NULL;
    switch (kind) {
        case GAUSSIAN:
            return new_gaussian(context, DIM[kind]);
        case DOUBLE_WELL:
            STAT_OK(ebm_double_well_create(context, DIM[kind], 1.2, &model));
            return model;
        case MLP:
            STAT_OK(ebm_mlp_create(context, DIM[kind], 2, widths, EBM_ACT_SILU, &model));
            STAT_OK(ebm_model_init_params(model, 5));
            return model;
        case HOST_ALONE:
            model = stat_quadratic(context, DIM[kind], 1.5);
            STAT_OK(ebm_model_set_concurrent(model, 0));
            return model;
        default:
            return stat_quadratic(context, DIM[kind], 1.5);
    }
}

typedef struct chains_case {
    const char *name;
    enum model_kind model;
    int32_t kernel, order, rule;
    double lo, hi, clip;
    int masked, metric;
} chains_case;

static const chains_case CHAINS_CASES[] = {
    {"Langevin", QUADRATIC, EBM_KERNEL_LANGEVIN, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"Langevin, one call at a time", HOST_ALONE, EBM_KERNEL_LANGEVIN, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"Langevin, clamped", DOUBLE_WELL, EBM_KERNEL_LANGEVIN, 0, EBM_BOUNDS_CLAMP, -1, 1.5, INFINITY, 0, 0},
    {"Langevin, mirrored, cut", DOUBLE_WELL, EBM_KERNEL_LANGEVIN, 0, EBM_BOUNDS_REFLECT, -1, 1.5, 0.5, 0, 0},
    {"Langevin, noise first, held", GAUSSIAN, EBM_KERNEL_LANGEVIN, 1, 0, -INFINITY, INFINITY, INFINITY, 1, 0},
    {"Langevin, network", MLP, EBM_KERNEL_LANGEVIN, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"MALA", GAUSSIAN, EBM_KERNEL_MALA, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"MALA, one call at a time", HOST_ALONE, EBM_KERNEL_MALA, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"MALA, clamped, held", DOUBLE_WELL, EBM_KERNEL_MALA, 0, EBM_BOUNDS_CLAMP, -1, 1.5, INFINITY, 1, 0},
    {"MALA, mirrored, cut", DOUBLE_WELL, EBM_KERNEL_MALA, 0, EBM_BOUNDS_REFLECT, -1, 1.5, 0.5, 0, 0},
    {"MALA, network", MLP, EBM_KERNEL_MALA, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"HMC, held", GAUSSIAN, EBM_KERNEL_HMC, 0, 0, -INFINITY, INFINITY, INFINITY, 1, 0},
    {"HMC, mirrored, cut", DOUBLE_WELL, EBM_KERNEL_HMC, 0, EBM_BOUNDS_REFLECT, -1, 1.5, 0.5, 0, 0},
    {"random walk, held", GAUSSIAN, EBM_KERNEL_RANDOM_WALK, 0, 0, -INFINITY, INFINITY, INFINITY, 1, 0},
    {"random walk, mirrored", DOUBLE_WELL, EBM_KERNEL_RANDOM_WALK, 0, EBM_BOUNDS_REFLECT, -1, 1.5, INFINITY, 0, 0},
    {"underdamped", QUADRATIC, EBM_KERNEL_UNDERDAMPED, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"underdamped, clamped, held", DOUBLE_WELL, EBM_KERNEL_UNDERDAMPED, 0, EBM_BOUNDS_CLAMP, -1, 1.5, INFINITY, 1, 0},
    {"underdamped, mirrored, cut", DOUBLE_WELL, EBM_KERNEL_UNDERDAMPED, 0, EBM_BOUNDS_REFLECT, -1, 1.5, 0.5, 0, 0},
    {"adjusted underdamped, mirrored, held", DOUBLE_WELL, EBM_KERNEL_UNDERDAMPED_ADJUSTED, 0, EBM_BOUNDS_REFLECT, -1,
     1.5, INFINITY, 1, 0},
    {"adjusted underdamped, network", MLP, EBM_KERNEL_UNDERDAMPED_ADJUSTED, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"Langevin, metric, mirrored", DOUBLE_WELL, EBM_KERNEL_LANGEVIN, 1, EBM_BOUNDS_REFLECT, -1, 1.5, 0.5, 0, 1},
    {"MALA, dense metric, held", GAUSSIAN, EBM_KERNEL_MALA, 0, 0, -INFINITY, INFINITY, 2, 1, 2},
    {"HMC, metric, held", DOUBLE_WELL, EBM_KERNEL_HMC, 0, EBM_BOUNDS_REFLECT, -1, 1.5, INFINITY, 1, 1},
    {"HMC, dense metric", GAUSSIAN, EBM_KERNEL_HMC, 0, 0, -INFINITY, INFINITY, 2, 0, 2},
    {"underdamped, dense metric", QUADRATIC, EBM_KERNEL_UNDERDAMPED, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 2},
    {"NUTS, held", GAUSSIAN, EBM_KERNEL_NUTS, 0, 0, -INFINITY, INFINITY, INFINITY, 1, 0},
    {"NUTS, metric, mirrored", DOUBLE_WELL, EBM_KERNEL_NUTS, 0, EBM_BOUNDS_REFLECT, -1, 1.5, 0.5, 0, 1},
    {"NUTS, dense metric, one call at a time", HOST_ALONE, EBM_KERNEL_NUTS, 0, 0, -INFINITY, INFINITY, 2, 0, 2},
    {"NUTS, network", MLP, EBM_KERNEL_NUTS, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"HMC, network", MLP, EBM_KERNEL_HMC, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
};

enum { N_CHAINS_CASES = sizeof CHAINS_CASES / sizeof *CHAINS_CASES, STEPS = 60 };

static inline ebm_sampler *new_sampler(ebm_context *context, const chains_case *c, int64_t n_chains, uint64_t seed) {
    ebm_model *model = new_model(context, c->model);
    ebm_sampler *sampler = stat_sampler(model, n_chains, seed, c->kernel, 0.05);
    STAT_OK(ebm_sampler_set_noise_order(sampler, c->order));
    STAT_OK(ebm_sampler_set_bounds(sampler, c->lo, c->hi, c->rule));
    STAT_OK(ebm_sampler_set_grad_clip(sampler, c->clip));
    STAT_OK(ebm_sampler_set_leapfrog_steps(sampler, 4));
    STAT_OK(ebm_sampler_set_jitter(sampler, 0.3));
    STAT_OK(ebm_sampler_set_max_depth(sampler, 4));
    stat_set_metric(sampler, c->metric, c->metric != 0 ? DIM[c->model] : 0);
    if (c->masked) {
        uint8_t mask[32];
        for (int64_t i = 0; i < DIM[c->model]; i++) {
            mask[i] = (uint8_t)(i % 3 != 1);
        }
        STAT_OK(ebm_sampler_set_mask(sampler, mask));
    }
    return sampler;
}

typedef struct training_case {
    const char *name;
    enum model_kind model;
    int32_t kernel, start, optimizer;
    int64_t capacity;
    double restart_probability, penalty, average;
} training_case;

static const training_case TRAINING_CASES[] = {
    {"training, from noise", MLP, EBM_KERNEL_LANGEVIN, EBM_START_NOISE, EBM_OPT_ADAM, 0, 0, 0, 0},
    {"training, from data", MLP, EBM_KERNEL_LANGEVIN, EBM_START_DATA, EBM_OPT_ADAMW, 0, 0, 0.1, 0},
    {"training, persistent", MLP, EBM_KERNEL_LANGEVIN, EBM_START_PERSISTENT, EBM_OPT_SGD, 0, 0, 0, 0.9},
    {"training, buffer", MLP, EBM_KERNEL_LANGEVIN, EBM_START_PERSISTENT, EBM_OPT_ADAM, 900, 0.1, 0.1, 0.99},
    {"training, MALA, buffer", MLP, EBM_KERNEL_MALA, EBM_START_PERSISTENT, EBM_OPT_ADAM, 900, 0.1, 0, 0},
    {"training, Gaussian, MALA", GAUSSIAN, EBM_KERNEL_MALA, EBM_START_PERSISTENT, EBM_OPT_SGD, 0, 0.2, 0, 0},
    {"training, HMC, buffer", MLP, EBM_KERNEL_HMC, EBM_START_PERSISTENT, EBM_OPT_ADAM, 900, 0.1, 0, 0},
    {"training, underdamped", MLP, EBM_KERNEL_UNDERDAMPED, EBM_START_PERSISTENT, EBM_OPT_ADAM, 0, 0, 0, 0},
    {"training, underdamped, buffer", MLP, EBM_KERNEL_UNDERDAMPED, EBM_START_PERSISTENT, EBM_OPT_ADAM, 900, 0.1, 0, 0},
    {"training, one call at a time", HOST_ALONE, EBM_KERNEL_LANGEVIN, EBM_START_PERSISTENT, EBM_OPT_ADAM, 0, 0, 0.1, 0},
};

enum { N_TRAINING_CASES = sizeof TRAINING_CASES / sizeof *TRAINING_CASES, DATA_ROWS = 450 };

typedef struct training {
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    float *data;
    int64_t dim;
    double average;
} training;

static inline training new_training(ebm_context *context, const training_case *c, uint64_t seed) {
    training t = {.model = new_model(context, c->model), .dim = DIM[c->model], .average = c->average};
    t.sampler = stat_sampler(t.model, 300, seed, c->kernel, 0.05);
    STAT_OK(ebm_sampler_set_start(t.sampler, c->start));
    STAT_OK(ebm_sampler_set_buffer(t.sampler, c->capacity, c->restart_probability));
    STAT_OK(ebm_trainer_create(NULL, t.model, t.sampler, &t.trainer));
    STAT_OK(ebm_trainer_set_optimizer(t.trainer, c->optimizer));
    STAT_OK(ebm_trainer_set_energy_penalty(t.trainer, c->penalty));
    STAT_OK(ebm_trainer_set_average(t.trainer, c->average));
    STAT_OK(ebm_trainer_set_momentum(t.trainer, 0.5));
    STAT_OK(ebm_trainer_set_mcmc_steps(t.trainer, 3));
    STAT_OK(ebm_trainer_set_data_noise(t.trainer, 0.05));
    STAT_OK(ebm_trainer_set_weight_decay(t.trainer, 0.01));
    STAT_OK(ebm_trainer_set_grad_clip(t.trainer, 1.0));
    t.data = stat_alloc(DATA_ROWS * t.dim, sizeof *t.data);
    stat_fill_normals(3, 0.7, DATA_ROWS * t.dim, t.data);
    return t;
}

static inline void note_training(stat_record *record, const training *t) {
    double numbers[4];
    stat_note_params(record, t->model);
    STAT_OK(ebm_trainer_get_energy_data(t->trainer, &numbers[0]));
    STAT_OK(ebm_trainer_get_energy_model(t->trainer, &numbers[1]));
    STAT_OK(ebm_trainer_get_grad_norm(t->trainer, &numbers[2]));
    STAT_OK(ebm_trainer_get_acceptance(t->trainer, &numbers[3]));
    stat_note(record, sizeof numbers, numbers);
    stat_note_states(record, t->sampler, t->dim);
    if (t->average > 0) {
        STAT_OK(ebm_trainer_swap_average(t->trainer));
        stat_note_params(record, t->model);
        STAT_OK(ebm_trainer_swap_average(t->trainer));
    }
}

static inline void free_training(training *t) {
    ebm_trainer_destroy(t->trainer);
    ebm_sampler_destroy(t->sampler);
    free(t->data);
}

#endif /* EBM_TESTS_REPEAT_CASES_H */

/* SPDX-License-Identifier: MIT */
#include "toys2d_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TRY(call)                   \
    do {                            \
        ebm_status status_ = (call); \
        if (status_ != EBM_OK) {    \
            return status_;         \
        }                           \
    } while (0)

/* The network: the same for all. */
enum { N_LAYERS = 3, WIDTH = 128 };
static const int64_t WIDTHS[N_LAYERS] = {WIDTH, WIDTH, WIDTH};

/* The settings: the same for all sets. docs/training.md says how they were found. */
typedef struct recipe {
    int64_t steps;
    int64_t batch;
    double learning_rate;
    double beta1;
    double average;
} recipe;

static const recipe RECIPES[] = {
    [EBM_OBJECTIVE_LIKELIHOOD] = {3000, 256, 1e-3, 0.0, 0.99},
    [EBM_OBJECTIVE_DENOISING_SCORE_MATCHING] = {4000, 512, 2e-3, 0.9, 0.99},
    [EBM_OBJECTIVE_SLICED_SCORE_MATCHING] = {4000, 256, 2e-3, 0.9, 0.99},
    [EBM_OBJECTIVE_NOISE_CONTRASTIVE] = {4000, 256, 3e-3, 0.9, 0.99},
};

static const double NOISE_LEVEL = 0.05; /* denoising */
static const double STEP_SIZE = 0.004;  /* likelihood: MALA in the box */
enum { CHAINS = 256, MCMC_STEPS = 10 };

/*
 * A unit of the first layer bends along the line w . x + b = 0. Biases of 0, the library's rule, put all of these lines
 * through the origin, which is right for many dimensions; in two, the network is then slow to learn what lies away
 * from it. So every line goes through one of the points.
 */
static ebm_status spread_first_layer(ebm_model *model, int64_t n, const float *x) {
    float weight[WIDTH * 2];
    float bias[WIDTH];
    TRY(ebm_model_get_tensor(model, "layer1.weight", WIDTH * 2, weight));
    for (int64_t i = 0; i < WIDTH; i++) {
        const float *point = x + 2 * (i % n);
        bias[i] = -weight[2 * i] * point[0] - weight[2 * i + 1] * point[1];
    }
    return ebm_model_set_tensor(model, "layer1.bias", WIDTH, bias);
}

ebm_status toys2d_create(ebm_context *context, uint64_t seed, int64_t n, const float *x, ebm_model **model) {
    TRY(ebm_mlp_create(context, 2, N_LAYERS, WIDTHS, EBM_ACT_SILU, model));
    TRY(ebm_model_init_params(*model, seed));
    return spread_first_layer(*model, n, x);
}

static ebm_status make_sampler(ebm_context *context, ebm_model *model, uint64_t seed, ebm_sampler **sampler) {
    TRY(ebm_sampler_create(context, model, CHAINS, seed, sampler));
    TRY(ebm_sampler_set_kernel(*sampler, EBM_KERNEL_MALA));
    TRY(ebm_sampler_set_step_size(*sampler, STEP_SIZE));
    TRY(ebm_sampler_set_bounds(*sampler, -SETS2D_BOX, SETS2D_BOX, EBM_BOUNDS_REFLECT));
    return ebm_sampler_set_noise_start(*sampler, EBM_NOISE_UNIFORM, -SETS2D_BOX, SETS2D_BOX);
}

static ebm_status run(ebm_trainer *trainer, int objective, double share, uint64_t seed, int64_t n, const float *x) {
    const recipe *r = &RECIPES[objective];
    int64_t batches = (n + r->batch - 1) / r->batch;
    int64_t epochs = (int64_t)ceil(share * (double)r->steps / (double)batches);
    TRY(ebm_trainer_set_objective(trainer, objective));
    TRY(ebm_trainer_set_seed(trainer, seed));
    TRY(ebm_trainer_set_batch_size(trainer, r->batch));
    TRY(ebm_trainer_set_learning_rate(trainer, r->learning_rate));
    TRY(ebm_trainer_set_learning_rate_decay(trainer, EBM_DECAY_COSINE, 0, epochs * batches));
    TRY(ebm_trainer_set_betas(trainer, r->beta1, 0.999));
    TRY(ebm_trainer_set_average(trainer, r->average));
    TRY(ebm_trainer_set_mcmc_steps(trainer, MCMC_STEPS));
    TRY(ebm_trainer_set_noise_levels(trainer, 1, &NOISE_LEVEL));
    if (objective == EBM_OBJECTIVE_NOISE_CONTRASTIVE) {
        TRY(ebm_trainer_fit_noise(trainer, n, x, EBM_COVARIANCE_FULL, 0));
    }
    TRY(ebm_trainer_fit(trainer, n, x, epochs));
    return ebm_trainer_swap_average(trainer);
}

ebm_status toys2d_train(ebm_context *context, ebm_model *model, int objective, double share, uint64_t seed, int64_t n,
                        const float *x) {
    ebm_sampler *sampler = NULL;
    ebm_trainer *trainer = NULL;
    if (objective == EBM_OBJECTIVE_LIKELIHOOD) {
        TRY(make_sampler(context, model, seed, &sampler));
    }
    ebm_status status = ebm_trainer_create(context, model, sampler, &trainer);
    ebm_sampler_destroy(sampler); /* the trainer keeps it */
    if (status == EBM_OK) {
        status = run(trainer, objective, share, seed, n, x);
    }
    ebm_trainer_destroy(trainer);
    return status;
}

static void cell_middle(int cell, float *point) {
    const double side = 2 * SETS2D_BOX / TOYS2D_GRID;
    point[0] = (float)((cell % TOYS2D_GRID + 0.5) * side - SETS2D_BOX);
    point[1] = (float)(SETS2D_BOX - (cell / TOYS2D_GRID + 0.5) * side);
}

static const double CELL_AREA = (2 * SETS2D_BOX / TOYS2D_GRID) * (2 * SETS2D_BOX / TOYS2D_GRID);

ebm_status toys2d_density(ebm_model *model, double *log_z, double *density) {
    float *points = malloc(2 * TOYS2D_CELLS * sizeof *points);
    double least = INFINITY;
    double sum = 0;
    if (points == NULL) {
        return EBM_ERR_NOMEM;
    }
    for (int i = 0; i < TOYS2D_CELLS; i++) {
        cell_middle(i, points + 2 * (int64_t)i);
    }
    ebm_status status = ebm_model_energy(model, TOYS2D_CELLS, points, density);
    free(points);
    TRY(status);
    for (int i = 0; i < TOYS2D_CELLS; i++) {
        least = fmin(least, density[i]);
    }
    for (int i = 0; i < TOYS2D_CELLS; i++) {
        sum += exp(least - density[i]);
    }
    *log_z = log(sum * CELL_AREA) - least;
    for (int i = 0; i < TOYS2D_CELLS; i++) {
        density[i] = exp(-density[i] - *log_z);
    }
    return EBM_OK;
}

ebm_status toys2d_log_likelihood(ebm_model *model, double log_z, int64_t n, const float *x, double *mean) {
    double *energy = malloc((size_t)n * sizeof *energy);
    if (energy == NULL) {
        return EBM_ERR_NOMEM;
    }
    ebm_status status = ebm_model_energy(model, n, x, energy);
    *mean = -log_z;
    for (int64_t i = 0; status == EBM_OK && i < n; i++) {
        *mean -= energy[i] / (double)n;
    }
    free(energy);
    return status;
}

static void add_to_mode(int set, const float *point, double mass, double *of_mode) {
    int mode;
    sets2d_log_density(set, point, &mode);
    of_mode[mode < 0 ? sets2d_mode_count(set) : mode] += mass;
}

void toys2d_masses(int set, const double *density, double *mass) {
    memset(mass, 0, (size_t)(sets2d_mode_count(set) + 1) * sizeof *mass);
    for (int i = 0; i < TOYS2D_CELLS; i++) {
        float point[2];
        cell_middle(i, point);
        if (density[i] > 1e-6) { /* all cells below hold less than 4e-5 together */
            add_to_mode(set, point, density[i] * CELL_AREA, mass);
        }
    }
}

void toys2d_shares(int set, int64_t n, const float *x, double *share) {
    memset(share, 0, (size_t)(sets2d_mode_count(set) + 1) * sizeof *share);
    for (int64_t i = 0; i < n; i++) {
        add_to_mode(set, x + 2 * i, 1 / (double)n, share);
    }
}

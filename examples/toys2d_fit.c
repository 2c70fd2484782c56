/* SPDX-License-Identifier: MIT */
#include "toys2d_fit.h"

#include <math.h>
#include <stdbool.h>
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
enum { N_LAYERS = 3 };
static const int64_t WIDTHS[N_LAYERS] = {128, 128, 128};

/*
 * The settings: the same for all sets, chosen by the validation points. Score matching sees no more than the slope of E
 * where points are, so nothing tells it how much of the density stands on the other side of a gap. It begins with points
 * so noisy that there is no gap, and the noise falls to what little is left at the end over the first FALLING of the
 * steps.
 */
typedef struct recipe {
    int64_t steps;
    int64_t batch;
    double learning_rate;
    double first_noise, last_noise;
} recipe;

static const recipe RECIPES[] = {
    [EBM_OBJECTIVE_LIKELIHOOD] = {3200, 256, 3e-3, 0, 0},
    [EBM_OBJECTIVE_DENOISING_SCORE_MATCHING] = {3000, 512, 3e-3, 0.4, 0.03},
    [EBM_OBJECTIVE_SLICED_SCORE_MATCHING] = {3000, 256, 3e-3, 0.4, 0.03},
    [EBM_OBJECTIVE_NOISE_CONTRASTIVE] = {4000, 256, 3e-3, 0, 0},
};

static const double FALLING = 0.7, AVERAGE = 0.99;

/*
 * The likelihood's chains. First they start from the points (contrastive divergence): negatives that stand beside the
 * points take most of the chance out of the gradient, which makes this fast, but they never leave for another mode, and
 * so leave the masses of the modes to chance. Then persistent chains on a ladder of temperatures, which do leave, put
 * the masses right within a few hundred small steps.
 */
enum { CHAINS = 256, STEPS_FROM_POINTS = 10, STEPS_ON_LADDER = 5 };
static const double STEP_SIZE = 0.004; /* of MALA */
static const double LADDER[] = {1, 2.3, 5.2, 12};
static const recipe LADDER_RECIPE = {400, 256, 1e-4, 0, 0};

ebm_status toys2d_create(ebm_context *context, uint64_t seed, ebm_model **model) {
    TRY(ebm_mlp_create(context, 2, N_LAYERS, WIDTHS, EBM_ACT_SILU, model));
    return ebm_model_init_params(*model, seed);
}

static ebm_status make_sampler(ebm_context *context, ebm_model *model, bool on_ladder, uint64_t seed, const float *x,
                               ebm_sampler **sampler) {
    TRY(ebm_sampler_create(context, model, CHAINS, seed, sampler));
    TRY(ebm_sampler_set_kernel(*sampler, EBM_KERNEL_MALA));
    TRY(ebm_sampler_set_step_size(*sampler, STEP_SIZE));
    TRY(ebm_sampler_set_bounds(*sampler, -SETS2D_BOX, SETS2D_BOX, EBM_BOUNDS_REFLECT));
    if (!on_ladder) {
        return ebm_sampler_set_start(*sampler, EBM_START_DATA);
    }
    TRY(ebm_sampler_set_ladder(*sampler, sizeof LADDER / sizeof *LADDER, LADDER));
    return ebm_sampler_set_states(*sampler, CHAINS, x);
}

static ebm_status set_noise(ebm_trainer *trainer, int objective, const recipe *r, double done) {
    double level = r->first_noise * pow(r->last_noise / r->first_noise, fmin(done / FALLING, 1));
    switch (objective) {
    case EBM_OBJECTIVE_DENOISING_SCORE_MATCHING:
        return ebm_trainer_set_noise_levels(trainer, 1, &level);
    case EBM_OBJECTIVE_SLICED_SCORE_MATCHING:
        return ebm_trainer_set_data_noise(trainer, level);
    default:
        return EBM_OK;
    }
}

static ebm_status run(ebm_trainer *trainer, int objective, const recipe *r, double share, int64_t n, const float *x) {
    int64_t batches = (n + r->batch - 1) / r->batch;
    int64_t epochs = (int64_t)ceil(share * (double)r->steps / (double)batches);
    TRY(ebm_trainer_set_batch_size(trainer, r->batch));
    TRY(ebm_trainer_set_learning_rate(trainer, r->learning_rate));
    TRY(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_LEARNING_RATE, EBM_SCHEDULE_COSINE, 0, epochs * batches, 0));
    TRY(ebm_trainer_set_average(trainer, AVERAGE));
    for (int64_t epoch = 0; epoch < epochs; epoch++) {
        TRY(set_noise(trainer, objective, r, (double)epoch / (double)epochs));
        TRY(ebm_trainer_fit(trainer, n, x, 1));
    }
    return ebm_trainer_swap_average(trainer);
}

static ebm_status train_by_likelihood(ebm_context *context, ebm_model *model, bool on_ladder, double share,
                                      uint64_t seed, int64_t n, const float *x) {
    ebm_sampler *sampler = NULL;
    ebm_trainer *trainer = NULL;
    ebm_status status = make_sampler(context, model, on_ladder, seed, x, &sampler);
    if (status == EBM_OK) {
        status = ebm_trainer_create(context, model, sampler, &trainer);
    }
    if (status == EBM_OK) {
        status = ebm_trainer_set_mcmc_steps(trainer, on_ladder ? STEPS_ON_LADDER : STEPS_FROM_POINTS);
    }
    if (status == EBM_OK) {
        status = run(trainer, EBM_OBJECTIVE_LIKELIHOOD, on_ladder ? &LADDER_RECIPE : &RECIPES[EBM_OBJECTIVE_LIKELIHOOD],
                     share, n, x);
    }
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    return status;
}

static ebm_status train_without_chains(ebm_context *context, ebm_model *model, int objective, double share,
                                       uint64_t seed, int64_t n, const float *x) {
    ebm_trainer *trainer = NULL;
    TRY(ebm_trainer_create(context, model, NULL, &trainer));
    ebm_status status = ebm_trainer_set_objective(trainer, objective);
    if (status == EBM_OK) {
        status = ebm_trainer_set_seed(trainer, seed);
    }
    if (status == EBM_OK && objective == EBM_OBJECTIVE_NOISE_CONTRASTIVE) {
        status = ebm_trainer_fit_noise(trainer, n, x, EBM_COVARIANCE_FULL, 0);
    }
    if (status == EBM_OK) {
        status = run(trainer, objective, &RECIPES[objective], share, n, x);
    }
    ebm_trainer_destroy(trainer);
    return status;
}

ebm_status toys2d_train(ebm_context *context, ebm_model *model, int objective, double share, uint64_t seed, int64_t n,
                        const float *x) {
    if (objective != EBM_OBJECTIVE_LIKELIHOOD) {
        return train_without_chains(context, model, objective, share, seed, n, x);
    }
    TRY(train_by_likelihood(context, model, false, share, seed, n, x));
    return train_by_likelihood(context, model, true, share, seed + 1, n, x);
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

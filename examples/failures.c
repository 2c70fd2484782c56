/* SPDX-License-Identifier: MIT */
/*
 * How training fails: an energy in two dimensions, fitted with settings of which one is wrong each time, and once
 * with right ones. For each run the trainer's verdict is printed as it comes. <output folder>/failure_<name>.csv
 * receives the log of all steps, failure_<name>_states.csv the data and the negatives at the end. failures.py draws
 * them in one sheet; docs/training.md has it, and the cures.
 *
 * Usage: failures [output folder]
 */
#include <ebm/ebm.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sets2d.h"

enum { DIM = 2, ROWS = 2000, BATCH = 100, CHAINS = 120 };

typedef struct failure {
    const char *name;
    double step_size, noise_std; /* EBM_NOISE_STD_AUTO: that of T = 1 */
    int64_t k;
    int32_t start;
    double start_width; /* of the noise that chains start from */
    double rate, beta1, epsilon;
    int64_t steps;
} failure;

static const failure FAILURES[] = {
    {"healthy", 0.005, EBM_NOISE_STD_AUTO, 20, EBM_START_PERSISTENT, 1, 1e-3, 0, 1e-8, 400},
    {"too_cold", 0.005, 0, 40, EBM_START_PERSISTENT, 1, 1e-3, 0.9, 1e-8, 400},
    {"too_hot", 0.005, 1, 20, EBM_START_PERSISTENT, 1, 1e-4, 0, 1e-8, 400},
    {"stuck", 1e-7, EBM_NOISE_STD_AUTO, 20, EBM_START_PERSISTENT, 1, 1e-3, 0, 1e-8, 200},
    {"collapsed", 0.001, EBM_NOISE_STD_AUTO, 5, EBM_START_NOISE, 0.01, 1e-3, 0, 1e-8, 160},
    {"drifting", 0.005, EBM_NOISE_STD_AUTO, 20, EBM_START_PERSISTENT, 1, 3e-2, 0, 1e-30, 1600},
    {"diverging", 0.03, EBM_NOISE_STD_AUTO, 20, EBM_START_PERSISTENT, 1, 2e-3, 0.9, 1e-8, 540},
};

static void check(ebm_status status) {
    if (status != EBM_OK) {
        fprintf(stderr, "%s: %s\n", ebm_status_string(status), ebm_last_error());
        exit(1);
    }
}

static void write_states(const char *folder, const char *name, ebm_sampler *sampler, const float *data) {
    static float x[CHAINS * DIM];
    char path[4096];
    check(ebm_sampler_get_states(sampler, CHAINS, x));
    snprintf(path, sizeof path, "%s/failure_%s_states.csv", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fprintf(stderr, "%s: cannot be written\n", path);
        exit(1);
    }
    fprintf(file, "data,x0,x1\n");
    for (int i = 0; i < 500; i++) {
        fprintf(file, "1,%.6g,%.6g\n", (double)data[DIM * i], (double)data[DIM * i + 1]);
    }
    for (int i = 0; i < CHAINS; i++) {
        fprintf(file, "0,%.6g,%.6g\n", (double)x[DIM * i], (double)x[DIM * i + 1]);
    }
    fclose(file);
}

/* Until it fails, or its steps are over. The file of an earlier run is emptied. */
static void train(const failure *f, const char *folder, ebm_trainer *trainer, const float *data) {
    char path[4096];
    char text[512];
    int32_t before = EBM_VERDICT_UNKNOWN;
    snprintf(path, sizeof path, "%s/failure_%s.csv", folder, f->name);
    remove(path);
    check(ebm_trainer_set_log_file(trainer, path, EBM_LOG_CSV));
    for (int64_t step = 1; step <= f->steps; step++) {
        int32_t verdict;
        ebm_status status = ebm_trainer_step(trainer, BATCH, data + step * BATCH % ROWS * DIM);
        if (status == EBM_ERR_DIVERGED) {
            printf("%-10s step %3lld: %s\n", f->name, (long long)step, ebm_last_error());
            return;
        }
        check(status);
        check(ebm_trainer_get_verdict(trainer, &verdict));
        if (verdict != before) {
            check(ebm_trainer_describe_health(trainer, sizeof text, text));
            printf("%-10s step %3lld: %s\n", f->name, (long long)step, text);
        }
        before = verdict;
    }
}

static void run(const failure *f, const char *folder, const float *data) {
    static const int64_t widths[] = {64, 64};
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    check(ebm_mlp_create(NULL, DIM, 2, widths, EBM_ACT_SILU, &model));
    check(ebm_model_init_params(model, 1));
    check(ebm_sampler_create(NULL, model, CHAINS, 2, &sampler));
    check(ebm_sampler_set_step_size(sampler, f->step_size));
    check(ebm_sampler_set_noise_std(sampler, f->noise_std));
    check(ebm_sampler_set_start(sampler, f->start));
    check(ebm_sampler_set_noise_start(sampler, EBM_NOISE_NORMAL, 0, f->start_width));
    check(ebm_trainer_create(NULL, model, sampler, &trainer));
    check(ebm_trainer_set_mcmc_steps(trainer, f->k));
    check(ebm_trainer_set_learning_rate(trainer, f->rate));
    check(ebm_trainer_set_betas(trainer, f->beta1, 0.999));
    check(ebm_trainer_set_epsilon(trainer, f->epsilon));
    train(f, folder, trainer, data);
    write_states(folder, f->name, sampler, data);
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
}

int main(int argc, char **argv) {
    static float data[ROWS * DIM];
    sets2d_draw(EIGHT_GAUSSIANS, 1, ROWS, data);
    for (size_t i = 0; i < sizeof FAILURES / sizeof *FAILURES; i++) {
        run(&FAILURES[i], argc > 1 ? argv[1] : ".", data);
    }
    return 0;
}

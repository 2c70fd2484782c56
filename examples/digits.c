/* SPDX-License-Identifier: MIT */
/*
 * Trains an energy on handwritten digits (8 x 8 pixels) with persistent chains and Langevin steps, draws new digits from
 * noise, and leaves in the output folder: the model (digits.safetensors), the drawn digits (samples.npy) and a picture of them
 * beside real ones (samples.png). digits_report.py then measures how good they are.
 *
 * Usage: digits <data folder> <output folder> [seed]
 */
#include <ebm/ebm.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "idx.h"
#include "picture.h"

enum { SIDE = 8, DIM = SIDE * SIDE, N_TRAIN = 1400, N_CHAINS = 128, N_SAMPLES = 1000 };

/* Pixels are scaled to [-1, 1]: -1 is paper, 1 is ink. */
static const float PAPER = -1.0F, INK = 1.0F;

/* The settings; docs/training.md says how to find such. */
static const int64_t HIDDEN[] = {512, 256};
static const double STEP_SIZE = 0.1, NOISE_STD = 0.05, GRAD_CLIP = 1.0;
static const int64_t MCMC_STEPS = 25, BUFFER = 2048, BATCH = 128, EPOCHS = 91, GENERATE_STEPS = 300;
enum { FAINT_EVERY = 8 };
static const double RESTARTS = 0.05, LEARNING_RATE = 4e-3, DATA_NOISE = 0.05, PENALTY = 0.01, AVERAGE = 0.99;

static void check(ebm_status status) {
    if (status != EBM_OK) {
        fprintf(stderr, "\n%s: %s\n", ebm_status_string(status), ebm_last_error());
        exit(1);
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

typedef struct progress_line {
    double start;
    int64_t total_steps;
    ebm_sampler *sampler;
} progress_line;

/*
 * What chains restart from in the next step. Mostly noise that covers the whole box; but such noise has much ink, and
 * chains that start there hardly ever come by images with little of it, whose energy then stays what the network happens
 * to make of it: for some seeds a blank image looked as likely as a digit. So every FAINT_EVERY-th step restarts from
 * faint noise, of any strength, around paper.
 */
static void choose_restarts(ebm_sampler *sampler, int64_t step) {
    if (step % FAINT_EVERY == 0) {
        double strength = (double)(step / FAINT_EVERY * 37 % 100 + 1) / 100; /* 0.01 to 1, in a scattered order */
        check(ebm_sampler_set_noise_start(sampler, EBM_NOISE_NORMAL, (double)PAPER, strength));
    } else {
        check(ebm_sampler_set_noise_start(sampler, EBM_NOISE_UNIFORM, (double)PAPER, (double)INK));
    }
}

static int32_t show_progress(const ebm_trainer *trainer, void *user_data) {
    const progress_line *line = user_data;
    int64_t steps = 0;
    double of_data = 0;
    double of_model = 0;
    double grad_norm = 0;
    check(ebm_trainer_get_steps(trainer, &steps));
    choose_restarts(line->sampler, steps);
    if (steps % 20 != 0 && steps != line->total_steps) {
        return EBM_CB_OK;
    }
    check(ebm_trainer_get_energy_data(trainer, &of_data));
    check(ebm_trainer_get_energy_model(trainer, &of_model));
    check(ebm_trainer_get_grad_norm(trainer, &grad_norm));
    double elapsed = seconds() - line->start;
    double left = elapsed / (double)steps * (double)(line->total_steps - steps);
    fprintf(stderr, "\rstep %5lld of %lld   E of data %7.3f   of samples %7.3f   gradient %8.3f   %3.0f s, %3.0f s left ",
            (long long)steps, (long long)line->total_steps, of_data, of_model, grad_norm, elapsed, left);
    return EBM_CB_OK;
}

static void set_up_sampler(ebm_sampler *sampler) {
    check(ebm_sampler_set_step_size(sampler, STEP_SIZE));
    check(ebm_sampler_set_noise_std(sampler, NOISE_STD));
    check(ebm_sampler_set_grad_clip(sampler, GRAD_CLIP));
    check(ebm_sampler_set_bounds(sampler, (double)PAPER, (double)INK, EBM_BOUNDS_CLAMP));
    check(ebm_sampler_set_noise_start(sampler, EBM_NOISE_UNIFORM, (double)PAPER, (double)INK));
}

static void train(ebm_context *context, ebm_model *model, uint64_t seed, const float *images) {
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    check(ebm_sampler_create(context, model, N_CHAINS, seed, &sampler));
    progress_line line = {seconds(), EPOCHS * ((N_TRAIN + BATCH - 1) / BATCH), sampler};
    set_up_sampler(sampler);
    check(ebm_sampler_set_start(sampler, EBM_START_PERSISTENT));
    check(ebm_sampler_set_buffer(sampler, BUFFER, RESTARTS));
    check(ebm_trainer_create(context, model, sampler, &trainer));
    check(ebm_trainer_set_mcmc_steps(trainer, MCMC_STEPS));
    check(ebm_trainer_set_batch_size(trainer, BATCH));
    check(ebm_trainer_set_learning_rate(trainer, LEARNING_RATE));
    check(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_LEARNING_RATE, EBM_SCHEDULE_LINEAR, 0, line.total_steps,
                                   0.0));
    check(ebm_trainer_set_betas(trainer, 0.0, 0.999));
    check(ebm_trainer_set_energy_penalty(trainer, PENALTY));
    check(ebm_trainer_set_data_noise(trainer, DATA_NOISE));
    check(ebm_trainer_set_average(trainer, AVERAGE));
    check(ebm_trainer_set_progress(trainer, show_progress, &line, 1));
    check(ebm_trainer_fit(trainer, N_TRAIN, images, EPOCHS));
    check(ebm_trainer_swap_average(trainer)); /* what is saved and sampled is the average */
    fprintf(stderr, "\n");
    printf("trained in %.1f s\n", seconds() - line.start);
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
}

/* New digits: fresh chains from noise, each run for the same number of steps. */
static void generate(ebm_context *context, ebm_model *model, uint64_t seed, float *samples) {
    ebm_sampler *sampler;
    double start = seconds();
    double energy;
    check(ebm_sampler_create(context, model, N_SAMPLES, seed, &sampler));
    set_up_sampler(sampler);
    check(ebm_sampler_draw(sampler, 1, GENERATE_STEPS, samples));
    check(ebm_sampler_get_mean_energy(sampler, &energy));
    printf("drew %d digits from noise, %lld Langevin steps each, in %.1f s; mean energy %.3f\n", N_SAMPLES,
           (long long)GENERATE_STEPS, seconds() - start, energy);
    ebm_sampler_destroy(sampler);
}

static void write_picture(const char *folder, const float *real, const float *samples) {
    enum { COLUMNS = 10, ROWS = 10, ZOOM = 4, GAP = 4, GRID = COLUMNS * (SIDE * ZOOM + GAP) + GAP, SPACE = 24, GREY = 96 };
    char path[4096];
    snprintf(path, sizeof path, "%s/samples.png", folder);
    picture p = picture_create(2 * GRID + SPACE, GRID, GREY);
    picture_draw_grid(&p, GAP, GAP, COLUMNS, ROWS, SIDE, ZOOM, GAP, PAPER, INK, samples);
    picture_draw_grid(&p, GRID + SPACE + GAP, GAP, COLUMNS, ROWS, SIDE, ZOOM, GAP, PAPER, INK, real);
    if (picture_write_png(&p, path) != 0) {
        fprintf(stderr, "%s: cannot be written\n", path);
        exit(1);
    }
    picture_destroy(&p);
    printf("%s: drawn digits on the left, real ones on the right\n", path);
}

/* numpy's format: a header of 128 bytes, then the numbers. */
static void write_npy(const char *folder, int64_t n, const float *values) {
    char path[4096];
    char header[129];
    snprintf(path, sizeof path, "%s/samples.npy", folder);
    int length = snprintf(header, sizeof header, "\x93NUMPY%c%c%c%c{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, %d), }",
                          1, 0, 118, 0, (long long)n, DIM);
    for (; length < 127; length++) {
        header[length] = ' ';
    }
    header[127] = '\n';
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(header, 1, 128, file) != 128 ||
        fwrite(values, sizeof *values, (size_t)(n * DIM), file) != (size_t)(n * DIM) || fclose(file) != 0) {
        fprintf(stderr, "%s: cannot be written\n", path);
        exit(1);
    }
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s <data folder> <output folder> [seed]\n", argv[0]);
        return 2;
    }
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    char path[4096];
    int64_t n_images;
    int64_t n_pixels;
    snprintf(path, sizeof path, "%s/digits-images-idx3-ubyte", argv[1]);
    float *images = idx_read_images(path, PAPER, INK, 16.0F, &n_images, &n_pixels);
    static float samples[N_SAMPLES * DIM];
    if (images == NULL || n_images <= N_TRAIN || n_pixels != DIM) {
        return 1;
    }
    printf("%s\n", ebm_build_info());

    ebm_context *context;
    ebm_model *model;
    check(ebm_context_create(&context));
    check(ebm_context_set_threads(context, 2));
    check(ebm_mlp_create(context, DIM, 2, HIDDEN, EBM_ACT_SILU, &model));
    check(ebm_model_init_params(model, seed));
    train(context, model, seed, images);
    snprintf(path, sizeof path, "%s/digits.safetensors", argv[2]);
    check(ebm_model_save(model, path));
    printf("%s: the model, %lld parameters\n", path, (long long)ebm_model_param_count(model));
    generate(context, model, seed + 1, samples);
    write_npy(argv[2], N_SAMPLES, samples);
    write_picture(argv[2], images + N_TRAIN * DIM, samples);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    free(images);
    return 0;
}

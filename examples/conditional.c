/* SPDX-License-Identifier: MIT */
/*
 * One energy for ten kinds of digits: E(x, y) of 64 pixels and a label of ten numbers, 1 at the digit and 0 elsewhere.
 * Training moves the pixels of its chains alone, a mask holds their labels; so it fits the density of images given the
 * label, provided that labels are as frequent among chains as in the data. Leaves in the output folder a picture with a row of
 * new digits for each label (conditional.png), and prints how often the label of least energy is right for digits that
 * training has not seen, as it is and with log Z(y) of each label.
 *
 * Usage: conditional <data folder> <output folder> [seed]
 */
#include <ebm/ebm.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "picture.h"

enum {
    SIDE = 8,
    PIXELS = SIDE * SIDE,
    CLASSES = 10,
    DIM = PIXELS + CLASSES,
    N_ALL = 1797,
    N_TRAIN = 1400,
    COPIES = 4, /* of each digit, with noise of their own: the trainer's data noise would blur labels too */
    N_CHAINS = 16 * CLASSES,
    COLUMNS = 20,
    N_SAMPLES = COLUMNS * CLASSES
};

/* Pixels are scaled to [-1, 1]: -1 is paper, 1 is ink. Settings are those of digits.c. */
static const float PAPER = -1.0F, INK = 1.0F;
static const double MOST_GREY = 16, DATA_NOISE = 0.05;
static const int64_t HIDDEN[] = {512, 256};
static const double STEP_SIZE = 0.1, NOISE_STD = 0.05, GRAD_CLIP = 1.0, RESTARTS = 0.05;
static const int64_t MCMC_STEPS = 25, BATCH = 128, EPOCHS = 23, GENERATE_STEPS = 300;
static const double LEARNING_RATE = 4e-3, PENALTY = 0.01, AVERAGE = 0.99;

static void check(ebm_status status) {
    if (status != EBM_OK) {
        fprintf(stderr, "%s: %s\n", ebm_status_string(status), ebm_last_error());
        exit(1);
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void set_label(float *row, int label) {
    for (int k = 0; k < CLASSES; k++) {
        row[PIXELS + k] = k == label ? 1.0F : 0.0F;
    }
}

/* Normal numbers from the library: a sampler's chains on a Gaussian start as such. */
static void draw_normals(uint64_t seed, int64_t n, float *out) {
    ebm_model *model;
    ebm_sampler *sampler;
    check(ebm_gaussian_create(NULL, 1, NULL, NULL, &model));
    check(ebm_sampler_create(NULL, model, n, seed, &sampler));
    check(ebm_sampler_set_noise_start(sampler, EBM_NOISE_NORMAL, 0, 1));
    check(ebm_sampler_get_states(sampler, n, out));
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
}

/* All digits, N_ALL x DIM, labels behind their pixels. */
static void read_digits(const char *folder, float *rows, float *labels) {
    char path[4096];
    float *pixels = malloc(sizeof *pixels * N_ALL * PIXELS);
    if (pixels == NULL) {
        exit(1);
    }
    snprintf(path, sizeof path, "%s/digits-images-idx3-ubyte", folder);
    check(ebm_read_idx(path, 0, N_ALL, PIXELS, pixels));
    snprintf(path, sizeof path, "%s/digits-labels-idx1-ubyte", folder);
    check(ebm_read_idx(path, 0, N_ALL, 1, labels));
    for (int i = 0; i < N_ALL; i++) {
        for (int j = 0; j < PIXELS; j++) {
            rows[i * DIM + j] = PAPER + (INK - PAPER) * pixels[i * PIXELS + j] / (float)MOST_GREY;
        }
        set_label(rows + i * DIM, (int)labels[i]);
    }
    free(pixels);
}

/* COPIES of the training digits with noise on their pixels. */
static float *blur(uint64_t seed, const float *rows) {
    enum { N = N_TRAIN * COPIES };
    float *data = malloc(sizeof *data * N * DIM);
    float *noise = malloc(sizeof *noise * N * PIXELS);
    if (data == NULL || noise == NULL) {
        exit(1);
    }
    draw_normals(seed, (int64_t)N * PIXELS, noise);
    for (int i = 0; i < N; i++) {
        memcpy(data + i * DIM, rows + i % N_TRAIN * DIM, DIM * sizeof *data);
        for (int j = 0; j < PIXELS; j++) {
            data[i * DIM + j] += (float)DATA_NOISE * noise[i * PIXELS + j];
        }
    }
    free(noise);
    return data;
}

/* n chains whose pixels are free and start from uniform noise, and whose labels are held: 0, 1, ... in turn. */
static ebm_sampler *new_sampler(ebm_model *model, int64_t n, uint64_t seed) {
    ebm_sampler *sampler;
    uint8_t is_free[DIM];
    float *x = malloc(sizeof *x * (size_t)(n * DIM));
    for (int j = 0; j < DIM; j++) {
        is_free[j] = j < PIXELS;
    }
    check(ebm_sampler_create(NULL, model, n, seed, &sampler));
    check(ebm_sampler_set_step_size(sampler, STEP_SIZE));
    check(ebm_sampler_set_noise_std(sampler, NOISE_STD));
    check(ebm_sampler_set_grad_clip(sampler, GRAD_CLIP));
    check(ebm_sampler_set_bounds(sampler, (double)PAPER, (double)INK, EBM_BOUNDS_CLAMP));
    check(ebm_sampler_set_noise_start(sampler, EBM_NOISE_UNIFORM, (double)PAPER, (double)INK));
    check(x == NULL ? EBM_ERR_NOMEM : ebm_sampler_get_states(sampler, n, x));
    for (int64_t c = 0; c < n; c++) {
        set_label(x + c * DIM, (int)(c % CLASSES));
    }
    check(ebm_sampler_set_states(sampler, n, x));
    check(ebm_sampler_set_mask(sampler, is_free));
    free(x);
    return sampler;
}

static void train(ebm_model *model, uint64_t seed, const float *data) {
    const int64_t steps_per_epoch = (N_TRAIN * COPIES + BATCH - 1) / BATCH;
    ebm_sampler *sampler = new_sampler(model, N_CHAINS, seed);
    ebm_trainer *trainer;
    double start = seconds();
    check(ebm_sampler_set_start(sampler, EBM_START_PERSISTENT));
    check(ebm_sampler_set_buffer(sampler, N_CHAINS, RESTARTS)); /* a restart draws pixels, and keeps the label */
    check(ebm_trainer_create(NULL, model, sampler, &trainer));
    check(ebm_trainer_set_mcmc_steps(trainer, MCMC_STEPS));
    check(ebm_trainer_set_batch_size(trainer, BATCH));
    check(ebm_trainer_set_learning_rate(trainer, LEARNING_RATE));
    check(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_LEARNING_RATE, EBM_SCHEDULE_LINEAR, 0, EPOCHS * steps_per_epoch,
                                   0.0));
    check(ebm_trainer_set_betas(trainer, 0.0, 0.999));
    check(ebm_trainer_set_energy_penalty(trainer, PENALTY));
    check(ebm_trainer_set_average(trainer, AVERAGE));
    check(ebm_trainer_fit(trainer, N_TRAIN * COPIES, data, EPOCHS));
    check(ebm_trainer_swap_average(trainer)); /* what is sampled is the average */
    printf("trained in %.1f s of processor time\n", seconds() - start);
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
}

/* E(x, y) of digits first .. first + n - 1 with every label y: n x CLASSES. */
static void score(ebm_model *model, const float *rows, int first, int n, double *energy) {
    static float x[N_TRAIN * CLASSES * DIM];
    for (int i = 0; i < n * CLASSES; i++) {
        memcpy(x + i * DIM, rows + (first + i / CLASSES) * DIM, PIXELS * sizeof *x);
        set_label(x + i * DIM, i % CLASSES);
    }
    check(ebm_model_energy(model, (int64_t)n * CLASSES, x, energy));
}

/*
 * Training on p(x | y) leaves E free by a constant for each label, log Z(y). With p(y | x) in proportion to exp(-E(x, y) -
 * offset[y]), these are found from the training digits: the ones for which labels come out as often as they are there.
 */
static void fit_offsets(ebm_model *model, const float *rows, const float *labels, double *offset) {
    enum { ITERATIONS = 200 };
    static double energy[N_TRAIN * CLASSES];
    double share[CLASSES] = {0};
    score(model, rows, 0, N_TRAIN, energy);
    for (int i = 0; i < N_TRAIN; i++) {
        share[(int)labels[i]] += 1;
    }
    for (int iteration = 0; iteration < ITERATIONS; iteration++) {
        double found[CLASSES] = {0};
        for (int i = 0; i < N_TRAIN; i++) {
            const double *e = energy + i * CLASSES;
            double p[CLASSES];
            double sum = 0;
            double least = e[0] + offset[0];
            for (int k = 1; k < CLASSES; k++) {
                least = fmin(least, e[k] + offset[k]);
            }
            for (int k = 0; k < CLASSES; k++) {
                p[k] = exp(least - e[k] - offset[k]);
                sum += p[k];
            }
            for (int k = 0; k < CLASSES; k++) {
                found[k] += p[k] / sum;
            }
        }
        for (int k = 0; k < CLASSES; k++) {
            offset[k] += log(found[k] / share[k]);
        }
    }
}

/* The share of the digits kept back whose label has the least E(x, y) + offset[y]. */
static double accuracy(ebm_model *model, const float *rows, const float *labels, const double *offset) {
    enum { N = N_ALL - N_TRAIN };
    static double energy[N * CLASSES];
    int right = 0;
    score(model, rows, N_TRAIN, N, energy);
    for (int i = 0; i < N; i++) {
        const double *e = energy + i * CLASSES;
        int best = 0;
        for (int k = 1; k < CLASSES; k++) {
            best = e[k] + offset[k] < e[best] + offset[best] ? k : best;
        }
        right += best == (int)labels[N_TRAIN + i];
    }
    return (double)right / N;
}

/* A row for each label. */
static void write_picture(const char *folder, const float *samples) {
    enum { ZOOM = 4, GAP = 4, WIDTH = COLUMNS * (SIDE * ZOOM + GAP) + GAP, HEIGHT = CLASSES * (SIDE * ZOOM + GAP) + GAP };
    static float images[N_SAMPLES * PIXELS];
    char path[4096];
    snprintf(path, sizeof path, "%s/conditional.png", folder);
    for (int c = 0; c < N_SAMPLES; c++) { /* chain c has the label c % CLASSES */
        int place = c % CLASSES * COLUMNS + c / CLASSES;
        memcpy(images + place * PIXELS, samples + c * DIM, PIXELS * sizeof *images);
    }
    picture p = picture_create(WIDTH, HEIGHT, 96);
    picture_draw_grid(&p, GAP, GAP, COLUMNS, CLASSES, SIDE, ZOOM, GAP, PAPER, INK, images);
    if (picture_write_png(&p, path) != 0) {
        fprintf(stderr, "%s: cannot be written\n", path);
        exit(1);
    }
    picture_destroy(&p);
    printf("%s: new digits, a row for each label\n", path);
}

int main(int argc, char **argv) {
    static float rows[N_ALL * DIM];
    static float labels[N_ALL];
    static float samples[N_SAMPLES * DIM];
    ebm_model *model;
    if (argc < 3) {
        fprintf(stderr, "usage: %s <data folder> <output folder> [seed]\n", argv[0]);
        return 2;
    }
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    read_digits(argv[1], rows, labels);
    float *data = blur(seed, rows);
    check(ebm_mlp_create(NULL, DIM, 2, HIDDEN, EBM_ACT_SILU, &model));
    check(ebm_model_init_params(model, seed));
    train(model, seed, data);
    double offset[CLASSES] = {0};
    printf("of %d digits kept back, the label of least energy is right for %.1f %%", N_ALL - N_TRAIN,
           100 * accuracy(model, rows, labels, offset));
    fit_offsets(model, rows, labels, offset);
    printf(", with log Z(y) from the training digits for %.1f %%\n", 100 * accuracy(model, rows, labels, offset));
    ebm_sampler *sampler = new_sampler(model, N_SAMPLES, seed + 1);
    check(ebm_sampler_draw(sampler, 1, GENERATE_STEPS, samples));
    write_picture(argv[2], samples);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    free(data);
    return 0;
}

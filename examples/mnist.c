/* SPDX-License-Identifier: MIT */
/*
 * Trains a convolutional energy on handwritten digits (MNIST, 28 x 28 pixels), draws new ones from noise, and tells digits
 * from what is not one by E. While it trains it says how E does on images that were held out; it may be interrupted
 * (Ctrl-C) or killed, and goes on where it was when it is started again. It leaves in the output folder: the training
 * (training.safetensors, training.csv), the chains of training (chains.png), the model (mnist.safetensors), drawn digits
 * (samples.f32, samples.png). mnist_report.py measures the drawn digits, and two simpler densities beside E.
 *
 * Usage: mnist <training images> <test images> <other images> <output folder> [epochs] [seed] [steps to draw]
 * The first three are idx files, unpacked; the other images (Fashion-MNIST, say) are only scored. OPENBLAS_NUM_THREADS=1
 * in the environment, as the library's own two threads are busy.
 */
#include <ebm/ebm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "idx.h"
#include "picture.h"

enum { SIDE = 28, DIM = SIDE * SIDE, N_HELD_OUT = 1000, N_CHAINS = 64, N_SAMPLES = 1000, FAINT_EVERY = 8 };

/* Pixels are scaled to [-1, 1]: -1 is paper, 1 is ink. */
static const float PAPER = -1.0F, INK = 1.0F;

/* The settings; docs/training.md says what else was tried. */
static const int64_t FILTERS[] = {32, 64}, KERNEL[] = {5, 3}, STRIDE[] = {2, 2}, DENSE[] = {128};
static const double STEP_SIZE = 0.1, NOISE_STD = 0.05, GRAD_CLIP = 1.0, RESTARTS = 0.02;
static const int64_t MCMC_STEPS = 10, BUFFER = 1024, BATCH = 64, SCORE_EVERY = 400;
static const double LEARNING_RATE = 2e-3, DATA_NOISE = 0.05, PENALTY = 0.01, AVERAGE = 0.999;

static ebm_trainer *running;

static void interrupt(int number) {
    (void)number;
    ebm_trainer_request_stop(running); /* one atomic store */
}

static void check(ebm_status status) {
    if (status != EBM_OK) {
        fprintf(stderr, "\n%s: %s\n", ebm_status_string(status), ebm_last_error());
        exit(1);
    }
}

/* Processor time of this process, all threads together. */
static double processor_minutes(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return ((double)now.tv_sec + 1e-9 * (double)now.tv_nsec) / 60;
}

static void *need_memory(size_t size) {
    void *memory = malloc(size);
    if (memory == NULL) {
        fprintf(stderr, "no memory\n");
        exit(1);
    }
    return memory;
}

static ebm_status create_energy(ebm_context *context, ebm_model **out) {
    return ebm_conv_create(context, 1, SIDE, SIDE, 2, FILTERS, KERNEL, STRIDE, EBM_POOL_NONE, 1, DENSE, EBM_ACT_SILU, out);
}

typedef struct run {
    ebm_context *context;
    ebm_model *model;
    ebm_model *scored; /* the same energy, with the averaged parameters */
    ebm_sampler *sampler;
    const char *folder;
    float *train, *test, *other;
    int64_t n_train, n_test, n_other;
    uint64_t seed;
    int64_t total_steps;
    int64_t draw_steps;
} run;

enum { UPSIDE_DOWN, MIRRORED, BLANK, UNIFORM, N_KINDS };
static const char *const KIND_NAMES[N_KINDS] = {"upside-down digits", "mirrored digits", "blank images", "uniform noise"};

/* What is made of n digits to see whether E tells it from them. */
static void make_other(int kind, int64_t n, const float *digits, float *out) {
    uint32_t state = 1;
    for (int64_t i = 0; i < n * DIM; i++) {
        int64_t row = i % DIM / SIDE;
        int64_t column = i % SIDE;
        const float *digit = digits + i / DIM * DIM;
        state = state * 1664525U + 1013904223U; /* Numerical Recipes (1992), ch. 7.1 */
        out[i] = kind == UPSIDE_DOWN ? digit[(SIDE - 1 - row) * SIDE + column]
                 : kind == MIRRORED  ? digit[row * SIDE + SIDE - 1 - column]
                 : kind == BLANK     ? PAPER
                                     : PAPER + (INK - PAPER) * (float)(state >> 8) / 16777216.0F;
    }
}

/* How well E tells m others from n digits: 1 is always, 0.5 is chance. */
static double tell(ebm_model *energy, int64_t n, const float *digits, int64_t m, const float *others) {
    double *e = need_memory((size_t)(n + m) * sizeof *e);
    double auroc;
    check(ebm_model_energy(energy, n, digits, e));
    check(ebm_model_energy(energy, m, others, e + n));
    check(ebm_auroc(NULL, n, e, m, e + n, &auroc));
    free(e);
    return auroc;
}

static double tell_kind(ebm_model *energy, int kind, int64_t n, const float *digits) {
    float *others = need_memory((size_t)(n * DIM) * sizeof *others);
    make_other(kind, n, digits, others);
    double auroc = tell(energy, n, digits, n, others);
    free(others);
    return auroc;
}

static void write_picture(const char *folder, const char *name, const float *left, const float *right) {
    enum { COLUMNS = 10, ROWS = 6, ZOOM = 1, GAP = 2, GRID = COLUMNS * (SIDE * ZOOM + GAP) + GAP, SPACE = 16, GREY = 96 };
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    picture p = picture_create(2 * GRID + SPACE, ROWS * (SIDE * ZOOM + GAP) + GAP, GREY);
    picture_draw_grid(&p, GAP, GAP, COLUMNS, ROWS, SIDE, ZOOM, GAP, PAPER, INK, left);
    picture_draw_grid(&p, GRID + SPACE + GAP, GAP, COLUMNS, ROWS, SIDE, ZOOM, GAP, PAPER, INK, right);
    if (picture_write_png(&p, path) != 0) {
        fprintf(stderr, "\n%s: cannot be written\n", path);
        exit(1);
    }
    picture_destroy(&p);
}

/*
 * Most restarts are uniform noise; it has much ink, and chains that start there hardly come by images with little of it.
 * So every FAINT_EVERY-th step restarts from faint noise of any strength around paper (see digits.c).
 */
static void choose_restarts(ebm_sampler *sampler, int64_t step) {
    if (step % FAINT_EVERY == 0) {
        double strength = (double)(step / FAINT_EVERY * 37 % 100 + 1) / 100;
        check(ebm_sampler_set_noise_start(sampler, EBM_NOISE_NORMAL, (double)PAPER, strength));
    } else {
        check(ebm_sampler_set_noise_start(sampler, EBM_NOISE_UNIFORM, (double)PAPER, (double)INK));
    }
}

/* How E does on the held-out images, with the averaged parameters; and the chains as they stand. */
static void look(const run *r, const ebm_trainer *trainer, int64_t steps) {
    int64_t n_params = ebm_model_param_count(r->model);
    float *params = need_memory((size_t)n_params * sizeof *params);
    float *chains = need_memory((size_t)N_CHAINS * DIM * sizeof *chains);
    const float *held_out = r->train + r->n_train * DIM;
    check(ebm_trainer_get_average_params(trainer, n_params, params));
    check(ebm_model_set_params(r->scored, n_params, params));
    check(ebm_sampler_get_states(r->sampler, N_CHAINS, chains));
    write_picture(r->folder, "chains.png", chains, held_out);
    printf("\rstep %6lld, %6.1f min of processor time: held-out digits from upside-down %.3f, mirrored %.3f, blank %.3f\n",
           (long long)steps, processor_minutes(), tell_kind(r->scored, UPSIDE_DOWN, N_HELD_OUT, held_out),
           tell_kind(r->scored, MIRRORED, N_HELD_OUT, held_out), tell_kind(r->scored, BLANK, N_HELD_OUT, held_out));
    fflush(stdout);
    free(params);
    free(chains);
}

static int32_t show_progress(const ebm_trainer *trainer, void *user_data) {
    const run *r = user_data;
    int64_t steps;
    double of_data, gap, grad_norm;
    check(ebm_trainer_get_steps(trainer, &steps));
    check(ebm_trainer_get_energy_data(trainer, &of_data));
    check(ebm_trainer_get_gap(trainer, &gap));
    check(ebm_trainer_get_grad_norm(trainer, &grad_norm));
    choose_restarts(r->sampler, steps);
    if (steps % 10 == 0) {
        fprintf(stderr, "\rstep %6lld of %lld   E of data %9.3f   above samples' by %8.3f   gradient %8.2f ", (long long)steps,
                (long long)r->total_steps, of_data, gap, grad_norm);
    }
    if (steps % SCORE_EVERY == 0 || steps == r->total_steps) {
        look(r, trainer, steps);
    }
    return EBM_CB_OK;
}

static void set_up_sampler(ebm_sampler *sampler) {
    check(ebm_sampler_set_step_size(sampler, STEP_SIZE));
    check(ebm_sampler_set_noise_std(sampler, NOISE_STD));
    check(ebm_sampler_set_grad_clip(sampler, GRAD_CLIP));
    check(ebm_sampler_set_bounds(sampler, (double)PAPER, (double)INK, EBM_BOUNDS_CLAMP));
    check(ebm_sampler_set_noise_start(sampler, EBM_NOISE_UNIFORM, (double)PAPER, (double)INK));
}

/* 1 when training is finished, 0 when it was interrupted. */
static int train(run *r, int64_t epochs) {
    char checkpoint[4096], log[4096];
    int64_t done;
    ebm_trainer *trainer;
    snprintf(checkpoint, sizeof checkpoint, "%s/training.safetensors", r->folder);
    snprintf(log, sizeof log, "%s/training.csv", r->folder);
    check(ebm_sampler_create(r->context, r->model, N_CHAINS, r->seed, &r->sampler));
    set_up_sampler(r->sampler);
    check(ebm_sampler_set_start(r->sampler, EBM_START_PERSISTENT));
    check(ebm_sampler_set_buffer(r->sampler, BUFFER, RESTARTS));
    check(ebm_trainer_create(r->context, r->model, r->sampler, &trainer));
    check(ebm_trainer_set_mcmc_steps(trainer, MCMC_STEPS));
    check(ebm_trainer_set_batch_size(trainer, BATCH));
    check(ebm_trainer_set_learning_rate(trainer, LEARNING_RATE));
    check(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_LEARNING_RATE, EBM_SCHEDULE_LINEAR, 0, r->total_steps, 0.01));
    check(ebm_trainer_set_betas(trainer, 0.0, 0.999));
    check(ebm_trainer_set_energy_penalty(trainer, PENALTY));
    check(ebm_trainer_set_data_noise(trainer, DATA_NOISE));
    check(ebm_trainer_set_average(trainer, AVERAGE));
    ebm_status status = ebm_trainer_load(trainer, checkpoint);
    if (status != EBM_ERR_IO) { /* that is: there is no such file, and training begins */
        check(status);
    }
    check(ebm_trainer_set_autosave(trainer, checkpoint, 0, 60.0, 2));
    check(ebm_trainer_set_log_file(trainer, log, EBM_LOG_CSV));
    check(ebm_trainer_set_progress(trainer, show_progress, r, 1));
    check(ebm_trainer_get_epochs(trainer, &done));
    running = trainer;
    signal(SIGINT, interrupt);
    status = ebm_trainer_fit(trainer, r->n_train, r->train, done < epochs ? epochs - done : 0);
    signal(SIGINT, SIG_DFL);
    check(ebm_trainer_save(trainer, checkpoint));
    if (status != EBM_ERR_STOPPED) {
        check(status);
        check(ebm_trainer_swap_average(trainer)); /* what is saved, sampled and scored is the average */
    }
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(r->sampler);
    fprintf(stderr, "\n");
    return status == EBM_OK;
}

/* New digits: fresh chains from noise, each run for the same number of steps. */
static void generate(const run *r) {
    char path[4096];
    ebm_sampler *sampler;
    float *samples = need_memory((size_t)N_SAMPLES * DIM * sizeof *samples);
    check(ebm_sampler_create(r->context, r->model, N_SAMPLES, r->seed + 1, &sampler));
    set_up_sampler(sampler);
    check(ebm_sampler_draw(sampler, 1, r->draw_steps, samples));
    ebm_sampler_destroy(sampler);
    write_picture(r->folder, "samples.png", samples, r->test);
    snprintf(path, sizeof path, "%s/samples.f32", r->folder);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(samples, sizeof *samples, (size_t)N_SAMPLES * DIM, file) != (size_t)N_SAMPLES * DIM ||
        fclose(file) != 0) {
        fprintf(stderr, "%s: cannot be written\n", path);
        exit(1);
    }
    printf("%s/samples.png: digits drawn from noise, %lld steps, on the left; real ones on the right\n", r->folder,
           (long long)r->draw_steps);
    free(samples);
}

static void print_table(const run *r) {
    printf("\nTelling %lld test digits from others by E (AUROC: 1 is always, 0.5 is chance)\n", (long long)r->n_test);
    for (int kind = 0; kind < N_KINDS; kind++) {
        printf("  %-26s%8.4f\n", KIND_NAMES[kind], tell_kind(r->model, kind, r->n_test, r->test));
    }
    printf("  %-26s%8.4f\n", "the other images", tell(r->model, r->n_test, r->test, r->n_other, r->other));
    printf("  %-26s%8.4f   (0.5: nothing is learnt by heart)\n", "from training digits",
           tell(r->model, r->n_train, r->train, r->n_test, r->test));
}

static float *read_images(const char *path, int64_t *n) {
    int64_t n_pixels;
    float *images = idx_read_images(path, PAPER, INK, 255.0F, n, &n_pixels);
    if (images == NULL || n_pixels != DIM || *n < N_CHAINS) {
        fprintf(stderr, "%s: %d images or more of 28 x 28 pixels are needed\n", path, (int)N_CHAINS);
        exit(1);
    }
    return images;
}

int main(int argc, char **argv) {
    if (argc < 5) {
        fprintf(stderr, "usage: %s <training images> <test images> <other images> <output folder> [epochs] [seed] [steps to draw]\n",
                argv[0]);
        return 2;
    }
    run r = {.folder = argv[4], .seed = argc > 6 ? strtoull(argv[6], NULL, 10) : 1};
    int64_t epochs = argc > 5 ? strtoll(argv[5], NULL, 10) : 100;
    r.draw_steps = argc > 7 ? strtoll(argv[7], NULL, 10) : 2000;
    r.train = read_images(argv[1], &r.n_train);
    r.test = read_images(argv[2], &r.n_test);
    r.other = read_images(argv[3], &r.n_other);
    r.n_train -= N_HELD_OUT;
    if (r.n_train < 1) {
        fprintf(stderr, "%s: more than %d images are needed, which are held out\n", argv[1], (int)N_HELD_OUT);
        return 1;
    }
    r.total_steps = epochs * ((r.n_train + BATCH - 1) / BATCH);
    check(ebm_context_create(&r.context));
    check(ebm_context_set_threads(r.context, 2));
    check(create_energy(r.context, &r.model));
    check(create_energy(r.context, &r.scored));
    check(ebm_model_init_params(r.model, r.seed));
    int finished = train(&r, epochs);
    if (finished) {
        char path[4096];
        snprintf(path, sizeof path, "%s/mnist.safetensors", r.folder);
        check(ebm_model_save(r.model, path));
        printf("%s: the model, %lld parameters\n", path, (long long)ebm_model_param_count(r.model));
        generate(&r);
        print_table(&r);
    } else {
        printf("interrupted: start it again to go on\n");
    }
    ebm_model_destroy(r.model);
    ebm_model_destroy(r.scored);
    ebm_context_destroy(r.context);
    free(r.train);
    free(r.test);
    free(r.other);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Fits six sets of points in the plane by every objective, and measures each fit where it can be measured exactly: with Z
 * by quadrature over a grid, the mean log density of points that no training has seen. Leaves in the output folder a
 * sheet of densities (toys2d.png: a row for each set; the points, then each objective), the points (<set>-train.csv,
 * <set>-validation.csv, <set>-test.csv) and the figures (toys2d.csv). toys2d_mixture.py fits a mixture of 50 Gaussians
 * to the same points.
 *
 * Usage: toys2d <output folder> [seed [share of the full number of steps]]
 */
#include <ebm/ebm.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "picture.h"
#include "toys2d_fit.h"

enum { N_OBJECTIVES = 4, N_JOBS = SETS2D_COUNT * N_OBJECTIVES, N_THREADS = 2 };
enum { TRAIN, VALIDATION, TEST, N_PARTS };

static const char *const PART_NAMES[N_PARTS] = {"train", "validation", "test"};
static const int64_t PART_SIZES[N_PARTS] = {10000, 10000, 20000};

/* In the order of the columns. */
static const int OBJECTIVES[N_OBJECTIVES] = {EBM_OBJECTIVE_LIKELIHOOD, EBM_OBJECTIVE_DENOISING_SCORE_MATCHING,
                                             EBM_OBJECTIVE_SLICED_SCORE_MATCHING, EBM_OBJECTIVE_NOISE_CONTRASTIVE};
static const char *const OBJECTIVE_NAMES[N_OBJECTIVES] = {"likelihood", "denoising", "sliced", "contrastive"};

typedef struct job {
    int set, objective; /* column */
    bool done;
    double of_part[N_PARTS]; /* mean log density */
    double mass[SETS2D_MOST_MODES + 1];
    double seconds; /* of processor time */
    double density[TOYS2D_CELLS];
} job;

static float *points[SETS2D_COUNT][N_PARTS];
static job jobs[N_JOBS];
static atomic_int next_job;
static uint64_t seed = 1;
static double share = 1;

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void *need(void *memory) {
    if (memory == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return memory;
}

static ebm_status fit(job *j) {
    float **x = points[j->set];
    ebm_model *model = NULL;
    double log_z = NAN;
    ebm_status status = toys2d_create(NULL, seed, &model);
    if (status == EBM_OK) {
        status = toys2d_train(NULL, model, OBJECTIVES[j->objective], share, seed, PART_SIZES[TRAIN], x[TRAIN]);
    }
    if (status == EBM_OK) {
        status = toys2d_density(model, &log_z, j->density);
    }
    for (int part = 0; part < N_PARTS && status == EBM_OK; part++) {
        status = toys2d_log_likelihood(model, log_z, PART_SIZES[part], x[part], &j->of_part[part]);
    }
    ebm_model_destroy(model);
    return status;
}

/* Trainings know nothing of each other, so each thread takes the next that is due. */
static void *work(void *unused) {
    (void)unused;
    for (int i = atomic_fetch_add(&next_job, 1); i < N_JOBS; i = atomic_fetch_add(&next_job, 1)) {
        job *j = &jobs[i];
        double start = seconds(CLOCK_THREAD_CPUTIME_ID);
        j->set = i % SETS2D_COUNT;
        j->objective = i / SETS2D_COUNT;
        ebm_status status = fit(j);
        j->seconds = seconds(CLOCK_THREAD_CPUTIME_ID) - start;
        j->done = status == EBM_OK;
        if (j->done) {
            toys2d_masses(j->set, j->density, j->mass);
            fprintf(stderr, "%s by %s: %.1f s\n", sets2d_name(j->set), OBJECTIVE_NAMES[j->objective], j->seconds);
        } else {
            fprintf(stderr, "%s by %s: %s: %s\n", sets2d_name(j->set), OBJECTIVE_NAMES[j->objective],
                    ebm_status_string(status), ebm_last_error());
        }
    }
    return NULL;
}

static void run_jobs(void) {
    pthread_t threads[N_THREADS];
    for (int i = 0; i < N_THREADS; i++) {
        if (pthread_create(&threads[i], NULL, work, NULL) != 0) {
            fprintf(stderr, "no thread can be made\n");
            exit(1);
        }
    }
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static FILE *open_file(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fprintf(stderr, "%s: cannot be written\n", path);
        exit(1);
    }
    return file;
}

static void make_points(const char *folder) {
    for (int set = 0; set < SETS2D_COUNT; set++) {
        for (int part = 0; part < N_PARTS; part++) {
            char name[64];
            int64_t n = PART_SIZES[part];
            float *x = points[set][part] = need(malloc((size_t)n * 2 * sizeof *x));
            sets2d_draw(set, (uint64_t)(1000 * (set + 1) + part), n, x);
            snprintf(name, sizeof name, "%s-%s.csv", sets2d_name(set), PART_NAMES[part]);
            FILE *file = open_file(folder, name);
            for (int64_t i = 0; i < n; i++) {
                fprintf(file, "%.9g,%.9g\n", (double)x[2 * i], (double)x[2 * i + 1]);
            }
            fclose(file);
        }
    }
}

/* The mean log density under the density that the points were drawn from: what no model can beat but by chance. */
static double best_possible(int set, int part) {
    double mean = 0;
    for (int64_t i = 0; i < PART_SIZES[part]; i++) {
        int mode;
        mean += sets2d_log_density(set, points[set][part] + 2 * i, &mode) / (double)PART_SIZES[part];
    }
    return mean;
}

static void print_likelihoods(const char *folder) {
    FILE *file = open_file(folder, "toys2d.csv");
    printf("mean log density of the test points\n%-16s%12s", "", "truth");
    fprintf(file, "set,objective,train,validation,test,seconds\n");
    for (int o = 0; o < N_OBJECTIVES; o++) {
        printf("%12s", OBJECTIVE_NAMES[o]);
    }
    for (int set = 0; set < SETS2D_COUNT; set++) {
        double best[N_PARTS];
        for (int part = 0; part < N_PARTS; part++) {
            best[part] = best_possible(set, part);
        }
        printf("\n%-16s%12.3f", sets2d_name(set), best[TEST]);
        fprintf(file, "%s,truth,%.5f,%.5f,%.5f,0\n", sets2d_name(set), best[TRAIN], best[VALIDATION], best[TEST]);
        for (int o = 0; o < N_OBJECTIVES; o++) {
            const job *j = &jobs[o * SETS2D_COUNT + set];
            printf("%12.3f", j->done ? j->of_part[TEST] : NAN);
            if (j->done) {
                fprintf(file, "%s,%s,%.5f,%.5f,%.5f,%.1f\n", sets2d_name(set), OBJECTIVE_NAMES[o], j->of_part[TRAIN],
                        j->of_part[VALIDATION], j->of_part[TEST], j->seconds);
            }
        }
    }
    printf("\n");
    fclose(file);
}

/* 1 is right; 0 is a mode that is lost. */
static void print_masses(void) {
    printf("\nleast and largest mass of a mode beside its share of the points; mass outside all modes\n");
    for (int set = 0; set < SETS2D_COUNT; set++) {
        int n_modes = sets2d_mode_count(set);
        double of_points[SETS2D_MOST_MODES + 1];
        toys2d_shares(set, PART_SIZES[TEST], points[set][TEST], of_points);
        printf("%-16s", sets2d_name(set));
        for (int o = 0; o < N_OBJECTIVES; o++) {
            const job *j = &jobs[o * SETS2D_COUNT + set];
            double least = INFINITY;
            double largest = 0;
            for (int m = 0; m < n_modes; m++) {
                least = fmin(least, j->mass[m] / of_points[m]);
                largest = fmax(largest, j->mass[m] / of_points[m]);
            }
            printf("   %.2f %.2f %.3f", least, largest, j->mass[n_modes]);
        }
        printf("\n");
    }
}

/* Brightness by the square root of the density, so that thin parts are seen; 1 is the largest of the row's points. */
enum { PANEL = TOYS2D_GRID / 2, GAP = 6 };

static void count_points(int set, double *density) {
    const double cell = 2 * SETS2D_BOX / PANEL;
    const float *x = points[set][TEST];
    memset(density, 0, PANEL * PANEL * sizeof *density);
    for (int64_t i = 0; i < PART_SIZES[TEST]; i++) {
        int column = (int)floor(((double)x[2 * i] + SETS2D_BOX) / cell);
        int row = (int)floor((SETS2D_BOX - (double)x[2 * i + 1]) / cell);
        if (column >= 0 && column < PANEL && row >= 0 && row < PANEL) {
            density[row * PANEL + column] += 1 / ((double)PART_SIZES[TEST] * cell * cell);
        }
    }
}

static void shrink(const double *full, double *density) {
    for (int i = 0; i < PANEL * PANEL; i++) {
        const double *corner = full + 2 * (i / PANEL) * TOYS2D_GRID + 2 * (i % PANEL);
        density[i] = (corner[0] + corner[1] + corner[TOYS2D_GRID] + corner[TOYS2D_GRID + 1]) / 4;
    }
}

static double brightest(int set) {
    double most = 0;
    for (int64_t i = 0; i < PART_SIZES[VALIDATION]; i++) {
        int mode;
        most = fmax(most, sets2d_log_density(set, points[set][VALIDATION] + 2 * i, &mode));
    }
    return exp(most);
}

static void draw_panel(picture *p, int row, int column, const double *density, double brightest_density) {
    static float grey[PANEL * PANEL];
    for (int i = 0; i < PANEL * PANEL; i++) {
        grey[i] = (float)sqrt(density[i] / brightest_density);
    }
    picture_draw_grid(p, GAP + column * (PANEL + GAP), GAP + row * (PANEL + GAP), 1, 1, PANEL, 1, 0, 0.0F, 1.0F, grey);
}

static void write_sheet(const char *folder) {
    enum { GREY = 96 };
    static double density[PANEL * PANEL];
    char path[4096];
    picture p = picture_create(GAP + (1 + N_OBJECTIVES) * (PANEL + GAP), GAP + SETS2D_COUNT * (PANEL + GAP), GREY);
    for (int set = 0; set < SETS2D_COUNT; set++) {
        double most = brightest(set);
        count_points(set, density);
        draw_panel(&p, set, 0, density, most);
        for (int o = 0; o < N_OBJECTIVES; o++) {
            shrink(jobs[o * SETS2D_COUNT + set].density, density);
            draw_panel(&p, set, 1 + o, density, most);
        }
    }
    snprintf(path, sizeof path, "%s/toys2d.png", folder);
    if (picture_write_png(&p, path) != 0) {
        fprintf(stderr, "%s: cannot be written\n", path);
        exit(1);
    }
    picture_destroy(&p);
    printf("\n%s: points, then %s, %s, %s, %s\n", path, OBJECTIVE_NAMES[0], OBJECTIVE_NAMES[1], OBJECTIVE_NAMES[2],
           OBJECTIVE_NAMES[3]);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s <output folder> [seed [share of the full number of steps]]\n", argv[0]);
        return 2;
    }
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : seed;
    share = argc > 3 ? strtod(argv[3], NULL) : share;
    double start = seconds(CLOCK_MONOTONIC);
    int failed = 0;
    make_points(argv[1]);
    run_jobs();
    print_likelihoods(argv[1]);
    print_masses();
    write_sheet(argv[1]);
    for (int set = 0; set < SETS2D_COUNT; set++) {
        for (int part = 0; part < N_PARTS; part++) {
            free(points[set][part]);
        }
    }
    for (int i = 0; i < N_JOBS; i++) {
        failed += !jobs[i].done;
    }
    printf("seed %llu: %d of %d trainings failed; %.0f s\n", (unsigned long long)seed, failed, N_JOBS,
           seconds(CLOCK_MONOTONIC) - start);
    return failed != 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Three lessons on a double well, E(x) = b (x^2 - 1)^2:
 *   1. Langevin steps are biased by their size: their density is not exp(-E).
 *   2. MALA, the same steps accepted or rejected, is exact at any size.
 *   3. Neither crosses a high barrier; with hotter replicas beside it (parallel tempering) the same kernel does.
 *
 * Usage: double_well [output folder]: prints what it found, and leaves double_well_density.csv and
 * double_well_trace.csv there, for plots.py.
 */
#include <ebm/ebm.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double LOW_BARRIER = 2, HIGH_BARRIER = 14, LARGE_STEP = 0.05, SMALL_STEP = 0.02;
/* Far out the gradient grows like x^3, and steps of this size would fly off to infinity. */
static const double GRAD_CLIP = 40;

enum { CHAINS = 1000, DRAWS = 1000, BURN_IN = 500, BINS = 80, RUNGS = 6, TRACE = 2000 };

static const double EDGE = 2; /* the histograms go from -EDGE to EDGE */

static void check(ebm_status status) {
    if (status != EBM_OK) {
        fprintf(stderr, "%s: %s\n", ebm_status_string(status), ebm_last_error());
        exit(1);
    }
}

static ebm_sampler *create_sampler(double barrier, int64_t n_chains, int32_t kernel, double step_size) {
    ebm_model *model;
    ebm_sampler *sampler;
    check(ebm_double_well_create(NULL, 1, barrier, &model));
    check(ebm_sampler_create(NULL, model, n_chains, 1, &sampler));
    ebm_model_destroy(model); /* the sampler keeps it */
    check(ebm_sampler_set_kernel(sampler, kernel));
    check(ebm_sampler_set_step_size(sampler, step_size));
    return sampler;
}

/* exp(-E) / Z at the middle of each bin, and the mean of x^2, by the midpoint rule on a fine grid. */
static double exact(double *density) {
    enum { FINE = 1000 };
    double z = 0;
    double square = 0;
    double width = 2 * EDGE / BINS;
    for (int i = 0; i < BINS * FINE; i++) {
        double x = -EDGE + (i + 0.5) * width / FINE;
        double weight = exp(-LOW_BARRIER * (x * x - 1) * (x * x - 1));
        z += weight;
        square += weight * x * x;
        if (i % FINE == FINE / 2) {
            density[i / FINE] = weight;
        }
    }
    for (int b = 0; b < BINS; b++) {
        density[b] /= z * width / FINE;
    }
    return square / z;
}

/* Adds each draw to the histogram, as it comes: none is kept. */
typedef struct histogram {
    double density[BINS];
    double square; /* mean of x^2 */
} histogram;

static int32_t add_draw(int64_t draw, int64_t n_chains, int64_t dim, const float *x, void *user_data) {
    histogram *h = user_data;
    double share = 1.0 / ((double)DRAWS * (double)n_chains);
    for (int64_t c = 0; c < n_chains; c++) {
        double bin = floor(((double)x[c] + EDGE) / (2 * EDGE) * BINS);
        if (bin >= 0 && bin < BINS) {
            h->density[(int)bin] += share / (2 * EDGE / BINS);
        }
        h->square += share * (double)x[c] * (double)x[c];
    }
    (void)draw;
    (void)dim;
    return EBM_CB_OK;
}

static histogram sample(int32_t kernel) {
    histogram h = {{0}, 0};
    ebm_sampler *sampler = create_sampler(LOW_BARRIER, CHAINS, kernel, LARGE_STEP);
    check(ebm_sampler_set_grad_clip(sampler, GRAD_CLIP));
    check(ebm_sampler_run(sampler, BURN_IN));
    check(ebm_sampler_draw_each(sampler, DRAWS, 1, add_draw, &h));
    ebm_sampler_destroy(sampler);
    return h;
}

static FILE *open_csv(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    return file;
}

static void close_csv(FILE *file) {
    if (fclose(file) != 0) {
        perror("csv");
        exit(1);
    }
}

static void show_bias(const char *folder) {
    double density[BINS];
    double square = exact(density);
    histogram langevin = sample(EBM_KERNEL_LANGEVIN);
    histogram mala = sample(EBM_KERNEL_MALA);
    printf("mean of x^2, barrier %g, step size %g: exact %.4f, Langevin %.4f, MALA %.4f\n", LOW_BARRIER, LARGE_STEP,
           square, langevin.square, mala.square);
    FILE *file = open_csv(folder, "double_well_density.csv");
    fprintf(file, "x,exact,langevin,mala\n");
    for (int b = 0; b < BINS; b++) {
        fprintf(file, "%.6g,%.6g,%.6g,%.6g\n", -EDGE + (b + 0.5) * 2 * EDGE / BINS, density[b], langevin.density[b],
                mala.density[b]);
    }
    close_csv(file);
}

/* One chain that starts in the left well; ladder NULL: none. Returns how often it is seen to change wells. */
static int follow(const double *ladder, float *trace) {
    ebm_sampler *sampler = create_sampler(HIGH_BARRIER, 1, EBM_KERNEL_MALA, SMALL_STEP);
    check(ebm_sampler_set_ladder(sampler, ladder == NULL ? 1 : RUNGS, ladder));
    check(ebm_sampler_set_states(sampler, 1, (const float[]){-1}));
    check(ebm_sampler_draw(sampler, TRACE, 1, trace));
    if (ladder != NULL) {
        double rates[RUNGS - 1];
        int64_t trips;
        check(ebm_sampler_get_swap_rates(sampler, RUNGS - 1, rates));
        check(ebm_sampler_get_round_trips(sampler, &trips));
        printf("swap rates");
        for (int r = 0; r < RUNGS - 1; r++) {
            printf(" %.2f", rates[r]);
        }
        printf(", round trips %lld\n", (long long)trips);
    }
    ebm_sampler_destroy(sampler);
    int crossings = 0;
    float side = -1;
    for (int t = 0; t < TRACE; t++) {
        if (trace[t] * side < -0.5F) { /* well inside the other well */
            side = -side;
            crossings++;
        }
    }
    return crossings;
}

static void show_crossing(const char *folder) {
    static float alone[TRACE], tempered[TRACE];
    static const double ladder[RUNGS] = {1, 1.5, 2.2, 3.2, 4.7, 7};
    int alone_crossings = follow(NULL, alone);
    int tempered_crossings = follow(ladder, tempered);
    printf("barrier %g, %d steps of MALA: %d crossings alone, %d with %d temperatures\n", HIGH_BARRIER, TRACE,
           alone_crossings, tempered_crossings, RUNGS);
    FILE *file = open_csv(folder, "double_well_trace.csv");
    fprintf(file, "step,alone,tempered\n");
    for (int t = 0; t < TRACE; t++) {
        fprintf(file, "%d,%.6g,%.6g\n", t + 1, (double)alone[t], (double)tempered[t]);
    }
    close_csv(file);
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : ".";
    show_bias(folder);
    show_crossing(folder);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Every kernel on the same energy, a banana: E(x) = x0^2 / 2 + (x1 - x0^2)^2 / (2 * 0.3^2). Leaves kernels.csv in
 * the output folder, for plots.py: 150 steps of one chain of each, all from one start, with what a step
 * of it costs.
 *
 * Usage: kernels [output folder]
 */
#include <ebm/ebm.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIM = 2, STEPS = 150 };

static const double WIDTH = 0.3;
static const float START[DIM] = {-1.5F, 2.25F};

static void check(ebm_status status) {
    if (status != EBM_OK) {
        fprintf(stderr, "%s: %s\n", ebm_status_string(status), ebm_last_error());
        exit(1);
    }
}

/* Counts the rows that it is asked for. */
static int32_t energy(int64_t n, int64_t dim, const float *x, const float *theta, double *e, float *grad_x,
                      void *user_data) {
    *(int64_t *)user_data += n;
    for (int64_t i = 0; i < n; i++) {
        double a = (double)x[i * dim];
        double b = ((double)x[i * dim + 1] - a * a) / (WIDTH * WIDTH);
        if (e != NULL) {
            e[i] = a * a / 2 + b * b * WIDTH * WIDTH / 2;
        }
        if (grad_x != NULL) {
            grad_x[i * dim] = (float)(a - 2 * a * b);
            grad_x[i * dim + 1] = (float)b;
        }
    }
    (void)theta;
    return EBM_CB_OK;
}

typedef struct shown {
    const char *name;
    int32_t kernel;
    double step_size;
} shown;

/* Step sizes that suit the narrow arms of the banana, which the start is in. */
static const shown KERNELS[] = {
    {"Langevin", EBM_KERNEL_LANGEVIN, 0.01},
    {"MALA", EBM_KERNEL_MALA, 0.015},
    {"random walk", EBM_KERNEL_RANDOM_WALK, 0.04},
    {"underdamped", EBM_KERNEL_UNDERDAMPED, 0.1},
    {"underdamped, adjusted", EBM_KERNEL_UNDERDAMPED_ADJUSTED, 0.1},
    {"HMC", EBM_KERNEL_HMC, 0.1},
    {"NUTS", EBM_KERNEL_NUTS, 0.1},
};
enum { N_KERNELS = sizeof KERNELS / sizeof *KERNELS };

static void show(const shown *k, FILE *file) {
    float states[STEPS * DIM];
    int64_t rows = 0;
    double acceptance;
    ebm_model *model;
    ebm_sampler *sampler;
    check(ebm_model_create(NULL, DIM, energy, NULL, &rows, &model));
    check(ebm_sampler_create(NULL, model, 1, 4, &sampler));
    check(ebm_sampler_set_kernel(sampler, k->kernel));
    check(ebm_sampler_set_step_size(sampler, k->step_size));
    check(ebm_sampler_set_states(sampler, 1, START));
    check(ebm_sampler_draw(sampler, STEPS, 1, states));
    check(ebm_sampler_get_acceptance(sampler, &acceptance));
    printf("%-22s step size %.2f, acceptance %.2f, %5.1f evaluations a step\n", k->name, k->step_size, acceptance,
           (double)rows / STEPS);
    for (int t = -1; t < STEPS; t++) {
        const float *x = t < 0 ? START : states + t * DIM;
        fprintf(file, "\"%s\",%.6g,%.6g,%.3g\n", k->name, (double)x[0], (double)x[1], (double)rows / STEPS);
    }
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
}

int main(int argc, char **argv) {
    char path[4096];
    snprintf(path, sizeof path, "%s/kernels.csv", argc > 1 ? argv[1] : ".");
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    fprintf(file, "kernel,x0,x1,evaluations\n");
    for (int k = 0; k < N_KERNELS; k++) {
        show(&KERNELS[k], file);
    }
    if (fclose(file) != 0) {
        perror(path);
        return 1;
    }
    return 0;
}

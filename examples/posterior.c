/* SPDX-License-Identifier: MIT */
/*
 * Eight schools (Rubin 1981; Gelman et al., Bayesian Data Analysis, sec. 5.5): the effect y_j of coaching in school
 * j is measured with a known error s_j; y_j ~ N(theta_j, s_j), theta_j ~ N(mu, tau), mu ~ N(0, 5), tau ~
 * half-Cauchy(0, 5). Sampled by NUTS in the non-centred form, theta_j = mu + tau eta_j.
 *
 * The energy is written in natural coordinates, tau > 0; ebm_transformed_create takes the sampler to log tau and back.
 *
 * Usage: posterior [output folder]: prints the summaries, and leaves posterior.csv there, for plots.py.
 */
#include <ebm/ebm.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCHOOLS = 8, MU = 0, TAU = 1, ETA = 2, DIM = 2 + SCHOOLS, CHAINS = 4, WARM_UP = 1000, DRAWS = 1000 };
enum { ROWS = DRAWS * CHAINS, TABLE_BYTES = 128 * (DIM + 16), NAME_BYTES = 16 };

static const double Y[SCHOOLS] = {28, 8, -3, 7, -1, 1, 18, 12};
static const double S[SCHOOLS] = {15, 10, 16, 11, 9, 11, 10, 18};

static void check(ebm_status status) {
    if (status != EBM_OK) {
        fprintf(stderr, "%s: %s\n", ebm_status_string(status), ebm_last_error());
        exit(1);
    }
}

/* -log of the joint density of the parameters and y, up to a constant, and its gradient. */
static double one_energy(const float *x, float *grad) {
    double mu = (double)x[MU];
    double tau = (double)x[TAU];
    double energy = mu * mu / 50 + log1p(tau * tau / 25);
    double to_mu = mu / 25;
    double to_tau = 2 * tau / (25 + tau * tau);
    for (int j = 0; j < SCHOOLS; j++) {
        double eta = (double)x[ETA + j];
        double residual = (mu + tau * eta - Y[j]) / S[j];
        energy += (eta * eta + residual * residual) / 2;
        to_mu += residual / S[j];
        to_tau += eta * residual / S[j];
        if (grad != NULL) {
            grad[ETA + j] = (float)(eta + tau * residual / S[j]);
        }
    }
    if (grad != NULL) {
        grad[MU] = (float)to_mu;
        grad[TAU] = (float)to_tau;
    }
    return energy;
}

static int32_t energy(int64_t n, int64_t dim, const float *x, const float *theta, double *e, float *grad_x,
                      void *user_data) {
    for (int64_t i = 0; i < n; i++) {
        double value = one_energy(x + i * dim, grad_x == NULL ? NULL : grad_x + i * dim);
        if (e != NULL) {
            e[i] = value;
        }
    }
    (void)theta;
    (void)user_data;
    return EBM_CB_OK;
}

static ebm_model *create_posterior(void) {
    static const int32_t kinds[] = {EBM_TRANSFORM_NONE, EBM_TRANSFORM_LOWER, EBM_TRANSFORM_NONE};
    static const int64_t sizes[] = {1, 1, SCHOOLS};
    static const double least[] = {0, 0, 0};
    ebm_model *natural;
    ebm_model *model;
    check(ebm_model_create(NULL, DIM, energy, NULL, NULL, &natural));
    check(ebm_transformed_create(NULL, natural, 3, kinds, sizes, least, NULL, &model));
    ebm_model_destroy(natural); /* the transformed model keeps it as long as it is needed */
    return model;
}

/* From eta to the schools' effects theta, in place. */
static void to_effects(float *x) {
    for (int64_t r = 0; r < ROWS; r++) {
        for (int j = 0; j < SCHOOLS; j++) {
            x[r * DIM + ETA + j] = x[r * DIM + MU] + x[r * DIM + TAU] * x[r * DIM + ETA + j];
        }
    }
}

static void print_effects(const float *x) {
    double mean[DIM], sd[DIM], mcse[DIM], q5[DIM], q50[DIM], q95[DIM], bulk[DIM], tail[DIM], rhat[DIM];
    check(ebm_summarize(NULL, DRAWS, CHAINS, DIM, x, mean, sd, mcse, q5, q50, q95, bulk, tail, rhat));
    printf("%-8s %8s %8s %8s %8s %8s %8s %9s %9s %6s\n", "", "mean", "mcse", "sd", "5%", "50%", "95%", "ess_bulk",
           "ess_tail", "rhat");
    for (int i = 0; i < DIM; i++) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "theta[%d]", i - ETA + 1);
        printf("%-8s %8.2f %8.3f %8.2f %8.2f %8.2f %8.2f %9.0f %9.0f %6.3f\n",
               i == MU ? "mu" : i == TAU ? "tau" : name, mean[i], mcse[i], sd[i], q5[i], q50[i], q95[i], bulk[i],
               tail[i], rhat[i]);
    }
}

static void write_csv(const char *folder, const float *x) {
    char path[4096];
    snprintf(path, sizeof path, "%s/posterior.csv", folder);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    fprintf(file, "mu,tau");
    for (int j = 1; j <= SCHOOLS; j++) {
        fprintf(file, ",theta%d", j);
    }
    for (int64_t i = 0; i < (int64_t)ROWS * DIM; i++) {
        fprintf(file, "%s%.6g", i % DIM == 0 ? "\n" : ",", (double)x[i]);
    }
    fprintf(file, "\n");
    if (fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

int main(int argc, char **argv) {
    static const char *const names[DIM] = {"mu",     "log tau", "eta[1]", "eta[2]", "eta[3]",
                                           "eta[4]", "eta[5]",  "eta[6]", "eta[7]", "eta[8]"};
    static float draws[ROWS * DIM], x[ROWS * DIM];
    static char table[TABLE_BYTES];
    ebm_model *model = create_posterior();
    ebm_sampler *sampler;
    check(ebm_sampler_create(NULL, model, CHAINS, 1, &sampler));
    check(ebm_sampler_set_kernel(sampler, EBM_KERNEL_NUTS));
    check(ebm_sampler_set_metric(sampler, EBM_METRIC_DIAGONAL, 0, NULL));
    check(ebm_sampler_adapt(sampler, WARM_UP, 0.9));
    check(ebm_sampler_summarize(sampler, DRAWS, 1, names, draws, sizeof table, table));
    printf("What the sampler saw:\n%s\n", table);

    check(ebm_transformed_constrain(model, ROWS, draws, x));
    to_effects(x);
    printf("What it means:\n");
    print_effects(x);
    write_csv(argc > 1 ? argv[1] : ".", x);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Effective draws per gradient of NUTS on two posteriors, as Stan is measured by nuts_stan.R: 4 chains, 1,000 steps of
 * warm-up and 1,000 draws, a diagonal metric, target 0.8, starts uniform on -2 to 2. For each seed the least bulk and
 * tail ESS over all coordinates, and the gradients of the warm-up and after it. Usage: bench_nuts [quick]
 */
#include <math.h>
#include <string.h>

#include <ebm/ebm.h>

#include "bench.h"

enum { CHAINS = 4, WARM_UP = 1000, DRAWS = 1000, SEEDS = 16, SCHOOLS = 8, SCHOOLS_DIM = 10, WIDE = 100 };

static int64_t gradients;

/* Eight schools, non-centred (Rubin 1981): mu, log tau, eta. */
static double one_schools(const float *x, float *grad) {
    static const double y[SCHOOLS] = {28, 8, -3, 7, -1, 1, 18, 12};
    static const double s[SCHOOLS] = {15, 10, 16, 11, 9, 11, 10, 18};
    double mu = (double)x[0];
    double tau = exp((double)x[1]);
    double energy = mu * mu / 50 + log1p(tau * tau / 25) - (double)x[1];
    double to_mu = mu / 25;
    double to_log_tau = 2 * tau * tau / (25 + tau * tau) - 1;
    for (int j = 0; j < SCHOOLS; j++) {
        double eta = (double)x[2 + j];
        double residual = (mu + tau * eta - y[j]) / s[j];
        energy += (eta * eta + residual * residual) / 2;
        to_mu += residual / s[j];
        to_log_tau += tau * eta * residual / s[j];
        grad[2 + j] = (float)(eta + tau * residual / s[j]);
    }
    grad[0] = (float)to_mu;
    grad[1] = (float)to_log_tau;
    return energy;
}

/* Independent, standard deviations 1 to 100. */
static double one_wide(const float *x, float *grad) {
    double energy = 0;
    for (int i = 0; i < WIDE; i++) {
        double sd = 1 + i;
        double z = (double)x[i] / sd;
        energy += z * z / 2;
        grad[i] = (float)(z / sd);
    }
    return energy;
}

static int32_t energy(int64_t n, int64_t dim, const float *x, const float *theta, double *e, float *grad_x,
                      void *user_data) {
    float unused[WIDE];
    gradients += n;
    for (int64_t i = 0; i < n; i++) {
        float *grad = grad_x == NULL ? unused : grad_x + i * dim;
        double value = dim == WIDE ? one_wide(x + i * dim, grad) : one_schools(x + i * dim, grad);
        if (e != NULL) {
            e[i] = value;
        }
    }
    (void)theta;
    (void)user_data;
    return EBM_CB_OK;
}

static double least(int64_t n, const double *x) {
    double found = x[0];
    for (int64_t i = 1; i < n; i++) {
        found = x[i] < found ? x[i] : found;
    }
    return found;
}

static void measure(const char *name, int64_t dim, uint64_t seed) {
    static float draws[DRAWS * CHAINS * WIDE];
    double bulk[WIDE], tail[WIDE];
    ebm_model *model;
    ebm_sampler *sampler;
    bench_require(ebm_model_create(NULL, dim, energy, NULL, NULL, &model) == EBM_OK, "ebm_model_create");
    bench_require(ebm_sampler_create(NULL, model, CHAINS, seed, &sampler) == EBM_OK, "ebm_sampler_create");
    bench_require(ebm_sampler_set_kernel(sampler, EBM_KERNEL_NUTS) == EBM_OK, "ebm_sampler_set_kernel");
    bench_require(ebm_sampler_set_metric(sampler, EBM_METRIC_DIAGONAL, 0, NULL) == EBM_OK, "ebm_sampler_set_metric");
    bench_require(ebm_sampler_set_noise_start(sampler, EBM_NOISE_UNIFORM, -2, 2) == EBM_OK, "set_noise_start");
    gradients = 0;
    double start = bench_now();
    bench_require(ebm_sampler_adapt(sampler, WARM_UP, 0.8) == EBM_OK, ebm_last_error());
    int64_t warm_up = gradients;
    gradients = 0;
    bench_require(ebm_sampler_draw(sampler, DRAWS, 1, draws) == EBM_OK, ebm_last_error());
    double seconds = bench_now() - start;
    bench_require(ebm_ess(NULL, DRAWS, CHAINS, dim, draws, bulk, tail) == EBM_OK, "ebm_ess");
    double ess = least(dim, bulk);
    printf("%s libebm %llu %lld %lld %.0f %.0f %.5f %.3f\n", name, (unsigned long long)seed, (long long)warm_up,
           (long long)gradients, ess, least(dim, tail), ess / (double)gradients, seconds);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
}

int main(int argc, char **argv) {
    int seeds = argc > 1 && strcmp(argv[1], "quick") == 0 ? 1 : SEEDS;
    for (int s = 1; s <= seeds; s++) {
        measure("eight-schools", SCHOOLS_DIM, (uint64_t)s);
        measure("gaussian-100", WIDE, (uint64_t)s);
    }
    return 0;
}

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
#include "eight_schools.h"

enum { CHAINS = 4, WARM_UP = 1000, DRAWS = 1000, SEEDS = 16, WIDE = 100 };

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

static int32_t wide(int64_t n, int64_t dim, const float *x, const float *theta, double *e, float *grad_x,
                    void *user_data) {
    float unused[WIDE];
    for (int64_t i = 0; i < n; i++) {
        double value = one_wide(x + i * dim, grad_x == NULL ? unused : grad_x + i * dim);
        if (e != NULL) {
            e[i] = value;
        }
    }
    *(int64_t *)user_data += n;
    (void)theta;
    return EBM_CB_OK;
}

static double least(int64_t n, const double *x) {
    double found = x[0];
    for (int64_t i = 1; i < n; i++) {
        found = x[i] < found ? x[i] : found;
    }
    return found;
}

static void measure(const char *name, ebm_energy_fn energy, int64_t dim, uint64_t seed) {
    int64_t gradients = 0;
    static float draws[DRAWS * CHAINS * WIDE];
    double bulk[WIDE], tail[WIDE];
    ebm_model *model;
    ebm_sampler *sampler;
    bench_require(ebm_model_create(NULL, dim, energy, NULL, &gradients, &model) == EBM_OK, "ebm_model_create");
    bench_require(ebm_sampler_create(NULL, model, CHAINS, seed, &sampler) == EBM_OK, "ebm_sampler_create");
    bench_require(ebm_sampler_set_kernel(sampler, EBM_KERNEL_NUTS) == EBM_OK, "ebm_sampler_set_kernel");
    bench_require(ebm_sampler_set_metric(sampler, EBM_METRIC_DIAGONAL, 0, NULL) == EBM_OK, "ebm_sampler_set_metric");
    bench_require(ebm_sampler_set_noise_start(sampler, EBM_NOISE_UNIFORM, -2, 2) == EBM_OK, "set_noise_start");
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
        measure("eight-schools", schools_energy, SCHOOLS_DIM, (uint64_t)s);
        measure("gaussian-100", wide, WIDE, (uint64_t)s);
    }
    return 0;
}

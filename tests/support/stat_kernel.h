/* SPDX-License-Identifier: MIT */
/*
 * Checks of a Markov kernel, whoever wrote it: the library's, or a broken one (test_mutants.c) that the same checks
 * must refuse. Each returns how many standard errors the kernel is from what it should do.
 */
#ifndef EBM_TESTS_STAT_KERNEL_H
#define EBM_TESTS_STAT_KERNEL_H

#include "stat_models.h"

/* Moves n_chains states of dim floats. */
typedef struct stat_kernel {
    int64_t n_chains, dim;
    void (*advance)(void *self, int64_t n_steps, float *x);
    void *self;
} stat_kernel;

static inline void stat_advance_sampler(void *self, int64_t n_steps, float *x) {
    ebm_sampler *sampler = self;
    int64_t n_chains = ebm_sampler_chain_count(sampler);
    STAT_OK(ebm_sampler_set_states(sampler, n_chains, x));
    STAT_OK(ebm_sampler_run(sampler, n_steps));
    STAT_OK(ebm_sampler_get_states(sampler, n_chains, x));
}

static inline stat_kernel stat_kernel_of(ebm_sampler *sampler, int64_t dim) {
    return (stat_kernel){ebm_sampler_chain_count(sampler), dim, stat_advance_sampler, sampler};
}

/*
 * The mean of x_i^p x_j^q over chains and draws. Draws of one chain depend on each other, chains do not: each chain's
 * own mean is one value, and the standard error is that of those means.
 */
typedef struct stat_moment {
    int i, p, j, q;
    double expected;
} stat_moment;

static inline void stat_moments_z(stat_kernel kernel, int64_t burn_in, int64_t n_draws, int64_t thin, float *x,
                                  int n_moments, const stat_moment *moment, double *z) {
    double *sum = stat_alloc(kernel.n_chains * n_moments, sizeof *sum);
    kernel.advance(kernel.self, burn_in, x);
    for (int64_t d = 0; d < n_draws; d++) {
        kernel.advance(kernel.self, thin, x);
        for (int64_t c = 0; c < kernel.n_chains; c++) {
            const float *row = x + c * kernel.dim;
            for (int m = 0; m < n_moments; m++) {
                sum[c * n_moments + m] += stat_power((double)row[moment[m].i], moment[m].p) *
                                          stat_power((double)row[moment[m].j], moment[m].q) / (double)n_draws;
            }
        }
    }
    for (int m = 0; m < n_moments; m++) {
        stat_sum over_chains = {0};
        for (int64_t c = 0; c < kernel.n_chains; c++) {
            stat_add(&over_chains, sum[c * n_moments + m]);
        }
        z[m] = stat_z(&over_chains, moment[m].expected);
    }
    free(sum);
}

/* All moments at once: the worst. Starts from 0, which must be forgotten in burn_in steps. */
static inline double stat_worst_moment(stat_kernel kernel, int64_t burn_in, int64_t n_draws, int64_t thin,
                                       int n_moments, const stat_moment *moment, double start) {
    double z[32];
    assert_true(n_moments <= 32);
    float *x = stat_alloc(kernel.n_chains * kernel.dim, sizeof *x);
    for (int64_t i = 0; i < kernel.n_chains * kernel.dim; i++) {
        x[i] = (float)start;
    }
    stat_moments_z(kernel, burn_in, n_draws, thin, x, n_moments, moment, z);
    double worst = 0;
    for (int m = 0; m < n_moments; m++) {
        worst = fabs(z[m]) > fabs(worst) ? z[m] : worst;
    }
    free(x);
    return worst;
}

/*
 * Chains that start as exact and independent draws of a density must, after any number of steps of a kernel that
 * keeps it, be that again: 100 equally likely cells, chi-square with 99 degrees of freedom.
 */
static inline double stat_stays_z(stat_kernel kernel, const stat_density *density, uint64_t seed, int64_t n_steps) {
    enum { CELLS = 100 };
    int64_t count[CELLS] = {0};
    stat_random random = {seed};
    int64_t n = kernel.n_chains * kernel.dim;
    float *x = stat_alloc(n, sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        x[i] = (float)stat_density_quantile(density, stat_next_uniform(&random));
    }
    kernel.advance(kernel.self, n_steps, x);
    for (int64_t i = 0; i < n; i++) {
        count[stat_density_rank(density, CELLS, (double)x[i])]++;
    }
    free(x);
    return stat_uniform_z(CELLS, count);
}

/*
 * The variance of the chains x' = r x + noise, which started somewhere else and have had time to forget it. In such
 * an AR(1) chain x^2 has autocorrelation r^(2k) after k steps, so the mean of x^2 over N chains and T draws, `thin`
 * steps apart, has variance 2 v^2 / (N T) (1 + rho) / (1 - rho), with rho = r^(2 thin).
 */
static inline double stat_ar1_variance_z(stat_kernel kernel, double r, double v, int64_t n_draws, int64_t thin) {
    int64_t burn_in = 1 + (int64_t)(log(1e-8) / log(r * r));
    int64_t n = kernel.n_chains * kernel.dim;
    float *x = stat_alloc(n, sizeof *x);
    double sum = 0;
    kernel.advance(kernel.self, burn_in, x);
    for (int64_t d = 0; d < n_draws; d++) {
        kernel.advance(kernel.self, thin, x);
        for (int64_t i = 0; i < n; i++) {
            sum += (double)x[i] * (double)x[i];
        }
    }
    free(x);
    double rho = pow(r, 2 * (double)thin);
    double samples = (double)n * (double)n_draws;
    return (sum / samples - v) / (v * sqrt(2 / samples * (1 + rho) / (1 - rho)));
}

#endif /* EBM_TESTS_STAT_KERNEL_H */

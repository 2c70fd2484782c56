/* SPDX-License-Identifier: MIT */
/* Kernels with their settings, as the rows of tables that a test goes through. */
#ifndef EBM_TESTS_STAT_SETTINGS_H
#define EBM_TESTS_STAT_SETTINGS_H

#include "stat_kernel.h"

#define STAT_ROWS(table) ((int)(sizeof(table) / sizeof *(table)))
#define STAT_UNBOUNDED -INFINITY, INFINITY, EBM_BOUNDS_CLAMP

typedef struct stat_setting {
    const char *name;
    int32_t kernel;
    double eta, temperature, clip;
    double lo, hi;
    int32_t rule;
    int64_t leapfrog_steps;
    double jitter;
    double friction; /* 0: as it is */
    int32_t metric;  /* as stat_set_metric fills it */
} stat_setting;

/* Some inverse mass that fits nothing: 0.5, 1.0, ... on the diagonal; when dense, correlations of 0.6, 0.36, ... */
static inline void stat_set_metric(ebm_sampler *sampler, int32_t kind, int64_t dim) {
    float w[64] = {0};
    assert_true(kind == EBM_METRIC_IDENTITY || dim <= 8);
    for (int64_t i = 0; i < dim; i++) {
        for (int64_t j = 0; j < dim && kind == EBM_METRIC_DENSE; j++) {
            w[i * dim + j] = (float)(sqrt(0.25 * (double)((i + 1) * (j + 1))) * pow(0.6, fabs((double)(i - j))));
        }
        if (kind == EBM_METRIC_DIAGONAL) {
            w[i] = 0.5F * (float)(i + 1);
        }
    }
    int64_t n = kind == EBM_METRIC_DENSE ? dim * dim : kind == EBM_METRIC_DIAGONAL ? dim : 0;
    STAT_OK(ebm_sampler_set_metric(sampler, kind, n, n == 0 ? NULL : w));
}

static inline ebm_sampler *stat_sampler_of(const stat_setting *s, ebm_model *model, int64_t n_chains, uint64_t seed) {
    int64_t dim = ebm_model_dim(model);
    ebm_sampler *sampler = stat_sampler(model, n_chains, seed, s->kernel, s->eta);
    STAT_OK(ebm_sampler_set_temperature(sampler, s->temperature));
    STAT_OK(ebm_sampler_set_grad_clip(sampler, s->clip));
    STAT_OK(ebm_sampler_set_bounds(sampler, s->lo, s->hi, s->rule));
    STAT_OK(ebm_sampler_set_leapfrog_steps(sampler, s->leapfrog_steps));
    STAT_OK(ebm_sampler_set_jitter(sampler, s->jitter));
    stat_set_metric(sampler, s->metric, dim);
    if (s->friction > 0) {
        STAT_OK(ebm_sampler_set_friction(sampler, s->friction));
    }
    return sampler;
}

/* As STAT_WITHIN, and names the row. */
static inline void stat_row_within(double z, const char *name, int64_t number) {
    if (!(fabs(z) <= STAT_BOUND)) {
        print_error("%s, %lld: %.3f standard errors\n", name, (long long)number, z);
        fail();
    }
}

#endif /* EBM_TESTS_STAT_SETTINGS_H */

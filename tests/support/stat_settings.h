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
} stat_setting;

static inline ebm_sampler *stat_sampler_of(const stat_setting *s, ebm_model *model, int64_t n_chains, uint64_t seed) {
    ebm_sampler *sampler = stat_sampler(model, n_chains, seed, s->kernel, s->eta);
    STAT_OK(ebm_sampler_set_temperature(sampler, s->temperature));
    STAT_OK(ebm_sampler_set_grad_clip(sampler, s->clip));
    STAT_OK(ebm_sampler_set_bounds(sampler, s->lo, s->hi, s->rule));
    STAT_OK(ebm_sampler_set_leapfrog_steps(sampler, s->leapfrog_steps));
    STAT_OK(ebm_sampler_set_jitter(sampler, s->jitter));
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

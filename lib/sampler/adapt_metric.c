/* SPDX-License-Identifier: MIT */
#include "sampler/adapt_metric.h"

#include <string.h>

#include "sampler/metric.h"

enum { FIRST_STEPS = 75, LAST_STEPS = 50, WINDOW = 25, LEAST_STEPS = 20 };

ebm__windows ebm__windows_plan(int64_t n_steps) {
    int64_t before = FIRST_STEPS;
    int64_t after = LAST_STEPS;
    int64_t size = WINDOW;
    if (n_steps < LEAST_STEPS) {
        return (ebm__windows){.first = n_steps, .end = n_steps, .close = n_steps};
    }
    if (n_steps < FIRST_STEPS + WINDOW + LAST_STEPS) {
        before = n_steps * 15 / 100;
        after = n_steps / 10;
        size = n_steps - before - after;
    }
    ebm__windows windows = {.first = before, .end = n_steps - after, .size = size, .close = before + size};
    if (windows.close + 2 * size > windows.end) {
        windows.close = windows.end;
    }
    return windows;
}

void ebm__windows_next(ebm__windows *windows) {
    windows->size *= 2;
    windows->close += windows->size;
    if (windows->close + 2 * windows->size > windows->end) {
        windows->close = windows->end;
    }
}

void ebm__moments_clear(const ebm_sampler *sampler, ebm__moments *moments) {
    moments->n = 0;
    memset(moments->mean, 0, (size_t)sampler->dim * sizeof *moments->mean);
    memset(moments->product, 0, (size_t)ebm__metric_size(sampler) * sizeof *moments->product);
}

static void add_state(const ebm_sampler *sampler, ebm__moments *moments, const float *x) {
    int64_t dim = sampler->dim;
    double share = 1 / (double)++moments->n;
    double rest = 1 - share; /* x - the new mean = rest (x - the old one) */
    for (int64_t i = 0; i < dim; i++) {
        moments->change[i] = (double)x[i] - moments->mean[i];
        moments->mean[i] += share * moments->change[i];
    }
    if (sampler->settings.metric == EBM_METRIC_DIAGONAL) {
        for (int64_t i = 0; i < dim; i++) {
            moments->product[i] += rest * moments->change[i] * moments->change[i];
        }
        return;
    }
    for (int64_t i = 0; i < dim; i++) {
        double factor = rest * moments->change[i];
        for (int64_t j = 0; j <= i; j++) {
            moments->product[i * dim + j] += factor * moments->change[j];
        }
    }
}

void ebm__moments_add(const ebm_sampler *sampler, ebm__moments *moments) {
    for (int64_t c = 0; c < sampler->n_chains; c++) {
        add_state(sampler, moments, sampler->x + c * sampler->dim);
    }
}

/* n / (n + 5) of the estimate and 5 / (n + 5) of 1e-3 I: Stan's shrinkage. Covariances are multiplied by `keep`. */
static void estimate(const ebm_sampler *sampler, ebm__moments *moments, double keep) {
    int64_t dim = sampler->dim;
    double n = (double)moments->n;
    double scale = n / (n + 5) / (n - 1);
    double floor = 1e-3 * 5 / (n + 5);
    if (sampler->settings.metric == EBM_METRIC_DIAGONAL) {
        for (int64_t i = 0; i < dim; i++) {
            moments->estimate[i] = (float)(scale * moments->product[i] + floor);
        }
        return;
    }
    for (int64_t i = 0; i < dim; i++) {
        for (int64_t j = 0; j < i; j++) {
            float value = (float)(keep * scale * moments->product[i * dim + j]);
            moments->estimate[i * dim + j] = value;
            moments->estimate[j * dim + i] = value;
        }
        moments->estimate[i * dim + i] = (float)(scale * moments->product[i * dim + i] + floor);
    }
}

/* Held coordinates say nothing of their spread: among themselves they keep what W has for them, with others nothing. */
static void keep_held(const ebm_sampler *sampler, ebm__moments *moments) {
    int64_t dim = sampler->dim;
    bool dense = sampler->settings.metric == EBM_METRIC_DENSE;
    const uint8_t *free = sampler->mask;
    for (int64_t i = 0; free != NULL && i < dim; i++) {
        if (!dense) {
            moments->estimate[i] = free[i] != 0 ? moments->estimate[i] : sampler->inverse_mass[i];
        }
        for (int64_t j = 0; dense && j < dim; j++) {
            int64_t e = i * dim + j;
            bool both_free = free[i] != 0 && free[j] != 0;
            bool both_held = free[i] == 0 && free[j] == 0;
            moments->estimate[e] = both_free ? moments->estimate[e] : both_held ? sampler->inverse_mass[e] : 0;
        }
    }
}

ebm_status ebm__moments_use(ebm_sampler *sampler, ebm__moments *moments) {
    if (moments->n < 2) {
        return EBM_OK;
    }
    estimate(sampler, moments, 1);
    keep_held(sampler, moments);
    if (ebm__metric_assign(sampler, moments->estimate, "the metric's estimate") == EBM_OK) {
        return EBM_OK;
    }
    estimate(sampler, moments, 0.999); /* correlations so near 1 that, as floats, they were too large */
    keep_held(sampler, moments);
    return ebm__metric_assign(sampler, moments->estimate, "the metric's estimate");
}

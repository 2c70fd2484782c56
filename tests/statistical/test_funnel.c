/* SPDX-License-Identifier: MIT */
/*
 * Neal's (2003) funnel in 10 dimensions: v ~ N(0, 3^2), x_i | v ~ N(0, exp(v)). No step size fits both its neck, where
 * the x_i are as narrow as exp(v / 2), and its mouth. All kernels keep it; none with one step size finds the neck in
 * good time from outside, and what they then report is printed.
 *
 * False alarms, for new seeds: 30 chi-square tests within STAT_BOUND (3.8e-8): 1.1e-6.
 */
#include "stat_settings.h"

enum { DIM = 10 };

static int32_t funnel_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                             void *user_data) {
    (void)theta;
    (void)user_data;
    for (int64_t r = 0; r < n; r++) {
        const float *row = x + r * dim;
        double v = (double)row[0];
        double precision = exp(-v);
        double sum = 0;
        for (int64_t i = 1; i < dim; i++) {
            sum += (double)row[i] * (double)row[i];
            if (grad_x != NULL) {
                grad_x[r * dim + i] = (float)(precision * (double)row[i]);
            }
        }
        if (grad_x != NULL) {
            grad_x[r * dim] = (float)(v / 9 + (double)(dim - 1) / 2 - precision * sum / 2);
        }
        if (energy != NULL) { /* where v is far out of its range, gradients leave the floats */
            energy[r] = fabs(v) < 40 ? v * v / 18 + (double)(dim - 1) * v / 2 + precision * sum / 2 : INFINITY;
        }
    }
    return EBM_CB_OK;
}

static ebm_model *funnel(void) {
    ebm_model *model = NULL;
    STAT_OK(ebm_model_create(NULL, DIM, funnel_energy, NULL, NULL, &model));
    return model;
}

/* Small enough to be accepted often in the mouth and sometimes in the neck. */
static const stat_setting KERNELS[] = {
    {"MALA", EBM_KERNEL_MALA, 0.05, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"HMC", EBM_KERNEL_HMC, 0.2, 1, INFINITY, STAT_UNBOUNDED, 8, 0.3, 0, 0},
    {"NUTS", EBM_KERNEL_NUTS, 0.2, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"random walk", EBM_KERNEL_RANDOM_WALK, 0.05, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"adjusted underdamped", EBM_KERNEL_UNDERDAMPED_ADJUSTED, 0.2, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0.5, 0},
};

/* Exact draws stay exact: v, and x_1 in units of its spread. */
static void exact_draws_stay(void **state) {
    (void)state;
    enum { CHAINS = 20000, CELLS = 50 };
    float *x = stat_alloc(CHAINS * DIM, sizeof *x);
    for (int k = 0; k < STAT_ROWS(KERNELS); k++) {
        for (int64_t steps = 1; steps <= 10; steps = steps == 1 ? 3 : steps * 3 + 1) {
            int64_t count[2][CELLS] = {{0}};
            stat_random random = {400 + (uint64_t)k};
            for (int64_t c = 0; c < CHAINS; c++) {
                double v = 3 * stat_next_normal(&random);
                x[c * DIM] = (float)v;
                for (int i = 1; i < DIM; i++) {
                    x[c * DIM + i] = (float)(exp(v / 2) * stat_next_normal(&random));
                }
            }
            ebm_sampler *sampler = stat_sampler_of(&KERNELS[k], funnel(), CHAINS, 410 + (uint64_t)k);
            stat_advance_sampler(sampler, steps, x);
            ebm_sampler_destroy(sampler);
            for (int64_t c = 0; c < CHAINS; c++) {
                double v = (double)x[c * DIM];
                count[0][(int)(CELLS * erfc(-v / 3 / sqrt(2)) / 2)]++;
                count[1][(int)(CELLS * erfc(-(double)x[c * DIM + 1] * exp(-v / 2) / sqrt(2)) / 2)]++;
            }
            stat_row_within(stat_uniform_z(CELLS, count[0]), KERNELS[k].name, steps);
            stat_row_within(stat_uniform_z(CELLS, count[1]), KERNELS[k].name, steps);
        }
    }
    free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_draws_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

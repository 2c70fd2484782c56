/* SPDX-License-Identifier: MIT */
/*
 * Neal's (2003) funnel in 10 dimensions: v ~ N(0, 3^2), x_i | v ~ N(0, exp(v)). No step size fits both its neck, where
 * the x_i are as narrow as exp(v / 2), and its mouth. All kernels keep it; none with one step size finds the neck in
 * good time from outside, and what they then report is printed.
 *
 * False alarms, for new seeds: 30 chi-square tests (3.8e-8) and 6 moments of 200 chains (1.2e-7) within STAT_BOUND:
 * 1.9e-6.
 */
#include "stat_settings.h"

enum { DIM = 10 };

#define ADJUSTED EBM_KERNEL_UNDERDAMPED_ADJUSTED

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
    {"adjusted underdamped", ADJUSTED, 0.2, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0.5, 0},
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

/*
 * From v = x = 0: the first five with the step sizes that ebm_sampler_adapt finds for the usual acceptance, the others
 * with steps of the neck at v = -6. Whether the moments of v are then right is a matter of the step size, not of the
 * kernel; acceptance does not tell, nor do the few divergent trajectories.
 */
static const struct {
    stat_setting setting;
    int64_t n_steps;
    int finds; /* the neck: 1, or 0, or -1 when only in part */
} RUNS[] = {
    {{"MALA", EBM_KERNEL_MALA, 0.2, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0}, 3000, 0},
    {{"HMC", EBM_KERNEL_HMC, 0.33, 1, INFINITY, STAT_UNBOUNDED, 8, 0, 0, 0}, 1000, 0},
    {{"NUTS", EBM_KERNEL_NUTS, 0.38, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0}, 500, 0},
    {{"random walk", EBM_KERNEL_RANDOM_WALK, 0.42, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0}, 3000, 0},
    {{"adjusted underdamped", ADJUSTED, 0.13, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0.5, 0}, 5000, -1},
    {{"adjusted underdamped", ADJUSTED, 0.05, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0.3, 0}, 40000, 1},
    {{"NUTS", EBM_KERNEL_NUTS, 0.04, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0}, 250, 1},
};

enum { MEAN, SQUARE, NECK, QUANTITIES };

static void run_funnel(const stat_setting *s, int64_t n_steps, uint64_t seed, stat_sum *quantity) {
    enum { CHAINS = 200, DRAWS = 50 };
    float x[CHAINS * DIM] = {0};
    double sum[CHAINS][QUANTITIES] = {{0}};
    double acceptance = 0, rate = 0;
    int64_t divergent = 0;
    ebm_sampler *sampler = stat_sampler_of(s, funnel(), CHAINS, seed);
    STAT_OK(ebm_sampler_set_states(sampler, CHAINS, x));
    STAT_OK(ebm_sampler_run(sampler, n_steps / 2));
    for (int d = 0; d < DRAWS; d++) {
        STAT_OK(ebm_sampler_run(sampler, n_steps / 2 / DRAWS));
        STAT_OK(ebm_sampler_get_states(sampler, CHAINS, x));
        STAT_OK(ebm_sampler_get_acceptance(sampler, &rate));
        acceptance += rate / DRAWS;
        for (int c = 0; c < CHAINS; c++) {
            double v = (double)x[c * DIM];
            sum[c][MEAN] += v / DRAWS;
            sum[c][SQUARE] += v * v / DRAWS;
            sum[c][NECK] += (v < -4 ? 1.0 : 0.0) / DRAWS;
        }
    }
    for (int c = 0; c < CHAINS; c++) {
        for (int q = 0; q < QUANTITIES; q++) {
            stat_add(&quantity[q], sum[c][q]);
        }
    }
    STAT_OK(ebm_sampler_get_divergent_count(sampler, &divergent));
    ebm_sampler_destroy(sampler);
    print_message("%-20s eta %.2f: accepts %.3f, divergent %lld; mean v %6.3f +- %.3f, E v^2 %.2f +- %.2f, P(v < -4) "
                  "%.4f +- %.4f\n", s->name, s->eta, acceptance, (long long)divergent, stat_mean(&quantity[MEAN]),
                  stat_error(&quantity[MEAN]), stat_mean(&quantity[SQUARE]), stat_error(&quantity[SQUARE]),
                  stat_mean(&quantity[NECK]), stat_error(&quantity[NECK]));
}

static void only_small_steps_find_the_neck(void **state) {
    (void)state;
    const double neck = erfc(4 / (3 * sqrt(2))) / 2;
    print_message("%-20s mean v  0, E v^2 9, P(v < -4) %.4f\n", "exactly", neck);
    for (int i = 0; i < STAT_ROWS(RUNS); i++) {
        stat_sum quantity[QUANTITIES] = {{0}};
        run_funnel(&RUNS[i].setting, RUNS[i].n_steps, 450 + (uint64_t)i, quantity);
        if (RUNS[i].finds > 0) {
            stat_row_within(stat_z(&quantity[MEAN], 0), RUNS[i].setting.name, MEAN);
            stat_row_within(stat_z(&quantity[SQUARE], 9), RUNS[i].setting.name, SQUARE);
            stat_row_within(stat_z(&quantity[NECK], neck), RUNS[i].setting.name, NECK);
        } else if (RUNS[i].finds == 0) {
            assert_true(stat_mean(&quantity[NECK]) < neck / 3);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_draws_stay),
        cmocka_unit_test(only_small_steps_find_the_neck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

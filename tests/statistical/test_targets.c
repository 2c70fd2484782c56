/* SPDX-License-Identifier: MIT */
/*
 * Every exact kernel with every metric on targets with known moments: Gaussians of condition number 1, 1e2 and 1e6, the
 * double well and the banana; Neal's funnel is in test_funnel.c.
 *
 * Left out are MALA, the random walk and adjusted underdamped dynamics with the identity on condition number 1e6. Their
 * steps are as small as the narrowest direction wants, so that they forget the widest one in about 1e6 of them (the
 * dynamics too, whose every rejection turns them round). HMC and NUTS need 1e3 gradients a step there, and are tested.
 *
 * False alarms, for new seeds: 42 x 9 + 15 x 5 + 15 x 7 moments within STAT_BOUND, as the means of 1024 chains (5e-8;
 * 18 of them of 256, 9e-8): 2.8e-5.
 */
#include "stat_gaussian.h"
#include "stat_settings.h"

enum { DIM = 4 };

/* Step sizes for targets whose narrowest direction, in the metric's units, has standard deviation 1. */
static const stat_setting KERNELS[] = {
    {"MALA", EBM_KERNEL_MALA, 0.5, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"HMC", EBM_KERNEL_HMC, 0.7, 1, INFINITY, STAT_UNBOUNDED, 2, 0.4, 0, 0},
    {"NUTS", EBM_KERNEL_NUTS, 0.9, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"random walk", EBM_KERNEL_RANDOM_WALK, 0.7, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"adjusted underdamped", EBM_KERNEL_UNDERDAMPED_ADJUSTED, 0.5, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 1, 0},
};

static const char *const METRICS[] = {"identity", "diagonal", "dense"};

static void assert_moments(ebm_sampler *sampler, int64_t dim, const char *name, int32_t metric, double condition,
                           int64_t burn_in, int64_t n_draws, int64_t thin, int n, const stat_moment *moments) {
    double z = stat_worst_moment(stat_kernel_of(sampler, dim), burn_in, n_draws, thin, n, moments, 0);
    ebm_sampler_destroy(sampler);
    if (!(fabs(z) <= STAT_BOUND)) {
        print_error("%s, %s, condition number %g: %.3f standard errors\n", name, METRICS[metric], condition, z);
        fail();
    }
}

/*
 * Precision Q D^-1 Q, D = 1 ... `condition`, and with Q = I - 2 v v' / v'v, v = (1, 1, 1, 1), when turned; rounded to
 * floats, as the model has it. The covariance is the inverse of that: the rounding of the precision's large elements
 * is no small part of its smallest eigenvalue.
 */
static void make_gaussian(double condition, int turned, stat_matrix precision, stat_matrix covariance) {
    for (int i = 0; i < DIM; i++) {
        for (int j = 0; j < DIM; j++) {
            double sum = 0;
            for (int k = 0; k < DIM; k++) {
                double q_ik = (i == k ? 1 : 0) - (turned ? 0.5 : 0);
                double q_jk = (j == k ? 1 : 0) - (turned ? 0.5 : 0);
                sum += q_ik * q_jk / pow(condition, k / (DIM - 1.0));
            }
            precision[i][j] = (double)(float)sum;
        }
    }
    stat_invert(DIM, precision, covariance);
}

/* The diagonal fits a Gaussian along the axes, the dense metric one that is turned. */
static void set_fitting_metric(ebm_sampler *sampler, int32_t kind, const stat_matrix covariance) {
    float w[DIM * DIM];
    for (int i = 0; i < DIM; i++) {
        for (int j = 0; j < DIM && kind == EBM_METRIC_DENSE; j++) {
            w[i * DIM + j] = (float)(i < j ? covariance[i][j] : covariance[j][i]);
        }
        if (kind == EBM_METRIC_DIAGONAL) {
            w[i] = (float)covariance[i][i];
        }
    }
    if (kind != EBM_METRIC_IDENTITY) {
        STAT_OK(ebm_sampler_set_metric(sampler, kind, kind == EBM_METRIC_DENSE ? DIM * DIM : DIM, w));
    }
}

/* With the identity, the widest direction's standard deviation is sqrt(condition) steps. */
static void assert_gaussian(const stat_setting *kernel, int32_t metric, double condition, uint64_t seed) {
    static const double mean[DIM] = {0};
    stat_matrix precision, covariance;
    stat_setting s = *kernel;
    double width = metric == EBM_METRIC_IDENTITY ? sqrt(condition) : 1;
    int64_t n_chains = 1024, burn_in = 200, n_draws = 40, thin = 3;
    make_gaussian(condition, metric == EBM_METRIC_DENSE, precision, covariance);
    if (s.kernel == EBM_KERNEL_HMC) {
        s.leapfrog_steps = (int64_t)(2 * width);
    } else if (s.kernel == EBM_KERNEL_UNDERDAMPED_ADJUSTED) {
        s.eta = width > 1 ? 0.3 : s.eta;
        s.friction /= width;
        thin = 3 * (int64_t)width;
        burn_in = 60 * thin;
    } else if (s.kernel != EBM_KERNEL_NUTS) {
        thin = (int64_t)(width * width);
        burn_in = 60 * thin;
    }
    if (width > 100) {
        n_chains = 256;
        burn_in = 25;
        n_draws = 20;
        thin = 1;
    }
    ebm_sampler *sampler = stat_sampler_of(&s, stat_gaussian(DIM, mean, precision), n_chains, seed);
    set_fitting_metric(sampler, metric, covariance);
    const stat_moment moments[] = {
        {0, 1, 0, 0, 0},
        {3, 1, 0, 0, 0},
        {0, 2, 0, 0, covariance[0][0]},
        {1, 2, 0, 0, covariance[1][1]},
        {2, 2, 0, 0, covariance[2][2]},
        {3, 2, 0, 0, covariance[3][3]},
        {0, 1, 1, 1, covariance[0][1]},
        {1, 1, 2, 1, covariance[1][2]},
        {0, 1, 3, 1, covariance[0][3]},
    };
    assert_moments(sampler, DIM, s.name, metric, condition, burn_in, n_draws, thin, STAT_ROWS(moments), moments);
}

static void gaussians(void **state) {
    (void)state;
    static const double conditions[] = {1, 1e2, 1e6};
    for (int32_t metric = EBM_METRIC_IDENTITY; metric <= EBM_METRIC_DENSE; metric++) {
        for (int c = 0; c < 3; c++) {
            for (int k = 0; k < STAT_ROWS(KERNELS); k++) {
                int far = KERNELS[k].kernel != EBM_KERNEL_HMC && KERNELS[k].kernel != EBM_KERNEL_NUTS;
                if (metric == EBM_METRIC_IDENTITY && c == 2 && far) {
                    continue;
                }
                assert_gaussian(&KERNELS[k], metric, conditions[c], 100 + (uint64_t)(15 * metric + 5 * c + k));
            }
        }
    }
}

static void double_wells(void **state) {
    (void)state;
    stat_density density = stat_density_new(-4, 4, stat_well, 1.5);
    double square_mean = stat_density_moment(&density, 2);
    const stat_moment moments[] = {{0, 1, 0, 0, 0},
                                   {0, 2, 0, 0, square_mean},
                                   {1, 4, 1, 0, stat_density_moment(&density, 4)},
                                   {0, 2, 1, 2, square_mean * square_mean},
                                   {1, 1, 0, 1, 0}};
    for (int32_t metric = EBM_METRIC_IDENTITY; metric <= EBM_METRIC_DENSE; metric++) {
        for (int k = 0; k < STAT_ROWS(KERNELS); k++) {
            stat_setting s = KERNELS[k];
            ebm_model *model = NULL;
            s.metric = metric;
            s.eta *= s.kernel == EBM_KERNEL_MALA ? 0.2 : 0.5;
            s.leapfrog_steps = s.kernel == EBM_KERNEL_HMC ? 4 : 1;
            STAT_OK(ebm_double_well_create(NULL, 2, 1.5, &model));
            ebm_sampler *sampler = stat_sampler_of(&s, model, 1024, 200 + (uint64_t)(5 * metric + k));
            assert_moments(sampler, 2, s.name, metric, 1, 400, 40, 5, STAT_ROWS(moments), moments);
        }
    }
    free(density.cumulative);
}

/* Haario et al. 1999, twisted otherwise: x_0 ~ N(0, 4), x_1 ~ N(x_0^2 / 4, 1). */
static int32_t banana_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                             void *user_data) {
    (void)theta;
    (void)user_data;
    for (int64_t r = 0; r < n; r++) {
        double x0 = (double)x[r * dim];
        double off = (double)x[r * dim + 1] - x0 * x0 / 4;
        if (energy != NULL) {
            energy[r] = x0 * x0 / 8 + off * off / 2;
        }
        if (grad_x != NULL) {
            grad_x[r * dim] = (float)(x0 / 4 - off * x0 / 2);
            grad_x[r * dim + 1] = (float)off;
        }
    }
    return EBM_CB_OK;
}

/* E x_0^2 = 4, E x_0^4 = 48, E x_0^6 = 960, so E x_1 = 1, E x_1^2 = 48 / 16 + 1, E x_0^2 x_1 = 12. */
static void bananas(void **state) {
    (void)state;
    static const stat_moment moments[] = {{0, 1, 0, 0, 0}, {0, 2, 0, 0, 4},  {0, 4, 0, 0, 48}, {0, 1, 1, 1, 0},
                                          {0, 2, 1, 1, 12}, {1, 1, 0, 0, 1}, {1, 2, 0, 0, 4}};
    for (int32_t metric = EBM_METRIC_IDENTITY; metric <= EBM_METRIC_DENSE; metric++) {
        for (int k = 0; k < STAT_ROWS(KERNELS); k++) {
            stat_setting s = KERNELS[k];
            ebm_model *model = NULL;
            s.metric = metric;
            s.eta *= s.kernel == EBM_KERNEL_MALA ? 0.3 : 0.5;
            s.leapfrog_steps = s.kernel == EBM_KERNEL_HMC ? 6 : 1;
            STAT_OK(ebm_model_create(NULL, 2, banana_energy, NULL, NULL, &model));
            ebm_sampler *sampler = stat_sampler_of(&s, model, 1024, 300 + (uint64_t)(5 * metric + k));
            assert_moments(sampler, 2, s.name, metric, 1, 400, 40, 5, STAT_ROWS(moments), moments);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaussians),
        cmocka_unit_test(double_wells),
        cmocka_unit_test(bananas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * A trainer on chains with a ladder: its negatives are the chains at T = 1 and no others, and where chains do not cross
 * a barrier by themselves, the likelihood's gradient has no bias with the ladder, as it has without.
 * E = a (x^2 - 1)^2 + h x, with a = 10: two modes, a barrier of 10, and chains that all start in one of them. The
 * gradient is mean dE over one row of data less mean dE over the negatives; the exact one comes by quadrature.
 */
#include "stat_basics.h"

enum { CHAINS = 200, BURN_IN = 200, GROUPS = 30, IN_GROUP = 4, K = 10 };
static const float THETA[] = {10, 0.3F};

static int32_t energy(int64_t n, int64_t dim, const float *x, const float *theta, double *e, float *grad, void *data) {
    (void)data;
    for (int64_t i = 0; i < n * dim; i++) {
        double s = (double)x[i] * (double)x[i] - 1;
        if (e != NULL) {
            e[i] = (double)theta[0] * s * s + (double)theta[1] * (double)x[i];
        }
        if (grad != NULL) {
            grad[i] = (float)(4 * (double)theta[0] * s * (double)x[i] + (double)theta[1]);
        }
    }
    return EBM_CB_OK;
}

static int32_t param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta, double *e,
                          float *grad, void *data) {
    double sum[2] = {0};
    for (int64_t i = 0; i < n; i++) {
        double s = (double)x[i] * (double)x[i] - 1;
        sum[0] += (double)weight[i] * s * s;
        sum[1] += (double)weight[i] * (double)x[i];
    }
    for (int p = 0; grad != NULL && p < 2; p++) {
        grad[p] = (float)sum[p];
    }
    return energy(n, dim, x, theta, e, NULL, data);
}

static double density_energy(double x, double a) {
    return a * (x * x - 1) * (x * x - 1) + (double)THETA[1] * x;
}

/* (estimate - exact) of both parts of the gradient; and their standard errors, from groups of batches. */
static void estimate(int32_t rungs, double bias[2], double error[2]) {
    static const double ladder[] = {1, 1.8, 3.4, 6};
    const float at_data = 1;
    const int64_t two = 2;
    float x[CHAINS];
    float grad[2];
    stat_sum part[2] = {{0}};
    stat_density d = stat_density_new(-2.5, 2.5, density_energy, (double)THETA[0]);
    double exact[2] = {-(stat_density_moment(&d, 4) - 2 * stat_density_moment(&d, 2) + 1),
                       (double)at_data - stat_density_moment(&d, 1)};
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    STAT_OK(ebm_model_create(NULL, 1, energy, param_grad, NULL, &model));
    STAT_OK(ebm_model_add_tensor(model, "theta", 1, &two));
    STAT_OK(ebm_model_set_params(model, 2, THETA));
    STAT_OK(ebm_sampler_create(NULL, model, CHAINS, 17, &sampler));
    STAT_OK(ebm_sampler_set_kernel(sampler, EBM_KERNEL_MALA));
    STAT_OK(ebm_sampler_set_step_size(sampler, 0.01));
    STAT_OK(ebm_sampler_set_ladder(sampler, rungs, ladder));
    for (int c = 0; c < CHAINS; c++) {
        x[c] = 1;
    }
    STAT_OK(ebm_sampler_set_states(sampler, CHAINS, x));
    STAT_OK(ebm_trainer_create(NULL, model, sampler, &trainer));
    STAT_OK(ebm_trainer_set_mcmc_steps(trainer, K));
    for (int i = 0; i < BURN_IN; i++) {
        STAT_OK(ebm_trainer_gradient(trainer, 1, &at_data, 2, grad));
    }
    for (int group = 0; group < GROUPS; group++) {
        double sum[2] = {0};
        for (int i = 0; i < IN_GROUP; i++) {
            STAT_OK(ebm_trainer_gradient(trainer, 1, &at_data, 2, grad));
            sum[0] += (double)grad[0] / IN_GROUP;
            sum[1] += (double)grad[1] / IN_GROUP;
        }
        stat_add(&part[0], sum[0]);
        stat_add(&part[1], sum[1]);
    }
    for (int p = 0; p < 2; p++) {
        bias[p] = stat_mean(&part[p]) - exact[p];
        error[p] = stat_error(&part[p]);
    }
    free(d.cumulative);
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
}

/* Groups of 40 steps are not quite independent: the bound is twice the usual one. */
static void test_ladder(void **state) {
    (void)state;
    double bias[2];
    double error[2];
    estimate(4, bias, error);
    print_message("with a ladder: bias %.4f (%.4f), %.4f (%.4f)\n", bias[0], error[0], bias[1], error[1]);
    STAT_WITHIN(bias[0] / error[0], 2 * STAT_BOUND);
    STAT_WITHIN(bias[1] / error[1], 2 * STAT_BOUND);
    assert_true(error[0] < 0.01 && error[1] < 0.05);
    estimate(1, bias, error);
    print_message("without one:   bias %.4f (%.4f), %.4f (%.4f)\n", bias[0], error[0], bias[1], error[1]);
    assert_true(bias[1] < -0.5); /* all negatives are where the data are: E would not learn the other mode's weight */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ladder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

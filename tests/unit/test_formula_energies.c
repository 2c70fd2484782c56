/* SPDX-License-Identifier: MIT */
/* Gaussian and double well against their formulas. */
#include "energies_support.h"

static void test_gaussian_known_values(void **state) {
    (void)state;
    static const float mean[2] = {1.0F, -0.5F};
    static const float precision[4] = {2.0F, 0.5F, 0.5F, 1.0F};
    ebm_model *model;
    assert_ok(ebm_gaussian_create(NULL, 2, mean, precision, &model));
    const float x[4] = {2.0F, 1.5F, 1.0F, -0.5F}; /* d = (1, 2) and (0, 0) */
    const float weight[2] = {3.0F, 7.0F};
    double energy[2];
    float grad[4];
    float theta_grad[6];
    assert_ok(ebm_model_grad_x(model, 2, x, energy, grad));
    assert_near(energy[0], 0.5 * (2.0 * 1.0 + 2.0 * 0.5 * 2.0 + 1.0 * 4.0), 1e-12);
    assert_near(grad[0], 2.0 + 1.0, 1e-6);
    assert_near(grad[1], 0.5 + 2.0, 1e-6);
    assert_true(energy[1] == 0.0 && grad[2] == 0.0F && grad[3] == 0.0F);
    assert_ok(ebm_model_param_grad(model, 2, x, weight, energy, 6, theta_grad));
    const double expected[6] = {-9.0, -7.5, 1.5, 3.0, 3.0, 6.0}; /* -w S d, then w d d' / 2 */
    for (int i = 0; i < 6; i++) {
        assert_near(theta_grad[i], expected[i], 1e-5);
    }
    assert_near(energy[0], 4.0, 1e-12);
    ebm_model_destroy(model);
}

static void test_gaussian_defaults_and_init(void **state) {
    (void)state;
    enum { DIM = 12 };
    ebm_model *model;
    float theta[DIM + DIM * DIM];
    assert_ok(ebm_gaussian_create(NULL, DIM, NULL, NULL, &model));
    for (int round = 0; round < 2; round++) {
        assert_ok(ebm_model_get_params(model, DIM + DIM * DIM, theta));
        for (int64_t i = 0; i < DIM + DIM * DIM; i++) {
            assert_true(theta[i] == (i >= DIM && (i - DIM) % (DIM + 1) == 0 ? 1.0F : 0.0F));
        }
        fill_normals(1, DIM + DIM * DIM, theta);
        assert_ok(ebm_model_set_params(model, DIM + DIM * DIM, theta));
        assert_ok(ebm_model_init_params(model, 5));
    }
    ebm_model_destroy(model);
}

/* Small dims (loops) and large ones (matrix products), with P as created and after it has become unsymmetric. */
static void test_gaussian_gradients(void **state) {
    (void)state;
    const int64_t dims[] = {1, 2, 4, 5, 9, 33};
    for (size_t k = 0; k < sizeof dims / sizeof *dims; k++) {
        int64_t dim = dims[k];
        float *mean = new_normals(2, dim);
        float *precision = new_precision(dim);
        ebm_model *model;
        assert_ok(ebm_gaussian_create(NULL, dim, mean, precision, &model));
        check_gradients(model, 5, 7);
        for (int64_t i = 1; i < dim * dim; i += dim + 1) { /* one diagonal beside the main one */
            precision[i] += 0.5F;
        }
        assert_ok(ebm_model_set_tensor(model, "precision", dim * dim, precision));
        check_gradients(model, 5, 8);
        ebm_model_destroy(model);
        free(mean);
        free(precision);
    }
}

/* Energies against sums in double, for rows of several blocks. */
static void test_gaussian_energies(void **state) {
    (void)state;
    const int64_t dims[] = {3, 40};
    enum { N = 700 };
    for (int k = 0; k < 2; k++) {
        int64_t dim = dims[k];
        float *mean = new_normals(2, dim);
        float *precision = new_precision(dim);
        float *x = new_normals(9, N * dim);
        double energy[N];
        ebm_model *model;
        assert_ok(ebm_gaussian_create(NULL, dim, mean, precision, &model));
        assert_ok(ebm_model_set_concurrent(model, 0)); /* all rows in one call */
        assert_ok(ebm_model_energy(model, N, x, energy));
        for (int64_t r = 0; r < N; r++) {
            double sum = 0.0;
            for (int64_t i = 0; i < dim * dim; i++) {
                sum += 0.5 * ((double)x[r * dim + i / dim] - (double)mean[i / dim]) * (double)precision[i] *
                       ((double)x[r * dim + i % dim] - (double)mean[i % dim]);
            }
            assert_near(energy[r], sum, 1e-6 * (1.0 + sum));
        }
        ebm_model_destroy(model);
        free(mean);
        free(precision);
        free(x);
    }
}

static void test_gaussian_arguments(void **state) {
    (void)state;
    ebm_model *model = NULL;
    const float nan_mean[2] = {0.0F, NAN};
    const float unsymmetric[4] = {1.0F, 0.2F, 0.20001F, 1.0F};
    const float nearly[4] = {1.0F, 0.2F, 0.2000004F, 1.0F};
    const float infinite[4] = {1.0F, INFINITY, INFINITY, 1.0F};
    const float indefinite[9] = {1.0F, 0.0F, 0.0F, 0.0F, 1.0F, 2.0F, 0.0F, 2.0F, 1.0F};
    const float singular[4] = {2.0F, 2.0F, 2.0F, 2.0F}; /* rounding leaves a pivot of 4e-16 */
    const float negative[1] = {-1.0F};
    assert_status(ebm_gaussian_create(NULL, 2, NULL, NULL, NULL), EBM_ERR_ARG);
    assert_status(ebm_gaussian_create(NULL, 0, NULL, NULL, &model), EBM_ERR_ARG);
    assert_message("ebm_gaussian_create: dim is 0");
    assert_status(ebm_gaussian_create(NULL, (int64_t)INT32_MAX + 1, NULL, NULL, &model), EBM_ERR_ARG);
    assert_status(ebm_gaussian_create(NULL, INT32_MAX, NULL, NULL, &model), EBM_ERR_OVERFLOW);
    assert_status(ebm_gaussian_create(NULL, 2, nan_mean, NULL, &model), EBM_ERR_ARG);
    assert_message("mean[1]");
    assert_status(ebm_gaussian_create(NULL, 2, NULL, unsymmetric, &model), EBM_ERR_ARG);
    assert_message("symmetric");
    assert_status(ebm_gaussian_create(NULL, 2, NULL, infinite, &model), EBM_ERR_ARG);
    assert_message("finite");
    assert_status(ebm_gaussian_create(NULL, 3, NULL, indefinite, &model), EBM_ERR_ARG);
    assert_message("pivot 2 is -3");
    assert_status(ebm_gaussian_create(NULL, 2, NULL, singular, &model), EBM_ERR_ARG);
    assert_message("positive definite: pivot 1");
    assert_status(ebm_gaussian_create(NULL, 1, NULL, negative, &model), EBM_ERR_ARG);
    assert_message("pivot 0");
    assert_null(model);
    assert_ok(ebm_gaussian_create(NULL, 2, NULL, nearly, &model)); /* a difference of rounding is allowed */
    ebm_model_destroy(model);
}

static void test_double_well(void **state) {
    (void)state;
    ebm_model *model;
    const float x[4] = {0.0F, 1.0F, 2.0F, -0.5F};
    const float weight[2] = {2.0F, -1.0F};
    double energy[2];
    float grad[4];
    float barrier;
    assert_ok(ebm_double_well_create(NULL, 2, 3.0, &model));
    assert_ok(ebm_model_grad_x(model, 2, x, energy, grad));
    assert_near(energy[0], 3.0, 1e-12);
    assert_near(energy[1], 3.0 * (9.0 + 0.5625), 1e-12);
    const float expected[4] = {0.0F, 0.0F, 72.0F, 4.5F};
    for (int i = 0; i < 4; i++) {
        assert_near(grad[i], expected[i], 1e-5);
    }
    assert_ok(ebm_model_param_grad(model, 2, x, weight, energy, 1, &barrier));
    assert_near(barrier, 2.0 * 1.0 - 9.5625, 1e-6);
    assert_near(energy[1], 3.0 * 9.5625, 1e-12);
    int32_t rank = -1;
    const char *name;
    assert_ok(ebm_model_tensor_info(model, 0, &name, &rank, NULL, NULL));
    assert_string_equal(name, "barrier");
    assert_int_equal(rank, 0);
    assert_ok(ebm_model_init_params(model, 1));
    assert_ok(ebm_model_get_params(model, 1, &barrier));
    assert_true(barrier == 1.0F);
    ebm_model_destroy(model);
}

/* Far away, the energy still has a value, and the gradient is too large for a float: that is told, not hidden. */
static void test_double_well_far_away(void **state) {
    (void)state;
    ebm_model *model;
    const float x[1] = {1e30F};
    double energy;
    float grad;
    assert_ok(ebm_double_well_create(NULL, 1, 1.0, &model));
    assert_ok(ebm_model_energy(model, 1, x, &energy));
    assert_near(energy / 1e120, 1.0, 1e-6);
    assert_status(ebm_model_grad_x(model, 1, x, NULL, &grad), EBM_ERR_NONFINITE);
    ebm_model_destroy(model);
}

static void test_double_well_arguments(void **state) {
    (void)state;
    ebm_model *model = NULL;
    const double bad[] = {0.0, -1.0, NAN, INFINITY, 1e39, 1e-60};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_status(ebm_double_well_create(NULL, 2, bad[i], &model), EBM_ERR_ARG);
        assert_message("ebm_double_well_create: barrier");
    }
    assert_status(ebm_double_well_create(NULL, 0, 1.0, &model), EBM_ERR_ARG);
    assert_status(ebm_double_well_create(NULL, 2, 1.0, NULL), EBM_ERR_ARG);
    assert_null(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaussian_known_values),
        cmocka_unit_test(test_gaussian_defaults_and_init),
        cmocka_unit_test(test_gaussian_gradients),
        cmocka_unit_test(test_gaussian_energies),
        cmocka_unit_test(test_gaussian_arguments),
        cmocka_unit_test(test_double_well),
        cmocka_unit_test(test_double_well_far_away),
        cmocka_unit_test(test_double_well_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

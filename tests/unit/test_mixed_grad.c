/* SPDX-License-Identifier: MIT */
/*
 * The exact derivative in theta and x together: the networks' and what is made of them against central differences of
 * param_grad and, for the MLP, against a reference in double; same bits on threads; a host's that is wrong is found.
 */
#include "transform_support.h"

#include "reference_energies.h"

enum { ROWS = 150 /* two chunks */ };

static ebm_model *new_mlp(int64_t dim, int32_t n_hidden, int32_t activation) {
    const int64_t widths[3] = {19, 8, 33};
    ebm_model *model = NULL;
    assert_ok(ebm_mlp_create(NULL, dim, n_hidden, widths, activation, &model));
    assert_ok(ebm_model_init_params(model, 4));
    return model;
}

static ebm_model *new_conv(int64_t channels, int32_t pooling, int32_t n_dense) {
    const int64_t filters[2] = {5, 8}, kernel[2] = {3, 3}, stride[2] = {1, 2}, widths[1] = {9};
    ebm_model *model = NULL;
    assert_ok(ebm_conv_create(NULL, channels, 7, 6, 2, filters, kernel, stride, pooling, n_dense, widths, EBM_ACT_SILU,
                              &model));
    assert_ok(ebm_model_init_params(model, 5));
    return model;
}

/* Random biases too, so that nothing is 0 by chance. */
static void check(ebm_model *model, double bound) {
    int64_t n_params = ebm_model_param_count(model);
    float *theta = malloc((size_t)n_params * sizeof *theta);
    float *noise = new_normals(8, n_params);
    float *x = new_normals(9, ROWS * ebm_model_dim(model));
    double worst = -1;
    assert_non_null(theta);
    assert_ok(ebm_model_get_params(model, n_params, theta));
    for (int64_t i = 0; i < n_params; i++) {
        theta[i] += 0.1F * noise[i];
    }
    assert_ok(ebm_model_set_params(model, n_params, theta));
    assert_ok(ebm_model_check_mixed_grad(model, ROWS, x, &worst));
    if (!(worst > 0 && worst < bound)) {
        fail_msg("%g: %s", worst, ebm_last_error());
    }
    ebm_model_destroy(model);
    free(x);
    free(noise);
    free(theta);
}

static void test_mlp(void **state) {
    (void)state;
    for (int32_t activation = EBM_ACT_SILU; activation <= EBM_ACT_TANH; activation++) {
        check(new_mlp(1, 1, activation), 1e-3);
        check(new_mlp(5, 2, activation), 1e-3);
        check(new_mlp(70, 3, activation), 1e-3);
    }
    check(new_mlp(5, 0, EBM_ACT_SILU), 1e-3); /* linear */
}

static void test_conv(void **state) {
    (void)state;
    check(new_conv(1, EBM_POOL_NONE, 1), 1e-3);
    check(new_conv(3, EBM_POOL_NONE, 0), 1e-3);
    check(new_conv(1, EBM_POOL_MEAN, 1), 1e-3);
    check(new_conv(2, EBM_POOL_MEAN, 0), 1e-3);
}

/* ReLU: away from its kinks E is linear in x, but the slopes move theta. Rows whose differences meet a kink do not count. */
static void test_relu(void **state) {
    (void)state;
    enum { N = 40, PARAMS = 5 * 19 + 19 + 19 + 1 };
    ebm_model *model = new_mlp(5, 1, EBM_ACT_RELU);
    float *x = new_normals(3, N * 5);
    int right = 0;
    assert_int_equal(ebm_model_param_count(model), PARAMS);
    for (int i = 0; i < N; i++) {
        double worst = 1;
        assert_ok(ebm_model_check_mixed_grad(model, 1, x + 5 * i, &worst));
        right += worst < 1e-3;
    }
    assert_true(right > N / 2);
    ebm_model_destroy(model);
    free(x);
}

static void test_sum(void **state) {
    (void)state;
    ebm_model *host = NULL;
    ebm_model *sum = NULL;
    assert_ok(ebm_model_create(NULL, 5, flat, NULL, NULL, &host)); /* not trained: only in slopes */
    ebm_model *parts[4] = {new_mlp(5, 2, EBM_ACT_TANH), new_mlp(5, 1, EBM_ACT_SILU), host, new_mlp(5, 1, EBM_ACT_SILU)};
    const double weights[4] = {0.7, -1.3, 2, 0};
    assert_ok(ebm_sum_create(NULL, 4, parts, weights, &sum));
    check(sum, 1e-3);
    ebm_model *gaussian = NULL;
    assert_ok(ebm_gaussian_create(NULL, 5, NULL, NULL, &gaussian));
    ebm_model *mixed[2] = {parts[0], gaussian}; /* which has none */
    assert_ok(ebm_sum_create(NULL, 2, mixed, NULL, &sum));
    assert_status(ebm_model_check_mixed_grad(sum, 0, NULL, NULL), EBM_ERR_STATE);
    ebm_model_destroy(sum);
    ebm_model_destroy(gaussian);
    for (int k = 0; k < 4; k++) {
        ebm_model_destroy(parts[k]);
    }
}

static void test_transformed(void **state) {
    (void)state;
    const block_case blocks[] = {{EBM_TRANSFORM_NONE, 1, 0, 0},     {EBM_TRANSFORM_LOWER, 2, -1, 0},
                                 {EBM_TRANSFORM_UPPER, 1, 0, 2},    {EBM_TRANSFORM_INTERVAL, 2, -1, 2},
                                 {EBM_TRANSFORM_SIMPLEX, 4, 0, 0},  {EBM_TRANSFORM_ORDERED, 3, 0, 0}};
    check(wrap(new_mlp(13, 2, EBM_ACT_TANH), 6, blocks), 3e-3);
    check(wrap(wrap(new_mlp(13, 2, EBM_ACT_TANH), 6, blocks), 1,
               (const block_case[]){{EBM_TRANSFORM_NONE, 12, 0, 0}}), 3e-3);
    ebm_model *inner = new_mlp(1, 1, EBM_ACT_SILU);
    assert_ok(ebm_model_set_sign(inner, EBM_SIGN_LOG_DENSITY));
    check(wrap(inner, 1, (const block_case[]){{EBM_TRANSFORM_LOWER, 1, 0, 0}}), 3e-3);
}

static void test_sign(void **state) {
    (void)state;
    ebm_model *model = new_mlp(5, 2, EBM_ACT_SILU);
    assert_ok(ebm_model_set_sign(model, EBM_SIGN_LOG_DENSITY));
    check(model, 1e-3);
}

/* Against double: only rounding is left. */
static void test_reference(void **state) {
    (void)state;
    enum { N = 64 };
    for (int index = 0; index < REFERENCE_CASES - 1; index++) {
        ebm_model *model = NULL;
        reference m;
        const char *name = reference_case(index, &model, &m);
        int64_t dim = m.width[0];
        float *theta = stat_alloc(m.n_params, sizeof *theta);
        float *grad = stat_alloc(m.n_params, sizeof *grad);
        double *expected = stat_alloc(m.n_params, sizeof *expected);
        float *x = new_normals(1, N * dim);
        float *r = new_normals(2, N * dim);
        float *weight = new_normals(3, N);
        double slope[N];
        assert_ok(ebm_model_get_params(model, m.n_params, theta));
        m.theta = theta;
        assert_ok(ebm_model_mixed_grad(model, N, x, r, weight, slope, m.n_params, grad));
        for (int i = 0; i < N; i++) {
            double at[REFERENCE_MOST_WIDTH];
            double along[REFERENCE_MOST_WIDTH];
            double g[REFERENCE_MOST_WIDTH];
            double product = 0;
            for (int64_t j = 0; j < dim; j++) {
                at[j] = (double)x[i * dim + j];
                along[j] = (double)r[i * dim + j];
            }
            reference_row(&m, at, 0, g, NULL);
            reference_mixed(&m, at, along, (double)weight[i], expected);
            for (int64_t j = 0; j < dim; j++) {
                product += g[j] * along[j];
            }
            assert_near(slope[i], product, 1e-5 * (1 + fabs(product)));
        }
        double error = reference_error(m.n_params, grad, expected);
        if (!(error < 1e-6)) {
            fail_msg("%s: %g", name, error);
        }
        ebm_model_destroy(model);
        free(theta);
        free(grad);
        free(expected);
        free(x);
        free(r);
        free(weight);
    }
}

static void test_threads(void **state) {
    (void)state;
    enum { N = 500 };
    float *grad[2] = {NULL, NULL};
    double slope[2][N];
    int64_t n_params = 0;
    for (int k = 0; k < 2; k++) {
        ebm_context *context = NULL;
        ebm_model *model = NULL;
        const int64_t filters[1] = {5}, kernel[1] = {3}, stride[1] = {1};
        assert_ok(ebm_context_create(&context));
        assert_ok(ebm_context_set_threads(context, k == 0 ? 1 : 3));
        assert_ok(ebm_conv_create(context, 1, 6, 6, 1, filters, kernel, stride, EBM_POOL_NONE, 0, NULL, EBM_ACT_SILU,
                                  &model));
        assert_ok(ebm_model_init_params(model, 5));
        n_params = ebm_model_param_count(model);
        grad[k] = malloc((size_t)n_params * sizeof *grad[k]);
        float *x = new_normals(1, 36 * N);
        float *r = new_normals(2, 36 * N);
        float *weight = new_normals(3, N);
        assert_non_null(grad[k]);
        assert_ok(ebm_model_mixed_grad(model, N, x, r, weight, slope[k], n_params, grad[k]));
        free(x);
        free(r);
        free(weight);
        ebm_model_destroy(model);
        ebm_context_destroy(context);
    }
    assert_memory_equal(grad[0], grad[1], (size_t)n_params * sizeof(float));
    assert_memory_equal(slope[0], slope[1], sizeof slope[0]);
    free(grad[0]);
    free(grad[1]);
}

/* A host's, for E = a x^2 / 2 in one dimension: d = a x r, dd/da = x r. user_data: what it does wrong. */
enum { RIGHT, WRONG_GRAD, WRONG_SLOPE, NO_GRAD, NO_SLOPE, NAN_SLOPE, NAN_GRAD, STOPS, FAILS };

static int32_t host_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                           void *user_data) {
    (void)dim;
    (void)user_data;
    for (int64_t i = 0; i < n; i++) {
        if (energy != NULL) {
            energy[i] = 0.5 * (double)(theta[0] * x[i] * x[i]);
        }
        if (grad_x != NULL) {
            grad_x[i] = theta[0] * x[i];
        }
    }
    return EBM_CB_OK;
}

static int32_t host_param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta,
                               double *energy, float *grad_theta, void *user_data) {
    int32_t answer = host_energy(n, dim, x, theta, energy, NULL, user_data);
    grad_theta[0] = 0;
    for (int64_t i = 0; i < n; i++) {
        grad_theta[0] += 0.5F * weight[i] * x[i] * x[i];
    }
    return answer;
}

static int32_t host_mixed_grad(int64_t n, int64_t dim, const float *x, const float *direction, const float *weight,
                               const float *theta, double *slope, float *grad_theta, void *user_data) {
    int wrong = *(const int *)user_data;
    float sum = 0;
    (void)dim;
    for (int64_t i = 0; i < n; i++) {
        sum += weight[i] * x[i] * direction[i] * (wrong == WRONG_GRAD ? 1.5F : 1.0F);
        if (slope != NULL && (wrong != NO_SLOPE || i < n / 2)) {
            slope[i] = (double)(theta[0] * x[i] * direction[i]) * (wrong == WRONG_SLOPE ? -1 : 1);
        }
        if (slope != NULL && wrong == NAN_SLOPE) {
            slope[i] = (double)INFINITY;
        }
    }
    if (wrong != NO_GRAD) {
        grad_theta[0] = wrong == NAN_GRAD ? NAN : sum;
    }
    return wrong == STOPS ? EBM_CB_STOP : wrong == FAILS ? 77 : EBM_CB_OK;
}

static void test_callbacks(void **state) {
    (void)state;
    enum { N = 8 };
    const struct {
        ebm_status status;
        const char *message;
    } expected[] = {{EBM_OK, ""},
                    {EBM_OK, "parts most at parameter 0"},
                    {EBM_OK, "parts most at slope of row"},
                    {EBM_ERR_CALLBACK, "mixed_grad callback did not write element 0 of tensor 'a'"},
                    {EBM_ERR_CALLBACK, "mixed_grad callback did not write the slope of row 4"},
                    {EBM_ERR_NONFINITE, "mixed_grad callback gave a slope of +infinity for row 0"},
                    {EBM_ERR_NONFINITE, "mixed_grad callback gave NaN in element 0 of tensor 'a'"},
                    {EBM_ERR_STOPPED, "mixed_grad callback asked to stop"},
                    {EBM_ERR_CALLBACK, "mixed_grad callback returned 77"}};
    for (int wrong = RIGHT; wrong <= FAILS; wrong++) {
        ebm_model *model = NULL;
        float *x = new_normals(1, N);
        double worst = -1;
        assert_ok(ebm_model_create(NULL, 1, host_energy, host_param_grad, &wrong, &model));
        assert_status(ebm_model_check_mixed_grad(model, N, x, NULL), EBM_ERR_STATE);
        assert_message("no mixed_grad callback");
        ebm_mixed_grad_fn is_set = NULL;
        assert_ok(ebm_model_set_mixed_grad(model, host_mixed_grad));
        assert_ok(ebm_model_get_mixed_grad(model, &is_set));
        assert_true(is_set == host_mixed_grad);
        assert_status(ebm_model_mixed_grad(model, 0, NULL, NULL, NULL, NULL, 0, NULL), EBM_ERR_STATE);
        assert_message("no parameters");
        assert_ok(ebm_model_add_tensor(model, "a", 0, NULL));
        assert_ok(ebm_model_set_params(model, 1, (const float[]){1.5F}));
        assert_status(ebm_model_check_mixed_grad(model, N, x, &worst), expected[wrong].status);
        assert_message(expected[wrong].message);
        if (expected[wrong].status == EBM_OK) {
            assert_true(wrong == RIGHT ? worst < 1e-5 : worst > 0.3);
        }
        ebm_model_destroy(model);
        free(x);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mlp),         cmocka_unit_test(test_conv), cmocka_unit_test(test_relu),
        cmocka_unit_test(test_sum),         cmocka_unit_test(test_transformed),
        cmocka_unit_test(test_sign),        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_threads),     cmocka_unit_test(test_callbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The multilayer perceptron: its tensors, small networks computed by hand, gradients, starting values. */
#include "energies_support.h"

static const int32_t activations[] = {EBM_ACT_SILU, EBM_ACT_SOFTPLUS, EBM_ACT_TANH, EBM_ACT_RELU};
enum { ACTIVATIONS = sizeof activations / sizeof *activations };

static ebm_model *new_mlp(int64_t dim, int32_t n_hidden, const int64_t *widths, int32_t activation) {
    ebm_model *model;
    assert_ok(ebm_mlp_create(NULL, dim, n_hidden, widths, activation, &model));
    return model;
}

static void test_tensors(void **state) {
    (void)state;
    const int64_t widths[2] = {5, 3};
    const struct {
        const char *name;
        int32_t rank;
        int64_t shape[2], offset;
    } expected[6] = {{"layer1.weight", 2, {5, 4}, 0},  {"layer1.bias", 1, {5, 0}, 20},
                     {"layer2.weight", 2, {3, 5}, 25}, {"layer2.bias", 1, {3, 0}, 40},
                     {"output.weight", 2, {1, 3}, 43}, {"output.bias", 1, {1, 0}, 46}};
    ebm_model *model = new_mlp(4, 2, widths, EBM_ACT_SILU);
    assert_int_equal(ebm_model_tensor_count(model), 6);
    assert_int_equal(ebm_model_param_count(model), 47);
    for (int64_t i = 0; i < 6; i++) {
        const char *name;
        int32_t rank;
        int64_t shape[8] = {0};
        int64_t offset;
        assert_ok(ebm_model_tensor_info(model, i, &name, &rank, shape, &offset));
        assert_string_equal(name, expected[i].name);
        assert_int_equal(rank, expected[i].rank);
        assert_int_equal(shape[0], expected[i].shape[0]);
        assert_int_equal(shape[1], expected[i].shape[1]);
        assert_int_equal(offset, expected[i].offset);
    }
    float theta[47];
    assert_ok(ebm_model_get_params(model, 47, theta));
    for (int i = 0; i < 47; i++) {
        assert_true(theta[i] == 0.0F);
    }
    ebm_model_destroy(model);
}

static void no_release(void *data) {
    (void)data;
}

/* What the library's own energies keep behind user_data is not the host's to free. */
static void test_ownership(void **state) {
    (void)state;
    const int64_t width = 2;
    ebm_model *model = NULL;
    assert_ok(ebm_mlp_create(NULL, 2, 1, &width, EBM_ACT_TANH, &model));
    assert_int_equal(ebm_model_set_release(model, no_release), EBM_ERR_STATE);
    assert_int_equal(ebm_model_set_release(model, NULL), EBM_ERR_ARG);
    ebm_model_destroy(model);
}

static void test_linear(void **state) {
    (void)state;
    enum { N = 3, DIM = 2 };
    const float theta[DIM + 1] = {2.0F, -3.0F, 0.5F};
    const float x[N * DIM] = {1.0F, 1.0F, 0.0F, 2.0F, -1.0F, 0.0F};
    const float weight[N] = {1.0F, -2.0F, 4.0F};
    const double expected[N] = {-0.5, -5.5, -1.5};
    double energy[N];
    float grad[N * DIM];
    float grad_theta[DIM + 1];
    ebm_model *model = new_mlp(DIM, 0, NULL, EBM_ACT_SILU);
    assert_ok(ebm_model_set_params(model, DIM + 1, theta));
    assert_ok(ebm_model_grad_x(model, N, x, energy, grad));
    for (int i = 0; i < N; i++) {
        assert_true(energy[i] == expected[i] && grad[DIM * i] == 2.0F && grad[DIM * i + 1] == -3.0F);
    }
    assert_ok(ebm_model_param_grad(model, N, x, weight, energy, DIM + 1, grad_theta));
    assert_true(grad_theta[0] == -3.0F && grad_theta[1] == -3.0F && grad_theta[2] == 3.0F);
    ebm_model_destroy(model);
}

static double act(int32_t activation, double z) {
    switch (activation) {
        case EBM_ACT_SILU: return z / (1.0 + exp(-z));
        case EBM_ACT_SOFTPLUS: return log1p(exp(z));
        case EBM_ACT_TANH: return tanh(z);
        default: return z > 0.0 ? z : 0.0;
    }
}

static double act_slope(int32_t activation, double z) {
    double logistic = 1.0 / (1.0 + exp(-z));
    switch (activation) {
        case EBM_ACT_SILU: return logistic * (1.0 + z * (1.0 - logistic));
        case EBM_ACT_SOFTPLUS: return logistic;
        case EBM_ACT_TANH: return 1.0 - tanh(z) * tanh(z);
        default: return z > 0.0 ? 1.0 : 0.0;
    }
}

/* One unit after the other, 1-1-1-1: E = u act(b act(a x + p) + q) + v, by the chain rule. */
static void test_chain_of_units(void **state) {
    (void)state;
    const int64_t widths[2] = {1, 1};
    const float theta[6] = {1.5F, 0.25F, -2.0F, 0.75F, 3.0F, -1.0F}; /* a p b q u v */
    for (int k = 0; k < ACTIVATIONS; k++) {
        ebm_model *model = new_mlp(1, 2, widths, activations[k]);
        assert_ok(ebm_model_set_params(model, 6, theta));
        for (float x = -2.0F; x <= 2.0F; x += 0.3F) {
            double z1 = 1.5 * (double)x + 0.25;
            double h1 = act(activations[k], z1);
            double z2 = -2.0 * h1 + 0.75;
            double h2 = act(activations[k], z2);
            double delta2 = 3.0 * act_slope(activations[k], z2);
            double delta1 = -2.0 * delta2 * act_slope(activations[k], z1);
            const double expected[6] = {delta1 * (double)x, delta1, delta2 * h1, delta2, h2, 1.0};
            double energy;
            float grad;
            float grad_theta[6];
            const float weight = -2.0F;
            assert_ok(ebm_model_grad_x(model, 1, &x, &energy, &grad));
            assert_near(energy, 3.0 * h2 - 1.0, 5e-6);
            assert_near(grad, 1.5 * delta1, 2e-5);
            assert_ok(ebm_model_param_grad(model, 1, &x, &weight, &energy, 6, grad_theta));
            assert_near(energy, 3.0 * h2 - 1.0, 5e-6);
            for (int i = 0; i < 6; i++) {
                assert_near(grad_theta[i], -2.0 * expected[i], 5e-5);
            }
        }
        ebm_model_destroy(model);
    }
}

/* Central differences need a smooth energy, so not for ReLU. */
static void test_gradients(void **state) {
    (void)state;
    const int64_t widths[5] = {17, 30, 5, 9, 12};
    for (int k = 0; k < ACTIVATIONS - 1; k++) {
        for (int32_t n_hidden = 0; n_hidden <= 5; n_hidden++) {
            ebm_model *model = new_mlp(n_hidden + 1, n_hidden, widths, activations[k]);
            assert_ok(ebm_model_init_params(model, 4));
            check_gradients(model, 4, 40);
            ebm_model_destroy(model);
        }
    }
}

/* Of n draws from N(0, s^2): the mean has the standard error s / sqrt(n), the variance s^2 sqrt(2 / n). */
static void check_normal(int64_t n, const float *values, double variance) {
    double sum = 0.0;
    double squares = 0.0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)values[i];
        squares += (double)values[i] * (double)values[i];
    }
    assert_near(sum / (double)n, 0.0, 4.0 * sqrt(variance / (double)n));
    assert_near(squares / (double)n, variance, 4.0 * variance * sqrt(2.0 / (double)n));
}

static void test_init_statistics(void **state) {
    (void)state;
    enum { DIM = 50, WIDTH1 = 80, WIDTH2 = 400 };
    const int64_t widths[2] = {WIDTH1, WIDTH2};
    static float values[WIDTH1 * WIDTH2];
    for (int k = 0; k < ACTIVATIONS; k++) {
        double gain = activations[k] == EBM_ACT_TANH ? 1.0 : 2.0;
        ebm_model *model = new_mlp(DIM, 2, widths, activations[k]);
        assert_ok(ebm_model_init_params(model, 60));
        assert_ok(ebm_model_get_tensor(model, "layer1.weight", WIDTH1 * DIM, values));
        check_normal(WIDTH1 * DIM, values, gain / DIM);
        assert_ok(ebm_model_get_tensor(model, "layer2.weight", WIDTH1 * WIDTH2, values));
        check_normal(WIDTH1 * WIDTH2, values, gain / WIDTH1);
        assert_ok(ebm_model_get_tensor(model, "output.weight", WIDTH2, values));
        check_normal(WIDTH2, values, 1.0 / WIDTH2);
        const struct {
            const char *name;
            int64_t n;
        } biases[3] = {{"layer1.bias", WIDTH1}, {"layer2.bias", WIDTH2}, {"output.bias", 1}};
        for (int b = 0; b < 3; b++) {
            assert_ok(ebm_model_get_tensor(model, biases[b].name, biases[b].n, values));
            for (int64_t i = 0; i < biases[b].n; i++) {
                assert_true(values[i] == 0.0F);
            }
        }
        ebm_model_destroy(model);
    }
}

/* The same seed gives the same bits, whatever stood there before; element i of theta has number i of the sequence. */
static void test_init_is_a_function_of_the_seed(void **state) {
    (void)state;
    enum { PARAMS = 7 * 3 + 7 + 7 + 1 };
    const int64_t widths[1] = {7};
    float theta[3][PARAMS];
    const uint64_t seeds[3] = {9, UINT64_MAX, 9};
    ebm_model *model = new_mlp(3, 1, widths, EBM_ACT_SILU);
    for (int i = 0; i < 3; i++) {
        assert_ok(ebm_model_init_params(model, seeds[i]));
        assert_ok(ebm_model_get_params(model, PARAMS, theta[i]));
    }
    assert_memory_equal(theta[0], theta[2], sizeof theta[0]);
    assert_memory_not_equal(theta[0], theta[1], sizeof theta[0]);
    const ebm__sequence sequence = {.seed = 9, .step = 0, .stream = EBM__STREAM_INIT};
    float z[PARAMS];
    ebm__simd_used()->normals(&sequence, 0, PARAMS, z);
    assert_near(theta[0][20], (double)z[20] * sqrt(2.0 / 3.0), 1e-6);
    assert_near(theta[0][28], (double)z[28] * sqrt(1.0 / 7.0), 1e-6); /* output.weight: after 21 weights, 7 biases */
    ebm_model_destroy(model);
}

static void test_arguments(void **state) {
    (void)state;
    const int64_t good[2] = {4, 4};
    const int64_t zero[2] = {4, 0};
    const int64_t wide[2] = {4, (int64_t)INT32_MAX + 1};
    const int64_t product[1] = {INT32_MAX};
    const int64_t sum[3] = {INT32_MAX, INT32_MAX, INT32_MAX};
    int64_t many[65];
    ebm_model *model = NULL;
    for (int i = 0; i < 65; i++) {
        many[i] = 2;
    }
    assert_status(ebm_mlp_create(NULL, 3, 2, good, EBM_ACT_SILU, NULL), EBM_ERR_ARG);
    assert_status(ebm_mlp_create(NULL, 0, 2, good, EBM_ACT_SILU, &model), EBM_ERR_ARG);
    assert_message("ebm_mlp_create: dim is 0");
    assert_status(ebm_mlp_create(NULL, (int64_t)INT32_MAX + 1, 2, good, EBM_ACT_SILU, &model), EBM_ERR_ARG);
    assert_status(ebm_mlp_create(NULL, 3, -1, good, EBM_ACT_SILU, &model), EBM_ERR_ARG);
    assert_message("n_hidden is -1");
    assert_status(ebm_mlp_create(NULL, 3, 65, many, EBM_ACT_SILU, &model), EBM_ERR_ARG);
    assert_status(ebm_mlp_create(NULL, 3, 1, NULL, EBM_ACT_SILU, &model), EBM_ERR_ARG);
    assert_message("widths is NULL");
    assert_status(ebm_mlp_create(NULL, 3, 2, zero, EBM_ACT_SILU, &model), EBM_ERR_ARG);
    assert_message("widths[1] is 0");
    assert_status(ebm_mlp_create(NULL, 3, 2, wide, EBM_ACT_SILU, &model), EBM_ERR_OVERFLOW);
    assert_status(ebm_mlp_create(NULL, INT32_MAX, 1, product, EBM_ACT_SILU, &model), EBM_ERR_OVERFLOW);
    assert_status(ebm_mlp_create(NULL, INT32_MAX, 3, sum, EBM_ACT_SILU, &model), EBM_ERR_OVERFLOW);
    assert_status(ebm_mlp_create(NULL, 3, 2, good, 0, &model), EBM_ERR_ARG);
    assert_message("activation is 0");
    assert_status(ebm_mlp_create(NULL, 3, 2, good, 5, &model), EBM_ERR_ARG);
    assert_null(model);
    assert_ok(ebm_mlp_create(NULL, 3, 64, many, EBM_ACT_RELU, &model));
    const float x[3] = {1.0F, 2.0F, 3.0F};
    float grad[3];
    double energy;
    assert_ok(ebm_model_init_params(model, 1));
    assert_ok(ebm_model_grad_x(model, 1, x, &energy, grad));
    ebm_model_destroy(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_ownership),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_chain_of_units),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_init_statistics),
        cmocka_unit_test(test_init_is_a_function_of_the_seed),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Residual layers: by the formula in double, with a branch of zeros (act(0) = 0, so the layer is the identity and the
 * network is the one without it), and their gradients by differences.
 */
#include "energies_support.h"

enum { ROWS = 200, DIM = 5, WIDTH = 6 };

static ebm_model *new_mlp(int32_t n_hidden, const int64_t *widths, int32_t activation) {
    ebm_model *model = NULL;
    assert_ok(ebm_mlp_create(NULL, DIM, n_hidden, widths, activation, &model));
    assert_ok(ebm_model_init_params(model, 3));
    return model;
}

static ebm_model *new_conv(int32_t n_conv, const int64_t *kernel, const int64_t *stride, int32_t activation) {
    const int64_t filters[3] = {4, 4, 4}, widths[2] = {7, 7};
    ebm_model *model = NULL;
    assert_ok(ebm_conv_create(NULL, 4, 5, 6, n_conv, filters, kernel, stride, EBM_POOL_MEAN, 2, widths, activation,
                              &model));
    assert_ok(ebm_model_init_params(model, 3));
    return model;
}

/* tanh; biases are 0. */
static void test_formula(void **state) {
    (void)state;
    const int64_t widths[2] = {WIDTH, WIDTH};
    ebm_model *model = new_mlp(2, widths, EBM_ACT_TANH + EBM_NET_RESIDUAL);
    float *x = new_normals(1, ROWS * DIM);
    float w1[WIDTH * DIM], w2[WIDTH * WIDTH], w3[WIDTH];
    double energy[ROWS];
    assert_ok(ebm_model_get_tensor(model, "layer1.weight", WIDTH * DIM, w1));
    assert_ok(ebm_model_get_tensor(model, "layer2.weight", WIDTH * WIDTH, w2));
    assert_ok(ebm_model_get_tensor(model, "output.weight", WIDTH, w3));
    assert_ok(ebm_model_energy(model, ROWS, x, energy));
    for (int r = 0; r < ROWS; r++) {
        double h[WIDTH];
        double sum = 0;
        for (int i = 0; i < WIDTH; i++) {
            double z = 0;
            for (int j = 0; j < DIM; j++) {
                z += (double)w1[i * DIM + j] * (double)x[r * DIM + j];
            }
            h[i] = tanh(z);
        }
        for (int i = 0; i < WIDTH; i++) {
            double z = 0;
            for (int j = 0; j < WIDTH; j++) {
                z += (double)w2[i * WIDTH + j] * h[j];
            }
            sum += (double)w3[i] * (h[i] + tanh(z));
        }
        assert_near(energy[r], sum, 3e-6);
    }
    ebm_model_destroy(model);
    free(x);
}

/* Both energies and gradients in x: to rounding, as h + 0 is h. They get the same shared tensors. */
static void assert_same(ebm_model *with, ebm_model *without, const char *const *shared, int n_shared) {
    int64_t dim = ebm_model_dim(with);
    float *x = new_normals(1, ROWS * dim);
    float *grad[2];
    double energy[2][ROWS];
    ebm_model *models[2] = {with, without};
    for (int k = 0; k < n_shared; k++) {
        static float values[4096];
        for (int64_t t = 0; t < ebm_model_tensor_count(without); t++) {
            const char *name;
            int32_t rank;
            int64_t shape[8];
            int64_t size = 1;
            assert_ok(ebm_model_tensor_info(without, t, &name, &rank, shape, NULL));
            for (int32_t i = 0; i < rank; i++) {
                size *= shape[i];
            }
            if (strcmp(name, shared[k]) == 0) {
                assert_ok(ebm_model_get_tensor(without, name, size, values));
                assert_ok(ebm_model_set_tensor(with, name, size, values));
            }
        }
    }
    for (int k = 0; k < 2; k++) {
        grad[k] = malloc((size_t)(ROWS * dim) * sizeof *grad[k]);
        assert_non_null(grad[k]);
        assert_ok(ebm_model_grad_x(models[k], ROWS, x, energy[k], grad[k]));
    }
    for (int64_t i = 0; i < ROWS * dim; i++) {
        assert_near(grad[0][i], grad[1][i], 1e-6);
    }
    for (int i = 0; i < ROWS; i++) {
        assert_near(energy[0][i], energy[1][i], 1e-6);
    }
    free(grad[0]);
    free(grad[1]);
    free(x);
    ebm_model_destroy(with);
    ebm_model_destroy(without);
}

/* The slopes of a branch are act'(0) W = 0 where W is 0. */
static void test_zero_branch(void **state) {
    (void)state;
    static const float zeros[WIDTH * WIDTH];
    static const float conv_zeros[4 * 9 * 4];
    const int64_t widths[2] = {WIDTH, WIDTH}, kernel[2] = {3, 3}, stride[2] = {2, 1};
    const char *const of_mlp[] = {"layer1.weight", "layer1.bias", "output.weight", "output.bias"};
    const char *const of_conv[] = {"conv1.weight", "conv1.bias",    "layer1.weight", "layer1.bias",
                                   "layer2.weight", "layer2.bias", "output.weight", "output.bias"};
    ebm_model *mlp = new_mlp(2, widths, EBM_ACT_SILU + EBM_NET_RESIDUAL);
    assert_ok(ebm_model_set_tensor(mlp, "layer2.weight", WIDTH * WIDTH, zeros));
    assert_same(mlp, new_mlp(1, widths, EBM_ACT_SILU), of_mlp, 4);
    ebm_model *conv = new_conv(2, kernel, stride, EBM_ACT_SILU + EBM_NET_RESIDUAL);
    assert_ok(ebm_model_set_tensor(conv, "conv2.weight", 4 * 9 * 4, conv_zeros));
    assert_same(conv, new_conv(1, kernel, stride, EBM_ACT_SILU + EBM_NET_RESIDUAL), of_conv, 8);
}

static void check_all(ebm_model *model) {
    double worst;
    float *x = new_normals(7, 4 * ebm_model_dim(model));
    check_gradients(model, 4, 7);
    assert_ok(ebm_model_check_mixed_grad(model, 4, x, &worst));
    assert_true(worst > 0 && worst < 1e-3);
    ebm_model_destroy(model);
    free(x);
}

static void test_gradients(void **state) {
    (void)state;
    const int64_t all[4] = {WIDTH, WIDTH, WIDTH, WIDTH}, some[4] = {WIDTH, WIDTH, 3, 3}, first[3] = {DIM, DIM, WIDTH};
    const int64_t kernels[3] = {3, 3, 3}, even[3] = {3, 2, 1}, one[3] = {1, 1, 1}, turn[3] = {1, 2, 1};
    check_all(new_mlp(4, all, EBM_ACT_TANH + EBM_NET_RESIDUAL));
    check_all(new_mlp(4, some, EBM_ACT_SILU + EBM_NET_RESIDUAL));
    check_all(new_mlp(3, first, EBM_ACT_SOFTPLUS + EBM_NET_RESIDUAL));
    check_all(new_conv(3, kernels, one, EBM_ACT_SILU + EBM_NET_RESIDUAL));
    check_all(new_conv(3, kernels, turn, EBM_ACT_SILU + EBM_NET_RESIDUAL));
    check_all(new_conv(3, even, one, EBM_ACT_TANH + EBM_NET_RESIDUAL)); /* an even kernel does not keep the size */
}

static void test_refused(void **state) {
    (void)state;
    const int64_t width = WIDTH;
    ebm_model *model = NULL;
    assert_status(ebm_mlp_create(NULL, DIM, 1, &width, EBM_NET_RESIDUAL, &model), EBM_ERR_ARG);
    assert_message("activation is 256");
    assert_status(ebm_mlp_create(NULL, DIM, 1, &width, 5 + EBM_NET_RESIDUAL, &model), EBM_ERR_ARG);
    assert_status(ebm_mlp_create(NULL, DIM, 1, &width, EBM_ACT_SILU + 2 * EBM_NET_RESIDUAL, &model), EBM_ERR_ARG);
    assert_status(ebm_mlp_create(NULL, DIM, 1, &width, -1, &model), EBM_ERR_ARG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formula),   cmocka_unit_test(test_zero_branch), cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

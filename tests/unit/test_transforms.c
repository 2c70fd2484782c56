/* SPDX-License-Identifier: MIT */
/* The maps of ebm_transformed_create: values, Jacobians, gradients, edges. */
#include "transform_support.h"

static void test_known_values(void **state) {
    (void)state;
    ebm_model *model = flat_model(N_MIXED, MIXED);
    assert_int_equal(ebm_model_dim(model), MIXED_Y);
    const float y[MIXED_Y] = {0, 0, 0, 0.5F, -1, 7, -2, 0.25F, -0.5F, 0, 2, -0.75F, 0};
    float x[MIXED_X];
    double energy;
    assert_ok(ebm_transformed_constrain(model, 1, y, x));
    const double expected[MIXED_X] = {0.25, 0.25, 0.25, 0.25, -1.5 + exp(0.5), -1.5 + exp(-1), 7, -2,
                                      -2 + exp(0.25), -2 + exp(0.25) + exp(-0.5), 0.5, -2 + 5 / (1 + exp(-2.0)),
                                      0.75 - exp(-0.75), 0.5, 0.5};
    for (int i = 0; i < MIXED_X; i++) {
        assert_near(x[i], expected[i], 4e-7);
    }
    assert_ok(ebm_model_energy(model, 1, y, &energy));
    double s = 1 / (1 + exp(-2.0));
    double simplex = log(0.25 * 0.75) + log(0.75 * 1.0 / 3 * 2 / 3) + log(0.5 * 0.25);
    assert_near(energy, -(simplex + 0.5 - 1 + 0.25 - 0.5 + log(5 * 0.25) + log(5 * s * (1 - s)) - 0.75 + log(0.25)),
                1e-12);
    ebm_model_destroy(model);
}

/* log |det| by elimination with pivots; the matrix is lost. */
static double log_determinant(int n, double a[MOST][MOST]) {
    double sum = 0;
    for (int k = 0; k < n; k++) {
        int best = k;
        for (int i = k + 1; i < n; i++) {
            best = fabs(a[i][k]) > fabs(a[best][k]) ? i : best;
        }
        for (int j = 0; j < n; j++) {
            double swapped = a[k][j];
            a[k][j] = a[best][j];
            a[best][j] = swapped;
        }
        sum += log(fabs(a[k][k]));
        for (int i = k + 1; i < n; i++) {
            double factor = a[i][k] / a[k][k];
            for (int j = k; j < n; j++) {
                a[i][j] -= factor * a[k][j];
            }
        }
    }
    return sum;
}

/* The Jacobian of x(y), without the last coordinate of a simplex, by differences of fourth order. */
static double differenced_jacobian(const ebm_model *model, int n_y, int n_x, const float *y, const int *column) {
    double a[MOST][MOST];
    const float h = 1.0F / 16;
    for (int j = 0; j < n_y; j++) {
        float moved[MOST];
        float x[4][MOST];
        const float offsets[4] = {-2, -1, 1, 2};
        for (int p = 0; p < 4; p++) {
            memcpy(moved, y, (size_t)n_y * sizeof *y);
            moved[j] = y[j] + offsets[p] * h;
            assert_ok(ebm_transformed_constrain(model, 1, moved, x[p]));
        }
        for (int i = 0; i < n_y; i++) {
            int c = column[i];
            assert_true(c < n_x);
            double near_by = (double)x[2][c] - (double)x[1][c];
            double far_off = (double)x[3][c] - (double)x[0][c];
            a[i][j] = (8 * near_by - far_off) / (12 * (double)h);
        }
    }
    return log_determinant(n_y, a);
}

static void test_jacobian_is_the_determinant(void **state) {
    (void)state;
    const int column[MIXED_Y] = {0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
    ebm_model *model = flat_model(N_MIXED, MIXED);
    float y[MIXED_Y];
    double energy;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        fill_normals(seed, MIXED_Y, y);
        for (int i = 0; i < MIXED_Y; i++) {
            y[i] = roundf(y[i] * 256) / 256; /* so that y + h is exact */
        }
        assert_ok(ebm_model_energy(model, 1, y, &energy));
        assert_near(-energy, differenced_jacobian(model, MIXED_Y, MIXED_X, y, column), 5e-4);
    }
    ebm_model_destroy(model);
}

static void test_round_trip(void **state) {
    (void)state;
    enum { N = 200 };
    ebm_model *model = flat_model(N_MIXED, MIXED);
    float *y = new_normals(3, N * MIXED_Y);
    float x[N * MIXED_X];
    float x_again[N * MIXED_X];
    float y_again[N * MIXED_Y];
    assert_ok(ebm_transformed_constrain(model, N, y, x));
    assert_ok(ebm_transformed_unconstrain(model, N, x, y_again));
    assert_ok(ebm_transformed_constrain(model, N, y_again, x_again));
    for (int i = 0; i < N * MIXED_Y; i++) {
        assert_near(y_again[i], y[i], 2e-4);
    }
    for (int i = 0; i < N * MIXED_X; i++) {
        assert_near(x_again[i], x[i], 2e-6 * (1 + fabs((double)x[i])));
    }
    free(y);
    ebm_model_destroy(model);
}

static void test_gradients(void **state) {
    (void)state;
    for (int32_t b = 0; b < N_MIXED; b++) {
        ebm_model *one = wrap(gaussian(MIXED[b].size), 1, &MIXED[b]);
        check_gradients(one, 5, 7 + (uint64_t)b);
        ebm_model_destroy(one);
    }
    ebm_model *model = wrap(gaussian(MIXED_X), N_MIXED, MIXED);
    check_gradients(model, 5, 17);
    const block_case twice[] = {{EBM_TRANSFORM_INTERVAL, 5, -3, 3}, {EBM_TRANSFORM_ORDERED, 8, 0, 0}};
    model = wrap(model, 2, twice); /* transformed of transformed: exp(exp(y)), where differences need a small y */
    float *y = new_normals(18, 5 * MIXED_Y);
    for (int i = 0; i < 5 * MIXED_Y; i++) {
        y[i] *= 0.25F;
    }
    double worst[2];
    assert_ok(ebm_model_check_gradients(model, 5, y, &worst[0], &worst[1]));
    assert_true(worst[0] > 0 && worst[0] < 1e-3 && worst[1] > 0 && worst[1] < 1e-3);
    free(y);
    ebm_model_destroy(model);
}

/* --- edges ------------------------------------------------------------------------------------------------------- */

static void test_far_away(void **state) {
    (void)state;
    const float far[] = {30, 80, 87, 89, 200, 710, 1e6F, FLT_MAX};
    for (int32_t b = 0; b < N_MIXED; b++) {
        const block_case *block = &MIXED[b];
        ebm_model *model = flat_model(1, block);
        int64_t n = ebm_model_dim(model);
        for (int k = 0; k < 16; k++) {
            float y[4];
            float x[4];
            float grad[4];
            double energy[2];
            for (int i = 0; i < n; i++) {
                y[i] = (k % 2 == 0 ? 1.0F : -1.0F) * far[k / 2];
            }
            assert_ok(ebm_model_grad_x(model, 1, y, &energy[0], grad));
            assert_ok(ebm_model_energy(model, 1, y, &energy[1]));
            assert_true(energy[0] == energy[1]);
            assert_ok(ebm_model_grad_x(model, 1, y, NULL, grad));
            assert_ok(ebm_transformed_constrain(model, 1, y, x));
            for (int i = 0; i < block->size; i++) {
                assert_true(block->kind != EBM_TRANSFORM_LOWER || (double)x[i] > block->lo);
                assert_true(block->kind != EBM_TRANSFORM_UPPER || (double)x[i] < block->hi);
                assert_true(block->kind != EBM_TRANSFORM_INTERVAL ||
                            ((double)x[i] > block->lo && (double)x[i] < block->hi));
                assert_true(block->kind != EBM_TRANSFORM_SIMPLEX || (x[i] > 0 && x[i] <= 1));
                assert_true(block->kind != EBM_TRANSFORM_ORDERED || i == 0 || x[i] > x[i - 1] || x[i] == FLT_MAX);
            }
            if (block->kind == EBM_TRANSFORM_LOWER) {
                double expected = y[0] > 88 ? (double)INFINITY : -2 * (double)y[0];
                assert_true(energy[0] == expected);
            }
            if (block->kind == EBM_TRANSFORM_INTERVAL) {
                double expected = 2 * (double)fabsf(y[0]) - 2 * log(5);
                assert_near(energy[0], expected, 1e-12 * fabs(expected));
            }
        }
        ebm_model_destroy(model);
    }
}

/* log x stays right down to where floats end, because the bound is at 0; and the Jacobian everywhere. */
static int32_t log_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                          void *user_data) {
    (void)theta;
    const double *power = user_data; /* E = -power log x */
    for (int64_t r = 0; r < n; r++) {
        double sum = 0;
        for (int64_t i = 0; i < dim; i++) {
            sum += log((double)x[r * dim + i]);
            if (grad_x != NULL) {
                grad_x[r * dim + i] = -(float)*power / x[r * dim + i];
            }
        }
        if (energy != NULL) {
            energy[r] = -*power * sum;
        }
    }
    return EBM_CB_OK;
}

static void test_spike_at_a_bound(void **state) {
    (void)state;
    double power = -0.75;
    ebm_model *inner = NULL;
    const block_case block = {EBM_TRANSFORM_LOWER, 1, 0, 0};
    assert_ok(ebm_model_create(NULL, 1, log_energy, NULL, &power, &inner));
    ebm_model *model = wrap(inner, 1, &block);
    for (float y = -80; y <= 80; y += 16) {
        double energy;
        float grad;
        assert_ok(ebm_model_grad_x(model, 1, &y, &energy, &grad));
        assert_near(energy, -0.25 * (double)y, 1e-6);
        assert_near(grad, -0.25, 1e-6);
    }
    ebm_model_destroy(model);
}

/* Gradients that no float holds are cut off, not infinite: the energy stays what it is. */
static void test_large_gradients(void **state) {
    (void)state;
    ebm_model *inner = NULL;
    const float mean[1] = {-1};
    const block_case block = {EBM_TRANSFORM_LOWER, 1, 0, 0};
    assert_ok(ebm_gaussian_create(NULL, 1, mean, NULL, &inner));
    ebm_model *model = wrap(inner, 1, &block);
    const float y = 60;
    double energy;
    float grad;
    assert_ok(ebm_model_grad_x(model, 1, &y, &energy, &grad));
    assert_true(grad == FLT_MAX);
    assert_near(energy / (0.5 * exp(120)), 1, 1e-5);
    ebm_model_destroy(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_jacobian_is_the_determinant),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_far_away),
        cmocka_unit_test(test_spike_at_a_bound),
        cmocka_unit_test(test_large_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

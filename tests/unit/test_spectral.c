/* SPDX-License-Identifier: MIT */
/* The limit on spectral norms: its bound beside the largest singular value in double, and what training keeps to. */
#include "energies_support.h"

#include <stdbool.h>

#include "model/spectral.h"

enum { MOST = 64 };

/* The largest singular value, by power iteration in double: converged for what stands here. */
static double largest_singular_value(int64_t rows, int64_t columns, const float *a) {
    enum { ITERATIONS = 20000 };
    double v[MOST * MOST];
    double u[MOST * MOST];
    double norm = 0;
    for (int64_t j = 0; j < columns; j++) {
        v[j] = 1 + 0.1 * (double)(j % 7);
    }
    for (int k = 0; k < ITERATIONS; k++) {
        double square = 0;
        memset(u, 0, (size_t)rows * sizeof *u);
        for (int64_t i = 0; i < rows * columns; i++) {
            u[i / columns] += (double)a[i] * v[i % columns];
        }
        memset(v, 0, (size_t)columns * sizeof *v);
        for (int64_t i = 0; i < rows * columns; i++) {
            v[i % columns] += (double)a[i] * u[i / columns];
        }
        for (int64_t j = 0; j < columns; j++) {
            square += v[j] * v[j];
        }
        norm = sqrt(square);
        if (norm == 0) {
            return 0;
        }
        for (int64_t j = 0; j < columns; j++) {
            v[j] /= norm;
        }
    }
    return sqrt(norm);
}

static void assert_bound(int64_t rows, int64_t columns, const float *a) {
    static float work[2 * MOST * MOST];
    double sigma = largest_singular_value(rows, columns, a);
    double bound = ebm__spectral_bound(rows, columns, a, work);
    double p = (double)(rows < columns ? rows : columns);
    if (!(bound >= sigma * (1 - 1e-5) && bound <= sigma * pow(p, 1.0 / 256) * (1 + 1e-5))) {
        fail_msg("%d x %d: %.9g, singular value %.9g", (int)rows, (int)columns, bound, sigma);
    }
}

static void test_bound(void **state) {
    (void)state;
    const int64_t shapes[][2] = {{1, 1}, {1, 9}, {9, 1}, {7, 7}, {60, 8}, {8, 60}, {33, 20}};
    const float sizes[] = {1, 1e-12F, 1e12F};
    for (int s = 0; s < 7; s++) {
        for (int k = 0; k < 3; k++) {
            int64_t count = shapes[s][0] * shapes[s][1];
            float *a = new_normals((uint64_t)s, count);
            for (int64_t i = 0; i < count; i++) {
                a[i] *= sizes[k];
            }
            assert_bound(shapes[s][0], shapes[s][1], a);
            free(a);
        }
    }
    /* All singular values alike, where the bound is loosest; one alone; nearly two; nothing. */
    float a[MOST * MOST] = {0};
    float work[2 * MOST * MOST];
    for (int i = 0; i < MOST; i++) {
        a[i * MOST + (i * 5 + 3) % MOST] = i % 2 == 0 ? 0.7F : -0.7F;
    }
    assert_near(ebm__spectral_bound(MOST, MOST, a, work), 0.7 * pow(MOST, 1.0 / 256), 1e-6);
    memset(a, 0, sizeof a);
    a[70] = -3;
    assert_near(ebm__spectral_bound(MOST, MOST, a, work), 3, 1e-5);
    a[5] = 2.999F;
    assert_near(ebm__spectral_bound(MOST, MOST, a, work), 3 * pow(1 + pow(2.999 / 3, 256), 1.0 / 256), 1e-5);
    a[5] = NAN;
    assert_true(ebm__spectral_bound(MOST, MOST, a, work) == 0);
    memset(a, 0, sizeof a);
    assert_true(ebm__spectral_bound(MOST, MOST, a, work) == 0);
}

/* The largest singular value among the model's matrices. */
static double largest_of(ebm_model *model) {
    double largest = 0;
    for (int64_t t = 0; t < ebm_model_tensor_count(model); t++) {
        const char *name;
        int32_t rank;
        int64_t shape[8];
        int64_t size = 1;
        float w[MOST * MOST];
        assert_ok(ebm_model_tensor_info(model, t, &name, &rank, shape, NULL));
        for (int32_t k = 0; k < rank; k++) {
            size *= shape[k];
        }
        assert_ok(ebm_model_get_tensor(model, name, size, w));
        if (rank >= 2) {
            largest = fmax(largest, largest_singular_value(shape[0], size / shape[0], w));
        }
    }
    return largest;
}

static ebm_model *new_model(bool convolutional, double limit) {
    const int64_t widths[2] = {24, 16}, filters[2] = {6, 8}, kernel[2] = {3, 3}, stride[2] = {1, 2};
    ebm_model *model = NULL;
    if (convolutional) {
        assert_ok(ebm_conv_create(NULL, 1, 4, 4, 2, filters, kernel, stride, EBM_POOL_NONE, 1, widths, EBM_ACT_SILU,
                                  &model));
    } else {
        assert_ok(ebm_mlp_create(NULL, 16, 2, widths, EBM_ACT_SILU, &model));
    }
    assert_ok(ebm_model_set_spectral_limit(model, limit));
    assert_ok(ebm_model_init_params(model, 1));
    return model;
}

/* With large steps, so that without the limit norms grow far beyond it. */
static void test_training(void **state) {
    (void)state;
    enum { ROWS = 64, DIM = 16, STEPS = 30 };
    const double limit = 0.8;
    float *x = new_normals(2, ROWS * DIM);
    for (int c = 0; c < 4; c++) {
        bool limited = c % 2 == 0;
        ebm_model *model = new_model(c / 2 == 1, limited ? limit : 0);
        ebm_trainer *trainer = NULL;
        double got;
        assert_ok(ebm_model_get_spectral_limit(model, &got));
        assert_true(got == (limited ? limit : 0));
        assert_ok(ebm_trainer_create(NULL, model, NULL, &trainer));
        assert_ok(ebm_trainer_set_objective(trainer, EBM_OBJECTIVE_DENOISING_SCORE_MATCHING));
        assert_ok(ebm_trainer_set_noise_levels(trainer, 1, (const double[]){0.3}));
        assert_ok(ebm_trainer_set_learning_rate(trainer, 0.05));
        double largest = largest_of(model);
        for (int step = 0; step < STEPS; step++) {
            assert_ok(ebm_trainer_step(trainer, ROWS, x));
            largest = fmax(largest, largest_of(model));
        }
        assert_true(limited ? largest <= limit * (1 + 1e-5) : largest > 1.5);
        if (limited) { /* it is met, not undercut by more than the bound's slack */
            assert_true(largest_of(model) > limit * 0.97);
        }
        ebm_trainer_destroy(trainer);
        ebm_model_destroy(model);
    }
    free(x);
}

/* SiLU's slope is at most 1.1: E is Lipschitz with the product of all. */
static void test_lipschitz(void **state) {
    (void)state;
    enum { ROWS = 2000, DIM = 16 };
    ebm_model *model = new_model(false, 0.8);
    float *x = new_normals(3, ROWS * DIM);
    float *grad = malloc(ROWS * DIM * sizeof *grad);
    assert_non_null(grad);
    assert_ok(ebm_model_grad_x(model, ROWS, x, NULL, grad));
    double steepest = 0;
    for (int i = 0; i < ROWS; i++) {
        double square = 0;
        for (int j = 0; j < DIM; j++) {
            square += (double)grad[i * DIM + j] * (double)grad[i * DIM + j];
        }
        steepest = fmax(steepest, sqrt(square));
    }
    assert_true(steepest > 0.01 && steepest <= 0.8 * 0.8 * 0.8 * 1.1 * 1.1);
    ebm_model_destroy(model);
    free(grad);
    free(x);
}

/* What is set stays until a step. */
static void test_set_params(void **state) {
    (void)state;
    const float theta[4] = {3, 0, 0, 1};
    float got[4];
    ebm_model *model = NULL;
    assert_ok(ebm_gaussian_create(NULL, 2, NULL, NULL, &model));
    assert_ok(ebm_model_set_spectral_limit(model, 1));
    assert_ok(ebm_model_set_tensor(model, "precision", 4, theta));
    assert_ok(ebm_model_get_tensor(model, "precision", 4, got));
    assert_memory_equal(got, theta, sizeof theta);
    assert_status(ebm_model_set_spectral_limit(model, -1), EBM_ERR_ARG);
    assert_message("ebm_model_set_spectral_limit: limit is -1");
    assert_status(ebm_model_set_spectral_limit(model, (double)NAN), EBM_ERR_ARG);
    assert_status(ebm_model_set_spectral_limit(model, (double)INFINITY), EBM_ERR_ARG);
    double limit;
    assert_ok(ebm_model_get_spectral_limit(model, &limit));
    assert_true(limit == 1);
    ebm_model_destroy(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_lipschitz),
        cmocka_unit_test(test_set_params),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

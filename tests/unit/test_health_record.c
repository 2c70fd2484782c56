/* SPDX-License-Identifier: MIT */
/*
 * The numbers of the health record, against the same computed here from states and energies; and that the record
 * changes nothing. What the verdicts are worth is for tests/statistical/test_health.c.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "test_models.h"

#include "trainer/trainer.h"

enum { DIM = 5, CHAINS = 24, ROWS = 40, FLOATS = CHAINS * DIM, MOST_PARAMS = 2048 };

typedef struct fixture {
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    float data[ROWS * DIM];
    float grad[MOST_PARAMS];
} fixture;

static fixture create(int32_t threads) {
    static const int64_t widths[] = {24, 16};
    fixture f;
    assert_ok(ebm_context_create(&f.context));
    assert_ok(ebm_context_set_threads(f.context, threads));
    assert_ok(ebm_mlp_create(f.context, DIM, 2, widths, EBM_ACT_SILU, &f.model));
    assert_ok(ebm_model_init_params(f.model, 3));
    assert_ok(ebm_sampler_create(NULL, f.model, CHAINS, 4, &f.sampler));
    assert_ok(ebm_trainer_create(NULL, f.model, f.sampler, &f.trainer));
    assert_ok(ebm_sampler_set_step_size(f.sampler, 0.04));
    assert_ok(ebm_trainer_set_mcmc_steps(f.trainer, 3));
    test_fill(ROWS * DIM, f.data);
    return f;
}

static void destroy(fixture *f) {
    ebm_trainer_destroy(f->trainer);
    ebm_sampler_destroy(f->sampler);
    ebm_model_destroy(f->model);
    ebm_context_destroy(f->context);
}

static double health(const fixture *f, int32_t what) {
    double value = 0;
    assert_ok(ebm_trainer_get_health(f->trainer, what, &value));
    return value;
}

static void assert_none(const fixture *f, int32_t what) {
    double value = 7;
    assert_status(ebm_trainer_get_health(f->trainer, what, &value), EBM_ERR_STATE);
    assert_true(value == 7);
}

/* A batch that leaves theta as it is, so that what was seen can be seen again. */
static void look(fixture *f) {
    assert_ok(ebm_trainer_gradient(f->trainer, ROWS, f->data, ebm_model_param_count(f->model), f->grad));
}

static void states(const fixture *f, float *x) {
    assert_ok(ebm_sampler_get_states(f->sampler, CHAINS, x));
}

#define assert_near(value, expected)                                                        \
    do {                                                                                    \
        double value_ = (value);                                                            \
        double expected_ = (expected);                                                      \
        if (!(fabs(value_ - expected_) <= 1e-5 * fabs(expected_))) {                        \
            fail_msg("%s is %.9g, must be %.9g", #value, value_, expected_);                \
        }                                                                                   \
    } while (0)

static double mean(int64_t n, const double *x) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += x[i];
    }
    return sum / (double)n;
}

static double deviation(int64_t n, const double *x) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (x[i] - mean(n, x)) * (x[i] - mean(n, x));
    }
    return sqrt(sum / (double)(n - 1));
}

static void test_of_energies(void **state) {
    (void)state;
    fixture f = create(1);
    float x[FLOATS];
    double of_data[ROWS];
    double of_model[CHAINS];
    assert_none(&f, EBM_HEALTH_GAP);
    look(&f);
    states(&f, x);
    assert_ok(ebm_model_energy(f.model, ROWS, f.data, of_data));
    assert_ok(ebm_model_energy(f.model, CHAINS, x, of_model));
    assert_near(health(&f, EBM_HEALTH_ENERGY_DATA), mean(ROWS, of_data));
    assert_near(health(&f, EBM_HEALTH_ENERGY_DATA_STD), deviation(ROWS, of_data));
    assert_near(health(&f, EBM_HEALTH_ENERGY_MODEL), mean(CHAINS, of_model));
    assert_near(health(&f, EBM_HEALTH_ENERGY_MODEL_STD), deviation(CHAINS, of_model));
    assert_true(health(&f, EBM_HEALTH_GAP) ==
                health(&f, EBM_HEALTH_ENERGY_DATA) - health(&f, EBM_HEALTH_ENERGY_MODEL));
    double norm;
    assert_ok(ebm_trainer_get_grad_norm(f.trainer, &norm));
    assert_true(health(&f, EBM_HEALTH_GRAD_THETA) == norm);
    assert_true(health(&f, EBM_HEALTH_GRAD_THETA_CLIPPED) == 0);
    assert_ok(ebm_trainer_set_grad_clip(f.trainer, norm / 2));
    look(&f);
    assert_true(health(&f, EBM_HEALTH_GRAD_THETA_CLIPPED) == 1);
    destroy(&f);
}

/* The variance of the coordinates that are free, summed. */
static double variance(int64_t n, const float *x, const uint8_t *mask) {
    double sum = 0;
    for (int64_t i = 0; i < DIM; i++) {
        double column[ROWS];
        for (int64_t r = 0; r < n; r++) {
            column[r] = (double)x[r * DIM + i];
        }
        sum += mask[i] * deviation(n, column) * deviation(n, column);
    }
    return sum;
}

static void check_movement(fixture *f, const uint8_t *mask, double noise) {
    float before[FLOATS];
    float x[FLOATS];
    double square = 0;
    double n_free = 0;
    states(f, before);
    look(f);
    states(f, x);
    for (int64_t i = 0; i < FLOATS; i++) {
        square += ((double)x[i] - (double)before[i]) * ((double)x[i] - (double)before[i]);
    }
    for (int64_t i = 0; i < DIM; i++) {
        n_free += mask[i];
    }
    double moved = sqrt(square / (CHAINS * n_free));
    assert_near(health(f, EBM_HEALTH_MOVED), moved);
    assert_near(health(f, EBM_HEALTH_MOVED_SHARE), moved / noise);
    assert_near(health(f, EBM_HEALTH_SPREAD), sqrt(variance(CHAINS, x, mask) / variance(ROWS, f->data, mask)));
}

/* Chains go on, so where a batch begins can be seen. */
static void test_movement(void **state) {
    (void)state;
    static const uint8_t all[DIM] = {1, 1, 1, 1, 1};
    static const uint8_t some[DIM] = {1, 0, 1, 1, 0};
    static const float mass[DIM] = {1, 9, 2, 0.5F, 9};
    fixture f = create(1);
    check_movement(&f, all, sqrt(2 * 0.04 * 3));
    assert_ok(ebm_sampler_set_noise_std(f.sampler, 0.3));
    check_movement(&f, all, 0.3 * sqrt(3));
    assert_ok(ebm_sampler_set_mask(f.sampler, some));
    check_movement(&f, some, 0.3 * sqrt(3));
    assert_ok(ebm_sampler_set_metric(f.sampler, EBM_METRIC_DIAGONAL, DIM, mass));
    check_movement(&f, some, 0.3 * sqrt(3 * 3.5 / 3));
    assert_ok(ebm_sampler_set_kernel(f.sampler, EBM_KERNEL_MALA));
    check_movement(&f, some, 0.3 * sqrt(3 * 3.5 / 3));
    assert_ok(ebm_sampler_set_kernel(f.sampler, EBM_KERNEL_HMC));
    check_movement(&f, some, 0.04 * 10 * sqrt(3 * 3.5 / 3));
    assert_ok(ebm_sampler_set_kernel(f.sampler, EBM_KERNEL_UNDERDAMPED));
    double time = 3 * 0.04;
    check_movement(&f, some, sqrt(2 * (time - 1 + exp(-time)) * 3.5 / 3));
    assert_ok(ebm_sampler_set_kernel(f.sampler, EBM_KERNEL_NUTS));
    look(&f);
    assert_none(&f, EBM_HEALTH_MOVED_SHARE);
    assert_ok(ebm_sampler_set_kernel(f.sampler, EBM_KERNEL_RANDOM_WALK));
    look(&f);
    assert_none(&f, EBM_HEALTH_GRAD_X);
    assert_none(&f, EBM_HEALTH_GRAD_X_CLIPPED);
    destroy(&f);
}

static void test_clipped(void **state) {
    (void)state;
    static const int32_t kernels[] = {EBM_KERNEL_LANGEVIN, EBM_KERNEL_MALA, EBM_KERNEL_UNDERDAMPED};
    for (int k = 0; k < 3; k++) {
        fixture f = create(2);
        float x[FLOATS];
        float grad[FLOATS];
        assert_ok(ebm_sampler_set_kernel(f.sampler, kernels[k]));
        assert_ok(ebm_trainer_set_mcmc_steps(f.trainer, 1));
        look(&f);
        assert_true(health(&f, EBM_HEALTH_GRAD_X_CLIPPED) == 0);
        assert_ok(ebm_sampler_set_grad_clip(f.sampler, 0.05));
        states(&f, x);
        look(&f);
        if (kernels[k] != EBM_KERNEL_LANGEVIN) { /* which know the gradient where they arrive */
            states(&f, x);
        }
        assert_ok(ebm_model_grad_x(f.model, CHAINS, x, NULL, grad));
        double count = 0;
        for (int64_t i = 0; i < FLOATS; i++) {
            count += fabsf(grad[i]) > 0.05F;
        }
        assert_true(count > 0 && count < FLOATS);
        assert_true(health(&f, EBM_HEALTH_GRAD_X_CLIPPED) == count / FLOATS);
        destroy(&f);
    }
}

static void assert_ages(fixture *f, double mean_age, double most) {
    look(f);
    assert_true(health(f, EBM_HEALTH_AGE_MEAN) == mean_age);
    assert_true(health(f, EBM_HEALTH_AGE_MAX) == most);
}

static void test_ages(void **state) {
    (void)state;
    fixture f = create(1);
    float x[FLOATS];
    assert_ages(&f, 3, 3);
    assert_ages(&f, 6, 6);
    states(&f, x);
    assert_ok(ebm_sampler_set_states(f.sampler, CHAINS / 4, x));
    assert_ages(&f, 0.25 * 3 + 0.75 * 9, 9);
    assert_ok(ebm_sampler_restart(f.sampler));
    assert_ages(&f, 3, 3);
    assert_ok(ebm_sampler_set_buffer(f.sampler, 0, 1));
    assert_ages(&f, 3, 3);
    assert_ok(ebm_sampler_set_buffer(f.sampler, 2 * CHAINS, 0)); /* half of it is in every batch */
    double sum = 0;
    double most = 0;
    for (int i = 1; i <= 64; i++) {
        look(&f);
        double age = health(&f, EBM_HEALTH_AGE_MEAN);
        most = fmax(most, health(&f, EBM_HEALTH_AGE_MAX));
        sum += age;
        assert_true(age >= 3 && age <= 3 * i && health(&f, EBM_HEALTH_AGE_MAX) <= 3 * i);
    }
    /* A state has been in every second batch: after i batches those of the batch are about 3 (i + 1) / 2 old. */
    assert_true(fabs(sum / 64 - 3 * 33.5 / 2) < 3);
    assert_true(most > 3 * 32);
    assert_ok(ebm_sampler_set_start(f.sampler, EBM_START_DATA));
    look(&f);
    assert_none(&f, EBM_HEALTH_AGE_MEAN);
    destroy(&f);
}

/* Of E, or of the projection: the classical formula over a window, each batch without its mean over the chains. */
static double rhat_of(double (*value)[CHAINS]) {
    enum { N = EBM__WINDOW_STEPS };
    double within = 0;
    double of_chain[CHAINS];
    for (int t = 0; t < N; t++) {
        double common = mean(CHAINS, value[t]);
        for (int c = 0; c < CHAINS; c++) {
            value[t][c] -= common;
        }
    }
    for (int c = 0; c < CHAINS; c++) {
        double row[N];
        for (int t = 0; t < N; t++) {
            row[t] = value[t][c];
        }
        of_chain[c] = mean(N, row);
        within += deviation(N, row) * deviation(N, row) / CHAINS;
    }
    double between = deviation(CHAINS, of_chain);
    return sqrt((N - 1.0) / N + between * between / within);
}

static void test_rhat(void **state) {
    (void)state;
    static double energy[EBM__WINDOW_STEPS][CHAINS];
    static double projection[EBM__WINDOW_STEPS][CHAINS];
    fixture f = create(1);
    for (int window = 0; window < 2; window++) {
        for (int t = 0; t < EBM__WINDOW_STEPS; t++) {
            float x[FLOATS];
            look(&f);
            states(&f, x);
            assert_ok(ebm_model_energy(f.model, CHAINS, x, energy[t]));
            for (int i = 0; i < FLOATS; i++) {
                projection[t][i / DIM] = (i % DIM == 0 ? 0 : projection[t][i / DIM]) +
                                         (double)x[i] * (double)f.trainer->health.direction[i % DIM];
            }
            if (window == 0 && t + 1 < EBM__WINDOW_STEPS) {
                assert_none(&f, EBM_HEALTH_RHAT);
            }
        }
        double expected = fmax(rhat_of(energy), rhat_of(projection));
        assert_true(expected > 1.1);
        assert_near(health(&f, EBM_HEALTH_RHAT), expected);
    }
    assert_ok(ebm_sampler_set_buffer(f.sampler, 0, 0.1)); /* these chains are not the ones they were */
    look(&f);
    look(&f);
    destroy(&f);
}

/* Theta and chains after some steps, with and without the record, for any number of threads. */
static void test_changes_nothing(void **state) {
    (void)state;
    for (int kernel = EBM_KERNEL_LANGEVIN; kernel <= EBM_KERNEL_NUTS; kernel++) {
        float theta[3][MOST_PARAMS];
        float x[3][FLOATS];
        double numbers[3][EBM__N_HEALTH] = {{0}};
        for (int run = 0; run < 3; run++) {
            fixture f = create(run == 2 ? 3 : 1);
            assert_ok(ebm_trainer_set_health_record(f.trainer, run > 0));
            assert_ok(ebm_sampler_set_kernel(f.sampler, kernel));
            assert_ok(ebm_sampler_set_buffer(f.sampler, kernel % 2 == 0 ? 2 * CHAINS : 0, 0.05));
            for (int step = 0; step < 40; step++) {
                assert_ok(ebm_trainer_step(f.trainer, ROWS, f.data));
            }
            assert_ok(ebm_model_get_params(f.model, ebm_model_param_count(f.model), theta[run]));
            states(&f, x[run]);
            for (int what = 1; what < EBM__N_HEALTH; what++) {
                numbers[run][what] = -7;
                ebm_status status = ebm_trainer_get_health(f.trainer, what, &numbers[run][what]);
                assert_true(status == EBM_OK ? run > 0 : status == EBM_ERR_STATE);
            }
            if (run > 0) {
                size_t bytes = (size_t)ebm_model_param_count(f.model) * sizeof(float);
                assert_memory_equal(theta[run], theta[0], bytes);
                assert_memory_equal(x[run], x[0], sizeof x[0]);
            }
            destroy(&f);
        }
        assert_memory_equal(numbers[1], numbers[2], sizeof numbers[1]);
    }
}

/* Objectives without chains have what the trainer's own getters tell. */
static void test_without_chains(void **state) {
    (void)state;
    fixture f = create(1);
    int32_t verdict = -1;
    double value;
    assert_ok(ebm_trainer_set_objective(f.trainer, EBM_OBJECTIVE_DENOISING_SCORE_MATCHING));
    for (int i = 0; i < 200; i++) {
        assert_ok(ebm_trainer_step(f.trainer, ROWS, f.data));
    }
    assert_ok(ebm_trainer_get_energy_data(f.trainer, &value));
    assert_true(health(&f, EBM_HEALTH_ENERGY_DATA) == value);
    assert_true(health(&f, EBM_HEALTH_GRAD_THETA) > 0);
    for (int what = EBM_HEALTH_ENERGY_MODEL; what <= EBM_HEALTH_GRAD_X_CLIPPED; what++) {
        assert_none(&f, what);
    }
    assert_ok(ebm_trainer_get_verdict(f.trainer, &verdict));
    assert_int_equal(verdict, EBM_VERDICT_UNKNOWN);
    destroy(&f);
}

static void test_words(void **state) {
    (void)state;
    fixture f = create(1);
    char text[512];
    int32_t verdict;
    for (int32_t v = EBM_VERDICT_UNKNOWN; v <= EBM_VERDICT_DIVERGING; v++) {
        for (int32_t w = -1; w < v; w++) {
            assert_string_not_equal(ebm_verdict_string(v), ebm_verdict_string(w));
        }
    }
    assert_string_equal(ebm_verdict_string(EBM_VERDICT_DIVERGING + 1), "unknown verdict");
    assert_ok(ebm_trainer_describe_health(f.trainer, sizeof text, text));
    assert_string_equal(text, ebm_verdict_string(EBM_VERDICT_UNKNOWN));
    for (int step = 0; step < 3 * EBM__WINDOW_STEPS; step++) {
        assert_ok(ebm_trainer_get_verdict(f.trainer, &verdict));
        assert_int_equal(verdict, EBM_VERDICT_UNKNOWN);
        assert_ok(ebm_trainer_step(f.trainer, ROWS, f.data));
    }
    assert_ok(ebm_trainer_get_verdict(f.trainer, &verdict));
    assert_int_equal(verdict, EBM_VERDICT_HEALTHY);
    assert_ok(ebm_trainer_describe_health(f.trainer, sizeof text, text));
    assert_int_equal(strncmp(text, "healthy (E of data ", 19), 0);
    assert_true(strlen(text) > 200 && strlen(text) < 480);
    assert_ok(ebm_trainer_describe_health(f.trainer, 8, text));
    assert_string_equal(text, "healthy");
    text[1] = 'x';
    assert_ok(ebm_trainer_describe_health(f.trainer, 1, text));
    assert_true(text[0] == 0 && text[1] == 'x');
    assert_status(ebm_trainer_describe_health(f.trainer, 0, text), EBM_ERR_ARG);
    assert_message("size is 0");
    assert_ok(ebm_trainer_set_health_record(f.trainer, 0));
    assert_ok(ebm_trainer_get_verdict(f.trainer, &verdict));
    assert_int_equal(verdict, EBM_VERDICT_UNKNOWN);
    destroy(&f);
}

static void test_arguments(void **state) {
    (void)state;
    fixture f = create(1);
    double value = 7;
    int32_t verdict = 7;
    look(&f);
    for (int i = 0; i < 3; i++) {
        const int32_t bad[] = {0, -1, EBM_HEALTH_RHAT + 1};
        assert_status(ebm_trainer_get_health(f.trainer, bad[i], &value), EBM_ERR_ARG);
        assert_message("what is");
    }
    assert_status(ebm_trainer_get_health(NULL, 1, &value), EBM_ERR_ARG);
    assert_status(ebm_trainer_get_health(f.trainer, 1, NULL), EBM_ERR_ARG);
    assert_status(ebm_trainer_get_verdict(NULL, &verdict), EBM_ERR_ARG);
    assert_status(ebm_trainer_get_verdict(f.trainer, NULL), EBM_ERR_ARG);
    assert_status(ebm_trainer_describe_health(f.trainer, 8, NULL), EBM_ERR_ARG);
    assert_true(value == 7 && verdict == 7);
    destroy(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_energies),        cmocka_unit_test(test_movement), cmocka_unit_test(test_clipped),
        cmocka_unit_test(test_ages),            cmocka_unit_test(test_rhat),     cmocka_unit_test(test_changes_nothing),
        cmocka_unit_test(test_without_chains),  cmocka_unit_test(test_words),    cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

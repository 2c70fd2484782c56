/* SPDX-License-Identifier: MIT */
/* Going back when training diverges. test_resume.c has what files hold of it. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "test_models.h"

enum { DIM = 3, CHAINS = 40, ROWS = 60, BATCH = 20, PARAMS = 2 * DIM, EPOCHS = 60 };

/* With this rate a precision soon leaves what the steps of the chains can follow; with a tenth of it, it does not. */
static const double TOO_FAST = 1, FACTOR = 0.1;

typedef struct fixture {
    test_host host;
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    float data[ROWS * DIM];
    int warnings;
    char warning[512];
} fixture;

static void log_line(int32_t level, const char *text, void *data) {
    fixture *f = data;
    if (level == EBM_LOG_WARNING && strncmp(text, "rollback ", 9) == 0) {
        f->warnings++;
        snprintf(f->warning, sizeof f->warning, "%s", text);
    }
}

static void create(fixture *f, int32_t threads, int32_t kernel) {
    *f = (fixture){.warnings = 0};
    assert_ok(ebm_context_create(&f->context));
    assert_ok(ebm_context_set_threads(f->context, threads));
    assert_ok(ebm_context_set_log(f->context, log_line, f));
    f->model = test_model_create(f->context, DIM, 1, &f->host);
    assert_ok(ebm_sampler_create(NULL, f->model, CHAINS, 4, &f->sampler));
    assert_ok(ebm_sampler_set_kernel(f->sampler, kernel));
    assert_ok(ebm_sampler_set_step_size(f->sampler, 0.1));
    assert_ok(ebm_sampler_set_buffer(f->sampler, 2 * CHAINS, 0.02));
    assert_ok(ebm_trainer_create(NULL, f->model, f->sampler, &f->trainer));
    assert_ok(ebm_trainer_set_optimizer(f->trainer, EBM_OPT_SGD));
    assert_ok(ebm_trainer_set_learning_rate(f->trainer, TOO_FAST));
    assert_ok(ebm_trainer_set_batch_size(f->trainer, BATCH));
    assert_ok(ebm_trainer_set_average(f->trainer, 0.9));
    assert_ok(ebm_trainer_set_gap_limit(f->trainer, 1e3));
    test_fill(ROWS * DIM, f->data);
}

static void destroy(fixture *f) {
    ebm_trainer_destroy(f->trainer);
    ebm_sampler_destroy(f->sampler);
    ebm_model_destroy(f->model);
    ebm_context_destroy(f->context);
}

static int64_t count(const fixture *f) {
    int64_t rollbacks = -1;
    assert_ok(ebm_trainer_get_rollback_count(f->trainer, &rollbacks));
    return rollbacks;
}

/* It diverges, and with a rollback it ends well, with as many epochs and steps as were asked for. */
static void test_ends_well(void **state) {
    (void)state;
    fixture f;
    float theta[PARAMS];
    int64_t steps;
    int64_t epochs;
    double rate;
    create(&f, 1, EBM_KERNEL_LANGEVIN);
    assert_status(ebm_trainer_fit(f.trainer, ROWS, f.data, EPOCHS), EBM_ERR_DIVERGED);
    assert_int_equal(count(&f), 0);
    destroy(&f);
    create(&f, 1, EBM_KERNEL_LANGEVIN);
    assert_ok(ebm_trainer_set_rollback(f.trainer, 5, FACTOR, 4));
    assert_ok(ebm_trainer_fit(f.trainer, ROWS, f.data, EPOCHS));
    assert_in_range(count(&f), 1, 4);
    assert_int_equal(f.warnings, count(&f));
    assert_non_null(strstr(f.warning, " of 4: from step "));
    assert_ok(ebm_trainer_get_learning_rate(f.trainer, &rate));
    double expected = TOO_FAST;
    for (int64_t i = 0; i < count(&f); i++) {
        expected *= FACTOR;
    }
    assert_true(rate == expected);
    assert_ok(ebm_trainer_get_steps(f.trainer, &steps));
    assert_ok(ebm_trainer_get_epochs(f.trainer, &epochs));
    assert_int_equal(epochs, EPOCHS);
    assert_int_equal(steps, EPOCHS * ROWS / BATCH);
    assert_ok(ebm_model_get_params(f.model, PARAMS, theta));
    for (int i = 0; i < DIM; i++) { /* of data with variance 1/3 the precision is 3, and it began at 1 to 1.5 */
        assert_true(theta[i] > 0.5F && theta[i] < 8);
    }
    destroy(&f);
}

/* The same bits in every run, whatever the number of threads, for kernels with and without momenta. */
static void test_repeats_itself(void **state) {
    static const int32_t kernels[] = {EBM_KERNEL_LANGEVIN, EBM_KERNEL_MALA, EBM_KERNEL_UNDERDAMPED};
    (void)state;
    for (int k = 0; k < 3; k++) {
        float theta[2][PARAMS];
        float x[2][CHAINS * DIM];
        int64_t rollbacks[2];
        for (int i = 0; i < 2; i++) {
            fixture f;
            create(&f, i == 0 ? 1 : 3, kernels[k]);
            assert_ok(ebm_trainer_set_gap_limit(f.trainer, 30));
            assert_ok(ebm_trainer_set_rollback(f.trainer, 3, FACTOR, 6));
            assert_ok(ebm_trainer_fit(f.trainer, ROWS, f.data, EPOCHS));
            rollbacks[i] = count(&f);
            assert_ok(ebm_model_get_params(f.model, PARAMS, theta[i]));
            assert_ok(ebm_sampler_get_states(f.sampler, CHAINS, x[i]));
            destroy(&f);
        }
        assert_in_range(rollbacks[0], 1, 6);
        assert_int_equal(rollbacks[0], rollbacks[1]);
        assert_memory_equal(theta[0], theta[1], sizeof theta[0]);
        assert_memory_equal(x[0], x[1], sizeof x[0]);
    }
}

/*
 * A step that goes back: all is as after the step whose state was kept, but for the counters of random streams, which
 * lie beyond those of the step that failed.
 */
static void test_goes_back(void **state) {
    (void)state;
    fixture f;
    float theta[PARAMS];
    float average[PARAMS];
    float x[CHAINS * DIM];
    float after[CHAINS * DIM];
    int64_t steps;
    int64_t markov;
    int64_t before;
    create(&f, 1, EBM_KERNEL_LANGEVIN);
    assert_ok(ebm_sampler_set_buffer(f.sampler, 0, 0));
    assert_ok(ebm_trainer_set_mcmc_steps(f.trainer, 7));
    assert_ok(ebm_trainer_set_learning_rate(f.trainer, 0.1));
    assert_ok(ebm_trainer_set_rollback(f.trainer, 4, 0.5, 2));
    for (int i = 1; i <= 11; i++) { /* kept: 1, 4 and 8, and when 8 came, 4 was good */
        assert_ok(ebm_trainer_step(f.trainer, BATCH, f.data));
        if (i == 4) {
            assert_ok(ebm_model_get_params(f.model, PARAMS, theta));
            assert_ok(ebm_trainer_get_average_params(f.trainer, PARAMS, average));
            assert_ok(ebm_sampler_get_states(f.sampler, CHAINS, x));
        }
    }
    for (int again = 1; again <= 2; again++) {
        assert_ok(ebm_sampler_get_steps(f.sampler, &before));
        test_host_arm(&f.host, CALL_PARAM_GRAD, 1);
        f.host.spoil = OUT_GRAD_THETA;
        f.host.value = (double)INFINITY;
        assert_ok(ebm_trainer_step(f.trainer, BATCH, f.data));
        f.host.at = 0;
        assert_int_equal(count(&f), again);
        assert_ok(ebm_trainer_get_steps(f.trainer, &steps));
        assert_int_equal(steps, 4);
        float got[PARAMS];
        assert_ok(ebm_model_get_params(f.model, PARAMS, got));
        assert_memory_equal(got, theta, sizeof theta);
        assert_ok(ebm_trainer_get_average_params(f.trainer, PARAMS, got));
        assert_memory_equal(got, average, sizeof average);
        assert_ok(ebm_sampler_get_states(f.sampler, CHAINS, after));
        assert_memory_equal(after, x, sizeof x);
        assert_ok(ebm_sampler_get_steps(f.sampler, &markov));
        assert_int_equal(markov, before + 7);
    }
    test_host_arm(&f.host, CALL_PARAM_GRAD, 1);
    assert_status(ebm_trainer_step(f.trainer, BATCH, f.data), EBM_ERR_DIVERGED);
    assert_message("after 2 rollbacks: ");
    f.host.at = 0;
    assert_ok(ebm_trainer_get_steps(f.trainer, &steps));
    assert_int_equal(steps, 4);
    assert_ok(ebm_trainer_step(f.trainer, BATCH, f.data));
    destroy(&f);
}

/* Other failures are no divergence, and before the first step there is nothing to go back to. */
static void test_does_not_go_back(void **state) {
    (void)state;
    fixture f;
    create(&f, 1, EBM_KERNEL_LANGEVIN);
    assert_ok(ebm_trainer_set_learning_rate(f.trainer, 0.1));
    assert_ok(ebm_trainer_set_rollback(f.trainer, 1, 0.5, 9));
    f.host.spoil = OUT_GRAD_THETA;
    f.host.value = (double)INFINITY;
    test_host_arm(&f.host, CALL_PARAM_GRAD, 1);
    assert_status(ebm_trainer_step(f.trainer, BATCH, f.data), EBM_ERR_DIVERGED);
    f.host.at = 0;
    assert_ok(ebm_trainer_step(f.trainer, BATCH, f.data));
    f.host.spoil = 0;
    f.host.answer = 5;
    test_host_arm(&f.host, CALL_PARAM_GRAD, 1);
    assert_status(ebm_trainer_step(f.trainer, BATCH, f.data), EBM_ERR_CALLBACK);
    assert_ok(ebm_trainer_request_stop(f.trainer));
    assert_status(ebm_trainer_step(f.trainer, BATCH, f.data), EBM_ERR_STOPPED);
    assert_int_equal(count(&f), 0);
    /* A state of another shape is not gone back to. */
    f.host.at = 0;
    f.host.answer = 0;
    assert_ok(ebm_trainer_set_optimizer(f.trainer, EBM_OPT_ADAM));
    f.host.spoil = OUT_GRAD_THETA;
    test_host_arm(&f.host, CALL_PARAM_GRAD, 1);
    assert_status(ebm_trainer_step(f.trainer, BATCH, f.data), EBM_ERR_DIVERGED);
    assert_message("settings have changed");
    assert_int_equal(count(&f), 0);
    destroy(&f);
}

static void test_setting(void **state) {
    (void)state;
    fixture f;
    int64_t every = -1;
    double factor = -1;
    int32_t most = -1;
    create(&f, 1, EBM_KERNEL_LANGEVIN);
    assert_ok(ebm_trainer_get_rollback(f.trainer, &every, &factor, &most));
    assert_true(every == 0 && factor == 0.5 && most == 3);
    assert_ok(ebm_trainer_set_rollback(f.trainer, 7, 1, 2));
    static const struct {
        int64_t every;
        double factor;
        int32_t most;
        const char *message;
    } bad[] = {{-1, 1, 1, "every_steps is -1"},  {1, 0, 1, "learning_rate_factor is 0"},
               {1, 1.1, 1, "learning_rate_factor is 1.1"}, {1, (double)NAN, 1, "learning_rate_factor is "},
               {1, -1, 1, "learning_rate_factor is -1"}, {1, 1, 0, "most is 0"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_status(ebm_trainer_set_rollback(f.trainer, bad[i].every, bad[i].factor, bad[i].most), EBM_ERR_ARG);
        assert_message("ebm_trainer_set_rollback: ");
        assert_message(bad[i].message);
    }
    assert_ok(ebm_trainer_get_rollback(f.trainer, &every, NULL, &most));
    assert_true(every == 7 && most == 2);
    assert_ok(ebm_trainer_set_rollback(f.trainer, 0, (double)NAN, -9));
    assert_ok(ebm_trainer_get_rollback(f.trainer, &every, &factor, NULL));
    assert_true(every == 0 && factor == 1);
    assert_status(ebm_trainer_get_rollback_count(f.trainer, NULL), EBM_ERR_ARG);
    destroy(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends_well),        cmocka_unit_test(test_repeats_itself),
        cmocka_unit_test(test_goes_back),        cmocka_unit_test(test_does_not_go_back),
        cmocka_unit_test(test_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

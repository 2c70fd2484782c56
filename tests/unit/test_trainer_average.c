/* SPDX-License-Identifier: MIT */
/* The averaged parameters: how they come about, and what may be done with them. */
#include "stat_features.h"

static const float DATA[2 * STAT_FEATURES] = {1.5F, -0.25F, 3.0F, 0.5F, 0.75F, 1.0F};
static const float CHAIN[STAT_FEATURES] = {1.0F, 0.5F, 1.0F};
static const double THETA[STAT_FEATURES] = {1, -2, 0.5};

static stat_training new_sgd(double rate) {
    stat_training t = stat_training_new(3, CHAIN, NULL);
    STAT_OK(ebm_trainer_set_optimizer(t.trainer, EBM_OPT_SGD));
    STAT_OK(ebm_trainer_set_learning_rate(t.trainer, rate));
    return t;
}

static void average_follows_its_recurrence(void **state) {
    (void)state;
    const double decay = 0.8;
    double average[STAT_FEATURES];
    float theta[STAT_FEATURES];
    float now[STAT_FEATURES];
    stat_training t = new_sgd(0.1);
    STAT_OK(ebm_trainer_step(t.trainer, 2, DATA)); /* before there is an average */
    STAT_OK(ebm_trainer_set_average(t.trainer, decay));
    assert_int_equal(ebm_trainer_get_average_params(t.trainer, STAT_FEATURES, now), EBM_ERR_STATE);
    STAT_OK(ebm_model_get_params(t.model, STAT_FEATURES, theta));
    for (int j = 0; j < STAT_FEATURES; j++) {
        average[j] = (double)theta[j];
    }
    for (int i = 0; i < 20; i++) {
        STAT_OK(ebm_trainer_step(t.trainer, 2, DATA));
        STAT_OK(ebm_model_get_params(t.model, STAT_FEATURES, theta));
        STAT_OK(ebm_trainer_get_average_params(t.trainer, STAT_FEATURES, now));
        for (int j = 0; j < STAT_FEATURES; j++) {
            average[j] = decay * average[j] + (1 - decay) * (double)theta[j];
            assert_true(fabs((double)now[j] - average[j]) < 1e-5);
        }
    }
    STAT_OK(ebm_trainer_set_average(t.trainer, 0)); /* forgets */
    assert_int_equal(ebm_trainer_get_average_params(t.trainer, STAT_FEATURES, now), EBM_ERR_STATE);
    STAT_OK(ebm_trainer_set_average(t.trainer, decay));
    assert_int_equal(ebm_trainer_get_average_params(t.trainer, STAT_FEATURES, now), EBM_ERR_STATE);
    stat_training_free(&t);
}

static void swap_exchanges_and_holds_training(void **state) {
    (void)state;
    float theta[STAT_FEATURES];
    float average[STAT_FEATURES];
    float seen[STAT_FEATURES];
    float gradient[STAT_FEATURES];
    double energy[3];
    stat_training t = new_sgd(0.1);
    STAT_OK(ebm_trainer_set_average(t.trainer, 0.9));
    STAT_OK(ebm_trainer_step(t.trainer, 2, DATA));
    STAT_OK(ebm_model_get_params(t.model, STAT_FEATURES, theta));
    STAT_OK(ebm_model_energy(t.model, 1, DATA, &energy[0]));
    STAT_OK(ebm_trainer_get_average_params(t.trainer, STAT_FEATURES, average));
    STAT_OK(ebm_trainer_swap_average(t.trainer));
    STAT_OK(ebm_model_get_params(t.model, STAT_FEATURES, seen));
    assert_memory_equal(seen, average, sizeof seen);
    STAT_OK(ebm_model_energy(t.model, 1, DATA, &energy[1])); /* scored with the averaged ones */
    assert_true(energy[0] != energy[1]);
    STAT_OK(ebm_trainer_get_average_params(t.trainer, STAT_FEATURES, seen)); /* still the averaged ones */
    assert_memory_equal(seen, average, sizeof seen);
    assert_int_equal(ebm_trainer_step(t.trainer, 2, DATA), EBM_ERR_STATE);
    assert_int_equal(ebm_trainer_fit(t.trainer, 2, DATA, 1), EBM_ERR_STATE);
    assert_int_equal(ebm_trainer_gradient(t.trainer, 2, DATA, STAT_FEATURES, gradient), EBM_ERR_STATE);
    assert_int_equal(ebm_trainer_set_average(t.trainer, 0), EBM_ERR_STATE);
    STAT_OK(ebm_trainer_swap_average(t.trainer));
    STAT_OK(ebm_model_get_params(t.model, STAT_FEATURES, seen));
    assert_memory_equal(seen, theta, sizeof seen);
    STAT_OK(ebm_trainer_step(t.trainer, 2, DATA));
    stat_training_free(&t);
}

/* A first step that fails leaves no average behind: the next one starts from theta as it is then. */
static void a_failed_step_begins_no_average(void **state) {
    (void)state;
    static const float other[STAT_FEATURES] = {3, 3, 3};
    float average[STAT_FEATURES];
    float theta[STAT_FEATURES];
    stat_training t = new_sgd(50);
    STAT_OK(ebm_trainer_set_average(t.trainer, 0.5));
    STAT_OK(ebm_trainer_set_gap_limit(t.trainer, 2)); /* 1.25 - 1.625 is within; what a rate of 50 leads to is not */
    assert_int_equal(ebm_trainer_step(t.trainer, 2, DATA), EBM_ERR_DIVERGED);
    stat_assert_params(&t, THETA, 0);
    assert_int_equal(ebm_trainer_get_average_params(t.trainer, STAT_FEATURES, average), EBM_ERR_STATE);
    STAT_OK(ebm_trainer_set_gap_limit(t.trainer, INFINITY));
    STAT_OK(ebm_trainer_set_learning_rate(t.trainer, 0));
    STAT_OK(ebm_model_set_params(t.model, STAT_FEATURES, other));
    STAT_OK(ebm_trainer_step(t.trainer, 2, DATA));
    STAT_OK(ebm_trainer_get_average_params(t.trainer, STAT_FEATURES, average));
    STAT_OK(ebm_model_get_params(t.model, STAT_FEATURES, theta));
    assert_memory_equal(average, theta, sizeof average);
    stat_training_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(average_follows_its_recurrence),
        cmocka_unit_test(swap_exchanges_and_holds_training),
        cmocka_unit_test(a_failed_step_begins_no_average),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

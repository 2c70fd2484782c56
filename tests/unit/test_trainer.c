/* SPDX-License-Identifier: MIT */
/* A trainer's step, fit and gradient: exact expectations. */
#include "stat_features.h"

static const float DATA[2 * STAT_FEATURES] = {1.5F, -0.25F, 3.0F, 0.5F, 0.75F, 1.0F};
static const float CHAIN[STAT_FEATURES] = {1.0F, 0.5F, 1.0F};
static const double THETA[STAT_FEATURES] = {1, -2, 0.5};

static stat_training new_sgd(int64_t n_chains, stat_seen *seen, double rate) {
    stat_training t = stat_training_new(n_chains, CHAIN, seen);
    STAT_OK(ebm_trainer_set_optimizer(t.trainer, EBM_OPT_SGD));
    STAT_OK(ebm_trainer_set_learning_rate(t.trainer, rate));
    return t;
}

/*
 * --- the loss
 * --------------------------------------------------------------------------------------------------------
 */

/*
 * G+ - G- by hand, from the data and the negatives as they stand after the call, through the model's own gradient
 * with weights 1/n and 1/m, and with the penalty's 2 alpha E.
 */
static void gradient_by_hand(ebm_model *model, double alpha, int64_t n, const float *data, int64_t m,
                             const float *negatives, int64_t n_params, double *by_hand) {
    int64_t dim = ebm_model_dim(model);
    float *one = stat_alloc(n_params, sizeof *one);
    for (int64_t j = 0; j < n_params; j++) {
        by_hand[j] = 0;
    }
    for (int64_t r = 0; r < n + m; r++) {
        const float *row = r < n ? data + r * dim : negatives + (r - n) * dim;
        const float weight = 1;
        double energy;
        STAT_OK(ebm_model_param_grad(model, 1, row, &weight, &energy, n_params, one));
        double w = r < n ? (1 + 2 * alpha * energy) / (double)n : (-1 + 2 * alpha * energy) / (double)m;
        for (int64_t j = 0; j < n_params; j++) {
            by_hand[j] += w * (double)one[j];
        }
    }
    free(one);
}

static void assert_gradient(ebm_model *model, int64_t n_chains, int32_t kernel, int64_t n, double alpha) {
    int64_t dim = ebm_model_dim(model);
    int64_t n_params = ebm_model_param_count(model);
    float *data = stat_alloc(n * dim, sizeof *data);
    float *negatives = stat_alloc(n_chains * dim, sizeof *negatives);
    float *gradient = stat_alloc(n_params, sizeof *gradient);
    double *by_hand = stat_alloc(n_params, sizeof *by_hand);
    stat_fill_normals(1, 0.8, n * dim, data);
    ebm_trainer *trainer = NULL;
    ebm_sampler *sampler = stat_sampler(model, n_chains, 2, kernel, 0.1);
    STAT_OK(ebm_trainer_create(NULL, model, sampler, &trainer));
    STAT_OK(ebm_trainer_set_mcmc_steps(trainer, 4));
    STAT_OK(ebm_trainer_set_energy_penalty(trainer, alpha));
    STAT_OK(ebm_trainer_set_weight_decay(trainer, 0.5)); /* neither belongs to the gradient of the loss */
    STAT_OK(ebm_trainer_set_grad_clip(trainer, 1e-3));
    for (int call = 0; call < 3; call++) {
        double norm;
        double square = 0;
        STAT_OK(ebm_trainer_gradient(trainer, n, data, n_params, gradient));
        STAT_OK(ebm_sampler_get_states(sampler, n_chains, negatives));
        gradient_by_hand(model, alpha, n, data, n_chains, negatives, n_params, by_hand);
        for (int64_t j = 0; j < n_params; j++) {
            square += by_hand[j] * by_hand[j];
        }
        for (int64_t j = 0; j < n_params; j++) {
            assert_true(fabs((double)gradient[j] - by_hand[j]) <= 1e-5 * (1 + sqrt(square)));
        }
        STAT_OK(ebm_trainer_get_grad_norm(trainer, &norm));
        assert_true(square > 1e-6 && fabs(norm - sqrt(square)) <= 1e-5 * (1 + norm));
    }
    int64_t steps;
    STAT_OK(ebm_trainer_get_steps(trainer, &steps));
    assert_int_equal(steps, 0);
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    free(by_hand);
    free(gradient);
    free(negatives);
    free(data);
}

static void gradient_is_data_less_negatives(void **state) {
    (void)state;
    static const int64_t widths[] = {9, 6};
    static const double alphas[] = {0, 0.1, 2};
    for (int i = 0; i < 3; i++) {
        ebm_model *model = NULL;
        STAT_OK(ebm_mlp_create(NULL, 4, 2, widths, EBM_ACT_SILU, &model));
        STAT_OK(ebm_model_init_params(model, 3));
        assert_gradient(model, 37, EBM_KERNEL_LANGEVIN, 53, alphas[i]);
        STAT_OK(ebm_gaussian_create(NULL, 3, NULL, NULL, &model));
        assert_gradient(model, 300, EBM_KERNEL_MALA, 5, alphas[i]); /* the rows in several pieces */
        assert_gradient(stat_quadratic(NULL, 2, 0.7), 1, EBM_KERNEL_LANGEVIN, 200, alphas[i]);
    }
}

/*
 * The gradient with the penalty is that of the loss itself, by central differences with the negatives held where they
 * are.
 */
static double loss(const double *theta, double alpha) {
    double of_row[3] = {0};
    for (int r = 0; r < 3; r++) {
        for (int j = 0; j < STAT_FEATURES; j++) {
            double x = r < 2 ? (double)DATA[r * STAT_FEATURES + j] : (double)CHAIN[j];
            of_row[r] += theta[j] * theta[j] * x / 2;
        }
    }
    double square = (of_row[0] * of_row[0] + of_row[1] * of_row[1]) / 2 + of_row[2] * of_row[2];
    return (of_row[0] + of_row[1]) / 2 - of_row[2] + alpha * square;
}

static void penalty_is_in_the_loss(void **state) {
    (void)state;
    static const double alphas[] = {0, 0.05, 1};
    for (int i = 0; i < 3; i++) {
        float gradient[STAT_FEATURES];
        stat_training t = new_sgd(6, NULL, 0.1);
        STAT_OK(ebm_trainer_set_energy_penalty(t.trainer, alphas[i]));
        STAT_OK(ebm_trainer_gradient(t.trainer, 2, DATA, STAT_FEATURES, gradient));
        for (int j = 0; j < STAT_FEATURES; j++) {
            double up[] = {1, -2, 0.5};
            double down[] = {1, -2, 0.5};
            up[j] += 1e-5;
            down[j] -= 1e-5;
            assert_true(fabs((double)gradient[j] - (loss(up, alphas[i]) - loss(down, alphas[i])) / 2e-5) < 1e-5);
        }
        stat_training_free(&t);
    }
}

static void a_step_goes_along_the_gradient(void **state) {
    (void)state;
    float gradient[STAT_FEATURES];
    double expected[STAT_FEATURES];
    stat_training a = new_sgd(6, NULL, 0.1);
    stat_training b = new_sgd(6, NULL, 0.1);
    STAT_OK(ebm_trainer_gradient(a.trainer, 2, DATA, STAT_FEATURES, gradient));
    stat_assert_params(&a, THETA, 0); /* nothing is updated */
    STAT_OK(ebm_trainer_step(b.trainer, 2, DATA));
    for (int j = 0; j < STAT_FEATURES; j++) {
        expected[j] = THETA[j] - 0.1 * (double)gradient[j];
    }
    stat_assert_params(&b, expected, 1e-6);
    stat_training_free(&a);
    stat_training_free(&b);
}

static void the_host_memory_is_trained_in_place(void **state) {
    (void)state;
    float own[STAT_FEATURES] = {1, -2, 0.5F};
    stat_training bound = new_sgd(6, NULL, 0.1);
    stat_training free_one = new_sgd(6, NULL, 0.1);
    float theta[STAT_FEATURES];
    STAT_OK(ebm_model_bind_params(bound.model, STAT_FEATURES, own));
    for (int i = 0; i < 3; i++) {
        STAT_OK(ebm_trainer_step(bound.trainer, 2, DATA));
        STAT_OK(ebm_trainer_step(free_one.trainer, 2, DATA));
        STAT_OK(ebm_model_get_params(free_one.model, STAT_FEATURES, theta));
        assert_memory_equal(theta, own, sizeof own);
    }
    stat_training_free(&bound);
    stat_training_free(&free_one);
}

/*
 * --- the report
 * ------------------------------------------------------------------------------------------------------
 */

static void report_is_of_the_batch(void **state) {
    (void)state;
    double data;
    double model;
    double gap;
    double norm;
    double acceptance;
    stat_training t = new_sgd(6, NULL, 0.1);
    STAT_OK(ebm_trainer_set_grad_clip(t.trainer, 0.01)); /* the norm is the one before it */
    STAT_OK(ebm_trainer_step(t.trainer, 2, DATA));
    STAT_OK(ebm_trainer_get_energy_data(t.trainer, &data));
    STAT_OK(ebm_trainer_get_energy_model(t.trainer, &model));
    STAT_OK(ebm_trainer_get_gap(t.trainer, &gap));
    STAT_OK(ebm_trainer_get_grad_norm(t.trainer, &norm));
    STAT_OK(ebm_trainer_get_acceptance(t.trainer, &acceptance));
    /* E = (x_0 + 4 x_1 + x_2 / 4) / 2, by theta as it was before the step. */
    assert_true(data == ((1.5 - 1 + 0.75) / 2 + (0.5 + 3 + 0.25) / 2) / 2);
    assert_true(model == (1 + 2 + 0.25) / 2);
    assert_true(gap == data - model);
    /* theta_j d_j, d = (0, -0.25, 1). */
    assert_true(fabs(norm - sqrt(0.25 + 0.25)) < 1e-7);
    assert_true(acceptance == 1);
    stat_training_free(&t);
}

static void nothing_is_reported_before_the_first_batch(void **state) {
    (void)state;
    static ebm_status (*const getters[])(const ebm_trainer *, double *) = {
        ebm_trainer_get_energy_data, ebm_trainer_get_energy_model, ebm_trainer_get_gap, ebm_trainer_get_grad_norm,
        ebm_trainer_get_acceptance};
    float gradient[STAT_FEATURES];
    float average[STAT_FEATURES];
    double value = 7;
    int64_t count = 7;
    stat_training t = new_sgd(6, NULL, 0.1);
    STAT_OK(ebm_trainer_step(t.trainer, 0, NULL)); /* no rows, no batch */
    STAT_OK(ebm_trainer_fit(t.trainer, 0, NULL, 3));
    STAT_OK(ebm_trainer_fit(t.trainer, 2, DATA, 0));
    STAT_OK(ebm_trainer_gradient(t.trainer, 0, NULL, STAT_FEATURES, gradient));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(getters[i](t.trainer, &value), EBM_ERR_STATE);
    }
    assert_true(value == 7);
    assert_int_equal(ebm_trainer_get_average_params(t.trainer, STAT_FEATURES, average), EBM_ERR_STATE);
    assert_int_equal(ebm_trainer_swap_average(t.trainer), EBM_ERR_STATE);
    STAT_OK(ebm_trainer_get_steps(t.trainer, &count));
    assert_int_equal(count, 0);
    STAT_OK(ebm_trainer_gradient(t.trainer, 2, DATA, STAT_FEATURES, gradient));
    for (int i = 0; i < 5; i++) {
        STAT_OK(getters[i](t.trainer, &value));
    }
    stat_training_free(&t);
}

/*
 * --- fit
 * -------------------------------------------------------------------------------------------------------------
 */

/* 10 rows in batches of 4: 4, 4, 2; every row once in an epoch, in orders that differ. */
static void an_epoch_sees_every_row_once(void **state) {
    (void)state;
    enum { N = 10, EPOCHS = 6 };
    static stat_seen seen;
    float data[N * STAT_FEATURES] = {0};
    int64_t steps;
    int64_t epochs;
    int orders_differ = 0;
    memset(&seen, 0, sizeof seen);
    for (int i = 0; i < N; i++) {
        data[i * STAT_FEATURES] = (float)(i + 1);
    }
    stat_training t = new_sgd(3, &seen, 1e-4);
    STAT_OK(ebm_trainer_set_batch_size(t.trainer, 4));
    STAT_OK(ebm_trainer_fit(t.trainer, N, data, EPOCHS));
    assert_int_equal(seen.calls, 3 * EPOCHS);
    assert_int_equal(seen.n, N * EPOCHS);
    for (int e = 0; e < EPOCHS; e++) {
        int count[N + 1] = {0};
        assert_int_equal(seen.rows[3 * e], 4);
        assert_int_equal(seen.rows[3 * e + 1], 4);
        assert_int_equal(seen.rows[3 * e + 2], 2);
        for (int i = 0; i < N; i++) {
            count[(int)seen.first[e * N + i]]++;
        }
        for (int i = 1; i <= N; i++) {
            assert_int_equal(count[i], 1);
        }
        orders_differ += e > 0 && memcmp(seen.first + e * N, seen.first, N * sizeof *seen.first) != 0;
    }
    assert_int_equal(orders_differ, EPOCHS - 1);
    STAT_OK(ebm_trainer_get_steps(t.trainer, &steps));
    STAT_OK(ebm_trainer_get_epochs(t.trainer, &epochs));
    assert_int_equal(steps, 3 * EPOCHS);
    assert_int_equal(epochs, EPOCHS);
    STAT_OK(ebm_trainer_set_batch_size(t.trainer, 100)); /* larger than the data: one step an epoch */
    STAT_OK(ebm_trainer_fit(t.trainer, N, data, 2));
    STAT_OK(ebm_trainer_get_steps(t.trainer, &steps));
    assert_int_equal(steps, 3 * EPOCHS + 2);
    stat_training_free(&t);
}

/*
 * --- progress
 * --------------------------------------------------------------------------------------------------------
 */

typedef struct progress {
    stat_training *training;
    int64_t n, at[64];
    int64_t stop_at;
    int32_t answer;
} progress;

static int32_t on_progress(const ebm_trainer *trainer, void *data) {
    progress *p = data;
    double energy;
    float x[3 * STAT_FEATURES];
    float theta[STAT_FEATURES];
    STAT_OK(ebm_trainer_get_steps(trainer, &p->at[p->n++]));
    STAT_OK(ebm_trainer_get_energy_data(trainer, &energy)); /* the getters work here, and so do model and sampler */
    STAT_OK(ebm_model_get_params(p->training->model, STAT_FEATURES, theta));
    STAT_OK(ebm_model_energy(p->training->model, 1, DATA, &energy));
    STAT_OK(ebm_sampler_get_states(p->training->sampler, 3, x));
    assert_int_equal(ebm_trainer_step(p->training->trainer, 1, DATA), EBM_ERR_BUSY);
    assert_int_equal(ebm_trainer_set_learning_rate(p->training->trainer, 1), EBM_ERR_BUSY);
    return p->at[p->n - 1] == p->stop_at ? p->answer : EBM_CB_OK;
}

static void progress_comes_after_every_so_many_steps(void **state) {
    (void)state;
    stat_training t = new_sgd(3, NULL, 1e-3);
    progress p = {.training = &t, .stop_at = -1};
    STAT_OK(ebm_trainer_set_progress(t.trainer, on_progress, &p, 3));
    STAT_OK(ebm_trainer_set_batch_size(t.trainer, 1));
    STAT_OK(ebm_trainer_fit(t.trainer, 2, DATA, 4)); /* steps 1 to 8, and on */
    STAT_OK(ebm_trainer_step(t.trainer, 2, DATA));
    assert_int_equal(p.n, 3);
    assert_true(p.at[0] == 3 && p.at[1] == 6 && p.at[2] == 9);
    STAT_OK(ebm_trainer_set_progress(t.trainer, NULL, NULL, 1));
    STAT_OK(ebm_trainer_step(t.trainer, 2, DATA));
    assert_int_equal(p.n, 3);
    stat_training_free(&t);
}

/* The step is done when progress says stop: it counts, and training goes on as if nothing had been said. */
static void progress_may_stop(void **state) {
    (void)state;
    stat_training t = new_sgd(3, NULL, 0.05);
    stat_training whole = new_sgd(3, NULL, 0.05);
    progress p = {.training = &t, .stop_at = 3, .answer = EBM_CB_STOP};
    int64_t steps;
    int64_t epochs;
    double expected[STAT_FEATURES];
    float theta[STAT_FEATURES];
    STAT_OK(ebm_trainer_set_progress(t.trainer, on_progress, &p, 1));
    STAT_OK(ebm_trainer_set_batch_size(t.trainer, 2));
    assert_int_equal(ebm_trainer_fit(t.trainer, 2, DATA, 10), EBM_ERR_STOPPED);
    STAT_OK(ebm_trainer_get_steps(t.trainer, &steps));
    STAT_OK(ebm_trainer_get_epochs(t.trainer, &epochs));
    assert_true(steps == 3 && epochs == 3); /* the epoch was over with the step that stopped it */
    p.stop_at = 5;
    p.answer = 77; /* neither OK nor STOP */
    STAT_OK(ebm_trainer_step(t.trainer, 2, DATA));
    assert_int_equal(ebm_trainer_step(t.trainer, 2, DATA), EBM_ERR_CALLBACK);
    for (int i = 0; i < 5; i++) {
        STAT_OK(ebm_trainer_step(whole.trainer, 2, DATA));
    }
    STAT_OK(ebm_model_get_params(whole.model, STAT_FEATURES, theta));
    for (int j = 0; j < STAT_FEATURES; j++) {
        expected[j] = (double)theta[j];
    }
    stat_assert_params(&t, expected, 1e-6); /* the rows of a batch may have been added in another order */
    stat_training_free(&t);
    stat_training_free(&whole);
}

static void a_stop_is_heard_once(void **state) {
    (void)state;
    float gradient[STAT_FEATURES];
    stat_training t = new_sgd(3, NULL, 0.05);
    STAT_OK(ebm_trainer_request_stop(t.trainer));
    assert_int_equal(ebm_trainer_step(t.trainer, 2, DATA), EBM_ERR_STOPPED);
    stat_assert_params(&t, THETA, 0);
    STAT_OK(ebm_trainer_step(t.trainer, 2, DATA));
    STAT_OK(ebm_trainer_request_stop(t.trainer));
    assert_int_equal(ebm_trainer_fit(t.trainer, 2, DATA, 2), EBM_ERR_STOPPED);
    STAT_OK(ebm_trainer_request_stop(t.trainer));
    assert_int_equal(ebm_trainer_gradient(t.trainer, 2, DATA, STAT_FEATURES, gradient), EBM_ERR_STOPPED);
    STAT_OK(ebm_trainer_fit(t.trainer, 2, DATA, 2));
    stat_training_free(&t);
}

/*
 * --- refusals
 * --------------------------------------------------------------------------------------------------------
 */

static void what_does_not_fit_together_is_refused(void **state) {
    (void)state;
    ebm_trainer *trainer = NULL;
    ebm_model *one = stat_quadratic(NULL, 1, 1);
    ebm_model *other = stat_quadratic(NULL, 1, 1);
    ebm_sampler *sampler = NULL;
    STAT_OK(ebm_sampler_create(NULL, one, 2, 1, &sampler));
    assert_int_equal(ebm_trainer_create(NULL, other, sampler, &trainer), EBM_ERR_ARG);
    assert_non_null(strstr(ebm_last_error(), "sampler"));
    assert_null(trainer);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(other);

    other = stat_model_of(NULL, 1, stat_flat_energy, NULL, 0); /* parameters, but no way to train them */
    STAT_OK(ebm_sampler_create(NULL, other, 2, 1, &sampler));
    assert_int_equal(ebm_trainer_create(NULL, other, sampler, &trainer), EBM_ERR_ARG);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(other);

    STAT_OK(ebm_model_create(NULL, 1, stat_flat_energy, stat_flat_param_grad, NULL, &other)); /* no parameters */
    STAT_OK(ebm_sampler_create(NULL, other, 2, 1, &sampler));
    assert_int_equal(ebm_trainer_create(NULL, other, sampler, &trainer), EBM_ERR_ARG);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(other);
    ebm_model_destroy(one);
}

static void bad_batches_are_refused(void **state) {
    (void)state;
    static const float bad[STAT_FEATURES] = {1, NAN, 2};
    float gradient[STAT_FEATURES];
    int64_t steps;
    stat_training t = new_sgd(3, NULL, 0.1);
    assert_int_equal(ebm_trainer_step(t.trainer, 1, bad), EBM_ERR_ARG);
    assert_int_equal(ebm_trainer_fit(t.trainer, 1, bad, 1), EBM_ERR_ARG);
    assert_int_equal(ebm_trainer_gradient(t.trainer, 1, bad, STAT_FEATURES, gradient), EBM_ERR_ARG);
    assert_int_equal(ebm_trainer_gradient(t.trainer, 1, DATA, STAT_FEATURES + 1, gradient), EBM_ERR_ARG);
    assert_int_equal(ebm_trainer_step(t.trainer, -1, DATA), EBM_ERR_ARG);
    assert_int_equal(ebm_trainer_fit(t.trainer, 1, DATA, -1), EBM_ERR_ARG);
    assert_int_equal(ebm_trainer_step(t.trainer, 1, NULL), EBM_ERR_ARG);
    STAT_OK(ebm_trainer_get_steps(t.trainer, &steps));
    assert_int_equal(steps, 0);
    stat_assert_params(&t, THETA, 0);
    stat_training_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_is_data_less_negatives),
        cmocka_unit_test(penalty_is_in_the_loss),
        cmocka_unit_test(a_step_goes_along_the_gradient),
        cmocka_unit_test(the_host_memory_is_trained_in_place),
        cmocka_unit_test(report_is_of_the_batch),
        cmocka_unit_test(nothing_is_reported_before_the_first_batch),
        cmocka_unit_test(an_epoch_sees_every_row_once),
        cmocka_unit_test(progress_comes_after_every_so_many_steps),
        cmocka_unit_test(progress_may_stop),
        cmocka_unit_test(a_stop_is_heard_once),
        cmocka_unit_test(what_does_not_fit_together_is_refused),
        cmocka_unit_test(bad_batches_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

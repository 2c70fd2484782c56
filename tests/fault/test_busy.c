/* SPDX-License-Identifier: MIT */
/*
 * Every public function called from inside each callback. A handle at work answers EBM_ERR_BUSY, what only reads a
 * constant works, nothing crashes or hangs, and the result is that of an undisturbed run.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "test_models.h"

static void release(void *data) {
    *(int *)data += 1;
}

enum { DIM = 2, CHAINS = 4, PARAMS = 2 * DIM, ROWS = 6 };

typedef struct fixture {
    test_host host;
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    float data[300 * DIM];
    bool model_busy, sampler_busy, trainer_busy, trainer_watched, context_busy;
    int visits;
} fixture;

static int32_t no_progress(const ebm_trainer *trainer, void *data) {
    (void)trainer;
    (void)data;
    return EBM_CB_OK;
}

static int32_t no_draw(int64_t draw, int64_t n_chains, int64_t dim, const float *x, void *data) {
    (void)draw, (void)n_chains, (void)dim, (void)x, (void)data;
    return EBM_CB_OK;
}

/* BUSY, with the function's own name first in the message, when `busy`; anything but BUSY otherwise. */
#define expect(busy, function, ...)                                                          \
    do {                                                                                     \
        ebm_status got_ = function(__VA_ARGS__);                                             \
        if ((got_ == EBM_ERR_BUSY) != (busy)) {                                              \
            fail_msg("%s is %d, busy is %d: %s", #function, got_, (int)(busy), ebm_last_error()); \
        }                                                                                    \
        if (busy) {                                                                          \
            assert_int_equal(strncmp(ebm_last_error(), #function ":", strlen(#function) + 1), 0); \
        }                                                                                    \
    } while (0)

static void try_context(fixture *f) {
    int32_t n = 0;
    ebm_log_fn log = NULL;
    ebm_parallel_for_fn loop = NULL;
    void *data = NULL;
    expect(false, ebm_context_get_threads, f->context, &n);
    expect(false, ebm_context_get_log, f->context, &log, &data);
    expect(false, ebm_context_set_log, f->context, log, data);
    expect(false, ebm_context_get_parallel_for, f->context, &loop, &data);
    expect(f->context_busy, ebm_context_set_parallel_for, f->context, loop, data);
    if (f->context_busy) {
        expect(true, ebm_context_set_threads, f->context, n);
    }
}

static void try_model(fixture *f) {
    ebm_model *m = f->model;
    bool busy = f->model_busy;
    float theta[PARAMS];
    float grad[ROWS * DIM];
    double energy[ROWS];
    float weight[ROWS] = {1};
    int32_t number;
    int64_t shape = 1;
    assert_int_equal(ebm_model_dim(m), DIM);
    assert_int_equal(ebm_model_param_count(m), PARAMS);
    assert_int_equal(ebm_model_tensor_count(m), 2);
    ebm_model *sum = NULL;
    expect(busy, ebm_model_add_tensor, m, "more", 1, &shape);
    expect(busy, ebm_sum_create, f->context, 1, &m, NULL, &sum);
    ebm_model_destroy(sum);
    expect(busy, ebm_model_tensor_info, m, 0, NULL, NULL, NULL, NULL);
    expect(busy, ebm_model_get_params, m, PARAMS, theta);
    if (busy) { /* elsewhere these would disturb the run */
        expect(true, ebm_model_set_params, m, PARAMS, theta);
        expect(true, ebm_model_set_tensor, m, "mean", DIM, theta);
        expect(true, ebm_model_bind_params, m, PARAMS, theta);
        expect(true, ebm_model_init_params, m, 1);
        expect(true, ebm_model_set_init, m, test_init);
        expect(true, ebm_model_mixed_grad, m, ROWS, f->data, f->data, weight, energy, PARAMS, grad);
        expect(true, ebm_model_check_mixed_grad, m, ROWS, f->data, energy);
        expect(true, ebm_model_set_release, m, release);
        const int32_t kind = EBM_TRANSFORM_NONE;
        const int64_t size = DIM;
        ebm_model *transformed = NULL;
        expect(true, ebm_transformed_create, f->context, m, 1, &kind, &size, NULL, NULL, &transformed);
    }
    expect(false, ebm_transformed_constrain, m, 1, f->data, grad); /* reads what never changes */
    expect(false, ebm_transformed_unconstrain, m, 1, f->data, grad);
    expect(busy, ebm_model_get_tensor, m, "mean", DIM, theta);
    ebm_mixed_grad_fn mixed = NULL;
    expect(busy, ebm_model_set_mixed_grad, m, NULL);
    expect(busy, ebm_model_get_mixed_grad, m, &mixed);
    expect(busy, ebm_model_set_sign, m, EBM_SIGN_ENERGY);
    expect(busy, ebm_model_get_sign, m, &number);
    expect(busy, ebm_model_set_spectral_limit, m, 0);
    expect(busy, ebm_model_get_spectral_limit, m, energy);
    expect(busy, ebm_model_set_concurrent, m, 0);
    expect(busy, ebm_model_get_concurrent, m, &number);
    expect(busy, ebm_model_energy, m, ROWS, f->data, energy);
    expect(busy, ebm_model_grad_x, m, ROWS, f->data, energy, grad);
    expect(busy, ebm_model_param_grad, m, ROWS, f->data, weight, energy, PARAMS, grad);
    expect(busy, ebm_model_check_gradients, m, ROWS, f->data, energy, energy);
}

static void try_sampler(fixture *f) {
    ebm_sampler *s = f->sampler;
    bool busy = f->sampler_busy;
    float x[3 * CHAINS * DIM];
    char table[128 * (DIM + 16)];
    uint8_t mask[DIM];
    int32_t number;
    int64_t count;
    double value;
    const double one = 1;
    assert_int_equal(ebm_sampler_chain_count(s), CHAINS);
    expect(busy, ebm_sampler_set_kernel, s, EBM_KERNEL_LANGEVIN);
    expect(busy, ebm_sampler_get_kernel, s, &number);
    expect(busy, ebm_sampler_set_step_size, s, 0.01);
    expect(busy, ebm_sampler_get_step_size, s, &value);
    expect(busy, ebm_sampler_set_noise_std, s, EBM_NOISE_STD_AUTO);
    expect(busy, ebm_sampler_get_noise_std, s, &value);
    expect(busy, ebm_sampler_set_temperature, s, 1);
    expect(busy, ebm_sampler_get_temperature, s, &value);
    expect(busy, ebm_sampler_get_implied_temperature, s, &value);
    expect(busy, ebm_sampler_set_noise_order, s, EBM_NOISE_WITH_GRADIENT);
    expect(busy, ebm_sampler_get_noise_order, s, &number);
    expect(busy, ebm_sampler_set_bounds, s, -(double)INFINITY, (double)INFINITY, EBM_BOUNDS_CLAMP);
    expect(busy, ebm_sampler_get_bounds, s, &value, NULL, NULL);
    expect(busy, ebm_sampler_set_grad_clip, s, (double)INFINITY);
    expect(busy, ebm_sampler_get_grad_clip, s, &value);
    expect(busy, ebm_sampler_set_leapfrog_steps, s, 10);
    expect(busy, ebm_sampler_get_leapfrog_steps, s, &count);
    expect(busy, ebm_sampler_set_jitter, s, 0);
    expect(busy, ebm_sampler_get_jitter, s, &value);
    expect(busy, ebm_sampler_set_friction, s, 1);
    expect(busy, ebm_sampler_get_friction, s, &value);
    expect(busy, ebm_sampler_set_metric, s, EBM_METRIC_IDENTITY, 0, NULL);
    expect(busy, ebm_sampler_get_metric, s, &number, 0, NULL);
    expect(busy, ebm_sampler_set_metric_adaptation, s, 1);
    expect(busy, ebm_sampler_get_metric_adaptation, s, &number);
    expect(busy, ebm_sampler_set_max_depth, s, 10);
    expect(busy, ebm_sampler_get_max_depth, s, &number);
    expect(busy, ebm_sampler_set_ladder, s, 1, NULL);
    expect(busy, ebm_sampler_get_ladder, s, 1, &value);
    expect(busy, ebm_sampler_set_rung_step_sizes, s, 1, &one);
    expect(busy, ebm_sampler_get_rung_step_sizes, s, 1, &value);
    expect(busy, ebm_sampler_set_swap_every, s, 1);
    expect(busy, ebm_sampler_get_swap_every, s, &count);
    expect(busy, ebm_sampler_get_swap_rates, s, 0, NULL);
    expect(busy, ebm_sampler_get_round_trips, s, &count);
    assert_int_equal(ebm_sampler_rung_count(s), 1);
    expect(busy, ebm_sampler_set_mask, s, NULL);
    expect(busy, ebm_sampler_get_mask, s, mask);
    expect(busy, ebm_sampler_set_start, s, EBM_START_PERSISTENT);
    expect(busy, ebm_sampler_get_start, s, &number);
    expect(busy, ebm_sampler_set_noise_start, s, EBM_NOISE_NORMAL, 0, 1);
    expect(busy, ebm_sampler_get_noise_start, s, &number, NULL, NULL);
    expect(busy, ebm_sampler_set_buffer, s, 0, 0);
    expect(busy, ebm_sampler_get_buffer, s, &count, NULL);
    expect(busy, ebm_sampler_get_states, s, CHAINS, x);
    expect(busy, ebm_sampler_set_states, s, 0, x);
    expect(busy, ebm_sampler_get_steps, s, &count);
    expect(busy, ebm_sampler_get_grad_rms, s, &value);
    expect(busy, ebm_sampler_get_acceptance, s, &value);
    expect(busy, ebm_sampler_get_nonfinite_count, s, &count);
    expect(busy, ebm_sampler_get_divergent_count, s, &count);
    expect(busy, ebm_sampler_get_mean_leapfrog_steps, s, &value);
    expect(busy, ebm_sampler_get_trajectory_energies, s, 0, &value);
    expect(busy || f->model_busy, ebm_sampler_get_mean_energy, s, &value);
    expect(busy || f->model_busy, ebm_sampler_run, s, 0);
    expect(busy || f->model_busy, ebm_sampler_adapt, s, 0, 0.5);
    expect(busy || f->model_busy, ebm_sampler_tune_ladder, s, 0);
    expect(busy || f->model_busy, ebm_sampler_anneal, s, 0, NULL, NULL, NULL, 1);
    expect(busy || f->model_busy, ebm_sampler_draw, s, 0, 1, x);
    expect(busy || f->model_busy, ebm_sampler_draw_each, s, 0, 1, no_draw, NULL);
    if (busy) { /* elsewhere these would disturb the run */
        expect(true, ebm_sampler_run, s, 1);
        expect(true, ebm_sampler_adapt, s, 1, 0.5);
        expect(true, ebm_sampler_tune_ladder, s, 10);
        expect(true, ebm_sampler_anneal, s, 1, &one, &one, &one, 1);
        expect(true, ebm_sampler_set_ladder, s, 2, (const double[]){1, 2});
        expect(true, ebm_sampler_draw, s, 3, 1, x);
        expect(true, ebm_sampler_draw_each, s, 3, 1, no_draw, NULL);
        expect(true, ebm_sampler_summarize, s, 3, 1, NULL, NULL, sizeof table, table);
        expect(true, ebm_sampler_restart, s);
        expect(true, ebm_sampler_set_states, s, CHAINS, x);
    }
}

static int32_t no_batch(int64_t batch, int64_t n, int64_t dim, float *x, void *unused) {
    (void)batch, (void)unused;
    for (int64_t i = 0; i < n * dim; i++) {
        x[i] = 0;
    }
    return EBM_CB_OK;
}

/* The trainer's setters and work, which stay shut also while the progress function looks. */
static void try_trainer_changes(fixture *f) {
    ebm_trainer *t = f->trainer;
    float grad[PARAMS];
    bool busy = f->trainer_busy || f->trainer_watched;
    expect(busy, ebm_trainer_set_objective, t, EBM_OBJECTIVE_LIKELIHOOD);
    expect(busy, ebm_trainer_set_seed, t, 9);
    expect(busy, ebm_trainer_set_noise_levels, t, 1, &(double){0.1});
    expect(busy, ebm_trainer_set_difference_step, t, 0.01);
    expect(busy, ebm_trainer_set_noise_ratio, t, 2);
    expect(busy, ebm_trainer_set_log_z, t, 1);
    expect(busy, ebm_trainer_set_noise, t, NULL, NULL, 0, NULL);
    expect(busy, ebm_trainer_fit_noise, t, ROWS, f->data, EBM_COVARIANCE_FULL, 0.1);
    expect(busy, ebm_trainer_set_optimizer, t, EBM_OPT_ADAM);
    expect(busy, ebm_trainer_set_learning_rate, t, 1e-3);
    expect(busy, ebm_trainer_set_schedule, t, EBM_SCHEDULED_LEARNING_RATE, EBM_SCHEDULE_CONSTANT, 0, 1, 1);
    expect(busy, ebm_trainer_set_momentum, t, 0);
    expect(busy, ebm_trainer_set_betas, t, 0.9, 0.999);
    expect(busy, ebm_trainer_set_epsilon, t, 1e-8);
    expect(busy, ebm_trainer_set_weight_decay, t, 0);
    expect(busy, ebm_trainer_set_grad_clip, t, (double)INFINITY);
    expect(busy, ebm_trainer_set_mcmc_steps, t, 2);
    expect(busy, ebm_trainer_set_batch_size, t, ROWS);
    expect(busy, ebm_trainer_set_energy_penalty, t, 0);
    expect(busy, ebm_trainer_set_data_noise, t, 0);
    expect(busy, ebm_trainer_set_average, t, 0.5);
    expect(busy, ebm_trainer_set_gap_limit, t, (double)INFINITY);
    expect(busy, ebm_trainer_set_health_record, t, 1);
    expect(busy, ebm_trainer_set_rollback, t, 0, 0, 0);
    expect(busy || f->model_busy, ebm_trainer_swap_average, t);
    if (busy) {
        expect(true, ebm_trainer_set_progress, t, no_progress, NULL, 1);
        expect(true, ebm_trainer_step, t, ROWS, f->data);
        expect(true, ebm_trainer_fit, t, ROWS, f->data, 1);
        expect(true, ebm_trainer_fit_stream, t, no_batch, NULL, 1);
        expect(true, ebm_trainer_gradient, t, ROWS, f->data, PARAMS, grad);
    } else if (f->sampler_busy) { /* the trainer is idle, but its sampler is not */
        expect(true, ebm_trainer_step, t, ROWS, f->data);
        expect(true, ebm_trainer_fit, t, ROWS, f->data, 1);
        expect(true, ebm_trainer_fit_stream, t, no_batch, NULL, 1);
        expect(true, ebm_trainer_gradient, t, ROWS, f->data, PARAMS, grad);
    }
}

static void try_trainer_getters(fixture *f) {
    const ebm_trainer *t = f->trainer;
    bool busy = f->trainer_busy;
    float theta[PARAMS];
    ebm_progress_fn fn;
    int32_t number;
    char text[8];
    int64_t count;
    double value;
    uint64_t seed;
    expect(busy, ebm_trainer_get_objective, t, &number);
    expect(busy, ebm_trainer_get_seed, t, &seed);
    expect(busy, ebm_trainer_get_noise_levels, t, &number, NULL);
    expect(busy, ebm_trainer_get_difference_step, t, &value);
    expect(busy, ebm_trainer_get_noise_ratio, t, &count);
    expect(busy, ebm_trainer_get_noise, t, NULL, NULL, &count, NULL);
    expect(busy, ebm_trainer_get_log_z, t, &value);
    expect(busy, ebm_trainer_get_log_z_gradient, t, &value);
    expect(busy, ebm_trainer_get_loss, t, &value);
    expect(busy, ebm_trainer_get_optimizer, t, &number);
    expect(busy, ebm_trainer_get_learning_rate, t, &value);
    expect(busy, ebm_trainer_get_schedule, t, EBM_SCHEDULED_MCMC_STEPS, &number, NULL, NULL, NULL);
    expect(busy, ebm_trainer_get_momentum, t, &value);
    expect(busy, ebm_trainer_get_betas, t, &value, NULL);
    expect(busy, ebm_trainer_get_epsilon, t, &value);
    expect(busy, ebm_trainer_get_weight_decay, t, &value);
    expect(busy, ebm_trainer_get_grad_clip, t, &value);
    expect(busy, ebm_trainer_get_mcmc_steps, t, &count);
    expect(busy, ebm_trainer_get_batch_size, t, &count);
    expect(busy, ebm_trainer_get_energy_penalty, t, &value);
    expect(busy, ebm_trainer_get_data_noise, t, &value);
    expect(busy, ebm_trainer_get_average, t, &value);
    expect(busy, ebm_trainer_get_gap_limit, t, &value);
    expect(busy, ebm_trainer_get_health_record, t, &number);
    expect(busy, ebm_trainer_get_health, t, EBM_HEALTH_GRAD_THETA, &value);
    expect(busy, ebm_trainer_get_verdict, t, &number);
    expect(busy, ebm_trainer_get_rollback, t, &count, NULL, NULL);
    expect(busy, ebm_trainer_get_rollback_count, t, &count);
    expect(busy, ebm_trainer_describe_health, t, sizeof text, text);
    expect(busy, ebm_trainer_get_progress, t, &fn, NULL, NULL);
    expect(busy, ebm_trainer_get_average_params, t, PARAMS, theta);
    expect(busy, ebm_trainer_get_steps, t, &count);
    expect(busy, ebm_trainer_get_epochs, t, &count);
    expect(busy, ebm_trainer_get_energy_data, t, &value);
    expect(busy, ebm_trainer_get_energy_model, t, &value);
    expect(busy, ebm_trainer_get_gap, t, &value);
    expect(busy, ebm_trainer_get_grad_norm, t, &value);
    expect(busy, ebm_trainer_get_acceptance, t, &value);
    expect(busy, ebm_trainer_get_scheduled_value, t, EBM_SCHEDULED_LEARNING_RATE, &value);
    expect(busy || f->sampler_busy, ebm_trainer_get_scheduled_value, t, EBM_SCHEDULED_STEP_SIZE, &value);
}

/* Makes new handles on those that are at work: refused, and nothing comes out. */
static void try_create(fixture *f) {
    ebm_sampler *sampler = NULL;
    ebm_trainer *trainer = NULL;
    expect(f->model_busy, ebm_sampler_create, NULL, f->model, 3, 1, &sampler);
    expect(f->sampler_busy || f->model_busy, ebm_trainer_create, NULL, f->model, f->sampler, &trainer);
    assert_true((sampler == NULL) == f->model_busy);
    ebm_sampler_destroy(sampler);
    ebm_trainer_destroy(trainer);
}

static void try_everything(void *data) {
    fixture *f = data;
    test_host quiet = f->host; /* calls that are let through must not come back here */
    f->host.at = 0;
    f->visits++;
    try_context(f);
    try_model(f);
    try_sampler(f);
    try_trainer_changes(f);
    try_trainer_getters(f);
    try_create(f);
    f->host.at = quiet.at;
}

static void setup(fixture *f, int64_t n_chains) {
    *f = (fixture){0};
    assert_ok(ebm_context_create(&f->context));
    f->model = test_model_create(f->context, DIM, 0, &f->host);
    f->host.hook = try_everything;
    f->host.hook_data = f;
    assert_ok(ebm_sampler_create(NULL, f->model, n_chains, 9, &f->sampler));
    assert_ok(ebm_trainer_create(NULL, f->model, f->sampler, &f->trainer));
    assert_ok(ebm_trainer_set_mcmc_steps(f->trainer, 2));
    assert_ok(ebm_trainer_set_batch_size(f->trainer, ROWS));
    assert_ok(ebm_trainer_set_average(f->trainer, 0.5));
    test_fill(300 * DIM, f->data);
}

static void teardown(fixture *f) {
    ebm_trainer_destroy(f->trainer);
    ebm_sampler_destroy(f->sampler);
    ebm_model_destroy(f->model);
    ebm_context_destroy(f->context);
}

/* The parameters after some training, with or without all those calls in its callbacks. */
static void train(int counted, float *theta) {
    fixture f;
    setup(&f, CHAINS);
    f.model_busy = f.sampler_busy = f.trainer_busy = true;
    test_host_arm(&f.host, counted, -1);
    assert_ok(ebm_trainer_fit(f.trainer, ROWS, f.data, 2));
    assert_true((f.visits > 0) == (counted != 0));
    assert_ok(ebm_model_get_params(f.model, PARAMS, theta));
    teardown(&f);
}

static void test_in_training(void **state) {
    float expected[PARAMS];
    float theta[PARAMS];
    (void)state;
    train(0, expected);
    train(CALL_ENERGY, theta);
    assert_memory_equal(theta, expected, sizeof theta);
    train(CALL_PARAM_GRAD, theta);
    assert_memory_equal(theta, expected, sizeof theta);
}

/* In a run the trainer is idle, in a model's own call the sampler too. */
static void test_in_other_calls(void **state) {
    fixture f;
    double energy[ROWS];
    (void)state;
    setup(&f, CHAINS);
    test_host_arm(&f.host, CALL_ENERGY | CALL_INIT, -1);
    f.model_busy = true;
    assert_ok(ebm_model_energy(f.model, ROWS, f.data, energy));
    assert_ok(ebm_model_init_params(f.model, 1));
    assert_int_equal(f.visits, 2);
    f.sampler_busy = true;
    assert_ok(ebm_sampler_run(f.sampler, 2));
    assert_ok(ebm_sampler_get_mean_energy(f.sampler, energy));
    assert_int_equal(f.visits, 5);
    teardown(&f);
}

static int32_t progress(const ebm_trainer *trainer, void *data) {
    fixture *f = data;
    assert_ptr_equal(trainer, f->trainer);
    try_everything(f);
    return EBM_CB_OK;
}

/* Between two steps, model and sampler are free, and the trainer can be read. */
static void test_in_progress(void **state) {
    fixture f;
    (void)state;
    setup(&f, CHAINS);
    assert_ok(ebm_trainer_set_progress(f.trainer, progress, &f, 1));
    f.trainer_watched = true;
    assert_ok(ebm_trainer_fit(f.trainer, ROWS, f.data, 2));
    assert_int_equal(f.visits, 2);
    teardown(&f);
}

static void log_line(int32_t level, const char *message, void *data) {
    (void)level;
    assert_true(strlen(message) > 0 && strchr(message, '\n') == NULL);
    fixture *f = data;
    f->sampler_busy = f->model_busy = level == EBM_LOG_WARNING; /* a step that diverges still holds them */
    try_everything(f);
}

static void test_in_log(void **state) {
    fixture f;
    (void)state;
    setup(&f, CHAINS);
    assert_ok(ebm_context_set_log(f.context, log_line, &f));
    f.trainer_busy = true;
    assert_ok(ebm_trainer_fit(f.trainer, ROWS, f.data, 1));
    assert_int_equal(f.visits, 1);
    assert_ok(ebm_trainer_set_gap_limit(f.trainer, 1e-30));
    assert_status(ebm_trainer_fit(f.trainer, ROWS, f.data, 1), EBM_ERR_DIVERGED);
    assert_int_equal(f.visits, 2);
    teardown(&f);
}

static int32_t parallel_for(int64_t n_tasks, ebm_task_fn task, void *task_data, void *data) {
    try_everything(data);
    for (int64_t i = n_tasks; i-- > 0;) {
        task(i, task_data);
    }
    return EBM_CB_OK;
}

static void test_in_parallel_for(void **state) {
    fixture f;
    double energy[300];
    (void)state;
    setup(&f, CHAINS);
    assert_ok(ebm_context_set_parallel_for(f.context, parallel_for, &f));
    assert_ok(ebm_model_set_concurrent(f.model, 1));
    f.model_busy = f.context_busy = true;
    assert_ok(ebm_model_energy(f.model, 300, f.data, energy));
    assert_int_equal(f.visits, 1);
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_training), cmocka_unit_test(test_in_other_calls), cmocka_unit_test(test_in_progress),
        cmocka_unit_test(test_in_log), cmocka_unit_test(test_in_parallel_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

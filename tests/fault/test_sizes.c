/* SPDX-License-Identifier: MIT */
/*
 * Sizes that overflow or make no sense, zero rows, NULL pointers: over all functions. Sizes are checked before memory
 * is asked for.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "failing_allocator.h"
#include "test_models.h"

enum { DIM = 2, CHAINS = 3, PARAMS = 2 * DIM };

typedef struct fixture {
    failing_allocator memory;
    test_host host;
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
} fixture;

static void setup(fixture *f) {
    *f = (fixture){0};
    assert_ok(ebm_context_create_with_allocator(failing_alloc, failing_free, &f->memory, &f->context));
    f->model = test_model_create(f->context, DIM, 1, &f->host);
    assert_ok(ebm_sampler_create(NULL, f->model, CHAINS, 1, &f->sampler));
    assert_ok(ebm_trainer_create(NULL, f->model, f->sampler, &f->trainer));
    failing_allocator_arm(&f->memory, 0, 0);
}

static void teardown(fixture *f) {
    assert_in_range(atomic_load(&f->memory.most), 0, 65536); /* what is refused has not asked for its size first */
    ebm_trainer_destroy(f->trainer);
    ebm_sampler_destroy(f->sampler);
    ebm_model_destroy(f->model);
    ebm_context_destroy(f->context);
}

/* Refused with this status; the message names the function, and holds `text`. */
#define refuse(expected, text, function, ...)                                                       \
    do {                                                                                            \
        assert_status(function(__VA_ARGS__), expected);                                             \
        assert_int_equal(strncmp(ebm_last_error(), #function ": ", strlen(#function) + 2), 0);      \
        assert_message(text);                                                                       \
    } while (0)

static const int64_t HUGE_SIZE = INT64_C(1) << 33;
static const int64_t OVER = INT64_C(1) << 61; /* x 2 floats of 4 bytes do not fit */

static int32_t never_called(int64_t n, int64_t dim, const float *x, const float *direction, const float *weight,
                            const float *theta, double *slope, float *grad_theta, void *user_data) {
    (void)n, (void)dim, (void)x, (void)direction, (void)weight, (void)theta, (void)slope, (void)grad_theta;
    (void)user_data;
    fail();
    return EBM_CB_STOP;
}

static int32_t no_batch(int64_t batch, int64_t n, int64_t dim, float *x, void *unused) {
    (void)batch, (void)n, (void)dim, (void)x, (void)unused;
    fail();
    return EBM_CB_OK;
}

static void test_shapes(void **state) {
    fixture f;
    ebm_model *model = NULL;
    ebm_sampler *sampler = NULL;
    (void)state;
    setup(&f);
    const int64_t dims[] = {0, -1, INT64_MIN, INT64_C(1) << 31, HUGE_SIZE, INT64_MAX};
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "dim is %lld", (long long)dims[i]);
        refuse(EBM_ERR_ARG, text, ebm_model_create, f.context, dims[i], test_energy, NULL, NULL, &model);
        refuse(EBM_ERR_ARG, text, ebm_gaussian_create, f.context, dims[i], NULL, NULL, &model);
        refuse(EBM_ERR_ARG, text, ebm_double_well_create, f.context, dims[i], 1, &model);
        refuse(EBM_ERR_ARG, text, ebm_mlp_create, f.context, dims[i], 0, NULL, EBM_ACT_SILU, &model);
    }
    refuse(EBM_ERR_ARG, "n_hidden is -1", ebm_mlp_create, f.context, 2, -1, dims, EBM_ACT_SILU, &model);
    refuse(EBM_ERR_ARG, "n_hidden is 65", ebm_mlp_create, f.context, 2, 65, dims, EBM_ACT_SILU, &model);
    refuse(EBM_ERR_ARG, "widths is NULL", ebm_mlp_create, f.context, 2, 1, NULL, EBM_ACT_SILU, &model);
    refuse(EBM_ERR_ARG, "widths[0] is 0", ebm_mlp_create, f.context, 2, 1, dims, EBM_ACT_SILU, &model);
    const int64_t wide[] = {HUGE_SIZE, HUGE_SIZE};
    refuse(EBM_ERR_OVERFLOW, "widths[0] is 8589934592", ebm_mlp_create, f.context, 2, 2, wide, EBM_ACT_SILU, &model);
    const int64_t wide_fit[] = {INT32_MAX, INT32_MAX};
    refuse(EBM_ERR_OVERFLOW, "", ebm_mlp_create, f.context, 2, 2, wide_fit, EBM_ACT_SILU, &model);
    refuse(EBM_ERR_OVERFLOW, "", ebm_gaussian_create, f.context, INT32_MAX, NULL, NULL, &model);
    const int32_t plain[] = {EBM_TRANSFORM_NONE, EBM_TRANSFORM_NONE};
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
        const int64_t sizes[] = {1, dims[i]};
        refuse(EBM_ERR_ARG, "sizes[1] is ", ebm_transformed_create, f.context, f.model, 2, plain, sizes, NULL, NULL,
               &model);
    }
    refuse(EBM_ERR_ARG, "n_blocks is -1", ebm_transformed_create, f.context, f.model, -1, plain, dims, NULL, NULL,
           &model);
    const int64_t ones[] = {1};
    refuse(EBM_ERR_ARG, "activation is 0", ebm_mlp_create, f.context, 2, 1, ones, 0, &model);
    refuse(EBM_ERR_ARG, "activation is 5", ebm_mlp_create, f.context, 2, 1, ones, 5, &model);
    refuse(EBM_ERR_ARG, "height is 8589934592", ebm_conv_create, f.context, 1, HUGE_SIZE, 1, 1, ones, ones, ones, 0, 0,
           NULL, EBM_ACT_SILU, &model);
    refuse(EBM_ERR_OVERFLOW, "2147483647 x 2147483647 x 2147483647", ebm_conv_create, f.context, INT32_MAX, INT32_MAX,
           INT32_MAX, 1, ones, ones, ones, 0, 0, NULL, EBM_ACT_SILU, &model);
    refuse(EBM_ERR_ARG, "n_dense is -1", ebm_conv_create, f.context, 1, 1, 1, 1, ones, ones, ones, 0, -1, NULL,
           EBM_ACT_SILU, &model);
    refuse(EBM_ERR_ARG, "n_models is 0", ebm_sum_create, f.context, 0, &f.model, NULL, &model);
    refuse(EBM_ERR_ARG, "n_models is -2147483648", ebm_sum_create, f.context, INT32_MIN, &f.model, NULL, &model);
    assert_null(model);

    refuse(EBM_ERR_ARG, "n_chains is 0", ebm_sampler_create, NULL, f.model, 0, 1, &sampler);
    refuse(EBM_ERR_ARG, "n_chains is -5", ebm_sampler_create, NULL, f.model, -5, 1, &sampler);
    assert_null(sampler);
    teardown(&f);
}

/* What is found only when a handle has been made around it: everything goes back. */
static void test_chains_overflow(void **state) {
    fixture f;
    ebm_sampler *sampler = NULL;
    (void)state;
    setup(&f);
    long live = atomic_load(&f.memory.live);
    refuse(EBM_ERR_OVERFLOW, "n_chains is 9223372036854775807", ebm_sampler_create, NULL, f.model, INT64_MAX, 1,
           &sampler);
    refuse(EBM_ERR_OVERFLOW, "", ebm_sampler_create, NULL, f.model, OVER, 1, &sampler);
    assert_null(sampler);
    assert_int_equal(atomic_load(&f.memory.live), live);
    teardown(&f);
}

static void test_tensors(void **state) {
    fixture f;
    ebm_model *model = NULL;
    const int64_t product[] = {HUGE_SIZE, HUGE_SIZE};
    const int64_t bytes[] = {INT64_MAX};
    const int64_t negative[] = {2, -3};
    const int64_t zero[] = {0};
    const int64_t one[] = {1};
    char name[130];
    (void)state;
    setup(&f);
    assert_ok(ebm_model_create(NULL, 1, test_energy, NULL, NULL, &model));
    refuse(EBM_ERR_OVERFLOW, "shape[0] to shape[1]", ebm_model_add_tensor, model, "a", 2, product);
    refuse(EBM_ERR_OVERFLOW, "", ebm_model_add_tensor, model, "a", 1, bytes);
    refuse(EBM_ERR_ARG, "shape[1] is -3", ebm_model_add_tensor, model, "a", 2, negative);
    refuse(EBM_ERR_ARG, "shape[0] is 0", ebm_model_add_tensor, model, "a", 1, zero);
    refuse(EBM_ERR_ARG, "rank is -1", ebm_model_add_tensor, model, "a", -1, one);
    refuse(EBM_ERR_ARG, "rank is 9", ebm_model_add_tensor, model, "a", 9, one);
    refuse(EBM_ERR_ARG, "shape is NULL", ebm_model_add_tensor, model, "a", 1, NULL);
    refuse(EBM_ERR_ARG, "name is NULL", ebm_model_add_tensor, model, NULL, 1, one);
    refuse(EBM_ERR_ARG, "name has 0", ebm_model_add_tensor, model, "", 1, one);
    refuse(EBM_ERR_ARG, "0x20", ebm_model_add_tensor, model, "a b", 1, one);
    refuse(EBM_ERR_ARG, "0xc3", ebm_model_add_tensor, model, "\xc3\xa9", 1, one);
    refuse(EBM_ERR_ARG, "__metadata__", ebm_model_add_tensor, model, "__metadata__", 1, one);
    memset(name, 'n', sizeof name);
    name[128] = '\0';
    refuse(EBM_ERR_ARG, "more than 127", ebm_model_add_tensor, model, name, 1, one);
    name[127] = '\0';
    assert_ok(ebm_model_add_tensor(model, name, 1, one));
    refuse(EBM_ERR_ARG, "already has", ebm_model_add_tensor, model, name, 1, one);
    refuse(EBM_ERR_OVERFLOW, "more parameters", ebm_model_add_tensor, model, "a", 1, bytes);
    assert_int_equal(ebm_model_tensor_count(model), 1);
    refuse(EBM_ERR_ARG, "index is 1", ebm_model_tensor_info, model, 1, NULL, NULL, NULL, NULL);
    refuse(EBM_ERR_ARG, "index is -1", ebm_model_tensor_info, model, -1, NULL, NULL, NULL, NULL);
    refuse(EBM_ERR_STATE, "takes no more", ebm_model_add_tensor, f.model, "late", 1, one);
    ebm_model_destroy(model);
    teardown(&f);
}

static void test_rows(void **state) {
    fixture f;
    float x[CHAINS * DIM] = {0};
    float grad[PARAMS];
    double energy[CHAINS];
    (void)state;
    setup(&f);
    const struct {
        int64_t n;
        ebm_status status;
        const char *text;
    } sizes[] = {{-1, EBM_ERR_ARG, "n is -1"},
                 {INT64_MIN, EBM_ERR_ARG, "n is -9223372036854775808"},
                 {OVER, EBM_ERR_OVERFLOW, "n is 2305843009213693952"},
                 {INT64_MAX, EBM_ERR_OVERFLOW, "n is 9223372036854775807"}};
    const int32_t kind = EBM_TRANSFORM_NONE;
    const int64_t size = DIM;
    ebm_model *transformed = NULL;
    assert_ok(ebm_transformed_create(f.context, f.model, 1, &kind, &size, NULL, NULL, &transformed));
    assert_ok(ebm_model_set_mixed_grad(f.model, never_called));
    for (int i = 0; i < 4; i++) {
        int64_t n = sizes[i].n;
        ebm_status status = sizes[i].status;
        const char *text = sizes[i].text;
        refuse(status, text, ebm_model_mixed_grad, f.model, n, x, x, x, energy, PARAMS, grad);
        refuse(status, text, ebm_model_check_mixed_grad, f.model, n, x, NULL);
        refuse(status, text, ebm_model_energy, f.model, n, x, energy);
        refuse(status, text, ebm_model_grad_x, f.model, n, x, energy, grad);
        refuse(status, text, ebm_model_param_grad, f.model, n, x, x, energy, PARAMS, grad);
        refuse(status, text, ebm_model_check_gradients, f.model, n, x, NULL, NULL);
        refuse(status, text, ebm_transformed_constrain, transformed, n, x, grad);
        refuse(status, text, ebm_transformed_unconstrain, transformed, n, x, grad);
        refuse(status, text, ebm_trainer_step, f.trainer, n, x);
        refuse(status, text, ebm_trainer_fit, f.trainer, n, x, 1);
        refuse(status, text, ebm_trainer_gradient, f.trainer, n, x, PARAMS, grad);
        refuse(EBM_ERR_ARG, text, ebm_sampler_set_states, f.sampler, n, x);
        refuse(EBM_ERR_ARG, text, ebm_sampler_get_states, f.sampler, n, x);
        refuse(EBM_ERR_ARG, text, ebm_model_set_params, f.model, n, x);
        refuse(EBM_ERR_ARG, text, ebm_model_get_params, f.model, n, x);
        refuse(EBM_ERR_ARG, text, ebm_model_bind_params, f.model, n, x);
        refuse(EBM_ERR_ARG, text, ebm_model_set_tensor, f.model, "mean", n, x);
        refuse(EBM_ERR_ARG, text, ebm_model_get_tensor, f.model, "mean", n, x);
        refuse(EBM_ERR_ARG, "n_params is ", ebm_model_param_grad, f.model, 1, x, x, energy, n, grad);
        refuse(EBM_ERR_ARG, "n_params is ", ebm_model_mixed_grad, f.model, 1, x, x, x, energy, n, grad);
        refuse(EBM_ERR_ARG, "n_params is ", ebm_trainer_gradient, f.trainer, 1, x, n, grad);
    }
    ebm_model_destroy(transformed);
    refuse(EBM_ERR_ARG, "n is 4", ebm_sampler_get_states, f.sampler, CHAINS + 1, x);
    refuse(EBM_ERR_ARG, "'nothing'", ebm_model_get_tensor, f.model, "nothing", 1, x);
    refuse(EBM_ERR_ARG, "n_steps is -1", ebm_sampler_run, f.sampler, -1);
    refuse(EBM_ERR_ARG, "n_draws is -1", ebm_sampler_draw, f.sampler, -1, 1, x);
    refuse(EBM_ERR_ARG, "thin is 0", ebm_sampler_draw, f.sampler, 1, 0, x);
    refuse(EBM_ERR_OVERFLOW, "n_draws is 8589934592", ebm_sampler_draw, f.sampler, HUGE_SIZE, HUGE_SIZE, x);
    refuse(EBM_ERR_OVERFLOW, "n_draws is ", ebm_sampler_draw, f.sampler, INT64_MAX, 1, x);
    refuse(EBM_ERR_ARG, "n is 4", ebm_sampler_get_trajectory_energies, f.sampler, CHAINS + 1, energy);
    const double up[] = {1, 2, 3};
    double numbers[3];
    refuse(EBM_ERR_ARG, "n_rungs is 0", ebm_sampler_set_ladder, f.sampler, 0, NULL);
    refuse(EBM_ERR_ARG, "n_rungs is -1", ebm_sampler_set_ladder, f.sampler, -1, up);
    refuse(EBM_ERR_ARG, "n is 3, must be 1", ebm_sampler_get_ladder, f.sampler, 3, numbers);
    refuse(EBM_ERR_ARG, "n is 0, must be 1", ebm_sampler_get_rung_step_sizes, f.sampler, 0, numbers);
    refuse(EBM_ERR_ARG, "n is -1, must be 1", ebm_sampler_set_rung_step_sizes, f.sampler, -1, up);
    refuse(EBM_ERR_ARG, "n is 1, must be 0", ebm_sampler_get_swap_rates, f.sampler, 1, numbers);
    refuse(EBM_ERR_ARG, "n_steps is -1", ebm_sampler_tune_ladder, f.sampler, -1);
    refuse(EBM_ERR_STATE, "no ladder", ebm_sampler_tune_ladder, f.sampler, 10);
    assert_ok(ebm_sampler_set_ladder(f.sampler, 3, up));
    assert_ok(ebm_sampler_set_swap_every(f.sampler, INT64_MAX));
    refuse(EBM_ERR_ARG, "n_steps is 10, must be at least 9223372036854775807", ebm_sampler_tune_ladder, f.sampler, 10);
    assert_ok(ebm_sampler_set_swap_every(f.sampler, 5));
    refuse(EBM_ERR_ARG, "n_steps is 9, must be at least 10", ebm_sampler_tune_ladder, f.sampler, 9);
    assert_ok(ebm_sampler_set_ladder(f.sampler, 1, up));
    refuse(EBM_ERR_ARG, "n_points is -1", ebm_sampler_anneal, f.sampler, -1, up, up, up, 1);
    refuse(EBM_ERR_ARG, "steps_each is 0", ebm_sampler_anneal, f.sampler, 3, up, up, up, 0);
    refuse(EBM_ERR_OVERFLOW, "n_points is 8589934592 and steps_each is 8589934592", ebm_sampler_anneal, f.sampler,
           HUGE_SIZE, up, up, up, HUGE_SIZE);
    refuse(EBM_ERR_ARG, "n_epochs is -1", ebm_trainer_fit, f.trainer, 1, x, -1);
    refuse(EBM_ERR_ARG, "n_steps is -1", ebm_trainer_fit_stream, f.trainer, no_batch, NULL, -1);
    assert_ok(ebm_trainer_set_batch_size(f.trainer, INT64_MAX / 2));
    refuse(EBM_ERR_OVERFLOW, "do not fit", ebm_trainer_fit_stream, f.trainer, no_batch, NULL, 1);
    assert_ok(ebm_trainer_set_batch_size(f.trainer, 1));
    assert_ok(ebm_trainer_fit_stream(f.trainer, no_batch, NULL, 0)); /* nothing to do: it is not called */
    refuse(EBM_ERR_OVERFLOW, "capacity is ", ebm_sampler_set_buffer, f.sampler, INT64_MAX, 0);
    refuse(EBM_ERR_OVERFLOW, "capacity is ", ebm_sampler_set_buffer, f.sampler, OVER, 0);
    teardown(&f);
}

/* Zero rows are nothing to do, whatever the pointers: no callback is called, and nothing is touched. */
static void test_zero_rows(void **state) {
    fixture f;
    float grad[PARAMS] = {7, 7, 7, 7};
    double worst[2] = {7, 7};
    int64_t count;
    ebm_model *plain = NULL;
    (void)state;
    setup(&f);
    test_host_arm(&f.host, CALL_ENERGY | CALL_PARAM_GRAD | CALL_INIT, 0);
    assert_ok(ebm_model_energy(f.model, 0, NULL, NULL));
    assert_ok(ebm_model_grad_x(f.model, 0, NULL, NULL, NULL));
    assert_ok(ebm_model_param_grad(f.model, 0, NULL, NULL, NULL, PARAMS, NULL));
    assert_ok(ebm_model_param_grad(f.model, 0, NULL, NULL, NULL, PARAMS, grad));
    assert_true(grad[0] == 0 && grad[PARAMS - 1] == 0); /* an empty sum */
    assert_ok(ebm_model_set_mixed_grad(f.model, never_called));
    assert_ok(ebm_model_mixed_grad(f.model, 0, NULL, NULL, NULL, NULL, PARAMS, NULL));
    grad[0] = 7;
    assert_ok(ebm_model_mixed_grad(f.model, 0, NULL, NULL, NULL, NULL, PARAMS, grad));
    assert_true(grad[0] == 0 && grad[PARAMS - 1] == 0);
    assert_ok(ebm_model_check_mixed_grad(f.model, 0, NULL, &worst[0]));
    assert_true(worst[0] == 0);
    worst[0] = 7;
    assert_ok(ebm_model_check_gradients(f.model, 0, NULL, &worst[0], &worst[1]));
    assert_true(worst[0] == 0 && worst[1] == 0);
    assert_ok(ebm_sampler_set_states(f.sampler, 0, NULL));
    assert_ok(ebm_sampler_get_states(f.sampler, 0, NULL));
    assert_ok(ebm_sampler_run(f.sampler, 0));
    assert_ok(ebm_sampler_draw(f.sampler, 0, 1, NULL));
    assert_ok(ebm_sampler_tune_ladder(f.sampler, 0));
    assert_ok(ebm_sampler_anneal(f.sampler, 0, NULL, NULL, NULL, 1));
    assert_ok(ebm_sampler_get_swap_rates(f.sampler, 0, NULL));
    assert_ok(ebm_trainer_step(f.trainer, 0, NULL));
    assert_ok(ebm_trainer_fit(f.trainer, 0, NULL, 3));
    assert_ok(ebm_trainer_fit(f.trainer, 1, grad, 0));
    grad[0] = 7;
    assert_ok(ebm_trainer_gradient(f.trainer, 0, NULL, PARAMS, grad));
    assert_ok(ebm_trainer_gradient(f.trainer, 0, NULL, PARAMS, NULL));
    assert_true(grad[0] == 7);
    assert_ok(ebm_trainer_get_steps(f.trainer, &count));
    assert_int_equal(count, 0);
    assert_ok(ebm_trainer_get_epochs(f.trainer, &count));
    assert_int_equal(count, 0);
    assert_int_equal(atomic_load(&f.host.calls), 0);
    /* A model without parameters: none to copy. */
    assert_ok(ebm_model_create(NULL, 1, test_energy, NULL, &f.host, &plain));
    assert_ok(ebm_model_set_params(plain, 0, NULL));
    assert_ok(ebm_model_get_params(plain, 0, NULL));
    assert_ok(ebm_model_bind_params(plain, 0, NULL));
    ebm_model_destroy(plain);
    teardown(&f);
}

/* With rows, pointers are needed; every handle is, always. */
static void test_null(void **state) {
    fixture f;
    float x[PARAMS] = {0};
    double energy[1];
    ebm_model *model = NULL;
    ebm_sampler *sampler = NULL;
    (void)state;
    setup(&f);
    refuse(EBM_ERR_ARG, "out is NULL", ebm_context_create, NULL);
    refuse(EBM_ERR_ARG, "context is NULL", ebm_context_set_threads, NULL, 2);
    refuse(EBM_ERR_ARG, "context is NULL", ebm_context_set_log, NULL, NULL, NULL);
    refuse(EBM_ERR_ARG, "context is NULL", ebm_context_set_parallel_for, NULL, NULL, NULL);
    refuse(EBM_ERR_ARG, "energy_fn is NULL", ebm_model_create, NULL, 1, NULL, NULL, NULL, &model);
    refuse(EBM_ERR_ARG, "out is NULL", ebm_model_create, NULL, 1, test_energy, NULL, NULL, NULL);
    refuse(EBM_ERR_ARG, "out is NULL", ebm_gaussian_create, NULL, 1, NULL, NULL, NULL);
    refuse(EBM_ERR_ARG, "out is NULL", ebm_double_well_create, NULL, 1, 1, NULL);
    refuse(EBM_ERR_ARG, "out is NULL", ebm_mlp_create, NULL, 1, 0, NULL, EBM_ACT_SILU, NULL);
    refuse(EBM_ERR_ARG, "out is NULL", ebm_conv_create, NULL, 1, 1, 1, 1, NULL, NULL, NULL, 0, 0, NULL, 0, NULL);
    refuse(EBM_ERR_ARG, "filters is NULL", ebm_conv_create, NULL, 1, 1, 1, 1, NULL, NULL, NULL, 0, 0, NULL, EBM_ACT_SILU,
           &model);
    refuse(EBM_ERR_ARG, "out is NULL", ebm_sum_create, NULL, 1, &f.model, NULL, NULL);
    refuse(EBM_ERR_ARG, "models is NULL", ebm_sum_create, NULL, 1, NULL, NULL, &model);
    refuse(EBM_ERR_ARG, "models[0] is NULL", ebm_sum_create, NULL, 1, &model, NULL, &model);
    const int32_t kind = EBM_TRANSFORM_NONE;
    const int64_t size = DIM;
    refuse(EBM_ERR_ARG, "inner is NULL", ebm_transformed_create, NULL, NULL, 1, &kind, &size, NULL, NULL, &model);
    refuse(EBM_ERR_ARG, "kinds is NULL", ebm_transformed_create, NULL, f.model, 1, NULL, &size, NULL, NULL, &model);
    refuse(EBM_ERR_ARG, "sizes is NULL", ebm_transformed_create, NULL, f.model, 1, &kind, NULL, NULL, NULL, &model);
    refuse(EBM_ERR_ARG, "out is NULL", ebm_transformed_create, NULL, f.model, 1, &kind, &size, NULL, NULL, NULL);
    refuse(EBM_ERR_ARG, "model is NULL", ebm_transformed_constrain, NULL, 1, x, x);
    refuse(EBM_ERR_ARG, "model is NULL", ebm_transformed_unconstrain, NULL, 1, x, x);
    assert_ok(ebm_transformed_create(NULL, f.model, 1, &kind, &size, NULL, NULL, &model));
    refuse(EBM_ERR_ARG, "y is NULL", ebm_transformed_constrain, model, 1, NULL, x);
    refuse(EBM_ERR_ARG, "x is NULL", ebm_transformed_constrain, model, 1, x, NULL);
    refuse(EBM_ERR_ARG, "x is NULL", ebm_transformed_unconstrain, model, 1, NULL, x);
    refuse(EBM_ERR_ARG, "y is NULL", ebm_transformed_unconstrain, model, 1, x, NULL);
    ebm_model_destroy(model);
    model = NULL;
    refuse(EBM_ERR_ARG, "model is NULL", ebm_model_energy, NULL, 1, x, energy);
    refuse(EBM_ERR_ARG, "x is NULL", ebm_model_energy, f.model, 1, NULL, energy);
    refuse(EBM_ERR_ARG, "energy is NULL", ebm_model_energy, f.model, 1, x, NULL);
    refuse(EBM_ERR_ARG, "grad is NULL", ebm_model_grad_x, f.model, 1, x, NULL, NULL);
    refuse(EBM_ERR_ARG, "weight is NULL", ebm_model_param_grad, f.model, 1, x, NULL, NULL, PARAMS, x);
    refuse(EBM_ERR_ARG, "grad is NULL", ebm_model_param_grad, f.model, 1, x, x, NULL, PARAMS, NULL);
    refuse(EBM_ERR_ARG, "x is NULL", ebm_model_check_gradients, f.model, 1, NULL, NULL, NULL);
    assert_ok(ebm_model_set_mixed_grad(f.model, never_called));
    refuse(EBM_ERR_ARG, "x is NULL", ebm_model_check_mixed_grad, f.model, 1, NULL, NULL);
    refuse(EBM_ERR_ARG, "x is NULL", ebm_model_mixed_grad, f.model, 1, NULL, x, x, NULL, PARAMS, x);
    refuse(EBM_ERR_ARG, "direction is NULL", ebm_model_mixed_grad, f.model, 1, x, NULL, x, NULL, PARAMS, x);
    refuse(EBM_ERR_ARG, "weight is NULL", ebm_model_mixed_grad, f.model, 1, x, x, NULL, NULL, PARAMS, x);
    refuse(EBM_ERR_ARG, "grad is NULL", ebm_model_mixed_grad, f.model, 1, x, x, x, NULL, PARAMS, NULL);
    refuse(EBM_ERR_ARG, "model is NULL", ebm_model_set_mixed_grad, NULL, never_called);
    refuse(EBM_ERR_ARG, "model is NULL", ebm_model_get_mixed_grad, NULL, NULL);
    refuse(EBM_ERR_ARG, "mixed_grad is NULL", ebm_model_get_mixed_grad, f.model, NULL);
    refuse(EBM_ERR_ARG, "theta is NULL", ebm_model_set_params, f.model, PARAMS, NULL);
    refuse(EBM_ERR_ARG, "theta is NULL", ebm_model_get_params, f.model, PARAMS, NULL);
    refuse(EBM_ERR_ARG, "values is NULL", ebm_model_set_tensor, f.model, "mean", DIM, NULL);
    refuse(EBM_ERR_ARG, "model is NULL", ebm_sampler_create, NULL, NULL, 1, 1, &sampler);
    refuse(EBM_ERR_ARG, "out is NULL", ebm_sampler_create, NULL, f.model, 1, 1, NULL);
    refuse(EBM_ERR_ARG, "sampler is NULL", ebm_sampler_run, NULL, 1);
    refuse(EBM_ERR_ARG, "out is NULL", ebm_sampler_draw, f.sampler, 1, 1, NULL);
    refuse(EBM_ERR_ARG, "x is NULL", ebm_sampler_set_states, f.sampler, 1, NULL);
    refuse(EBM_ERR_ARG, "x is NULL", ebm_sampler_get_states, f.sampler, 1, NULL);
    refuse(EBM_ERR_ARG, "free is NULL", ebm_sampler_get_mask, f.sampler, NULL);
    refuse(EBM_ERR_ARG, "temperatures is NULL", ebm_sampler_set_ladder, f.sampler, 2, NULL);
    refuse(EBM_ERR_ARG, "temperatures is NULL", ebm_sampler_get_ladder, f.sampler, 1, NULL);
    refuse(EBM_ERR_ARG, "factors is NULL", ebm_sampler_set_rung_step_sizes, f.sampler, 1, NULL);
    refuse(EBM_ERR_ARG, "factors is NULL", ebm_sampler_get_rung_step_sizes, f.sampler, 1, NULL);
    refuse(EBM_ERR_ARG, "trips is NULL", ebm_sampler_get_round_trips, f.sampler, NULL);
    refuse(EBM_ERR_ARG, "sampler is NULL", ebm_sampler_set_ladder, NULL, 1, NULL);
    refuse(EBM_ERR_ARG, "sampler is NULL", ebm_sampler_tune_ladder, NULL, 1);
    refuse(EBM_ERR_ARG, "sampler is NULL", ebm_sampler_anneal, NULL, 1, NULL, NULL, NULL, 1);
    assert_int_equal(ebm_sampler_rung_count(NULL), 0);
    refuse(EBM_ERR_ARG, "out is NULL", ebm_trainer_create, NULL, f.model, f.sampler, NULL);
    refuse(EBM_ERR_ARG, "trainer is NULL", ebm_trainer_step, NULL, 1, x);
    refuse(EBM_ERR_ARG, "x is NULL", ebm_trainer_step, f.trainer, 1, NULL);
    refuse(EBM_ERR_ARG, "x is NULL", ebm_trainer_fit, f.trainer, 1, NULL, 1);
    refuse(EBM_ERR_ARG, "trainer is NULL", ebm_trainer_fit_stream, NULL, no_batch, NULL, 1);
    refuse(EBM_ERR_ARG, "fn is NULL", ebm_trainer_fit_stream, f.trainer, NULL, NULL, 1);
    refuse(EBM_ERR_ARG, "grad is NULL", ebm_trainer_gradient, f.trainer, 1, x, PARAMS, NULL);
    assert_int_equal(ebm_model_dim(NULL) + ebm_model_param_count(NULL) + ebm_model_tensor_count(NULL), 0);
    assert_int_equal(ebm_sampler_chain_count(NULL), 0);
    assert_true(model == NULL && sampler == NULL);
    teardown(&f);
}

/* Parts that do not fit together. */
static void test_trainer_parts(void **state) {
    fixture f;
    test_host host = {0};
    ebm_model *fixed = NULL;
    ebm_model *bare = NULL;
    ebm_sampler *of_fixed = NULL;
    ebm_sampler *of_bare = NULL;
    ebm_trainer *trainer = NULL;
    float grad[1];
    const float x[1] = {0};
    (void)state;
    setup(&f);
    assert_ok(ebm_model_create(NULL, 1, test_energy, NULL, &host, &fixed));
    assert_ok(ebm_model_create(NULL, 1, test_energy, test_param_grad, &host, &bare));
    assert_ok(ebm_sampler_create(NULL, fixed, 1, 1, &of_fixed));
    assert_ok(ebm_sampler_create(NULL, bare, 1, 1, &of_bare));
    refuse(EBM_ERR_ARG, "another model", ebm_trainer_create, NULL, f.model, of_fixed, &trainer);
    refuse(EBM_ERR_ARG, "no param_grad", ebm_trainer_create, NULL, fixed, of_fixed, &trainer);
    refuse(EBM_ERR_ARG, "no parameters", ebm_trainer_create, NULL, bare, of_bare, &trainer);
    refuse(EBM_ERR_STATE, "no param_grad", ebm_model_param_grad, fixed, 1, x, x, NULL, 0, grad);
    refuse(EBM_ERR_STATE, "no rule", ebm_model_init_params, fixed, 1);
    assert_null(trainer);
    ebm_sampler_destroy(of_fixed);
    ebm_sampler_destroy(of_bare);
    ebm_model_destroy(fixed);
    ebm_model_destroy(bare);
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),    cmocka_unit_test(test_chains_overflow), cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_rows),      cmocka_unit_test(test_zero_rows),       cmocka_unit_test(test_null),
        cmocka_unit_test(test_trainer_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

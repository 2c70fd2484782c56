/* SPDX-License-Identifier: MIT */
/* What all built-in energies have in common: outputs that may be NULL, threads, memory that runs out. */
#include "energies_support.h"

#include <stdbool.h>

#include "failing_allocator.h"
#include "model/model.h"

/* The energies, so that what they share is tested in one place. */
typedef ebm_status (*create_fn)(ebm_context *context, ebm_model **out);

static ebm_status create_gaussian(ebm_context *context, ebm_model **out) {
    static const float mean[2] = {1.0F, -0.5F};
    static const float precision[4] = {2.0F, 0.5F, 0.5F, 1.0F};
    return ebm_gaussian_create(context, 2, mean, precision, out);
}

static ebm_status create_wide_gaussian(ebm_context *context, ebm_model **out) {
    float *precision = new_precision(20);
    ebm_status status = ebm_gaussian_create(context, 20, NULL, precision, out);
    free(precision);
    return status;
}

static ebm_status create_double_well(ebm_context *context, ebm_model **out) {
    return ebm_double_well_create(context, 11, 1.5, out);
}

static ebm_status create_mlp(ebm_context *context, ebm_model **out) {
    static const int64_t widths[3] = {24, 7, 19};
    return ebm_mlp_create(context, 5, 3, widths, EBM_ACT_SILU, out);
}

static ebm_status create_conv(ebm_context *context, ebm_model **out) {
    static const int64_t filters[2] = {5, 3};
    static const int64_t kernel[2] = {3, 2};
    static const int64_t stride[2] = {1, 2};
    static const int64_t widths[1] = {4};
    ebm_status status =
        ebm_conv_create(context, 2, 3, 3, 2, filters, kernel, stride, EBM_POOL_NONE, 1, widths, EBM_ACT_SILU, out);
    if (status == EBM_OK && ebm_model_init_params(*out, 3) != EBM_OK) {
        ebm_model_destroy(*out);
        *out = NULL;
        return EBM_ERR_NOMEM;
    }
    return status;
}

/* Of a double well and an MLP that is not all zeros. */
static ebm_status create_sum(ebm_context *context, ebm_model **out) {
    static const double weights[2] = {1.0, -0.75};
    static const int64_t widths[1] = {9};
    ebm_model *parts[2] = {NULL, NULL};
    ebm_status status = ebm_double_well_create(context, 4, 1.5, &parts[0]);
    if (status == EBM_OK) {
        status = ebm_mlp_create(context, 4, 1, widths, EBM_ACT_SOFTPLUS, &parts[1]);
    }
    if (status == EBM_OK) {
        status = ebm_model_init_params(parts[1], 3);
    }
    if (status == EBM_OK) {
        status = ebm_sum_create(context, 2, parts, weights, out);
    }
    ebm_model_destroy(parts[0]);
    ebm_model_destroy(parts[1]);
    return status;
}

static const create_fn every[] = {create_gaussian, create_wide_gaussian, create_double_well, create_mlp, create_conv,
                                   create_sum};
enum { EVERY = sizeof every / sizeof *every };

/* An MLP starts with zeros, which would make tests blind. */
static ebm_model *new_model(create_fn create, ebm_context *context) {
    ebm_model *model;
    assert_ok(create(context, &model));
    if (create == create_mlp) {
        assert_ok(ebm_model_init_params(model, 3));
    }
    return model;
}

static void test_gradients(void **state) {
    (void)state;
    for (int k = 0; k < EVERY; k++) {
        ebm_model *model = new_model(every[k], NULL);
        check_gradients(model, 6, 20);
        ebm_model_destroy(model);
    }
}

/* Each output of the callbacks alone has the same bits as all together. */
static void test_outputs_may_be_null(void **state) {
    (void)state;
    enum { N = 300, MOST = 20, MOST_PARAMS = 1024 };
    static double energy[4][N];
    static float grad[2][N * MOST];
    static float theta[2][MOST_PARAMS];
    for (int k = 0; k < EVERY; k++) {
        ebm_model *m = new_model(every[k], NULL);
        size_t size = (size_t)(N * m->dim) * sizeof(float);
        float *x = new_normals(21, N * m->dim);
        float *w = new_normals(22, N);
        assert_true(m->dim <= MOST && m->n_params <= MOST_PARAMS);
        assert_int_equal(m->energy_fn(N, m->dim, x, m->theta, NULL, NULL, m->user_data), EBM_CB_OK);
        assert_int_equal(m->energy_fn(N, m->dim, x, m->theta, energy[0], grad[0], m->user_data), EBM_CB_OK);
        assert_int_equal(m->energy_fn(N, m->dim, x, m->theta, energy[1], NULL, m->user_data), EBM_CB_OK);
        assert_int_equal(m->energy_fn(N, m->dim, x, m->theta, NULL, grad[1], m->user_data), EBM_CB_OK);
        assert_memory_equal(grad[0], grad[1], size);
        assert_int_equal(m->param_grad_fn(N, m->dim, x, w, m->theta, NULL, NULL, m->user_data), EBM_CB_OK);
        assert_int_equal(m->param_grad_fn(N, m->dim, x, w, m->theta, energy[2], theta[0], m->user_data), EBM_CB_OK);
        assert_int_equal(m->param_grad_fn(N, m->dim, x, w, m->theta, energy[3], NULL, m->user_data), EBM_CB_OK);
        assert_int_equal(m->param_grad_fn(N, m->dim, x, w, m->theta, NULL, theta[1], m->user_data), EBM_CB_OK);
        assert_memory_equal(theta[0], theta[1], (size_t)m->n_params * sizeof(float));
        for (int i = 0; i < N; i++) {
            assert_near(energy[0][i], energy[1][i], 1e-6 * (1.0 + fabs(energy[0][i])));
            assert_near(energy[0][i], energy[2][i], 1e-6 * (1.0 + fabs(energy[0][i])));
            assert_true(energy[1][i] == energy[3][i]);
        }
        free(x);
        free(w);
        ebm_model_destroy(m);
    }
}

/* Many rows in one call pass in blocks; each row alone must have the same energy and gradients. */
static void check_rows_alone(ebm_model *model) {
    enum { N = 600, MOST = 20, MOST_PARAMS = 1024 };
    static double energy[N];
    static float grad[N * MOST];
    static float grad_theta[MOST_PARAMS];
    static double sum[MOST_PARAMS];
    const int64_t dim = ebm_model_dim(model);
    const int64_t n_params = ebm_model_param_count(model);
    assert_true(dim <= MOST && n_params <= MOST_PARAMS);
    memset(sum, 0, sizeof sum);
    float *x = new_normals(50, N * dim);
    float *weight = new_normals(51, N);
    assert_ok(ebm_model_set_concurrent(model, 0)); /* all rows in one call */
    assert_ok(ebm_model_grad_x(model, N, x, energy, grad));
    for (int64_t r = 0; r < N; r++) {
        double row_energy;
        float row_grad[MOST];
        assert_ok(ebm_model_grad_x(model, 1, x + r * dim, &row_energy, row_grad));
        assert_near(row_energy, energy[r], 1e-6 * (1.0 + fabs(row_energy)));
        for (int64_t i = 0; i < dim; i++) {
            assert_near(row_grad[i], grad[r * dim + i], 1e-5 * (1.0 + fabs((double)row_grad[i])));
        }
        assert_ok(ebm_model_param_grad(model, 1, x + r * dim, weight + r, NULL, n_params, grad_theta));
        for (int64_t i = 0; i < n_params; i++) {
            sum[i] += (double)grad_theta[i];
        }
    }
    assert_ok(ebm_model_param_grad(model, N, x, weight, energy, n_params, grad_theta));
    for (int64_t i = 0; i < n_params; i++) {
        assert_near(grad_theta[i], sum[i], 1e-3);
    }
    free(x);
    free(weight);
}

static void test_rows_alone(void **state) {
    (void)state;
    for (int k = 0; k < EVERY; k++) {
        ebm_model *model = new_model(every[k], NULL);
        check_rows_alone(model);
        ebm_model_destroy(model);
    }
}

/* theta comes with the call: parameters bound by the host, changed behind the library's back, have their effect. */
static void test_theta_is_the_argument(void **state) {
    (void)state;
    for (int k = 0; k < EVERY; k++) {
        ebm_model *model = new_model(every[k], NULL);
        float *x = new_normals(23, ebm_model_dim(model));
        float *theta = calloc((size_t)ebm_model_param_count(model), sizeof *theta);
        double energy[2];
        assert_non_null(theta);
        assert_ok(ebm_model_energy(model, 1, x, &energy[0]));
        assert_ok(ebm_model_bind_params(model, ebm_model_param_count(model), theta));
        assert_ok(ebm_model_energy(model, 1, x, &energy[1]));
        assert_true(energy[0] != 0.0 && energy[1] == 0.0);
        ebm_model_destroy(model);
        free(theta);
        free(x);
    }
}

typedef struct result {
    double *energy[3];
    float *grad_x;
    float *grad_theta;
} result;

static result evaluate(create_fn create, ebm_context *context, int64_t n) {
    ebm_model *model = new_model(create, context);
    int64_t dim = ebm_model_dim(model);
    int64_t n_params = ebm_model_param_count(model);
    float *x = new_normals(24, n * dim);
    float *w = new_normals(25, n);
    result r;
    for (int i = 0; i < 3; i++) {
        r.energy[i] = calloc((size_t)n, sizeof *r.energy[i]);
    }
    r.grad_x = calloc((size_t)(n * dim), sizeof *r.grad_x);
    r.grad_theta = calloc((size_t)n_params, sizeof *r.grad_theta);
    assert_ok(ebm_model_energy(model, n, x, r.energy[0]));
    assert_ok(ebm_model_grad_x(model, n, x, r.energy[1], r.grad_x));
    assert_ok(ebm_model_param_grad(model, n, x, w, r.energy[2], n_params, r.grad_theta));
    free(x);
    free(w);
    ebm_model_destroy(model);
    return r;
}

static void free_result(result *r) {
    for (int i = 0; i < 3; i++) {
        free(r->energy[i]);
    }
    free(r->grad_x);
    free(r->grad_theta);
}

static void test_same_bits_on_any_number_of_threads(void **state) {
    (void)state;
    enum { N = 1500 };
    for (int k = 0; k < EVERY; k++) {
        ebm_model *model = new_model(every[k], NULL);
        size_t x_bytes = (size_t)(N * ebm_model_dim(model)) * sizeof(float);
        size_t theta_bytes = (size_t)ebm_model_param_count(model) * sizeof(float);
        int32_t concurrent = 0;
        assert_ok(ebm_model_get_concurrent(model, &concurrent));
        assert_int_equal(concurrent, 1);
        ebm_model_destroy(model);
        result one = evaluate(every[k], NULL, N);
        for (int32_t threads = 1; threads <= 3; threads++) {
            ebm_context *context;
            assert_ok(ebm_context_create(&context));
            assert_ok(ebm_context_set_threads(context, threads));
            result many = evaluate(every[k], context, N);
            for (int i = 0; i < 3; i++) {
                assert_memory_equal(one.energy[i], many.energy[i], N * sizeof(double));
            }
            assert_memory_equal(one.grad_x, many.grad_x, x_bytes);
            assert_memory_equal(one.grad_theta, many.grad_theta, theta_bytes);
            free_result(&many);
            ebm_context_destroy(context);
        }
        free_result(&one);
    }
}

/* All kinds of evaluation: the status of the first that fails. */
static ebm_status evaluate_all(ebm_model *model, int64_t n) {
    int64_t n_params = ebm_model_param_count(model);
    float *x = new_normals(30, n * ebm_model_dim(model));
    float *grad_x = calloc((size_t)(n * ebm_model_dim(model)), sizeof *grad_x);
    float *grad_theta = calloc((size_t)n_params, sizeof *grad_theta);
    double *energy = calloc((size_t)n, sizeof *energy);
    ebm_status status[3];
    status[0] = ebm_model_energy(model, n, x, energy);
    status[1] = ebm_model_grad_x(model, n, x, energy, grad_x);
    status[2] = ebm_model_param_grad(model, n, x, x, energy, n_params, grad_theta);
    free(x);
    free(grad_x);
    free(grad_theta);
    free(energy);
    return status[0] != EBM_OK ? status[0] : status[1] != EBM_OK ? status[1] : status[2];
}

/* Create, and every kind of evaluation, with memory running out at each place in turn. */
static void run_out_of_memory(create_fn create, int for_good) {
    enum { N = 40, MOST_CALLS = 200 };
    failing_allocator memory = {0};
    ebm_context *context;
    assert_ok(ebm_context_create_with_allocator(failing_alloc, failing_free, &memory, &context));
    long live = atomic_load(&memory.live);
    bool whole = false;
    for (long at = 1; !whole; at++) {
        assert_true(at < MOST_CALLS);
        failing_allocator_arm(&memory, at, for_good);
        ebm_model *model = NULL;
        ebm_status status = create(context, &model);
        if (status == EBM_OK) {
            status = evaluate_all(model, N);
            whole = atomic_load(&memory.calls) < at;
            failing_allocator_arm(&memory, 0, 0); /* with memory again it works, and soon asks for no more */
            assert_ok(evaluate_all(model, N));
            failing_allocator_arm(&memory, 0, 0);
            assert_ok(evaluate_all(model, N));
            assert_int_equal(atomic_load(&memory.calls), 0);
        } else {
            assert_null(model);
        }
        ebm_model_destroy(model);
        assert_int_equal(status, whole ? EBM_OK : EBM_ERR_NOMEM);
        assert_int_equal(atomic_load(&memory.live), live);
    }
    ebm_context_destroy(context);
    assert_int_equal(atomic_load(&memory.live), 0);
}

static void test_out_of_memory(void **state) {
    (void)state;
    for (int k = 0; k < EVERY; k++) {
        run_out_of_memory(every[k], 0);
        run_out_of_memory(every[k], 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_outputs_may_be_null),
        cmocka_unit_test(test_rows_alone),
        cmocka_unit_test(test_theta_is_the_argument),
        cmocka_unit_test(test_same_bits_on_any_number_of_threads),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

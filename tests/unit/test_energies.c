/* SPDX-License-Identifier: MIT */
/* What all built-in energies have in common: outputs that may be NULL, threads, memory that runs out. */
#include "energies_support.h"

#include <stdbool.h>

#include "model/model.h"

/* The three energies, so that what they share is tested in one place. */
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

static const create_fn every[] = {create_gaussian, create_wide_gaussian, create_double_well, create_mlp};
enum { EVERY = sizeof every / sizeof *every };

/* An MLP starts with zeros, which would make tests blind. */
static ebm_model *new_model(create_fn create, ebm_context *context) {
    ebm_model *model;
    ASSERT_OK(create(context, &model));
    if (create == create_mlp) {
        ASSERT_OK(ebm_model_init_params(model, 3));
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
            ASSERT_NEAR(energy[0][i], energy[1][i], 1e-6 * (1.0 + fabs(energy[0][i])));
            ASSERT_NEAR(energy[0][i], energy[2][i], 1e-6 * (1.0 + fabs(energy[0][i])));
            assert_true(energy[1][i] == energy[3][i]);
        }
        free(x);
        free(w);
        ebm_model_destroy(m);
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
        ASSERT_OK(ebm_model_energy(model, 1, x, &energy[0]));
        ASSERT_OK(ebm_model_bind_params(model, ebm_model_param_count(model), theta));
        ASSERT_OK(ebm_model_energy(model, 1, x, &energy[1]));
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
    ASSERT_OK(ebm_model_energy(model, n, x, r.energy[0]));
    ASSERT_OK(ebm_model_grad_x(model, n, x, r.energy[1], r.grad_x));
    ASSERT_OK(ebm_model_param_grad(model, n, x, w, r.energy[2], n_params, r.grad_theta));
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
        ASSERT_OK(ebm_model_get_concurrent(model, &concurrent));
        assert_int_equal(concurrent, 1);
        ebm_model_destroy(model);
        result one = evaluate(every[k], NULL, N);
        for (int32_t threads = 1; threads <= 3; threads++) {
            ebm_context *context;
            ASSERT_OK(ebm_context_create(&context));
            ASSERT_OK(ebm_context_set_threads(context, threads));
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

/* An allocator that fails at its n-th call, and from then on when it is told to. */
typedef struct failing {
    int64_t calls, fail_at, live;
    bool for_good;
} failing;

static void *failing_alloc(size_t size, void *opaque) {
    failing *f = opaque;
    f->calls++;
    if (f->calls == f->fail_at || (f->for_good && f->fail_at > 0 && f->calls > f->fail_at)) {
        return NULL;
    }
    f->live++;
    return malloc(size);
}

static void failing_free(void *memory, void *opaque) {
    failing *f = opaque;
    f->live--;
    free(memory);
}

/* Create, and every kind of evaluation, with memory running out at each place in turn. */
static void run_out_of_memory(create_fn create, bool for_good) {
    enum { N = 40, MOST_CALLS = 200 };
    failing memory = {.for_good = for_good};
    ebm_context *context;
    ASSERT_OK(ebm_context_create_with_allocator(failing_alloc, failing_free, &memory, &context));
    int64_t live = memory.live;
    bool whole = false;
    for (int64_t at = 1; !whole; at++) {
        assert_true(at < MOST_CALLS);
        memory.calls = 0;
        memory.fail_at = at;
        ebm_model *model = NULL;
        ebm_status status = create(context, &model);
        if (status == EBM_OK) {
            int64_t n_params = ebm_model_param_count(model);
            float *x = new_normals(30, N * ebm_model_dim(model));
            float *grad_x = calloc((size_t)(N * ebm_model_dim(model)), sizeof *grad_x);
            float *grad_theta = calloc((size_t)n_params, sizeof *grad_theta);
            double energy[N];
            ebm_status energy_status = ebm_model_energy(model, N, x, energy);
            ebm_status grad_status = ebm_model_grad_x(model, N, x, energy, grad_x);
            ebm_status theta_status = ebm_model_param_grad(model, N, x, x, energy, n_params, grad_theta);
            whole = memory.calls < at;
            status = energy_status != EBM_OK ? energy_status : grad_status != EBM_OK ? grad_status : theta_status;
            memory.fail_at = 0; /* with memory again, the same model works; the second time it asks for none */
            ASSERT_OK(ebm_model_param_grad(model, N, x, x, energy, n_params, grad_theta));
            ASSERT_OK(ebm_model_grad_x(model, N, x, energy, grad_x));
            int64_t calls = memory.calls;
            ASSERT_OK(ebm_model_param_grad(model, N, x, x, energy, n_params, grad_theta));
            ASSERT_OK(ebm_model_grad_x(model, N, x, energy, grad_x));
            assert_int_equal(memory.calls, calls);
            free(x);
            free(grad_x);
            free(grad_theta);
        } else {
            assert_null(model);
        }
        ebm_model_destroy(model);
        assert_int_equal(status, whole ? EBM_OK : EBM_ERR_NOMEM);
        assert_int_equal(memory.live, live);
    }
    ebm_context_destroy(context);
    assert_int_equal(memory.live, 0);
}

static void test_out_of_memory(void **state) {
    (void)state;
    for (int k = 0; k < EVERY; k++) {
        run_out_of_memory(every[k], false);
        run_out_of_memory(every[k], true);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_outputs_may_be_null),
        cmocka_unit_test(test_theta_is_the_argument),
        cmocka_unit_test(test_same_bits_on_any_number_of_threads),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

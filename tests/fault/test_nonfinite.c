/* SPDX-License-Identifier: MIT */
/*
 * Values that are not finite, and outputs that are not written: kernels x {NaN, +infinity, -infinity} x {energy,
 * grad_x, grad_theta} x {model calls, sampler, trainer}. Exact kernels reject +infinity and count it; nothing is mended
 * in silence.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "test_models.h"

enum { DIM = 3, CHAINS = 6, PARAMS = 2 * DIM, ROWS = 10, LAST_ROW = ROWS - 1 };

typedef struct fixture {
    test_host host;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    float data[ROWS * DIM];
} fixture;

static void setup(fixture *f, int32_t kernel) {
    *f = (fixture){0};
    f->model = test_model_create(NULL, DIM, 0, &f->host);
    assert_ok(ebm_sampler_create(NULL, f->model, CHAINS, 5, &f->sampler));
    assert_ok(ebm_sampler_set_kernel(f->sampler, kernel));
    assert_ok(ebm_trainer_create(NULL, f->model, f->sampler, &f->trainer));
    assert_ok(ebm_trainer_set_mcmc_steps(f->trainer, 2));
    test_fill(ROWS * DIM, f->data);
}

static void teardown(fixture *f) {
    ebm_trainer_destroy(f->trainer);
    ebm_sampler_destroy(f->sampler);
    ebm_model_destroy(f->model);
}

static const double VALUES[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
static const char *const NAMES[] = {"NaN", "+infinity", "-infinity"};
enum { N_VALUES = 3 };
static const int32_t KERNELS[] = {EBM_KERNEL_LANGEVIN, EBM_KERNEL_MALA};
/* What rejects +infinity as an energy, and what cannot. */
static const int32_t EXACT[] = {EBM_KERNEL_MALA, EBM_KERNEL_HMC, EBM_KERNEL_RANDOM_WALK,
                                EBM_KERNEL_UNDERDAMPED_ADJUSTED, EBM_KERNEL_NUTS};
static const int32_t INEXACT[] = {EBM_KERNEL_LANGEVIN, EBM_KERNEL_UNDERDAMPED};
enum { N_EXACT = sizeof EXACT / sizeof EXACT[0], N_INEXACT = sizeof INEXACT / sizeof INEXACT[0] };

static void spoil(fixture *f, int counted, int output, double value) {
    test_host_arm(&f->host, counted, -1);
    f->host.spoil = output;
    f->host.value = value;
}

static void heal(fixture *f) {
    test_host_arm(&f->host, 0, 0);
    f->host.spoil = OUT_NONE;
    f->host.skip = OUT_NONE;
}

/* What is wrong, of what value, in which row. */
static void assert_named(const char *output, const char *value, int row) {
    char text[32];
    assert_message(output);
    assert_message(value);
    if (row >= 0) {
        snprintf(text, sizeof text, "row %d", row);
        assert_message(text);
    }
}

static void test_model_calls(void **state) {
    (void)state;
    for (int v = 0; v < N_VALUES; v++) {
        fixture f;
        double energy[ROWS];
        float grad[ROWS * DIM];
        const float weight[ROWS] = {1, 1, 1};
        bool allowed = VALUES[v] == (double)INFINITY;
        setup(&f, EBM_KERNEL_LANGEVIN);

        spoil(&f, CALL_ENERGY, OUT_ENERGY, VALUES[v]);
        assert_status(ebm_model_energy(f.model, ROWS, f.data, energy), allowed ? EBM_OK : EBM_ERR_NONFINITE);
        assert_true(!allowed || (isinf(energy[LAST_ROW]) && isfinite(energy[0])));
        assert_status(ebm_model_grad_x(f.model, ROWS, f.data, energy, grad), allowed ? EBM_OK : EBM_ERR_NONFINITE);
        if (allowed) { /* zeros where x is impossible */
            assert_true(grad[LAST_ROW * DIM] == 0 && grad[LAST_ROW * DIM + DIM - 1] == 0 && grad[0] != 0);
        } else {
            assert_named("energy", NAMES[v], LAST_ROW);
        }
        assert_status(ebm_model_check_gradients(f.model, ROWS, f.data, NULL, NULL), EBM_ERR_NONFINITE);

        spoil(&f, CALL_ENERGY, OUT_GRAD_X, VALUES[v]);
        assert_status(ebm_model_grad_x(f.model, ROWS, f.data, energy, grad), EBM_ERR_NONFINITE);
        assert_named("grad_x", NAMES[v], LAST_ROW);
        assert_status(ebm_model_grad_x(f.model, ROWS, f.data, NULL, grad), EBM_ERR_NONFINITE);
        assert_status(ebm_model_check_gradients(f.model, ROWS, f.data, NULL, NULL), EBM_ERR_NONFINITE);

        spoil(&f, CALL_PARAM_GRAD, OUT_ENERGY, VALUES[v]);
        assert_status(ebm_model_param_grad(f.model, ROWS, f.data, weight, energy, PARAMS, grad), EBM_ERR_NONFINITE);
        assert_named("param_grad callback gave an energy", NAMES[v], LAST_ROW);
        spoil(&f, CALL_PARAM_GRAD, OUT_GRAD_THETA, VALUES[v]);
        assert_status(ebm_model_param_grad(f.model, ROWS, f.data, weight, NULL, PARAMS, grad), EBM_ERR_NONFINITE);
        assert_named("element 2 of tensor 'mean'", NAMES[v], -1);

        spoil(&f, CALL_INIT, OUT_GRAD_THETA, VALUES[v]);
        assert_status(ebm_model_init_params(f.model, 1), EBM_ERR_NONFINITE);
        assert_named("element 2 of tensor 'mean'", NAMES[v], -1);

        heal(&f);
        assert_ok(ebm_model_param_grad(f.model, ROWS, f.data, weight, energy, PARAMS, grad));
        teardown(&f);
    }
}

/* An energy of NaN or -infinity, and any bad gradient, end a run; +infinity ends it only where the kernel cannot reject
 * it. */
static void test_sampler(void **state) {
    (void)state;
    for (int c = 0; c < 2 * 2 * N_VALUES; c++) {
        fixture f;
        int32_t kernel = KERNELS[c % 2];
        int output = c / 2 % 2 == 0 ? OUT_ENERGY : OUT_GRAD_X;
        int v = c / 4;
        float before[CHAINS * DIM];
        float after[CHAINS * DIM];
        int64_t steps;
        int64_t count;
        setup(&f, kernel);
        assert_ok(ebm_sampler_run(f.sampler, 2));
        assert_ok(ebm_sampler_get_states(f.sampler, CHAINS, before));
        test_host_arm(&f.host, CALL_ENERGY, 2); /* not at MALA's look at where the chains stand */
        f.host.spoil = output;
        f.host.value = VALUES[v];
        bool rejected = kernel == EBM_KERNEL_MALA && output == OUT_ENERGY && VALUES[v] == (double)INFINITY;
        assert_status(ebm_sampler_run(f.sampler, 3), rejected ? EBM_OK : EBM_ERR_NONFINITE);
        assert_ok(ebm_sampler_get_nonfinite_count(f.sampler, &count));
        assert_int_equal(count, rejected ? 1 : 0);
        assert_ok(ebm_sampler_get_steps(f.sampler, &steps));
        assert_int_equal(steps, rejected ? 5 : kernel == EBM_KERNEL_MALA ? 2 : 3);
        if (!rejected) {
            assert_named(output == OUT_ENERGY ? "energy callback" : "grad_x", NAMES[v], CHAINS - 1);
            assert_message("Markov step ");
        }
        assert_ok(ebm_sampler_get_states(f.sampler, CHAINS, after));
        if (kernel == EBM_KERNEL_MALA && !rejected) {
            assert_memory_equal(after, before, sizeof before);
        }
        heal(&f);
        assert_ok(ebm_sampler_run(f.sampler, 3));
        teardown(&f);
    }
}

/*
 * The half-line x > 0 as an energy: exact kernels never cross, count what they reject, and the others say that they
 * cannot.
 */
static int32_t half_line(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                         void *user_data) {
    (void)theta;
    (void)user_data;
    for (int64_t i = 0; i < n * dim; i++) {
        if (energy != NULL) {
            energy[i] = x[i] > 0 ? (double)x[i] : (double)INFINITY;
        }
        if (grad_x != NULL) {
            grad_x[i] = x[i] > 0 ? 1 : NAN; /* ignored */
        }
    }
    return EBM_CB_OK;
}

static ebm_sampler *half_line_sampler(int64_t n, float *x) {
    ebm_model *model = NULL;
    ebm_sampler *sampler = NULL;
    assert_ok(ebm_model_create(NULL, 1, half_line, NULL, NULL, &model));
    assert_ok(ebm_sampler_create(NULL, model, n, 3, &sampler));
    ebm_model_destroy(model);
    for (int64_t i = 0; i < n; i++) {
        x[i] = i < n - 1 ? 0.1F : -1.0F; /* one stands where it may not: it comes in when it can */
    }
    assert_ok(ebm_sampler_set_step_size(sampler, 0.5));
    assert_ok(ebm_sampler_set_states(sampler, n, x));
    return sampler;
}

static void test_impossible_region(void **state) {
    enum { N = 50 };
    float x[N];
    (void)state;
    for (int k = 0; k < N_EXACT; k++) {
        int64_t count;
        double acceptance;
        ebm_sampler *sampler = half_line_sampler(N, x);
        assert_ok(ebm_sampler_set_kernel(sampler, EXACT[k]));
        assert_ok(ebm_sampler_run(sampler, 600));
        assert_ok(ebm_sampler_get_states(sampler, N, x));
        for (int i = 0; i < N; i++) {
            assert_true(x[i] > 0);
        }
        assert_ok(ebm_sampler_get_nonfinite_count(sampler, &count));
        assert_ok(ebm_sampler_get_acceptance(sampler, &acceptance));
        /* Rejections are either of +infinity or of Metropolis. NUTS only ends a trajectory there. */
        assert_true(count > 0 && (EXACT[k] == EBM_KERNEL_NUTS || (double)count <= (1 - acceptance) * 600 * N + 0.5));
        ebm_sampler_destroy(sampler);
    }
    for (int k = 0; k < N_INEXACT; k++) {
        ebm_sampler *sampler = half_line_sampler(N - 1, x);
        assert_ok(ebm_sampler_set_kernel(sampler, INEXACT[k]));
        x[N - 2] = 0.1F;
        assert_ok(ebm_sampler_set_states(sampler, N - 1, x));
        assert_status(ebm_sampler_run(sampler, 200), EBM_ERR_NONFINITE);
        assert_message("+infinity");
        ebm_sampler_destroy(sampler);
    }
}

/* E = exp(x^2 / 2): finite in double far beyond where its gradient is in float. */
static int32_t steep(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                     void *user_data) {
    (void)theta;
    (void)user_data;
    for (int64_t i = 0; i < n * dim; i++) {
        double e = exp(fmin((double)x[i] * (double)x[i] / 2, 700));
        if (energy != NULL) {
            energy[i] = e;
        }
        if (grad_x != NULL) {
            grad_x[i] = (float)(e * (double)x[i]);
        }
    }
    return EBM_CB_OK;
}

/* Such a proposal would never be accepted: it is rejected, and counted; who cannot reject says what it saw. */
static void test_gradients_overflow(void **state) {
    enum { N = 200 };
    (void)state;
    for (int k = 0; k < N_EXACT + N_INEXACT; k++) {
        ebm_model *model = NULL;
        ebm_sampler *sampler = NULL;
        int64_t impossible;
        float x[N];
        assert_ok(ebm_model_create(NULL, 1, steep, NULL, NULL, &model));
        assert_ok(ebm_sampler_create(NULL, model, N, 3, &sampler));
        assert_ok(ebm_sampler_set_kernel(sampler, k < N_EXACT ? EXACT[k] : INEXACT[k - N_EXACT]));
        assert_ok(ebm_sampler_set_step_size(sampler, 20));
        assert_status(ebm_sampler_run(sampler, 20), k < N_EXACT ? EBM_OK : EBM_ERR_NONFINITE);
        assert_ok(ebm_sampler_get_nonfinite_count(sampler, &impossible));
        if (k >= N_EXACT) {
            assert_message("infinity in grad_x");
        } else if (EXACT[k] != EBM_KERNEL_RANDOM_WALK) { /* which has no gradients */
            assert_true(impossible > 0);
        }
        assert_ok(ebm_sampler_get_states(sampler, N, x));
        for (int i = 0; i < N && k < N_EXACT; i++) {
            assert_true(fabsf(x[i]) < 10);
        }
        ebm_sampler_destroy(sampler);
        ebm_model_destroy(model);
    }
}

/* A step size that throws chains out of the floats. */
static void test_states_overflow(void **state) {
    (void)state;
    for (int order = 0; order < 2; order++) {
        fixture f;
        setup(&f, EBM_KERNEL_LANGEVIN);
        assert_ok(ebm_sampler_set_step_size(f.sampler, 1e30));
        assert_ok(ebm_sampler_set_noise_order(f.sampler, order));
        assert_status(ebm_sampler_run(f.sampler, 100), EBM_ERR_NONFINITE);
        float x[CHAINS * DIM];
        assert_ok(ebm_sampler_get_states(f.sampler, CHAINS, x));
        for (int i = 0; i < CHAINS * DIM; i++) {
            assert_true(isfinite(x[i]));
        }
        assert_ok(ebm_sampler_set_kernel(f.sampler, EBM_KERNEL_MALA));
        assert_ok(ebm_sampler_set_noise_order(f.sampler, EBM_NOISE_WITH_GRADIENT));
        assert_ok(ebm_sampler_set_step_size(f.sampler, 1e38));
        assert_ok(ebm_sampler_restart(f.sampler));
        assert_ok(ebm_model_init_params(f.model, 0)); /* a gradient of x, which is a float wherever x is */
        double acceptance;
        assert_ok(ebm_sampler_run(f.sampler, 10)); /* proposals as far out as floats go, and beyond, are rejected */
        assert_ok(ebm_sampler_get_acceptance(f.sampler, &acceptance));
        assert_true(acceptance == 0);
        teardown(&f);
    }
}

static void test_trainer(void **state) {
    static const struct {
        int call, output;
    } places[] = {{CALL_ENERGY, OUT_ENERGY}, {CALL_ENERGY, OUT_GRAD_X}, {CALL_PARAM_GRAD, OUT_ENERGY},
                  {CALL_PARAM_GRAD, OUT_GRAD_THETA}};
    (void)state;
    for (int c = 0; c < 2 * 4 * N_VALUES; c++) {
        fixture f;
        float before[PARAMS];
        float after[PARAMS];
        float grad[PARAMS];
        int64_t steps;
        int v = c / 8;
        setup(&f, KERNELS[c % 2]);
        assert_ok(ebm_trainer_step(f.trainer, ROWS, f.data));
        assert_ok(ebm_model_get_params(f.model, PARAMS, before));
        spoil(&f, places[c / 2 % 4].call, places[c / 2 % 4].output, VALUES[v]);
        assert_status(ebm_trainer_step(f.trainer, ROWS, f.data), EBM_ERR_DIVERGED);
        assert_message("training step 2 diverged");
        assert_message(NAMES[v]);
        assert_status(ebm_trainer_fit(f.trainer, ROWS, f.data, 1), EBM_ERR_DIVERGED);
        /* A gradient alone does not look at what the next parameters would do, but +infinity at MALA's proposals is no
         * error. */
        ebm_status status = ebm_trainer_gradient(f.trainer, ROWS, f.data, PARAMS, grad);
        bool harmless = c % 2 == 1 && c / 2 % 4 == 0 && VALUES[v] == (double)INFINITY;
        assert_int_equal(status, harmless ? EBM_OK : EBM_ERR_DIVERGED);
        assert_ok(ebm_model_get_params(f.model, PARAMS, after));
        assert_memory_equal(after, before, sizeof before);
        assert_ok(ebm_trainer_get_steps(f.trainer, &steps));
        assert_int_equal(steps, 1);
        heal(&f);
        assert_ok(ebm_trainer_step(f.trainer, ROWS, f.data));
        teardown(&f);
    }
}

/* What a callback does not write is found, whole or half, and named; its NaNs are never taken for values. */
static void test_unwritten(void **state) {
    (void)state;
    for (int c = 0; c < 4; c++) {
        fixture f;
        double energy[ROWS];
        float grad[ROWS * DIM];
        const float weight[ROWS] = {1};
        int half = c % 2;
        setup(&f, KERNELS[c / 2]);
        test_host_arm(&f.host, CALL_ENERGY | CALL_PARAM_GRAD | CALL_INIT, -1);
        f.host.skip_half = half;

        f.host.skip = OUT_ENERGY;
        assert_status(ebm_model_energy(f.model, ROWS, f.data, energy), EBM_ERR_CALLBACK);
        assert_named("energy callback did not write the energy", "ebm_model_energy", half ? ROWS / 2 : 0);
        assert_status(ebm_sampler_run(f.sampler, 1), EBM_ERR_CALLBACK);
        assert_status(ebm_model_param_grad(f.model, ROWS, f.data, weight, energy, PARAMS, grad), EBM_ERR_CALLBACK);
        assert_named("param_grad callback did not write the energy", "ebm_model_param_grad", half ? ROWS / 2 : 0);

        f.host.skip = OUT_GRAD_X;
        assert_status(ebm_model_grad_x(f.model, ROWS, f.data, NULL, grad), EBM_ERR_CALLBACK);
        assert_named("energy callback did not write grad_x", "ebm_model_grad_x", half ? ROWS / 2 : 0);
        assert_status(ebm_sampler_run(f.sampler, 1), EBM_ERR_CALLBACK);
        assert_status(ebm_trainer_step(f.trainer, ROWS, f.data), EBM_ERR_CALLBACK);

        f.host.skip = OUT_GRAD_THETA;
        assert_status(ebm_model_param_grad(f.model, ROWS, f.data, weight, NULL, PARAMS, grad), EBM_ERR_CALLBACK);
        assert_message(half ? "element 0 of tensor 'mean'" : "element 0 of tensor 'scale'");
        assert_status(ebm_trainer_step(f.trainer, ROWS, f.data), EBM_ERR_CALLBACK);
        assert_message("param_grad callback did not write");
        assert_status(ebm_model_init_params(f.model, 1), EBM_ERR_CALLBACK);
        assert_message("init callback did not write");

        heal(&f);
        assert_ok(ebm_trainer_step(f.trainer, ROWS, f.data));
        teardown(&f);
    }
}

/* With log-densities the signs turn: -infinity says impossible, +infinity is an error. Unwritten outputs are found as
 * before. */
static void test_log_density(void **state) {
    fixture f;
    double energy[ROWS];
    double plain[ROWS];
    float grad[ROWS * DIM];
    float plain_grad[ROWS * DIM];
    (void)state;
    setup(&f, EBM_KERNEL_MALA);
    assert_ok(ebm_model_grad_x(f.model, ROWS, f.data, plain, plain_grad));
    assert_ok(ebm_model_set_sign(f.model, EBM_SIGN_LOG_DENSITY));
    assert_ok(ebm_model_grad_x(f.model, ROWS, f.data, energy, grad));
    assert_true(energy[1] == -plain[1] && grad[1] == -plain_grad[1]);
    spoil(&f, CALL_ENERGY, OUT_ENERGY, -(double)INFINITY);
    assert_ok(ebm_model_grad_x(f.model, ROWS, f.data, energy, grad));
    assert_true(isinf(energy[LAST_ROW]) && energy[LAST_ROW] > 0 && grad[LAST_ROW * DIM] == 0);
    assert_ok(ebm_sampler_run(f.sampler, 3));
    spoil(&f, CALL_ENERGY, OUT_ENERGY, (double)INFINITY);
    assert_status(ebm_model_energy(f.model, ROWS, f.data, energy), EBM_ERR_NONFINITE);
    f.host.spoil = OUT_NONE;
    f.host.skip = OUT_ENERGY;
    assert_status(ebm_model_energy(f.model, ROWS, f.data, energy), EBM_ERR_CALLBACK);
    assert_message("did not write");
    teardown(&f);
}

/* States, batches, parameters and weights that are not finite are refused before anything is called. */
static void test_arguments(void **state) {
    (void)state;
    for (int v = 0; v < N_VALUES; v++) {
        fixture f;
        double energy[ROWS];
        float grad[ROWS * DIM];
        float weight[ROWS] = {0};
        float theta[PARAMS] = {1, 1, 1, 0, 0, 0};
        ebm_model *gaussian = NULL;
        setup(&f, EBM_KERNEL_MALA);
        f.data[7 * DIM + 1] = (float)VALUES[v];
        test_host_arm(&f.host, CALL_ENERGY | CALL_PARAM_GRAD, 0);
        assert_status(ebm_model_energy(f.model, ROWS, f.data, energy), EBM_ERR_ARG);
        assert_message("row 7, column 1");
        assert_message(NAMES[v]);
        assert_status(ebm_model_grad_x(f.model, ROWS, f.data, energy, grad), EBM_ERR_ARG);
        assert_status(ebm_model_param_grad(f.model, ROWS, f.data, weight, energy, PARAMS, grad), EBM_ERR_ARG);
        assert_status(ebm_model_check_gradients(f.model, ROWS, f.data, energy, energy), EBM_ERR_ARG);
        assert_status(ebm_trainer_step(f.trainer, ROWS, f.data), EBM_ERR_ARG);
        assert_message("ebm_trainer_step: x is ");
        assert_status(ebm_trainer_fit(f.trainer, ROWS, f.data, 1), EBM_ERR_ARG);
        assert_status(ebm_trainer_gradient(f.trainer, ROWS, f.data, PARAMS, grad), EBM_ERR_ARG);
        f.data[1] = (float)VALUES[v];
        assert_status(ebm_sampler_set_states(f.sampler, CHAINS, f.data), EBM_ERR_ARG);
        weight[2] = (float)VALUES[v];
        assert_status(ebm_model_param_grad(f.model, 1, f.data + DIM, weight + 2, energy, PARAMS, grad), EBM_ERR_ARG);
        theta[4] = (float)VALUES[v];
        assert_status(ebm_model_set_params(f.model, PARAMS, theta), EBM_ERR_ARG);
        assert_message("column 4");
        assert_status(ebm_model_set_tensor(f.model, "mean", DIM, theta + DIM), EBM_ERR_ARG);
        assert_status(ebm_gaussian_create(NULL, 2, theta + 3, NULL, &gaussian), EBM_ERR_ARG);
        assert_status(ebm_double_well_create(NULL, 2, VALUES[v], &gaussian), EBM_ERR_ARG);
        assert_null(gaussian);
        assert_int_equal(atomic_load(&f.host.calls), 0);
        teardown(&f);
    }
}

/* A learning rate that explodes: the last good parameters are in place, finite, and training can go on from them. */
static void test_explosion(void **state) {
    static const int32_t optimizers[] = {EBM_OPT_SGD, EBM_OPT_ADAM, EBM_OPT_ADAMW};
    (void)state;
    for (int c = 0; c < 6; c++) {
        fixture f;
        float before[PARAMS];
        float after[PARAMS];
        double energy[ROWS];
        int64_t done = 0;
        ebm_status status = EBM_OK;
        setup(&f, KERNELS[c % 2]);
        assert_ok(ebm_trainer_set_optimizer(f.trainer, optimizers[c / 2]));
        assert_ok(ebm_trainer_set_learning_rate(f.trainer, 3e37));
        assert_ok(ebm_trainer_set_average(f.trainer, 0.9));
        while (status == EBM_OK && done < 500) {
            assert_ok(ebm_model_get_params(f.model, PARAMS, before));
            status = ebm_trainer_step(f.trainer, ROWS, f.data);
            done += status == EBM_OK;
        }
        assert_status(status, EBM_ERR_DIVERGED);
        assert_ok(ebm_model_get_params(f.model, PARAMS, after));
        assert_memory_equal(after, before, sizeof before);
        assert_ok(ebm_model_energy(f.model, ROWS, f.data, energy));
        assert_ok(ebm_trainer_set_learning_rate(f.trainer, 1e-3));
        assert_ok(ebm_model_init_params(f.model, 0));
        assert_ok(ebm_sampler_restart(f.sampler));
        assert_ok(ebm_trainer_step(f.trainer, ROWS, f.data));
        teardown(&f);
    }
}

/* Adam's second moment must not become infinite in silence, as it would then hold its parameter fixed for ever. */
static int32_t steep_param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta,
                                double *energy, float *grad_theta, void *user_data) {
    int32_t answer = test_param_grad(n, dim, x, weight, theta, energy, grad_theta, user_data);
    if (grad_theta != NULL) {
        grad_theta[0] = 1e30F;
    }
    return answer;
}

static void test_moments(void **state) {
    test_host host = {0};
    const int64_t dim = DIM;
    ebm_model *model = NULL;
    ebm_sampler *sampler = NULL;
    ebm_trainer *trainer = NULL;
    float data[ROWS * DIM];
    (void)state;
    test_fill(ROWS * DIM, data);
    assert_ok(ebm_model_create(NULL, DIM, test_energy, steep_param_grad, &host, &model));
    assert_ok(ebm_model_add_tensor(model, "scale", 1, &dim));
    assert_ok(ebm_model_add_tensor(model, "mean", 1, &dim));
    assert_ok(ebm_sampler_create(NULL, model, CHAINS, 1, &sampler));
    assert_ok(ebm_trainer_create(NULL, model, sampler, &trainer));
    assert_status(ebm_trainer_step(trainer, ROWS, data), EBM_ERR_DIVERGED);
    assert_message("second moment");
    assert_ok(ebm_trainer_set_grad_clip(trainer, 1));
    assert_ok(ebm_trainer_step(trainer, ROWS, data));
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
}

/* Noise that would carry starts or data out of the floats is refused, or is divergence; it never reaches a callback. */
static void test_noise_overflow(void **state) {
    fixture f;
    (void)state;
    setup(&f, EBM_KERNEL_LANGEVIN);
    assert_status(ebm_sampler_set_noise_start(f.sampler, EBM_NOISE_NORMAL, 0, 3e38), EBM_ERR_ARG);
    assert_ok(ebm_trainer_set_data_noise(f.trainer, 3e38));
    test_host_arm(&f.host, CALL_ENERGY | CALL_PARAM_GRAD, 0);
    assert_status(ebm_trainer_step(f.trainer, ROWS, f.data), EBM_ERR_DIVERGED);
    assert_message("data with noise");
    assert_int_equal(atomic_load(&f.host.calls), 0);
    teardown(&f);
}

static void test_gap_limit(void **state) {
    fixture f;
    float before[PARAMS];
    float after[PARAMS];
    double gap;
    int64_t steps;
    (void)state;
    setup(&f, EBM_KERNEL_LANGEVIN);
    assert_ok(ebm_trainer_step(f.trainer, ROWS, f.data));
    assert_ok(ebm_trainer_get_gap(f.trainer, &gap));
    assert_ok(ebm_model_get_params(f.model, PARAMS, before));
    assert_ok(ebm_trainer_set_gap_limit(f.trainer, fabs(gap) / 100));
    assert_status(ebm_trainer_step(f.trainer, ROWS, f.data), EBM_ERR_DIVERGED);
    assert_message("the gap is ");
    assert_message("training step 2");
    assert_ok(ebm_model_get_params(f.model, PARAMS, after));
    assert_memory_equal(after, before, sizeof before);
    assert_ok(ebm_trainer_get_steps(f.trainer, &steps));
    assert_int_equal(steps, 1);
    assert_ok(ebm_trainer_set_gap_limit(f.trainer, (double)INFINITY));
    assert_ok(ebm_trainer_step(f.trainer, ROWS, f.data));
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_calls), cmocka_unit_test(test_sampler), cmocka_unit_test(test_impossible_region),
        cmocka_unit_test(test_gradients_overflow),
        cmocka_unit_test(test_states_overflow), cmocka_unit_test(test_trainer), cmocka_unit_test(test_unwritten),
        cmocka_unit_test(test_log_density), cmocka_unit_test(test_arguments), cmocka_unit_test(test_explosion),
        cmocka_unit_test(test_moments), cmocka_unit_test(test_noise_overflow), cmocka_unit_test(test_gap_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

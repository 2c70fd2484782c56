/* SPDX-License-Identifier: MIT */
/*
 * A callback fails at its k-th call, for every k of a short run: the status is right, the message says which callback
 * and which step, all stands as before that step, and going on gives the same bits as a run that nothing disturbed.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "test_models.h"

enum { DIM = 3, FLOATS_MOST = 300 * DIM, PARAMS = 2 * DIM, STEPS = 4, ROWS = 20 };

/* How a callback fails, and what the library makes of it. */
static const struct {
    int32_t answer;
    ebm_status status;
} FAILURES[] = {
    {7, EBM_ERR_CALLBACK}, {-1, EBM_ERR_CALLBACK}, {EBM_CB_STOP, EBM_ERR_STOPPED}, {INT32_MIN, EBM_ERR_CALLBACK}};
enum { N_FAILURES = sizeof FAILURES / sizeof FAILURES[0] };

typedef struct setting {
    int32_t kernel, noise_order, start;
    int64_t n_chains, capacity;
    int32_t concurrent, n_threads;
} setting;

static const setting SETTINGS[] = {
    {EBM_KERNEL_LANGEVIN, EBM_NOISE_WITH_GRADIENT, EBM_START_PERSISTENT, 5, 0, 0, 1},
    {EBM_KERNEL_LANGEVIN, EBM_NOISE_BEFORE_GRADIENT, EBM_START_PERSISTENT, 5, 13, 0, 1},
    {EBM_KERNEL_LANGEVIN, EBM_NOISE_WITH_GRADIENT, EBM_START_DATA, 5, 0, 0, 1},
    {EBM_KERNEL_LANGEVIN, EBM_NOISE_BEFORE_GRADIENT, EBM_START_NOISE, 5, 0, 0, 1},
    {EBM_KERNEL_MALA, EBM_NOISE_WITH_GRADIENT, EBM_START_PERSISTENT, 5, 13, 0, 1},
    {EBM_KERNEL_MALA, EBM_NOISE_WITH_GRADIENT, EBM_START_DATA, 5, 0, 0, 1},
    {EBM_KERNEL_MALA, EBM_NOISE_WITH_GRADIENT, EBM_START_NOISE, 5, 0, 0, 1},
    {EBM_KERNEL_LANGEVIN, EBM_NOISE_WITH_GRADIENT, EBM_START_PERSISTENT, 300, 310, 1, 1},
    {EBM_KERNEL_LANGEVIN, EBM_NOISE_WITH_GRADIENT, EBM_START_PERSISTENT, 300, 0, 1, 2},
    {EBM_KERNEL_MALA, EBM_NOISE_WITH_GRADIENT, EBM_START_PERSISTENT, 300, 310, 1, 2},
    {EBM_KERNEL_HMC, EBM_NOISE_WITH_GRADIENT, EBM_START_PERSISTENT, 5, 13, 0, 1},
    {EBM_KERNEL_RANDOM_WALK, EBM_NOISE_WITH_GRADIENT, EBM_START_PERSISTENT, 5, 0, 0, 1},
    {EBM_KERNEL_UNDERDAMPED, EBM_NOISE_WITH_GRADIENT, EBM_START_PERSISTENT, 5, 0, 0, 1},
    {EBM_KERNEL_UNDERDAMPED, EBM_NOISE_WITH_GRADIENT, EBM_START_DATA, 5, 0, 0, 1},
    {EBM_KERNEL_UNDERDAMPED_ADJUSTED, EBM_NOISE_WITH_GRADIENT, EBM_START_PERSISTENT, 5, 0, 0, 1},
    {EBM_KERNEL_NUTS, EBM_NOISE_WITH_GRADIENT, EBM_START_PERSISTENT, 5, 0, 0, 1},
};
enum { N_SETTINGS = sizeof SETTINGS / sizeof SETTINGS[0] };

typedef struct fixture {
    const setting *setting;
    test_host host;
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    float data[ROWS * DIM];
} fixture;

static void setup(fixture *f, const setting *s) {
    *f = (fixture){.setting = s};
    assert_ok(ebm_context_create(&f->context));
    assert_ok(ebm_context_set_threads(f->context, s->n_threads));
    f->model = test_model_create(f->context, DIM, s->concurrent, &f->host);
    assert_ok(ebm_sampler_create(NULL, f->model, s->n_chains, 11, &f->sampler));
    assert_ok(ebm_sampler_set_kernel(f->sampler, s->kernel));
    assert_ok(ebm_sampler_set_noise_order(f->sampler, s->noise_order));
    assert_ok(ebm_sampler_set_start(f->sampler, s->start));
    /* Underdamped chains go on with their momenta where none is started anew. */
    bool keeps = s->kernel == EBM_KERNEL_UNDERDAMPED || s->kernel == EBM_KERNEL_UNDERDAMPED_ADJUSTED;
    assert_ok(ebm_sampler_set_buffer(f->sampler, s->capacity, s->start == EBM_START_PERSISTENT && !keeps ? 0.2 : 0));
    assert_ok(ebm_sampler_set_step_size(f->sampler, 0.3));
    assert_ok(ebm_sampler_set_bounds(f->sampler, -2, 2, EBM_BOUNDS_REFLECT));
    assert_ok(ebm_trainer_create(NULL, f->model, f->sampler, &f->trainer));
    assert_ok(ebm_trainer_set_mcmc_steps(f->trainer, 2));
    assert_ok(ebm_trainer_set_learning_rate(f->trainer, 0.05));
    assert_ok(ebm_trainer_set_average(f->trainer, 0.5));
    assert_ok(ebm_trainer_set_energy_penalty(f->trainer, 0.01));
    assert_ok(ebm_trainer_set_data_noise(f->trainer, 0.1));
    test_fill(ROWS * DIM, f->data);
}

static void teardown(fixture *f) {
    ebm_trainer_destroy(f->trainer);
    ebm_sampler_destroy(f->sampler);
    ebm_model_destroy(f->model);
    ebm_context_destroy(f->context);
}

static void get_states(const fixture *f, float *x) {
    assert_ok(ebm_sampler_get_states(f->sampler, f->setting->n_chains, x));
}

static void assert_states(const fixture *f, const float *expected) {
    static float x[FLOATS_MOST];
    get_states(f, x);
    assert_memory_equal(x, expected, (size_t)(f->setting->n_chains * DIM) * sizeof *x);
}

static void assert_params(const fixture *f, const float *expected) {
    float theta[PARAMS];
    assert_ok(ebm_model_get_params(f->model, PARAMS, theta));
    assert_memory_equal(theta, expected, sizeof theta);
}

/* Which step the message must name; in which callback. */
static void assert_place(const fixture *f, const char *function, const char *kind, int64_t step) {
    char text[64];
    int which = atomic_load(&f->host.last_call);
    assert_message(function);
    assert_message(which == CALL_ENERGY ? "energy callback" : "param_grad callback");
    assert_message("for rows ");
    snprintf(text, sizeof text, "%s step %lld", kind, (long long)step);
    assert_message(text);
}

static int count_calls(const test_host *host) {
    return atomic_load(&host->calls);
}

/* The states after 0 .. STEPS steps that nothing disturbs. Returns the number of callback calls that one run takes. */
static int undisturbed_chains(const setting *s, float (*states)[FLOATS_MOST]) {
    fixture f;
    setup(&f, s);
    get_states(&f, states[0]);
    for (int i = 1; i <= STEPS; i++) {
        assert_ok(ebm_sampler_run(f.sampler, 1));
        get_states(&f, states[i]);
    }
    teardown(&f);
    setup(&f, s);
    test_host_arm(&f.host, CALL_ENERGY, 0);
    assert_ok(ebm_sampler_run(f.sampler, STEPS));
    assert_states(&f, states[STEPS]);
    int calls = count_calls(&f.host);
    teardown(&f);
    return calls;
}

static void fail_in_run(const setting *s, int failure, int k, float (*states)[FLOATS_MOST]) {
    fixture f;
    int64_t done = -1;
    setup(&f, s);
    test_host_arm(&f.host, CALL_ENERGY, k);
    f.host.answer = FAILURES[failure].answer;
    assert_status(ebm_sampler_run(f.sampler, STEPS), FAILURES[failure].status);
    assert_ok(ebm_sampler_get_steps(f.sampler, &done));
    assert_in_range(done, 0, STEPS - 1);
    assert_place(&f, "ebm_sampler_run", "Markov", done + 1);
    assert_states(&f, states[done]);
    assert_ok(ebm_sampler_run(f.sampler, STEPS - done));
    assert_states(&f, states[STEPS]);
    teardown(&f);
}

static void test_sampler_run(void **state) {
    static float states[STEPS + 1][FLOATS_MOST];
    (void)state;
    for (int i = 0; i < N_SETTINGS; i++) {
        setting s = SETTINGS[i];
        if (s.start == EBM_START_DATA) { /* nothing to start from without a trainer */
            continue;
        }
        int calls = undisturbed_chains(&s, states);
        assert_true(calls >= STEPS);
        for (int k = 1; k <= calls; k++) {
            fail_in_run(&s, k % N_FAILURES, k, states);
        }
    }
}

/* draw: the draws that were made before the failure are there, and nothing behind them has been touched. */
static void test_sampler_draw(void **state) {
    (void)state;
    enum { CHAINS = 5, DRAWS = 3, THIN = 2 };
    float whole[DRAWS * CHAINS * DIM];
    for (int k = 0; k <= DRAWS * THIN; k++) {
        fixture f;
        float out[DRAWS * CHAINS * DIM];
        setup(&f, &SETTINGS[0]);
        for (int i = 0; i < DRAWS * CHAINS * DIM; i++) {
            out[i] = 77;
        }
        test_host_arm(&f.host, CALL_ENERGY, k);
        f.host.answer = 7;
        assert_status(ebm_sampler_draw(f.sampler, DRAWS, THIN, k == 0 ? whole : out),
                      k == 0 ? EBM_OK : EBM_ERR_CALLBACK);
        int made = k == 0 ? 0 : (k - 1) / THIN * CHAINS * DIM;
        assert_memory_equal(out, whole, (size_t)made * sizeof *out);
        for (int i = made; i < DRAWS * CHAINS * DIM; i++) {
            assert_true(out[i] == 77);
        }
        teardown(&f);
    }
}

/* --- the trainer
 * ------------------------------------------------------------------------------------------------------ */

typedef struct trace {
    float params[STEPS + 1][PARAMS];
    float average[STEPS + 1][PARAMS];
    float states[STEPS + 1][FLOATS_MOST];
    int calls;
} trace;

static void note(const fixture *f, trace *t, int step) {
    assert_ok(ebm_model_get_params(f->model, PARAMS, t->params[step]));
    if (step > 0) {
        assert_ok(ebm_trainer_get_average_params(f->trainer, PARAMS, t->average[step]));
        get_states(f, t->states[step]);
    }
}

static void undisturbed_training(const setting *s, trace *t) {
    fixture f;
    setup(&f, s);
    test_host_arm(&f.host, CALL_ENERGY | CALL_PARAM_GRAD, 0);
    note(&f, t, 0);
    for (int i = 1; i <= STEPS; i++) {
        assert_ok(ebm_trainer_step(f.trainer, ROWS - i, f.data));
        note(&f, t, i);
    }
    t->calls = count_calls(&f.host);
    teardown(&f);
}

static void assert_as_after(const fixture *f, const trace *t, int64_t done) {
    float average[PARAMS];
    int64_t steps = -1;
    assert_ok(ebm_trainer_get_steps(f->trainer, &steps));
    assert_int_equal(steps, done);
    assert_params(f, t->params[done]);
    if (done == 0) {
        double gap;
        assert_status(ebm_trainer_get_average_params(f->trainer, PARAMS, average), EBM_ERR_STATE);
        assert_status(ebm_trainer_get_gap(f->trainer, &gap), EBM_ERR_STATE);
        return; /* reading the states would start the chains */
    }
    assert_ok(ebm_trainer_get_average_params(f->trainer, PARAMS, average));
    assert_memory_equal(average, t->average[done], sizeof average);
    assert_states(f, t->states[done]);
}

static void fail_in_step(const setting *s, int failure, int k, const trace *t) {
    fixture f;
    int64_t done = 0;
    ebm_status status = EBM_OK;
    setup(&f, s);
    test_host_arm(&f.host, CALL_ENERGY | CALL_PARAM_GRAD, k);
    f.host.answer = FAILURES[failure].answer;
    while (done < STEPS && status == EBM_OK) {
        status = ebm_trainer_step(f.trainer, ROWS - done - 1, f.data);
        done += status == EBM_OK;
    }
    assert_status(status, FAILURES[failure].status);
    assert_place(&f, "ebm_trainer_step", "training", done + 1);
    assert_as_after(&f, t, done);
    for (; done < STEPS; done++) {
        assert_ok(ebm_trainer_step(f.trainer, ROWS - done - 1, f.data));
    }
    assert_as_after(&f, t, STEPS);
    teardown(&f);
}

static void test_trainer_step(void **state) {
    static trace t;
    (void)state;
    for (int i = 0; i < N_SETTINGS; i++) {
        undisturbed_training(&SETTINGS[i], &t);
        for (int k = 1; k <= t.calls; k++) {
            fail_in_step(&SETTINGS[i], k % N_FAILURES, k, &t);
        }
    }
}

/* gradient: the output is as it was, and the gradient is the same when asked again. */
static void test_trainer_gradient(void **state) {
    (void)state;
    float expected[PARAMS];
    int calls = 0;
    for (int k = 0; k <= calls; k++) {
        fixture f;
        float grad[PARAMS];
        setup(&f, &SETTINGS[4]);
        for (int i = 0; i < PARAMS; i++) {
            grad[i] = 77;
        }
        test_host_arm(&f.host, CALL_ENERGY | CALL_PARAM_GRAD, k);
        f.host.answer = 7;
        if (k == 0) {
            assert_ok(ebm_trainer_gradient(f.trainer, ROWS, f.data, PARAMS, expected));
            calls = count_calls(&f.host);
        } else {
            assert_status(ebm_trainer_gradient(f.trainer, ROWS, f.data, PARAMS, grad), EBM_ERR_CALLBACK);
            assert_place(&f, "ebm_trainer_gradient", "training", 1);
            for (int i = 0; i < PARAMS; i++) {
                assert_true(grad[i] == 77);
            }
            assert_ok(ebm_trainer_gradient(f.trainer, ROWS, f.data, PARAMS, grad));
            assert_memory_equal(grad, expected, sizeof grad);
        }
        teardown(&f);
    }
}

typedef struct watch {
    const fixture *f;
    float params[16][PARAMS];
    int32_t answer; /* at the third step */
} watch;

static int32_t look(const ebm_trainer *trainer, void *data) {
    watch *w = data;
    int64_t steps;
    assert_ok(ebm_trainer_get_steps(trainer, &steps));
    assert_ok(ebm_model_get_params(w->f->model, PARAMS, w->params[steps]));
    return steps == 3 ? w->answer : EBM_CB_OK;
}

/* fit: the steps before the failure are kept, and only those. */
static void test_trainer_fit(void **state) {
    static watch w;
    (void)state;
    int calls = 0;
    for (int k = 0; k <= calls; k++) {
        fixture f;
        setup(&f, &SETTINGS[1]);
        assert_ok(ebm_trainer_set_batch_size(f.trainer, 8));
        w.f = &f;
        test_host_arm(&f.host, CALL_ENERGY | CALL_PARAM_GRAD, k);
        f.host.answer = FAILURES[k % N_FAILURES].answer;
        if (k == 0) {
            assert_ok(ebm_model_get_params(f.model, PARAMS, w.params[0]));
            assert_ok(ebm_trainer_set_progress(f.trainer, look, &w, 1));
            assert_ok(ebm_trainer_fit(f.trainer, ROWS, f.data, 2));
            calls = count_calls(&f.host);
        } else {
            int64_t steps;
            assert_status(ebm_trainer_fit(f.trainer, ROWS, f.data, 2), FAILURES[k % N_FAILURES].status);
            assert_ok(ebm_trainer_get_steps(f.trainer, &steps));
            assert_in_range(steps, 0, 5);
            assert_place(&f, "ebm_trainer_fit", "training", steps + 1);
            assert_params(&f, w.params[steps]);
        }
        teardown(&f);
    }
}

/* The progress callback looks between two steps: the step before it counts. */
static void test_progress(void **state) {
    static watch w;
    (void)state;
    for (int i = 0; i < N_FAILURES; i++) {
        fixture f;
        int64_t steps;
        setup(&f, &SETTINGS[0]);
        assert_ok(ebm_trainer_set_batch_size(f.trainer, 8));
        assert_ok(ebm_trainer_set_progress(f.trainer, look, &w, 1));
        w.f = &f;
        w.answer = FAILURES[i].answer;
        assert_status(ebm_trainer_fit(f.trainer, ROWS, f.data, 3), FAILURES[i].status);
        assert_message("ebm_trainer_fit: the progress callback");
        assert_message("step 3");
        assert_ok(ebm_trainer_get_steps(f.trainer, &steps));
        assert_int_equal(steps, 3);
        assert_params(&f, w.params[3]);
        assert_ok(ebm_trainer_fit(f.trainer, ROWS, f.data, 1));
        teardown(&f);
    }
}

/* The model's own functions, and the rule for starting values. */
static void test_model_calls(void **state) {
    (void)state;
    for (int i = 0; i < N_FAILURES; i++) {
        fixture f;
        double energy[ROWS];
        float grad[ROWS * DIM];
        float weight[ROWS] = {1};
        ebm_status expected = FAILURES[i].status;
        setup(&f, &SETTINGS[0]);
        float before[PARAMS];
        assert_ok(ebm_model_get_params(f.model, PARAMS, before));
        f.host.answer = FAILURES[i].answer;
        test_host_arm(&f.host, CALL_ENERGY | CALL_PARAM_GRAD | CALL_INIT, -1);
        assert_status(ebm_model_energy(f.model, ROWS, f.data, energy), expected);
        assert_message("ebm_model_energy: energy callback");
        assert_status(ebm_model_grad_x(f.model, ROWS, f.data, energy, grad), expected);
        assert_message("ebm_model_grad_x: energy callback");
        assert_status(ebm_model_param_grad(f.model, ROWS, f.data, weight, energy, PARAMS, grad), expected);
        assert_message("ebm_model_param_grad: param_grad callback");
        assert_status(ebm_model_check_gradients(f.model, ROWS, f.data, energy, energy), expected);
        assert_message("ebm_model_check_gradients: energy callback");
        assert_status(ebm_model_init_params(f.model, 1), expected);
        assert_message("ebm_model_init_params: init callback");
        assert_status(ebm_sampler_get_mean_energy(f.sampler, energy), expected);
        assert_message("ebm_sampler_get_mean_energy: energy callback");
        assert_params(&f, before);
        teardown(&f);
    }
}

/* --- the host's parallel-for
 * ------------------------------------------------------------------------------------------ */

typedef struct loop {
    int calls;        /* loops so far */
    int at;           /* the loop that goes wrong */
    int64_t left_out; /* tasks that it does not call */
    int64_t beyond;   /* where it calls one that is none, in place of the last; 0: nowhere */
    int32_t answer;
} loop;

static int32_t host_parallel_for(int64_t n_tasks, ebm_task_fn task, void *task_data, void *data) {
    loop *l = data;
    bool wrong = ++l->calls == l->at;
    for (int64_t i = 0; i < n_tasks - (wrong ? l->left_out : 0); i++) {
        task(wrong && l->beyond != 0 && i == n_tasks - 1 ? n_tasks - 1 + l->beyond : i, task_data);
    }
    return wrong ? l->answer : EBM_CB_OK;
}

/* It answers something else, or EBM_CB_OK although it has not called all tasks, as one that raised in Python does. */
static void test_parallel_for(void **state) {
    static const loop failures[] = {{.answer = 7},           {.left_out = 1}, {.left_out = 3},
                                    {.answer = EBM_CB_STOP}, {.beyond = 1},   {.beyond = -1000}};
    static float states[STEPS + 1][FLOATS_MOST];
    setting s = SETTINGS[7];
    (void)state;
    undisturbed_chains(&s, states);
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        fixture f;
        loop l = failures[i];
        setup(&f, &s);
        assert_ok(ebm_context_set_parallel_for(f.context, host_parallel_for, &l));
        l.at = 3;
        assert_status(ebm_sampler_run(f.sampler, STEPS), EBM_ERR_CALLBACK);
        assert_message("ebm_sampler_run: Markov step 3: parallel_for callback");
        assert_states(&f, states[2]);
        assert_ok(ebm_sampler_run(f.sampler, STEPS - 2));
        assert_states(&f, states[STEPS]);
        teardown(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sampler_run), cmocka_unit_test(test_sampler_draw),
        cmocka_unit_test(test_trainer_step), cmocka_unit_test(test_trainer_gradient),
        cmocka_unit_test(test_trainer_fit), cmocka_unit_test(test_progress),
        cmocka_unit_test(test_model_calls), cmocka_unit_test(test_parallel_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

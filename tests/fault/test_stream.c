/* SPDX-License-Identifier: MIT */
/* Batches from a function: which are asked for, and what happens when it, or the step after it, fails. */
#include <stdbool.h>

#include "test_models.h"

enum { DIM = 2, PARAMS = 2 * DIM, CHAINS = 5, ROWS = 6, STEPS = 7 };

/* What the function does at one batch. */
typedef struct source {
    int64_t at; /* -1: nowhere */
    int32_t answer;
    int skip;     /* the last float is not written */
    float spoil;  /* what is added to the last float */
    void (*hook)(struct source *source);
    ebm_trainer *trainer;
    ebm_model *model;
    ebm_sampler *sampler;
    int64_t asked; /* the last batch, and how many */
    int n_asked;
} source;

typedef struct fixture {
    test_host host;
    source source;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
} fixture;

/* Rows that are of the batch's number alone. */
static void rows_of(int64_t batch, int64_t n, float *x) {
    for (int64_t i = 0; i < n; i++) {
        x[i] = (float)((batch * 31 + i * 17) % 23) / 23 - 0.4F;
    }
}

static int32_t bring(int64_t batch, int64_t n, int64_t dim, float *x, void *user_data) {
    source *s = user_data;
    bool strikes = batch == s->at;
    assert_int_equal(n, ROWS);
    assert_int_equal(dim, DIM);
    s->asked = batch;
    s->n_asked++;
    float last = x[n * dim - 1];
    rows_of(batch, n * dim, x);
    if (strikes) {
        memcpy(&x[n * dim - 1], s->skip ? &last : &x[n * dim - 1], sizeof last);
        x[n * dim - 1] += s->skip ? 0 : s->spoil;
        if (s->hook != NULL) {
            s->hook(s);
        }
    }
    return strikes ? s->answer : EBM_CB_OK;
}

static void setup(fixture *f) {
    *f = (fixture){.source = {.at = -1}};
    f->model = test_model_create(NULL, DIM, 0, &f->host);
    assert_ok(ebm_sampler_create(NULL, f->model, CHAINS, 1, &f->sampler));
    assert_ok(ebm_trainer_create(NULL, f->model, f->sampler, &f->trainer));
    assert_ok(ebm_trainer_set_batch_size(f->trainer, ROWS));
    assert_ok(ebm_trainer_set_mcmc_steps(f->trainer, 2));
    f->source.trainer = f->trainer;
    f->source.model = f->model;
    f->source.sampler = f->sampler;
}

static void teardown(fixture *f) {
    ebm_trainer_destroy(f->trainer);
    ebm_sampler_destroy(f->sampler);
    ebm_model_destroy(f->model);
}

static void assert_steps(const fixture *f, int64_t expected) {
    int64_t steps;
    assert_ok(ebm_trainer_get_steps(f->trainer, &steps));
    assert_int_equal(steps, expected);
}

/* Parameters after STEPS steps that a host makes itself with the same rows. */
static void expected_params(float params[PARAMS]) {
    fixture f;
    float x[ROWS * DIM];
    setup(&f);
    for (int64_t batch = 0; batch < STEPS; batch++) {
        rows_of(batch, ROWS * DIM, x);
        assert_ok(ebm_trainer_step(f.trainer, ROWS, x));
    }
    assert_ok(ebm_model_get_params(f.model, PARAMS, params));
    teardown(&f);
}

static void assert_ends_well(fixture *f) {
    float expected[PARAMS];
    float params[PARAMS];
    int64_t steps;
    assert_ok(ebm_trainer_get_steps(f->trainer, &steps));
    f->source.at = -1;
    assert_ok(ebm_trainer_fit_stream(f->trainer, bring, &f->source, STEPS - steps));
    assert_steps(f, STEPS);
    expected_params(expected);
    assert_ok(ebm_model_get_params(f->model, PARAMS, params));
    assert_memory_equal(params, expected, sizeof params);
}

static void test_batches(void **state) {
    (void)state;
    for (int64_t cut = 0; cut <= STEPS; cut++) {
        fixture f;
        int64_t epochs;
        setup(&f);
        assert_ok(ebm_trainer_fit_stream(f.trainer, bring, &f.source, cut));
        assert_steps(&f, cut);
        assert_int_equal(f.source.n_asked, cut);
        assert_ends_well(&f);
        assert_int_equal(f.source.n_asked, STEPS);
        assert_int_equal(f.source.asked, STEPS - 1);
        assert_ok(ebm_trainer_get_epochs(f.trainer, &epochs));
        assert_int_equal(epochs, 0);
        teardown(&f);
    }
}

/* A batch that fails does not count, nothing changes, and the same batch is asked for again. */
static void test_failures(void **state) {
    (void)state;
    static const struct {
        source source;
        ebm_status status;
        const char *message;
    } cases[] = {
        {{.answer = EBM_CB_STOP}, EBM_ERR_STOPPED, "data callback asked to stop"},
        {{.answer = 7}, EBM_ERR_CALLBACK, "data callback returned 7"},
        {{.answer = -7}, EBM_ERR_CALLBACK, "data callback returned -7"},
        {{.skip = 1}, EBM_ERR_CALLBACK, "data callback did not write row 5, coordinate 1"},
        {{.spoil = NAN}, EBM_ERR_NONFINITE, "data callback gave nan in row 5, coordinate 1"},
        {{.spoil = -INFINITY}, EBM_ERR_NONFINITE, "data callback gave -inf in row 5, coordinate 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int64_t at = 0; at < STEPS; at += 3) {
            fixture f;
            char step[64];
            setup(&f);
            f.source.answer = cases[i].source.answer;
            f.source.skip = cases[i].source.skip;
            f.source.spoil = cases[i].source.spoil;
            f.source.at = at;
            for (int again = 0; again < 2; again++) {
                assert_status(ebm_trainer_fit_stream(f.trainer, bring, &f.source, STEPS), cases[i].status);
                snprintf(step, sizeof step, "ebm_trainer_fit_stream: training step %d: ", (int)at + 1);
                assert_message(step);
                assert_message(cases[i].message);
                assert_steps(&f, at);
                assert_int_equal(f.source.asked, at);
            }
            assert_int_equal(f.source.n_asked, at + 2);
            assert_ends_well(&f);
            teardown(&f);
        }
    }
}

/* The same when the batch is good, and the model's callback is not. */
static void test_step_fails(void **state) {
    (void)state;
    fixture f;
    setup(&f);
    f.host.answer = 3;
    test_host_arm(&f.host, CALL_PARAM_GRAD, 4);
    assert_status(ebm_trainer_fit_stream(f.trainer, bring, &f.source, STEPS), EBM_ERR_CALLBACK);
    assert_message("ebm_trainer_fit_stream: training step 4: ");
    assert_steps(&f, 3);
    test_host_arm(&f.host, 0, 0);
    assert_ends_well(&f);
    assert_int_equal(f.source.n_asked, STEPS + 1);
    teardown(&f);
}

static void ask_to_stop(source *s) {
    assert_ok(ebm_trainer_request_stop(s->trainer));
}

/* A request is heard once: while the function runs, or before it is called at all. */
static void test_stop(void **state) {
    (void)state;
    fixture f;
    setup(&f);
    f.source.hook = ask_to_stop;
    f.source.at = 2;
    assert_status(ebm_trainer_fit_stream(f.trainer, bring, &f.source, STEPS), EBM_ERR_STOPPED);
    assert_steps(&f, 2);
    assert_int_equal(f.source.n_asked, 3);
    f.source.at = -1;
    assert_ok(ebm_trainer_request_stop(f.trainer));
    assert_status(ebm_trainer_fit_stream(f.trainer, bring, &f.source, STEPS), EBM_ERR_STOPPED);
    assert_message("ebm_trainer_fit_stream: training step 3: ");
    assert_int_equal(f.source.n_asked, 3);
    assert_ends_well(&f);
    teardown(&f);
}

static void use_handles(source *s) {
    const float x[DIM] = {0};
    double energy;
    float states[CHAINS * DIM];
    int64_t steps;
    assert_status(ebm_trainer_get_steps(s->trainer, &steps), EBM_ERR_BUSY);
    assert_status(ebm_trainer_set_batch_size(s->trainer, 1), EBM_ERR_BUSY);
    assert_status(ebm_trainer_step(s->trainer, 1, x), EBM_ERR_BUSY);
    assert_status(ebm_trainer_fit_stream(s->trainer, bring, s, 1), EBM_ERR_BUSY);
    assert_ok(ebm_model_energy(s->model, 1, x, &energy));
    assert_ok(ebm_sampler_get_states(s->sampler, CHAINS, states));
}

static void test_handles_within(void **state) {
    (void)state;
    fixture f;
    setup(&f);
    f.source.hook = use_handles;
    f.source.at = 3;
    assert_ok(ebm_trainer_fit_stream(f.trainer, bring, &f.source, STEPS));
    assert_ends_well(&f);
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches), cmocka_unit_test(test_failures),       cmocka_unit_test(test_step_fails),
        cmocka_unit_test(test_stop),    cmocka_unit_test(test_handles_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

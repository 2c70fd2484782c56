/* SPDX-License-Identifier: MIT */
/*
 * Two threads of the host at once: on one handle, one of them is told EBM_ERR_BUSY; on two handles of one context, both
 * get the bits that each gets alone; and a context's threads may be changed while its handles are at work.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include "test_models.h"

enum { DIM = 3, ROWS = 300, ROUNDS = 300, STEPS = 200, CHANGES = 40 };

/* What one thread does, and what it saw. cmocka's assertions belong to the main thread. */
typedef struct worker {
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    const double *expected;
    int n_ok, n_busy, n_wrong;
    float x[ROWS * DIM];
} worker;

static void count(worker *w, ebm_status status) {
    w->n_ok += status == EBM_OK;
    w->n_busy += status == EBM_ERR_BUSY;
    w->n_wrong += status != EBM_OK && status != EBM_ERR_BUSY;
}

static void *evaluate(void *argument) {
    worker *w = argument;
    double energy[ROWS];
    for (int i = 0; i < ROUNDS; i++) {
        ebm_status status = ebm_model_energy(w->model, ROWS, w->x, energy);
        count(w, status);
        w->n_wrong += status == EBM_OK && memcmp(energy, w->expected, sizeof energy) != 0;
    }
    return NULL;
}

static void *run(void *argument) {
    worker *w = argument;
    for (int i = 0; i < STEPS; i++) {
        count(w, ebm_sampler_run(w->sampler, 1));
    }
    return NULL;
}

static atomic_bool changing;

static void *change_threads(void *argument) {
    worker *w = argument;
    while (w->n_ok < CHANGES && w->n_wrong == 0) {
        count(w, ebm_context_set_threads(w->context, w->n_ok % 3 + 1));
    }
    atomic_store(&changing, false);
    return NULL;
}

static void *run_meanwhile(void *argument) {
    worker *w = argument;
    while (atomic_load(&changing)) {
        count(w, ebm_sampler_run(w->sampler, 1));
        sched_yield(); /* the context's threads are at rest now */
    }
    return NULL;
}

static void together(void *(*first)(void *), worker *a, void *(*second)(void *), worker *b) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, first, a), 0);
    second(b);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(a->n_wrong, 0);
    assert_int_equal(b->n_wrong, 0);
}

static void test_one_handle(void **state) {
    static worker w[2];
    test_host host = {0};
    double expected[ROWS];
    (void)state;
    ebm_model *model = test_model_create(NULL, DIM, 0, &host);
    memset(w, 0, sizeof w);
    for (int i = 0; i < 2; i++) {
        w[i].model = model;
        w[i].expected = expected;
        test_fill(ROWS * DIM, w[i].x);
    }
    assert_ok(ebm_model_energy(model, ROWS, w[0].x, expected));
    together(evaluate, &w[0], evaluate, &w[1]);
    assert_true(w[0].n_ok + w[1].n_ok > 0);
    assert_int_equal(w[0].n_ok + w[0].n_busy, ROUNDS);
    ebm_model_destroy(model);
}

static void setup(worker *w, ebm_context *context, test_host *host, uint64_t seed) {
    *w = (worker){.context = context};
    w->model = test_model_create(context, DIM, 1, host);
    assert_ok(ebm_sampler_create(context, w->model, ROWS, seed, &w->sampler));
}

static void teardown(worker *w) {
    assert_ok(ebm_sampler_get_states(w->sampler, ROWS, w->x));
    ebm_sampler_destroy(w->sampler);
    ebm_model_destroy(w->model);
}

static void alone(uint64_t seed, int n_steps, float *x) {
    static worker w;
    test_host host = {0};
    setup(&w, NULL, &host, seed);
    assert_ok(ebm_sampler_run(w.sampler, n_steps));
    teardown(&w);
    memcpy(x, w.x, sizeof w.x);
}

static void test_one_context(void **state) {
    static worker w[2];
    static float expected[2][ROWS * DIM];
    test_host host = {0};
    ebm_context *context = NULL;
    (void)state;
    assert_ok(ebm_context_create(&context));
    assert_ok(ebm_context_set_threads(context, 2));
    for (uint64_t i = 0; i < 2; i++) {
        alone(i, STEPS, expected[i]);
        setup(&w[i], context, &host, i);
    }
    together(run, &w[0], run, &w[1]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(w[i].n_ok, STEPS);
        teardown(&w[i]);
        assert_memory_equal(w[i].x, expected[i], sizeof expected[i]);
    }
    ebm_context_destroy(context);
}

static void test_changing_threads(void **state) {
    static worker w[2];
    static float expected[ROWS * DIM];
    test_host host = {0};
    ebm_context *context = NULL;
    (void)state;
    assert_ok(ebm_context_create(&context));
    setup(&w[0], context, &host, 7);
    w[1] = (worker){.context = context};
    atomic_store(&changing, true);
    together(run_meanwhile, &w[0], change_threads, &w[1]);
    assert_int_equal(w[1].n_ok, CHANGES);
    assert_int_equal(w[0].n_busy, 0);
    alone(7, w[0].n_ok, expected);
    teardown(&w[0]);
    assert_memory_equal(w[0].x, expected, sizeof expected);
    ebm_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_handle),
        cmocka_unit_test(test_one_context),
        cmocka_unit_test(test_changing_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

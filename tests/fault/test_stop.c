/* SPDX-License-Identifier: MIT */
/*
 * Stop requests: from another thread at 200 random moments, from a signal handler, from inside a callback, and before a
 * call. The call ends within one batch of a callback, all is whole, and going on gives the same bits as a run that
 * nobody stopped.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "test_models.h"

enum { DIM = 2, MOST_CHAINS = 300, PARAMS = 2 * DIM, ROWS = 12, STOPS = 200 };
static const int64_t FOR_EVER = INT64_C(1) << 50;

typedef struct fixture {
    test_host host;
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    int64_t n_chains;
    float data[ROWS * DIM];
} fixture;

static void setup(fixture *f, int32_t kernel, int32_t n_threads) {
    *f = (fixture){.n_chains = n_threads == 1 ? 6 : MOST_CHAINS};
    assert_ok(ebm_context_create(&f->context));
    assert_ok(ebm_context_set_threads(f->context, n_threads));
    f->model = test_model_create(f->context, DIM, n_threads > 1, &f->host);
    assert_ok(ebm_sampler_create(NULL, f->model, f->n_chains, 21, &f->sampler));
    assert_ok(ebm_sampler_set_kernel(f->sampler, kernel));
    assert_ok(ebm_sampler_set_buffer(f->sampler, f->n_chains + 7, 0.1));
    assert_ok(ebm_trainer_create(NULL, f->model, f->sampler, &f->trainer));
    assert_ok(ebm_trainer_set_mcmc_steps(f->trainer, 5));
    assert_ok(ebm_trainer_set_energy_penalty(f->trainer, 0.01));
    assert_ok(ebm_trainer_set_batch_size(f->trainer, 5));
    test_fill(ROWS * DIM, f->data);
}

static void teardown(fixture *f) {
    ebm_trainer_destroy(f->trainer);
    ebm_sampler_destroy(f->sampler);
    ebm_model_destroy(f->model);
    ebm_context_destroy(f->context);
}

static void assert_same_chains(const fixture *a, const fixture *b) {
    static float x[2][MOST_CHAINS * DIM];
    int64_t steps[2];
    assert_ok(ebm_sampler_get_steps(a->sampler, &steps[0]));
    assert_ok(ebm_sampler_get_steps(b->sampler, &steps[1]));
    assert_int_equal(steps[0], steps[1]);
    assert_ok(ebm_sampler_get_states(a->sampler, a->n_chains, x[0]));
    assert_ok(ebm_sampler_get_states(b->sampler, b->n_chains, x[1]));
    assert_memory_equal(x[0], x[1], (size_t)(a->n_chains * DIM) * sizeof x[0][0]);
}

static void assert_same_training(const fixture *a, const fixture *b) {
    float theta[2][PARAMS];
    assert_ok(ebm_model_get_params(a->model, PARAMS, theta[0]));
    assert_ok(ebm_model_get_params(b->model, PARAMS, theta[1]));
    assert_memory_equal(theta[0], theta[1], sizeof theta[0]);
    assert_same_chains(a, b);
}

/* --- another thread
 * --------------------------------------------------------------------------------------------------- */

/* One thread asks again and again, each time after a short while that looks random, when the last request has been
 * heard. */
typedef struct asker {
    ebm_sampler *sampler;
    ebm_trainer *trainer; /* or NULL: the sampler */
    atomic_int heard;
} asker;

static void *ask(void *argument) {
    asker *a = argument;
    uint32_t state = 1;
    for (int i = 0; i < STOPS; i++) {
        while (atomic_load(&a->heard) < i) {
            nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
        }
        state = state * 1664525U + 1013904223U;
        nanosleep(&(struct timespec){.tv_nsec = (long)(state >> 15)}, NULL); /* up to 131 microseconds */
        assert_ok(a->trainer != NULL ? ebm_trainer_request_stop(a->trainer) : ebm_sampler_request_stop(a->sampler));
    }
    return NULL;
}

static int64_t count_steps(const fixture *f) {
    int64_t steps;
    assert_ok(ebm_trainer_get_steps(f->trainer, &steps));
    return steps;
}

/* The n-th step's batch depends on n alone, so that a run with stops sees the same batches. */
static ebm_status step(fixture *f) {
    int64_t n = count_steps(f) % 7 + 1;
    return ebm_trainer_step(f->trainer, n, f->data + (7 - n) * DIM);
}

static void stop_sampler(int32_t kernel, int32_t n_threads) {
    fixture f;
    fixture undisturbed;
    pthread_t thread;
    int64_t steps;
    setup(&f, kernel, n_threads);
    setup(&undisturbed, kernel, n_threads);
    asker a = {.sampler = f.sampler};
    assert_int_equal(pthread_create(&thread, NULL, ask, &a), 0);
    for (int i = 0; i < STOPS; i++) {
        assert_status(ebm_sampler_run(f.sampler, FOR_EVER), EBM_ERR_STOPPED);
        assert_message("ebm_sampler_run: Markov step ");
        atomic_fetch_add(&a.heard, 1);
    }
    pthread_join(thread, NULL);
    assert_ok(ebm_sampler_run(f.sampler, 3));
    assert_ok(ebm_sampler_get_steps(f.sampler, &steps));
    assert_ok(ebm_sampler_run(undisturbed.sampler, steps));
    assert_same_chains(&f, &undisturbed);
    teardown(&f);
    teardown(&undisturbed);
}

static void stop_trainer(int32_t kernel, int32_t n_threads) {
    fixture f;
    fixture undisturbed;
    pthread_t thread;
    setup(&f, kernel, n_threads);
    setup(&undisturbed, kernel, n_threads);
    asker a = {.trainer = f.trainer};
    assert_int_equal(pthread_create(&thread, NULL, ask, &a), 0);
    for (int i = 0; i < STOPS; i++) {
        ebm_status status;
        do {
            status = step(&f);
        } while (status == EBM_OK);
        assert_status(status, EBM_ERR_STOPPED);
        assert_message("ebm_trainer_step: training step ");
        atomic_fetch_add(&a.heard, 1);
    }
    pthread_join(thread, NULL);
    assert_ok(step(&f));
    for (int64_t steps = count_steps(&f); steps > 0; steps--) {
        assert_ok(step(&undisturbed));
    }
    assert_same_training(&f, &undisturbed);
    teardown(&f);
    teardown(&undisturbed);
}

static void test_from_thread(void **state) {
    (void)state;
    for (int32_t n_threads = 1; n_threads <= 2; n_threads++) {
        stop_sampler(EBM_KERNEL_LANGEVIN, n_threads);
        stop_sampler(EBM_KERNEL_MALA, n_threads);
        stop_trainer(EBM_KERNEL_LANGEVIN, n_threads);
        stop_trainer(EBM_KERNEL_MALA, n_threads);
    }
}

/* fit and draw stop too; fit keeps its whole steps. */
static void test_fit_and_draw(void **state) {
    fixture f;
    pthread_t thread;
    (void)state;
    setup(&f, EBM_KERNEL_LANGEVIN, 1);
    asker a = {.trainer = f.trainer};
    assert_int_equal(pthread_create(&thread, NULL, ask, &a), 0);
    for (int i = 0; i < STOPS; i++) {
        assert_status(ebm_trainer_fit(f.trainer, ROWS, f.data, FOR_EVER), EBM_ERR_STOPPED);
        assert_message("ebm_trainer_fit: training step ");
        atomic_fetch_add(&a.heard, 1);
    }
    pthread_join(thread, NULL);
    float out[6 * DIM];
    assert_ok(ebm_sampler_request_stop(f.sampler));
    assert_status(ebm_sampler_draw(f.sampler, 1, FOR_EVER, out), EBM_ERR_STOPPED);
    teardown(&f);
}

/* --- a signal handler
 * ------------------------------------------------------------------------------------------------- */

static ebm_sampler *signalled_sampler;
static ebm_trainer *signalled_trainer;

static void on_signal(int number) {
    (void)number;
    if (signalled_trainer != NULL) {
        ebm_trainer_request_stop(signalled_trainer);
    } else {
        ebm_sampler_request_stop(signalled_sampler);
    }
}

static void test_from_signal(void **state) {
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;
    (void)state;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    for (int i = 0; i < 40; i++) {
        fixture f;
        const struct itimerval soon = {.it_value = {.tv_usec = 200 + 37 * i}};
        setup(&f, i % 2 == 0 ? EBM_KERNEL_LANGEVIN : EBM_KERNEL_MALA, 1 + i / 2 % 2);
        signalled_sampler = f.sampler;
        signalled_trainer = i / 4 % 2 == 0 ? f.trainer : NULL;
        assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
        assert_status(signalled_trainer != NULL ? ebm_trainer_fit(f.trainer, ROWS, f.data, FOR_EVER)
                                                : ebm_sampler_run(f.sampler, FOR_EVER),
                      EBM_ERR_STOPPED);
        assert_ok(ebm_trainer_step(f.trainer, ROWS, f.data));
        teardown(&f);
    }
    sigaction(SIGALRM, &before, NULL);
}

/* --- from inside a callback
 * ------------------------------------------------------------------------------------------- */

static void ask_sampler(void *data) {
    assert_ok(ebm_sampler_request_stop(data));
}

static void ask_trainer(void *data) {
    assert_ok(ebm_trainer_request_stop(data));
}

/* The request comes during call k: no other call of a callback follows. */
static void test_within_one_batch(void **state) {
    (void)state;
    for (int32_t kernel = EBM_KERNEL_LANGEVIN; kernel <= EBM_KERNEL_NUTS; kernel++) {
        for (int k = 1; k <= 8; k++) {
            fixture f;
            setup(&f, kernel, 1);
            f.host.hook = ask_sampler;
            f.host.hook_data = f.sampler;
            test_host_arm(&f.host, CALL_ENERGY, k);
            assert_status(ebm_sampler_run(f.sampler, 20), EBM_ERR_STOPPED);
            assert_int_equal(atomic_load(&f.host.calls), k);
            teardown(&f);
        }
        for (int k = 1; k <= 8; k++) { /* 5 Markov steps, the penalty's energies, param_grad, a look at the proposal */
            fixture f;
            fixture undisturbed;
            setup(&f, kernel, 1);
            setup(&undisturbed, kernel, 1);
            f.host.hook = ask_trainer;
            f.host.hook_data = f.trainer;
            test_host_arm(&f.host, CALL_ENERGY | CALL_PARAM_GRAD, k);
            assert_status(ebm_trainer_step(f.trainer, ROWS, f.data), EBM_ERR_STOPPED);
            assert_int_equal(atomic_load(&f.host.calls), k);
            assert_int_equal(count_steps(&f), 0);
            assert_ok(ebm_trainer_step(f.trainer, ROWS, f.data));
            assert_ok(ebm_trainer_step(undisturbed.trainer, ROWS, undisturbed.data));
            assert_same_training(&f, &undisturbed);
            teardown(&f);
            teardown(&undisturbed);
        }
    }
}

/* --- before a call
 * ---------------------------------------------------------------------------------------------------- */

static void test_pending(void **state) {
    fixture f;
    float grad[PARAMS];
    (void)state;
    setup(&f, EBM_KERNEL_LANGEVIN, 1);
    test_host_arm(&f.host, CALL_ENERGY | CALL_PARAM_GRAD, 0);
    assert_ok(ebm_sampler_request_stop(f.sampler));
    assert_ok(ebm_sampler_request_stop(f.sampler)); /* twice is once */
    assert_ok(ebm_sampler_run(f.sampler, 0));       /* nothing to stop: it waits */
    assert_status(ebm_sampler_run(f.sampler, 5), EBM_ERR_STOPPED);
    assert_int_equal(atomic_load(&f.host.calls), 0);
    assert_ok(ebm_sampler_run(f.sampler, 5));

    test_host_arm(&f.host, CALL_ENERGY | CALL_PARAM_GRAD, 0);
    assert_ok(ebm_trainer_request_stop(f.trainer));
    assert_status(ebm_trainer_step(f.trainer, 4, f.data), EBM_ERR_STOPPED);
    assert_ok(ebm_trainer_request_stop(f.trainer));
    assert_status(ebm_trainer_fit(f.trainer, 4, f.data, 1), EBM_ERR_STOPPED);
    assert_ok(ebm_trainer_request_stop(f.trainer));
    assert_status(ebm_trainer_gradient(f.trainer, 4, f.data, PARAMS, grad), EBM_ERR_STOPPED);
    assert_int_equal(atomic_load(&f.host.calls), 0);
    assert_ok(ebm_trainer_gradient(f.trainer, 4, f.data, PARAMS, grad));

    /* A sampler asked to stop stops the trainer that moves it. */
    assert_ok(ebm_sampler_request_stop(f.sampler));
    assert_status(ebm_trainer_step(f.trainer, 4, f.data), EBM_ERR_STOPPED);
    assert_ok(ebm_trainer_step(f.trainer, 4, f.data));

    assert_int_equal(ebm_sampler_request_stop(NULL), EBM_ERR_ARG);
    assert_int_equal(ebm_trainer_request_stop(NULL), EBM_ERR_ARG);
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_thread), cmocka_unit_test(test_fit_and_draw),
        cmocka_unit_test(test_from_signal), cmocka_unit_test(test_within_one_batch),
        cmocka_unit_test(test_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * fork: a child of a process with threads on is told so, at every call that would work, does not hang, and can destroy
 * all handles; with threads off it works as its parent does. The parent goes on undisturbed.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test_models.h"

enum { DIM = 2, PARAMS = 2 * DIM, ROWS = 300, ALARM_SECONDS = 20 };

typedef struct fixture {
    test_host host;
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    float data[ROWS * DIM];
} fixture;

static void setup(fixture *f, int32_t n_threads, int64_t n_chains, int32_t concurrent) {
    *f = (fixture){0};
    assert_ok(ebm_context_create(&f->context));
    assert_ok(ebm_context_set_threads(f->context, n_threads));
    f->model = test_model_create(f->context, DIM, concurrent, &f->host);
    assert_ok(ebm_sampler_create(NULL, f->model, n_chains, 2, &f->sampler));
    assert_ok(ebm_trainer_create(NULL, f->model, f->sampler, &f->trainer));
    assert_ok(ebm_trainer_set_mcmc_steps(f->trainer, 3));
    test_fill(ROWS * DIM, f->data);
}

static void teardown(fixture *f) {
    ebm_trainer_destroy(f->trainer);
    ebm_sampler_destroy(f->sampler);
    ebm_model_destroy(f->model);
    ebm_context_destroy(f->context);
}

/* Runs in a child, where a failed assertion could not be reported: answers with the line of what was wrong, 0 if
 * nothing. */
#define NEED(condition)      \
    do {                     \
        if (!(condition)) {  \
            return __LINE__; \
        }                    \
    } while (0)

static int refused(fixture *f, int64_t n) {
    double energy[ROWS];
    float grad[ROWS * DIM];
    NEED(ebm_model_energy(f->model, n, f->data, energy) == EBM_ERR_FORKED);
    NEED(strstr(ebm_last_error(), "ebm_model_energy: ") != NULL && strstr(ebm_last_error(), "fork") != NULL);
    NEED(ebm_model_grad_x(f->model, n, f->data, energy, grad) == EBM_ERR_FORKED);
    NEED(ebm_model_param_grad(f->model, n, f->data, f->data, energy, PARAMS, grad) == EBM_ERR_FORKED);
    NEED(ebm_model_check_gradients(f->model, n, f->data, NULL, NULL) == EBM_ERR_FORKED);
    NEED(ebm_sampler_run(f->sampler, 2) == EBM_ERR_FORKED);
    NEED(ebm_sampler_draw(f->sampler, 1, 1, grad) == EBM_ERR_FORKED);
    NEED(ebm_sampler_get_mean_energy(f->sampler, energy) == EBM_ERR_FORKED);
    NEED(ebm_trainer_step(f->trainer, n, f->data) == EBM_ERR_FORKED);
    NEED(ebm_trainer_fit(f->trainer, n, f->data, 1) == EBM_ERR_FORKED);
    NEED(ebm_trainer_gradient(f->trainer, n, f->data, PARAMS, grad) == EBM_ERR_FORKED);
    NEED(ebm_model_get_params(f->model, PARAMS, grad) == EBM_OK); /* what needs no threads works */
    return 0;
}

static int refused_many(fixture *f) {
    int line = refused(f, ROWS);
    teardown(f);
    return line;
}

static int refused_one(fixture *f) {
    int line = refused(f, 1);
    teardown(f);
    return line;
}

/* Threads of its own, or none: then the child works too. */
__attribute__((unused)) static int new_threads(fixture *f) {
    double energy[ROWS];
    NEED(ebm_context_set_threads(f->context, 1) == EBM_OK);
    NEED(ebm_model_energy(f->model, ROWS, f->data, energy) == EBM_OK);
    NEED(ebm_context_set_threads(f->context, 3) == EBM_OK);
    NEED(ebm_trainer_step(f->trainer, ROWS, f->data) == EBM_OK);
    teardown(f);
    return 0;
}

static int works(fixture *f) {
    double energy[ROWS];
    NEED(ebm_model_energy(f->model, ROWS, f->data, energy) == EBM_OK);
    NEED(ebm_sampler_run(f->sampler, 2) == EBM_OK);
    NEED(ebm_trainer_fit(f->trainer, ROWS, f->data, 1) == EBM_OK);
    teardown(f);
    return 0;
}

static void in_child(fixture *f, int (*body)(fixture *)) {
    int status;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(ALARM_SECONDS);
        int line = body(f);
        if (line != 0) {
            fprintf(stderr, "child: line %d: %s\n", line, ebm_last_error());
        }
        _exit(line == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("the child %s %d", WIFSIGNALED(status) ? "died of signal" : "failed with",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
}

/* The parent's results, with children in between or not. */
static void train(fixture *f, int32_t n_threads, int64_t n_chains, int32_t concurrent, int (*body)(fixture *),
                  float *theta) {
    setup(f, n_threads, n_chains, concurrent);
    assert_ok(ebm_trainer_step(f->trainer, ROWS, f->data));
    if (body != NULL) {
        in_child(f, body);
        assert_ok(ebm_trainer_step(f->trainer, ROWS, f->data));
        in_child(f, body);
    } else {
        assert_ok(ebm_trainer_step(f->trainer, ROWS, f->data));
    }
    assert_ok(ebm_trainer_fit(f->trainer, ROWS, f->data, 2));
    assert_ok(ebm_model_get_params(f->model, PARAMS, theta));
    teardown(f);
}

static void test_fork(void **state) {
    static const struct {
        int32_t n_threads;
        int64_t n_chains;
        int32_t concurrent;
        int (*body)(fixture *);
    } cases[] = {
        {2, ROWS, 1, refused_many}, /* the threads would share this work */
        {2, 3, 1, refused_one},     /* too little to share, refused all the same */
        {2, 3, 0, refused_many},    /* a model that is not concurrent never shares */
#if !defined(__SANITIZE_THREAD__) /* which dies when a forked child starts a thread */
        {2, ROWS, 1, new_threads},
#endif
        {1, ROWS, 1, works},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static fixture f;
        float expected[PARAMS];
        float theta[PARAMS];
        train(&f, cases[i].n_threads, cases[i].n_chains, cases[i].concurrent, NULL, expected);
        train(&f, cases[i].n_threads, cases[i].n_chains, cases[i].concurrent, cases[i].body, theta);
        assert_memory_equal(theta, expected, sizeof theta);
    }
}

/* From inside a callback, while the threads are at work: a child that only destroys, as a host's exit would. */
static int destroys(fixture *f) {
    teardown(f);
    return 0;
}

static void fork_here(void *data) {
    in_child(data, destroys);
}

static void test_fork_in_callback(void **state) {
    static fixture f;
    double energy[ROWS];
    (void)state;
    setup(&f, 2, ROWS, 1);
    f.host.hook = fork_here;
    f.host.hook_data = &f;
    test_host_arm(&f.host, CALL_ENERGY, 2);
    assert_ok(ebm_model_energy(f.model, ROWS, f.data, energy));
    assert_ok(ebm_trainer_step(f.trainer, ROWS, f.data));
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fork), cmocka_unit_test(test_fork_in_callback)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

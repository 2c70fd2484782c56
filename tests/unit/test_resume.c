/* SPDX-License-Identifier: MIT */
/*
 * Training that is saved, and goes on in another process, ends with the same bits as training that was not: the files
 * at the end, which hold parameters, chains and all else, have the same bytes. With arguments this program is that
 * other process: `<number of the case> <file to load> <steps> <file to save>`.
 */
#include "resume_support.h"

#include <spawn.h>
#include <sys/wait.h>

enum { HALF = 100, WHOLE = 200 };

extern char **environ;
static const char *this_program;

/* What is set here is not what the file says, but for what is fixed at creation. */
static int go_on(char **arguments) {
    const resume_case *c = &RESUME_CASES[atoi(arguments[0])];
    resumed r = resume_create_empty(NULL, c, 5);
    assert_ok(ebm_trainer_load(r.trainer, arguments[1]));
    resume_train(&r, c, (resume_stop){.at = atoi(arguments[2])});
    assert_ok(ebm_trainer_save(r.trainer, arguments[3]));
    resume_destroy(&r);
    return 0;
}

static void go_on_in_another_process(int number, const char *from, int64_t steps, const char *to) {
    char which[16];
    char until[16];
    snprintf(which, sizeof which, "%d", number);
    snprintf(until, sizeof until, "%d", (int)steps);
    char *arguments[] = {(char *)this_program, which, (char *)from, until, (char *)to, NULL};
    pid_t child;
    int status;
    assert_int_equal(posix_spawn(&child, this_program, NULL, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_resume(void **state) {
    (void)state;
    for (int i = 0; i < N_RESUME_CASES; i++) {
        const resume_case *c = &RESUME_CASES[i];
        resumed whole = resume_create(NULL, c);
        resume_train(&whole, c, (resume_stop){.at = WHOLE, .save_at = HALF, .path = io_path("half")});
        assert_ok(ebm_trainer_save(whole.trainer, io_path("whole")));
        resume_destroy(&whole);
        go_on_in_another_process(i, io_path("half"), WHOLE, io_path("resumed"));
        resume_assert_same_files(c->name, io_path("whole"), io_path("resumed"));
        assert_int_equal(io_empty_folder(), 3);
    }
}

/* At any step, also before the first: what is loaded is what was saved, to the last bit. */
static void test_load_then_save(void **state) {
    (void)state;
    for (int i = 0; i < N_RESUME_CASES; i++) {
        const resume_case *c = &RESUME_CASES[i];
        resumed r = resume_create(NULL, c);
        for (int steps = 0; steps < 3; steps++) {
            if (steps > 0) {
                resume_train(&r, c, (resume_stop){.at = steps});
            }
            assert_ok(ebm_trainer_save(r.trainer, io_path("a")));
            resumed other = resume_create_empty(NULL, c, 5);
            assert_ok(ebm_trainer_load(other.trainer, io_path("a")));
            assert_ok(ebm_trainer_save(other.trainer, io_path("b")));
            resume_assert_same_files(c->name, io_path("a"), io_path("b"));
            resume_destroy(&other);
        }
        resume_destroy(&r);
    }
    io_empty_folder();
}

/* Into a trainer that is in the middle of something else: nothing of that is left. */
static void test_load_over_another(void **state) {
    (void)state;
    for (int i = 0; i < N_RESUME_CASES; i++) {
        const resume_case *c = &RESUME_CASES[i];
        const resume_case *d = &RESUME_CASES[(i + 5) % N_RESUME_CASES];
        while (d->bare != c->bare) { /* the same handles */
            d = &RESUME_CASES[(d - RESUME_CASES + 5) % N_RESUME_CASES];
        }
        resumed a = resume_create(NULL, c);
        resumed b = resume_create(NULL, d);
        resume_train(&a, c, (resume_stop){.at = 7});
        resume_train(&b, d, (resume_stop){.at = 11});
        assert_ok(ebm_trainer_save(a.trainer, io_path("a")));
        resume_set_host(b.trainer, c);
        assert_ok(ebm_trainer_load(b.trainer, io_path("a")));
        resume_train(&a, c, (resume_stop){.at = 20});
        resume_train(&b, c, (resume_stop){.at = 20});
        assert_ok(ebm_trainer_save(a.trainer, io_path("a")));
        assert_ok(ebm_trainer_save(b.trainer, io_path("b")));
        resume_assert_same_files(c->name, io_path("a"), io_path("b"));
        resume_destroy(&a);
        resume_destroy(&b);
    }
    io_empty_folder();
}

/* With the averaged parameters in the model the file is the same; and after loading the model has the others. */
static void test_swapped(void **state) {
    (void)state;
    enum { MOST = 256 };
    float theta[MOST];
    float after[MOST];
    const resume_case *c = &RESUME_CASES[1];
    resumed r = resume_create(NULL, c);
    resume_train(&r, c, (resume_stop){.at = 9});
    int64_t n = ebm_model_param_count(r.model);
    assert_in_range(n, 1, MOST);
    assert_ok(ebm_model_get_params(r.model, n, theta));
    assert_ok(ebm_trainer_save(r.trainer, io_path("a")));
    assert_ok(ebm_trainer_swap_average(r.trainer));
    assert_ok(ebm_trainer_save(r.trainer, io_path("b")));
    resume_assert_same_files("exchanged", io_path("a"), io_path("b"));
    assert_ok(ebm_trainer_load(r.trainer, io_path("b")));
    assert_ok(ebm_model_get_params(r.model, n, after));
    assert_memory_equal(theta, after, (size_t)n * sizeof *theta);
    resume_train(&r, c, (resume_stop){.at = 10});
    resume_destroy(&r);
    io_empty_folder();
}

/* A run of so many epochs, cut in two inside one of them. */
static void test_epochs_left(void **state) {
    (void)state;
    enum { EPOCHS = 7 };
    float data[RESUME_ROWS * RESUME_DIM];
    test_fill(RESUME_ROWS * RESUME_DIM, data);
    const resume_case *c = &RESUME_CASES[2];
    resumed whole = resume_create(NULL, c);
    assert_ok(ebm_trainer_fit(whole.trainer, RESUME_ROWS, data, EPOCHS));
    assert_ok(ebm_trainer_save(whole.trainer, io_path("whole")));
    for (int64_t cut = 8; cut <= 12; cut++) { /* four steps an epoch: at its end, and everywhere inside */
        resumed r = resume_create(NULL, c);
        int64_t epochs;
        int64_t steps;
        resume_train(&r, c, (resume_stop){.at = cut});
        assert_ok(ebm_trainer_get_epochs(r.trainer, &epochs));
        assert_int_equal(epochs, cut / 4);
        assert_ok(ebm_trainer_save(r.trainer, io_path("a")));
        resumed other = resume_create_plain(NULL, RESUME_CHAINS, 1);
        assert_ok(ebm_trainer_load(other.trainer, io_path("a")));
        resumed *const both[] = {&r, &other};
        for (int i = 0; i < 2; i++) {
            assert_ok(ebm_trainer_fit(both[i]->trainer, RESUME_ROWS, data, EPOCHS - epochs));
            assert_ok(ebm_trainer_get_steps(both[i]->trainer, &steps));
            assert_int_equal(steps, 4 * EPOCHS);
            assert_ok(ebm_trainer_save(both[i]->trainer, io_path("b")));
            resume_assert_same_files("epochs", io_path("whole"), io_path("b"));
        }
        /* Other data: their epoch begins at its beginning. */
        resume_train(&r, c, (resume_stop){.at = 4 * EPOCHS + 1});
        assert_ok(ebm_trainer_fit(r.trainer, RESUME_ROWS - 1, data, 1));
        assert_ok(ebm_trainer_get_steps(r.trainer, &steps));
        assert_int_equal(steps, 4 * EPOCHS + 1 + 4);
        resume_destroy(&r);
        resume_destroy(&other);
    }
    resume_destroy(&whole);
    io_empty_folder();
}

static int32_t bring(int64_t batch, int64_t n, int64_t dim, float *x, void *unused) {
    (void)unused;
    for (int64_t i = 0; i < n * dim; i++) {
        x[i] = (float)((batch * 29 + i * 13) % 31) / 31 - 0.5F;
    }
    return EBM_CB_OK;
}

/* Batches that a function brings: it is asked for the same ones after a load. */
static void test_stream(void **state) {
    (void)state;
    for (int i = 1; i < N_RESUME_CASES; i += 4) {
        const resume_case *c = &RESUME_CASES[i];
        resumed r = resume_create(NULL, c);
        resumed other = resume_create_empty(NULL, c, 3);
        assert_ok(ebm_trainer_fit_stream(r.trainer, bring, NULL, 10));
        assert_ok(ebm_trainer_save(r.trainer, io_path("a")));
        assert_ok(ebm_trainer_fit_stream(r.trainer, bring, NULL, 10));
        assert_ok(ebm_trainer_save(r.trainer, io_path("whole")));
        assert_ok(ebm_trainer_load(other.trainer, io_path("a")));
        assert_ok(ebm_trainer_fit_stream(other.trainer, bring, NULL, 10));
        assert_ok(ebm_trainer_save(other.trainer, io_path("b")));
        resume_assert_same_files(c->name, io_path("whole"), io_path("b"));
        resume_destroy(&r);
        resume_destroy(&other);
    }
    io_empty_folder();
}

/* Calls from..until of a training that is made to diverge at one of them. */
enum { ROLLBACK_CALLS = 40, DIVERGES_AT = 29, SAVED_AT = 20 };

static void call_steps(resumed *r, int from, int until) {
    float data[RESUME_ROWS * RESUME_DIM];
    test_fill(RESUME_ROWS * RESUME_DIM, data);
    for (int call = from; call <= until; call++) {
        assert_ok(ebm_trainer_set_gap_limit(r->trainer, call == DIVERGES_AT ? 1e-30 : 1e6));
        const float *batch = data + call % (RESUME_ROWS - RESUME_BATCH) * RESUME_DIM;
        assert_ok(ebm_trainer_step(r->trainer, RESUME_BATCH, batch));
    }
}

/* What a rollback goes back to is in the file too: from before it, and from after it, training goes on the same. */
static void test_rollback(void **state) {
    (void)state;
    int went_back = 0;
    for (int i = 0; i < N_RESUME_CASES; i++) {
        const resume_case *c = &RESUME_CASES[i];
        resumed whole = resume_create(NULL, c);
        int64_t rollbacks;
        assert_ok(ebm_trainer_set_rollback(whole.trainer, 6, 0.5, 2));
        call_steps(&whole, 1, SAVED_AT);
        assert_ok(ebm_trainer_save(whole.trainer, io_path("before")));
        call_steps(&whole, SAVED_AT + 1, DIVERGES_AT + 2);
        assert_ok(ebm_trainer_save(whole.trainer, io_path("after")));
        call_steps(&whole, DIVERGES_AT + 3, ROLLBACK_CALLS);
        assert_ok(ebm_trainer_save(whole.trainer, io_path("whole")));
        assert_ok(ebm_trainer_get_rollback_count(whole.trainer, &rollbacks));
        went_back += (int)rollbacks;
        for (int at = 0; at < 2; at++) {
            resumed r = resume_create_empty(NULL, c, 5);
            assert_ok(ebm_trainer_load(r.trainer, io_path(at == 0 ? "before" : "after")));
            call_steps(&r, at == 0 ? SAVED_AT + 1 : DIVERGES_AT + 3, ROLLBACK_CALLS);
            assert_ok(ebm_trainer_save(r.trainer, io_path("resumed")));
            resume_assert_same_files(c->name, io_path("whole"), io_path("resumed"));
            resume_destroy(&r);
        }
        resume_destroy(&whole);
    }
    assert_true(went_back >= 16); /* all that have a gap */
    io_empty_folder();
}

int main(int argc, char **argv) {
    this_program = argv[0];
    if (argc == 5) {
        return go_on(argv + 1);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_load_then_save),
        cmocka_unit_test(test_load_over_another),
        cmocka_unit_test(test_swapped),
        cmocka_unit_test(test_epochs_left),
        cmocka_unit_test(test_rollback),
        cmocka_unit_test(test_stream),
    };
    return cmocka_run_group_tests(tests, io_make_folder, io_remove_folder);
}

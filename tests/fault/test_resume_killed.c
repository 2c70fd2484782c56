/* SPDX-License-Identifier: MIT */
/*
 * A training that saves after every step is killed at a random moment, 200 times, and goes on each time from the file
 * that it finds: that file always has the bytes that a training without interruption has after as many steps.
 */
#include "resume_support.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum { KILLS = 200, STEPS = 60, MOST_FILE = 1 << 15 };

static const resume_case *const CASE = &RESUME_CASES[2]; /* by fit, over a buffer */

static uint8_t expected[STEPS + 1][MOST_FILE];
static int64_t expected_size[STEPS + 1];
static uint8_t found[IO_MOST_BYTES];

static int32_t keep_file(const ebm_trainer *trainer, void *unused) {
    (void)unused;
    int64_t steps;
    assert_ok(ebm_trainer_get_steps(trainer, &steps));
    assert_ok(ebm_trainer_save(trainer, io_path("reference")));
    int64_t n = io_read(io_path("reference"), found);
    assert_in_range(n, 1, MOST_FILE);
    memcpy(expected[steps], found, (size_t)n);
    expected_size[steps] = n;
    return steps == STEPS ? EBM_CB_STOP : EBM_CB_OK;
}

static void fit(resumed *r) {
    float data[RESUME_ROWS * RESUME_DIM];
    test_fill(RESUME_ROWS * RESUME_DIM, data);
    ebm_status status = ebm_trainer_fit(r->trainer, RESUME_ROWS, data, 1000);
    assert_status(status, EBM_ERR_STOPPED);
}

/* The steps in the file, whose bytes are those that belong to them. 0 when there is none yet. */
static int64_t check_file(const char *path) {
    int64_t n = io_read(path, found);
    if (n < 0) {
        return 0;
    }
    int64_t steps = 1;
    while (steps <= STEPS && (n != expected_size[steps] || memcmp(found, expected[steps], (size_t)n) != 0)) {
        steps++;
    }
    assert_in_range(steps, 1, STEPS);
    return steps;
}

static int32_t stop_at_the_end(const ebm_trainer *trainer, void *unused) {
    (void)unused;
    int64_t steps;
    assert_ok(ebm_trainer_get_steps(trainer, &steps));
    return steps == STEPS ? EBM_CB_STOP : EBM_CB_OK;
}

/* What a program does that may have been killed before. */
static void train_in_child(void) {
    resumed r = resume_create(NULL, CASE);
    if (io_exists(io_path("a"))) {
        assert_ok(ebm_trainer_load(r.trainer, io_path("a")));
    }
    assert_ok(ebm_trainer_set_autosave(r.trainer, io_path("a"), 1, 0, 2));
    assert_ok(ebm_trainer_set_progress(r.trainer, stop_at_the_end, NULL, 1));
    fit(&r);
    _exit(0);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void test_kills(void **state) {
    (void)state;
    resumed r = resume_create(NULL, CASE);
    assert_ok(ebm_trainer_set_progress(r.trainer, keep_file, NULL, 1));
    double start = now();
    fit(&r);
    double one_step = (now() - start) / STEPS;
    resume_destroy(&r);
    assert_int_equal(unlink(io_path("reference")), 0);
    int n_kills = 0;
    int n_stale = 0;
    int n_ends = 0;
    uint32_t chance = 1;
    while (n_kills < KILLS) {
        int64_t before = check_file(io_path("a"));
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            train_in_child();
        }
        chance = chance * 1664525U + 1013904223U;
        usleep((useconds_t)(1e6 * 30 * one_step * (chance >> 8) / 16777216.0));
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        n_kills += WIFSIGNALED(status) ? 1 : 0;
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        int64_t after = check_file(io_path("a"));
        assert_true(after >= before);
        if (io_exists(io_path("a.1"))) {
            assert_true(check_file(io_path("a.1")) <= after);
        }
        n_stale += io_exists(io_path("a.tmp"));
        if (after == STEPS) {
            n_ends++;
            io_empty_folder();
        }
    }
    print_message("%d kills, %d within a save; %d trainings came to their end\n", n_kills, n_stale, n_ends);
    assert_true(n_stale > 0);
    assert_true(n_ends > 0);
    io_empty_folder();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kills)};
    return cmocka_run_group_tests(tests, io_make_folder, io_remove_folder);
}

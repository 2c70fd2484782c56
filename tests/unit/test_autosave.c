/* SPDX-License-Identifier: MIT */
/* Automatic saving: when, which files stay, and what happens when it fails or is cut off. */
#include "resume_support.h"

#include <sys/wait.h>

#include "core/file.h"

static const resume_case *const CASE = &RESUME_CASES[1];

static void train(resumed *r, int64_t until) {
    resume_train(r, CASE, (resume_stop){.at = until});
}

/* The steps that the trainer in a file has made, or -1 when it cannot be loaded. */
static int64_t steps_in(const char *path) {
    int64_t steps = -1;
    resumed r = resume_create_plain(NULL, RESUME_CHAINS, 9);
    if (ebm_trainer_load(r.trainer, path) == EBM_OK) {
        assert_ok(ebm_trainer_get_steps(r.trainer, &steps));
    }
    resume_destroy(&r);
    return steps;
}

static void test_last_files_are_kept(void **state) {
    (void)state;
    resumed r = resume_create(NULL, CASE);
    assert_ok(ebm_trainer_set_autosave(r.trainer, io_path("a"), 3, 0, 3));
    train(&r, 2);
    assert_int_equal(io_empty_folder(), 0);
    train(&r, 6);
    assert_int_equal(steps_in(io_path("a")), 6);
    assert_int_equal(steps_in(io_path("a.1")), 3);
    train(&r, 17);
    assert_int_equal(steps_in(io_path("a")), 15);
    assert_int_equal(steps_in(io_path("a.1")), 12);
    assert_int_equal(steps_in(io_path("a.2")), 9);
    assert_int_equal(io_empty_folder(), 3);
    for (int32_t keep = 1; keep <= 2; keep++) { /* a hole in the names is none in the files */
        assert_ok(ebm_trainer_set_autosave(r.trainer, io_path("b"), 1, 0, keep));
        train(&r, 20 + 4 * keep);
        assert_int_equal(steps_in(io_path("b")), 20 + 4 * keep);
        assert_int_equal(steps_in(io_path("b.1")), keep == 1 ? -1 : 19 + 4 * keep);
        assert_int_equal(io_empty_folder(), keep);
    }
    assert_ok(ebm_trainer_set_autosave(r.trainer, NULL, 0, 0, 0)); /* off: the rest is ignored */
    train(&r, 40);
    assert_int_equal(io_empty_folder(), 0);
    resume_destroy(&r);
}

/* The same bytes as a save by hand after that step, which does not move the others' names. */
static void test_is_a_save(void **state) {
    (void)state;
    resumed r = resume_create(NULL, CASE);
    assert_ok(ebm_trainer_set_autosave(r.trainer, io_path("a"), 4, 0, 2));
    train(&r, 8);
    assert_ok(ebm_trainer_save(r.trainer, io_path("b")));
    resume_assert_same_files("by hand", io_path("a"), io_path("b"));
    assert_ok(ebm_trainer_save(r.trainer, io_path("a")));
    assert_int_equal(steps_in(io_path("a.1")), 4);
    assert_ok(ebm_trainer_load(r.trainer, io_path("a.1"))); /* goes on saving */
    train(&r, 12);
    assert_int_equal(steps_in(io_path("a")), 12);
    resume_destroy(&r);
    io_empty_folder();
}

static void test_by_time(void **state) {
    (void)state;
    resumed r = resume_create(NULL, CASE);
    assert_ok(ebm_trainer_set_autosave(r.trainer, io_path("a"), 0, 1e-9, 1));
    train(&r, 1);
    assert_int_equal(steps_in(io_path("a")), 1);
    train(&r, 2);
    assert_int_equal(steps_in(io_path("a")), 2);
    assert_ok(ebm_trainer_set_autosave(r.trainer, io_path("a"), 0, 1e9, 1));
    train(&r, 3);
    assert_int_equal(steps_in(io_path("a")), 2);
    assert_ok(ebm_trainer_set_autosave(r.trainer, io_path("a"), 2, 1e9, 1));
    train(&r, 4);
    assert_int_equal(steps_in(io_path("a")), 4);
    resume_destroy(&r);
    io_empty_folder();
}

static int n_messages;
static char message[512];

static void take_message(int32_t level, const char *text, void *user_data) {
    (void)user_data;
    if (level == EBM_LOG_WARNING) {
        n_messages++;
        snprintf(message, sizeof message, "%s", text);
    }
}

/* A save that fails is told; training goes on, and so do saves once they can. */
static void test_failures(void **state) {
    (void)state;
    int64_t failures;
    ebm_context *context;
    assert_ok(ebm_context_create(&context));
    assert_ok(ebm_context_set_log(context, take_message, NULL));
    resumed r = resume_create(context, CASE);
    assert_ok(ebm_trainer_get_autosave_failures(r.trainer, &failures));
    assert_int_equal(failures, 0);
    assert_ok(ebm_trainer_set_autosave(r.trainer, io_path("folder/a"), 2, 0, 2));
    train(&r, 7);
    assert_ok(ebm_trainer_get_autosave_failures(r.trainer, &failures));
    assert_int_equal(failures, 3);
    assert_int_equal(n_messages, 3);
    assert_non_null(strstr(message, "after step 6: automatic saving: '"));
    assert_non_null(strstr(message, "No such file"));
    assert_int_equal(mkdir(io_path("folder"), 0700), 0);
    train(&r, 8);
    assert_int_equal(steps_in(io_path("folder/a")), 8);
    assert_ok(ebm_trainer_get_autosave_failures(r.trainer, &failures));
    assert_int_equal(failures, 3);
    assert_ok(ebm_trainer_set_autosave(r.trainer, io_path("a"), 1, 0, 1));
    assert_ok(ebm_trainer_get_autosave_failures(r.trainer, &failures));
    assert_int_equal(failures, 0);
    resume_destroy(&r);
    ebm_context_destroy(context);
    assert_int_equal(unlink(io_path("folder/a")), 0);
    io_empty_folder();
}

static void test_settings(void **state) {
    (void)state;
    const char *path = "";
    int64_t steps = -1;
    double seconds = -1;
    int32_t keep = -1;
    resumed r = resume_create_plain(NULL, RESUME_CHAINS, 1);
    assert_ok(ebm_trainer_get_autosave(r.trainer, &path, &steps, &seconds, &keep));
    assert_true(path == NULL && steps == 0 && seconds == 0 && keep == 1);
    assert_ok(ebm_trainer_set_autosave(r.trainer, "a", 5, 2.5, 4));
    assert_status(ebm_trainer_set_autosave(r.trainer, "", 5, 2.5, 4), EBM_ERR_ARG);
    assert_message("path is empty");
    assert_status(ebm_trainer_set_autosave(r.trainer, "b", -1, 2.5, 4), EBM_ERR_ARG);
    assert_message("every_steps is -1");
    assert_status(ebm_trainer_set_autosave(r.trainer, "b", 1, -1, 4), EBM_ERR_ARG);
    assert_message("every_seconds is -1");
    assert_status(ebm_trainer_set_autosave(r.trainer, "b", 1, NAN, 4), EBM_ERR_ARG);
    assert_status(ebm_trainer_set_autosave(r.trainer, "b", 1, INFINITY, 4), EBM_ERR_ARG);
    assert_status(ebm_trainer_set_autosave(r.trainer, "b", 0, 0, 4), EBM_ERR_ARG);
    assert_message("every_steps and every_seconds are 0");
    assert_status(ebm_trainer_set_autosave(r.trainer, "b", 1, 0, 0), EBM_ERR_ARG);
    assert_message("keep_last is 0");
    assert_status(ebm_trainer_set_autosave(r.trainer, "b", 1, 0, 101), EBM_ERR_ARG);
    assert_status(ebm_trainer_set_autosave(NULL, "b", 1, 0, 1), EBM_ERR_ARG);
    assert_status(ebm_trainer_get_autosave(NULL, &path, NULL, NULL, NULL), EBM_ERR_ARG);
    assert_status(ebm_trainer_get_autosave_failures(NULL, &steps), EBM_ERR_ARG);
    assert_status(ebm_trainer_get_autosave_failures(r.trainer, NULL), EBM_ERR_ARG);
    assert_ok(ebm_trainer_get_autosave(r.trainer, &path, &steps, &seconds, &keep));
    assert_string_equal(path, "a");
    assert_true(steps == 5 && seconds == 2.5 && keep == 4);
    assert_ok(ebm_trainer_get_autosave(r.trainer, NULL, NULL, NULL, NULL));
    resume_destroy(&r);
}

/* ---- the calls that rename files: one of them fails, or is the last that the process makes ---- */

static int n_calls;
static int at_call;
static int failure;  /* errno; 0: the process ends before the call */
static int no_links; /* the file system knows none */

static int strikes(void) {
    if (++n_calls != at_call) {
        return 0;
    }
    if (failure == 0) {
        _exit(0);
    }
    errno = failure;
    return 1;
}

static int striking_rename(const char *from, const char *to) {
    return strikes() ? -1 : rename(from, to);
}

static int striking_link(const char *from, const char *to) {
    if (no_links) {
        errno = EPERM;
        return -1;
    }
    return strikes() ? -1 : link(from, to);
}

static int striking_unlink(const char *path) {
    return strikes() ? -1 : unlink(path);
}

static int striking_sync(int fd) {
    return strikes() ? -1 : fsync(fd);
}

static void use_striking_calls(int at, int error) {
    static ebm__file_calls calls;
    calls = ebm__file_system;
    calls.rename = striking_rename;
    calls.link = striking_link;
    calls.unlink = striking_unlink;
    calls.sync = striking_sync;
    n_calls = 0;
    at_call = at;
    failure = error;
    ebm__file_use(&calls);
}

/* Steps 1, 2 and 3 have been saved; the save after the 4th is struck. */
static resumed three_saved(int32_t keep_last) {
    resumed r = resume_create(NULL, CASE);
    assert_ok(ebm_trainer_set_autosave(r.trainer, io_path("a"), 1, 0, keep_last));
    train(&r, 3);
    return r;
}

static void test_every_call_fails(void **state) {
    (void)state;
    static const int errors[] = {EIO, EPERM, ENOENT};
    for (int32_t keep_last = 2; keep_last <= 3; keep_last++) {
        for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
            int reached = 1;
            for (int at = 1; reached; at++) {
                int64_t failures;
                resumed r = three_saved(keep_last);
                use_striking_calls(at, errors[e]);
                train(&r, 4);
                ebm__file_use(NULL);
                reached = n_calls >= at;
                assert_ok(ebm_trainer_get_autosave_failures(r.trainer, &failures));
                int64_t steps = steps_in(io_path("a"));
                assert_true(steps == 4 || (steps == 3 && failures == 1));
                assert_true(steps == 4 || failures == 1);
                train(&r, 5); /* and all is well again */
                assert_int_equal(steps_in(io_path("a")), 5);
                assert_true(steps_in(io_path("a.1")) >= 3);
                assert_in_range(io_empty_folder(), 2, keep_last);
                resume_destroy(&r);
            }
        }
    }
}

static void test_without_links(void **state) {
    (void)state;
    no_links = 1;
    use_striking_calls(0, 0);
    resumed r = three_saved(2);
    ebm__file_use(NULL);
    no_links = 0;
    int64_t failures;
    assert_ok(ebm_trainer_get_autosave_failures(r.trainer, &failures));
    assert_int_equal(failures, 0);
    assert_int_equal(steps_in(io_path("a")), 3);
    assert_int_equal(steps_in(io_path("a.1")), 2);
    resume_destroy(&r);
    io_empty_folder();
}

/* At every moment the last file, or the one before it, is there; and the last one, where links are known. */
static void test_killed_at_every_call(void **state) {
    (void)state;
    for (no_links = 0; no_links <= 1; no_links++) {
        for (int32_t keep_last = 2; keep_last <= 4; keep_last++) {
            int status = 0;
            for (int at = 1; status == 0; at++) {
                resumed r = three_saved(keep_last);
                pid_t child = fork();
                if (child == 0) {
                    use_striking_calls(at, 0);
                    train(&r, 4);
                    _exit(1); /* no call was the last */
                }
                assert_int_equal(waitpid(child, &status, 0), child);
                assert_true(WIFEXITED(status));
                status = WEXITSTATUS(status);
                int64_t steps = steps_in(io_path("a"));
                int64_t before = steps_in(io_path("a.1"));
                assert_true(steps >= 3 || (no_links && before == 3));
                assert_true(steps < 4 || before == 3);
                assert_true(keep_last < 3 || steps_in(io_path("a.2")) == 2 || before == 2);
                resume_destroy(&r);
                io_empty_folder();
            }
        }
    }
    no_links = 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_files_are_kept),
        cmocka_unit_test(test_is_a_save),
        cmocka_unit_test(test_by_time),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_every_call_fails),
        cmocka_unit_test(test_without_links),
        cmocka_unit_test(test_killed_at_every_call),
    };
    return cmocka_run_group_tests(tests, io_make_folder, io_remove_folder);
}

/* SPDX-License-Identifier: MIT */
/*
 * Processes that are killed while they save, and a disk that is full. With arguments this program is itself what
 * test_io_faults.sh makes calls fail in: `save <path> <value>` saves a model full of value and exits with minus the
 * status; `check <path>` exits with the value of the model at path, or 99 when it cannot be loaded or does not have the
 * same value everywhere; `open <path>` loads it and exits with minus the status.
 */
#include "io_support.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum { FLOATS = 200000, BROKEN = 99, KILLS = 200 };

static float theta[FLOATS];

static ebm_model *large_model(void) {
    static const int64_t shape[] = {FLOATS};
    ebm_model *model = NULL;
    assert_ok(ebm_model_create(NULL, 2, io_energy, NULL, NULL, &model));
    assert_ok(ebm_model_add_tensor(model, "weight", 1, shape));
    return model;
}

static ebm_status save(ebm_model *model, const char *path, int value) {
    for (int i = 0; i < FLOATS; i++) {
        theta[i] = (float)value;
    }
    assert_ok(ebm_model_set_params(model, FLOATS, theta));
    return ebm_model_save(model, path);
}

static int value_at(ebm_model *model, const char *path) {
    if (ebm_model_load(model, path) != EBM_OK) {
        return BROKEN;
    }
    assert_ok(ebm_model_get_params(model, FLOATS, theta));
    for (int i = 1; i < FLOATS; i++) {
        if (memcmp(&theta[i], &theta[0], sizeof *theta) != 0) {
            return BROKEN;
        }
    }
    return (int)theta[0];
}

static int count_names(void) {
    int n = 0;
    DIR *folder = opendir(io_folder);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        n += entry->d_name[0] != '.';
    }
    closedir(folder);
    return n;
}

/*
 * A child saves two models in turn, without end, and is killed `wait` microseconds after its second save has begun;
 * or, when that is 0, as soon as there is a temporary file.
 */
static void kill_one(ebm_model *const models[2], useconds_t wait) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (int turn = 0;; turn = 1 - turn) {
            if (write(ends[1], "", 1) != 1 || ebm_model_save(models[turn], io_path("a")) != EBM_OK) {
                _exit(1);
            }
        }
    }
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    while (wait == 0 && !io_exists(io_path("a.tmp"))) {
    }
    usleep(wait);
    assert_int_equal(kill(child, SIGKILL), 0);
    close(ends[0]);
    close(ends[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* it has not failed before */
}

static void test_kills(void **state) {
    (void)state;
    int n_stale = 0;
    ebm_model *reader = large_model();
    ebm_model *models[2] = {large_model(), large_model()};
    assert_ok(save(models[0], io_path("a"), 1));
    assert_ok(save(models[1], io_path("a"), 2));
    struct timespec start;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    assert_ok(ebm_model_save(models[0], io_path("a")));
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t one_save = (end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000 + 1;
    for (int round = 0; round < KILLS; round++) {
        kill_one(models, round % 2 == 0 ? 0 : (useconds_t)(2 * one_save * round / KILLS + 1));
        assert_in_range(value_at(reader, io_path("a")), 1, 2);
        n_stale += io_exists(io_path("a.tmp"));
        assert_in_range(count_names(), 1, 2);
    }
    assert_ok(save(models[0], io_path("a"), 3));
    assert_int_equal(value_at(reader, io_path("a")), 3);
    print_message("%d of %d kills have left a temporary file\n", n_stale, KILLS);
    assert_true(n_stale > 0); /* some have struck within a save */
    ebm_model_destroy(models[1]);
    ebm_model_destroy(models[0]);
    ebm_model_destroy(reader);
    assert_int_equal(io_empty_folder(), 1);
}

/* A file that may not grow: the old one stays, and nothing beside it. */
static void test_size_limit(void **state) {
    (void)state;
    ebm_model *model = large_model();
    assert_ok(save(model, io_path("a"), 1));
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {4 * FLOATS / 2, 4 * FLOATS / 2};
        signal(SIGXFSZ, SIG_IGN); /* as a host has to that wants an error instead of the signal */
        _exit(setrlimit(RLIMIT_FSIZE, &limit) == 0 ? -save(model, io_path("a"), 2) : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), -EBM_ERR_IO);
    assert_int_equal(value_at(model, io_path("a")), 1);
    ebm_model_destroy(model);
    assert_int_equal(io_empty_folder(), 1);
}

/* Several processes save to one path at once: each save succeeds or is refused, and the file is whole at every moment.
 */
static void test_side_by_side(void **state) {
    (void)state;
    enum { SAVERS = 3, SAVES = 60 };
    pid_t children[SAVERS];
    ebm_model *model = large_model();
    assert_ok(save(model, io_path("a"), 1));
    for (int i = 0; i < SAVERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            int n_saved = 0;
            for (int j = 0; j < SAVES; j++) {
                ebm_status result = save(model, io_path("a"), 2 + i);
                n_saved += result == EBM_OK;
                if (result != EBM_OK && result != EBM_ERR_IO) {
                    _exit(100);
                }
            }
            _exit(n_saved);
        }
    }
    int n_saved = 0;
    for (int i = 0; i < SAVERS;) {
        int status;
        assert_in_range(value_at(model, io_path("a")), 1, 1 + SAVERS);
        if (waitpid(children[i], &status, WNOHANG) == children[i]) {
            assert_true(WIFEXITED(status));
            assert_true(WEXITSTATUS(status) <= SAVES);
            n_saved += WEXITSTATUS(status);
            i++;
        }
    }
    print_message("%d of %d saves side by side were not refused\n", n_saved, SAVERS * SAVES);
    assert_true(n_saved > 0);
    ebm_model_destroy(model);
    assert_int_equal(io_empty_folder(), 1);
}

static int answer(int argc, char **argv) {
    ebm_model *model = large_model();
    int code = BROKEN;
    if (argc == 4 && strcmp(argv[1], "save") == 0) {
        code = -save(model, argv[2], atoi(argv[3]));
    } else if (argc == 3 && strcmp(argv[1], "open") == 0) {
        code = -ebm_model_load(model, argv[2]);
    } else if (argc == 3 && strcmp(argv[1], "check") == 0) {
        code = value_at(model, argv[2]);
    }
    if (code != 0) {
        fprintf(stderr, "%s\n", ebm_last_error());
    }
    ebm_model_destroy(model);
    return code;
}

int main(int argc, char **argv) {
    if (argc > 1) {
        return answer(argc, argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kills),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_side_by_side),
    };
    return cmocka_run_group_tests(tests, io_make_folder, io_remove_folder);
}

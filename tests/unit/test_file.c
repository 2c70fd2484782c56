/* SPDX-License-Identifier: MIT */
/* Saving to all kinds of paths: what is followed, kept, cleaned up, refused. */
#include "io_support.h"

#include <fcntl.h>
#include <sys/file.h>

static uint8_t bytes[IO_MOST_BYTES];

static ebm_model *model;

static int make_model(void **state) {
    model = io_model_create_filled(NULL);
    return io_make_folder(state);
}

static int remove_model(void **state) {
    ebm_model_destroy(model);
    return io_remove_folder(state);
}

/* The file is a whole model file. */
static void assert_whole(const char *path) {
    io_set_all(model, 7.0F);
    assert_ok(ebm_model_load(model, path));
    io_assert_params(model, io_values);
}

static void test_missing_directory(void **state) {
    (void)state;
    assert_status(ebm_model_save(model, io_path("no/such/model")), EBM_ERR_IO);
    assert_message("no/such/model");
    assert_message(strerror(ENOENT));
    assert_status(ebm_model_save(model, io_path("no/")), EBM_ERR_IO);
    assert_status(ebm_model_load(model, io_path("no")), EBM_ERR_IO);
    assert_message(strerror(ENOENT));
    io_write(io_path("file"), "x", 1);
    assert_status(ebm_model_save(model, io_path("file/model")), EBM_ERR_IO);
    assert_message(strerror(ENOTDIR));
    assert_int_equal(io_empty_folder(), 1);
}

static void test_other_kinds_of_files(void **state) {
    (void)state;
    struct stat status;
    assert_int_equal(mkdir(io_path("folder"), 0700), 0);
    assert_int_equal(mkfifo(io_path("pipe"), 0600), 0);
    assert_int_equal(symlink("/no/where", io_path("nowhere")), 0);
    const char *const names[] = {io_path("folder"), io_path("pipe"), "/dev/null"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_status(ebm_model_save(model, names[i]), EBM_ERR_IO);
        assert_message("not a regular file");
        assert_status(ebm_model_load(model, names[i]), EBM_ERR_IO); /* and does not wait for a writer of the pipe */
        assert_message("not a regular file");
    }
    assert_status(ebm_model_save(model, io_path("nowhere")), EBM_ERR_IO);
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
    assert_int_equal(io_empty_folder(), 3);
}

static void test_long_names(void **state) {
    (void)state;
    char name[PATH_MAX + 8];
    memset(name, 'a', sizeof name);
    name[255] = 0; /* a name that fits, but not with .tmp */
    assert_status(ebm_model_save(model, io_path(name)), EBM_ERR_IO);
    name[255] = 'a';
    name[sizeof name - 1] = 0;
    assert_status(ebm_model_save(model, name), EBM_ERR_IO);
    assert_message(strerror(ENAMETOOLONG));
    assert_status(ebm_model_load(model, name), EBM_ERR_IO);
    assert_int_equal(io_empty_folder(), 0);
}

static void test_relative_path(void **state) {
    (void)state;
    char before[PATH_MAX];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(io_folder), 0);
    assert_ok(ebm_model_save(model, "model"));
    assert_whole("model");
    assert_int_equal(chdir(before), 0);
    assert_int_equal(io_empty_folder(), 1);
}

static void assert_mode(const char *path, mode_t mode) {
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, mode);
}

static void test_permissions(void **state) {
    (void)state;
    mode_t before = umask(027);
    assert_ok(ebm_model_save(model, io_path("a")));
    assert_mode(io_path("a"), 0640);
    const mode_t modes[] = {0600, 0444, 0666, 0777};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod(io_path("a"), modes[i]), 0);
        assert_ok(ebm_model_save(model, io_path("a")));
        assert_mode(io_path("a"), modes[i]);
    }
    umask(before);
    assert_int_equal(io_empty_folder(), 1);
}

static void test_links(void **state) {
    (void)state;
    struct stat status;
    assert_int_equal(mkdir(io_path("runs"), 0700), 0);
    io_write(io_path("runs/3"), "old", 3);
    assert_int_equal(symlink("runs/3", io_path("latest")), 0);
    assert_ok(ebm_model_save(model, io_path("latest")));
    assert_int_equal(lstat(io_path("latest"), &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_whole(io_path("runs/3"));
    assert_int_equal(unlink(io_path("runs/3")), 0);
    assert_int_equal(rmdir(io_path("runs")), 0);
    assert_int_equal(io_empty_folder(), 1);
    /* Another name of the old file keeps the old content. */
    io_write(io_path("a"), "old", 3);
    assert_int_equal(link(io_path("a"), io_path("b")), 0);
    assert_ok(ebm_model_save(model, io_path("a")));
    assert_int_equal(io_read(io_path("b"), bytes), 3);
    assert_int_equal(io_empty_folder(), 2);
}

static int n_warnings;

static void count_warnings(int32_t level, const char *text, void *user_data) {
    (void)user_data;
    n_warnings += level == EBM_LOG_WARNING && strstr(text, "a.tmp") != NULL;
}

/* What killed savers, or others, have left at the temporary name. */
static void test_stale(void **state) {
    (void)state;
    ebm_context *context;
    assert_ok(ebm_context_create(&context));
    assert_ok(ebm_context_set_log(context, count_warnings, NULL));
    ebm_model *logging = io_model_create_filled(context);
    n_warnings = 0;
    io_write(io_path("a.tmp"), "half", 4);
    assert_ok(ebm_model_save(logging, io_path("a")));
    assert_int_equal(n_warnings, 1);
    assert_whole(io_path("a"));
    assert_int_equal(io_empty_folder(), 1);
    /* A link there is removed, and what it leads to is left alone. */
    io_write(io_path("precious"), "x", 1);
    assert_int_equal(symlink("precious", io_path("a.tmp")), 0);
    assert_ok(ebm_model_save(logging, io_path("a")));
    assert_int_equal(n_warnings, 2);
    assert_int_equal(io_read(io_path("precious"), bytes), 1);
    assert_whole(io_path("a"));
    assert_int_equal(io_empty_folder(), 2);
    assert_int_equal(mkdir(io_path("a.tmp"), 0700), 0);
    assert_status(ebm_model_save(logging, io_path("a")), EBM_ERR_IO);
    assert_message("a.tmp");
    assert_int_equal(n_warnings, 2);
    assert_int_equal(io_empty_folder(), 1);
    ebm_model_destroy(logging);
    ebm_context_destroy(context);
}

/* A temporary file that is locked belongs to a save at work: it is left alone. */
static void test_locked(void **state) {
    (void)state;
    io_write(io_path("a.tmp"), "half", 4);
    int fd = open(io_path("a.tmp"), O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_status(ebm_model_save(model, io_path("a")), EBM_ERR_IO);
    assert_message("another call is saving");
    assert_int_equal(io_read(io_path("a.tmp"), bytes), 4);
    close(fd);
    assert_ok(ebm_model_save(model, io_path("a")));
    assert_int_equal(io_empty_folder(), 1);
}

/* No descriptor stays open, whatever happens. */
static void test_descriptors(void **state) {
    (void)state;
    int before = dup(0);
    close(before);
    assert_ok(ebm_model_save(model, io_path("a")));
    assert_ok(ebm_model_load(model, io_path("a")));
    assert_status(ebm_model_save(model, io_folder), EBM_ERR_IO);
    assert_status(ebm_model_load(model, io_folder), EBM_ERR_IO);
    io_write(io_path("b"), "x", 1);
    assert_status(ebm_model_load(model, io_path("b")), EBM_ERR_FORMAT);
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
    assert_int_equal(io_empty_folder(), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_directory),
        cmocka_unit_test(test_other_kinds_of_files),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_relative_path),
        cmocka_unit_test(test_permissions),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_locked),
        cmocka_unit_test(test_descriptors),
    };
    return cmocka_run_group_tests(tests, make_model, remove_model);
}

/* SPDX-License-Identifier: MIT */
/* Every call to the system fails, at every occurrence, once and from then on, in every way that matters. */
#include "io_support.h"

#include "core/file.h"

enum {
    REAL_PATH,
    STATUS_OF_NAME,
    STATUS,
    OPEN,
    DUPLICATE,
    LOCK,
    CHANGE_MODE,
    READ,
    WRITE,
    SYNC,
    CLOSE,
    RENAME,
    UNLINK,
    KINDS
};
static const char *const kind_names[KINDS] = {"realpath", "lstat", "fstat", "open",  "dup",    "flock", "fchmod",
                                              "read",     "write", "fsync", "close", "rename", "unlink"};

/* Instead of an errno: no failure, but as little done as may be, or nothing at all. */
enum { SHORT = -1, NOTHING = -2 };

static int armed_kind;
static int armed_at; /* 0: no call fails */
static int armed_error;
static int armed_for_good;
static int n_calls[KINDS];
static int n_open;

static int fails(int kind) {
    int call = ++n_calls[kind];
    if (kind != armed_kind || armed_at == 0 || call < armed_at || (call > armed_at && !armed_for_good)) {
        return 0;
    }
    errno = armed_error > 0 ? armed_error : 0;
    return 1;
}

static char *call_real_path(const char *path, char *resolved) {
    return fails(REAL_PATH) ? NULL : realpath(path, resolved);
}

static int call_status_of_name(const char *path, struct stat *status) {
    return fails(STATUS_OF_NAME) ? -1 : lstat(path, status);
}

static int call_status(int fd, struct stat *status) {
    return fails(STATUS) ? -1 : fstat(fd, status);
}

static int counted(int fd) {
    n_open += fd >= 0;
    return fd;
}

static int call_open(const char *path, int flags, mode_t mode) {
    return fails(OPEN) ? -1 : counted(ebm__file_system.open(path, flags, mode));
}

static int call_duplicate(int fd) {
    return fails(DUPLICATE) ? -1 : counted(ebm__file_system.duplicate(fd));
}

static int call_lock(int fd) {
    return fails(LOCK) ? -1 : ebm__file_system.lock(fd);
}

static int call_change_mode(int fd, mode_t mode) {
    return fails(CHANGE_MODE) ? -1 : fchmod(fd, mode);
}

static ssize_t call_read(int fd, void *bytes, size_t n) {
    if (fails(READ)) {
        return armed_error == SHORT ? read(fd, bytes, 1) : armed_error == NOTHING ? 0 : -1;
    }
    return read(fd, bytes, n);
}

static ssize_t call_write(int fd, const void *bytes, size_t n) {
    if (fails(WRITE)) {
        return armed_error == SHORT ? write(fd, bytes, 1) : armed_error == NOTHING ? 0 : -1;
    }
    return write(fd, bytes, n);
}

static int call_sync(int fd) {
    return fails(SYNC) ? -1 : fsync(fd);
}

/* A close that fails has closed the descriptor all the same, as on Linux. */
static int call_close(int fd) {
    n_open--;
    close(fd);
    return fails(CLOSE) ? -1 : 0;
}

static int call_rename(const char *from, const char *to) {
    return fails(RENAME) ? -1 : rename(from, to);
}

static int call_unlink(const char *path) {
    return fails(UNLINK) ? -1 : unlink(path);
}

static const ebm__file_calls calls = {.real_path = call_real_path,
                                      .status_of_name = call_status_of_name,
                                      .status = call_status,
                                      .open = call_open,
                                      .duplicate = call_duplicate,
                                      .lock = call_lock,
                                      .change_mode = call_change_mode,
                                      .read = call_read,
                                      .write = call_write,
                                      .sync = call_sync,
                                      .close = call_close,
                                      .rename = call_rename,
                                      .unlink = call_unlink};

static void arm(int kind, int at, int error, int for_good) {
    memset(n_calls, 0, sizeof n_calls);
    armed_kind = kind;
    armed_at = at;
    armed_error = error;
    armed_for_good = for_good;
}

static ebm_model *model;

static int set_up(void **state) {
    model = io_model_create(NULL, NULL);
    return io_make_folder(state);
}

static int tear_down(void **state) {
    ebm_model_destroy(model);
    return io_remove_folder(state);
}

/* An old file full of ones (its permissions are not what a new file would get), and maybe a stale temporary one. */
static void prepare(int stale) {
    io_set_all(model, 1.0F);
    assert_ok(ebm_model_save(model, io_path("a")));
    assert_int_equal(chmod(io_path("a"), 0666), 0);
    if (stale) {
        io_write(io_path("a.tmp"), "half", 4);
    }
}

static ebm_status save_failing(int kind, int at, int error, int for_good) {
    io_set_all(model, 2.0F);
    n_open = 0;
    arm(kind, at, error, for_good);
    ebm__file_use(&calls);
    ebm_status status = ebm_model_save(model, io_path("a"));
    ebm__file_use(NULL);
    return status;
}

/* What holds after every save, whatever has failed in it. */
static void check_after_save(ebm_status status, int kind, int error, int stale) {
    assert_int_equal(n_open, 0);
    int replaced = status == EBM_OK || status == EBM_ERR_DURABILITY;
    assert_true(replaced || status == EBM_ERR_IO);
    /* What may stay: a stale file, what cannot be removed, and what is locked and so must be another call's. */
    if (replaced || !(stale || kind == UNLINK || (kind == LOCK && error == EWOULDBLOCK))) {
        assert_false(io_exists(io_path("a.tmp")));
    }
    io_set_all(model, 7.0F);
    assert_ok(ebm_model_load(model, io_path("a")));
    io_assert_all(model, replaced ? 2.0F : 1.0F);
    assert_ok(ebm_model_save(model, io_path("a")));
    assert_int_equal(io_empty_folder(), 1);
}

static const int errors[] = {EIO, ENOSPC, EINTR, ENOENT, EACCES, EWOULDBLOCK, SHORT, NOTHING};

static int makes_sense(int kind, int error) {
    return error > 0 || kind == READ || kind == WRITE;
}

static void test_every_call_of_save(void **state) {
    (void)state;
    umask(022);
    int n_failed = 0;
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
            for (int variant = 0; variant < 4 && makes_sense(kind, errors[e]); variant++) {
                int for_good = variant / 2;
                int stale = variant % 2;
                int reached = 1;
                if (for_good && kind == WRITE && errors[e] == EINTR) {
                    continue; /* tried again for ever */
                }
                for (int at = 1; reached; at++) {
                    prepare(stale);
                    ebm_status status = save_failing(kind, at, errors[e], for_good);
                    reached = n_calls[kind] >= at;
                    n_failed += status != EBM_OK;
                    assert_true(reached || status == EBM_OK);
                    check_after_save(status, kind, errors[e], stale);
                }
            }
        }
    }
    assert_true(n_failed > 200);
}

static void test_answers_of_save(void **state) {
    (void)state;
    static const struct {
        int kind, at, error;
        int32_t status;
        const char *message;
    } cases[] = {{OPEN, 1, EACCES, EBM_ERR_IO, "directory"},
                 {OPEN, 3, ENOSPC, EBM_ERR_IO, "create"},
                 {OPEN, 3, EEXIST, EBM_ERR_IO, "create"},
                 {DUPLICATE, 1, EMFILE, EBM_ERR_IO, "descriptor"},
                 {LOCK, 1, EWOULDBLOCK, EBM_ERR_IO, "another call"},
                 {LOCK, 1, ENOLCK, EBM_OK, ""},
                 {CHANGE_MODE, 1, EPERM, EBM_ERR_IO, "permissions"},
                 {WRITE, 1, ENOSPC, EBM_ERR_IO, "write"},
                 {WRITE, 1, EIO, EBM_ERR_IO, "write"},
                 {WRITE, 1, EINTR, EBM_OK, ""},
                 {WRITE, 1, SHORT, EBM_OK, ""},
                 {WRITE, 1, NOTHING, EBM_ERR_IO, "write"},
                 {SYNC, 1, EIO, EBM_ERR_IO, "sync"},
                 {SYNC, 1, EINTR, EBM_ERR_IO, "sync"},
                 {SYNC, 2, EIO, EBM_ERR_DURABILITY, "in place"},
                 {SYNC, 2, EINTR, EBM_ERR_DURABILITY, "in place"},
                 {CLOSE, 1, EIO, EBM_ERR_IO, "close"},
                 {CLOSE, 1, EINTR, EBM_OK, ""},
                 {CLOSE, 2, EIO, EBM_OK, ""},
                 {RENAME, 1, EIO, EBM_ERR_IO, "replace"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        prepare(0);
        ebm_status status = save_failing(cases[i].kind, cases[i].at, cases[i].error, 0);
        if (status != cases[i].status) {
            fail_msg("%s %d, error %d: %d, not %d: %s", kind_names[cases[i].kind], cases[i].at, cases[i].error, status,
                     cases[i].status, ebm_last_error());
        }
        if (status != EBM_OK) {
            assert_message(cases[i].message);
            assert_message(io_path("a"));
            if (cases[i].error > 0 && cases[i].error != EWOULDBLOCK) {
                assert_message(strerror(cases[i].error));
            }
        }
        if (cases[i].kind == SYNC) {
            assert_int_equal(n_calls[SYNC], cases[i].at); /* not tried again */
        }
        check_after_save(status, cases[i].kind, cases[i].error, 0);
    }
}

static void test_every_call_of_load(void **state) {
    (void)state;
    int n_failed = 0;
    prepare(0);
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
            for (int for_good = 0; for_good <= (errors[e] != EINTR) && makes_sense(kind, errors[e]); for_good++) {
                int reached = 1;
                for (int at = 1; reached; at++) {
                    io_set_all(model, 7.0F);
                    n_open = 0;
                    arm(kind, at, errors[e], for_good);
                    ebm__file_use(&calls);
                    ebm_status status = ebm_model_load(model, io_path("a"));
                    ebm__file_use(NULL);
                    reached = n_calls[kind] >= at;
                    int harmless = kind == CLOSE || (kind == READ && (errors[e] == EINTR || errors[e] == SHORT));
                    assert_status(status, reached && !harmless ? EBM_ERR_IO : EBM_OK);
                    io_assert_all(model, status == EBM_OK ? 1.0F : 7.0F);
                    assert_int_equal(n_open, 0);
                    n_failed += status != EBM_OK;
                }
            }
        }
    }
    assert_true(n_failed > 40);
    assert_int_equal(io_empty_folder(), 1);
}

/* Another saver takes the temporary file for a stale one between its creation and its lock, and puts its own there. */
static int lock_too_late(int fd) {
    assert_int_equal(unlink(io_path("a.tmp")), 0);
    io_write(io_path("a.tmp"), "theirs", 6);
    return ebm__file_system.lock(fd);
}

static void test_lost_race(void **state) {
    (void)state;
    uint8_t bytes[8];
    ebm__file_calls racing = ebm__file_system;
    racing.lock = lock_too_late;
    prepare(0);
    io_set_all(model, 2.0F);
    ebm__file_use(&racing);
    assert_status(ebm_model_save(model, io_path("a")), EBM_ERR_IO);
    ebm__file_use(NULL);
    assert_message("another call is saving");
    FILE *file = fopen(io_path("a.tmp"), "rb");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), 6);
    fclose(file);
    assert_ok(ebm_model_load(model, io_path("a")));
    io_assert_all(model, 1.0F);
    assert_int_equal(io_empty_folder(), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_call_of_save),
        cmocka_unit_test(test_answers_of_save),
        cmocka_unit_test(test_every_call_of_load),
        cmocka_unit_test(test_lost_race),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

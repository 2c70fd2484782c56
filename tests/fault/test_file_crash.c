/* SPDX-License-Identifier: MIT */
/*
 * The machine stops at every call of a save, on a simulated file system that keeps as little as POSIX promises: what
 * was not synced may be there, in half, or not; of the changes to a directory, any first few may be there. In each of
 * these states the file must be the old one or the new one, whole, and the next save must succeed and clean up.
 */
#include "io_support.h"

#include <fcntl.h>

#include "core/file.h"

enum { MOST_BYTES = 1024, INODES = 4, NAMES = 2, MOST_CHANGES = 8, FOLDER_FD = 100, FIRST_FD = 10 };
enum { TARGET, TEMPORARY };
enum { NO_INODE = -1 };

typedef struct content {
    uint8_t bytes[MOST_BYTES];
    int64_t size;
} content;

/* One change to the directory, all or nothing: which inodes its names have after it. */
typedef struct names {
    int inode[NAMES];
} names;

typedef struct machine {
    content live[INODES];    /* what programs see */
    content durable[INODES]; /* what has been synced */
    names now;
    names on_disk;
    names changes[MOST_CHANGES]; /* since the directory was synced, in order */
    int n_changes;
    int n_inodes;
    int calls;
    int stops_at; /* from this call on nothing works; 0: never */
} machine;

static machine m;

static int stopped(void) {
    errno = EIO;
    return ++m.calls >= m.stops_at && m.stops_at != 0;
}

static int name_of(const char *path) {
    return strstr(path, ".tmp") == NULL ? TARGET : TEMPORARY;
}

static void change_names(names after) {
    assert_true(m.n_changes < MOST_CHANGES);
    m.now = after;
    m.changes[m.n_changes++] = after;
}

static char *sim_real_path(const char *path, char *resolved) {
    return stopped() ? NULL : strcpy(resolved, path);
}

static int describe(int inode, struct stat *status) {
    memset(status, 0, sizeof *status);
    status->st_mode = S_IFREG | 0644;
    status->st_ino = (ino_t)inode + 1;
    status->st_size = (off_t)m.live[inode].size;
    return 0;
}

static int sim_status_of_name(const char *path, struct stat *status) {
    int inode = m.now.inode[name_of(path)];
    if (stopped()) {
        return -1;
    }
    errno = ENOENT;
    return inode == NO_INODE ? -1 : describe(inode, status);
}

static int sim_status(int fd, struct stat *status) {
    return stopped() ? -1 : describe(fd - FIRST_FD, status);
}

static int sim_open(const char *path, int flags, mode_t mode) {
    (void)mode;
    if (stopped()) {
        return -1;
    }
    if ((flags & O_DIRECTORY) != 0) {
        return FOLDER_FD;
    }
    int name = name_of(path);
    if ((flags & O_CREAT) != 0) {
        if (m.now.inode[name] != NO_INODE) {
            errno = EEXIST;
            return -1;
        }
        assert_true(m.n_inodes < INODES);
        names after = m.now;
        after.inode[name] = m.n_inodes++;
        change_names(after);
    }
    errno = ENOENT;
    return m.now.inode[name] == NO_INODE ? -1 : FIRST_FD + m.now.inode[name];
}

static int sim_duplicate(int fd) {
    return stopped() ? -1 : fd;
}

static int sim_lock(int fd) {
    (void)fd;
    return stopped() ? -1 : 0;
}

static int sim_change_mode(int fd, mode_t mode) {
    (void)fd;
    (void)mode;
    return stopped() ? -1 : 0;
}

static ssize_t sim_read(int fd, void *bytes, size_t n) {
    (void)fd;
    (void)bytes;
    (void)n;
    return -1;
}

/* Never more than 100 bytes at once, so that there are states between. */
static ssize_t sim_write(int fd, const void *bytes, size_t n) {
    content *file = &m.live[fd - FIRST_FD];
    if (stopped()) {
        return -1;
    }
    n = n < 100 ? n : 100;
    assert_true(file->size + (int64_t)n <= MOST_BYTES);
    memcpy(file->bytes + file->size, bytes, n);
    file->size += (int64_t)n;
    return (ssize_t)n;
}

static int sim_sync(int fd) {
    if (stopped()) {
        return -1;
    }
    if (fd == FOLDER_FD) {
        m.on_disk = m.now;
        m.n_changes = 0;
    } else {
        m.durable[fd - FIRST_FD] = m.live[fd - FIRST_FD];
    }
    return 0;
}

static int sim_close(int fd) {
    (void)fd;
    return stopped() ? -1 : 0;
}

static int sim_rename(const char *from, const char *to) {
    if (stopped()) {
        return -1;
    }
    names after = m.now;
    after.inode[name_of(to)] = m.now.inode[name_of(from)];
    after.inode[name_of(from)] = NO_INODE;
    change_names(after);
    return 0;
}

static int sim_unlink(const char *path) {
    if (stopped()) {
        return -1;
    }
    names after = m.now;
    after.inode[name_of(path)] = NO_INODE;
    change_names(after);
    return 0;
}

static const ebm__file_calls calls = {.real_path = sim_real_path,
                                      .status_of_name = sim_status_of_name,
                                      .status = sim_status,
                                      .open = sim_open,
                                      .duplicate = sim_duplicate,
                                      .lock = sim_lock,
                                      .change_mode = sim_change_mode,
                                      .read = sim_read,
                                      .write = sim_write,
                                      .sync = sim_sync,
                                      .close = sim_close,
                                      .rename = sim_rename,
                                      .unlink = sim_unlink};

static ebm_model *model;
static content old_file;
static content new_file;

static int same(const content *a, const content *b) {
    return a->size == b->size && memcmp(a->bytes, b->bytes, (size_t)a->size) == 0;
}

/* A disk with the old file, and maybe a stale temporary one; all of it durable. */
static void start(int stale) {
    memset(&m, 0, sizeof m);
    m.now.inode[TARGET] = 0;
    m.now.inode[TEMPORARY] = stale ? 1 : NO_INODE;
    m.n_inodes = 2;
    m.live[0] = old_file;
    m.live[1].size = 3;
    memcpy(m.durable, m.live, sizeof m.durable);
    m.on_disk = m.now;
}

/* The disk after the machine has stopped: the first `n_changes` changes, and unsynced content by `kept` (0: none, 1:
 * half, 2: all). */
static void restart_after(const machine *at_stop, int n_changes, int kept) {
    m = *at_stop;
    m.now = n_changes == 0 ? m.on_disk : m.changes[n_changes - 1];
    for (int i = 0; i < m.n_inodes; i++) {
        if (kept == 0) {
            m.live[i] = m.durable[i];
        } else if (kept == 1 && !same(&m.live[i], &m.durable[i])) {
            m.live[i].size /= 2;
        }
    }
    memcpy(m.durable, m.live, sizeof m.durable);
    m.on_disk = m.now;
    m.n_changes = 0;
    m.stops_at = 0;
}

static void check_state(const machine *at_stop, int call, int n_changes, int kept) {
    restart_after(at_stop, n_changes, kept);
    int inode = m.now.inode[TARGET];
    if (inode == NO_INODE || !(same(&m.live[inode], &old_file) || same(&m.live[inode], &new_file))) {
        fail_msg("stopped at call %d, %d changes, content kept %d/2: the file is broken", call, n_changes, kept);
    }
    assert_ok(ebm_model_save(model, "disk"));
    assert_true(same(&m.live[m.on_disk.inode[TARGET]], &new_file));
    assert_int_equal(m.on_disk.inode[TEMPORARY], NO_INODE);
}

static void test_machine_stops(void **state) {
    (void)state;
    int n_states = 0;
    ebm__file_use(&calls);
    for (int stale = 0; stale <= 1; stale++) {
        ebm_status status = EBM_ERR_IO;
        for (int call = 1; status != EBM_OK; call++) {
            start(stale);
            m.stops_at = call;
            status = ebm_model_save(model, "disk");
            int done = m.calls < call; /* the save was over before */
            machine at_stop = m;
            for (int n_changes = 0; n_changes <= at_stop.n_changes; n_changes++) {
                for (int kept = 0; kept <= 2; kept++, n_states++) {
                    check_state(&at_stop, call, n_changes, kept);
                }
            }
            if (status == EBM_OK) {
                assert_int_equal(at_stop.n_changes, 0); /* success says that it will last */
                assert_true(same(&at_stop.durable[at_stop.on_disk.inode[TARGET]], &new_file));
            }
            assert_true(status == EBM_OK || !done);
        }
    }
    ebm__file_use(NULL);
    print_message("%d states\n", n_states);
    assert_true(n_states > 100);
}

/* Saves a file full of `value` for real, and reads it. */
static void make_content(float value, content *out) {
    static uint8_t bytes[IO_MOST_BYTES];
    io_set_all(model, value);
    assert_ok(ebm_model_save(model, io_path("a")));
    out->size = io_read(io_path("a"), bytes);
    assert_in_range(out->size, 1, MOST_BYTES);
    memcpy(out->bytes, bytes, (size_t)out->size);
    io_empty_folder();
}

static int set_up(void **state) {
    if (io_make_folder(state) != 0) {
        return -1;
    }
    model = io_model_create(NULL, NULL);
    make_content(1.0F, &old_file);
    make_content(2.0F, &new_file);
    return 0;
}

static int tear_down(void **state) {
    ebm_model_destroy(model);
    return io_remove_folder(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_machine_stops)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: MIT */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"

#define SUFFIX ".tmp"

enum {
    NAME_SIZE = PATH_MAX + sizeof SUFFIX,
    PERMISSIONS = 0777,
    NEW_FILE = 0666,       /* less the umask */
    MOST_AT_ONCE = 1 << 30 /* some systems refuse more in one call */
};

static int system_open(const char *path, int flags, mode_t mode) {
    return open(path, flags, mode);
}

static int system_duplicate(int fd) {
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static int system_lock(int fd) {
    return flock(fd, LOCK_EX | LOCK_NB);
}

const ebm__file_calls ebm__file_system = {.real_path = realpath,
                                          .status_of_name = lstat,
                                          .status = fstat,
                                          .open = system_open,
                                          .duplicate = system_duplicate,
                                          .lock = system_lock,
                                          .change_mode = fchmod,
                                          .read = read,
                                          .seek = lseek,
                                          .write = write,
                                          .sync = fsync,
                                          .close = close,
                                          .rename = rename,
                                          .link = link,
                                          .unlink = unlink};

static _Atomic(const ebm__file_calls *) chosen; /* NULL: the system's */

void ebm__file_use(const ebm__file_calls *calls) {
    atomic_store(&chosen, calls);
}

static const ebm__file_calls *used(void) {
    const ebm__file_calls *calls = atomic_load_explicit(&chosen, memory_order_acquire);
    return calls == NULL ? &ebm__file_system : calls;
}

ebm_status ebm__file_refuse(const char *what, const char *name) {
    char reason[128];
    int error = errno;
    return ebm__fail(EBM_ERR_IO, "cannot %s '%.200s': %s", what, name, strerror_r(error, reason, sizeof reason));
}

/* The same for a file that is open, and that the caller names. */
static ebm_status refuse_open(const char *what) {
    char reason[128];
    int error = errno;
    return ebm__fail(EBM_ERR_IO, "cannot %s: %s", what, strerror_r(error, reason, sizeof reason));
}

/* ---- reading ---- */

ebm_status ebm__file_open(const char *path, ebm__file *file) {
    const ebm__file_calls *calls = used();
    /* O_NONBLOCK: a pipe without a writer is refused below, and not waited for here. */
    file->fd = calls->open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    if (file->fd < 0) {
        return ebm__file_refuse("open", path);
    }
    struct stat status;
    ebm_status result = EBM_OK;
    if (calls->status(file->fd, &status) != 0) {
        result = ebm__file_refuse("look at", path);
    } else if (!S_ISREG(status.st_mode)) {
        result = ebm__fail(EBM_ERR_IO, "not a regular file");
    }
    if (result != EBM_OK) {
        calls->close(file->fd);
        return result;
    }
    file->size = status.st_size;
    return EBM_OK;
}

ebm_status ebm__file_read(const ebm__file *file, void *bytes, int64_t n) {
    const ebm__file_calls *calls = used();
    char *next = bytes;
    while (n > 0) {
        ssize_t got = calls->read(file->fd, next, (size_t)(n < MOST_AT_ONCE ? n : MOST_AT_ONCE));
        if (got > 0) {
            next += got;
            n -= got;
        } else if (got == 0) {
            return ebm__fail(EBM_ERR_IO, "the file has become shorter while it was read");
        } else if (errno != EINTR) {
            return refuse_open("read");
        }
    }
    return EBM_OK;
}

ebm_status ebm__file_skip(const ebm__file *file, int64_t n) {
    return n == 0 || used()->seek(file->fd, (off_t)n, SEEK_CUR) >= 0 ? EBM_OK : refuse_open("seek");
}

void ebm__file_close(const ebm__file *file) {
    used()->close(file->fd);
}

/* ---- replacing ---- */

typedef struct replacement {
    const ebm__file_calls *calls;
    ebm_context *context;
    char target[NAME_SIZE];
    char temporary[NAME_SIZE];
    char folder[NAME_SIZE];
    mode_t mode;
    bool keep_mode;
    int folder_fd;
    int lock_fd; /* a second number for the temporary file: its lock has to last until the file has its final name */
    int fd;
} replacement;

/* Follows links, looks at the file that is there, and makes the other two names. */
static ebm_status find_names(replacement *r, const char *path) {
    if (r->calls->real_path(path, r->target) == NULL) {
        size_t length = strlen(path);
        if (errno == ENOENT && length >= PATH_MAX) {
            errno = ENAMETOOLONG;
        }
        if (errno != ENOENT) {
            return ebm__file_refuse("find", path);
        }
        memcpy(r->target, path, length + 1);
    }
    struct stat status;
    r->mode = NEW_FILE;
    if (r->calls->status_of_name(r->target, &status) == 0) {
        if (!S_ISREG(status.st_mode)) {
            return ebm__fail(EBM_ERR_IO, "not a regular file");
        }
        r->mode = status.st_mode & PERMISSIONS;
        r->keep_mode = true;
    } else if (errno != ENOENT) {
        return ebm__file_refuse("look at", r->target);
    }
    size_t length = strlen(r->target);
    memcpy(r->temporary, r->target, length);
    memcpy(r->temporary + length, SUFFIX, sizeof SUFFIX);
    const char *slash = strrchr(r->target, '/');
    if (slash == NULL) {
        memcpy(r->folder, ".", 2);
    } else {
        memcpy(r->folder, r->target, (size_t)(slash - r->target) + 1); /* with the slash: "/" stays a name */
    }
    return EBM_OK;
}

/*
 * Takes the lock that tells a temporary file at work from a stale one. `own` is set unless another call has the lock,
 * or had it and has put another file at the name since: then the name is that call's business. Where the file system
 * knows no locks, saves of one path must not run side by side.
 */
static ebm_status lock_temporary(replacement *r, int fd, bool *own) {
    *own = r->calls->lock(fd) == 0 || errno != EWOULDBLOCK;
    if (*own) {
        struct stat locked;
        struct stat named;
        if (r->calls->status(fd, &locked) != 0 || r->calls->status_of_name(r->temporary, &named) != 0) {
            return ebm__file_refuse("look at", r->temporary);
        }
        *own = locked.st_ino == named.st_ino && locked.st_dev == named.st_dev;
    }
    return *own ? EBM_OK : ebm__fail(EBM_ERR_IO, "another call is saving to this file ('%.200s')", r->temporary);
}

static ebm_status remove_stale(replacement *r) {
    int fd = r->calls->open(r->temporary, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0);
    if (fd < 0 && errno == ENOENT) {
        return EBM_OK;
    }
    ebm_status status = EBM_OK;
    bool own = true; /* what cannot be opened, a link for one, is no file of a save at work */
    if (fd >= 0) {
        status = lock_temporary(r, fd, &own);
    }
    if (status == EBM_OK && r->calls->unlink(r->temporary) != 0) {
        status = ebm__file_refuse("remove", r->temporary);
    }
    if (fd >= 0) {
        r->calls->close(fd);
    }
    if (status == EBM_OK) {
        ebm__log(r->context, EBM_LOG_WARNING, "removed '%s', which a save that was cut off had left", r->temporary);
    }
    return status;
}

/* Makes the temporary file; `own` says whether it has to be removed when this or anything later fails. */
static ebm_status create_temporary(replacement *r, bool *own) {
    *own = false;
    r->fd = r->calls->open(r->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, r->mode);
    if (r->fd < 0) {
        return ebm__file_refuse("create", r->temporary);
    }
    EBM__TRY(lock_temporary(r, r->fd, own));
    r->lock_fd = r->calls->duplicate(r->fd);
    if (r->lock_fd < 0) {
        return ebm__file_refuse("duplicate the descriptor of", r->temporary);
    }
    struct stat status;
    if (r->calls->status(r->fd, &status) != 0) {
        return ebm__file_refuse("look at", r->temporary);
    }
    if (r->keep_mode && (status.st_mode & PERMISSIONS) != r->mode && r->calls->change_mode(r->fd, r->mode) != 0) {
        return ebm__file_refuse("set the permissions of", r->temporary);
    }
    return EBM_OK;
}

static ebm_status write_piece(replacement *r, const ebm__piece *piece) {
    const char *next = piece->bytes;
    int64_t n = piece->n;
    while (n > 0) {
        ssize_t done = r->calls->write(r->fd, next, (size_t)(n < MOST_AT_ONCE ? n : MOST_AT_ONCE));
        if (done > 0) {
            next += done;
            n -= done;
        } else if (done == 0 || errno != EINTR) {
            errno = done == 0 ? EIO : errno;
            return ebm__file_refuse("write", r->temporary);
        }
    }
    return EBM_OK;
}

static ebm_status put_in_place(replacement *r, int64_t n_pieces, const ebm__piece *pieces, int32_t keep_last) {
    for (int64_t i = 0; i < n_pieces; i++) {
        EBM__TRY(write_piece(r, &pieces[i]));
    }
    if (r->calls->sync(r->fd) != 0) {
        return ebm__file_refuse("sync", r->temporary);
    }
    int fd = r->fd;
    r->fd = -1;
    if (r->calls->close(fd) != 0 && errno != EINTR) { /* after EINTR it is closed, and it was synced before */
        return ebm__file_refuse("close", r->temporary);
    }
    EBM__TRY(ebm__file_keep(r->calls, r->target, keep_last));
    return r->calls->rename(r->temporary, r->target) == 0 ? EBM_OK : ebm__file_refuse("replace", r->target);
}

static ebm_status replace(replacement *r, const char *path, int64_t n_pieces, const ebm__piece *pieces,
                          int32_t keep_last) {
    EBM__TRY(find_names(r, path));
    r->folder_fd = r->calls->open(r->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (r->folder_fd < 0) {
        return ebm__file_refuse("open the directory", r->folder);
    }
    EBM__TRY(remove_stale(r));
    bool own;
    ebm_status status = create_temporary(r, &own);
    if (status == EBM_OK) {
        status = put_in_place(r, n_pieces, pieces, keep_last);
    }
    if (status != EBM_OK) {
        if (own) {
            r->calls->unlink(r->temporary); /* while it is locked; what stays after a failure here is stale */
        }
        return status;
    }
    if (r->calls->sync(r->folder_fd) != 0) {
        ebm__file_refuse("sync the directory", r->folder);
        return ebm__fail_within(EBM_ERR_DURABILITY, "the new file is in place, but: ");
    }
    return EBM_OK;
}

ebm_status ebm__file_replace(ebm_context *context, const char *path, int64_t n_pieces, const ebm__piece *pieces,
                             int32_t keep_last) {
    replacement *r;
    EBM__TRY(ebm__alloc(context, 1, sizeof *r, "the names of files", &r));
    r->calls = used();
    r->context = context;
    r->folder_fd = r->lock_fd = r->fd = -1;
    ebm_status status = replace(r, path, n_pieces, pieces, keep_last);
    const int open_ones[] = {r->fd, r->lock_fd, r->folder_fd};
    for (int i = 0; i < 3; i++) {
        if (open_ones[i] >= 0) {
            r->calls->close(open_ones[i]);
        }
    }
    ebm__free(context, r);
    return status;
}

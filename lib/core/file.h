/* SPDX-License-Identifier: MIT */
/*
 * Files: reading from the front to the back, and replacing a file as a whole so that neither a failure nor a crash
 * leaves half of it. Messages name neither the caller nor the file: whoever calls puts both before them
 * (ebm__fail_within).
 */
#ifndef EBM_CORE_FILE_H
#define EBM_CORE_FILE_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <ebm/context.h>

/* The calls of the system, with its meanings; lock is flock(fd, LOCK_EX | LOCK_NB). */
typedef struct ebm__file_calls {
    char *(*real_path)(const char *path, char *resolved);
    int (*status_of_name)(const char *path, struct stat *status); /* of the link itself, if it is one */
    int (*status)(int fd, struct stat *status);
    int (*open)(const char *path, int flags, mode_t mode);
    int (*duplicate)(int fd); /* closed on exec */
    int (*lock)(int fd);
    int (*change_mode)(int fd, mode_t mode);
    ssize_t (*read)(int fd, void *bytes, size_t n);
    off_t (*seek)(int fd, off_t offset, int whence);
    ssize_t (*write)(int fd, const void *bytes, size_t n);
    int (*sync)(int fd);
    int (*close)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*link)(const char *from, const char *to);
    int (*unlink)(const char *path);
} ebm__file_calls;

/* The system's own. */
extern const ebm__file_calls ebm__file_system;
/* Puts other calls in their place (NULL: the system's again). For tests, which simulate failures and crashes. */
void ebm__file_use(const ebm__file_calls *calls);

/* EBM_ERR_IO: what could not be done, with which file, and errno's reason. */
ebm_status ebm__file_refuse(const char *what, const char *name);

/* A file that is open for reading. */
typedef struct ebm__file {
    int fd;
    int64_t size;
} ebm__file;

/* Opens a regular file. EBM_ERR_IO. */
ebm_status ebm__file_open(const char *path, ebm__file *file);
/* Reads the next n bytes, all of them. EBM_ERR_IO, also when the file ends before. */
ebm_status ebm__file_read(const ebm__file *file, void *bytes, int64_t n);
/* Passes over the next n bytes. EBM_ERR_IO. */
ebm_status ebm__file_skip(const ebm__file *file, int64_t n);
void ebm__file_close(const ebm__file *file);

/* Bytes that stand somewhere in memory. */
typedef struct ebm__piece {
    const void *bytes;
    int64_t n;
} ebm__piece;

/*
 * Makes the pieces, one after the other, the content of the file at `path`, which is at every moment the old file or
 * the new one, whole: the content goes into `<path>.tmp`, which is synced and renamed, and then the directory is
 * synced.
 *
 * A `.tmp` that a killed process has left is removed first; a lock tells it from that of a save at work, which is
 * refused. Links are followed: the file that they lead to is replaced (and has the `.tmp` beside it). An existing
 * file's permission bits are kept; a new one has 0666 & ~umask. What is there and is not a regular file is refused. A
 * failed fsync is not tried again, not even after EINTR: the kernel reports a lost page once only, so a second,
 * successful one would prove nothing.
 *
 * EBM_ERR_IO: the old file is as it was. EBM_ERR_DURABILITY: the new file is in place, but syncing the directory
 * failed.
 *
 * `keep_last` > 1: when the new content is on the disk, the old one becomes <path>.1, that <path>.2, and so on, so that
 * the last keep_last contents are there.
 */
ebm_status ebm__file_replace(ebm_context *context, const char *path, int64_t n_pieces, const ebm__piece *pieces,
                             int32_t keep_last);

/* file_keep.c: makes room at `target` for a new content. On failure the target is still there. */
ebm_status ebm__file_keep(const ebm__file_calls *calls, const char *target, int32_t keep_last);

#endif /* EBM_CORE_FILE_H */

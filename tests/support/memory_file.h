/* SPDX-License-Identifier: MIT */
/* One file that exists in memory only, under every name, for reading. */
#ifndef EBM_TEST_MEMORY_FILE_H
#define EBM_TEST_MEMORY_FILE_H

#include <stdint.h>
#include <string.h>

#include "core/file.h"

static const uint8_t *memory_file_bytes;
static int64_t memory_file_size;
static int64_t memory_file_at;

static inline int memory_file_open(const char *path, int flags, mode_t mode) {
    (void)path;
    (void)flags;
    (void)mode;
    memory_file_at = 0;
    return 1000;
}

static inline int memory_file_status(int fd, struct stat *status) {
    (void)fd;
    memset(status, 0, sizeof *status);
    status->st_mode = S_IFREG | 0600;
    status->st_size = (off_t)memory_file_size;
    return 0;
}

static inline ssize_t memory_file_read(int fd, void *bytes, size_t n) {
    (void)fd;
    int64_t left = memory_file_size - memory_file_at;
    int64_t got = (int64_t)n < left ? (int64_t)n : left;
    if (got > 0) {
        memcpy(bytes, memory_file_bytes + memory_file_at, (size_t)got);
        memory_file_at += got;
    }
    return (ssize_t)got;
}

static inline off_t memory_file_seek(int fd, off_t offset, int whence) {
    (void)fd;
    (void)whence; /* from where it is */
    memory_file_at += (int64_t)offset;
    return (off_t)memory_file_at;
}

static inline int memory_file_close(int fd) {
    (void)fd;
    return 0;
}

/* From now on every file has this content; NULL: files are files again. */
static inline void memory_file_use(const uint8_t *bytes, int64_t size) {
    static ebm__file_calls calls;
    calls = ebm__file_system;
    calls.open = memory_file_open;
    calls.status = memory_file_status;
    calls.read = memory_file_read;
    calls.seek = memory_file_seek;
    calls.close = memory_file_close;
    memory_file_bytes = bytes;
    memory_file_size = size;
    ebm__file_use(bytes == NULL ? NULL : &calls);
}

#endif /* EBM_TEST_MEMORY_FILE_H */

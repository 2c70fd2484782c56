/* SPDX-License-Identifier: MIT */
#include "core/append.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/memory.h"

static ebm_status refuse(const char *what) {
    char reason[128];
    int error = errno;
    return ebm__fail(EBM_ERR_IO, "cannot %s: %s", what, strerror_r(error, reason, sizeof reason));
}

ebm_status ebm__append_open(const char *path, int *fd) {
    struct stat status;
    *fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    if (*fd < 0) {
        return refuse("open");
    }
    if (fstat(*fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(*fd);
        return ebm__fail(EBM_ERR_IO, "not a regular file");
    }
    return EBM_OK;
}

void ebm__append_close(int fd) {
    close(fd);
}

ebm_status ebm__append_line(int fd, const char *line, int64_t n) {
    while (n > 0) {
        ssize_t done = write(fd, line, (size_t)n);
        if (done > 0) {
            line += done;
            n -= done;
        } else if (done == 0 || errno != EINTR) {
            return refuse("write");
        }
    }
    return EBM_OK;
}

ebm_status ebm__append_first_line(int fd, char line[EBM__LINE_SHOWN]) {
    ssize_t got;
    do {
        got = pread(fd, line, EBM__LINE_SHOWN - 1, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return refuse("read");
    }
    line[got] = 0;
    line[strcspn(line, "\n")] = 0;
    return EBM_OK;
}

/* What has been seen of a file. */
typedef struct scan {
    char line[EBM__LINE_SHOWN]; /* the beginning of the present line */
    int64_t n_line;
    int64_t n_lines;
    int64_t end; /* of the lines that stay */
} scan;

/* Takes the next bytes, which stand at `offset`. False after the last line that stays. */
static bool take(scan *s, const char *bytes, int64_t n, int64_t offset, ebm__line_stays_fn stays, void *data) {
    for (int64_t i = 0; i < n; i++) {
        if (bytes[i] != '\n') {
            s->line[s->n_line] = bytes[i];
            s->n_line += s->n_line < EBM__LINE_SHOWN - 1;
            continue;
        }
        s->line[s->n_line] = 0;
        s->n_line = 0;
        if (!stays(s->n_lines, s->line, data)) {
            return false;
        }
        s->n_lines++;
        s->end = offset + i + 1;
    }
    return true;
}

ebm_status ebm__append_cut(ebm_context *context, int fd, ebm__line_stays_fn stays, void *data, int64_t *n_lines) {
    enum { BLOCK = 1 << 16 };
    char *bytes;
    scan s = {.n_lines = 0};
    int64_t offset = 0;
    EBM__TRY(ebm__alloc(context, BLOCK, 1, "lines of a file", &bytes));
    ssize_t got;
    do {
        got = pread(fd, bytes, BLOCK, offset);
    } while ((got < 0 && errno == EINTR) ||
             (got > 0 && take(&s, bytes, got, offset, stays, data) && (offset += got) > 0));
    ebm__free(context, bytes);
    if (got < 0) {
        return refuse("read");
    }
    *n_lines = s.n_lines;
    return ftruncate(fd, s.end) == 0 ? EBM_OK : refuse("cut");
}

/* SPDX-License-Identifier: MIT */
/* A file of lines that grows at its end, and can be cut. As in core/file.h, messages name neither caller nor file. */
#ifndef EBM_CORE_APPEND_H
#define EBM_CORE_APPEND_H

#include <stdbool.h>
#include <stdint.h>

#include <ebm/context.h>

/* Opens a regular file, or makes an empty one. EBM_ERR_IO. */
ebm_status ebm__append_open(const char *path, int *fd);
void ebm__append_close(int fd);

/* Writes a line's bytes at the end of the file. EBM_ERR_IO: a part of it may be there. */
ebm_status ebm__append_line(int fd, const char *line, int64_t n);

enum { EBM__LINE_SHOWN = 256 };

/* The beginning of the file's first line, as far as it goes: empty when there is none. */
ebm_status ebm__append_first_line(int fd, char line[EBM__LINE_SHOWN]);

/*
 * Shows the file's lines, without their ends and no more than their first bytes, one after the other as long as they
 * are to stay, and cuts the file behind the last that does. A line without an end does not. *n_lines: those that stay.
 */
typedef bool (*ebm__line_stays_fn)(int64_t number, const char *line, void *data);
ebm_status ebm__append_cut(ebm_context *context, int fd, ebm__line_stays_fn stays, void *data, int64_t *n_lines);

#endif /* EBM_CORE_APPEND_H */

/* SPDX-License-Identifier: MIT */
/* Older contents of a file that is replaced: <path>.1 is the one before, <path>.2 the one before that. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "core/error.h"
#include "core/file.h"

enum { NAME_SIZE = PATH_MAX + 16 };

static void name_older(const char *target, int32_t age, char name[NAME_SIZE]) {
    snprintf(name, NAME_SIZE, "%.*s.%d", PATH_MAX, target, age);
}

/* A second name, so that the first is there at every moment; a new name where the file system has no such links. */
static ebm_status keep_present(const ebm__file_calls *calls, const char *target) {
    char first[NAME_SIZE];
    name_older(target, 1, first);
    if (calls->unlink(first) != 0 && errno != ENOENT) {
        return ebm__file_refuse("remove", first);
    }
    if (calls->link(target, first) == 0 || errno == ENOENT) {
        return EBM_OK;
    }
    return calls->rename(target, first) == 0 || errno == ENOENT ? EBM_OK
                                                                : ebm__file_refuse("keep the old file as", first);
}

ebm_status ebm__file_keep(const ebm__file_calls *calls, const char *target, int32_t keep_last) {
    char younger[NAME_SIZE];
    char older[NAME_SIZE];
    for (int32_t age = keep_last - 1; age > 1; age--) {
        name_older(target, age - 1, younger);
        name_older(target, age, older);
        if (calls->rename(younger, older) != 0 && errno != ENOENT) {
            return ebm__file_refuse("rename", younger);
        }
    }
    return keep_last > 1 ? keep_present(calls, target) : EBM_OK;
}

/* SPDX-License-Identifier: MIT */
/*
 * The tensors that a file has, or must have, and where their numbers stand in memory: one list serves saving and
 * loading. Loading goes in two rounds: all tensors are matched with the file's, then their numbers are copied.
 */
#ifndef EBM_IO_TENSOR_LIST_H
#define EBM_IO_TENSOR_LIST_H

#include <stdint.h>

#include "io/dtype.h"
#include "io/tensor_file.h"

/* What numbers may be: checked when they are saved, so that they can be loaded, and when they are loaded. */
enum {
    EBM__ANY,
    EBM__FINITE,
    EBM__ENERGY, /* finite or +infinity */
    EBM__SHARE,  /* 0 to 1 */
    EBM__COUNT,  /* 0 to 2^62: one more fits too */
    EBM__FLAG,   /* 0 or 1: a bool */
    EBM__ONE_OF_3, /* 0 to 2 */
    EBM__ONE_OF_8  /* 0 to 7 */
};

typedef struct ebm__tensor_place {
    const char *group, *name;
    int32_t dtype; /* of io/dtype.h */
    int32_t check;
    int32_t rank;
    int64_t shape[EBM__SAFETENSORS_MOST_RANK];
    void *values;                        /* NULL while only the shape matters */
    const ebm__safetensors_entry *entry; /* once matched */
} ebm__tensor_place;

typedef struct ebm__tensor_list {
    ebm_context *context;
    int64_t n, room;
    ebm__tensor_place *places;
} ebm__tensor_list;

/* Appends a tensor; its names must outlive the list. EBM_ERR_NOMEM. */
ebm_status ebm__tensor_list_add(ebm__tensor_list *list, const ebm__tensor_place *place);
void ebm__tensor_list_clear(ebm__tensor_list *list);

int64_t ebm__tensor_count(const ebm__tensor_place *place);
int64_t ebm__tensor_bytes(const ebm__tensor_place *place);

/* All their numbers, one after the other, as they stand in memory: how many bytes; to there; and from there. */
int64_t ebm__tensor_list_bytes(const ebm__tensor_list *list);
void ebm__tensor_list_pack(const ebm__tensor_list *list, uint8_t *packed);
void ebm__tensor_list_unpack(const ebm__tensor_list *list, const uint8_t *packed);
/* May the list's tensors have these numbers? Errors as of ebm__tensor_list_copy. */
ebm_status ebm__tensor_list_check(const ebm__tensor_list *list, const uint8_t *packed);

/* Saves all tensors at `path`, as ebm__file_replace does. EBM_ERR_NONFINITE names a tensor that must not be saved. */
ebm_status ebm__tensor_list_save(const ebm__tensor_list *list, const char *path, int32_t keep_last);

/* Finds every tensor of the list in the file. EBM_ERR_MISMATCH names the first that differs. */
ebm_status ebm__tensor_list_match(ebm__tensor_list *list, ebm__tensor_file *file);
/*
 * Copies the file's numbers to their places, once. EBM_ERR_NONFINITE, and EBM_ERR_FORMAT where an integer is out of
 * range, name the tensor; some places have been written then.
 */
ebm_status ebm__tensor_list_copy(const ebm__tensor_list *list, ebm__tensor_file *file);

#endif /* EBM_IO_TENSOR_LIST_H */

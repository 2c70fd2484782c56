/* SPDX-License-Identifier: MIT */
/* The types of numbers that a safetensors file may hold. */
#ifndef EBM_IO_DTYPE_H
#define EBM_IO_DTYPE_H

#include <stdint.h>

/* Places in ebm__dtypes. */
enum {
    EBM__DTYPE_U8,
    EBM__DTYPE_I32,
    EBM__DTYPE_F32,
    EBM__DTYPE_I64,
    EBM__DTYPE_U64,
    EBM__DTYPE_F64, /* up to here: those that are written here */
    EBM__N_DTYPES = 15
};

typedef struct ebm__dtype {
    const char *name; /* in files */
    int64_t bytes;
} ebm__dtype;

extern const ebm__dtype ebm__dtypes[EBM__N_DTYPES];

#endif /* EBM_IO_DTYPE_H */

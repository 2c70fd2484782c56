/* SPDX-License-Identifier: MIT */
#include "io/dtype.h"

const ebm__dtype ebm__dtypes[EBM__N_DTYPES] = {
    [EBM__DTYPE_U8] = {"U8", 1},
    [EBM__DTYPE_I32] = {"I32", 4},
    [EBM__DTYPE_F32] = {"F32", 4},
    [EBM__DTYPE_I64] = {"I64", 8},
    [EBM__DTYPE_U64] = {"U64", 8},
    [EBM__DTYPE_F64] = {"F64", 8},
    {"BOOL", 1}, {"I8", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1},
    {"I16", 2}, {"U16", 2}, {"F16", 2}, {"BF16", 2}, {"U32", 4}};

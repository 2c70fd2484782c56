/* SPDX-License-Identifier: MIT */
/*
 * The loops as built for each width; NULL where the build has none. Whether the processor runs them is another
 * question.
 */
#ifndef EBM_CORE_SIMD_TABLES_H
#define EBM_CORE_SIMD_TABLES_H

#include "core/simd.h"

const ebm__simd *ebm__simd_baseline(void);
const ebm__simd *ebm__simd_avx2(void);
const ebm__simd *ebm__simd_avx512(void);

#endif /* EBM_CORE_SIMD_TABLES_H */

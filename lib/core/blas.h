/* SPDX-License-Identifier: MIT */
/* The matrix products that the library needs, in row-major order; blas.c alone knows CBLAS, whose sizes are 32 bits. */
#ifndef EBM_CORE_BLAS_H
#define EBM_CORE_BLAS_H

#include <stdbool.h>
#include <stdint.h>

/* The largest size that a matrix may have in one direction. */
#define EBM__BLAS_MAX ((int64_t)INT32_MAX)

/* c (m x n) = op(a) (m x k) * op(b) (k x n) + beta * c. Every size is 1 to EBM__BLAS_MAX. All are contiguous. */
void ebm__gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a, const float *b,
               float beta, float *c);

#endif /* EBM_CORE_BLAS_H */

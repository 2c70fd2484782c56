/* SPDX-License-Identifier: MIT */
/*
 * A small Fourier transform, for autocovariances alone: its frequencies stand in bit-reversed order, which those do
 * not see.
 */
#ifndef EBM_EVALUATE_FFT_H
#define EBM_EVALUATE_FFT_H

#include <stdint.h>

/*
 * The roots of unity for all stages of transforms of n, a power of 2: entry h + j is exp(-i pi j / h), h = 1, 2, 4 ..
 * n / 2, j < h.
 */
void ebm__fft_roots(int64_t n, double *cosine, double *sine);

/* In place. Frequencies come out in bit-reversed order. */
void ebm__fft_forward(int64_t n, const double *cosine, const double *sine, double *re, double *im);

/* In place, from bit-reversed frequencies, without the division by n. */
void ebm__fft_backward(int64_t n, const double *cosine, const double *sine, double *re, double *im);

#endif /* EBM_EVALUATE_FFT_H */

/* SPDX-License-Identifier: MIT */
/*
 * Cooley and Tukey (1965), radix 2: forwards with decimation in frequency (Gentleman and Sande 1966), backwards with
 * decimation in time. The one ends in the order in which the other begins, so nothing is ever reordered.
 */
#include "evaluate/fft.h"

#include <math.h>

static const double PI = 3.14159265358979323846;

void ebm__fft_roots(int64_t n, double *cosine, double *sine) {
    for (int64_t half = 1; half < n; half *= 2) {
        for (int64_t j = 0; j < half; j++) {
            double angle = PI * (double)j / (double)half;
            cosine[half + j] = cos(angle);
            sine[half + j] = -sin(angle);
        }
    }
}

static void forward_stage(int64_t half, const double *restrict c, const double *restrict s, double *restrict re0,
                          double *restrict im0, double *restrict re1, double *restrict im1) {
    for (int64_t j = 0; j < half; j++) {
        double re = re0[j] - re1[j];
        double im = im0[j] - im1[j];
        re0[j] += re1[j];
        im0[j] += im1[j];
        re1[j] = re * c[j] - im * s[j];
        im1[j] = re * s[j] + im * c[j];
    }
}

static void backward_stage(int64_t half, const double *restrict c, const double *restrict s, double *restrict re0,
                           double *restrict im0, double *restrict re1, double *restrict im1) {
    for (int64_t j = 0; j < half; j++) {
        double re = re1[j] * c[j] + im1[j] * s[j];
        double im = im1[j] * c[j] - re1[j] * s[j];
        re1[j] = re0[j] - re;
        im1[j] = im0[j] - im;
        re0[j] += re;
        im0[j] += im;
    }
}

void ebm__fft_forward(int64_t n, const double *cosine, const double *sine, double *re, double *im) {
    for (int64_t half = n / 2; half >= 1; half /= 2) {
        for (int64_t i = 0; i < n; i += 2 * half) {
            forward_stage(half, cosine + half, sine + half, re + i, im + i, re + i + half, im + i + half);
        }
    }
}

void ebm__fft_backward(int64_t n, const double *cosine, const double *sine, double *re, double *im) {
    for (int64_t half = 1; half < n; half *= 2) {
        for (int64_t i = 0; i < n; i += 2 * half) {
            backward_stage(half, cosine + half, sine + half, re + i, im + i, re + i + half, im + i + half);
        }
    }
}

/* SPDX-License-Identifier: MIT */
/* What chains of one scalar say about themselves: spread within and between, and how long they remember. */
#ifndef EBM_EVALUATE_CHAINS_H
#define EBM_EVALUATE_CHAINS_H

#include <stdbool.h>
#include <stdint.h>

/* Lags that are summed one by one, before a Fourier transform gives all the others at once: what costs less. */
enum { EBM__DIRECT_LAGS = 32 };

/* An even number of chains, each of n values in a row, one after the other; and memory to work in. */
typedef struct ebm__chains {
    int64_t n_chains, n;
    double *v;

    int64_t n_fft;         /* the transform's length; the five arrays below have this size */
    double *cosine, *sine; /* its roots, once `roots_made` */
    double *re, *im, *power;
    bool roots_made;

    double direct[EBM__DIRECT_LAGS]; /* mean autocovariances, at lags below n_direct */
    int64_t n_direct;
    bool transformed; /* `re` has them at all lags */

    double within;  /* W: mean of the chains' variances */
    double between; /* B / n: variance of the chains' means */
} ebm__chains;

/* The transform's length for chains of n values: a power of 2, long enough that nothing wraps around. */
int64_t ebm__chains_fft_length(int64_t n);

/*
 * To be called whenever v has been filled: finds `within` and `between`, and takes each chain's mean from its values.
 */
void ebm__chains_center(ebm__chains *chains);

/*
 * R-hat of the centred chains, Vehtari et al. (2021), eq. 4. NaN when all values are equal, +infinity when only W is
 * 0.
 */
double ebm__chains_rhat(const ebm__chains *chains);

/* How many values weigh as one independent value: n_chains n / ESS. NaN when all are equal. n is at least 6. */
double ebm__chains_autocorrelation_time(ebm__chains *chains);

#endif /* EBM_EVALUATE_CHAINS_H */

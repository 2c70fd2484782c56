/* SPDX-License-Identifier: MIT */
/*
 * R-hat and autocorrelation times as in Vehtari, Gelman, Simpson, Carpenter and Buerkner, "Rank-normalization,
 * folding, and localization: an improved R-hat for assessing convergence of MCMC", Bayesian Analysis 16 (2021): "the
 * paper" below.
 */
#include "evaluate/chains.h"

#include <math.h>
#include <string.h>

#include "evaluate/fft.h"

enum { LAGS_AT_ONCE = 16 };

int64_t ebm__chains_fft_length(int64_t n) {
    int64_t length = 1;
    while (length < 2 * n) {
        length *= 2;
    }
    return length;
}

/*
 * Measured from the first value, so that a chain that does not move has a variance of exactly 0. Sums in lanes fill
 * vectors.
 */
static double center(int64_t n, double *v, double *square) {
    enum { LANES = 4 };
    double lane[LANES] = {0};
    double first = v[0];
    int64_t whole = n - n % LANES;
    for (int64_t i = 0; i < whole; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            v[i + j] -= first;
            lane[j] += v[i + j];
        }
    }
    double mean = (lane[0] + lane[2]) + (lane[1] + lane[3]);
    for (int64_t i = whole; i < n; i++) {
        v[i] -= first;
        mean += v[i];
    }
    mean /= (double)n;
    memset(lane, 0, sizeof lane);
    for (int64_t i = 0; i < whole; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            v[i + j] -= mean;
            lane[j] += v[i + j] * v[i + j];
        }
    }
    *square = (lane[0] + lane[2]) + (lane[1] + lane[3]);
    for (int64_t i = whole; i < n; i++) {
        v[i] -= mean;
        *square += v[i] * v[i];
    }
    return first + mean;
}

void ebm__chains_center(ebm__chains *chains) {
    double within = 0;
    double mean_of_means = 0;
    double between = 0;
    for (int64_t c = 0; c < chains->n_chains; c++) {
        double square;
        double mean = center(chains->n, chains->v + c * chains->n, &square);
        double delta = mean - mean_of_means;
        mean_of_means += delta / (double)(c + 1); /* Welford 1962 */
        between += delta * (mean - mean_of_means);
        within += square;
    }
    chains->within = within / ((double)chains->n_chains * (double)(chains->n - 1));
    chains->between = between / (double)(chains->n_chains - 1);
    chains->n_direct = 0;
    chains->transformed = false;
}

/* The paper's var+, eq. 3. */
static double total_variance(const ebm__chains *chains) {
    return chains->within * (double)(chains->n - 1) / (double)chains->n + chains->between;
}

double ebm__chains_rhat(const ebm__chains *chains) {
    return sqrt(total_variance(chains) / chains->within);
}

/*
 * Two doubles: what the plainest vectors of the machine hold. Left alone, compilers lay these loops out the other way
 * round.
 */
typedef double pair __attribute__((vector_size(2 * sizeof(double))));
enum { PAIRS = LAGS_AT_ONCE / 2 };

/* sum[j] += v[i] v[i + lag + j] over all i < count. */
static void add_whole_products(int64_t count, const double *v, int64_t lag, double sum[LAGS_AT_ONCE]) {
    pair part[PAIRS];
    memcpy(part, sum, sizeof part);
    for (int64_t i = 0; i < count; i++) {
        const pair now = {v[i], v[i]};
        for (int j = 0; j < PAIRS; j++) {
            pair later;
            memcpy(&later, v + i + lag + 2 * j, sizeof later);
            part[j] += now * later;
        }
    }
    memcpy(sum, part, sizeof part);
}

/* The same over all pairs that a chain of n has. */
static void add_products(int64_t n, const double *v, int64_t lag, double sum[LAGS_AT_ONCE]) {
    int64_t whole = n - lag - (LAGS_AT_ONCE - 1);
    whole = whole > 0 ? whole : 0;
    add_whole_products(whole, v, lag, sum);
    for (int64_t i = whole; i < n - lag; i++) {
        for (int j = 0; j < n - lag - i; j++) {
            sum[j] += v[i] * v[i + lag + j];
        }
    }
}

/*
 * The autocovariance is the transform of the power spectrum (Wiener and Khinchin), and its mean that of the mean
 * spectrum. Two chains share a transform, as the real and the imaginary part: what mixes them in the spectrum is odd,
 * and ends up in the imaginary part.
 */
static void transform(ebm__chains *chains) {
    int64_t n = chains->n_fft;
    if (!chains->roots_made) {
        ebm__fft_roots(n, chains->cosine, chains->sine);
        chains->roots_made = true;
    }
    memset(chains->power, 0, (size_t)n * sizeof *chains->power);
    for (int64_t c = 0; c < chains->n_chains; c += 2) {
        size_t bytes = (size_t)chains->n * sizeof(double);
        memset(chains->re, 0, (size_t)n * sizeof *chains->re);
        memset(chains->im, 0, (size_t)n * sizeof *chains->im);
        memcpy(chains->re, chains->v + c * chains->n, bytes);
        memcpy(chains->im, chains->v + (c + 1) * chains->n, bytes);
        ebm__fft_forward(n, chains->cosine, chains->sine, chains->re, chains->im);
        for (int64_t i = 0; i < n; i++) {
            chains->power[i] += chains->re[i] * chains->re[i] + chains->im[i] * chains->im[i];
        }
    }
    memcpy(chains->re, chains->power, (size_t)n * sizeof *chains->re);
    memset(chains->im, 0, (size_t)n * sizeof *chains->im);
    ebm__fft_backward(n, chains->cosine, chains->sine, chains->re, chains->im);
    double scale = 1 / ((double)n * (double)chains->n_chains * (double)chains->n);
    for (int64_t i = 0; i < chains->n; i++) {
        chains->re[i] *= scale;
    }
    chains->transformed = true;
}

/* The chains' mean autocovariance at a lag below n, with the divisor n at all lags. */
static double autocovariance(ebm__chains *chains, int64_t lag) {
    if (lag >= EBM__DIRECT_LAGS) {
        if (!chains->transformed) {
            transform(chains);
        }
        return chains->re[lag];
    }
    while (lag >= chains->n_direct) {
        double sum[LAGS_AT_ONCE] = {0};
        for (int64_t c = 0; c < chains->n_chains; c++) {
            add_products(chains->n, chains->v + c * chains->n, chains->n_direct, sum);
        }
        for (int j = 0; j < LAGS_AT_ONCE; j++) {
            chains->direct[chains->n_direct + j] = sum[j] / ((double)chains->n_chains * (double)chains->n);
        }
        chains->n_direct += LAGS_AT_ONCE;
    }
    return chains->direct[lag];
}

/* The paper's rho_t, eq. 10. */
static double autocorrelation(ebm__chains *chains, int64_t lag) {
    return 1 - (chains->within - autocovariance(chains, lag)) / total_variance(chains);
}

/*
 * Eq. 11 to 13: tau = -1 + 2 sum of the pairs P_k = rho_2k + rho_(2k+1), up to the first that is not positive, and
 * none larger than the one before (Geyer 1992, initial monotone sequence). The even half of the pair that ends the
 * sum is counted once, as in Stan and in the R package `posterior`: it lowers the variance for antithetic chains.
 * Their upper limit on ESS is taken over too: S log10(S).
 */
double ebm__chains_autocorrelation_time(ebm__chains *chains) {
    if (!(total_variance(chains) > 0)) {
        return (double)NAN;
    }
    double even = 1;
    double odd = autocorrelation(chains, 1);
    double sum = 0;
    double least = (double)INFINITY;
    for (int64_t lag = 0; lag < chains->n - 5 && even + odd > 0;) {
        least = fmin(least, even + odd);
        sum += least;
        lag += 2;
        even = autocorrelation(chains, lag);
        odd = autocorrelation(chains, lag + 1);
    }
    double last = even > 0 || even + odd >= 0 ? even : 0;
    double total = (double)chains->n_chains * (double)chains->n;
    return fmax(-1 + 2 * sum + last, 1 / log10(total));
}

/* SPDX-License-Identifier: MIT */
/* The sections and equations are those of Vehtari et al. (2021), see chains.c. */
#include "evaluate/column.h"

#include <math.h>
#include <string.h>

#include "evaluate/sort.h"
#include "evaluate/special.h"

static const double UNKNOWN = (double)NAN;

void ebm__column_scores(int64_t split, double *scores) {
    for (int64_t i = 0; i < 2 * split - 1; i++) {
        double rank = (double)i / 2 + 1;
        scores[i] = ebm__normal_quantile((rank - 0.375) / ((double)split + 0.25));
    }
}

/* --- order -------------------------------------------------------------------------------------------------------- */

static int64_t place_of(uint64_t key) {
    return (int64_t)(key & UINT32_MAX);
}

static double value_of(uint64_t key) {
    return (double)ebm__float_of_order((uint32_t)(key >> 32));
}

static void sort_draws(ebm__column *column) {
    for (int64_t i = 0; i < column->total; i++) {
        column->order[i] = (uint64_t)ebm__order_of_float(column->x[i]) << 32 | (uint64_t)i;
    }
    ebm__sort(column->total, column->order, column->spare, 4, 8);
}

/*
 * Linear between the two order statistics around place (S - 1) p: type 7 of Hyndman and Fan (1996), as in R and
 * numpy.
 */
static double quantile(const ebm__column *column, double p) {
    double place = (double)(column->total - 1) * p;
    int64_t below = (int64_t)place;
    int64_t above = below + 1 < column->total ? below + 1 : below;
    double low = value_of(column->order[below]);
    return low + (place - (double)below) * (value_of(column->order[above]) - low);
}

/* |x - m| as an integer in the same order, which is its bits; beyond the ends of the list, the largest. */
static int64_t distance_at(const ebm__column *column, int64_t i, double middle) {
    if (i < 0 || i >= column->total) {
        return INT64_MAX;
    }
    double distance = fabs(value_of(column->order[i]) - middle);
    int64_t bits;
    memcpy(&bits, &distance, sizeof bits);
    return bits;
}

/*
 * Keys of |x - m|, in order: x falling from m and x rising from it are two sorted lists, which are merged. Ties get
 * one number. Masks choose, for a branch would be guessed wrong half the time.
 */
static void fold(const ebm__column *column, uint64_t *folded) {
    double middle = quantile(column, 0.5);
    int64_t rising = 0;
    while (rising < column->total && value_of(column->order[rising]) < middle) {
        rising++;
    }
    int64_t falling = rising - 1;
    uint64_t number = 0;
    int64_t last = -1;
    for (int64_t i = 0; i < column->total; i++) {
        int64_t down = distance_at(column, falling, middle);
        int64_t up = distance_at(column, rising, middle);
        int64_t fell = -(int64_t)(down < up); /* all bits, or none */
        int64_t distance = up ^ ((up ^ down) & fell);
        int64_t from = rising ^ ((rising ^ falling) & fell);
        falling += fell;
        rising += 1 + fell;
        number += distance > last;
        last = distance;
        folded[i] = number << 32 | (uint64_t)place_of(column->order[from]);
    }
}

/* Sec. 4.1: the halves' values become the normal scores of their ranks; equal ones get the mean of theirs. */
static void normalise_ranks(ebm__column *column, const uint64_t *order) {
    int64_t below = 0;
    for (int64_t first = 0; first < column->total;) {
        int64_t tied = 0;
        int64_t end = first;
        for (; end < column->total && order[end] >> 32 == order[first] >> 32; end++) {
            tied += place_of(order[end]) < column->split;
        }
        for (; first < end; first++) {
            int64_t place = place_of(order[first]);
            if (place < column->split) {
                column->chains.v[place] = column->scores[2 * below + tied - 1];
            }
        }
        below += tied;
    }
    ebm__chains_center(&column->chains);
}

/* --- what is derived from it -------------------------------------------------------------------------------------- */

static double ess(ebm__column *column) {
    return (double)column->split / ebm__chains_autocorrelation_time(&column->chains);
}

/* ESS of the indicator of x <= q, sec. 4.3. */
static double ess_below(ebm__column *column, double q) {
    for (int64_t i = 0; i < column->split; i++) {
        column->chains.v[i] = (double)column->x[i] <= q ? 1 : 0;
    }
    ebm__chains_center(&column->chains);
    return ess(column);
}

/*
 * Sec. 4.4: the order statistics at the 16 % and 84 % quantiles of Beta(ESS p + 1, ESS (1 - p) + 1) are one error to
 * each side.
 */
static double mcse_of_quantile(ebm__column *column, double p, double q) {
    const double one_error_below = 0.15865525393145707; /* Phi(-1) */
    double n = ess_below(column, q);
    if (isnan(n)) {
        return UNKNOWN;
    }
    double total = (double)column->total;
    double low = ebm__beta_quantile(one_error_below, n * p + 1, n * (1 - p) + 1);
    double high = ebm__beta_quantile(1 - one_error_below, n * p + 1, n * (1 - p) + 1);
    int64_t first = (int64_t)fmax(floor(low * total), 1);
    int64_t second = (int64_t)fmin(ceil(high * total), total);
    return (value_of(column->order[second - 1]) - value_of(column->order[first - 1])) / 2;
}

typedef struct moments {
    double mean, square, fourth; /* central; sums divided by the number of draws */
} moments;

static double lanes_sum(const double lane[4]) {
    return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

/* Sums in lanes that do not wait for each other. */
static moments find_moments(const ebm__column *column) {
    const float *x = column->x;
    double total = (double)column->total;
    int64_t whole = column->total - column->total % 4;
    double sum[4] = {0};
    for (int64_t i = 0; i < whole; i += 4) {
        for (int j = 0; j < 4; j++) {
            sum[j] += (double)x[i + j];
        }
    }
    for (int64_t i = whole; i < column->total; i++) {
        sum[0] += (double)x[i];
    }
    double mean = lanes_sum(sum) / total;
    double square[4] = {0};
    double fourth[4] = {0};
    for (int64_t i = 0; i < whole; i += 4) {
        for (int j = 0; j < 4; j++) {
            double d = ((double)x[i + j] - mean) * ((double)x[i + j] - mean);
            square[j] += d;
            fourth[j] += d * d;
        }
    }
    for (int64_t i = whole; i < column->total; i++) {
        double d = ((double)x[i] - mean) * ((double)x[i] - mean);
        square[0] += d;
        fourth[0] += d * d;
    }
    return (moments){mean, lanes_sum(square) / total, lanes_sum(fourth) / total};
}

static double deviation(const ebm__column *column, const moments *m) {
    double total = (double)column->total;
    return total > 1 ? sqrt(m->square * total / (total - 1)) : UNKNOWN;
}

/* The error of a variance is that of the mean of (x - mean)^2; of its root, by the delta method, 1 / (2 sd) of it. */
static double mcse_of_sd(ebm__column *column, const moments *m) {
    for (int64_t i = 0; i < column->split; i++) {
        double d = (double)column->x[i] - m->mean;
        column->chains.v[i] = d * d;
    }
    ebm__chains_center(&column->chains);
    double variance = (m->fourth - m->square * m->square) / ess(column);
    return sqrt(variance / m->square) / 2;
}

static void put(double *place, int64_t d, double value) {
    if (place != NULL) {
        place[d] = value;
    }
}

static void diagnose_moments(ebm__column *column, bool enough, const ebm__wanted *wanted, int64_t d) {
    moments m = find_moments(column);
    put(wanted->mean, d, m.mean);
    put(wanted->sd, d, deviation(column, &m));
    if (wanted->mcse_mean != NULL || wanted->autocorrelation_time != NULL) {
        double time = UNKNOWN;
        if (enough) {
            for (int64_t i = 0; i < column->split; i++) {
                column->chains.v[i] = (double)column->x[i];
            }
            ebm__chains_center(&column->chains);
            time = ebm__chains_autocorrelation_time(&column->chains);
        }
        put(wanted->autocorrelation_time, d, time);
        put(wanted->mcse_mean, d, deviation(column, &m) * sqrt(time / (double)column->split));
    }
    if (wanted->mcse_sd != NULL) {
        wanted->mcse_sd[d] = enough ? mcse_of_sd(column, &m) : UNKNOWN;
    }
}

/*
 * R-hat is the larger of that of the values and that of their distances from the median, sec. 4.2, where there is
 * one.
 */
static void diagnose_ranks(ebm__column *column, int64_t n_draws, const ebm__wanted *wanted, int64_t d) {
    double bulk = UNKNOWN;
    double rhat = UNKNOWN;
    if (n_draws >= EBM__LEAST_DRAWS_RHAT) {
        normalise_ranks(column, column->order);
        rhat = ebm__chains_rhat(&column->chains);
        if (wanted->ess_bulk != NULL && n_draws >= EBM__LEAST_DRAWS_ESS) {
            bulk = ess(column);
        }
    }
    put(wanted->ess_bulk, d, bulk);
    if (wanted->rhat != NULL) {
        if (n_draws >= EBM__LEAST_DRAWS_RHAT) {
            fold(column, column->spare);
            normalise_ranks(column, column->spare);
            rhat = fmax(rhat, ebm__chains_rhat(&column->chains));
        }
        wanted->rhat[d] = rhat;
    }
}

static bool wants_order(const ebm__wanted *w) {
    bool order = w->rhat != NULL || w->ess_bulk != NULL || w->ess_tail != NULL;
    for (int i = 0; i < EBM__WANTED_QUANTILES; i++) {
        order = order || w->quantile[i] != NULL;
    }
    return order;
}

void ebm__column_diagnose(ebm__column *column, int64_t n_draws, const ebm__wanted *wanted, int64_t d) {
    bool enough = n_draws >= EBM__LEAST_DRAWS_ESS;
    diagnose_moments(column, enough, wanted, d);
    if (!wants_order(wanted)) {
        return;
    }
    sort_draws(column);
    for (int i = 0; i < EBM__WANTED_QUANTILES; i++) {
        if (wanted->quantile[i] != NULL) {
            wanted->quantile[i][d] = quantile(column, wanted->probability[i]);
        }
    }
    if (wanted->mcse_quantile != NULL) {
        double p = wanted->probability[0];
        wanted->mcse_quantile[d] = enough ? mcse_of_quantile(column, p, wanted->quantile[0][d]) : UNKNOWN;
    }
    if (wanted->rhat != NULL || wanted->ess_bulk != NULL) {
        diagnose_ranks(column, n_draws, wanted, d);
    }
    if (wanted->ess_tail != NULL) {
        double low = quantile(column, 0.05);
        double high = quantile(column, 0.95);
        wanted->ess_tail[d] = enough ? fmin(ess_below(column, low), ess_below(column, high)) : UNKNOWN;
    }
}

/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>

#include <ebm/evaluate.h>

#include "core/error.h"
#include "evaluate/arguments.h"
#include "evaluate/sort.h"
#include "evaluate/temporary.h"

static ebm_status require_scores(const char *caller, const char *count_name, const char *name, int64_t n,
                                 const double *scores) {
    EBM__TRY(ebm__require_least(caller, count_name, n, 0));
    if (n > 0 && scores == NULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s is NULL", caller, name);
    }
    if (n > INT64_MAX / 4 / (int64_t)sizeof *scores) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: %s is %" PRId64 ", and that many doubles do not fit", caller,
                         count_name, n);
    }
    for (int64_t i = 0; i < n; i++) {
        if (isnan(scores[i])) {
            return ebm__fail(EBM_ERR_ARG, "%s: %s is NaN at %" PRId64, caller, name, i);
        }
    }
    return EBM_OK;
}

static void sort_scores(int64_t n, const double *scores, uint64_t *keys, uint64_t *spare) {
    for (int64_t i = 0; i < n; i++) {
        keys[i] = ebm__order_of_double(scores[i]);
    }
    ebm__sort(n, keys, spare, 0, 8);
}

/* For every positive: the negatives below it, and half of those that tie with it. Both lists are sorted. */
static double count_wins(int64_t n_negative, const uint64_t *negative, int64_t n_positive, const uint64_t *positive) {
    double wins = 0;
    int64_t below = 0;
    int64_t not_above = 0;
    for (int64_t i = 0; i < n_positive; i++) {
        while (below < n_negative && negative[below] < positive[i]) {
            below++;
        }
        while (not_above < n_negative && negative[not_above] <= positive[i]) {
            not_above++;
        }
        wins += 0.5 * ((double)below + (double)not_above);
    }
    return wins;
}

ebm_status ebm_auroc(ebm_context *context, int64_t n_negative, const double *negative, int64_t n_positive,
                     const double *positive, double *auroc) {
    EBM__REQUIRE(auroc);
    EBM__TRY(require_scores(__func__, "n_negative", "negative", n_negative, negative));
    EBM__TRY(require_scores(__func__, "n_positive", "positive", n_positive, positive));
    if (n_negative == 0 || n_positive == 0) {
        *auroc = (double)NAN;
        return EBM_OK;
    }
    int64_t most = n_negative > n_positive ? n_negative : n_positive;
    EBM__TEMPORARY(memory, context);
    EBM__TRY(ebm__alloc(context, n_negative + n_positive + most, sizeof(uint64_t), __func__, &memory.memory));
    uint64_t *negatives = memory.memory;
    uint64_t *positives = negatives + n_negative;
    uint64_t *spare = positives + n_positive;
    sort_scores(n_negative, negative, negatives, spare);
    sort_scores(n_positive, positive, positives, spare);
    *auroc = count_wins(n_negative, negatives, n_positive, positives) / ((double)n_negative * (double)n_positive);
    return EBM_OK;
}

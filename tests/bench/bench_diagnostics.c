/* SPDX-License-Identifier: MIT */
/*
 * Diagnostics of 1,000 draws x 100 chains x 100 coordinates, each an AR(1) chain: all of ebm_summarize, in ms, for
 * independent draws and for slow chains (autocorrelation time 19 and 399: the second is longer than the chains can
 * tell). Then what the running summary costs a row and coordinate. Usage: bench_diagnostics threads [quick]
 */
#include <string.h>

#include <ebm/evaluate.h>

#include "bench.h"

enum { DRAWS = 1000, CHAINS = 100, DIM = 100, OUTPUTS = 9 };

static float *autoregression(float phi) {
    int64_t width = CHAINS * DIM;
    float *x = bench_random_floats(DRAWS * width);
    for (int64_t i = width; i < DRAWS * width; i++) {
        x[i] += phi * x[i - width];
    }
    return x;
}

static double summarize_once(ebm_context *context, const float *x) {
    static double out[OUTPUTS][DIM];
    double start = bench_now();
    bench_require(ebm_summarize(context, DRAWS, CHAINS, DIM, x, out[0], out[1], out[2], out[3], out[4], out[5], out[6],
                                out[7], out[8]) == EBM_OK, "ebm_summarize");
    return bench_now() - start;
}

static double add_once(ebm_context *context, int32_t parts, const float *x) {
    ebm_summary *summary = NULL;
    bench_require(ebm_summary_create(context, DIM, parts, &summary) == EBM_OK, "ebm_summary_create");
    double start = bench_now();
    for (int64_t t = 0; t < DRAWS; t++) {
        bench_require(ebm_summary_add(summary, CHAINS, x + t * CHAINS * DIM) == EBM_OK, "ebm_summary_add");
    }
    double seconds = bench_now() - start;
    ebm_summary_destroy(summary);
    return seconds;
}

static void measure_summarize(ebm_context *context, int threads, const char *what, const float *x, int repetitions) {
    char name[64];
    double least = 1e9;
    for (int i = 0; i < repetitions; i++) {
        bench_keep_least(&least, summarize_once(context, x));
    }
    snprintf(name, sizeof name, "summarize-%s/%dT", what, threads);
    bench_print("diagnostics", name, "library", 1e3 * least, "ms");
}

static void measure_add(ebm_context *context, const char *name, int32_t parts, const float *x, int repetitions) {
    double least = 1e9;
    for (int i = 0; i < repetitions; i++) {
        bench_keep_least(&least, add_once(context, parts, x));
    }
    bench_print("diagnostics", name, "library", 1e9 * least / ((double)DRAWS * CHAINS * DIM), "ns");
}

int main(int argc, char **argv) {
    static const char *const names[] = {"independent", "slow", "very-slow"};
    static const float phis[] = {0, 0.9F, 0.995F};
    int threads = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1;
    bool quick = argc > 2 && strcmp(argv[2], "quick") == 0;
    ebm_context *context = NULL;
    bench_require(ebm_context_create(&context) == EBM_OK && ebm_context_set_threads(context, threads) == EBM_OK,
                  "usage: bench_diagnostics threads [quick]");
    for (int c = 0; c < 3; c++) {
        float *x = autoregression(phis[c]);
        measure_summarize(context, threads, names[c], x, quick ? 1 : 5);
        if (c == 0 && threads == 1) {
            measure_add(context, "add-moments", 0, x, quick ? 1 : 3);
            measure_add(context, "add-covariance", EBM_SUMMARY_COVARIANCE, x, quick ? 1 : 3);
            measure_add(context, "add-quantiles", EBM_SUMMARY_QUANTILES, x, quick ? 1 : 3);
        }
        free(x);
    }
    ebm_context_destroy(context);
    return 0;
}

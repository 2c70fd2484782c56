/* SPDX-License-Identifier: MIT */
/*
 * Diagnostics of 1,000 draws x 100 chains x 100 coordinates, each an AR(1) chain: all of ebm_summarize, in seconds, for
 * independent draws and for slow chains (autocorrelation time 20 and 400: the second is longer than the chains can tell).
 * Then what the running summary costs a row and coordinate. Usage: bench_diagnostics [threads] [quick]
 */
#include <math.h>
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

int main(int argc, char **argv) {
    bool quick = strcmp(argv[argc - 1], "quick") == 0;
    int threads = argc > 1 && atoi(argv[1]) > 0 ? atoi(argv[1]) : 1;
    const struct {
        const char *name;
        float phi;
    } cases[] = {{"independent", 0}, {"slow", 0.9F}, {"very-slow", 0.995F}};
    const struct {
        const char *name;
        int32_t parts;
    } running[] = {{"add-moments", 0}, {"add-covariance", EBM_SUMMARY_COVARIANCE}, {"add-quantiles", EBM_SUMMARY_QUANTILES}};
    char name[64];
    ebm_context *context = NULL;
    bench_require(ebm_context_create(&context) == EBM_OK && ebm_context_set_threads(context, threads) == EBM_OK, "context");
    for (int c = 0; c < 3; c++) {
        double least = 1e9;
        float *x = autoregression(cases[c].phi);
        for (int i = 0; i < (quick ? 1 : 5); i++) {
            bench_keep_least(&least, summarize_once(context, x));
        }
        snprintf(name, sizeof name, "summarize-%s/%dT", cases[c].name, threads);
        bench_print("diagnostics", name, "libebm", least, "s");
        for (int r = 0; c == 0 && threads == 1 && r < 3; r++) {
            least = 1e9;
            for (int i = 0; i < (quick ? 1 : 3); i++) {
                bench_keep_least(&least, add_once(context, running[r].parts, x));
            }
            bench_print("diagnostics", running[r].name, "libebm", 1e9 * least / ((double)DRAWS * CHAINS * DIM), "ns");
        }
        free(x);
    }
    ebm_context_destroy(context);
    return 0;
}

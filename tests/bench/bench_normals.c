/* SPDX-License-Identifier: MIT */
/*
 * The inner loops at each width that this processor runs, on one thread: raw words and normals, the fused Langevin
 * pass over 10,000 chains of 100 floats, and the activations of an MLP with their slopes. `quick` repeats little.
 */
#include <math.h>
#include <string.h>

#include <ebm/energies.h>

#include "bench.h"
#include "core/simd.h"

enum {
    NUMBERS = 1 << 14, /* of a call: they stay in the caches */
    CHAINS = 10000,
    DIM = 100,
    PIECE = 128 * DIM, /* of the states: with their gradients in the second-level cache */
    COLUMNS = 256,
    MOST_WIDTHS = 3
};

static const ebm__sequence noise = {.seed = 42, .step = 7, .stream = EBM__STREAM_NOISE};

typedef struct arrays {
    float *numbers, *slope; /* NUMBERS */
    float *bias;            /* COLUMNS */
    float *x, *grad;        /* CHAINS * DIM */
} arrays;

/* Something to measure: `run` works once, on `elements` elements. */
typedef struct loop {
    const char *name;
    void (*run)(const ebm__simd *simd, const struct loop *loop, const arrays *a);
    double elements;
    ebm__langevin pass;
    int32_t activation; /* 0: a generator, in millions a second; else in nanoseconds an element */
} loop;

static void run_words(const ebm__simd *simd, const loop *l, const arrays *a) {
    (void)l;
    simd->uniforms(&noise, 0, NUMBERS, a->numbers);
}

static void run_normals(const ebm__simd *simd, const loop *l, const arrays *a) {
    (void)l;
    simd->normals(&noise, 0, NUMBERS, a->numbers);
}

static void run_pass(const ebm__simd *simd, const loop *l, const arrays *a) {
    double grad_square = 0;
    for (int64_t first = 0; first < CHAINS * DIM; first += PIECE) {
        int64_t n = CHAINS * DIM - first < PIECE ? CHAINS * DIM - first : PIECE;
        simd->langevin(&l->pass, &noise, first, n, a->x + first, a->grad + first, a->x + first, &grad_square);
    }
}

/* On what it made the last time: the loops have no branch that depends on values. */
static void run_activation(const ebm__simd *simd, const loop *l, const arrays *a) {
    simd->activate(l->activation, NUMBERS / COLUMNS, COLUMNS, a->bias, a->numbers, a->slope);
}

#define PASS(...) {.eta = 0.01F, .sigma = 0.1F, __VA_ARGS__}
#define NO_BOUNDS .lo = -INFINITY, .hi = INFINITY

static const loop loops[] = {
    {.name = "words", .run = run_words, .elements = NUMBERS},
    {.name = "normals", .run = run_normals, .elements = NUMBERS},
    {.name = "langevin", .run = run_pass, .elements = CHAINS * DIM, .pass = PASS(.clip = INFINITY, NO_BOUNDS)},
    {.name = "langevin-clip", .run = run_pass, .elements = CHAINS * DIM, .pass = PASS(.clip = 0.1F, NO_BOUNDS)},
    {.name = "langevin-reflect", .run = run_pass, .elements = CHAINS * DIM,
     .pass = PASS(.clip = INFINITY, .lo = -1.0F, .hi = 1.0F, .reflect = 1)},
    {.name = "silu", .run = run_activation, .elements = NUMBERS, .activation = EBM_ACT_SILU},
    {.name = "softplus", .run = run_activation, .elements = NUMBERS, .activation = EBM_ACT_SOFTPLUS},
    {.name = "tanh", .run = run_activation, .elements = NUMBERS, .activation = EBM_ACT_TANH},
    {.name = "relu", .run = run_activation, .elements = NUMBERS, .activation = EBM_ACT_RELU},
};

static void print_processor(void) {
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *name = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && name != NULL) {
            printf("# processor%s", name);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void measure(const loop *l, const arrays *a, int repetitions) {
    static const char *const names[MOST_WIDTHS] = {"baseline", "avx2", "avx512"};
    double least[MOST_WIDTHS] = {1e9, 1e9, 1e9};
    memcpy(a->numbers, a->x, NUMBERS * sizeof *a->numbers);
    for (int i = 0; i < repetitions; i++) {
        for (int w = 0; w < MOST_WIDTHS; w++) {
            const ebm__simd *simd = ebm__simd_named(names[w]);
            if (simd != NULL) {
                double start = bench_now();
                l->run(simd, l, a);
                bench_keep_least(&least[w], bench_now() - start);
            }
        }
    }
    for (int w = 0; w < MOST_WIDTHS; w++) {
        if (ebm__simd_named(names[w]) != NULL && l->activation == 0) {
            bench_print("inner_loops", l->name, names[w], 1e-6 * l->elements / least[w], "M/s");
        } else if (ebm__simd_named(names[w]) != NULL) {
            bench_print("inner_loops", l->name, names[w], 1e9 * least[w] / l->elements, "ns");
        }
    }
}

int main(int argc, char **argv) {
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    arrays a = {.numbers = bench_random_floats(NUMBERS), .slope = bench_random_floats(NUMBERS),
                .bias = bench_random_floats(COLUMNS), .x = bench_random_floats(CHAINS * DIM),
                .grad = bench_random_floats(CHAINS * DIM)};
    print_processor();
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
        measure(&loops[i], &a, quick ? 2 : loops[i].elements > NUMBERS ? 100 : 2000);
    }
    float *all[] = {a.numbers, a.slope, a.bias, a.x, a.grad};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Langevin chains on six cheap energies that a host brings as C callbacks: million chain-steps a second, 10,000 chains,
 * one thread. Beside the library, in turn: its pass without a gradient (normals and update, the floor), the callback
 * alone, and the callback when no energies are wanted. Usage: bench_langevin [quick]
 */
#include <math.h>
#include <string.h>

#include "bench.h"
#include "core/parallel.h"
#include "core/simd.h"

enum { CHAINS = 10000, CENTRES = 8, PARTS = 4, BLOCK = 64 };

#define WIDTH_SQUARE 0.25F             /* s^2 of the eight Gaussians */
static float centre[CENTRES][2];         /* on a circle of radius 2 */

/* E = |x|^2 / 2 */
static int32_t gaussian_plane(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                              void *user_data) {
    (void)theta;
    (void)user_data;
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        energy[r] = 0.5 * (double)(x[2 * r] * x[2 * r] + x[2 * r + 1] * x[2 * r + 1]);
    }
    if (grad_x != NULL) {
        memcpy(grad_x, x, (size_t)(n * dim) * sizeof *x);
    }
    return EBM_CB_OK;
}

/* The same in any dimension. */
static int32_t gaussian(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                        void *user_data) {
    (void)theta;
    (void)user_data;
    bench_gaussian(n, dim, x, energy, grad_x);
    return EBM_CB_OK;
}

/* E = sum over i of (x_i^2 - 1)^2 */
static int32_t double_well_plane(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                                 float *grad_x, void *user_data) {
    (void)theta;
    (void)user_data;
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        float a = x[2 * r] * x[2 * r] - 1.0F;
        float b = x[2 * r + 1] * x[2 * r + 1] - 1.0F;
        energy[r] = (double)(a * a + b * b);
    }
    for (int64_t i = 0; grad_x != NULL && i < n * dim; i++) {
        grad_x[i] = 4.0F * x[i] * (x[i] * x[i] - 1.0F);
    }
    return EBM_CB_OK;
}

static int32_t double_well(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                           void *user_data) {
    (void)theta;
    (void)user_data;
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        const float *row = x + r * dim;
        float sum[PARTS] = {0};
        int64_t i = 0;
        for (; i + PARTS <= dim; i += PARTS) {
            for (int p = 0; p < PARTS; p++) {
                sum[p] += (row[i + p] * row[i + p] - 1.0F) * (row[i + p] * row[i + p] - 1.0F);
            }
        }
        for (; i < dim; i++) {
            sum[0] += (row[i] * row[i] - 1.0F) * (row[i] * row[i] - 1.0F);
        }
        energy[r] = (double)((sum[0] + sum[1]) + (sum[2] + sum[3]));
    }
    for (int64_t i = 0; grad_x != NULL && i < n * dim; i++) {
        grad_x[i] = 4.0F * x[i] * (x[i] * x[i] - 1.0F);
    }
    return EBM_CB_OK;
}

/*
 * exp(v) for v in [-87, 0] to seven digits, in operations that a compiler makes vectors of (it does not of expf): 2^n
 * e^r with n the whole number next to v / log 2, and e^r by its series.
 */
static inline float exp_negative(float v) {
    const float whole = 0x1.8p23F; /* adding it leaves n in the last bits */
    float shifted = v * 1.44269504F + whole;
    float n = shifted - whole;
    float r = (v - n * 0.693359375F) + n * 2.12194440e-4F;
    float p =
        1.0F +
        r * (1.0F + r * (0.5F + r * (0.16666667F + r * (0.041666667F + r * (0.0083333333F + r * 0.00138888889F)))));
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (int32_t)((uint32_t)bits + 127U) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

/*
 * E = -log sum over k of exp(-|x - c_k|^2 / (2 s^2)); all |c_k| are 2. Up to BLOCK rows, each step of the computation
 * for all of them before the next.
 */
static inline __attribute__((always_inline)) void eight_gaussians_block(int64_t n, const float *x, double *energy,
                                                                        float *grad_x) {
    float value[CENTRES][BLOCK];
    float most[BLOCK];
    float total[BLOCK] = {0};
    float a[BLOCK] = {0};
    float b[BLOCK] = {0};
    for (int64_t r = 0; r < n; r++) {
        a[r] = x[2 * r];
        b[r] = x[2 * r + 1];
        most[r] = -INFINITY;
    }
    for (int k = 0; k < CENTRES; k++) {
        for (int64_t r = 0; r < n; r++) {
            value[k][r] = (a[r] * centre[k][0] + b[r] * centre[k][1]) * (1.0F / WIDTH_SQUARE);
            most[r] = value[k][r] > most[r] ? value[k][r] : most[r];
        }
    }
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        energy[r] = (double)((a[r] * a[r] + b[r] * b[r] + 4.0F) * (0.5F / WIDTH_SQUARE) - most[r]);
    }
    float to_a[BLOCK] = {0};
    float to_b[BLOCK] = {0};
    for (int k = 0; k < CENTRES; k++) {
        for (int64_t r = 0; r < n; r++) {
            float below = value[k][r] - most[r];
            value[k][r] = below > -87.0F ? below : -87.0F;
        }
        for (int64_t r = 0; r < n; r++) {
            float w = exp_negative(value[k][r]);
            total[r] += w;
            to_a[r] += w * centre[k][0];
            to_b[r] += w * centre[k][1];
        }
    }
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        energy[r] -= (double)logf(total[r]);
    }
    for (int64_t r = 0; grad_x != NULL && r < n; r++) {
        grad_x[2 * r] = (a[r] - to_a[r] / total[r]) * (1.0F / WIDTH_SQUARE);
        grad_x[2 * r + 1] = (b[r] - to_b[r] / total[r]) * (1.0F / WIDTH_SQUARE);
    }
}

static void eight_gaussians_anywhere(int64_t n, const float *x, double *energy, float *grad_x) {
    eight_gaussians_block(n, x, energy, grad_x);
}

/* The only costly energy of the six: a host would build it for its processor, as torch and numpy do with their loops.
 */
#if defined(__x86_64__)
static __attribute__((target("avx2"))) void eight_gaussians_avx2(int64_t n, const float *x, double *energy,
                                                                 float *grad_x) {
    eight_gaussians_block(n, x, energy, grad_x);
}
#define EIGHT_GAUSSIANS (__builtin_cpu_supports("avx2") ? eight_gaussians_avx2 : eight_gaussians_anywhere)
#else
#define EIGHT_GAUSSIANS eight_gaussians_anywhere
#endif

static int32_t eight_gaussians(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                               float *grad_x, void *user_data) {
    (void)dim;
    (void)theta;
    (void)user_data;
    for (int64_t first = 0; first < n; first += BLOCK) {
        EIGHT_GAUSSIANS(n - first < BLOCK ? n - first : BLOCK, x + 2 * first, energy == NULL ? NULL : energy + first,
                        grad_x == NULL ? NULL : grad_x + 2 * first);
    }
    return EBM_CB_OK;
}

typedef struct target {
    const char *name;
    int64_t dim;
    ebm_energy_fn energy;
    int64_t steps; /* some 2 ms of them: one turn of the processor, even when others wait for it */
} target;

static const target targets[] = {
    {"gaussian-2", 2, gaussian_plane, 40},    {"gaussian-10", 10, gaussian, 10},
    {"gaussian-100", 100, gaussian, 2},       {"double-well-2", 2, double_well_plane, 40},
    {"double-well-100", 100, double_well, 2}, {"eight-gaussians-2", 2, eight_gaussians, 15},
};

enum { LIBRARY, MALA, PASS, CALLBACK, CALLBACK_GRADIENT, WAYS };
static const char *const way_names[WAYS] = {"library", "mala", "pass", "callback", "callback-gradient"};

static ebm_sampler *make_sampler(ebm_model *model, int32_t kernel) {
    ebm_sampler *sampler;
    bench_require(ebm_sampler_create(NULL, model, CHAINS, 1, &sampler) == EBM_OK, "sampler");
    bench_require(ebm_sampler_set_kernel(sampler, kernel) == EBM_OK, "kernel");
    bench_require(ebm_sampler_set_step_size(sampler, 0.01) == EBM_OK, "step size");
    bench_require(ebm_sampler_run(sampler, 2) == EBM_OK, "run"); /* memory is there from now on */
    return sampler;
}

/* What the library does beside the callback and its looking after it, in pieces of the library's size. */
static void run_passes(const target *t, float *x, int64_t rows) {
    ebm__langevin pass = {.eta = 0.01F, .sigma = 0.1F, .clip = INFINITY, .lo = -INFINITY, .hi = INFINITY};
    double unused = 0;
    for (int64_t step = 0; step < t->steps; step++) {
        ebm__sequence noise = {.seed = 1, .step = (uint64_t)step, .stream = EBM__STREAM_NOISE};
        for (int64_t first = 0; first < CHAINS; first += rows) {
            int64_t n = CHAINS - first < rows ? CHAINS - first : rows;
            float *piece = x + first * t->dim;
            ebm__simd_used()->langevin(&pass, &noise, first * t->dim, n * t->dim, piece, NULL, piece, &unused);
        }
    }
}

static void run_callback(const target *t, const float *x, int64_t rows, double *energy, float *grad) {
    for (int64_t step = 0; step < t->steps; step++) {
        for (int64_t first = 0; first < CHAINS; first += rows) {
            int64_t n = CHAINS - first < rows ? CHAINS - first : rows;
            t->energy(n, t->dim, x + first * t->dim, NULL, energy, grad, NULL);
        }
    }
}

static void measure(const target *t, int repetitions) {
    ebm_model *model;
    bench_require(ebm_model_create(NULL, t->dim, t->energy, NULL, NULL, &model) == EBM_OK, "model");
    bench_require(ebm_model_set_concurrent(model, 1) == EBM_OK, "concurrent");
    ebm_sampler *langevin = make_sampler(model, EBM_KERNEL_LANGEVIN);
    ebm_sampler *mala = make_sampler(model, EBM_KERNEL_MALA);
    float *x = bench_random_floats(CHAINS * t->dim);
    float *moving = bench_random_floats(CHAINS * t->dim);
    float *grad = bench_floats(CHAINS * t->dim);
    static double energy[CHAINS];
    int64_t rows = ebm__rows_per_chunk(t->dim, CHAINS);
    double least[WAYS] = {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY};
    for (int i = 0; i < repetitions; i++) {
        for (int way = 0; way < WAYS; way++) {
            double start = bench_now();
            switch (way) {
                case LIBRARY: bench_require(ebm_sampler_run(langevin, t->steps) == EBM_OK, "run"); break;
                case MALA: bench_require(ebm_sampler_run(mala, t->steps) == EBM_OK, "run"); break;
                case PASS: run_passes(t, moving, rows); break;
                case CALLBACK: run_callback(t, x, rows, energy, grad); break;
                default: run_callback(t, x, rows, NULL, grad); break;
            }
            bench_keep_least(&least[way], bench_now() - start);
        }
    }
    for (int way = 0; way < WAYS; way++) {
        bench_print("langevin", t->name, way_names[way], 1e-6 * CHAINS * (double)t->steps / least[way], "Mstep/s");
    }
    free(grad);
    free(moving);
    free(x);
    ebm_sampler_destroy(mala);
    ebm_sampler_destroy(langevin);
    ebm_model_destroy(model);
}

int main(int argc, char **argv) {
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    for (int k = 0; k < CENTRES; k++) {
        centre[k][0] = 2.0F * cosf(0.78539816F * (float)k);
        centre[k][1] = 2.0F * sinf(0.78539816F * (float)k);
    }
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        measure(&targets[i], quick ? 3 : 60);
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The Langevin pass and the activations of core/simd.h, at every width that this machine runs: against the
 * equations in double, and against the narrowest width bit by bit.
 */
#include "simd_support.h"

#include <ebm/energies.h>

enum { MOST = 700 };

static const ebm__sequence noise = {.seed = 42, .step = 7, .stream = EBM__STREAM_NOISE};
static const int64_t firsts[] = {0, 1, 63, 64, 1000};
static const int64_t counts[] = {0, 1, 17, 64, 65, 127, 128, 300, MOST};

static const ebm__langevin passes[] = {
    {.eta = 0.1F, .sigma = 0.3F, .clip = INFINITY, .lo = -INFINITY, .hi = INFINITY},
    {.eta = 0.1F, .sigma = 0.0F, .clip = INFINITY, .lo = -INFINITY, .hi = INFINITY},
    {.eta = 2.0F, .sigma = 0.3F, .clip = 0.5F, .lo = -INFINITY, .hi = INFINITY},
    {.eta = 0.1F, .sigma = 1.0F, .clip = INFINITY, .lo = -1.0F, .hi = 0.5F},
    {.eta = 0.1F, .sigma = 1.0F, .clip = 0.5F, .lo = -1.0F, .hi = INFINITY},
    {.eta = 0.1F, .sigma = 1.0F, .clip = INFINITY, .lo = -1.0F, .hi = 0.5F, .reflect = 1},
    {.eta = 0.1F, .sigma = 9.0F, .clip = 0.5F, .lo = -1.0F, .hi = 0.5F, .reflect = 1},
    {.eta = 0.1F, .sigma = 1.0F, .clip = INFINITY, .lo = -0.5F, .hi = INFINITY, .reflect = 1},
    {.eta = 0.1F, .sigma = 0.0F, .clip = INFINITY, .lo = -INFINITY, .hi = 0.5F, .reflect = 1},
};

typedef struct states {
    float x[MOST], grad[MOST];
} states;

static states make_states(void) {
    const ebm__sequence others = {.seed = 5, .step = 0, .stream = EBM__STREAM_DATA};
    states s;
    width(0)->normals(&others, 0, MOST, s.x);
    width(0)->normals(&others, MOST, MOST, s.grad);
    return s;
}

/* Where y comes to lie: mirror images of the bounds' interval repeat with a period of twice its width. */
static double bounded(const ebm__langevin *pass, double y) {
    double lo = (double)pass->lo;
    double hi = (double)pass->hi;
    if (!pass->reflect) {
        return fmin(fmax(y, lo), hi);
    }
    if (y >= lo && y <= hi) {
        return y;
    }
    double back = fmod(y > hi ? y - hi : lo - y, 2.0 * (hi - lo));
    back = fmin(back, 2.0 * (hi - lo) - back);
    return y > hi ? hi - back : lo + back;
}

static void langevin_follows_the_equation(void **state) {
    (void)state;
    const ebm__simd *simd;
    const states s = make_states();
    float z[MOST];
    width(0)->normals(&noise, 5, MOST, z);
    FOR_WIDTHS(simd) {
        for (size_t p = 0; p < LENGTH(passes); p++) {
            for (int drift = 0; drift < 2; drift++) {
                const ebm__langevin *pass = &passes[p];
                float x_next[MOST];
                double grad_square = 3.0;
                double exact_square = 3.0;
                const float *grad = drift ? s.grad : NULL;
                assert_int_equal(simd->langevin(pass, &noise, 5, MOST, s.x, grad, x_next, &grad_square), 0);
                for (int64_t i = 0; i < MOST; i++) {
                    double slope = drift ? (double)s.grad[i] : 0.0;
                    exact_square += slope * slope;
                    slope = fmin(fmax(slope, -(double)pass->clip), (double)pass->clip);
                    double y = (double)s.x[i] - (double)pass->eta * slope + (double)pass->sigma * (double)z[i];
                    ASSERT_NEAR(x_next[i], bounded(pass, y), 4e-7 * (1.0 + fabs(y)));
                    assert_true(x_next[i] >= pass->lo && x_next[i] <= pass->hi);
                }
                ASSERT_NEAR(grad_square, exact_square, 1e-12 * exact_square);
            }
        }
    }
}

/* All widths, in place and not; and any split of a run into two. */
static void langevin_gives_the_same_bits(void **state) {
    (void)state;
    const ebm__simd *simd;
    const states s = make_states();
    for (size_t p = 0; p < LENGTH(passes); p++) {
        for (size_t f = 0; f < LENGTH(firsts); f++) {
            for (size_t c = 0; c < LENGTH(counts); c++) {
                const float *grad = c % 3 == 2 ? NULL : s.grad;
                int64_t n = counts[c];
                float expected[MOST];
                float x[MOST + 1];
                double expected_square = 0.5;
                double halves_square = 0;
                width(0)->langevin(&passes[p], &noise, firsts[f], n, s.x, grad, expected, &expected_square);
                FOR_WIDTHS(simd) {
                    double square = 0.5;
                    memcpy(x, s.x, MOST * sizeof *x);
                    x[n] = 77.0F;
                    simd->langevin(&passes[p], &noise, firsts[f], n, x, grad, x, &square);
                    assert_true(same(n, x, expected));
                    assert_true(x[n] == 77.0F);
                    assert_memory_equal(&square, &expected_square, sizeof square);
                    int64_t half = n / 3;
                    const float *rest = grad == NULL ? NULL : grad + half;
                    simd->langevin(&passes[p], &noise, firsts[f], half, s.x, grad, x, &halves_square);
                    simd->langevin(&passes[p], &noise, firsts[f] + half, n - half, s.x + half, rest, x + half,
                                   &halves_square);
                    assert_true(same(n, x, expected));
                }
            }
        }
    }
}

static void langevin_reports_what_is_not_finite(void **state) {
    (void)state;
    const ebm__simd *simd;
    const float bad[] = {INFINITY, -INFINITY, NAN};
    double unused = 0;
    FOR_WIDTHS(simd) {
        for (size_t p = 0; p < LENGTH(passes); p++) {
            for (int64_t n = 1; n <= 200; n += 13) {
                for (int64_t at = 0; at < n; at += 7) {
                    states s = make_states();
                    ebm__langevin pass = passes[p];
                    float x_next[MOST];
                    s.x[at] = bad[(n + at) % 3];
                    assert_int_equal(simd->langevin(&pass, &noise, 3, n, s.x, s.grad, x_next, &unused), 1);
                    assert_true(!(fabsf(x_next[at]) <= FLT_MAX)); /* whatever the bounds */
                    s.x[at] = 1.0F;
                    assert_int_equal(simd->langevin(&pass, &noise, 3, n, s.x, s.grad, x_next, &unused), 0);
                    s.x[at] = -FLT_MAX; /* a step out of the range of float */
                    s.grad[at] = FLT_MAX;
                    pass.eta = 1.0F;
                    pass.clip = INFINITY;
                    assert_int_equal(simd->langevin(&pass, &noise, 3, n, s.x, s.grad, x_next, &unused), 1);
                    assert_true(!(fabsf(x_next[at]) <= FLT_MAX));
                }
            }
        }
    }
}

static void squares_of_gradients_do_not_overflow(void **state) {
    (void)state;
    const ebm__simd *simd;
    states s = make_states();
    for (int i = 0; i < MOST; i++) {
        s.grad[i] = i % 2 == 0 ? FLT_MAX : -FLT_MAX;
    }
    FOR_WIDTHS(simd) {
        ebm__langevin pass = passes[2]; /* clipped: the states stay finite */
        float x_next[MOST];
        double square = 0;
        assert_int_equal(simd->langevin(&pass, &noise, 0, MOST, s.x, s.grad, x_next, &square), 0);
        double exact = MOST * (double)FLT_MAX * (double)FLT_MAX;
        ASSERT_NEAR(square, exact, 1e-12 * exact);
    }
}

/*
 * Reflection from any distance ends inside; from a few widths away, where it should; and does not touch what is
 * inside.
 */
static void reflection_from_any_distance(void **state) {
    (void)state;
    static const float bounds[][2] = {{-1.0F, 1.0F},       {0.0F, 1e-30F},     {0.1F, 0.1000001F},
                                      {-3e38F, 3e38F},     {-1e38F, 2e38F},    {5.0F, INFINITY},
                                      {-INFINITY, -5.0F},  {1e-45F, 3e-45F},   {-FLT_MAX, FLT_MAX},
                                      {-3e38F, INFINITY},  {-FLT_MAX, -1e-3F}, {0.3F, 100.7F}};
    const ebm__simd *simd;
    double unused = 0;
    FOR_WIDTHS(simd) {
        for (size_t b = 0; b < LENGTH(bounds); b++) {
            ebm__langevin pass = {.clip = INFINITY, .lo = bounds[b][0], .hi = bounds[b][1], .reflect = 1};
            float x[MOST];
            float x_next[MOST];
            for (int i = 0; i < MOST; i++) {
                uint32_t pattern = (uint32_t)i * 6123457U; /* floats of all sizes and both signs */
                memcpy(&x[i], &pattern, sizeof pattern);
                x[i] = isfinite(x[i]) ? x[i] : (float)i / 100.0F;
            }
            assert_int_equal(simd->langevin(&pass, &noise, 0, MOST, x, NULL, x_next, &unused), 0);
            for (int i = 0; i < MOST; i++) {
                assert_true(x_next[i] >= pass.lo && x_next[i] <= pass.hi);
                if (x[i] >= pass.lo && x[i] <= pass.hi) {
                    assert_true(x_next[i] == x[i]);
                } else if (fabs((double)x[i]) < 100.0 * ((double)pass.hi - (double)pass.lo) && fabsf(x[i]) < 1e37F) {
                    double scale = fabs((double)x[i]) + fmin(fabs((double)pass.lo), fabs((double)pass.hi));
                    ASSERT_NEAR(x_next[i], bounded(&pass, (double)x[i]), 4e-7 * scale);
                }
            }
        }
    }
}

typedef struct value {
    double h, slope;
    double h_size, slope_size; /* what the errors are relative to: the largest term */
} value;

static value exact_activation(int32_t activation, double z) {
    double e = exp(-fabs(z));
    double s = z >= 0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
    double rest = z >= 0 ? e / (1.0 + e) : 1.0 / (1.0 + e);
    double bend = e > 0 ? z * s * rest : 0.0;
    double t = e * e;
    switch (activation) {
    case EBM_ACT_SILU: {
        double h = s > 0 ? z * s : 0.0;
        return (value){h, s + bend, fabs(h), s + fabs(bend)};
    }
    case EBM_ACT_SOFTPLUS: {
        double h = fmax(z, 0.0) + log1p(e);
        return (value){h, s, h, s};
    }
    case EBM_ACT_TANH: {
        double slope = 4.0 * t / ((1.0 + t) * (1.0 + t));
        return (value){tanh(z), slope, fabs(tanh(z)), slope};
    }
    default: return (value){fmax(z, 0.0), z > 0, fmax(z, 0.0), z > 0};
    }
}

/*
 * Floats of all sizes, from bit patterns 2^16 apart, and where the functions bend. Two ulps of the least float are
 * granted.
 */
static void activations_follow_their_equations(void **state) {
    (void)state;
    enum { N = 1 << 16, ROWS = N / 64 };
    static float z[N], h[N], slope[N];
    const float bias[64] = {0};
    const ebm__simd *simd;
    FOR_WIDTHS(simd) {
        for (int32_t activation = EBM_ACT_SILU; activation <= EBM_ACT_RELU; activation++) {
            for (uint32_t i = 0; i < N; i++) {
                uint32_t pattern = (i << 16) + 0x1234U;
                memcpy(&z[i], &pattern, sizeof pattern);
                if (i % 2 == 1) {
                    z[i] = (float)((double)i / N * 240.0 - 120.0);
                }
            }
            memcpy(h, z, sizeof h);
            simd->activate(activation, ROWS, 64, bias, h, slope);
            for (int64_t i = 0; i < N; i++) {
                if (isnan(z[i])) {
                    assert_true(isnan(h[i]) && isnan(slope[i]));
                    continue;
                }
                value exact = exact_activation(activation, (double)z[i]);
                ASSERT_NEAR(h[i], exact.h, 8e-7 * exact.h_size + 110.0 * 0x1p-149);
                ASSERT_NEAR(slope[i], exact.slope, 8e-7 * exact.slope_size + 110.0 * 0x1p-149);
            }
        }
    }
}

static void activations_of_what_is_not_finite(void **state) {
    (void)state;
    const float z[] = {INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, NAN};
    const float h_of[4][4] = {
        {INFINITY, 0, FLT_MAX, 0}, {INFINITY, 0, FLT_MAX, 0}, {1, -1, 1, -1}, {INFINITY, 0, FLT_MAX, 0}};
    const float slope_of[4][4] = {{1, 0, 1, 0}, {1, 0, 1, 0}, {0, 0, 0, 0}, {1, 0, 1, 0}};
    const float bias = 0;
    const ebm__simd *simd;
    FOR_WIDTHS(simd) {
        for (int32_t activation = EBM_ACT_SILU; activation <= EBM_ACT_RELU; activation++) {
            float h[5];
            float slope[5];
            memcpy(h, z, sizeof h);
            simd->activate(activation, 5, 1, &bias, h, slope);
            for (int i = 0; i < 4; i++) {
                assert_true(h[i] == h_of[activation - 1][i]);
                assert_true(slope[i] == slope_of[activation - 1][i]);
            }
            assert_true(isnan(h[4]) && isnan(slope[4]));
        }
    }
}

/*
 * An element's value depends on its own number and bias only: every shape, width of vector, and with or without
 * slopes.
 */
static void activations_give_the_same_bits(void **state) {
    (void)state;
    static const int64_t shapes[][2] = {{1, 1},  {7, 1},   {300, 1}, {600, 1}, {5, 3},   {40, 15},
                                        {3, 16}, {9, 17},  {7, 31},  {4, 64},  {2, 100}, {3, 255},
                                        {3, 256}, {3, 257}, {2, 300}, {0, 5},   {5, 0}};
    enum { LARGEST = 1000 };
    const ebm__sequence others = {.seed = 6, .step = 0, .stream = EBM__STREAM_DATA};
    const ebm__simd *simd;
    float z[LARGEST];
    float bias[LARGEST];
    width(0)->normals(&others, 0, LARGEST, z);
    width(0)->normals(&others, LARGEST, LARGEST, bias);
    for (int32_t activation = EBM_ACT_SILU; activation <= EBM_ACT_RELU; activation++) {
        for (size_t s = 0; s < LENGTH(shapes); s++) {
            int64_t rows = shapes[s][0];
            int64_t columns = shapes[s][1];
            int64_t n = rows * columns;
            float expected[LARGEST];
            float expected_slope[LARGEST];
            for (int64_t i = 0; i < n; i++) {
                expected[i] = z[i] * 3.0F;
                width(0)->activate(activation, 1, 1, bias + i % columns, expected + i, expected_slope + i);
            }
            FOR_WIDTHS(simd) {
                for (int with_slope = 0; with_slope < 2; with_slope++) {
                    float h[LARGEST + 1];
                    float slope[LARGEST + 1];
                    h[n] = slope[n] = 77.0F;
                    for (int64_t i = 0; i < n; i++) {
                        h[i] = z[i] * 3.0F;
                    }
                    simd->activate(activation, rows, columns, bias, h, with_slope ? slope : NULL);
                    assert_true(same(n, h, expected));
                    assert_true(!with_slope || same(n, slope, expected_slope));
                    assert_true(h[n] == 77.0F && slope[n] == 77.0F);
                }
            }
        }
    }
}

/* Another compiler or machine must give the bits that were found when this was written. */
static void results_stay_what_they_are(void **state) {
    (void)state;
    const ebm__simd *simd;
    FOR_WIDTHS(simd) {
        states s = make_states();
        double square = 0;
        uint32_t of_passes = HASH_START;
        uint32_t of_activations = HASH_START;
        for (size_t p = 0; p < LENGTH(passes); p++) {
            float x_next[MOST];
            simd->langevin(&passes[p], &noise, 5, MOST, s.x, s.grad, x_next, &square);
            of_passes = hashed(of_passes, MOST, x_next);
        }
        for (int32_t activation = EBM_ACT_SILU; activation <= EBM_ACT_RELU; activation++) {
            float h[MOST];
            float slope[MOST];
            for (int i = 0; i < MOST; i++) {
                h[i] = s.grad[i] * 10.0F;
            }
            simd->activate(activation, MOST / 7, 7, s.x, h, slope);
            of_activations = hashed(hashed(of_activations, MOST, h), MOST, slope);
        }
        assert_int_equal(of_passes, 0x724D4BDE);
        assert_int_equal(of_activations, 0x357A3DF2);
        assert_true(square == 0x1.B006A081D4842p+12);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(langevin_follows_the_equation),
        cmocka_unit_test(langevin_gives_the_same_bits),
        cmocka_unit_test(langevin_reports_what_is_not_finite),
        cmocka_unit_test(squares_of_gradients_do_not_overflow),
        cmocka_unit_test(reflection_from_any_distance),
        cmocka_unit_test(activations_follow_their_equations),
        cmocka_unit_test(activations_of_what_is_not_finite),
        cmocka_unit_test(activations_give_the_same_bits),
        cmocka_unit_test(results_stay_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

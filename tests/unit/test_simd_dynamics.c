/* SPDX-License-Identifier: MIT */
/*
 * The loops of core/simd.h that kernels of Markov chains are made of, at every width that this machine runs: against
 * the equations in double, and against the narrowest width bit by bit.
 */
#include "simd_support.h"

enum { ROWS = 7, MOST_DIM = 133, MOST = ROWS * MOST_DIM };

static const int64_t dims[] = {1, 2, 3, 10, 15, 16, 17, 64, 100, MOST_DIM};
static const ebm__sequence noise = {.seed = 42, .step = 7, .stream = EBM__STREAM_NOISE};

typedef struct states {
    float x[MOST], y[MOST], w[MOST], grad[MOST], grad_y[MOST];
    float scale[MOST_DIM + EBM__GROUP - 1];
    float kick[ROWS], drift[ROWS];
} states;

static void fill_states(int64_t dim, states *s) {
    float *const arrays[] = {s->x, s->y, s->w, s->grad, s->grad_y};
    for (int64_t a = 0; a < (int64_t)LENGTH(arrays); a++) {
        ebm__sequence others = {.seed = 5, .step = (uint64_t)a, .stream = EBM__STREAM_DATA};
        width(0)->normals(&others, 0, MOST, arrays[a]);
    }
    for (int64_t e = 0; e < dim + EBM__GROUP - 1; e++) {
        s->scale[e] = e % dim % 5 == 3 ? 0.0F : 0.5F + 0.01F * (float)(e % dim);
    }
    for (int64_t r = 0; r < ROWS; r++) {
        s->kick[r] = r == 2 ? 0.0F : 0.1F + 0.01F * (float)r;
        s->drift[r] = r == 2 ? 0.0F : 0.2F - 0.01F * (float)r;
    }
}

/* Plain; with a scale; with a clip; with both. */
enum { WAYS = 4 };
static ebm__dynamics dynamics_of(int64_t dim, int way, const states *s) {
    return (ebm__dynamics){.dim = dim, .clip = way & 2 ? 0.7F : INFINITY, .scale = {way & 1 ? s->scale : NULL, dim}};
}

static double slope_of(const ebm__dynamics *d, float grad) {
    return fmin(fmax((double)grad, -(double)d->clip), (double)d->clip);
}

static double scale_of(const ebm__dynamics *d, int64_t e) {
    return d->scale.of == NULL ? 1.0 : (double)d->scale.of[e % d->dim];
}

#define FOR_CASES(s, d)                                                                                                \
    for (size_t dim_ = 0; dim_ < LENGTH(dims); dim_++)                                                                 \
        for (int way_ = 0; way_ < WAYS && (fill_states(dims[dim_], &(s)), d = dynamics_of(dims[dim_], way_, &(s)), 1); \
             way_++)

static void leap_follows_the_equation(void **state) {
    (void)state;
    static states s;
    const ebm__simd *simd;
    ebm__dynamics d;
    FOR_CASES(s, d) {
        FOR_WIDTHS(simd) {
            static float x[MOST], w[MOST];
            double square[ROWS];
            int64_t n = ROWS * d.dim;
            const ebm__leaps leap = {s.kick, s.drift, s.grad, s.x, s.w, x, w, square};
            assert_int_equal(simd->leap(&d, ROWS, &leap), 0);
            double sum = 0;
            for (int64_t e = 0; e < n; e++) {
                double scale = scale_of(&d, e);
                double momentum = (double)s.w[e] - (double)s.kick[e / d.dim] * scale * slope_of(&d, s.grad[e]);
                ASSERT_NEAR(w[e], momentum, 4e-7 * (1.0 + fabs(momentum)));
                ASSERT_NEAR(x[e], (double)s.x[e] + (double)s.drift[e / d.dim] * scale * momentum, 2e-6);
                sum = (e % d.dim == 0 ? 0 : sum) + (double)w[e] * (double)w[e];
                if (e % d.dim == d.dim - 1) {
                    ASSERT_NEAR(square[e / d.dim], sum, 1e-12 * sum);
                }
            }
            for (int64_t i = 0; i < d.dim; i++) {
                assert_true(x[2 * d.dim + i] == s.x[2 * d.dim + i]); /* whose step size is 0 */
            }
        }
    }
}

/* All widths, in place and not, and each of the moves without the others. */
static void leap_gives_the_same_bits(void **state) {
    (void)state;
    static states s;
    const ebm__simd *simd;
    ebm__dynamics d;
    FOR_CASES(s, d) {
        for (int what = 1; what < 8; what++) {
            int64_t n = ROWS * d.dim;
            static float x[MOST + 1], w[MOST + 1], expected_x[MOST], expected_w[MOST];
            double square[ROWS] = {0};
            double expected_square[ROWS] = {0};
            memcpy(expected_x, s.x, sizeof expected_x);
            memcpy(expected_w, s.w, sizeof expected_w);
            ebm__leaps leap = {.kick = s.kick,
                               .drift = what & 1 ? s.drift : NULL,
                               .grad = what & 2 ? s.grad : NULL,
                               .x = s.x,
                               .w = s.w,
                               .x_next = expected_x,
                               .w_next = expected_w,
                               .square = what & 4 ? expected_square : NULL};
            width(0)->leap(&d, ROWS, &leap);
            FOR_WIDTHS(simd) {
                memcpy(x, s.x, MOST * sizeof *x);
                memcpy(w, s.w, MOST * sizeof *w);
                x[n] = 77.0F;
                w[n] = 77.0F;
                leap.x = leap.x_next = x;
                leap.w = leap.w_next = w;
                leap.square = what & 4 ? square : NULL;
                simd->leap(&d, ROWS, &leap);
                assert_true(same(n, x, expected_x) && same(n, w, expected_w));
                assert_true(x[n] == 77.0F && w[n] == 77.0F);
                assert_memory_equal(square, expected_square, sizeof square);
                assert_true((what & 1) != 0 || same(n, x, s.x));
                assert_true((what & 2) != 0 || same(n, w, s.w));
            }
        }
    }
}

static void ratios_follow_the_equation(void **state) {
    (void)state;
    static states s;
    const ebm__simd *simd;
    ebm__dynamics d;
    const float eta = 0.3F;
    FOR_CASES(s, d) {
        for (int moves = 0; moves < 2; moves++) {
            double expected[ROWS];
            const float *x = moves ? NULL : s.x;
            width(0)->ratios(&d, eta, ROWS, x, s.y, s.grad, s.grad_y, expected);
            for (int64_t r = 0; r < ROWS; r++) {
                double sum = 0;
                double size = 0;
                for (int64_t e = r * d.dim; e < (r + 1) * d.dim; e++) {
                    /* log q(x | y) - log q(y | x) as it is defined, times W, which it has to be divided by */
                    double w = scale_of(&d, e) * scale_of(&d, e);
                    double move = (double)s.y[e] - (x == NULL ? 0 : (double)x[e]);
                    double forward = move + (double)eta * w * slope_of(&d, s.grad[e]);
                    double backward = -move + (double)eta * w * slope_of(&d, s.grad_y[e]);
                    double held = 2 * move * (double)eta * (slope_of(&d, s.grad[e]) + slope_of(&d, s.grad_y[e]));
                    sum += w > 0 ? (forward * forward - backward * backward) / w : held;
                    size += (fabs(forward) + fabs(backward)) * (double)eta * 4;
                }
                ASSERT_NEAR(expected[r], sum, 1e-6 * size);
            }
            FOR_WIDTHS(simd) {
                double ratio[ROWS];
                simd->ratios(&d, eta, ROWS, x, s.y, s.grad, s.grad_y, ratio);
                assert_memory_equal(ratio, expected, sizeof ratio);
            }
        }
    }
}

static void damping_follows_the_equation(void **state) {
    (void)state;
    static states s;
    static float z[MOST], w[MOST + 1], expected[MOST];
    const ebm__damping damping = {0.8F, 0.6F};
    const ebm__simd *simd;
    fill_states(MOST_DIM, &s);
    for (int64_t first = 0; first < 130; first += 43) {
        width(0)->normals(&noise, first, MOST, z);
        for (int fresh = 0; fresh < 2; fresh++) {
            width(0)->damp(&damping, &noise, first, MOST, fresh ? NULL : s.w, expected);
            for (int64_t e = 0; e < MOST; e++) {
                ASSERT_NEAR(expected[e], (fresh ? 0 : 0.8 * (double)s.w[e]) + 0.6 * (double)z[e], 1e-6);
            }
            FOR_WIDTHS(simd) {
                memcpy(w, s.w, MOST * sizeof *w);
                w[MOST] = 77.0F;
                simd->damp(&damping, &noise, first, MOST, fresh ? NULL : w, w);
                assert_true(same(MOST, w, expected) && w[MOST] == 77.0F);
                simd->damp(&damping, &noise, first, 100, fresh ? NULL : s.w, w);
                simd->damp(&damping, &noise, first + 100, MOST - 100, fresh ? NULL : s.w + 100, w + 100);
                assert_true(same(MOST, w, expected));
            }
        }
    }
}

static void baoab_follows_the_equation(void **state) {
    (void)state;
    static states s;
    static float z[MOST], x[MOST + 1], w[MOST + 1], expected_x[MOST], expected_w[MOST];
    const ebm__damping damping = {0.8F, 0.6F};
    const ebm__simd *simd;
    const float half = 0.05F;
    ebm__dynamics d;
    FOR_CASES(s, d) {
        int64_t n = ROWS * d.dim;
        int64_t first = 3 * d.dim;
        double expected_square = 2.0;
        double exact_square = 2.0;
        width(0)->normals(&noise, first, n, z);
        assert_int_equal(width(0)->baoab(&d, &damping, half, &noise, first, n, s.x, s.w, s.grad, expected_x, expected_w,
                                         &expected_square),
                         0);
        for (int64_t e = 0; e < n; e++) {
            double step = (double)half * scale_of(&d, e);
            double momentum = (double)s.w[e] - step * slope_of(&d, s.grad[e]);
            double y = (double)s.x[e] + step * momentum;
            momentum = 0.8 * momentum + 0.6 * (double)z[e];
            ASSERT_NEAR(expected_w[e], momentum, 2e-6);
            ASSERT_NEAR(expected_x[e], y + step * momentum, 2e-6);
            exact_square += (double)s.grad[e] * (double)s.grad[e];
        }
        ASSERT_NEAR(expected_square, exact_square, 1e-12 * exact_square);
        FOR_WIDTHS(simd) {
            double square = 2.0;
            memcpy(x, s.x, MOST * sizeof *x);
            memcpy(w, s.w, MOST * sizeof *w);
            x[n] = 77.0F;
            w[n] = 77.0F;
            simd->baoab(&d, &damping, half, &noise, first, n, x, w, s.grad, x, w, &square);
            assert_true(same(n, x, expected_x) && same(n, w, expected_w) && x[n] == 77.0F && w[n] == 77.0F);
            assert_memory_equal(&square, &expected_square, sizeof square);
        }
    }
}

/* x + s (sigma z - eta s g), with every bound, and in any split. */
static void scaled_langevin_follows_the_equation(void **state) {
    (void)state;
    static states s;
    static float z[MOST], x[MOST + 1], expected[MOST];
    const ebm__simd *simd;
    ebm__dynamics d;
    FOR_CASES(s, d) {
        for (int bound = 0; bound < 3 && d.scale.of != NULL; bound++) {
            int64_t n = ROWS * d.dim;
            int64_t first = 3 * d.dim;
            double square = 0;
            ebm__langevin pass = {
                .eta = 0.1F, .sigma = 0.4F, .clip = d.clip, .lo = -INFINITY, .hi = INFINITY, .scale = d.scale};
            if (bound > 0) {
                pass.lo = -4.0F;
                pass.hi = 4.0F;
                pass.reflect = bound == 2;
            }
            width(0)->normals(&noise, first, n, z);
            assert_int_equal(width(0)->langevin(&pass, &noise, first, n, s.x, s.grad, expected, &square), 0);
            for (int64_t e = 0; e < n; e++) {
                double scale = scale_of(&d, e);
                double y = (double)s.x[e] + scale * (0.4 * (double)z[e] - 0.1 * scale * slope_of(&d, s.grad[e]));
                if (bound == 0 || fabs(y) < 4.0) {
                    ASSERT_NEAR(expected[e], y, 4e-7 * (1.0 + fabs(y)));
                }
            }
            FOR_WIDTHS(simd) {
                int64_t part = n / 3;
                x[n] = 77.0F;
                simd->langevin(&pass, &noise, first, part, s.x, s.grad, x, &square);
                simd->langevin(&pass, &noise, first + part, n - part, s.x + part, s.grad + part, x + part, &square);
                assert_true(same(n, x, expected) && x[n] == 77.0F);
            }
        }
    }
}

static void straight_asks_all_six_products(void **state) {
    (void)state;
    const ebm__simd *simd;
    for (size_t k = 0; k < LENGTH(dims); k++) {
        int64_t dim = dims[k];
        int seen[2] = {0};
        for (uint64_t trial = 0; trial < 200; trial++) {
            static float v[6 * MOST_DIM];
            const ebm__sequence others = {.seed = 6, .step = trial, .stream = EBM__STREAM_DATA};
            width(0)->normals(&others, 0, 6 * dim, v);
            const float *a = v + 2 * dim; /* begin, end and sum of left; then of right */
            for (int64_t i = 0; i < 6 * dim; i++) { /* so that now one and now another product is below 0 */
                v[i] = v[i] * 0.006F * (float)trial * powf((float)dim, 0.25F) + 0.2F;
            }
            double product[6] = {0};
            for (int64_t i = 0; i < dim; i++) {
                double lb = (double)v[i], le = (double)v[dim + i], ls = (double)a[i];
                double rb = (double)a[dim + i], re = (double)a[2 * dim + i], rs = (double)a[3 * dim + i];
                product[0] += lb * (ls + rs);
                product[1] += re * (ls + rs);
                product[2] += lb * (ls + rb);
                product[3] += rb * (ls + rb);
                product[4] += le * (rs + le);
                product[5] += re * (rs + le);
            }
            int expected = 1;
            for (int j = 0; j < 6; j++) {
                expected &= product[j] > 0;
            }
            const ebm__branch left = {.begin = v, .end = v + dim, .sum = a};
            const ebm__branch right = {.begin = a + dim, .end = a + 2 * dim, .sum = a + 3 * dim};
            seen[expected]++;
            FOR_WIDTHS(simd) {
                assert_int_equal(simd->straight(dim, &left, &right), expected);
            }
        }
        assert_true(seen[0] > 10 && seen[1] > 10);
    }
}

/* Each element in turn, so also the last of a part of a vector. */
static void what_is_not_finite_is_found(void **state) {
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    static states s;
    const ebm__simd *simd;
    fill_states(MOST_DIM, &s);
    FOR_WIDTHS(simd) {
        float v[300];
        for (int64_t n = 0; n < 300; n = 2 * n + 1) {
            simd->fill(n, FLT_MAX, v);
            assert_true(simd->finite(n, v));
            for (int64_t i = 0; i < n; i++) {
                v[i] = bad[i % 3];
                assert_false(simd->finite(n, v));
                v[i] = -FLT_MAX;
            }
        }
        for (size_t k = 0; k < LENGTH(dims); k++) {
            static float x[MOST], w[MOST];
            const ebm__dynamics d = {.dim = dims[k], .clip = INFINITY};
            const ebm__damping damping = {0.8F, 0.6F};
            const ebm__leaps leap = {.drift = s.drift, .x = x, .w = s.w, .x_next = x, .w_next = w};
            double square = 0;
            for (int64_t e = 0; e < ROWS * dims[k]; e++) {
                memcpy(x, s.x, sizeof x);
                x[e] = bad[e % 3];
                assert_int_equal(
                    simd->baoab(&d, &damping, 0.1F, &noise, 0, ROWS * dims[k], x, s.w, s.grad, x, w, &square), 1);
                memcpy(x, s.x, sizeof x);
                x[e] = bad[e % 3];
                assert_int_equal(simd->leap(&d, ROWS, &leap), 1);
            }
        }
    }
}

static void squares_are_summed_in_double(void **state) {
    (void)state;
    static states s;
    const ebm__simd *simd;
    fill_states(MOST_DIM, &s);
    for (int64_t n = 0; n <= MOST; n = n < 140 ? n + 1 : 2 * n) {
        double exact = 0;
        double expected = width(0)->sum_of_squares(n, s.x);
        for (int64_t i = 0; i < n; i++) {
            exact += (double)s.x[i] * (double)s.x[i];
        }
        ASSERT_NEAR(expected, exact, 1e-13 * exact);
        FOR_WIDTHS(simd) {
            double sum = simd->sum_of_squares(n, s.x);
            assert_memory_equal(&sum, &expected, sizeof sum);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leap_follows_the_equation),      cmocka_unit_test(leap_gives_the_same_bits),
        cmocka_unit_test(ratios_follow_the_equation),     cmocka_unit_test(damping_follows_the_equation),
        cmocka_unit_test(baoab_follows_the_equation),     cmocka_unit_test(scaled_langevin_follows_the_equation),
        cmocka_unit_test(straight_asks_all_six_products), cmocka_unit_test(what_is_not_finite_is_found),
        cmocka_unit_test(squares_are_summed_in_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

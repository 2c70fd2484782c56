/* SPDX-License-Identifier: MIT */
/* The loops of kernels with momenta, and the proposal ratios of MALA. A part of core/simd_body.h. */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

EBM__INLINE v_float clipped(bool plain, float clip, v_float slope) {
    return plain ? slope : v_min(v_set(clip), v_max(v_set(-clip), slope));
}

EBM__INLINE bool is_plain(const ebm__dynamics *dynamics) {
    return dynamics->scale.of == NULL && !(dynamics->clip < INFINITY);
}

/*
 * Each part is a float, with the relative error of a few roundings, as the gradients themselves have; the sum, in which
 * parts of either sign meet, is in double.
 */
EBM__INLINE double ratio(bool plain, const ebm__dynamics *d, float eta, const float *x, const float *y, const float *g,
                         const float *g_next) {
    v_double sum[SUM_VECTORS] = {{0}};
    bool scaled = !plain && d->scale.of != NULL;
    for (int64_t block = 0; block < d->dim; block += SUM_LANES) {
        bool whole = block + SUM_LANES <= d->dim;
#pragma GCC unroll 4
        for (int v = 0; v < SUM_VECTORS / 2; v++) {
            int64_t i = block + v * EBM__LANES;
            int64_t n = d->dim - i;
            v_float step = load_some(whole, y + i, n) - (x == NULL ? v_set(0.0F) : load_some(whole, x + i, n));
            v_float a = clipped(plain, d->clip, load_some(whole, g + i, n));
            v_float b = clipped(plain, d->clip, load_some(whole, g_next + i, n));
            v_float pull = (a - b) * eta;
            if (scaled) {
                v_float s = load_some(whole, d->scale.of + i, n);
                pull = pull * s * s;
            }
            v_float part = ((step + step) + pull) * ((a + b) * eta);
            sum[2 * v] += v_low_double(part);
            sum[2 * v + 1] += v_high_double(part);
        }
    }
    return sum_of_lanes(sum);
}

static void ratios(const ebm__dynamics *d, float eta, int64_t n, const float *x, const float *y, const float *grad,
                   const float *grad_y, double *out) {
    bool plain = is_plain(d);
    for (int64_t r = 0; r < n; r++) {
        int64_t row = r * d->dim;
        const float *from = x == NULL ? NULL : x + row;
        if (plain) {
            out[r] = ratio(true, d, eta, from, y + row, grad + row, grad_y + row);
        } else {
            out[r] = ratio(false, d, eta, from, y + row, grad + row, grad_y + row);
        }
    }
}

/* Which of the moves of a leap are made. */
enum { KICKS = 1, DRIFTS = 2, SQUARES = 4, PLAIN = 8 };

/* Row r; the sum of its squares. */
EBM__INLINE double leap_row(int what, const ebm__dynamics *d, const ebm__leaps *l, int64_t r, v_float *not_finite) {
    v_double sum[SUM_VECTORS] = {{0}};
    bool scaled = (what & PLAIN) == 0 && d->scale.of != NULL;
    int64_t row = r * d->dim;
    for (int64_t block = 0; block < d->dim; block += SUM_LANES) {
        bool whole = block + SUM_LANES <= d->dim;
#pragma GCC unroll 4
        for (int v = 0; v < SUM_VECTORS / 2; v++) {
            int64_t i = block + v * EBM__LANES;
            int64_t n = d->dim - i;
            v_float s = scaled ? load_some(whole, d->scale.of + i, n) : v_set(1.0F);
            v_float w = load_some(whole, l->w + row + i, n);
            if (what & KICKS) {
                v_float slope = clipped(what & PLAIN, d->clip, load_some(whole, l->grad + row + i, n));
                w = w - (scaled ? slope * s : slope) * l->kick[r];
                store_some(whole, l->w_next + row + i, n, w);
            }
            if (what & DRIFTS) {
                v_float x = load_some(whole, l->x + row + i, n) + (scaled ? w * s : w) * l->drift[r];
                *not_finite += x * 0.0F;
                store_some(whole, l->x_next + row + i, n, x);
            }
            if (what & SQUARES) {
                add_squares_of(w, sum + 2 * v);
            }
        }
    }
    return what & SQUARES ? sum_of_lanes(sum) : 0;
}

EBM__INLINE int leap_rows(int what, const ebm__dynamics *d, int64_t n, const ebm__leaps *l) {
    v_float not_finite = v_set(0.0F);
    for (int64_t r = 0; r < n; r++) {
        double sum = leap_row(what, d, l, r, &not_finite);
        if (what & SQUARES) {
            l->square[r] = sum;
        }
    }
    return all_zero(not_finite) ? 0 : 1;
}

/* The usual ones are compiled each for itself; the rest look at `what` on their way. */
static int leap(const ebm__dynamics *d, int64_t n, const ebm__leaps *l) {
    int what = (l->grad != NULL ? KICKS : 0) | (l->drift != NULL ? DRIFTS : 0) | (l->square != NULL ? SQUARES : 0) |
               (is_plain(d) ? PLAIN : 0);
    switch (what) {
        case KICKS | DRIFTS: return leap_rows(KICKS | DRIFTS, d, n, l);
        case KICKS | DRIFTS | PLAIN: return leap_rows(KICKS | DRIFTS | PLAIN, d, n, l);
        case KICKS | PLAIN: return leap_rows(KICKS | PLAIN, d, n, l);
        default: return leap_rows(what, d, n, l);
    }
}

/* The products of core/simd.h's straight, each in lanes of its own. */
enum { PRODUCTS = 6, PRODUCT_LANES = 8, PRODUCT_VECTORS = 2 * PRODUCT_LANES / EBM__LANES };

EBM__INLINE void add_products(const v_double begin, const v_double end, const v_double left_end,
                              const v_double right_begin, const v_double left_sum, const v_double right_sum,
                              v_double sum[PRODUCTS]) {
    v_double whole = left_sum + right_sum;
    v_double left_and_next = left_sum + right_begin;
    v_double right_and_last = right_sum + left_end;
    sum[0] += begin * whole;
    sum[1] += end * whole;
    sum[2] += begin * left_and_next;
    sum[3] += right_begin * left_and_next;
    sum[4] += left_end * right_and_last;
    sum[5] += end * right_and_last;
}

/* Lanes i and i + 4, then i and i + 2, ... */
EBM__INLINE double sum_of_product(v_double sum[PRODUCT_VECTORS][PRODUCTS], int k) {
    double lane[PRODUCT_LANES];
    for (int v = 0; v < PRODUCT_VECTORS; v++) {
        memcpy(lane + v * (EBM__LANES / 2), &sum[v][k], sizeof sum[v][k]);
    }
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

__attribute__((noinline)) static v_double load_part_doubles(const float *p, int64_t n) {
    float some[EBM__LANES / 2] = {0};
    for (int64_t i = 0; i < n; i++) {
        some[i] = p[i];
    }
    return v_load_double(some);
}

EBM__INLINE v_double load_doubles(bool whole, const float *p, int64_t n) {
    return whole || n >= EBM__LANES / 2 ? v_load_double(p) : load_part_doubles(p, n);
}

static int straight(int64_t dim, const ebm__branch *left, const ebm__branch *right) {
    v_double sum[PRODUCT_VECTORS][PRODUCTS] = {{{0}}};
    for (int64_t block = 0; block < dim; block += PRODUCT_LANES) {
        bool whole = block + PRODUCT_LANES <= dim;
#pragma GCC unroll 4
        for (int v = 0; v < PRODUCT_VECTORS; v++) {
            int64_t i = block + v * (EBM__LANES / 2);
            int64_t n = dim - i;
            add_products(load_doubles(whole, left->begin + i, n), load_doubles(whole, right->end + i, n),
                         load_doubles(whole, left->end + i, n), load_doubles(whole, right->begin + i, n),
                         load_doubles(whole, left->sum + i, n), load_doubles(whole, right->sum + i, n), sum[v]);
        }
    }
    int all = 1;
    for (int k = 0; k < PRODUCTS; k++) {
        all &= sum_of_product(sum, k) > 0;
    }
    return all;
}

/* One group. */
EBM__INLINE v_float damped(const ebm__damping *d, v_float w, const float *z) {
    return w * d->kept + v_load(z) * d->spread;
}

static void damp(const ebm__damping *d, const ebm__sequence *sequence, int64_t first, int64_t count, const float *w,
                 float *w_next) {
    generator g = begin(sequence);
    for (int64_t done = 0, n = 0; done < count; done += n) {
        int64_t skip = (first + done) % EBM__GROUP;
        n = least(EBM__GROUP - skip, count - done);
        float z[EBM__GROUP];
        float part[EBM__GROUP] = {0};
        normal_group(&g, (first + done) / EBM__GROUP, z);
        bool whole = n == EBM__GROUP;
        if (!whole && w != NULL) {
            widen(w + done, skip, n, part);
        }
        const float *from = whole && w != NULL ? w + done : part;
        float *to = whole ? w_next + done : part;
        for (int i = 0; i < EBM__GROUP; i += EBM__LANES) {
            v_store(to + i, damped(d, w == NULL ? v_set(0.0F) : v_load(from + i), z + i));
        }
        if (!whole) {
            memcpy(w_next + done, part + skip, (size_t)n * sizeof *w_next);
        }
    }
}

/* One group, in place. */
EBM__INLINE void baoab_group(bool plain, const ebm__dynamics *d, const ebm__damping *damping, float half,
                             const float *z, const float *scale, const float *grad, const float *x, const float *w,
                             float *x_next, float *w_next, v_float *not_finite) {
    for (int i = 0; i < EBM__GROUP; i += EBM__LANES) {
        v_float slope = clipped(plain, d->clip, v_load(grad + i));
        v_float momentum = v_load(w + i) - (scale == NULL ? slope : slope * v_load(scale + i)) * half;
        v_float y = v_load(x + i) + (scale == NULL ? momentum : momentum * v_load(scale + i)) * half;
        momentum = damped(damping, momentum, z + i);
        y = y + (scale == NULL ? momentum : momentum * v_load(scale + i)) * half;
        *not_finite += y * 0.0F;
        v_store(x_next + i, y);
        v_store(w_next + i, momentum);
    }
}

static int baoab(const ebm__dynamics *d, const ebm__damping *damping, float half, const ebm__sequence *sequence,
                 int64_t first, int64_t count, const float *x, const float *w, const float *grad, float *x_next,
                 float *w_next, double *grad_square) {
    generator g = begin(sequence);
    v_double squares[SUM_VECTORS] = {{0}};
    v_float not_finite = v_set(0.0F);
    bool plain = is_plain(d);
    bool scaled = d->scale.of != NULL;
    int64_t at = scaled ? first % d->scale.period : 0;
    for (int64_t done = 0, n = 0; done < count; done += n) {
        int64_t skip = (first + done) % EBM__GROUP;
        n = least(EBM__GROUP - skip, count - done);
        float z[EBM__GROUP];
        normal_group(&g, (first + done) / EBM__GROUP, z);
        const float *s = scaled ? d->scale.of + at : NULL;
        const float *from_x = x + done;
        const float *from_w = w + done;
        const float *from_grad = grad + done;
        float *to_x = x_next + done;
        float *to_w = w_next + done;
        float part[4][EBM__GROUP];
        if (n < EBM__GROUP) {
            from_x = widen(from_x, skip, n, part[0]);
            from_w = widen(from_w, skip, n, part[1]);
            from_grad = widen(from_grad, skip, n, part[2]);
            s = scaled ? widen(s, skip, n, part[3]) : NULL;
            to_x = part[0];
            to_w = part[1];
        }
        baoab_group(plain, d, damping, half, z, s, from_grad, from_x, from_w, to_x, to_w, &not_finite);
        add_group_squares(from_grad, squares);
        if (n < EBM__GROUP) {
            memcpy(x_next + done, to_x + skip, (size_t)n * sizeof *x_next);
            memcpy(w_next + done, to_w + skip, (size_t)n * sizeof *w_next);
        }
        at = !scaled ? 0 : n < EBM__GROUP ? (first + done + n) % d->scale.period : next_at(&d->scale, at);
    }
    *grad_square += sum_of_lanes(squares);
    return all_zero(not_finite) ? 0 : 1;
}

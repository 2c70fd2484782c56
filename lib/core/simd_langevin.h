/* SPDX-License-Identifier: MIT */
/* The fused pass of a Langevin step. A part of core/simd_body.h. */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

enum { FREE, CUT, MIRRORED }; /* neither clip nor bounds; a clip or bounds to clamp to; bounds to mirror at */

enum { SQUARE_LANES = 16, SQUARE_VECTORS = 2 * SQUARE_LANES / EBM__LANES };

/* A pass, and what its bounds come to. */
typedef struct moves {
    ebm__langevin pass;
    float period;      /* of the mirror images, 2 (hi - lo); 0: there is no second bound to come to */
    float per_period;  /* 1 / period, or 0 */
    float least, most; /* the bounds, or the range of float */
} moves;

static moves prepare(const ebm__langevin *pass) {
    moves m = {.pass = *pass, .least = fmaxf(pass->lo, -FLT_MAX), .most = fminf(pass->hi, FLT_MAX)};
    float period = 2.0F * (pass->hi - pass->lo);
    if (period > 0.0F && period <= FLT_MAX) {
        m.period = period;
        m.per_period = fminf(1.0F / period, FLT_MAX);
    }
    return m;
}

/* Where y comes to lie after as many reflections as it takes; y itself where it is inside, or NaN. */
EBM__INLINE v_float mirrored(const moves *m, v_float y) {
    const float whole = 0x1.8p23F; /* adding and taking away rounds to a whole number */
    const ebm__langevin *pass = &m->pass;
    v_float out = v_max(y - pass->hi, pass->lo - y);
    v_float finite = v_min(v_set(FLT_MAX), out);
    v_float periods = (finite * m->per_period + whole) - whole;
    v_float back = (v_float)((v_int)(finite - periods * m->period) & INT32_MAX);
    v_float image = v_select_less(v_set(pass->hi), y, pass->hi - back, pass->lo + back);
    image = v_min(v_set(m->most), v_max(v_set(m->least), image));
    return v_select_less(v_set(0.0F), out, image, y);
}

/*
 * One group. Zero times a number is NaN where the number is not finite: that is how such states are found, and how
 * they stay visible where a bound would have made them finite again.
 */
EBM__INLINE void move_group(int kind, const moves *m, const float *z, const float *x, const float *grad, float *x_next,
                            v_float *not_finite) {
    const ebm__langevin *pass = &m->pass;
    for (int i = 0; i < EBM__GROUP; i += EBM__LANES) {
        v_float y = v_load(x + i);
        if (grad != NULL) {
            v_float slope = v_load(grad + i);
            if (kind != FREE) {
                slope = v_min(v_set(pass->clip), v_max(v_set(-pass->clip), slope));
            }
            y = y - slope * pass->eta;
        }
        y = y + v_load(z + i) * pass->sigma;
        v_float zero = y * 0.0F;
        *not_finite += zero;
        if (kind == CUT) {
            y = v_min(v_set(pass->hi), v_max(v_set(pass->lo), y)) + zero;
        } else if (kind == MIRRORED) {
            y = mirrored(m, y) + zero;
        }
        v_store(x_next + i, y);
    }
}

/* Lane i of 16 receives the squares of elements i, i + 16, ... of every group, whatever the width. */
EBM__INLINE void add_squares(const float *grad, v_double sum[SQUARE_VECTORS]) {
    for (int i = 0; i < EBM__GROUP; i += SQUARE_LANES) {
        for (int v = 0; v < SQUARE_VECTORS; v++) {
            v_double slope = v_load_double(grad + i + v * (EBM__LANES / 2));
            sum[v] += slope * slope;
        }
    }
}

static double sum_of_lanes(const v_double sum[SQUARE_VECTORS]) {
    double lane[SQUARE_LANES];
    memcpy(lane, sum, sizeof lane);
    for (int half = SQUARE_LANES / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            lane[i] += lane[i + half];
        }
    }
    return lane[0];
}

static int all_zero(v_float sums) {
    float lane[EBM__LANES];
    memcpy(lane, &sums, sizeof lane);
    for (int i = 0; i < EBM__LANES; i++) {
        if (!(lane[i] == 0.0F)) {
            return 0;
        }
    }
    return 1;
}

EBM__INLINE int move(int kind, const moves *m, const ebm__sequence *sequence, int64_t first, int64_t count,
                     const float *x, const float *grad, float *x_next, double *grad_square) {
    generator g = begin(sequence);
    v_double squares[SQUARE_VECTORS] = {{0}};
    v_float not_finite = v_set(0.0F);
    float z[EBM__GROUP] = {0};
    for (int64_t done = 0, n = 0; done < count; done += n) {
        int64_t skip = (first + done) % EBM__GROUP;
        n = least(EBM__GROUP - skip, count - done);
        if (m->pass.sigma != 0.0F) {
            normal_group(&g, (first + done) / EBM__GROUP, z);
        }
        if (n == EBM__GROUP) {
            move_group(kind, m, z, x + done, grad == NULL ? NULL : grad + done, x_next + done, &not_finite);
            if (grad != NULL) {
                add_squares(grad + done, squares);
            }
            continue;
        }
        /* A part of a group: zeros stand for the rest. */
        size_t bytes = (size_t)n * sizeof(float);
        float part_z[EBM__GROUP] = {0};
        float part_x[EBM__GROUP] = {0};
        float part_grad[EBM__GROUP] = {0};
        memcpy(part_z + skip, z + skip, bytes);
        memcpy(part_x + skip, x + done, bytes);
        if (grad != NULL) {
            memcpy(part_grad + skip, grad + done, bytes);
            add_squares(part_grad, squares);
        }
        move_group(kind, m, part_z, part_x, part_grad, part_x, &not_finite);
        memcpy(x_next + done, part_x + skip, bytes);
    }
    *grad_square += sum_of_lanes(squares);
    return all_zero(not_finite) ? 0 : 1;
}

static int langevin(const ebm__langevin *pass, const ebm__sequence *sequence, int64_t first, int64_t count,
                    const float *x, const float *grad, float *x_next, double *grad_square) {
    moves m = prepare(pass);
    bool bounded = pass->lo > -INFINITY || pass->hi < INFINITY;
    if (bounded && pass->reflect) {
        return move(MIRRORED, &m, sequence, first, count, x, grad, x_next, grad_square);
    }
    if (bounded || pass->clip < INFINITY) {
        return move(CUT, &m, sequence, first, count, x, grad, x_next, grad_square);
    }
    return move(FREE, &m, sequence, first, count, x, grad, x_next, grad_square);
}

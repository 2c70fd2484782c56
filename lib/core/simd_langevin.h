/* SPDX-License-Identifier: MIT */
/* The fused pass of a Langevin step. A part of core/simd_body.h. */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

enum { FREE, CUT, MIRRORED }; /* neither clip nor bounds; a clip or bounds to clamp to; bounds to mirror at */

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
 * they stay visible where a bound would have made them finite again. With a scale s, the move is s (sigma z - eta s g).
 */
EBM__INLINE void move_group(int kind, const moves *m, const float *z, const float *x, const float *grad,
                            const float *scale, float *x_next, v_float *not_finite) {
    const ebm__langevin *pass = &m->pass;
    for (int i = 0; i < EBM__GROUP; i += EBM__LANES) {
        v_float y = v_load(x + i);
        v_float noise = v_load(z + i) * pass->sigma;
        v_float slope = v_set(0.0F);
        if (grad != NULL) {
            slope = v_load(grad + i);
            if (kind != FREE) {
                slope = v_min(v_set(pass->clip), v_max(v_set(-pass->clip), slope));
            }
        }
        if (scale != NULL) {
            y = y + (noise - slope * v_load(scale + i) * pass->eta) * v_load(scale + i);
        } else {
            y = y - slope * pass->eta + noise;
        }
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

/* A part of a group, n elements from `skip` on, as a whole group with zeros for the rest. */
__attribute__((noinline)) static const float *widen(const float *from, int64_t skip, int64_t n, float group[EBM__GROUP]) {
    memset(group, 0, EBM__GROUP * sizeof *group);
    memcpy(group + skip, from, (size_t)n * sizeof *from);
    return group;
}

/* Where in the scale, which repeats, the group after one at `at` begins. */
EBM__INLINE int64_t next_at(const ebm__scale *scale, int64_t at) {
    at += EBM__GROUP % scale->period;
    return at < scale->period ? at : at - scale->period;
}

EBM__INLINE void move_group_as(int kind, const moves *m, const float *z, const float *x, const float *grad,
                               const float *scale, float *x_next, v_float *not_finite) {
    switch (kind) {
    case FREE: move_group(FREE, m, z, x, grad, scale, x_next, not_finite); break;
    case CUT: move_group(CUT, m, z, x, grad, scale, x_next, not_finite); break;
    default: move_group(MIRRORED, m, z, x, grad, scale, x_next, not_finite); break;
    }
}

/* The kinds part inside each group, not around the run: a look for every 64 elements costs nothing that is seen. */
static int langevin(const ebm__langevin *pass, const ebm__sequence *sequence, int64_t first, int64_t count,
                    const float *x, const float *grad, float *x_next, double *grad_square) {
    const moves m = prepare(pass);
    const ebm__scale *scale = &m.pass.scale;
    bool scaled = scale->of != NULL;
    bool bounded = pass->lo > -INFINITY || pass->hi < INFINITY;
    int kind = bounded && pass->reflect ? MIRRORED : bounded || pass->clip < INFINITY ? CUT : FREE;
    generator g = begin(sequence);
    v_double squares[SUM_VECTORS] = {{0}};
    v_float not_finite = v_set(0.0F);
    float z[EBM__GROUP] = {0};
    int64_t at = scaled ? first % scale->period : 0;
    for (int64_t done = 0, n = 0; done < count; done += n) {
        int64_t skip = (first + done) % EBM__GROUP;
        n = least(EBM__GROUP - skip, count - done);
        if (m.pass.sigma != 0.0F) {
            normal_group(&g, (first + done) / EBM__GROUP, z);
        }
        const float *s = scaled ? scale->of + at : NULL;
        const float *from_z = z;
        const float *from_x = x + done;
        const float *from_grad = grad == NULL ? NULL : grad + done;
        float *to = x_next + done;
        float part[4][EBM__GROUP];
        if (n < EBM__GROUP) {
            from_z = widen(z + skip, skip, n, part[0]);
            from_x = widen(from_x, skip, n, part[1]);
            from_grad = grad == NULL ? NULL : widen(from_grad, skip, n, part[2]);
            s = scaled ? widen(s, skip, n, part[3]) : NULL;
            to = part[1];
        }
        move_group_as(kind, &m, from_z, from_x, from_grad, s, to, &not_finite);
        if (grad != NULL) {
            add_group_squares(from_grad, squares);
        }
        if (n < EBM__GROUP) {
            memcpy(x_next + done, to + skip, (size_t)n * sizeof *x_next);
        }
        at = !scaled ? 0 : n < EBM__GROUP ? (first + done + n) % scale->period : next_at(scale, at);
    }
    *grad_square += sum_of_lanes(squares);
    return all_zero(not_finite) ? 0 : 1;
}

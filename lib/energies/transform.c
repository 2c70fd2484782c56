/* SPDX-License-Identifier: MIT */
/*
 * The transforms of the Stan Reference Manual, chapter "Constraint Transforms", in double between floats. With
 * s(u) = 1 / (1 + exp(-u)), e = exp(-|u|):  s(|u|) = 1 / (1 + e), s(-|u|) = e / (1 + e),
 * log s(u) + log s(-u) = -|u| - 2 log(1 + e). No term cancels another, so nothing is lost however large |u| is.
 */
#include "energies/transform.h"

#include <ebm/energies.h>

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

/* How far the sum of a simplex may be from 1 when it comes from outside. */
static const double SUM_TOLERANCE = 1e-4;

/*
 * The least float above `bound` by at least FLT_MIN, so that a host's float log(x - lo) and 1 / (x - lo) are finite,
 * as is what it computes for 0 < x.
 */
static float next_above(double bound) {
    float x = (float)(bound + (double)FLT_MIN);
    while ((double)x - bound < (double)FLT_MIN) {
        x = nextafterf(x, INFINITY);
    }
    return x;
}

static ebm_status check_bound(const char *caller, const char *name, int32_t index, const double *bounds) {
    if (bounds == NULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s is NULL, but block %" PRId32 " needs it", caller, name, index);
    }
    if (!(fabs(bounds[index]) <= (double)FLT_MAX / 2)) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s[%" PRId32 "] is %g, must be finite and at most %g in size", caller, name,
                         index, bounds[index], (double)FLT_MAX / 2);
    }
    return EBM_OK;
}

static ebm_status set_bounds(ebm__transform *t, const char *caller, int32_t index, const double *lo,
                             const double *hi) {
    t->lo = -(double)INFINITY;
    t->hi = (double)INFINITY;
    t->least = -FLT_MAX;
    t->most = FLT_MAX;
    if (t->kind == EBM_TRANSFORM_LOWER || t->kind == EBM_TRANSFORM_INTERVAL) {
        EBM__TRY(check_bound(caller, "lo", index, lo));
        t->lo = lo[index];
        t->least = next_above(t->lo);
    }
    if (t->kind == EBM_TRANSFORM_UPPER || t->kind == EBM_TRANSFORM_INTERVAL) {
        EBM__TRY(check_bound(caller, "hi", index, hi));
        t->hi = hi[index];
        t->most = -next_above(-t->hi);
    }
    if (t->kind == EBM_TRANSFORM_SIMPLEX) {
        t->least = FLT_MIN;
        t->most = 1;
    }
    if (t->least > t->most) {
        return ebm__fail(EBM_ERR_ARG,
                         "%s: lo[%" PRId32 "] is %g and hi[%" PRId32 "] is %g, must have a float between them", caller,
                         index, t->lo, index, t->hi);
    }
    t->log_width = t->kind == EBM_TRANSFORM_INTERVAL ? log(t->hi - t->lo) : 0;
    return EBM_OK;
}

ebm_status ebm__transform_init(ebm__transform *t, const char *caller, int32_t index, int32_t kind, int64_t size,
                               const double *lo, const double *hi) {
    if (kind < EBM_TRANSFORM_NONE || kind > EBM_TRANSFORM_ORDERED) {
        return ebm__fail(EBM_ERR_ARG, "%s: kinds[%" PRId32 "] is %" PRId32 ", must be one of EBM_TRANSFORM_...", caller,
                         index, kind);
    }
    int64_t least = kind == EBM_TRANSFORM_SIMPLEX ? 2 : 1;
    if (size < least) {
        return ebm__fail(EBM_ERR_ARG, "%s: sizes[%" PRId32 "] is %" PRId64 ", must be at least %" PRId64, caller, index,
                         size, least);
    }
    t->kind = kind;
    t->size = size;
    t->free_size = kind == EBM_TRANSFORM_SIMPLEX ? size - 1 : size;
    return set_bounds(t, caller, index, lo, hi);
}

/* The float of x, kept inside the constraint where rounding would leave it. */
static float inside(const ebm__transform *t, double x) {
    return x <= (double)t->least ? t->least : x >= (double)t->most ? t->most : (float)x;
}

/* exp(y), but finite: a gradient of 0 times it is then 0. */
static double bounded_exp(float y) {
    return fmin(exp((double)y), (double)FLT_MAX);
}

static double constrain_half_line(const ebm__transform *t, const float *y, float *x) {
    double log_jacobian = 0;
    for (int64_t i = 0; i < t->size; i++) {
        double place = t->kind == EBM_TRANSFORM_LOWER ? t->lo + exp((double)y[i]) : t->hi - exp((double)y[i]);
        x[i] = inside(t, place);
        log_jacobian += fabs(place) <= (double)FLT_MAX ? (double)y[i] : -(double)INFINITY;
    }
    return log_jacobian;
}

static double constrain_interval(const ebm__transform *t, const float *y, float *x) {
    double log_jacobian = 0;
    for (int64_t i = 0; i < t->size; i++) {
        double e = exp(-fabs((double)y[i]));
        double from_end = (t->hi - t->lo) * (e / (1 + e));
        x[i] = inside(t, y[i] < 0 ? t->lo + from_end : t->hi - from_end);
        log_jacobian += t->log_width - fabs((double)y[i]) - 2 * log1p(e);
    }
    return log_jacobian;
}

/* One break of the stick: z of it goes to x_k, 1 - z to the rest. y = 0 gives z = 1 / (number of pieces left). */
typedef struct stick {
    double z, rest;          /* z and 1 - z */
    double log_both;         /* log z + log (1 - z) */
    double log_rest;         /* log (1 - z) */
} stick;

static stick break_stick(double y, int64_t pieces_after) {
    double u = y - log((double)pieces_after);
    double e = exp(-fabs(u));
    double more = 1 / (1 + e);
    double less = e / (1 + e);
    double log_more = -log1p(e);
    return (stick){.z = u < 0 ? less : more,
                   .rest = u < 0 ? more : less,
                   .log_both = 2 * log_more - fabs(u),
                   .log_rest = u < 0 ? log_more : log_more - u};
}

static double constrain_simplex(const ebm__transform *t, const float *y, float *x) {
    double rest = 1;
    double log_rest = 0;
    double log_jacobian = 0;
    for (int64_t k = 0; k < t->free_size; k++) {
        stick s = break_stick((double)y[k], t->free_size - k);
        x[k] = inside(t, rest * s.z);
        log_jacobian += s.log_both + log_rest;
        rest *= s.rest;
        log_rest += s.log_rest;
    }
    x[t->free_size] = inside(t, rest);
    return log_jacobian;
}

static double constrain_ordered(const ebm__transform *t, const float *y, float *x) {
    double place = (double)y[0];
    double log_jacobian = 0;
    x[0] = y[0];
    for (int64_t k = 1; k < t->size; k++) {
        place += exp((double)y[k]);
        log_jacobian += place <= (double)FLT_MAX ? (double)y[k] : -(double)INFINITY;
        x[k] = inside(t, place);
        if (x[k] <= x[k - 1] && x[k - 1] < FLT_MAX) {
            x[k] = nextafterf(x[k - 1], INFINITY);
        }
    }
    return log_jacobian;
}

double ebm__transform_constrain(const ebm__transform *t, const float *y, float *x) {
    switch (t->kind) {
        case EBM_TRANSFORM_LOWER:
        case EBM_TRANSFORM_UPPER:
            return constrain_half_line(t, y, x);
        case EBM_TRANSFORM_INTERVAL:
            return constrain_interval(t, y, x);
        case EBM_TRANSFORM_SIMPLEX:
            return constrain_simplex(t, y, x);
        case EBM_TRANSFORM_ORDERED:
            return constrain_ordered(t, y, x);
        default:
            for (int64_t i = 0; i < t->size; i++) {
                x[i] = y[i];
            }
            return 0;
    }
}

/* A NaN goes through with the bits it has: they may be the mark of what a callback did not write. */
static float as_float(double value) {
    return value > (double)FLT_MAX ? FLT_MAX : value < -(double)FLT_MAX ? -FLT_MAX : (float)value;
}

static void gradient_half_line(const ebm__transform *t, const float *y, const float *grad_x, float *grad_y) {
    double sign = t->kind == EBM_TRANSFORM_LOWER ? 1 : -1;
    for (int64_t i = 0; i < t->size; i++) {
        grad_y[i] = as_float(sign * (double)grad_x[i] * bounded_exp(y[i]) - 1);
    }
}

static double slope_of_interval(const ebm__transform *t, float y) {
    double e = exp(-fabs((double)y));
    return (t->hi - t->lo) * e / ((1 + e) * (1 + e));
}

/* dx/dy = w e / (1 + e)^2 and -d log(dx/dy)/dy = 2 s(y) - 1. */
static void gradient_interval(const ebm__transform *t, const float *y, const float *grad_x, float *grad_y) {
    for (int64_t i = 0; i < t->size; i++) {
        double e = exp(-fabs((double)y[i]));
        double pull = (1 - e) / (1 + e);
        grad_y[i] = as_float((double)grad_x[i] * slope_of_interval(t, y[i]) + (y[i] < 0 ? -pull : pull));
    }
}

/*
 * With r_k the stick before break k (r_1 = 1), x_k = r_k z_k, r_(k+1) = r_k (1 - z_k), x_K = r_K, and F = E - sum_k
 * log(z_k (1 - z_k) r_k), of derivative l_k in log r_k:
 *   l_K = g_K x_K,  l_k = g_k x_k + l_(k+1) - 1,
 *   dF/dy_k = g_k x_k (1 - z_k) - z_k l_(k+1) - (1 - 2 z_k).
 */
static void gradient_simplex(const ebm__transform *t, const float *y, const float *grad_x, double *work,
                             float *grad_y) {
    int64_t n = t->free_size;
    double *z = work;
    double *x = work + t->size;
    double rest = 1;
    for (int64_t k = 0; k < n; k++) {
        stick s = break_stick((double)y[k], n - k);
        z[k] = s.z;
        x[k] = rest * s.z;
        rest *= s.rest;
    }
    double l = (double)grad_x[n] * rest;
    for (int64_t k = n - 1; k >= 0; k--) {
        double gx = (double)grad_x[k] * x[k];
        grad_y[k] = as_float(gx * (1 - z[k]) - z[k] * l - (1 - 2 * z[k]));
        l += gx - 1;
    }
}

static void gradient_ordered(const ebm__transform *t, const float *y, const float *grad_x, float *grad_y) {
    double sum = 0; /* of the gradients of all x that move with y_k */
    for (int64_t k = t->size - 1; k > 0; k--) {
        sum += (double)grad_x[k];
        grad_y[k] = as_float(sum * bounded_exp(y[k]) - 1);
    }
    grad_y[0] = as_float(sum + (double)grad_x[0]);
}

void ebm__transform_gradient(const ebm__transform *t, const float *y, const float *grad_x, double *work,
                             float *grad_y) {
    switch (t->kind) {
        case EBM_TRANSFORM_LOWER:
        case EBM_TRANSFORM_UPPER:
            gradient_half_line(t, y, grad_x, grad_y);
            break;
        case EBM_TRANSFORM_INTERVAL:
            gradient_interval(t, y, grad_x, grad_y);
            break;
        case EBM_TRANSFORM_SIMPLEX:
            gradient_simplex(t, y, grad_x, work, grad_y);
            break;
        case EBM_TRANSFORM_ORDERED:
            gradient_ordered(t, y, grad_x, grad_y);
            break;
        default:
            for (int64_t i = 0; i < t->size; i++) {
                grad_y[i] = grad_x[i];
            }
    }
}

/* x_k = r_k z_k and r_(k+1) = r_k (1 - z_k): dx_k / x_k = (1 - z_k) d_k + dr_k / r_k, dr_(k+1) / r_(k+1) adds -z_k d_k. */
static void push_simplex(const ebm__transform *t, const float *y, const float *direction, float *moved) {
    double rest = 1;
    double change = 0; /* dr_k / r_k */
    for (int64_t k = 0; k < t->free_size; k++) {
        stick s = break_stick((double)y[k], t->free_size - k);
        double d = (double)direction[k];
        moved[k] = as_float(rest * s.z * (s.rest * d + change));
        change -= s.z * d;
        rest *= s.rest;
    }
    moved[t->free_size] = as_float(rest * change);
}

void ebm__transform_push(const ebm__transform *t, const float *y, const float *direction, float *moved) {
    double sum = 0;
    if (t->kind == EBM_TRANSFORM_SIMPLEX) {
        push_simplex(t, y, direction, moved);
        return;
    }
    for (int64_t i = 0; i < t->size; i++) {
        double d = (double)direction[i];
        switch (t->kind) {
            case EBM_TRANSFORM_LOWER:
                d *= bounded_exp(y[i]);
                break;
            case EBM_TRANSFORM_UPPER:
                d *= -bounded_exp(y[i]);
                break;
            case EBM_TRANSFORM_INTERVAL:
                d *= slope_of_interval(t, y[i]);
                break;
            case EBM_TRANSFORM_ORDERED: /* every x moves with those before it */
                sum += i == 0 ? d : d * bounded_exp(y[i]);
                d = sum;
                break;
            default:
                break;
        }
        moved[i] = as_float(d);
    }
}

static ebm_status check_sum(const ebm__transform *t, const char *caller, int64_t row, int64_t column, const float *x) {
    double sum = 0;
    for (int64_t i = 0; i < t->size; i++) {
        sum += (double)x[i];
    }
    if (fabs(sum - 1) > SUM_TOLERANCE) {
        return ebm__fail(EBM_ERR_ARG,
                         "%s: x has the sum %.9g at row %" PRId64 ", columns %" PRId64 " to %" PRId64
                         ", must be 1 within %g", caller, sum, row, column, column + t->size - 1, SUM_TOLERANCE);
    }
    return EBM_OK;
}

ebm_status ebm__transform_check(const ebm__transform *t, const char *caller, int64_t row, int64_t column,
                                const float *x) {
    double above = t->kind == EBM_TRANSFORM_SIMPLEX ? 0 : t->lo;
    for (int64_t i = 0; i < t->size; i++) {
        if (t->kind == EBM_TRANSFORM_ORDERED && i > 0) {
            above = (double)x[i - 1];
        }
        if (!((double)x[i] > above && (double)x[i] < t->hi)) {
            return ebm__fail(EBM_ERR_ARG,
                             "%s: x is %.9g at row %" PRId64 ", column %" PRId64 ", must be above %.9g and below %.9g",
                             caller, (double)x[i], row, column + i, above, t->hi);
        }
    }
    return t->kind == EBM_TRANSFORM_SIMPLEX ? check_sum(t, caller, row, column, x) : EBM_OK;
}

/* y_k = logit(x_k / r_k) + log(K - k) = log x_k - log(sum of the x after it) + log(K - k): the sum need not be 1. */
static void unconstrain_simplex(const ebm__transform *t, const float *x, float *y) {
    double rest = (double)x[t->free_size];
    for (int64_t k = t->free_size - 1; k >= 0; k--) {
        y[k] = (float)(log((double)x[k]) - log(rest) + log((double)(t->free_size - k)));
        rest += (double)x[k];
    }
}

static double unconstrain_one(const ebm__transform *t, double x) {
    switch (t->kind) {
        case EBM_TRANSFORM_LOWER:
            return log(x - t->lo);
        case EBM_TRANSFORM_UPPER:
            return log(t->hi - x);
        case EBM_TRANSFORM_INTERVAL:
            return log((x - t->lo) / (t->hi - x));
        default:
            return x;
    }
}

void ebm__transform_unconstrain(const ebm__transform *t, const float *x, float *y) {
    if (t->kind == EBM_TRANSFORM_SIMPLEX) {
        unconstrain_simplex(t, x, y);
        return;
    }
    for (int64_t i = 0; i < t->size; i++) {
        bool step = t->kind == EBM_TRANSFORM_ORDERED && i > 0;
        y[i] = (float)(step ? log((double)x[i] - (double)x[i - 1]) : unconstrain_one(t, (double)x[i]));
    }
}

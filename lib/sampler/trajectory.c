/* SPDX-License-Identifier: MIT */
#include "sampler/trajectory.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/simd.h"
#include "sampler/bounds.h"
#include "sampler/dynamics.h"
#include "sampler/kernel.h"
#include "sampler/metric.h"

enum { FLYING, OUTSIDE, IMPOSSIBLE, DIVERGENT };

/* One piece's working memory. The positions are in sampler->x_next. */
typedef struct flight {
    float *w; /* n x dim, as the next two: momenta at the start */
    float *moving; /* and on the way: w itself, or where the step leaves those that are kept */
    float *grad;
    double *energy;  /* n, as all that follow */
    double *start;   /* H / T at the start */
    double *highest; /* E / T on the way */
    double *square;  /* |w|^2 */
    float *eta;
    float *half; /* eta / 2 */
    float *uniform;
    float *work; /* of ebm__leap */
    uint8_t *fate;
} flight;

static void take_off(ebm_sampler *sampler, const ebm__trajectory *plan, int64_t first, int64_t n, flight *f) {
    double temperature = ebm__sampler_temperature(sampler, first);
    if (plan->keeps_momenta) {
        ebm__damp_momenta(sampler, first, n, plan->kept, sampler->momenta + first * sampler->dim, f->w);
    } else {
        ebm__draw_momenta(sampler, first, n, f->w);
    }
    ebm__row_squares(sampler, n, f->w, f->square);
    ebm__draw_step_sizes(sampler, first, n, f->eta);
    for (int64_t r = 0; r < n; r++) {
        double total = sampler->energy[first + r] + 0.5 * f->square[r];
        f->half[r] = f->eta[r] / 2;
        f->start[r] = total / temperature;
        if (!plan->keeps_momenta) {
            sampler->trajectory_energy[first + r] = total;
        }
        f->square[r] = total + EBM__DIVERGENT * temperature; /* until the end this is where E would be divergent */
        f->highest[r] = -INFINITY;
        f->fate[r] = FLYING;
    }
}

/*
 * The row stays at its chain's state, where the energy is known to be computable, until the others have come to their
 * ends.
 */
static void ground(ebm_sampler *sampler, int64_t chain, int64_t r, uint8_t fate, flight *f) {
    int64_t dim = sampler->dim;
    f->fate[r] = fate;
    f->eta[r] = 0;
    f->half[r] = 0;
    memcpy(sampler->x_next + chain * dim, sampler->x + chain * dim, (size_t)dim * sizeof(float));
    memset(f->moving + r * dim, 0, (size_t)dim * sizeof(float));
}

static void ground_outside(ebm_sampler *sampler, int64_t first, int64_t n, flight *f) {
    for (int64_t r = 0; r < n; r++) {
        if (!ebm__is_inside(sampler, sampler->x_next + (first + r) * sampler->dim)) {
            bool finite = ebm__simd_used()->finite(sampler->dim, sampler->x_next + (first + r) * sampler->dim) != 0;
            ground(sampler, first + r, r, finite ? OUTSIDE : DIVERGENT, f);
        }
    }
}

static void ground_too_high(ebm_sampler *sampler, int64_t first, int64_t n, flight *f) {
    double temperature = ebm__sampler_temperature(sampler, first);
    for (int64_t r = 0; r < n; r++) {
        double potential = f->energy[r] / temperature;
        if (f->fate[r] != FLYING) {
            continue;
        }
        f->highest[r] = fmax(f->highest[r], potential);
        if (isinf(f->energy[r])) {
            ground(sampler, first + r, r, IMPOSSIBLE, f);
        } else if (potential - f->start[r] > EBM__DIVERGENT) {
            ground(sampler, first + r, r, DIVERGENT, f);
        }
    }
}

static ebm_status fly(ebm_sampler *sampler, int64_t n_leaps, int64_t first, int64_t n, flight *f) {
    float *x = sampler->x_next + first * sampler->dim;
    const float *start = sampler->x + first * sampler->dim;
    ebm__leaps leap = {.kick = f->half,
                       .drift = f->eta,
                       .grad = sampler->grad + first * sampler->dim,
                       .x = start,
                       .w = f->w,
                       .x_next = x,
                       .w_next = f->moving};
    for (int64_t done = 0; done < n_leaps; done++) {
        bool finite = ebm__leap(sampler, n, &leap, f->work);
        if (!finite || ebm__sampler_has_bounds(sampler)) {
            ground_outside(sampler, first, n, f);
        }
        EBM__TRY(ebm__kernel_evaluate(sampler, first, n, x, f->square, f->energy, f->grad));
        ground_too_high(sampler, first, n, f);
        leap.kick = f->eta;
        leap.grad = f->grad;
        leap.x = x;
        leap.w = f->moving;
    }
    leap.kick = f->half;
    leap.drift = NULL;
    leap.square = f->square;
    ebm__leap(sampler, n, &leap, f->work);
    ebm__hold_masked(sampler, n, start, x);
    return EBM_OK;
}

/* log of the ratio that Metropolis's rule wants; -infinity where nothing can be accepted. */
static double judge(double temperature, int64_t r, flight *f) {
    if (f->fate[r] != FLYING) {
        return -INFINITY;
    }
    double end = (f->energy[r] + 0.5 * f->square[r]) / temperature;
    if (!(end - f->start[r] <= EBM__DIVERGENT && f->highest[r] - end <= EBM__DIVERGENT)) {
        f->fate[r] = DIVERGENT;
        return -INFINITY;
    }
    return f->start[r] - end;
}

/* The chain stays where it was; momenta that are kept are turned. */
static void turn_back(ebm_sampler *sampler, int64_t chain, int64_t r, const flight *f) {
    int64_t dim = sampler->dim;
    memcpy(sampler->x_next + chain * dim, sampler->x + chain * dim, (size_t)dim * sizeof(float));
    for (int64_t i = r * dim; i < (r + 1) * dim && f->moving != f->w; i++) {
        f->moving[i] = -f->w[i];
    }
}

static void land(ebm_sampler *sampler, ebm__chunk_report *report, int64_t first, int64_t n, flight *f) {
    int64_t dim = sampler->dim;
    double temperature = ebm__sampler_temperature(sampler, first);
    report->grad_square = ebm__sum_of_squares(n * dim, sampler->grad + first * dim);
    for (int64_t r = 0; r < n; r++) {
        int64_t chain = first + r;
        double acceptance = ebm__acceptance(judge(temperature, r, f));
        report->acceptance += acceptance;
        report->impossible += f->fate[r] == IMPOSSIBLE;
        report->divergent += f->fate[r] == DIVERGENT;
        if (ebm__decide(acceptance, f->uniform[r])) {
            report->accepted++;
            sampler->energy[chain] = f->energy[r];
            memcpy(sampler->grad + chain * dim, f->grad + r * dim, (size_t)dim * sizeof(float));
        } else {
            turn_back(sampler, chain, r, f);
        }
    }
}

ebm_status ebm__trajectory_move(ebm_sampler *sampler, const ebm__trajectory *plan, int64_t chunk, int64_t first,
                                int64_t n) {
    int64_t rows = n * sampler->dim * (int64_t)sizeof(float);
    int64_t doubles = n * (int64_t)sizeof(double);
    int64_t floats = n * (int64_t)sizeof(float);
    int64_t work = ebm__metric_work(sampler, n) * (int64_t)sizeof(float);
    int64_t bytes =
        2 * ebm__aligned(rows) + 4 * ebm__aligned(doubles) + 3 * ebm__aligned(floats) + ebm__aligned(work) + n;
    char *memory = ebm__scratch_borrow(&sampler->scratch, bytes, "trajectory");
    if (memory == NULL) {
        return EBM_ERR_NOMEM;
    }
    char *next = memory;
    flight f = {.w = ebm__cut(&next, rows), .grad = ebm__cut(&next, rows)};
    f.energy = ebm__cut(&next, doubles);
    f.start = ebm__cut(&next, doubles);
    f.highest = ebm__cut(&next, doubles);
    f.square = ebm__cut(&next, doubles);
    f.eta = ebm__cut(&next, floats);
    f.half = ebm__cut(&next, floats);
    f.uniform = ebm__cut(&next, floats);
    f.work = ebm__cut(&next, work);
    f.fate = ebm__cut(&next, n);
    f.moving = plan->keeps_momenta ? sampler->momenta_next + first * sampler->dim : f.w;
    take_off(sampler, plan, first, n, &f);
    ebm_status status = fly(sampler, plan->n_leaps, first, n, &f);
    if (status == EBM_OK) {
        ebm__sequence accept = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_ACCEPT};
        ebm__simd_used()->uniforms(&accept, first, n, f.uniform);
        sampler->reports[chunk].leaps = n * plan->n_leaps;
        land(sampler, &sampler->reports[chunk], first, n, &f);
    }
    ebm__scratch_return(&sampler->scratch, memory);
    return status;
}

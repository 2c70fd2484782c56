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
    float *w; /* n x dim, as the next two */
    float *grad;
    double *energy;  /* n, as all that follow */
    double *start;   /* H / T at the start */
    double *highest; /* E / T on the way */
    float *eta;
    float *half; /* eta / 2 */
    float *uniform;
    float *work; /* of ebm__leap */
    uint8_t *fate;
} flight;

/* A rejection turns the momenta that are kept: where nothing else is known yet, that is what the step will leave. */
static void take_momenta(ebm_sampler *sampler, int64_t first, int64_t n, double kept, flight *f) {
    int64_t floats = n * sampler->dim;
    float *next = sampler->momenta_next + first * sampler->dim;
    memcpy(f->w, sampler->momenta + first * sampler->dim, (size_t)floats * sizeof(float));
    ebm__damp_momenta(sampler, first, n, kept, f->w, f->grad); /* the gradient's memory is not needed yet */
    for (int64_t i = 0; i < floats; i++) {
        next[i] = -f->w[i];
    }
}

static void take_off(ebm_sampler *sampler, const ebm__trajectory *plan, int64_t first, int64_t n, flight *f) {
    int64_t dim = sampler->dim;
    double temperature = ebm__sampler_temperature(sampler, first);
    memcpy(sampler->x_next + first * dim, sampler->x + first * dim, (size_t)(n * dim) * sizeof(float));
    if (plan->keeps_momenta) {
        take_momenta(sampler, first, n, plan->kept, f);
    } else {
        ebm__draw_momenta(sampler, first, n, f->w);
    }
    ebm__draw_step_sizes(sampler, first, n, f->eta);
    for (int64_t r = 0; r < n; r++) {
        double total = sampler->energy[first + r] + ebm__kinetic_energy(dim, f->w + r * dim);
        f->half[r] = f->eta[r] / 2;
        f->start[r] = total / temperature;
        if (!plan->keeps_momenta) {
            sampler->trajectory_energy[first + r] = total;
        }
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
    memset(f->w + r * dim, 0, (size_t)dim * sizeof(float));
}

static void ground_outside(ebm_sampler *sampler, int64_t first, int64_t n, flight *f) {
    for (int64_t r = 0; r < n; r++) {
        if (!ebm__is_inside(sampler, sampler->x_next + (first + r) * sampler->dim)) {
            ground(sampler, first + r, r, OUTSIDE, f);
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
    const float *grad = sampler->grad + first * sampler->dim;
    const float *kick = f->half;
    for (int64_t leap = 0; leap < n_leaps; leap++) {
        ebm__leap(sampler, n, kick, f->eta, grad, x, f->w, f->work);
        ground_outside(sampler, first, n, f);
        EBM__TRY(ebm__kernel_evaluate(sampler, first, n, x, f->energy, f->grad));
        ground_too_high(sampler, first, n, f);
        grad = f->grad;
        kick = f->eta;
    }
    ebm__leap(sampler, n, f->half, NULL, grad, x, f->w, f->work);
    ebm__hold_masked(sampler, n, sampler->x + first * sampler->dim, x);
    return EBM_OK;
}

/* log of the ratio that Metropolis's rule wants; -infinity where nothing can be accepted. */
static double judge(const ebm_sampler *sampler, double temperature, int64_t r, flight *f) {
    if (f->fate[r] != FLYING) {
        return -INFINITY;
    }
    int64_t dim = sampler->dim;
    double end = (f->energy[r] + ebm__kinetic_energy(dim, f->w + r * dim)) / temperature;
    if (!(end - f->start[r] <= EBM__DIVERGENT && f->highest[r] - end <= EBM__DIVERGENT)) {
        f->fate[r] = DIVERGENT;
        return -INFINITY;
    }
    return f->start[r] - end;
}

static void land(ebm_sampler *sampler, bool keeps_momenta, ebm__chunk_report *report, int64_t first, int64_t n,
                 flight *f) {
    int64_t dim = sampler->dim;
    double temperature = ebm__sampler_temperature(sampler, first);
    size_t row_bytes = (size_t)dim * sizeof(float);
    for (int64_t r = 0; r < n; r++) {
        int64_t chain = first + r;
        double acceptance = ebm__acceptance(judge(sampler, temperature, r, f));
        report->grad_square += ebm__sum_of_squares(dim, sampler->grad + chain * dim);
        report->acceptance += acceptance;
        report->impossible += f->fate[r] == IMPOSSIBLE;
        report->divergent += f->fate[r] == DIVERGENT;
        if (ebm__decide(acceptance, f->uniform[r])) {
            report->accepted++;
            sampler->energy[chain] = f->energy[r];
            memcpy(sampler->grad + chain * dim, f->grad + r * dim, row_bytes);
            if (keeps_momenta) {
                memcpy(sampler->momenta_next + chain * dim, f->w + r * dim, row_bytes);
            }
        } else {
            memcpy(sampler->x_next + chain * dim, sampler->x + chain * dim, row_bytes);
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
        2 * ebm__aligned(rows) + 3 * ebm__aligned(doubles) + 3 * ebm__aligned(floats) + ebm__aligned(work) + n;
    char *memory = ebm__scratch_borrow(&sampler->scratch, bytes, "trajectory");
    if (memory == NULL) {
        return EBM_ERR_NOMEM;
    }
    char *next = memory;
    flight f = {.w = ebm__cut(&next, rows), .grad = ebm__cut(&next, rows)};
    f.energy = ebm__cut(&next, doubles);
    f.start = ebm__cut(&next, doubles);
    f.highest = ebm__cut(&next, doubles);
    f.eta = ebm__cut(&next, floats);
    f.half = ebm__cut(&next, floats);
    f.uniform = ebm__cut(&next, floats);
    f.work = ebm__cut(&next, work);
    f.fate = ebm__cut(&next, n);
    take_off(sampler, plan, first, n, &f);
    ebm_status status = fly(sampler, plan->n_leaps, first, n, &f);
    if (status == EBM_OK) {
        ebm__sequence accept = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_ACCEPT};
        ebm__simd_used()->uniforms(&accept, first, n, f.uniform);
        sampler->reports[chunk].leaps = n * plan->n_leaps;
        land(sampler, plan->keeps_momenta, &sampler->reports[chunk], first, n, &f);
    }
    ebm__scratch_return(&sampler->scratch, memory);
    return status;
}

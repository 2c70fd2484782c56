/* SPDX-License-Identifier: MIT */
/*
 * The judgement of windows of steps. What a window is compared with are the data themselves: where the model fits and
 * the chains keep up, negatives have the distribution of the data, so the mean, the spread of their energies and their
 * spread in x are those of the data. A window is a mean over 32 steps of n rows each, so that its own error is a few
 * hundredths of these spreads; all thresholds lie many times that away. They were chosen on runs of 8 x 8 images, 2-D
 * sets and Gaussians, of which healthy ones stay within a third of each (tests/statistical/test_health.c).
 */
#include <math.h>
#include <string.h>

#include "trainer/health.h"

/* Less than this share of the data's spread in a batch: 10,000 batches for a random walk across the data. */
static const double LEAST_MOVED = 0.01;
static const double LEAST_ACCEPTED = 0.01;
/* Farther than the noise alone would have moved them: E alone moves the chains. In equilibrium it is at most near 1. */
static const double FALLING = 2;
/* Negatives in minima of E: below the data, and with less spread, in standard deviations of the data's energies. */
static const double BELOW = 0.25;
static const double NARROW = 0.5;
/*
 * Negatives that never reach the data: standard deviations of the data's energies between the means. Noise that
 * dominates takes chains that far for a while also where all is well: as long as E is flat, they wander.
 */
static const double ABOVE = 4;
static const double ABOVE_BY_NOISE = 10;
/* Longer than the way that was made: E throws the chains to and fro. */
static const double BOUNCING = 3;
/* Variance of the chains over that of the data. */
static const double LEAST_VARIANCE = 0.1;
/* Growth of the gap from window to window, and what it has to exceed: as ABOVE, of two windows before. */
static const double GROWTH = 1.5;
/* Standard deviations of energies between their mean and 0, and between one window and the next. */
static const double FAR = 30;
static const double DRIFT = 0.25;

static void add(ebm__health_window *w, const ebm__batch_health *b) {
    const double *number = b->number;
    double std_data = number[EBM_HEALTH_ENERGY_DATA_STD];
    double std_model = number[EBM_HEALTH_ENERGY_MODEL_STD];
    double clipped = number[EBM_HEALTH_GRAD_X_CLIPPED];
    w->steps += 1;
    w->energy_data += number[EBM_HEALTH_ENERGY_DATA];
    w->energy_model += number[EBM_HEALTH_ENERGY_MODEL];
    w->square_data += isnan(std_data) ? 0 : std_data * std_data;
    w->square_model += isnan(std_model) ? 0 : std_model * std_model;
    w->moved += number[EBM_HEALTH_MOVED] * number[EBM_HEALTH_MOVED];
    w->noise += b->noise * b->noise;
    w->drift += b->drift * b->drift;
    w->data_variance += b->data_variance;
    w->chain_variance += b->chain_variance;
    w->accepted += number[EBM_HEALTH_ACCEPTANCE];
    w->clipped += isnan(clipped) ? 0 : clipped;
}

ebm__health_summary ebm__health_summarize(const ebm__health_window *w) {
    return (ebm__health_summary){
        .energy_data = w->energy_data / w->steps,
        .energy_model = w->energy_model / w->steps,
        .gap = (w->energy_data - w->energy_model) / w->steps,
        .std_data = sqrt(w->square_data / w->steps),
        .std_model = sqrt(w->square_model / w->steps),
        .moved = sqrt(w->moved / w->data_variance), /* a variance of 0, or a noise: infinite, or NaN */
        .moved_by_noise = sqrt(w->moved / w->noise),
        .drift_by_noise = sqrt(w->drift / w->noise),
        .variance = w->chain_variance / w->data_variance,
        .accepted = w->accepted / w->steps,
        .clipped = w->clipped / w->steps,
    };
}

/* The gap grew twice in a row, and has left all that energies were two windows ago. */
static bool diverges(const ebm__health_summary s[EBM__WINDOWS]) {
    return fabs(s[0].gap) > GROWTH * fabs(s[1].gap) && fabs(s[1].gap) > GROWTH * fabs(s[2].gap) &&
           fabs(s[0].gap) > ABOVE * fmax(s[2].std_data, s[2].std_model);
}

/* Farther from 0 than energies scatter, and farther from window to window. */
static bool drifts(const ebm__health_summary s[EBM__WINDOWS]) {
    double spread = fmax(s[0].std_data, s[0].std_model);
    bool far = fabs(s[0].energy_data) > FAR * spread && fabs(s[0].gap) < spread;
    for (int i = 0; i + 1 < EBM__WINDOWS; i++) {
        double away = copysign(1, s[0].energy_data) * (s[i].energy_data - s[i + 1].energy_data);
        far = far && away > DRIFT * spread;
    }
    return far;
}

/*
 * Causes come before what follows from them: chains that do not move, fall or are alike drive the gap apart too, and
 * noise that dominates does for a time. NaN, where there is no such number, is never a reason.
 */
static int32_t suspect(const ebm__health *h) {
    ebm__health_summary s[EBM__WINDOWS];
    for (int i = 0; i < EBM__WINDOWS; i++) {
        s[i] = ebm__health_summarize(&h->past[i]);
    }
    if (s->accepted < LEAST_ACCEPTED || s->moved < LEAST_MOVED) {
        return EBM_VERDICT_STUCK;
    }
    bool in_minima = s->gap > BELOW * s->std_data && s->std_model < NARROW * s->std_data;
    bool alike = s->variance < LEAST_VARIANCE;
    if (in_minima || (alike && s->moved_by_noise > FALLING)) {
        return EBM_VERDICT_TOO_COLD;
    }
    if (alike) {
        return EBM_VERDICT_COLLAPSED;
    }
    bool by_noise = s->drift_by_noise < 1;
    bool above = s->std_data > 0 && s->gap < -(by_noise ? ABOVE_BY_NOISE : ABOVE) * s->std_data;
    if (above && by_noise) {
        return EBM_VERDICT_TOO_HOT;
    }
    if (h->windows > 2 && diverges(s)) {
        return EBM_VERDICT_DIVERGING;
    }
    if (above && s->drift_by_noise > BOUNCING * s->moved_by_noise) {
        return EBM_VERDICT_TOO_HOT; /* not the noise, but the steps are too large */
    }
    return h->windows >= EBM__WINDOWS && drifts(s) ? EBM_VERDICT_DRIFTING : EBM_VERDICT_HEALTHY;
}

/* The first window is not judged: then chains come from wherever they were started. */
static void judge(ebm__health *h) {
    int32_t before = h->suspected;
    h->suspected = h->windows > 1 ? suspect(h) : EBM_VERDICT_UNKNOWN;
    if (h->windows < 3) {
        return;
    }
    bool was_well = before == EBM_VERDICT_HEALTHY;
    bool is_well = h->suspected == EBM_VERDICT_HEALTHY;
    if (was_well == is_well) {
        h->verdict = h->suspected;
    } else if (h->verdict == EBM_VERDICT_UNKNOWN) {
        h->verdict = EBM_VERDICT_HEALTHY;
    }
}

void ebm__health_judge(ebm__health *health, const ebm__batch_health *batch) {
    add(&health->window, batch);
    if (health->window.steps < EBM__WINDOW_STEPS) {
        return;
    }
    memmove(health->past + 1, health->past, sizeof health->past - sizeof *health->past);
    health->past[0] = health->window;
    health->window = (ebm__health_window){0};
    health->windows++;
    judge(health);
}

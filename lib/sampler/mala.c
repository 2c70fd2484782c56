/* SPDX-License-Identifier: MIT */
/*
 * The Metropolis-adjusted Langevin algorithm (Besag 1994; Roberts and Tweedie 1996): the proposal y = x - eta g(x) +
 * sigma z, with g the gradient (clipped, if it is), is accepted with probability
 *     min(1, exp((E(x) - E(y)) / T) q(x | y) / q(y | x)),   q(y | x) = N(y; x - eta g(x), sigma^2 I),
 * so exp(-E/T) holds exactly for any eta and sigma, and with bounds (see sampler/bounds.h) the density cut to them.
 * With a metric W = L L^T the same holds in the coordinates that it whitens: y = x + L m, m = -eta L^T g(x) + sigma z.
 */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/simd.h"
#include "sampler/bounds.h"
#include "sampler/dynamics.h"
#include "sampler/kernel.h"
#include "sampler/metric.h"

/* One piece's working memory. */
typedef struct proposal {
    float *y;          /* n x dim: where the proposal went, before any bounds */
    double *energy;    /* n, at x_next */
    float *grad;       /* n x dim, at x_next */
    float *uniform;    /* n */
    uint8_t *rejected; /* n: nothing can be accepted here */
    /* With a metric, n x dim, whitened: the move, and L^T g at both ends. */
    float *move;
    float *force;
    float *force_next;
} proposal;

static ebm_status begin(ebm_sampler *sampler) {
    if (sampler->settings.noise_order != EBM_NOISE_WITH_GRADIENT) {
        return ebm__fail(EBM_ERR_STATE, "MALA needs the noise order EBM_NOISE_WITH_GRADIENT");
    }
    return ebm__kernel_begin(sampler, "MALA", EBM__ACCEPTS | EBM__GRADIENT);
}

/* What a proposal looks like from both ends, in the coordinates in which noise is N(0, I). */
typedef struct move_seen {
    const float *from; /* x; NULL when `to` is the move itself */
    const float *to;   /* y */
    const float *force;
    const float *force_next;
    double eta;
    double limit; /* of the clip that the forces have not yet had */
} move_seen;

static double clipped(float force, double limit) {
    double g = (double)force;
    return g > limit ? limit : g < -limit ? -limit : g;
}

/*
 * One coordinate's part of 2 sigma^2 (log q(x | y) - log q(y | x)): (m + eta g)^2 - (-m + eta g')^2 with the move m
 * and the forces g, g' at its ends, as a product.
 */
static double part_of_ratio(const move_seen *seen, int64_t i, double direction) {
    double move = seen->from == NULL ? (double)seen->to[i] : (double)seen->to[i] - (double)seen->from[i];
    double pull = seen->eta * clipped(seen->force[i], seen->limit);
    double pull_back = seen->eta * direction * clipped(seen->force_next[i], seen->limit);
    return (2 * move + (pull - pull_back)) * (pull + pull_back);
}

/* Without branches, and with sums in lanes, the loop becomes one over vectors. */
static double plain_ratio(const move_seen *seen, int64_t dim) {
    enum { LANES = 8 };
    double lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= dim; i += LANES) {
        for (int k = 0; k < LANES; k++) {
            lane[k] += part_of_ratio(seen, i + k, 1);
        }
    }
    for (int k = 0; i < dim; i++, k++) {
        lane[k] += part_of_ratio(seen, i, 1);
    }
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* Over the free coordinates, in the mirror where bounds reflect; y is where the proposal went before them. */
static double ratio(const ebm_sampler *sampler, const move_seen *seen, const float *y) {
    bool reflects = ebm__reflects(sampler);
    if (!reflects && sampler->mask == NULL) {
        return plain_ratio(seen, sampler->dim);
    }
    double sum = 0;
    for (int64_t i = 0; i < sampler->dim; i++) {
        double direction = 1;
        if (reflects) {
            ebm__fold(y[i], sampler->settings.lo, sampler->settings.hi, &direction);
        }
        sum += sampler->mask == NULL || sampler->mask[i] != 0 ? part_of_ratio(seen, i, direction) : 0;
    }
    return sum;
}

/* With what probability the proposal is accepted. */
static double acceptance(const ebm_sampler *sampler, int64_t chain, int64_t r, const proposal *p) {
    if (p->rejected[r] != 0 || isinf(p->energy[r])) {
        return 0;
    }
    const ebm__sampler_settings *s = &sampler->settings;
    int64_t row = r * sampler->dim;
    int64_t state = chain * sampler->dim;
    double sigma = (double)(float)ebm__sampler_noise_std(sampler, chain);
    move_seen seen = {.eta = (double)(float)ebm__sampler_step_size(sampler, chain)}; /* as the proposal was made */
    if (ebm__has_metric(sampler)) {
        seen.to = p->move + row;
        seen.force = p->force + row;
        seen.force_next = p->force_next + row;
        seen.limit = INFINITY;
    } else {
        seen.from = sampler->x + state;
        seen.to = p->y + row;
        seen.force = sampler->grad + state;
        seen.force_next = p->grad + row;
        seen.limit = (double)(float)s->grad_clip;
    }
    return ebm__acceptance((sampler->energy[chain] - p->energy[r]) / ebm__sampler_temperature(sampler, chain) +
                           ratio(sampler, &seen, p->y + row) / (2 * sigma * sigma));
}

static void decide(ebm_sampler *sampler, ebm__chunk_report *report, int64_t first, int64_t n, const proposal *p) {
    int64_t dim = sampler->dim;
    for (int64_t r = 0; r < n; r++) {
        int64_t chain = first + r;
        size_t row_bytes = (size_t)dim * sizeof(float);
        double probability = acceptance(sampler, chain, r, p);
        report->acceptance += probability;
        report->impossible += p->rejected[r] == 0 && isinf(p->energy[r]);
        if (ebm__decide(probability, p->uniform[r])) {
            report->accepted++;
            sampler->energy[chain] = p->energy[r];
            memcpy(sampler->grad + chain * dim, p->grad + r * dim, row_bytes);
        } else {
            memcpy(sampler->x_next + chain * dim, sampler->x + chain * dim, row_bytes);
        }
    }
}

static void propose(const ebm_sampler *sampler, double *grad_square, int64_t first, int64_t n, proposal *p) {
    ebm__sequence noise = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_NOISE};
    ebm__langevin pass = ebm__sampler_pass(sampler, first);
    pass.lo = -INFINITY;
    pass.hi = INFINITY;
    int64_t offset = first * sampler->dim;
    int64_t floats = n * sampler->dim;
    const float *x = sampler->x + offset;
    const float *grad = sampler->grad + offset;
    if (ebm__has_metric(sampler)) {
        *grad_square += ebm__sum_of_squares(floats, grad);
        ebm__metric_pull(sampler, n, grad, p->force, p->force_next);
        ebm__metric_propose(sampler, &pass, first, n, x, p->force, p->move, p->y);
    } else {
        ebm__simd_used()->langevin(&pass, &noise, offset, floats, x, grad, p->y, grad_square);
    }
    ebm__hold_masked(sampler, n, x, p->y);
}

static ebm_status propose_and_decide(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n, proposal *p) {
    ebm__sequence accept = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_ACCEPT};
    ebm__chunk_report *report = &sampler->reports[chunk];
    const float *x = sampler->x + first * sampler->dim;
    float *x_next = sampler->x_next + first * sampler->dim;
    propose(sampler, &report->grad_square, first, n, p);
    for (int64_t r = 0; r < n; r++) {
        int64_t row = r * sampler->dim;
        p->rejected[r] = !ebm__bring_inside(sampler, x + row, p->y + row, x_next + row);
    }
    EBM__TRY(ebm__kernel_evaluate(sampler, first, n, x_next, p->energy, p->grad));
    if (ebm__has_metric(sampler)) { /* y is looked at again only where bounds mirror, and there W is not dense */
        ebm__metric_pull(sampler, n, p->grad, p->force_next, p->y);
    }
    ebm__simd_used()->uniforms(&accept, first, n, p->uniform);
    decide(sampler, report, first, n, p);
    return EBM_OK;
}

static ebm_status move(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n) {
    int64_t rows = n * sampler->dim * (int64_t)sizeof(float);
    int64_t doubles = n * (int64_t)sizeof(double);
    int64_t floats = n * (int64_t)sizeof(float);
    int64_t whitened = ebm__has_metric(sampler) ? rows : 0;
    int64_t bytes =
        2 * ebm__aligned(rows) + 3 * ebm__aligned(whitened) + ebm__aligned(doubles) + ebm__aligned(floats) + n;
    char *memory = ebm__scratch_borrow(&sampler->scratch, bytes, "MALA step");
    if (memory == NULL) {
        return EBM_ERR_NOMEM;
    }
    char *next = memory;
    proposal p = {.y = ebm__cut(&next, rows), .grad = ebm__cut(&next, rows)};
    p.move = ebm__cut(&next, whitened);
    p.force = ebm__cut(&next, whitened);
    p.force_next = ebm__cut(&next, whitened);
    p.energy = ebm__cut(&next, doubles);
    p.uniform = ebm__cut(&next, floats);
    p.rejected = ebm__cut(&next, n);
    ebm_status status = propose_and_decide(sampler, chunk, first, n, &p);
    ebm__scratch_return(&sampler->scratch, memory);
    return status;
}

const ebm__kernel ebm__kernel_mala = {
    .name = "MALA",
    .rejects = true,
    .knows_energies = true,
    .knows_chains = true,
    .uses_noise = true,
    .begin = begin,
    .move = move};

/* SPDX-License-Identifier: MIT */
/*
 * The Metropolis-adjusted Langevin algorithm (Besag 1994; Roberts and Tweedie 1996): the proposal y = x - eta g(x) +
 * sigma z, with g the gradient (clipped, if it is), is accepted with probability
 *     min(1, exp((E(x) - E(y)) / T) q(x | y) / q(y | x)),   q(y | x) = N(y; x - eta g(x), sigma^2 I),
 * so exp(-E/T) holds exactly for any eta and sigma.
 *
 * Bounds keep it exact for the density cut to them. Clamping: a proposal outside has density 0 and is rejected.
 * Reflecting: the energy is continued beyond the bounds by mirroring, E~(y) = E(fold(y)), and the step is an ordinary
 * one under E~; where the mirror has turned a coordinate's direction, so has it the gradient's. E~ and the proposal
 * are unchanged by the mirrorings, so the folded chain is reversible too.
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/simd.h"
#include "model/model.h"
#include "sampler/kernel.h"

/* One piece's working memory. */
typedef struct proposal {
    float *y;          /* n x dim: where the proposal went, before any bounds */
    double *energy;    /* n, at x_next */
    float *grad;       /* n x dim, at x_next */
    float *uniform;    /* n */
    uint8_t *rejected; /* n: nothing can be accepted here */
} proposal;

static int64_t aligned(int64_t bytes) {
    return (bytes + 63) / 64 * 64;
}

static ebm_status begin(ebm_sampler *sampler) {
    const ebm__sampler_settings *s = &sampler->settings;
    if (!((float)ebm__sampler_noise_std(sampler) > 0)) { /* as the proposal has it */
        return ebm__fail(EBM_ERR_STATE, "MALA needs noise, but the noise_std is 0");
    }
    if (!(s->temperature > 0)) {
        return ebm__fail(EBM_ERR_STATE, "MALA needs a temperature above 0");
    }
    if (s->noise_order != EBM_NOISE_WITH_GRADIENT) {
        return ebm__fail(EBM_ERR_STATE, "MALA needs the noise order EBM_NOISE_WITH_GRADIENT");
    }
    ebm_context *context = sampler->handle.context;
    if (sampler->energy == NULL) {
        EBM__TRY(ebm__alloc(context, sampler->n_chains, sizeof(double), "MALA", &sampler->energy));
    }
    if (sampler->grad == NULL) {
        EBM__TRY(ebm__alloc(context, sampler->n_chains * sampler->dim, sizeof(float), "MALA", &sampler->grad));
    }
    /* The parameters may have changed since the last call, also in the host's own memory. */
    return ebm__model_energy_all(sampler->model, sampler->model->theta, sampler->n_chains, sampler->x, true,
                                 sampler->energy, sampler->grad);
}

/*
 * The mirror image of y in [lo, hi], one of which may be infinite. *direction is -1 when the image runs the other
 * way.
 */
static float fold(float y, double lo, double hi, double *direction) {
    double value = (double)y;
    *direction = 1;
    if (value >= lo && value <= hi) {
        return y; /* with all its bits: a held coordinate comes this way too */
    }
    if (isfinite(lo) && isfinite(hi)) {
        double width = hi - lo;
        double turned = fmod(value - lo, 2 * width);
        turned = turned < 0 ? turned + 2 * width : turned;
        *direction = turned > width ? -1 : 1;
        value = lo + (turned > width ? 2 * width - turned : turned);
    } else if (value < lo) {
        *direction = -1;
        value = 2 * lo - value;
    } else if (value > hi) {
        *direction = -1;
        value = 2 * hi - value;
    }
    float inside = (float)value;
    inside = (double)inside < lo ? (float)lo : inside;
    return (double)inside > hi ? (float)hi : inside;
}

/* From where the proposal went to where it is evaluated: inside the bounds, and finite. */
static void bring_inside(const ebm_sampler *sampler, int64_t n, const float *x, proposal *p, float *x_next) {
    const ebm__sampler_settings *s = &sampler->settings;
    int64_t dim = sampler->dim;
    bool bounds = ebm__sampler_has_bounds(sampler);
    for (int64_t r = 0; r < n; r++) {
        bool out = false;
        for (int64_t i = r * dim; i < (r + 1) * dim; i++) {
            double direction;
            out |= !(fabsf(p->y[i]) <= FLT_MAX);
            if (bounds && s->bounds_rule == EBM_BOUNDS_REFLECT) {
                x_next[i] = fold(p->y[i], s->lo, s->hi, &direction);
            } else {
                out |= (double)p->y[i] < s->lo || (double)p->y[i] > s->hi;
                x_next[i] = p->y[i];
            }
        }
        p->rejected[r] = out;
        if (out) { /* evaluated where it is allowed, and then rejected */
            memcpy(x_next + r * dim, x + r * dim, (size_t)dim * sizeof *x);
        }
    }
}

static double clipped(float grad, double limit) {
    double g = (double)grad;
    return g > limit ? limit : g < -limit ? -limit : g;
}

/* log q(x | y) - log q(y | x), over the free coordinates, times 2 sigma^2. */
static double log_proposal_ratio(const ebm_sampler *sampler, const float *x, const float *grad_x, const float *y,
                                 const float *grad_y) {
    const ebm__sampler_settings *s = &sampler->settings;
    double eta = (double)(float)s->step_size; /* as the proposal was made */
    double limit = (double)(float)s->grad_clip;
    bool reflect = ebm__sampler_has_bounds(sampler) && s->bounds_rule == EBM_BOUNDS_REFLECT;
    double sum = 0;
    for (int64_t i = 0; i < sampler->dim; i++) {
        if (sampler->mask != NULL && sampler->mask[i] == 0) {
            continue;
        }
        double direction = 1;
        if (reflect) {
            fold(y[i], s->lo, s->hi, &direction);
        }
        double move = (double)y[i] - (double)x[i];
        double forward = move + eta * clipped(grad_x[i], limit);
        double backward = -move + eta * direction * clipped(grad_y[i], limit);
        sum += forward * forward - backward * backward;
    }
    return sum;
}

static bool accepts(const ebm_sampler *sampler, int64_t chain, int64_t r, const proposal *p) {
    if (p->rejected[r] != 0 || isinf(p->energy[r])) {
        return false;
    }
    const ebm__sampler_settings *s = &sampler->settings;
    int64_t dim = sampler->dim;
    double sigma = (double)(float)ebm__sampler_noise_std(sampler);
    double log_ratio = (sampler->energy[chain] - p->energy[r]) / s->temperature +
                       log_proposal_ratio(sampler, sampler->x + chain * dim, sampler->grad + chain * dim,
                                          p->y + r * dim, p->grad + r * dim) /
                           (2 * sigma * sigma);
    /* The uniform is the middle of its cell of width 2^-24: it is never 0. */
    return log_ratio >= 0 || (double)p->uniform[r] + 0x1p-25 < exp(log_ratio);
}

static void decide(ebm_sampler *sampler, ebm__chunk_report *report, int64_t first, int64_t n, const proposal *p) {
    int64_t dim = sampler->dim;
    for (int64_t r = 0; r < n; r++) {
        int64_t chain = first + r;
        size_t row_bytes = (size_t)dim * sizeof(float);
        report->impossible += p->rejected[r] == 0 && isinf(p->energy[r]);
        if (accepts(sampler, chain, r, p)) {
            report->accepted++;
            sampler->energy[chain] = p->energy[r];
            memcpy(sampler->grad + chain * dim, p->grad + r * dim, row_bytes);
        } else {
            memcpy(sampler->x_next + chain * dim, sampler->x + chain * dim, row_bytes);
        }
    }
}

static ebm_status propose_and_decide(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n, proposal *p) {
    const ebm__simd *simd = ebm__simd_used();
    ebm__sequence noise = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_NOISE};
    ebm__sequence accept = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_ACCEPT};
    ebm__chunk_report *report = &sampler->reports[chunk];
    ebm__langevin pass = ebm__sampler_pass(sampler);
    pass.lo = -INFINITY;
    pass.hi = INFINITY;
    int64_t offset = first * sampler->dim;
    const float *x = sampler->x + offset;
    float *x_next = sampler->x_next + offset;
    simd->langevin(&pass, &noise, offset, n * sampler->dim, x, sampler->grad + offset, p->y, &report->grad_square);
    ebm__hold_masked(sampler, n, x, p->y);
    bring_inside(sampler, n, x, p, x_next);
    EBM__TRY(ebm__model_energy_rows(sampler->model, sampler->model->theta, first, n, x_next, true, p->energy, p->grad));
    simd->uniforms(&accept, first, n, p->uniform);
    decide(sampler, report, first, n, p);
    return EBM_OK;
}

static ebm_status move(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n) {
    int64_t row_floats = aligned(n * sampler->dim * (int64_t)sizeof(float));
    int64_t doubles = aligned(n * (int64_t)sizeof(double));
    int64_t floats = aligned(n * (int64_t)sizeof(float));
    char *memory = ebm__scratch_borrow(&sampler->scratch, 2 * row_floats + doubles + floats + n, "MALA step");
    if (memory == NULL) {
        return EBM_ERR_NOMEM;
    }
    proposal p = {.y = (float *)(void *)memory,
                  .grad = (float *)(void *)(memory + row_floats),
                  .energy = (double *)(void *)(memory + 2 * row_floats),
                  .uniform = (float *)(void *)(memory + 2 * row_floats + doubles),
                  .rejected = (uint8_t *)(memory + 2 * row_floats + doubles + floats)};
    ebm_status status = propose_and_decide(sampler, chunk, first, n, &p);
    ebm__scratch_return(&sampler->scratch, memory);
    return status;
}

const ebm__kernel ebm__kernel_mala = {.begin = begin, .move = move};

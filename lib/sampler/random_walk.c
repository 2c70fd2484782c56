/* SPDX-License-Identifier: MIT */
/*
 * Random-walk Metropolis (Metropolis et al. 1953): the proposal y = x + sigma z is accepted with probability
 * min(1, exp((E(x) - E(y)) / T)); with a metric, y = x + sigma L z. The gradient is never asked for.
 */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/simd.h"
#include "sampler/bounds.h"
#include "sampler/kernel.h"
#include "sampler/metric.h"

static const char NAME[] = "random-walk Metropolis";

/* One piece's working memory. */
typedef struct proposal {
    float *y;           /* n x dim: where the proposal went, before any bounds; x_next where they do not reflect */
    float *move;        /* n x dim: whitened, with a dense metric */
    double *energy;     /* n, at x_next */
    double *acceptance; /* n */
    float *uniform;     /* n */
    uint8_t *rejected;  /* n: nothing can be accepted here */
} proposal;

static ebm_status begin(ebm_sampler *sampler) {
    return ebm__kernel_begin(sampler, NAME, EBM__ACCEPTS);
}

static void decide(ebm_sampler *sampler, ebm__chunk_report *report, int64_t first, int64_t n, const proposal *p) {
    int64_t dim = sampler->dim;
    double temperature = ebm__sampler_temperature(sampler, first);
    /* All exponentials first: none waits for a branch on the one before. */
    for (int64_t r = 0; r < n; r++) {
        bool impossible = p->rejected[r] == 0 && isinf(p->energy[r]);
        double log_ratio = (sampler->energy[first + r] - p->energy[r]) / temperature;
        p->acceptance[r] = p->rejected[r] != 0 || impossible ? 0 : ebm__acceptance(log_ratio);
        report->acceptance += p->acceptance[r];
        report->impossible += impossible;
    }
    for (int64_t r = 0; r < n; r++) {
        int64_t chain = first + r;
        if (ebm__decide(p->acceptance[r], p->uniform[r])) {
            report->accepted++;
            sampler->energy[chain] = p->energy[r];
        } else {
            memcpy(sampler->x_next + chain * dim, sampler->x + chain * dim, (size_t)dim * sizeof(float));
        }
    }
}

/* True when all proposals are finite. */
static bool propose(const ebm_sampler *sampler, int64_t first, int64_t n, const proposal *p) {
    ebm__sequence noise = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_NOISE};
    ebm__langevin pass = ebm__sampler_pass(sampler, first);
    pass.lo = -INFINITY;
    pass.hi = INFINITY;
    pass.scale = ebm__metric_scale(sampler);
    int64_t offset = first * sampler->dim;
    int64_t floats = n * sampler->dim;
    const float *x = sampler->x + offset;
    double unused = 0;
    bool finite;
    if (ebm__is_dense(sampler)) {
        ebm__metric_propose(sampler, &pass, first, n, x, NULL, p->move, p->y);
        finite = ebm__simd_used()->finite(floats, p->y) != 0;
    } else {
        finite = ebm__simd_used()->langevin(&pass, &noise, offset, floats, x, NULL, p->y, &unused) == 0;
    }
    ebm__hold_masked(sampler, n, x, p->y);
    return finite;
}

static ebm_status propose_and_decide(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n, proposal *p) {
    ebm__sequence accept = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_ACCEPT};
    const float *x = sampler->x + first * sampler->dim;
    float *x_next = sampler->x_next + first * sampler->dim;
    bool finite = propose(sampler, first, n, p);
    ebm__bring_inside(sampler, n, finite, x, p->y, x_next, p->rejected);
    EBM__TRY(ebm__kernel_evaluate(sampler, first, n, x_next, NULL, p->energy, NULL));
    ebm__simd_used()->uniforms(&accept, first, n, p->uniform);
    decide(sampler, &sampler->reports[chunk], first, n, p);
    return EBM_OK;
}

static ebm_status move(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n) {
    int64_t rows = n * sampler->dim * (int64_t)sizeof(float);
    int64_t doubles = n * (int64_t)sizeof(double);
    int64_t floats = n * (int64_t)sizeof(float);
    int64_t mirrored = ebm__reflects(sampler) ? rows : 0;
    int64_t whitened = ebm__is_dense(sampler) ? rows : 0;
    int64_t bytes =
        ebm__aligned(mirrored) + ebm__aligned(whitened) + 2 * ebm__aligned(doubles) + ebm__aligned(floats) + n;
    char *memory = ebm__scratch_borrow(&sampler->scratch, bytes, NAME);
    if (memory == NULL) {
        return EBM_ERR_NOMEM;
    }
    char *next = memory;
    float *y = ebm__cut(&next, mirrored);
    proposal p = {.y = ebm__reflects(sampler) ? y : sampler->x_next + first * sampler->dim};
    p.move = ebm__cut(&next, whitened);
    p.energy = ebm__cut(&next, doubles);
    p.acceptance = ebm__cut(&next, doubles);
    p.uniform = ebm__cut(&next, floats);
    p.rejected = ebm__cut(&next, n);
    ebm_status status = propose_and_decide(sampler, chunk, first, n, &p);
    ebm__scratch_return(&sampler->scratch, memory);
    return status;
}

const ebm__kernel ebm__kernel_random_walk = {
    .name = NAME, .rejects = true, .knows_energies = true, .uses_noise = true, .begin = begin, .move = move};

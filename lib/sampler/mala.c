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
    float *y;          /* n x dim: where the proposal went, before any bounds; x_next where they do not reflect */
    double *energy;    /* n, at x_next */
    float *grad;       /* n x dim, at x_next */
    double *ratio;     /* n: 2 sigma^2 (log q(x | y) - log q(y | x)); then the probability of acceptance */
    float *uniform;    /* n */
    uint8_t *rejected; /* n: nothing can be accepted here */
    /* With a dense metric, n x dim, whitened: the move, and L^T g at both ends; and working memory. */
    float *move;
    float *force;
    float *force_next;
    float *work;
} proposal;

static ebm_status begin(ebm_sampler *sampler) {
    if (sampler->settings.noise_order != EBM_NOISE_WITH_GRADIENT) {
        return ebm__fail(EBM_ERR_STATE, "MALA needs the noise order EBM_NOISE_WITH_GRADIENT");
    }
    return ebm__kernel_begin(sampler, "MALA", EBM__ACCEPTS | EBM__GRADIENT);
}

/* True when all proposals are finite. */
static bool propose(const ebm_sampler *sampler, double *grad_square, int64_t first, int64_t n, const proposal *p) {
    ebm__sequence noise = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_NOISE};
    ebm__langevin pass = ebm__sampler_pass(sampler, first);
    pass.lo = -INFINITY;
    pass.hi = INFINITY;
    pass.scale = ebm__metric_scale(sampler);
    int64_t offset = first * sampler->dim;
    int64_t floats = n * sampler->dim;
    const float *x = sampler->x + offset;
    const float *grad = sampler->grad + offset;
    bool finite;
    if (ebm__is_dense(sampler)) {
        *grad_square += ebm__sum_of_squares(floats, grad);
        ebm__metric_pull(sampler, n, grad, p->force, p->work);
        ebm__metric_propose(sampler, &pass, first, n, x, p->force, p->move, p->y);
        finite = ebm__simd_used()->finite(floats, p->y) != 0;
    } else {
        finite = ebm__simd_used()->langevin(&pass, &noise, offset, floats, x, grad, p->y, grad_square) == 0;
    }
    ebm__hold_masked(sampler, n, x, p->y);
    return finite;
}

static double clipped(float force, double limit) {
    double g = (double)force;
    return g > limit ? limit : g < -limit ? -limit : g;
}

/* As the loop of core/simd.h has it, in the mirror: y is where the proposals went before it. */
static void mirrored_ratios(const ebm_sampler *sampler, const ebm__dynamics *dynamics, float step, int64_t first,
                            int64_t n, const proposal *p) {
    int64_t dim = sampler->dim;
    double limit = (double)dynamics->clip;
    double eta = (double)step;
    for (int64_t r = 0; r < n; r++) {
        double sum = 0;
        for (int64_t i = 0; i < dim; i++) {
            int64_t e = (first + r) * dim + i;
            double scale = dynamics->scale.of != NULL ? (double)dynamics->scale.of[i] : 1;
            double direction;
            ebm__fold(p->y[r * dim + i], sampler->settings.lo, sampler->settings.hi, &direction);
            double move = (double)p->y[r * dim + i] - (double)sampler->x[e];
            double g = clipped(sampler->grad[e], limit);
            double g_next = direction * clipped(p->grad[r * dim + i], limit);
            sum += (2 * move + eta * scale * scale * (g - g_next)) * (eta * (g + g_next));
        }
        p->ratio[r] = sum;
    }
}

/*
 * A coordinate's part of 2 sigma^2 (log q(x | y) - log q(y | x)), with the move m = y - x and the gradients g, g' at
 * its ends, is ((m + eta W g)^2 - (-m + eta W g')^2) / W = (2 m + eta W (g - g')) eta (g + g').
 */
static void compare_densities(const ebm_sampler *sampler, int64_t first, int64_t n, const proposal *p) {
    float eta = (float)ebm__sampler_step_size(sampler, first); /* as the proposal was made */
    int64_t offset = first * sampler->dim;
    if (ebm__is_dense(sampler)) { /* in the coordinates that are whitened, where W is the identity */
        const ebm__dynamics whitened = {.dim = sampler->dim, .clip = INFINITY};
        ebm__metric_pull(sampler, n, p->grad, p->force_next, p->work);
        ebm__simd_used()->ratios(&whitened, eta, n, NULL, p->move, p->force, p->force_next, p->ratio);
        return;
    }
    const ebm__dynamics dynamics = ebm__metric_dynamics(sampler);
    if (ebm__reflects(sampler)) {
        mirrored_ratios(sampler, &dynamics, eta, first, n, p);
        return;
    }
    ebm__simd_used()->ratios(&dynamics, eta, n, sampler->x + offset, p->y, sampler->grad + offset, p->grad, p->ratio);
}

static void decide(ebm_sampler *sampler, ebm__chunk_report *report, int64_t first, int64_t n, const proposal *p) {
    int64_t dim = sampler->dim;
    size_t row_bytes = (size_t)dim * sizeof(float);
    double temperature = ebm__sampler_temperature(sampler, first);
    double sigma = (double)(float)ebm__sampler_noise_std(sampler, first); /* as the proposal was made */
    double spread = 2 * sigma * sigma;
    int64_t n_accepted = 0;
    /* All exponentials first: none waits for a branch on the one before. */
    for (int64_t r = 0; r < n; r++) {
        bool impossible = p->rejected[r] == 0 && isinf(p->energy[r]);
        double log_ratio = (sampler->energy[first + r] - p->energy[r]) / temperature + p->ratio[r] / spread;
        p->ratio[r] = p->rejected[r] != 0 || impossible ? 0 : ebm__acceptance(log_ratio);
        report->acceptance += p->ratio[r];
        report->impossible += impossible;
    }
    /* Nobody can guess which way these go: what is copied, and where to, is chosen without a branch. */
    for (int64_t r = 0; r < n; r++) {
        int64_t chain = first + r;
        bool accepted = ebm__decide(p->ratio[r], p->uniform[r]);
        const float *from = accepted ? p->grad + r * dim : sampler->x + chain * dim;
        float *to = accepted ? sampler->grad + chain * dim : sampler->x_next + chain * dim;
        memcpy(to, from, row_bytes);
        sampler->energy[chain] = accepted ? p->energy[r] : sampler->energy[chain];
        n_accepted += accepted;
    }
    report->accepted += (double)n_accepted;
}

static ebm_status propose_and_decide(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n, proposal *p) {
    ebm__sequence accept = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_ACCEPT};
    ebm__chunk_report *report = &sampler->reports[chunk];
    const float *x = sampler->x + first * sampler->dim;
    float *x_next = sampler->x_next + first * sampler->dim;
    bool finite = propose(sampler, &report->grad_square, first, n, p);
    ebm__bring_inside(sampler, n, finite, x, p->y, x_next, p->rejected);
    for (int64_t r = 0; r < n; r++) {
        p->ratio[r] = sampler->energy[first + r] + EBM__DIVERGENT * ebm__sampler_temperature(sampler, first);
    }
    EBM__TRY(ebm__kernel_evaluate(sampler, first, n, x_next, p->ratio, p->energy, p->grad));
    compare_densities(sampler, first, n, p);
    ebm__simd_used()->uniforms(&accept, first, n, p->uniform);
    decide(sampler, report, first, n, p);
    return EBM_OK;
}

static ebm_status move(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n) {
    int64_t rows = n * sampler->dim * (int64_t)sizeof(float);
    int64_t doubles = n * (int64_t)sizeof(double);
    int64_t floats = n * (int64_t)sizeof(float);
    int64_t mirrored = ebm__reflects(sampler) ? rows : 0;
    int64_t whitened = ebm__is_dense(sampler) ? rows : 0;
    int64_t bytes = ebm__aligned(rows) + ebm__aligned(mirrored) + 4 * ebm__aligned(whitened) +
                    2 * ebm__aligned(doubles) + ebm__aligned(floats) + n;
    char *memory = ebm__scratch_borrow(&sampler->scratch, bytes, "MALA step");
    if (memory == NULL) {
        return EBM_ERR_NOMEM;
    }
    char *next = memory;
    proposal p = {.grad = ebm__cut(&next, rows)};
    float *y = ebm__cut(&next, mirrored);
    p.y = ebm__reflects(sampler) ? y : sampler->x_next + first * sampler->dim;
    p.move = ebm__cut(&next, whitened);
    p.force = ebm__cut(&next, whitened);
    p.force_next = ebm__cut(&next, whitened);
    p.work = ebm__cut(&next, whitened);
    p.energy = ebm__cut(&next, doubles);
    p.ratio = ebm__cut(&next, doubles);
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

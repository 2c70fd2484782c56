/* SPDX-License-Identifier: MIT */
#include "sampler/tempering.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/simd.h"
#include "model/model.h"

/* What ladder.came_from says. */
enum { NOWHERE, COLD_END, HOT_END };

void ebm__tempering_forget(ebm_sampler *sampler, int64_t first, int64_t n) {
    const ebm__ladder *ladder = &sampler->ladder;
    for (int32_t r = 0; r < ladder->n_rungs && ladder->n_rungs > 1; r++) {
        memset(ladder->came_from + r * sampler->n_chains + first, r == 0 ? COLD_END : NOWHERE, (size_t)n);
    }
}

void ebm__tempering_spread(ebm_sampler *sampler, int64_t n) {
    int64_t dim = sampler->dim;
    for (int64_t row = sampler->n_chains; row < sampler->n_rows; row += sampler->n_chains) {
        memcpy(sampler->x + row * dim, sampler->x, (size_t)(n * dim) * sizeof *sampler->x);
    }
    ebm__tempering_forget(sampler, 0, n);
}

ebm_status ebm__tempering_prepare(ebm_sampler *sampler) {
    if (sampler->ladder.n_rungs == 1) {
        return EBM_OK;
    }
    for (int64_t row = sampler->n_chains; row < sampler->n_rows; row += sampler->n_chains) {
        ebm__hold_masked(sampler, sampler->n_chains, sampler->x, sampler->x + row * sampler->dim);
    }
    return sampler->energy != NULL ? EBM_OK
                                   : ebm__alloc(sampler->handle.context, sampler->n_rows, sizeof(double), "a ladder",
                                                &sampler->energy);
}

static bool is_due(const ebm_sampler *sampler, uint64_t step) {
    return sampler->ladder.n_rungs > 1 && step % (uint64_t)sampler->settings.swap_every == 0;
}

/* +infinity is left to be found by the kernel, where it must be. */
ebm_status ebm__tempering_evaluate(ebm_sampler *sampler, const ebm__kernel *kernel) {
    if (kernel->knows_energies || !is_due(sampler, sampler->step + 1)) {
        return EBM_OK;
    }
    ebm_status status = ebm__model_energy_all(sampler->model, sampler->model->theta, sampler->n_rows, sampler->x_next,
                                              true, sampler->energy, NULL);
    return status == EBM_OK ? EBM_OK : ebm__fail_within(status, "energies of all rungs, for swaps: ");
}

static void exchange(int64_t n, float *a, float *b) {
    for (int64_t i = 0; i < n; i++) {
        float kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

/* Momenta N(0, T I) go along, made longer or shorter: |w|^2 / T stays, and so does the volume of the pair. */
static void exchange_momenta(int64_t n, double ratio, float *a, float *b) {
    float colder = (float)sqrt(ratio);
    float hotter = (float)sqrt(1 / ratio);
    for (int64_t i = 0; i < n; i++) {
        float kept = a[i];
        a[i] = colder * b[i];
        b[i] = hotter * kept;
    }
}

/* `ratio`: the temperature of row a over that of row b. */
static void exchange_rows(ebm_sampler *sampler, int64_t a, int64_t b, double ratio) {
    int64_t dim = sampler->dim;
    double energy = sampler->energy[a];
    sampler->energy[a] = sampler->energy[b];
    sampler->energy[b] = energy;
    exchange(dim, sampler->x + a * dim, sampler->x + b * dim);
    if (sampler->knows_chains) {
        exchange(dim, sampler->grad + a * dim, sampler->grad + b * dim);
    }
    if (sampler->has_momenta) {
        exchange_momenta(dim, ratio, sampler->momenta + a * dim, sampler->momenta + b * dim);
    }
    uint8_t *came_from = sampler->ladder.came_from;
    uint8_t end = came_from[a];
    came_from[a] = came_from[b];
    came_from[b] = end;
}

/* Every chain's replicas at `rung` and the next. The uniform of chain c is number rung n_chains + c of the step's. */
static void swap_rung(ebm_sampler *sampler, int32_t rung) {
    enum { BLOCK = 256 };
    float uniform[BLOCK];
    const ebm__sequence sequence = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_SWAP};
    ebm__ladder *ladder = &sampler->ladder;
    int64_t n = sampler->n_chains;
    int64_t first = rung * n;
    double slope = 1 / ebm__kernel_temperature(sampler, first) - 1 / ebm__kernel_temperature(sampler, first + n);
    double ratio = ladder->temperature[rung] / ladder->temperature[rung + 1];
    for (int64_t begin = 0; begin < n; begin += BLOCK) {
        int64_t count = n - begin < BLOCK ? n - begin : BLOCK;
        ebm__simd_used()->uniforms(&sequence, first + begin, count, uniform);
        for (int64_t i = 0; i < count; i++) {
            int64_t a = first + begin + i;
            double acceptance = ebm__acceptance(slope * (sampler->energy[a] - sampler->energy[a + n]));
            ladder->counts[rung] += acceptance;
            if (ebm__decide(acceptance, uniform[i])) {
                exchange_rows(sampler, a, a + n, ratio);
            }
        }
    }
    ladder->proposed[rung] += n;
}

/* A trip ends at the cold end: that of a replica which has come from the hot one, and had gone there from here. */
static void count_trips(ebm_sampler *sampler) {
    ebm__ladder *ladder = &sampler->ladder;
    uint8_t *cold = ladder->came_from;
    uint8_t *hot = cold + sampler->n_rows - sampler->n_chains;
    for (int64_t c = 0; c < sampler->n_chains; c++) {
        ladder->round_trips += cold[c] == HOT_END;
        cold[c] = COLD_END;
        hot[c] = hot[c] == COLD_END ? HOT_END : hot[c];
    }
}

void ebm__tempering_swap(ebm_sampler *sampler) {
    int32_t n_rungs = sampler->ladder.n_rungs;
    if (!is_due(sampler, sampler->step)) {
        return;
    }
    bool odd = (sampler->step / (uint64_t)sampler->settings.swap_every) % 2 != 0;
    for (int32_t rung = odd && n_rungs > 2 ? 1 : 0; rung + 1 < n_rungs; rung += 2) {
        swap_rung(sampler, rung);
    }
    count_trips(sampler);
}

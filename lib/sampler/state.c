/* SPDX-License-Identifier: MIT */
#include "sampler/state.h"

#include <stddef.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"

ebm__sampler_parts ebm__sampler_parts_of(const ebm_sampler *sampler) {
    return (ebm__sampler_parts){.states = sampler->started,
                                .momenta = sampler->has_momenta,
                                .energies = sampler->knows_energies,
                                .gradients = sampler->knows_chains,
                                .trajectories = sampler->report.has_trajectory,
                                .buffer = sampler->buffer_started,
                                .ages = sampler->age != NULL};
}

ebm_status ebm__sampler_make_parts(ebm_sampler *sampler, const ebm__sampler_parts *parts, const char *caller) {
    ebm_context *context = sampler->handle.context;
    int64_t rows = sampler->n_rows;
    int64_t floats = rows * sampler->dim;
    int64_t capacity = sampler->settings.capacity;
    if (parts->momenta) {
        EBM__TRY(ebm__alloc(context, floats, sizeof(float), caller, &sampler->momenta));
        EBM__TRY(ebm__alloc(context, floats, sizeof(float), caller, &sampler->momenta_next));
    }
    if (parts->energies) {
        EBM__TRY(ebm__alloc(context, rows, sizeof(double), caller, &sampler->energy));
    }
    if (parts->gradients) {
        EBM__TRY(ebm__alloc(context, floats, sizeof(float), caller, &sampler->grad));
    }
    if (parts->trajectories) {
        EBM__TRY(ebm__alloc(context, rows, sizeof(double), caller, &sampler->trajectory_energy));
    }
    if (parts->buffer) {
        EBM__TRY(ebm__alloc(context, capacity * sampler->dim, sizeof(float), caller, &sampler->buffer));
        EBM__TRY(ebm__alloc(context, capacity, sizeof(int64_t), caller, &sampler->picks)); /* made at every use */
    }
    if (parts->ages) {
        EBM__TRY(ebm__alloc(context, ebm__persistent_count(&sampler->settings, sampler->n_chains), sizeof(int64_t),
                            caller, &sampler->age));
    }
    sampler->started = parts->states;
    sampler->has_momenta = parts->momenta;
    sampler->knows_energies = parts->energies;
    sampler->knows_chains = parts->gradients;
    sampler->report.has_trajectory = parts->trajectories;
    sampler->buffer_started = parts->buffer;
    return EBM_OK;
}

void ebm__sampler_exchange(ebm_sampler *a, ebm_sampler *b) {
    enum { BEGIN = offsetof(ebm_sampler, n_rows), BYTES = sizeof(ebm_sampler) - BEGIN };
    char kept[BYTES];
    memcpy(kept, (char *)a + BEGIN, BYTES);
    memcpy((char *)a + BEGIN, (char *)b + BEGIN, BYTES);
    memcpy((char *)b + BEGIN, kept, BYTES);
}

/* SPDX-License-Identifier: MIT */
/*
 * To save one more number: a line in a table below, and, for a setting, a call of its setter in trainer_restore.c. To
 * save one more array: a line in the list of its handle, with a part that says whether it is there.
 *
 * What is not saved: the host's own (callbacks, threads, memory, automatic saving, logs), what is made anew from the
 * seed and the counters (the order of an epoch, the picks from the buffer), and working memory.
 */
#include "io/trainer_state.h"

#include <stddef.h>
#include <string.h>

#include "core/error.h"
#include "io/model_tensors.h"

/* One number in a struct. */
typedef struct number {
    const char *group, *name;
    int32_t dtype;
    int32_t check;
    size_t offset;
} number;

#define OPT EBM__GROUP_OPTIMIZER
#define CHAIN EBM__GROUP_CHAIN
#define RNG EBM__GROUP_RANDOM
#define HEALTH EBM__GROUP_HEALTH

/* Settings need no check: their setters have it. */
#define SETTING(struct_name, group, field, dtype) {group, #field, dtype, EBM__ANY, offsetof(struct_name, field)}
#define OF_TRAINER(field, dtype) SETTING(ebm__trainer_settings, OPT, field, dtype)
#define OF_SAMPLER(field, dtype) SETTING(ebm__sampler_settings, CHAIN, field, dtype)

const char *const ebm__kept_names[EBM__N_KEPT] = {"confirmed", "latest"};

static const number TRAINER_SETTINGS[] = {
    OF_TRAINER(optimizer, EBM__DTYPE_I32),       OF_TRAINER(learning_rate, EBM__DTYPE_F64),
    OF_TRAINER(momentum, EBM__DTYPE_F64),        OF_TRAINER(beta1, EBM__DTYPE_F64),
    OF_TRAINER(beta2, EBM__DTYPE_F64),           OF_TRAINER(epsilon, EBM__DTYPE_F64),
    OF_TRAINER(weight_decay, EBM__DTYPE_F64),    OF_TRAINER(grad_clip, EBM__DTYPE_F64),
    OF_TRAINER(mcmc_steps, EBM__DTYPE_I64),      OF_TRAINER(batch_size, EBM__DTYPE_I64),
    OF_TRAINER(energy_penalty, EBM__DTYPE_F64),  OF_TRAINER(data_noise, EBM__DTYPE_F64),
    OF_TRAINER(average_decay, EBM__DTYPE_F64),   OF_TRAINER(gap_limit, EBM__DTYPE_F64),
    OF_TRAINER(objective, EBM__DTYPE_I32),       OF_TRAINER(difference_step, EBM__DTYPE_F64),
    OF_TRAINER(noise_ratio, EBM__DTYPE_I64),     OF_TRAINER(health_record, EBM__DTYPE_I32),
    OF_TRAINER(rollback_every, EBM__DTYPE_I64),  OF_TRAINER(rollback_factor, EBM__DTYPE_F64),
    OF_TRAINER(most_rollbacks, EBM__DTYPE_I32),
    {RNG, "trainer_seed", EBM__DTYPE_U64, EBM__ANY, offsetof(ebm__trainer_settings, seed)},
};

#define SCHEDULE(what, name) /* four numbers */                                                              \
    {OPT, name "_schedule", EBM__DTYPE_I32, EBM__ANY, OF_SCHEDULE(what, kind)},                               \
        {OPT, name "_warmup_steps", EBM__DTYPE_I64, EBM__ANY, OF_SCHEDULE(what, warmup_steps)},               \
        {OPT, name "_schedule_steps", EBM__DTYPE_I64, EBM__ANY, OF_SCHEDULE(what, n_steps)},                  \
        {OPT, name "_schedule_factor", EBM__DTYPE_F64, EBM__ANY, OF_SCHEDULE(what, factor)}
#define OF_SCHEDULE(what, field) offsetof(ebm__trainer_settings, schedules[(what) - 1].field)

static const number SCHEDULES[] = {
    SCHEDULE(EBM_SCHEDULED_LEARNING_RATE, "learning_rate"),
    SCHEDULE(EBM_SCHEDULED_STEP_SIZE, "step_size"),
    SCHEDULE(EBM_SCHEDULED_NOISE_STD, "noise_std"),
    SCHEDULE(EBM_SCHEDULED_MCMC_STEPS, "mcmc_steps"),
};

static const number SAMPLER_SETTINGS[] = {
    OF_SAMPLER(kernel, EBM__DTYPE_I32),         OF_SAMPLER(step_size, EBM__DTYPE_F64),
    OF_SAMPLER(noise_std, EBM__DTYPE_F64),      OF_SAMPLER(temperature, EBM__DTYPE_F64),
    OF_SAMPLER(noise_order, EBM__DTYPE_I32),    OF_SAMPLER(lo, EBM__DTYPE_F64),
    OF_SAMPLER(hi, EBM__DTYPE_F64),             OF_SAMPLER(bounds_rule, EBM__DTYPE_I32),
    OF_SAMPLER(grad_clip, EBM__DTYPE_F64),      OF_SAMPLER(start, EBM__DTYPE_I32),
    OF_SAMPLER(noise_kind, EBM__DTYPE_I32),     OF_SAMPLER(noise_a, EBM__DTYPE_F64),
    OF_SAMPLER(noise_b, EBM__DTYPE_F64),        OF_SAMPLER(capacity, EBM__DTYPE_I64),
    OF_SAMPLER(leapfrog_steps, EBM__DTYPE_I64), OF_SAMPLER(restart_probability, EBM__DTYPE_F64),
    OF_SAMPLER(jitter, EBM__DTYPE_F64),         OF_SAMPLER(friction, EBM__DTYPE_F64),
    OF_SAMPLER(max_depth, EBM__DTYPE_I32),      OF_SAMPLER(metric, EBM__DTYPE_I32),
    OF_SAMPLER(swap_every, EBM__DTYPE_I64),     OF_SAMPLER(metric_adaptation, EBM__DTYPE_I32),
};

static const number TRAINER_NUMBERS[] = {
    {OPT, "steps", EBM__DTYPE_I64, EBM__COUNT, offsetof(ebm_trainer, steps)},
    {OPT, "rollbacks", EBM__DTYPE_I64, EBM__COUNT, offsetof(ebm_trainer, rollbacks)},
    {OPT, "beta1_power", EBM__DTYPE_F64, EBM__SHARE, offsetof(ebm_trainer, optimizer.beta1_power)},
    {OPT, "beta2_power", EBM__DTYPE_F64, EBM__SHARE, offsetof(ebm_trainer, optimizer.beta2_power)},
    {OPT, "has_report", EBM__DTYPE_U8, EBM__FLAG, offsetof(ebm_trainer, has_report)},
    {OPT, "loss", EBM__DTYPE_F64, EBM__ANY, offsetof(ebm_trainer, report.loss)},
    {OPT, "energy_data", EBM__DTYPE_F64, EBM__ANY, offsetof(ebm_trainer, report.energy_data)},
    {OPT, "energy_model", EBM__DTYPE_F64, EBM__ANY, offsetof(ebm_trainer, report.energy_model)},
    {OPT, "grad_norm", EBM__DTYPE_F64, EBM__ANY, offsetof(ebm_trainer, report.grad_norm)},
    {OPT, "acceptance", EBM__DTYPE_F64, EBM__ANY, offsetof(ebm_trainer, report.acceptance)},
    {OPT, "log_z_gradient", EBM__DTYPE_F64, EBM__ANY, offsetof(ebm_trainer, report.log_z_grad)},
    {OPT, "log_z_known", EBM__DTYPE_U8, EBM__FLAG, offsetof(ebm_trainer, log_z.known)},
    {OPT, "log_z", EBM__DTYPE_F32, EBM__FINITE, offsetof(ebm_trainer, log_z.value)},
    {OPT, "log_z_first_moment", EBM__DTYPE_F32, EBM__FINITE, offsetof(ebm_trainer, log_z.first)},
    {OPT, "log_z_second_moment", EBM__DTYPE_F32, EBM__FINITE, offsetof(ebm_trainer, log_z.second)},
    {OPT, "noise_normals_per_row", EBM__DTYPE_I64, EBM__COUNT, offsetof(ebm_trainer, noise.normals_per_row)},
    {RNG, "batches", EBM__DTYPE_I64, EBM__COUNT, offsetof(ebm_trainer, batches)},
    {RNG, "epochs", EBM__DTYPE_I64, EBM__COUNT, offsetof(ebm_trainer, epochs)},
    {RNG, "epoch_rows", EBM__DTYPE_I64, EBM__COUNT, offsetof(ebm_trainer, epoch_rows)},
    {RNG, "epoch_next", EBM__DTYPE_I64, EBM__COUNT, offsetof(ebm_trainer, epoch_next)},
};

static const number SAMPLER_NUMBERS[] = {
    {RNG, "seed", EBM__DTYPE_U64, EBM__ANY, offsetof(ebm_sampler, seed)},
    {RNG, "step", EBM__DTYPE_U64, EBM__COUNT, offsetof(ebm_sampler, step)},
    {RNG, "episode", EBM__DTYPE_U64, EBM__COUNT, offsetof(ebm_sampler, episode)},
    {CHAIN, "has_stepped", EBM__DTYPE_U8, EBM__FLAG, offsetof(ebm_sampler, report.has_stepped)},
    {CHAIN, "grad_rms", EBM__DTYPE_F64, EBM__ANY, offsetof(ebm_sampler, report.grad_rms)},
    {CHAIN, "clipped", EBM__DTYPE_F64, EBM__ANY, offsetof(ebm_sampler, report.clipped)},
    {CHAIN, "acceptance", EBM__DTYPE_F64, EBM__ANY, offsetof(ebm_sampler, report.acceptance)},
    {CHAIN, "mean_leaps", EBM__DTYPE_F64, EBM__ANY, offsetof(ebm_sampler, report.mean_leaps)},
    {CHAIN, "step_acceptance", EBM__DTYPE_F64, EBM__ANY, offsetof(ebm_sampler, report.step_acceptance)},
    {CHAIN, "impossible", EBM__DTYPE_I64, EBM__COUNT, offsetof(ebm_sampler, report.impossible)},
    {CHAIN, "divergent", EBM__DTYPE_I64, EBM__COUNT, offsetof(ebm_sampler, report.divergent)},
    {CHAIN, "round_trips", EBM__DTYPE_I64, EBM__COUNT, offsetof(ebm_sampler, ladder.round_trips)},
};

static const number HEALTH_NUMBERS[] = {
    {HEALTH, "windows", EBM__DTYPE_I64, EBM__COUNT, offsetof(ebm_trainer, health.windows)},
    {HEALTH, "suspected", EBM__DTYPE_I32, EBM__ONE_OF_8, offsetof(ebm_trainer, health.suspected)},
    {HEALTH, "verdict", EBM__DTYPE_I32, EBM__ONE_OF_8, offsetof(ebm_trainer, health.verdict)},
    {HEALTH, "rhat", EBM__DTYPE_F64, EBM__ANY, offsetof(ebm_trainer, health.rhat)},
    {HEALTH, "traced_steps", EBM__DTYPE_I64, EBM__COUNT, offsetof(ebm_trainer, health.traced_steps)},
};

_Static_assert(sizeof(bool) == 1, "a bool is saved as a byte");

#define LIST(list, table, base) list_numbers(list, table, sizeof(table) / sizeof *(table), base)

static ebm_status list_numbers(ebm__tensor_list *list, const number *table, size_t n, void *base) {
    for (size_t i = 0; i < n; i++) {
        const ebm__tensor_place place = {.group = table[i].group,
                                         .name = table[i].name,
                                         .dtype = table[i].dtype,
                                         .check = table[i].check,
                                         .values = base == NULL ? NULL : (char *)base + table[i].offset};
        EBM__TRY(ebm__tensor_list_add(list, &place));
    }
    return EBM_OK;
}

static ebm_status list_array(ebm__tensor_list *list, const char *group, const char *name, int32_t dtype, int32_t check,
                             int32_t rank, const int64_t *shape, void *values) {
    ebm__tensor_place place = {
        .group = group, .name = name, .dtype = dtype, .check = check, .rank = rank, .values = values};
    memcpy(place.shape, shape, (size_t)rank * sizeof *shape);
    return ebm__tensor_list_add(list, &place);
}

static ebm_status list_sampler_settings(ebm__tensor_list *list, const ebm__trainer_state *state) {
    const number count = {CHAIN, EBM__NAME_COUNT, EBM__DTYPE_I64, EBM__COUNT, 0};
    const int64_t n_rungs = state->n_rungs;
    EBM__TRY(list_numbers(list, &count, 1, state->n_chains));
    EBM__TRY(LIST(list, SAMPLER_SETTINGS, state->sampler_settings));
    if (state->parts.mask) {
        EBM__TRY(list_array(list, CHAIN, EBM__NAME_MASK, EBM__DTYPE_U8, EBM__ANY, 1, &state->model->dim, state->mask));
    }
    if (state->n_rungs > 1) {
        EBM__TRY(list_array(list, CHAIN, EBM__NAME_RUNGS, EBM__DTYPE_F64, EBM__ANY, 1, &n_rungs,
                            state->rung_temperature));
        EBM__TRY(list_array(list, CHAIN, "ladder_step_size", EBM__DTYPE_F64, EBM__ANY, 1, &n_rungs,
                            state->rung_step_size));
    }
    return EBM_OK;
}

ebm_status ebm__list_settings(ebm__tensor_list *list, const ebm__trainer_state *state) {
    const int64_t n_levels = state->trainer_settings->n_noise_levels;
    EBM__TRY(ebm__list_model_tensors(list, EBM__GROUP_PARAM, state->model, state->theta));
    if (state->n_chains != NULL) {
        EBM__TRY(list_sampler_settings(list, state));
    }
    EBM__TRY(LIST(list, TRAINER_SETTINGS, state->trainer_settings));
    EBM__TRY(LIST(list, SCHEDULES, state->trainer_settings));
    return list_array(list, OPT, EBM__NAME_LEVELS, EBM__DTYPE_F64, EBM__ANY, 1, &n_levels,
                      state->trainer_settings->noise_levels);
}

static ebm_status list_optimizer(ebm__tensor_list *list, const ebm__trainer_state *state) {
    const int64_t *shape = &state->model->n_params;
    const ebm_trainer *t = state->trainer;
    if (!state->parts.moments) {
        return EBM_OK;
    }
    EBM__TRY(list_array(list, OPT, EBM__NAME_MOMENTS, EBM__DTYPE_F32, EBM__FINITE, 1, shape,
                        t == NULL ? NULL : t->optimizer.first));
    return state->trainer_settings->optimizer == EBM_OPT_SGD
               ? EBM_OK
               : list_array(list, OPT, "second_moment", EBM__DTYPE_F32, EBM__FINITE, 1, shape,
                            t == NULL ? NULL : t->optimizer.second);
}

/* The fitted Gaussian. What else it has follows from these two. */
static ebm_status list_noise(ebm__tensor_list *list, const ebm__trainer_state *state) {
    const int64_t shape[] = {state->model->dim, state->model->dim};
    const ebm__noise_gaussian *g = state->trainer == NULL ? NULL : &state->trainer->noise.gaussian;
    int32_t covariance = state->parts.covariance;
    if (covariance == 0) {
        return EBM_OK;
    }
    EBM__TRY(list_array(list, OPT, "noise_mean", EBM__DTYPE_F64, EBM__FINITE, 1, shape, g == NULL ? NULL : g->mean));
    return list_array(list, OPT, EBM__NAME_FACTOR, EBM__DTYPE_F64, EBM__FINITE,
                      covariance == EBM_COVARIANCE_FULL ? 2 : 1, shape, g == NULL ? NULL : g->factor);
}

/* What the chains' rows hold, of all rungs: rung by rung, chain by chain. */
static ebm_status list_rows(ebm__tensor_list *list, const ebm__trainer_state *state) {
    const ebm__sampler_parts *parts = &state->parts.chains;
    const ebm_sampler *s = state->sampler;
    const int64_t shape[] = {state->n_rungs, *state->n_chains, state->model->dim};
    const struct {
        bool there;
        const char *name;
        int32_t dtype, check, rank;
        void *values;
    } arrays[] = {
        {parts->states, EBM__NAME_STATES, EBM__DTYPE_F32, EBM__FINITE, 3, s == NULL ? NULL : s->x},
        {parts->momenta, EBM__NAME_MOMENTA, EBM__DTYPE_F32, EBM__FINITE, 3, s == NULL ? NULL : s->momenta},
        {parts->energies, EBM__NAME_ENERGIES, EBM__DTYPE_F64, EBM__ENERGY, 2, s == NULL ? NULL : s->energy},
        {parts->gradients, EBM__NAME_GRADIENTS, EBM__DTYPE_F32, EBM__FINITE, 3, s == NULL ? NULL : s->grad},
        {parts->trajectories, EBM__NAME_TRAJECTORIES, EBM__DTYPE_F64, EBM__ENERGY, 2,
         s == NULL ? NULL : s->trajectory_energy},
    };
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        if (arrays[i].there) {
            EBM__TRY(list_array(list, CHAIN, arrays[i].name, arrays[i].dtype, arrays[i].check, arrays[i].rank,
                                shape, arrays[i].values));
        }
    }
    return EBM_OK;
}

static ebm_status list_ladder(ebm__tensor_list *list, const ebm__trainer_state *state) {
    const ebm__ladder *ladder = state->sampler == NULL ? NULL : &state->sampler->ladder;
    const int64_t rows[] = {state->n_rungs, *state->n_chains};
    if (state->n_rungs == 1) {
        return EBM_OK;
    }
    EBM__TRY(list_array(list, CHAIN, "ladder_accepted", EBM__DTYPE_F64, EBM__FINITE, 1, rows,
                        ladder == NULL ? NULL : ladder->counts));
    EBM__TRY(list_array(list, CHAIN, "ladder_proposed", EBM__DTYPE_I64, EBM__COUNT, 1, rows,
                        ladder == NULL ? NULL : ladder->proposed));
    return list_array(list, CHAIN, "ladder_came_from", EBM__DTYPE_U8, EBM__ONE_OF_3, 2, rows,
                      ladder == NULL ? NULL : ladder->came_from);
}

static ebm_status list_buffer(ebm__tensor_list *list, const ebm__trainer_state *state) {
    const int64_t shape[] = {state->sampler_settings->capacity, state->model->dim};
    return state->parts.chains.buffer
               ? list_array(list, CHAIN, EBM__NAME_BUFFER, EBM__DTYPE_F32, EBM__FINITE, 2, shape,
                            state->sampler == NULL ? NULL : state->sampler->buffer)
               : EBM_OK;
}

static ebm_status list_ages(ebm__tensor_list *list, const ebm__trainer_state *state) {
    const int64_t shape[] = {ebm__persistent_count(state->sampler_settings, *state->n_chains)};
    return state->parts.chains.ages ? list_array(list, CHAIN, EBM__NAME_AGES, EBM__DTYPE_I64, EBM__COUNT, 1, shape,
                                                 state->sampler == NULL ? NULL : state->sampler->age)
                                    : EBM_OK;
}

/* The record's windows are structs of doubles. */
static ebm_status list_health(ebm__tensor_list *list, const ebm__trainer_state *state) {
    enum { OF_WINDOW = sizeof(ebm__health_window) / sizeof(double) };
    const int64_t numbers[] = {EBM__N_HEALTH};
    const int64_t windows[] = {EBM__WINDOWS, OF_WINDOW};
    const int64_t traces[] = {2, EBM__TRACED, state->n_chains == NULL ? 0 : *state->n_chains};
    ebm_trainer *t = state->trainer;
    EBM__TRY(LIST(list, HEALTH_NUMBERS, t));
    EBM__TRY(list_array(list, HEALTH, "last", EBM__DTYPE_F64, EBM__ANY, 1, numbers,
                        t == NULL ? NULL : t->report.health.number));
    EBM__TRY(list_array(list, HEALTH, "window", EBM__DTYPE_F64, EBM__ANY, 1, windows + 1,
                        t == NULL ? NULL : &t->health.window));
    EBM__TRY(list_array(list, HEALTH, "past_windows", EBM__DTYPE_F64, EBM__ANY, 2, windows,
                        t == NULL ? NULL : t->health.past));
    return state->parts.traces ? list_array(list, HEALTH, EBM__NAME_TRACES, EBM__DTYPE_F64, EBM__ANY, 3, traces,
                                            t == NULL ? NULL : t->health.trace)
                               : EBM_OK;
}

static ebm_status list_metric(ebm__tensor_list *list, const ebm__trainer_state *state) {
    int32_t kind = state->sampler_settings->metric;
    const int64_t shape[] = {state->model->dim, state->model->dim};
    return kind == EBM_METRIC_IDENTITY
               ? EBM_OK
               : list_array(list, CHAIN, "inverse_mass", EBM__DTYPE_F32, EBM__FINITE,
                            kind == EBM_METRIC_DENSE ? 2 : 1, shape,
                            state->sampler == NULL ? NULL : state->sampler->inverse_mass);
}

static ebm_status list_chains(ebm__tensor_list *list, const ebm__trainer_state *state) {
    EBM__TRY(LIST(list, SAMPLER_NUMBERS, state->sampler));
    EBM__TRY(list_rows(list, state));
    EBM__TRY(list_buffer(list, state));
    EBM__TRY(list_ages(list, state));
    EBM__TRY(list_metric(list, state));
    return list_ladder(list, state);
}

ebm_status ebm__list_progress(ebm__tensor_list *list, const ebm__trainer_state *state) {
    if (state->parts.average) {
        EBM__TRY(ebm__list_model_tensors(list, EBM__GROUP_AVERAGE, state->model, state->average));
    }
    EBM__TRY(LIST(list, TRAINER_NUMBERS, state->trainer));
    EBM__TRY(list_optimizer(list, state));
    EBM__TRY(list_noise(list, state));
    EBM__TRY(list_health(list, state));
    return state->n_chains == NULL ? EBM_OK : list_chains(list, state);
}

ebm_status ebm__list_kept(ebm__tensor_list *list, const ebm__trainer_state *state) {
    for (int i = 0; i < EBM__N_KEPT; i++) {
        const ebm__kept *kept = &state->kept[i];
        if (kept->size > 0) {
            EBM__TRY(list_array(list, EBM__GROUP_ROLLBACK, ebm__kept_names[i], EBM__DTYPE_U8, EBM__ANY, 1, &kept->size,
                                kept->bytes));
        }
    }
    return EBM_OK;
}

ebm__trainer_state ebm__trainer_state_of(const ebm_trainer *source) {
    ebm_trainer *trainer = (ebm_trainer *)source; /* saving only reads what is listed */
    ebm_sampler *sampler = trainer->sampler;
    const ebm__optimizer *optimizer = &trainer->optimizer;
    bool second = trainer->settings.optimizer != EBM_OPT_SGD;
    float *theta = trainer->model->theta;
    ebm__trainer_state state = {
        .model = trainer->model,
        .theta = trainer->swapped ? trainer->average : theta,
        .parts = {.moments = optimizer->first != NULL && (!second || optimizer->second != NULL),
                  .average = trainer->has_average,
                  .covariance = trainer->noise.gaussian.covariance,
                  .traces = sampler != NULL && trainer->health.trace != NULL},
        .trainer_settings = &trainer->settings,
        .trainer = trainer,
        .average = trainer->swapped ? theta : trainer->average,
    };
    if (sampler != NULL) {
        state.parts.chains = ebm__sampler_parts_of(sampler);
        state.parts.mask = sampler->mask != NULL;
        state.sampler = sampler;
        state.sampler_settings = &sampler->settings;
        state.n_chains = &sampler->n_chains;
        state.n_rungs = sampler->ladder.n_rungs;
        state.rung_temperature = sampler->ladder.temperature;
        state.rung_step_size = sampler->ladder.step_size;
        state.mask = sampler->mask;
    }
    for (int i = 0; i < EBM__N_KEPT; i++) {
        state.kept[i] = ebm__rollback_kept(trainer, i);
    }
    return state;
}

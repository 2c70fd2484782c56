/* SPDX-License-Identifier: MIT */
/*
 * From a file to a trainer: a fresh sampler and a fresh trainer are made as the file says, through the setters that a
 * host uses, so that nothing comes in that they would refuse; then their content changes places with that of the
 * host's handles. The file is taken to be hostile: nothing is asked for by its word before it has shown as many bytes.
 */
#include "io/trainer_restore.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <ebm/tempering.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/model_tensors.h"
#include "io/trainer_state.h"
#include "sampler/metric.h"

typedef struct restoring {
    ebm_trainer *trainer; /* the host's */
    ebm__tensor_file *file;
    ebm__trainer_settings trainer_settings;
    ebm__sampler_settings sampler_settings;
    int64_t n_chains;
    double *rungs; /* temperatures, then step sizes */
    float *theta;
    uint8_t *mask;
    ebm_sampler *fresh_sampler;
    ebm_trainer *fresh_trainer;
    ebm__trainer_state state;
    ebm__tensor_list settings;
    ebm__tensor_list progress;
} restoring;

static const ebm__safetensors_entry *find(const restoring *r, const char *group, const char *name) {
    return ebm__safetensors_find(&r->file->header, group, name);
}

/* The numbers in a row, when there is such a row, or 1. */
static int32_t length_of(const ebm__safetensors_entry *entry, int32_t most) {
    return entry != NULL && entry->rank == 1 && entry->shape[0] <= most ? (int32_t)entry->shape[0] : 1;
}

/* What the file has. Whether it may have it is found out when names and shapes are matched. */
static void look_for_parts(restoring *r) {
    ebm__trainer_parts *parts = &r->state.parts;
    const ebm__safetensors_entry *rungs = find(r, EBM__GROUP_CHAIN, EBM__NAME_RUNGS);
    const ebm__safetensors_entry *levels = find(r, EBM__GROUP_OPTIMIZER, EBM__NAME_LEVELS);
    const ebm__safetensors_entry *factor = find(r, EBM__GROUP_OPTIMIZER, EBM__NAME_FACTOR);
    parts->chains.states = find(r, EBM__GROUP_CHAIN, EBM__NAME_STATES) != NULL;
    parts->chains.momenta = find(r, EBM__GROUP_CHAIN, EBM__NAME_MOMENTA) != NULL;
    parts->chains.gradients = find(r, EBM__GROUP_CHAIN, EBM__NAME_GRADIENTS) != NULL;
    parts->chains.energies = parts->chains.gradients || find(r, EBM__GROUP_CHAIN, EBM__NAME_ENERGIES) != NULL;
    parts->chains.trajectories = find(r, EBM__GROUP_CHAIN, EBM__NAME_TRAJECTORIES) != NULL;
    parts->chains.ages = find(r, EBM__GROUP_CHAIN, EBM__NAME_AGES) != NULL;
    parts->traces = r->trainer->sampler != NULL && find(r, EBM__GROUP_HEALTH, EBM__NAME_TRACES) != NULL;
    parts->chains.buffer = find(r, EBM__GROUP_CHAIN, EBM__NAME_BUFFER) != NULL;
    for (int i = 0; i < EBM__N_KEPT; i++) {
        const ebm__safetensors_entry *kept = find(r, EBM__GROUP_ROLLBACK, ebm__kept_names[i]);
        r->state.kept[i].size = kept != NULL && kept->rank == 1 ? kept->shape[0] : 0;
    }
    parts->mask = find(r, EBM__GROUP_CHAIN, EBM__NAME_MASK) != NULL;
    parts->moments = find(r, EBM__GROUP_OPTIMIZER, EBM__NAME_MOMENTS) != NULL;
    parts->average = find(r, EBM__GROUP_AVERAGE, r->trainer->model->tensors[0].name) != NULL;
    parts->covariance = factor == NULL ? 0 : factor->rank == 1 ? EBM_COVARIANCE_DIAGONAL : EBM_COVARIANCE_FULL;
    r->state.n_rungs = length_of(rungs, INT32_MAX);
    r->trainer_settings.n_noise_levels = length_of(levels, EBM__MOST_NOISE_LEVELS);
}

static ebm_status prepare(restoring *r) {
    const ebm_model *model = r->trainer->model;
    ebm_context *context = r->trainer->handle.context;
    look_for_parts(r);
    EBM__TRY(ebm__alloc(context, model->n_params, sizeof(float), "the parameters", &r->theta));
    EBM__TRY(ebm__alloc(context, 2 * (int64_t)r->state.n_rungs, sizeof(double), "the ladder", &r->rungs));
    EBM__TRY(ebm__alloc(context, model->dim, 1, "the mask", &r->mask));
    r->state.model = model;
    r->state.theta = r->theta;
    r->state.trainer_settings = &r->trainer_settings;
    r->state.sampler_settings = &r->sampler_settings;
    r->state.n_chains = r->trainer->sampler == NULL ? NULL : &r->n_chains;
    r->state.rung_temperature = r->rungs;
    r->state.rung_step_size = r->rungs + r->state.n_rungs;
    r->state.mask = r->mask;
    return EBM_OK;
}

/* Settings first, which tell the shapes of the rest; then is all there, and nothing else? */
static ebm_status match(restoring *r) {
    static const char *const no_others[] = {NULL};
    const ebm_sampler *sampler = r->trainer->sampler;
    if (sampler == NULL && find(r, EBM__GROUP_CHAIN, EBM__NAME_COUNT) != NULL) {
        return ebm__fail(EBM_ERR_MISMATCH,
                         "the file has the tensor 'chain.count', but the trainer was made without a sampler");
    }
    EBM__TRY(ebm__list_settings(&r->settings, &r->state));
    EBM__TRY(ebm__tensor_list_match(&r->settings, r->file));
    EBM__TRY(ebm__tensor_list_copy(&r->settings, r->file));
    if (sampler != NULL && r->n_chains != sampler->n_chains) {
        return ebm__fail(EBM_ERR_MISMATCH, "the file's tensor 'chain.count' is %" PRId64 ", the sampler has %" PRId64
                         " chains", r->n_chains, sampler->n_chains);
    }
    EBM__TRY(ebm__list_progress(&r->progress, &r->state));
    EBM__TRY(ebm__list_kept(&r->progress, &r->state));
    EBM__TRY(ebm__tensor_list_match(&r->progress, r->file));
    return ebm__tensor_file_require_used(r->file, no_others);
}

static ebm_status set_sampler(const restoring *r) {
    const ebm__sampler_settings *s = &r->sampler_settings;
    ebm_sampler *sampler = r->fresh_sampler;
    EBM__TRY(ebm_sampler_set_kernel(sampler, s->kernel));
    EBM__TRY(ebm_sampler_set_step_size(sampler, s->step_size));
    EBM__TRY(ebm_sampler_set_noise_std(sampler, s->noise_std));
    EBM__TRY(ebm_sampler_set_temperature(sampler, s->temperature));
    EBM__TRY(ebm_sampler_set_noise_order(sampler, s->noise_order));
    EBM__TRY(ebm_sampler_set_bounds(sampler, s->lo, s->hi, s->bounds_rule));
    EBM__TRY(ebm_sampler_set_grad_clip(sampler, s->grad_clip));
    EBM__TRY(ebm_sampler_set_start(sampler, s->start));
    EBM__TRY(ebm_sampler_set_noise_start(sampler, s->noise_kind, s->noise_a, s->noise_b));
    EBM__TRY(ebm_sampler_set_buffer(sampler, s->capacity, s->restart_probability));
    EBM__TRY(ebm_sampler_set_leapfrog_steps(sampler, s->leapfrog_steps));
    EBM__TRY(ebm_sampler_set_jitter(sampler, s->jitter));
    EBM__TRY(ebm_sampler_set_friction(sampler, s->friction));
    EBM__TRY(ebm_sampler_set_max_depth(sampler, s->max_depth));
    EBM__TRY(ebm_sampler_set_metric(sampler, s->metric, 0, NULL));
    EBM__TRY(ebm_sampler_set_metric_adaptation(sampler, s->metric_adaptation));
    EBM__TRY(ebm_sampler_set_swap_every(sampler, s->swap_every));
    EBM__TRY(ebm_sampler_set_mask(sampler, r->state.parts.mask ? r->mask : NULL));
    if (r->state.n_rungs == 1) {
        return EBM_OK;
    }
    EBM__TRY(ebm_sampler_set_ladder(sampler, r->state.n_rungs, r->state.rung_temperature));
    return ebm_sampler_set_rung_step_sizes(sampler, r->state.n_rungs, r->state.rung_step_size);
}

static ebm_status set_trainer(const restoring *r) {
    const ebm__trainer_settings *s = &r->trainer_settings;
    ebm_trainer *trainer = r->fresh_trainer;
    EBM__TRY(ebm_trainer_set_optimizer(trainer, s->optimizer));
    EBM__TRY(ebm_trainer_set_learning_rate(trainer, s->learning_rate));
    for (int32_t what = 1; what <= EBM__N_SCHEDULES; what++) {
        const ebm__schedule *c = &s->schedules[what - 1];
        EBM__TRY(ebm_trainer_set_schedule(trainer, what, c->kind, c->warmup_steps, c->n_steps, c->factor));
    }
    EBM__TRY(ebm_trainer_set_momentum(trainer, s->momentum));
    EBM__TRY(ebm_trainer_set_betas(trainer, s->beta1, s->beta2));
    EBM__TRY(ebm_trainer_set_epsilon(trainer, s->epsilon));
    EBM__TRY(ebm_trainer_set_weight_decay(trainer, s->weight_decay));
    EBM__TRY(ebm_trainer_set_grad_clip(trainer, s->grad_clip));
    EBM__TRY(ebm_trainer_set_mcmc_steps(trainer, s->mcmc_steps));
    EBM__TRY(ebm_trainer_set_batch_size(trainer, s->batch_size));
    EBM__TRY(ebm_trainer_set_energy_penalty(trainer, s->energy_penalty));
    EBM__TRY(ebm_trainer_set_data_noise(trainer, s->data_noise));
    EBM__TRY(ebm_trainer_set_average(trainer, s->average_decay));
    if (s->objective != trainer->settings.objective) { /* the likelihood, which it has, it may lack a sampler for */
        EBM__TRY(ebm_trainer_set_objective(trainer, s->objective));
    }
    EBM__TRY(ebm_trainer_set_seed(trainer, s->seed));
    EBM__TRY(ebm_trainer_set_noise_levels(trainer, s->n_noise_levels, s->noise_levels));
    EBM__TRY(ebm_trainer_set_noise_ratio(trainer, s->noise_ratio));
    EBM__TRY(ebm_trainer_set_difference_step(trainer, s->difference_step));
    EBM__TRY(ebm_trainer_set_health_record(trainer, s->health_record));
    EBM__TRY(ebm_trainer_set_rollback(trainer, 1, s->rollback_factor, s->most_rollbacks)); /* kept also without one */
    EBM__TRY(ebm_trainer_set_rollback(trainer, s->rollback_every, s->rollback_factor, s->most_rollbacks));
    return ebm_trainer_set_gap_limit(trainer, s->gap_limit);
}

/* A setter refuses what no trainer can have saved. */
static ebm_status judge_setting(ebm_status status) {
    return status == EBM_ERR_ARG || status == EBM_ERR_OVERFLOW || status == EBM_ERR_STATE
               ? ebm__fail_within(EBM_ERR_FORMAT, "a setting: ")
               : status;
}

static ebm_status make_sampler(restoring *r) {
    ebm_sampler *sampler = r->trainer->sampler;
    EBM__TRY(ebm_sampler_create(sampler->handle.context, sampler->model, sampler->n_chains, 0, &r->fresh_sampler));
    EBM__TRY(judge_setting(set_sampler(r)));
    r->state.sampler = r->fresh_sampler;
    return ebm__sampler_make_parts(r->fresh_sampler, &r->state.parts.chains, "the chains");
}

static ebm_status make_fresh(restoring *r) {
    ebm_context *context = r->trainer->handle.context;
    ebm_model *model = r->trainer->model;
    if (r->trainer->sampler != NULL) {
        EBM__TRY(make_sampler(r));
    }
    EBM__TRY(ebm_trainer_create(context, model, r->fresh_sampler, &r->fresh_trainer));
    EBM__TRY(judge_setting(set_trainer(r)));
    if (r->state.parts.covariance != 0) {
        EBM__TRY(ebm__noise_gaussian_make(context, model->dim, r->state.parts.covariance, "the noise",
                                          &r->fresh_trainer->noise.gaussian));
    }
    if (r->state.parts.traces) {
        EBM__TRY(ebm__health_reserve(r->fresh_trainer, "the health record"));
    }
    if (r->state.parts.moments) {
        EBM__TRY(ebm__optimizer_prepare(r->fresh_trainer, "the optimizer's state"));
    }
    if (r->state.parts.average) {
        EBM__TRY(ebm__average_prepare(r->fresh_trainer, "the averaged parameters"));
        if (r->fresh_trainer->average == NULL) {
            return ebm__fail(EBM_ERR_FORMAT, "the file has averaged parameters, but its setting is to keep none");
        }
        r->fresh_trainer->has_average = true;
    }
    for (int i = 0; i < EBM__N_KEPT; i++) {
        ebm__kept *kept = &r->state.kept[i];
        if (kept->size > 0) {
            EBM__TRY(ebm__rollback_make(r->fresh_trainer, i, kept->size, &kept->bytes));
        }
    }
    r->state.trainer = r->fresh_trainer;
    r->state.average = r->fresh_trainer->average;
    return EBM_OK;
}

/* A host's functions are not in the file: they must be there already. */
static ebm_status check_noise(const restoring *r) {
    ebm__noise *noise = &r->fresh_trainer->noise;
    int64_t wanted = noise->normals_per_row;
    int64_t there = r->trainer->noise.normals_per_row;
    if (wanted > 0 && wanted != there) {
        return ebm__fail(EBM_ERR_MISMATCH, "the file's tensor 'opt.noise_normals_per_row' is %" PRId64
                         ", the trainer has %" PRId64 ": ebm_trainer_set_noise with the host's noise comes first",
                         wanted, there);
    }
    if (noise->gaussian.covariance == 0) {
        return EBM_OK;
    }
    int64_t dim = r->trainer->model->dim;
    ebm__noise_gaussian_complete(&noise->gaussian, dim);
    bool good = wanted == 0 && isfinite(noise->gaussian.log_peak);
    int64_t size = noise->gaussian.covariance == EBM_COVARIANCE_FULL ? dim * dim : dim;
    for (int64_t i = 0; i < size; i++) {
        good = good && isfinite(noise->gaussian.inverse[i]);
    }
    return good ? EBM_OK : ebm__fail(EBM_ERR_FORMAT, "'opt.noise_factor' is no factor of a covariance");
}

static ebm_status fill(restoring *r) {
    ebm__tensor_list_clear(&r->progress);
    EBM__TRY(ebm__list_progress(&r->progress, &r->state));
    EBM__TRY(ebm__list_kept(&r->progress, &r->state));
    EBM__TRY(ebm__tensor_list_match(&r->progress, r->file));
    EBM__TRY(ebm__tensor_list_copy(&r->progress, r->file));
    for (int i = 0; i < EBM__N_KEPT; i++) {
        if (r->state.kept[i].size > 0) {
            EBM__TRY(ebm__rollback_check(r->fresh_trainer, i, ebm__tensor_list_check));
        }
    }
    const ebm_trainer *fresh = r->fresh_trainer;
    if (fresh->epoch_next > 0 ? fresh->epoch_next >= fresh->epoch_rows : fresh->epoch_rows != 0) {
        return ebm__fail(EBM_ERR_FORMAT, "the next row of the epoch is %" PRId64 ", of %" PRId64, fresh->epoch_next,
                         fresh->epoch_rows);
    }
    EBM__TRY(check_noise(r));
    return fresh->sampler == NULL ? EBM_OK : judge_setting(ebm__metric_check(r->fresh_sampler, "the metric"));
}

/* The host's functions stay with the handle that they were set for. */
static void take_trainer(ebm_trainer *to, ebm_trainer *from) {
    ebm__optimizer optimizer = to->optimizer;
    float *average = to->average;
    ebm__health health = to->health;
    from->settings.progress = to->settings.progress;
    from->settings.progress_data = to->settings.progress_data;
    from->settings.progress_every = to->settings.progress_every;
    to->settings = from->settings;
    ebm__keeper *rollback = to->keepers[EBM__KEEPER_ROLLBACK];
    to->keepers[EBM__KEEPER_ROLLBACK] = from->keepers[EBM__KEEPER_ROLLBACK];
    from->keepers[EBM__KEEPER_ROLLBACK] = rollback;
    to->rollbacks = from->rollbacks;
    to->steps = from->steps;
    to->epochs = from->epochs;
    to->batches = from->batches;
    to->epoch_rows = from->epoch_rows;
    to->epoch_next = from->epoch_next;
    to->optimizer = from->optimizer;
    to->average = from->average;
    to->has_average = from->has_average;
    to->swapped = false;
    to->has_report = from->has_report;
    to->report = from->report;
    to->log_z = from->log_z;
    if (from->noise.normals_per_row == 0) { /* otherwise it is the host's, which `to` has */
        ebm__noise_replace(to, &from->noise);
        from->noise.gaussian = (ebm__noise_gaussian){0};
    }
    to->health = from->health;
    from->health = health;
    from->optimizer = optimizer;
    from->average = average;
}

static ebm_status restore(restoring *r) {
    EBM__TRY(prepare(r));
    EBM__TRY(match(r));
    EBM__TRY(make_fresh(r));
    EBM__TRY(fill(r));
    ebm_model *model = r->trainer->model;
    EBM__TRY(ebm_model_set_params(model, model->n_params, r->theta)); /* the last that can fail */
    if (r->fresh_sampler != NULL) {
        ebm__sampler_exchange(r->trainer->sampler, r->fresh_sampler);
    }
    take_trainer(r->trainer, r->fresh_trainer);
    return EBM_OK;
}

ebm_status ebm__trainer_restore(ebm_trainer *trainer, ebm__tensor_file *file) {
    ebm_context *context = trainer->handle.context;
    restoring r = {.trainer = trainer, .file = file};
    r.settings.context = context;
    r.progress.context = context;
    ebm_status status = restore(&r);
    ebm_trainer_destroy(r.fresh_trainer);
    ebm_sampler_destroy(r.fresh_sampler);
    ebm__tensor_list_clear(&r.settings);
    ebm__tensor_list_clear(&r.progress);
    ebm__free(context, r.theta);
    ebm__free(context, r.rungs);
    ebm__free(context, r.mask);
    return status;
}

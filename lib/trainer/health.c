/* SPDX-License-Identifier: MIT */
/*
 * What a batch of chains shows: energies, how far the chains moved and what moved them, how they lie beside the data,
 * how old they are, and whether they visit the same places (R-hat).
 */
#include "trainer/health.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/simd.h"
#include "sampler/kernel.h"
#include "trainer/health_sums.h"
#include "trainer/objective.h"
#include "trainer/schedule.h"

void ebm__health_clear(ebm__health *health, ebm_context *context) {
    ebm__free(context, health->start);
    ebm__free(context, health->trace);
    ebm__free(context, health->traced);
    ebm__free(context, health->work);
    ebm__free(context, health->direction);
}

void ebm__health_blank(ebm__batch_health *batch) {
    for (int i = 0; i < EBM__N_HEALTH; i++) {
        batch->number[i] = NAN;
    }
}

ebm_status ebm__health_reserve(ebm_trainer *trainer, const char *caller) {
    ebm__health *h = &trainer->health;
    ebm_context *context = trainer->handle.context;
    int64_t m = trainer->sampler->n_chains;
    int64_t dim = trainer->model->dim;
    const struct {
        void *place;
        int64_t count;
        size_t size;
    } arrays[] = {{&h->start, m * dim, sizeof *h->start},
                  {&h->trace, 2 * EBM__TRACED * m, sizeof *h->trace},
                  {&h->traced, EBM__TRACED * m, sizeof *h->traced},
                  {&h->work, 2 * dim, sizeof *h->work},
                  {&h->direction, dim, sizeof *h->direction}};
    if (h->direction != NULL) {
        return EBM_OK;
    }
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        if (*(void **)arrays[i].place == NULL) {
            EBM__TRY(ebm__alloc(context, arrays[i].count, arrays[i].size, caller, arrays[i].place));
        }
    }
    const ebm__sequence sequence = {.stream = EBM__STREAM_PROJECTION}; /* the same for every training */
    ebm__simd_used()->normals(&sequence, 0, dim, h->direction);
    return EBM_OK;
}

void ebm__health_begin(ebm_trainer *trainer) {
    const ebm_sampler *s = trainer->sampler;
    if (trainer->settings.health_record != 0) {
        memcpy(trainer->health.start, s->x, (size_t)(s->n_chains * s->dim) * sizeof(float));
    }
}

static int64_t free_count(const ebm_sampler *sampler) {
    int64_t count = 0;
    for (int64_t i = 0; i < sampler->dim && sampler->mask != NULL; i++) {
        count += sampler->mask[i];
    }
    return sampler->mask == NULL ? sampler->dim : count;
}

/* The mean of W's diagonal over the free coordinates: what it does to the variance that noise makes. */
static double metric_scale(const ebm_sampler *sampler, int64_t n_free) {
    int32_t kind = sampler->settings.metric;
    int64_t stride = kind == EBM_METRIC_DENSE ? sampler->dim + 1 : 1;
    double sum = 0;
    for (int64_t i = 0; i < sampler->dim && kind != EBM_METRIC_IDENTITY; i++) {
        sum += sampler->mask == NULL || sampler->mask[i] != 0 ? (double)sampler->inverse_mass[i * stride] : 0;
    }
    return kind == EBM_METRIC_IDENTITY ? 1 : sum / (double)n_free;
}

/*
 * How far a coordinate moves by k steps of the kernel's own chance where E is constant, as a root mean square. Dynamics
 * with friction: x is the integral of an Ornstein-Uhlenbeck process, of variance 2 T / gamma^2 (gamma t - 1 +
 * e^(-gamma t)) at time t = k eta (Uhlenbeck and Ornstein 1930). NaN for other
 * kernels: trajectories of NUTS have no set length.
 */
static double free_diffusion(const ebm_sampler *sampler, double k) {
    const ebm__sampler_settings *s = &sampler->settings;
    double eta = ebm__sampler_step_size(sampler, 0); /* as it is scheduled */
    double time = k * eta;
    double damped = s->friction * time;
    switch (s->kernel) {
        case EBM_KERNEL_HMC:
            return sqrt(s->temperature * k) * eta * (double)s->leapfrog_steps;
        case EBM_KERNEL_UNDERDAMPED:
        case EBM_KERNEL_UNDERDAMPED_ADJUSTED:
            return isfinite(damped) && damped > 1e-4
                       ? sqrt(2 * s->temperature * (damped + expm1(-damped))) / s->friction
                       : sqrt(s->temperature * (isfinite(damped) ? time : eta) * time);
        case EBM_KERNEL_LANGEVIN:
        case EBM_KERNEL_MALA:
        case EBM_KERNEL_RANDOM_WALK:
            return ebm__sampler_noise_std(sampler, 0) * sqrt(k);
        default:
            return NAN;
    }
}

static double variance_of(int64_t n, const double *values, double mean) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (values[i] - mean) * (values[i] - mean);
    }
    return n < 2 ? NAN : sum / (double)(n - 1);
}

static void measure_energies(const ebm_trainer *trainer, int64_t n, int64_t m, const ebm__trainer_report *report,
                             double *number) {
    number[EBM_HEALTH_ENERGY_DATA_STD] = sqrt(variance_of(n, trainer->energy, report->energy_data));
    number[EBM_HEALTH_ENERGY_MODEL_STD] = sqrt(variance_of(m, trainer->energy + n, report->energy_model));
}

static void measure_movement(const ebm_trainer *trainer, ebm__batch_health *h) {
    const ebm_sampler *s = trainer->sampler;
    double n_free = (double)free_count(s);
    double k = (double)ebm__trainer_mcmc_steps(trainer);
    double scale = sqrt(metric_scale(s, (int64_t)n_free));
    double square = ebm__square_distance(s->n_chains * s->dim, s->x, trainer->health.start);
    h->noise = scale * free_diffusion(s, k);
    h->number[EBM_HEALTH_MOVED] = sqrt(square / ((double)s->n_chains * n_free));
    h->number[EBM_HEALTH_MOVED_SHARE] = h->noise > 0 ? h->number[EBM_HEALTH_MOVED] / h->noise : NAN;
    if (s->settings.kernel == EBM_KERNEL_RANDOM_WALK) {
        return; /* it sees no gradient */
    }
    double clipped = s->report.clipped;
    if (ebm__kernel_of(s)->knows_chains) {
        int64_t n_floats = s->n_chains * s->dim;
        clipped = (double)ebm__count_clipped(s, n_floats, s->grad) / (double)n_floats;
    }
    h->number[EBM_HEALTH_GRAD_X] = s->report.grad_rms;
    h->number[EBM_HEALTH_GRAD_X_CLIPPED] = clipped;
    h->drift = k * ebm__sampler_step_size(s, 0) * fmin(s->report.grad_rms, s->settings.grad_clip) * scale * scale;
}

static void measure_spread(const ebm_trainer *trainer, int64_t n, ebm__batch_health *h) {
    const ebm_sampler *s = trainer->sampler;
    double *work = trainer->health.work;
    double n_free = (double)free_count(s);
    h->data_variance = ebm__total_variance(n, s->dim, trainer->rows, s->mask, work) / n_free;
    h->chain_variance = ebm__total_variance(s->n_chains, s->dim, s->x, s->mask, work) / n_free;
    h->number[EBM_HEALTH_SPREAD] =
        h->data_variance > 0 ? sqrt(h->chain_variance / h->data_variance) : NAN;
}

static void measure_ages(const ebm_trainer *trainer, ebm__batch_health *h) {
    const ebm_sampler *s = trainer->sampler;
    int64_t most = 0;
    double sum = 0;
    if (s->settings.start != EBM_START_PERSISTENT) {
        return;
    }
    for (int64_t c = 0; c < s->n_chains; c++) {
        most = s->batch_age[c] > most ? s->batch_age[c] : most;
        sum += (double)s->batch_age[c];
    }
    double made = (double)(s->step - s->saved_step);
    h->number[EBM_HEALTH_AGE_MEAN] = sum / (double)s->n_chains + made;
    h->number[EBM_HEALTH_AGE_MAX] = (double)most + made;
}

/* E and a projection of every chain, each without its mean over the chains, which moves with the training. */
static void measure_traces(const ebm_trainer *trainer, int64_t n) {
    const ebm_sampler *s = trainer->sampler;
    int64_t m = s->n_chains;
    double *value = trainer->health.traced;
    memcpy(value, trainer->energy + n, (size_t)m * sizeof *value);
    ebm__project(m, s->dim, s->x, trainer->health.direction, value + m);
    for (int t = 0; t < EBM__TRACED; t++) {
        double mean = ebm__mean(m, value + t * m);
        for (int64_t c = 0; c < m; c++) {
            value[t * m + c] -= mean;
        }
    }
}

void ebm__health_measure(ebm_trainer *trainer, int64_t n, ebm__trainer_report *report) {
    ebm__batch_health *h = &report->health;
    if (trainer->settings.health_record == 0) {
        return;
    }
    h->drift = NAN;
    measure_energies(trainer, n, trainer->sampler->n_chains, report, h->number);
    measure_movement(trainer, h);
    measure_spread(trainer, n, h);
    measure_ages(trainer, h);
    measure_traces(trainer, n);
}

void ebm__health_complete(const ebm_trainer *trainer, ebm__trainer_report *report) {
    double *number = report->health.number;
    if (trainer->settings.health_record == 0) {
        return;
    }
    number[EBM_HEALTH_ENERGY_DATA] = report->energy_data;
    number[EBM_HEALTH_ENERGY_MODEL] = report->energy_model;
    number[EBM_HEALTH_GAP] = report->energy_data - report->energy_model;
    number[EBM_HEALTH_GRAD_THETA] = report->grad_norm;
    number[EBM_HEALTH_GRAD_THETA_CLIPPED] = report->grad_norm > trainer->settings.grad_clip ? 1 : 0;
    number[EBM_HEALTH_ACCEPTANCE] = report->acceptance;
    number[EBM_HEALTH_RHAT] = trainer->health.rhat;
}

/* Of chains with these sums over n steps: (n - 1) / n + B / (n W), under a root (Gelman and Rubin 1992, without df). */
static double rhat(double n, int64_t m, const double *sum, const double *square) {
    double within = 0;
    double between = 0;
    for (int64_t c = 0; c < m; c++) { /* the means are about 0: the chains have their common one taken away */
        within += fmax(square[c] - sum[c] * sum[c] / n, 0) / (n - 1);
        between += sum[c] / n * (sum[c] / n);
    }
    within /= (double)m;
    between /= (double)(m - 1);
    return between > 0 ? sqrt((n - 1) / n + between / within) : NAN;
}

static void clear_traces(ebm__health *h, int64_t m) {
    h->traced_steps = 0;
    memset(h->trace, 0, (size_t)(2 * EBM__TRACED * m) * sizeof *h->trace);
}

static void trace(ebm__health *h, int64_t m) {
    double *sum = h->trace;
    double *square = h->trace + EBM__TRACED * m;
    for (int64_t i = 0; i < EBM__TRACED * m; i++) {
        sum[i] += h->traced[i];
        square[i] += h->traced[i] * h->traced[i];
    }
    h->traced_steps++;
    if (h->traced_steps < EBM__WINDOW_STEPS) {
        return;
    }
    h->rhat = fmax(rhat(EBM__WINDOW_STEPS, m, sum, square), rhat(EBM__WINDOW_STEPS, m, sum + m, square + m));
    clear_traces(h, m);
}

void ebm__health_forget(ebm_trainer *trainer) {
    ebm__health *h = &trainer->health;
    const ebm__health kept = *h;
    *h = (ebm__health){.rhat = NAN,
                       .start = kept.start,
                       .trace = kept.trace,
                       .traced = kept.traced,
                       .work = kept.work,
                       .direction = kept.direction};
    if (h->trace != NULL) {
        clear_traces(h, trainer->sampler->n_chains);
    }
}

void ebm__health_finish(ebm_trainer *trainer) {
    ebm__health *h = &trainer->health;
    const ebm__batch_health *batch = &trainer->report.health;
    if (trainer->settings.health_record == 0 || !trainer->report.has_chains) {
        return;
    }
    if (trainer->sampler->n_chains > 1 && ebm__sampler_all_go_on(trainer->sampler)) {
        trace(h, trainer->sampler->n_chains);
    } else if (h->traced_steps > 0) { /* they did until now */
        clear_traces(h, trainer->sampler->n_chains);
        h->rhat = NAN;
    }
    trainer->report.health.number[EBM_HEALTH_RHAT] = h->rhat;
    ebm__health_judge(h, batch);
}

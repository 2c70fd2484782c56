/* SPDX-License-Identifier: MIT */
/* The trainer behind its handle, and the parts of a step. */
#ifndef EBM_TRAINER_TRAINER_H
#define EBM_TRAINER_TRAINER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <ebm/objectives.h>
#include <ebm/schedules.h>
#include <ebm/trainer.h>

#include "core/handle.h"
#include "model/model.h"
#include "sampler/sampler.h"
#include "trainer/health.h"
#include "trainer/noise.h"

enum { EBM__MOST_NOISE_LEVELS = 256, EBM__N_SCHEDULES = EBM_SCHEDULED_MCMC_STEPS };

/* Of one setting, see trainer/schedule.h. */
typedef struct ebm__schedule {
    int32_t kind;
    int64_t warmup_steps;
    int64_t n_steps;
    double factor;
} ebm__schedule;

typedef struct ebm__trainer_settings {
    int32_t objective;
    uint64_t seed;
    int32_t optimizer;
    double learning_rate;
    ebm__schedule schedules[EBM__N_SCHEDULES]; /* of EBM_SCHEDULED_... - 1 */
    double momentum;
    double beta1, beta2;
    double epsilon;
    double weight_decay;
    double grad_clip;
    int64_t mcmc_steps;
    int64_t batch_size;
    double energy_penalty;
    double data_noise;
    double average_decay; /* 0: no average */
    double gap_limit;
    int32_t health_record; /* 1: steps are recorded */
    int64_t rollback_every; /* steps; 0: there is none */
    double rollback_factor; /* of the learning rate */
    int32_t most_rollbacks;
    double difference_step;
    int64_t noise_ratio;
    int32_t n_noise_levels;
    double noise_levels[EBM__MOST_NOISE_LEVELS];
    ebm_progress_fn progress;
    void *progress_data;
    int64_t progress_every;
} ebm__trainer_settings;

/* What a batch told. */
typedef struct ebm__trainer_report {
    double loss;
    double energy_data;
    double energy_model; /* NaN: the objective has none */
    double grad_norm;
    double acceptance; /* NaN: there were no chains */
    double log_z_grad; /* NaN: log Z is not learned */
    bool has_chains;
    ebm__batch_health health;
} ebm__trainer_report;

/* Rows of the last batch that a proposed theta can be looked at with: the first of trainer->rows. */
typedef struct ebm__probe {
    int64_t n_data;
    int64_t n_model; /* negatives, after the data; 0: there is no gap */
} ebm__probe;

/*
 * The optimizer's state. A step writes the new values into the second set, which becomes the first only when the step
 * is known to be good: a step that fails has nothing to put back.
 */
typedef struct ebm__optimizer {
    float *first, *second;           /* moments; SGD has its velocity in `first` */
    float *next_first, *next_second; /* what a step would make of them */
    float *next_theta;
    double beta1_power, beta2_power; /* beta^t */
} ebm__optimizer;

/*
 * What is done after every step that counts, by a part of the library that knows trainers and is not known to them:
 * the trainer is held, sampler and model are free. It cannot fail.
 */
typedef struct ebm__keeper {
    void (*after_step)(struct ebm__keeper *keeper, ebm_trainer *trainer);
    void (*destroy)(struct ebm__keeper *keeper, ebm_context *context);
    /* Of EBM__KEEPER_ROLLBACK: before a step changes anything; after one that diverged: EBM_OK when it went back. */
    ebm_status (*before_change)(struct ebm__keeper *keeper, ebm_trainer *trainer, const char *caller);
    ebm_status (*after_failure)(struct ebm__keeper *keeper, ebm_trainer *trainer, ebm_status status,
                                const char *caller);
} ebm__keeper;

/* In the order in which they are called. */
enum { EBM__KEEPER_ROLLBACK, EBM__KEEPER_LOGS, EBM__KEEPER_SAVES, EBM__N_KEEPERS };

/* The parameter of noise-contrastive estimation that is not the model's, with an optimizer's state as theta has it. */
typedef struct ebm__log_z {
    bool known;
    float value, first, second;
    float next_value, next_first, next_second;
    float used; /* in the present batch: `value`, or a first estimate */
    float grad; /* of the loss, there */
} ebm__log_z;

struct ebm_trainer {
    ebm__handle handle;
    ebm_model *model;     /* kept */
    ebm_sampler *sampler; /* kept; NULL for objectives without chains */
    ebm__trainer_settings settings;
    int64_t steps;
    int64_t epochs;
    int64_t batches; /* gradients made: which noise the next data get */
    int64_t rollbacks;
    int64_t epoch_rows; /* of the data whose epoch is under way; 0: none is */
    int64_t epoch_next; /* of these, in the epoch's order: where the next batch begins */

    /* One batch: rows of data, then what the objective makes of them or puts beside them. */
    float *rows;
    float *weight;
    double *energy;
    float *work; /* the objective's own */
    int64_t rows_bytes, weight_bytes, energy_bytes, work_bytes;
    ebm__probe probe;

    ebm__noise noise;
    ebm__log_z log_z;

    float *grad; /* n_params */
    ebm__optimizer optimizer;
    float *average;   /* NULL: none is wanted, or no memory was needed for it yet */
    bool has_average; /* a step has begun it */
    bool swapped;     /* the model has the averaged parameters */

    /* ebm_trainer_fit's own. */
    int64_t *order;
    float *batch;
    int64_t order_bytes, batch_bytes;

    ebm__keeper *keepers[EBM__N_KEEPERS]; /* owned; NULL: none */

    bool has_report;
    ebm__trainer_report report;
    ebm__health health;
    atomic_bool stop;
};

/*
 * gradient.c: computes the gradient of the loss on n > 0 rows into trainer->grad, its numbers into *report; the
 * likelihood's chains are moved. The caller holds trainer, model and, through EBM__USE_SAMPLER, the sampler, and ends
 * with ebm__trainer_finish or ebm__trainer_undo; on failure that has been done.
 */
ebm_status ebm__trainer_compute(ebm_trainer *trainer, int64_t n, const float *x, ebm__trainer_report *report,
                                const char *caller);
/* gradient.c: the batch counts, and this is what it told. */
void ebm__trainer_finish(ebm_trainer *trainer, const ebm__trainer_report *report);
/* gradient.c: the batch is void because of `status`; returns what ebm__trainer_failed makes of that. */
ebm_status ebm__trainer_undo(ebm_trainer *trainer, ebm_status status, const char *caller);

/* gradient.c: holds the sampler, when the objective has chains, as EBM__USE holds a handle. */
ebm_status ebm__trainer_hold_sampler(ebm_trainer *trainer, const char *caller, ebm__use *use);
#define EBM__USE_SAMPLER(name, trainer, caller)                                       \
    __attribute__((cleanup(ebm__use_end))) ebm__use name = {NULL, 0};                 \
    EBM__TRY(ebm__trainer_hold_sampler(trainer, caller, &name))

/* gradient.c: the gap beyond its limit is EBM_ERR_DIVERGED. */
ebm_status ebm__trainer_check_gap(const ebm_trainer *trainer, double energy_data, double energy_model);

/* gradient.c: between two calls of callbacks: has somebody asked to stop? */
ebm_status ebm__trainer_check_stop(const ebm_trainer *trainer);

/*
 * gradient.c: a NONFINITE status becomes EBM_ERR_DIVERGED, with the step's number; other failures get it too. After
 * EBM_ERR_STOPPED no request is left.
 */
ebm_status ebm__trainer_failed(ebm_trainer *trainer, ebm_status status, const char *caller);

/* optimizer.c: memory for its state, which begins as zeros. */
ebm_status ebm__optimizer_prepare(ebm_trainer *trainer, const char *caller);

/*
 * optimizer.c: writes what a step makes of theta and of the moments into the `next` arrays; and lets them become the
 * present.
 */
ebm_status ebm__optimizer_propose(ebm_trainer *trainer, double grad_norm, const char *caller);
void ebm__optimizer_accept(ebm_trainer *trainer);
void ebm__optimizer_clear(ebm_trainer *trainer);

/* schedule.c: that of the next step. */
double ebm__trainer_learning_rate(const ebm_trainer *trainer);

/*
 * average.c: memory for it, before the step can still fail; then, around the change of theta, its start and its
 * update.
 */
ebm_status ebm__average_prepare(ebm_trainer *trainer, const char *caller);
void ebm__average_start(ebm_trainer *trainer);
void ebm__average_update(ebm_trainer *trainer);

/* trainer.c: puts a keeper, or NULL, in the place of the one that is there, which is destroyed. */
void ebm__trainer_set_keeper(ebm_trainer *trainer, int which, ebm__keeper *keeper);

/*
 * step.c: a whole step on n rows, with the progress function; the caller holds the trainer alone. `epoch_rows`: they
 * are the next rows of an epoch over so many; 0: of none.
 */
ebm_status ebm__trainer_step(ebm_trainer *trainer, int64_t n, const float *x, int64_t epoch_rows, const char *caller);

/* fit.c: the next n rows of an epoch over `epoch_rows` have been seen. */
void ebm__epoch_advance(ebm_trainer *trainer, int64_t epoch_rows, int64_t n);

#endif /* EBM_TRAINER_TRAINER_H */

/* SPDX-License-Identifier: MIT */
/* The sampler behind its handle, and what a trainer, which holds it, asks of it. */
#ifndef EBM_SAMPLER_SAMPLER_H
#define EBM_SAMPLER_SAMPLER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <ebm/sampler.h>

#include "core/handle.h"
#include "core/scratch.h"
#include "core/simd.h"

/* What the setters have set. */
typedef struct ebm__sampler_settings {
    int32_t kernel;
    double step_size;
    double noise_std; /* EBM_NOISE_STD_AUTO: sqrt(2 eta T) */
    double temperature;
    int32_t noise_order;
    double lo, hi;
    int32_t bounds_rule;
    double grad_clip;
    int32_t start;
    int32_t noise_kind;
    double noise_a, noise_b;
    int64_t capacity; /* 0: as many as chains */
    double restart_probability;
    int64_t leapfrog_steps;
    double jitter;
    double friction;
    int32_t max_depth;
    int32_t metric;
    int32_t metric_adaptation;
    int64_t swap_every;
} ebm__sampler_settings;

/* Of parallel tempering, see sampler/tempering.h. */
typedef struct ebm__ladder {
    int32_t n_rungs;     /* 1: none, and the arrays are NULL */
    double *temperature; /* n_rungs, relative to the sampler's: 1, then growing */
    double *step_size;   /* n_rungs, relative to the sampler's: 1 first */
    double *counts;      /* one block of memory: the swaps' probabilities, summed, and the next two */
    int64_t *proposed;   /* n_rungs: swaps between a rung and the next */
    uint8_t *came_from;  /* n_rows: the end of the ladder that the replica in a row has last been at */
    int64_t round_trips;
    /* As it was before a trainer's batch of negatives. */
    double *saved_counts;
    int64_t saved_round_trips;
} ebm__ladder;

/* What one piece of a step found out. Summed over the pieces in their order. */
typedef struct ebm__chunk_report {
    double grad_square; /* sum of squares of the elements of dE/dx */
    int64_t clipped;    /* elements of dE/dx that were cut; of kernels that do not keep the gradients */
    double accepted;    /* proposals; for NUTS the mean acceptance along each trajectory */
    double acceptance;  /* sum of the probabilities with which proposals were accepted */
    int64_t impossible; /* proposals with an energy of +infinity */
    int64_t divergent;  /* trajectories */
    int64_t leaps;      /* leapfrog steps */
} ebm__chunk_report;

/* What the last run, draw or batch of negatives told. */
typedef struct ebm__sampler_report {
    bool has_stepped;
    bool has_trajectory;    /* the last step had some, from fresh momenta */
    double grad_rms; /* of the last step */
    double clipped;  /* share of the elements of dE/dx that were cut in the last step */
    double acceptance;
    double mean_leaps;      /* leapfrog steps of a chain in a step */
    double step_acceptance; /* of the last step, as a mean probability */
    int64_t impossible;     /* since creation */
    int64_t divergent;      /* since creation */
} ebm__sampler_report;

/*
 * The noise of the very first start has a number of its own: that a getter was the first to need states changes nothing
 * that comes later.
 */
enum { EBM__FIRST_EPISODE = 0 };

struct ebm_sampler {
    ebm__handle handle;
    ebm_model *model; /* kept */
    ebm__scratch scratch; /* working memory of pieces */
    atomic_bool stop;
    const atomic_bool *outer_stop; /* the trainer's, while it is at work */
    double step_factor, noise_factor; /* the trainer's, while it is at work; 1 otherwise */
    int64_t n_chains;

    /* From here on: all that ebm__sampler_exchange exchanges. */
    int64_t n_rows; /* n_rungs x n_chains states, see sampler/tempering.h; the first n_chains are the chains */
    int64_t dim;
    uint64_t seed;
    ebm__sampler_settings settings;
    uint8_t *mask; /* dim, 0 = held; NULL: all free */

    ebm__ladder ladder;

    /* The metric, see sampler/metric.h; NULL: the identity. */
    float *inverse_mass;  /* dim, or dim x dim */
    float *factor;        /* as many; where L is diagonal, and where a mask holds coordinates, an ebm__scale */
    double *factor_work;  /* dim x dim, or NULL */
    bool factor_is_stale; /* since the inverse mass or the mask has changed */

    bool started;
    float *x;      /* n_rows x dim: where the chains stand */
    float *x_next; /* where a step puts them, before it is known to be whole */
    uint64_t step; /* steps made: which noise the next one gets */
    uint64_t episode; /* starts made: which noise the next one gets */

    bool buffer_started;
    float *buffer;     /* capacity x dim; NULL when the chains themselves persist */
    int64_t *picks;    /* a permutation of the buffer's rows; the first n_chains are in the chains */

    /*
     * Markov steps that states made in a trainer's batches since they started: of the chains, or, behind a buffer, of
     * its rows; and of the chains of a batch, as it began. NULL until a trainer comes.
     */
    int64_t *age;
    int64_t *batch_age;

    /* For kernels that accept and reject: energy and gradient where the chains stand. */
    double *energy;
    float *grad;
    double *trajectory_energy; /* H at the start of the last trajectories */
    bool knows_energies; /* these are of the chains' states, not of a step that was void */
    bool knows_chains;   /* and so are the gradients */

    /* For kernels that keep momenta from step to step: n_rows x dim, now and after the step. */
    bool has_momenta;
    float *momenta;
    float *momenta_next;

    ebm__chunk_report *reports; /* one a piece */

    /* As it was before a trainer's batch of negatives. */
    float *saved_x;
    float *saved_momenta;
    uint64_t saved_step, saved_episode;
    bool saved_started, saved_has_momenta;
    ebm__sampler_report saved_report;

    double *adapt_memory; /* while adapting: see sampler/adapt.c */
    int64_t adapt_bytes;

    ebm__sampler_report report;
};

/*
 * What holds for the rows of the rung in which `row` is: no piece of a step is of more than one rung. Row 0 is where
 * the sampler's own settings hold.
 */
double ebm__sampler_temperature(const ebm_sampler *sampler, int64_t row);
double ebm__sampler_step_size(const ebm_sampler *sampler, int64_t row);
/* sigma, set or derived. */
double ebm__sampler_noise_std(const ebm_sampler *sampler, int64_t row);
/* The settings as a pass of the vector kernels. */
ebm__langevin ebm__sampler_pass(const ebm_sampler *sampler, int64_t row);
bool ebm__sampler_has_bounds(const ebm_sampler *sampler);

/* run.c: the mean probability with which the last step was accepted, in one rung. */
double ebm__sampler_step_acceptance(const ebm_sampler *sampler, int32_t rung);

/* settings.c: the first of n floats that is outside [lo, hi]; -1 when none is. */
int64_t ebm__sampler_first_outside(int64_t n, const float *x, double lo, double hi);

/* Has somebody asked to stop? */
bool ebm__sampler_stop_requested(const ebm_sampler *sampler);

/* starts.c: first states, by the start rule, when there are none. */
ebm_status ebm__sampler_start(ebm_sampler *sampler, const char *caller);

/*
 * run.c: moves all chains, which have started. After every `thin` steps the states are appended to `out`, unless that
 * is NULL. On failure the chains stand where the last whole step left them.
 */
ebm_status ebm__sampler_advance(ebm_sampler *sampler, int64_t n_steps, int64_t thin, float *out, const char *caller);

/* The same with a look at the chains after every step, which may change the step size and the metric. */
typedef ebm_status (*ebm__after_step_fn)(ebm_sampler *sampler, void *data);
ebm_status ebm__sampler_advance_with(ebm_sampler *sampler, int64_t n_steps, ebm__after_step_fn after, void *data,
                                     const char *caller);
/* One step that leaves the chains where they stand, to see the mean probability with which it is accepted. */
ebm_status ebm__sampler_probe(ebm_sampler *sampler, double *acceptance);

/*
 * starts.c: a batch of negatives for a trainer: begin puts the chains at their starts (data: n rows, for
 * EBM_START_DATA), then ebm__sampler_advance moves them; then either finish keeps them, or undo puts all back as it
 * was before begin.
 */
ebm_status ebm__sampler_begin_negatives(ebm_sampler *sampler, int64_t n, const float *data, const char *caller);
void ebm__sampler_finish_negatives(ebm_sampler *sampler);
/* starts.c: how many states persist, and have an age; and do the chains themselves persist, and never start anew? */
int64_t ebm__persistent_count(const ebm__sampler_settings *settings, int64_t n_chains);
bool ebm__sampler_all_go_on(const ebm_sampler *sampler);
void ebm__sampler_undo_negatives(ebm_sampler *sampler);

#endif /* EBM_SAMPLER_SAMPLER_H */

/* SPDX-License-Identifier: MIT */
/* The health record: what a step's batch shows, and the judgement of many. */
#ifndef EBM_TRAINER_HEALTH_H
#define EBM_TRAINER_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include <ebm/context.h>
#include <ebm/health.h>

enum { EBM__N_HEALTH = 17 }; /* the numbers of EBM_HEALTH_..., which begin with 1 */

/* What else of a batch is judged. */
typedef struct ebm__batch_health {
    double number[EBM__N_HEALTH]; /* NaN: there is no such number */
    double data_variance;         /* mean over the free coordinates */
    double chain_variance;
    double noise;                 /* root mean square that the noise alone would have moved a free coordinate */
    double drift;                 /* what the last gradient, over all the steps in one direction, would have */
} ebm__batch_health;

/* Steps that are judged together: sums over them, but for `steps`. All are doubles, so that they are saved as one. */
typedef struct ebm__health_window {
    double steps;
    double energy_data, square_data; /* mean of E, and its variance over the rows */
    double energy_model, square_model;
    double moved, noise, drift; /* squares, per free coordinate */
    double data_variance, chain_variance;
    double accepted;
    double clipped;
} ebm__health_window;

enum { EBM__WINDOW_STEPS = 32, EBM__WINDOWS = 4 };

/* What a window comes to. NaN: no such number. */
typedef struct ebm__health_summary {
    double energy_data, energy_model, gap;
    double std_data, std_model;
    double moved;          /* relative to the data's spread */
    double moved_by_noise; /* relative to what the noise alone would have moved */
    double drift_by_noise; /* the same of the gradient alone, all steps in one direction */
    double variance;       /* of the chains, over that of the data */
    double accepted, clipped;
} ebm__health_summary;

/* Of what the chains' windows are made, for R-hat: E, and a projection. */
enum { EBM__TRACED = 2 };

typedef struct ebm__health {
    int64_t windows;                       /* whole ones so far */
    ebm__health_window window;             /* under way */
    ebm__health_window past[EBM__WINDOWS]; /* the last whole ones, the latest first */
    int32_t suspected;                     /* what the last window alone would have said */
    int32_t verdict;
    double rhat;                           /* of the last whole window; NaN: none */
    int64_t traced_steps;                  /* in the window of the traces */

    /* NULL until the first batch of chains. */
    float *start;     /* n_chains x dim: where the batch began */
    double *trace;    /* n_chains x EBM__TRACED sums, then as many sums of squares */
    double *traced;   /* n_chains x EBM__TRACED: of the batch under way */
    double *work;     /* 2 x dim */
    float *direction; /* dim */
} ebm__health;

struct ebm_trainer;
struct ebm__trainer_report;

/* health.c: no number is known. */
void ebm__health_blank(ebm__batch_health *batch);
/* health.c: all steps so far. */
void ebm__health_forget(struct ebm_trainer *trainer);
/* health.c: memory for a batch of chains. */
ebm_status ebm__health_reserve(struct ebm_trainer *trainer, const char *caller);
/* health.c: the chains of a batch stand at their starts. */
void ebm__health_begin(struct ebm_trainer *trainer);
/* health.c: they have moved; n rows of data and the chains are in trainer->rows, their energies in trainer->energy. */
void ebm__health_measure(struct ebm_trainer *trainer, int64_t n, struct ebm__trainer_report *report);
/* health.c: what every objective has; after `measure`. */
void ebm__health_complete(const struct ebm_trainer *trainer, struct ebm__trainer_report *report);
/* health.c: the batch counts. */
void ebm__health_finish(struct ebm_trainer *trainer);
void ebm__health_clear(ebm__health *health, ebm_context *context);

/* health_verdict.c: of at least one step. */
ebm__health_summary ebm__health_summarize(const ebm__health_window *window);
/* health_verdict.c: adds a batch to the window, and judges when that is whole. */
void ebm__health_judge(ebm__health *health, const ebm__batch_health *batch);

#endif /* EBM_TRAINER_HEALTH_H */

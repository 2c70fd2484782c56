/* SPDX-License-Identifier: MIT */
/* What a trainer minimises: one interface, one file for each objective. */
#ifndef EBM_TRAINER_OBJECTIVE_H
#define EBM_TRAINER_OBJECTIVE_H

#include "trainer/trainer.h"

typedef struct ebm__objective {
    bool has_chains; /* it moves the trainer's sampler */

    /* Does the trainer have all that the objective needs? EBM_ERR_STATE says what it lacks. NULL: always. */
    ebm_status (*ready)(const ebm_trainer *trainer, const char *caller);

    /* Memory for a batch of n rows, through ebm__trainer_reserve. */
    ebm_status (*reserve)(ebm_trainer *trainer, int64_t n, const char *caller);

    /* Of an objective with chains: before the batch, with its n rows of data in trainer->rows. NULL: nothing to do. */
    ebm_status (*begin)(ebm_trainer *trainer, int64_t n, const char *caller);

    /*
     * The gradient of the loss on the n rows in trainer->rows into trainer->grad; fills *report, but for the norm of
     * the gradient, and trainer->probe.
     */
    ebm_status (*differentiate)(ebm_trainer *trainer, int64_t n, ebm__trainer_report *report);

    /* After `begin`: what the batch did to the chains is kept, or put back. NULL: nothing to do. */
    void (*finish)(ebm_trainer *trainer);
    void (*undo)(ebm_trainer *trainer);
} ebm__objective;

extern const ebm__objective ebm__likelihood;
extern const ebm__objective ebm__denoising;
extern const ebm__objective ebm__sliced;
extern const ebm__objective ebm__noise_contrastive;

/* The one that is set. */
const ebm__objective *ebm__trainer_objective(const ebm_trainer *trainer);

/*
 * gradient.c: memory for `per_row` rows for each of n rows, and `extra` rows, with their weights and energies; and for
 * `work_per_row` x n x dim floats of trainer->work.
 */
ebm_status ebm__trainer_reserve(ebm_trainer *trainer, int64_t n, int64_t per_row, int64_t extra, int64_t work_per_row,
                                const char *caller);

/* gradient.c: the mean of n values, and of their squares. */
double ebm__mean(int64_t n, const double *values);
double ebm__mean_square(int64_t n, const double *values);

/* objective.c: a row's weight must be finite; what made it was then beyond the range of float. */
ebm_status ebm__require_weight(float weight, int64_t row);

#endif /* EBM_TRAINER_OBJECTIVE_H */

/* SPDX-License-Identifier: MIT */
/* What a trainer's file holds: the one list of it, for saving and for loading. */
#ifndef EBM_IO_TRAINER_STATE_H
#define EBM_IO_TRAINER_STATE_H

#include "io/rollback.h"
#include "io/tensor_list.h"
#include "sampler/state.h"
#include "trainer/trainer.h"

/* What is there to be saved, or stands in the file. */
typedef struct ebm__trainer_parts {
    ebm__sampler_parts chains;
    bool mask;
    bool moments; /* of the optimizer */
    bool average;
    int32_t covariance; /* of the noise that was fitted; 0: none was */
    bool traces;        /* of the health record */
} ebm__trainer_parts;

/*
 * Where it stands. Settings may stand apart from the handles that they are for, so that they can be looked at before
 * these are made; handles are NULL while only the shapes of what they hold matter.
 */
typedef struct ebm__trainer_state {
    const ebm_model *model;
    float *theta; /* the parameters that are trained, whatever the model has at the moment */
    ebm__trainer_parts parts;

    ebm__trainer_settings *trainer_settings;
    ebm__sampler_settings *sampler_settings;
    int64_t *n_chains; /* NULL: the trainer has no sampler, and nothing of it is listed */
    int32_t n_rungs;
    double *rung_temperature, *rung_step_size; /* n_rungs, where that is not 1 */
    uint8_t *mask;

    ebm_trainer *trainer;
    ebm_sampler *sampler;
    float *average;
    ebm__kept kept[EBM__N_KEPT];
} ebm__trainer_state;

/* Of a trainer as it is. */
ebm__trainer_state ebm__trainer_state_of(const ebm_trainer *trainer);

/* Parameters and settings: what a state needs before its memory can be made. */
ebm_status ebm__list_settings(ebm__tensor_list *list, const ebm__trainer_state *state);
/* All else that changes from step to step. */
ebm_status ebm__list_progress(ebm__tensor_list *list, const ebm__trainer_state *state);
/* What a rollback would go back to. */
ebm_status ebm__list_kept(ebm__tensor_list *list, const ebm__trainer_state *state);

/* Names by which a file shows which parts it has. */
#define EBM__GROUP_AVERAGE "average"
#define EBM__GROUP_OPTIMIZER "opt"
#define EBM__GROUP_CHAIN "chain"
#define EBM__GROUP_RANDOM "rng"
#define EBM__GROUP_HEALTH "health"
#define EBM__GROUP_ROLLBACK "rollback"
extern const char *const ebm__kept_names[EBM__N_KEPT];
#define EBM__NAME_MOMENTS "first_moment"
#define EBM__NAME_LEVELS "noise_levels"
#define EBM__NAME_FACTOR "noise_factor"
#define EBM__NAME_COUNT "count"
#define EBM__NAME_STATES "states"
#define EBM__NAME_AGES "age"
#define EBM__NAME_TRACES "traces"
#define EBM__NAME_MOMENTA "momenta"
#define EBM__NAME_ENERGIES "energy"
#define EBM__NAME_GRADIENTS "gradient"
#define EBM__NAME_TRAJECTORIES "trajectory_energy"
#define EBM__NAME_BUFFER "buffer"
#define EBM__NAME_MASK "free"
#define EBM__NAME_RUNGS "ladder_temperature"

#endif /* EBM_IO_TRAINER_STATE_H */

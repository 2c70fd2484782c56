/* SPDX-License-Identifier: MIT */
#ifndef EBM_TRAINER_SCHEDULE_H
#define EBM_TRAINER_SCHEDULE_H

#include "trainer/trainer.h"

/* f(t) of one of EBM_SCHEDULED_..., with t the steps made. */
double ebm__schedule_factor(const ebm_trainer *trainer, int32_t what);

/* k of the next step. */
int64_t ebm__trainer_mcmc_steps(const ebm_trainer *trainer);

/*
 * For the time of a batch the sampler's step size and noise are multiplied, its settings are not touched. The caller
 * holds the sampler. EBM_ERR_STATE: the product is no step size or noise.
 */
ebm_status ebm__schedule_sampler(ebm_trainer *trainer, const char *caller);
void ebm__schedule_sampler_end(ebm_trainer *trainer);

#endif /* EBM_TRAINER_SCHEDULE_H */

/* SPDX-License-Identifier: MIT */
#ifndef EBM_IO_TRAINER_RESTORE_H
#define EBM_IO_TRAINER_RESTORE_H

#include "io/tensor_file.h"
#include "trainer/trainer.h"

/*
 * Makes trainer, sampler and model what the file says, or leaves them as they are. The caller holds the trainer and
 * its sampler. EBM_ERR_MISMATCH, EBM_ERR_FORMAT, EBM_ERR_NONFINITE, EBM_ERR_NOMEM, EBM_ERR_BUSY.
 */
ebm_status ebm__trainer_restore(ebm_trainer *trainer, ebm__tensor_file *file);

#endif /* EBM_IO_TRAINER_RESTORE_H */

/* SPDX-License-Identifier: MIT */
#ifndef EBM_IO_TRAINER_FILE_H
#define EBM_IO_TRAINER_FILE_H

#include "trainer/trainer.h"

/*
 * Saves a trainer that the caller holds, or looks at; sampler and model are free. The path is not empty; the last
 * keep_last files are kept (ebm__file_replace).
 */
ebm_status ebm__trainer_write(const ebm_trainer *trainer, const char *path, int32_t keep_last, const char *caller);

#endif /* EBM_IO_TRAINER_FILE_H */

/* SPDX-License-Identifier: MIT */
/* Going back to a state that was healthy: the states that are kept, for files. */
#ifndef EBM_IO_ROLLBACK_H
#define EBM_IO_ROLLBACK_H

#include <stdint.h>

#include "io/tensor_list.h"
#include "trainer/trainer.h"

/*
 * The one to go back to, since training went on well for long enough after it; and one that has yet to show that. Each
 * is what the list of trainer_state.c holds, packed.
 */
enum { EBM__CONFIRMED, EBM__LATEST, EBM__N_KEPT };

typedef struct ebm__kept {
    uint8_t *bytes;
    int64_t capacity;
    int64_t size;    /* 0: none */
    uint64_t layout; /* what it is of */
} ebm__kept;

/* A kept state of a trainer; all zeros without a rollback. */
ebm__kept ebm__rollback_kept(const ebm_trainer *trainer, int which);

/*
 * Memory in a trainer that is being restored for a state of so many bytes, which the caller fills. EBM_ERR_FORMAT: no
 * state of this trainer is so large, or it has no rollback.
 */
ebm_status ebm__rollback_make(ebm_trainer *trainer, int which, int64_t size, uint8_t **bytes);
/* Has it been filled with what a state may hold? As ebm__tensor_list_check. */
ebm_status ebm__rollback_check(ebm_trainer *trainer, int which,
                               ebm_status (*check)(const ebm__tensor_list *list, const uint8_t *packed));

#endif /* EBM_IO_ROLLBACK_H */

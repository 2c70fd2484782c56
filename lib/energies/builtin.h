/* SPDX-License-Identifier: MIT */
/* What every energy of the library needs beside its formulas: a state with working memory, and a model around it. */
#ifndef EBM_ENERGIES_BUILTIN_H
#define EBM_ENERGIES_BUILTIN_H

#include <stdint.h>

#include <ebm/model.h>

#include "core/scratch.h"

/* The first member of an energy's user_data. */
typedef struct ebm__builtin_state {
    ebm_context *context; /* kept: the state is freed through it */
    ebm__scratch scratch;
    void (*clear)(void *state); /* gives back what else the state owns; NULL: nothing */
} ebm__builtin_state;

typedef struct ebm__builtin_callbacks {
    ebm_energy_fn energy;
    ebm_param_grad_fn param_grad;
    ebm_init_fn init;
    ebm_mixed_grad_fn mixed_grad; /* NULL: none */
} ebm__builtin_callbacks;

/* A state of `bytes` zeros with its working memory ready. `caller` stands first in the message. */
ebm_status ebm__builtin_state_create(ebm_context *context, int64_t bytes, const char *caller, void *out);

/* Gives the state and its working memory back. NULL is nothing. */
void ebm__builtin_state_release(void *state);

/* A concurrent model without tensors. It owns the state (NULL: none), which is freed here when this fails. */
ebm_status ebm__builtin_model_create(ebm_context *context, int64_t dim, const ebm__builtin_callbacks *callbacks,
                                     void *state, ebm_model **out);

/* Refuses a dim that is not 1 to 2^31 - 1. */
ebm_status ebm__builtin_check_dim(int64_t dim, const char *caller);

#endif /* EBM_ENERGIES_BUILTIN_H */

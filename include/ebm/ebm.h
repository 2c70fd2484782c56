/* SPDX-License-Identifier: MIT */
/**
 * @file ebm.h
 * libebm: training and sampling of energy-based models, q(x; theta) = exp(-E(x; theta)) / Z(theta).
 *
 * This header includes all the others. What holds for every function, unless its own comment says otherwise:
 *
 * - **Result.** EBM_OK (0), or one of the negative codes of status.h. After a failure ebm_last_error() names the
 *   function, the argument and its value. A refused call has changed nothing.
 * - **Arrays.** Row-major and contiguous. `n` counts rows, `dim` is the number of floats in a row. Zero rows are
 *   nothing to do: EBM_OK, and the pointers may then be NULL. No array is kept after the call returns.
 * - **Ownership.** A handle made by `ebm_<object>_create` belongs to the caller until `ebm_<object>_destroy`. A handle
 *   keeps what it was made from alive, so handles may be destroyed in any order; destroying NULL does nothing.
 * - **Threads.** Handles may be used from any thread, by one thread at a time. A handle that is at work, in another
 *   thread or further up the stack (inside a callback), answers EBM_ERR_BUSY. The `request_stop` functions alone may be
 *   called at any moment, also from a signal handler.
 * - **Pointers.** A NULL handle, output or array that is needed is EBM_ERR_ARG.
 * - **Memory.** Any function may answer EBM_ERR_NOMEM, with nothing changed and nothing leaked.
 */
#ifndef EBM_EBM_H
#define EBM_EBM_H

#include <ebm/context.h>
#include <ebm/energies.h>
#include <ebm/evaluate.h>
#include <ebm/export.h>
#include <ebm/health.h>
#include <ebm/io.h>
#include <ebm/model.h>
#include <ebm/objectives.h>
#include <ebm/schedules.h>
#include <ebm/sampler.h>
#include <ebm/status.h>
#include <ebm/tempering.h>
#include <ebm/trainer.h>
#include <ebm/version.h>

#endif /* EBM_EBM_H */

/* SPDX-License-Identifier: MIT */
/**
 * @file io.h
 * Model files: safetensors, one tensor a parameter tensor, readable by any safetensors reader. A library built with
 * EBM_WITH_IO=OFF answers EBM_ERR_STATE here.
 */
#ifndef EBM_IO_H
#define EBM_IO_H

#include <ebm/export.h>
#include <ebm/model.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Saves the parameters, tensor by tensor (`param.<name>`, F32), with a digest of the whole file. The file at `path` is
 * at every moment the old one or the new one, whole: written beside it as `<path>.tmp`, synced, renamed, the directory
 * synced. Links are followed, the mode of an existing file is kept, what is not a regular file is refused. A second
 * save of the same path at the same time is EBM_ERR_IO.
 * @param path where; in a directory that exists.
 * Errors: EBM_ERR_ARG, EBM_ERR_NONFINITE (a parameter is not finite: such a file could not be loaded), EBM_ERR_IO (the
 * old file is untouched), EBM_ERR_DURABILITY (the new file is in place, but the disk did not confirm it),
 * EBM_ERR_OVERFLOW (beyond the format's limits: 65,536 tensors, a header of 16 MiB).
 * @since 0.1
 */
EBM_API ebm_status ebm_model_save(const ebm_model *model, const char *path);

/**
 * Loads parameters that ebm_model_save, or another writer of the same tensors, has written. Reads strictly, checks
 * the digest where there is one, and sets the parameters only when all is well.
 * @param path a file.
 * Errors: EBM_ERR_ARG, EBM_ERR_IO, EBM_ERR_FORMAT (not such a file), EBM_ERR_CORRUPT (damaged), EBM_ERR_MISMATCH
 * (names the first tensor that is missing, foreign or of another shape), EBM_ERR_NONFINITE (a value is not finite).
 * @since 0.1
 */
EBM_API ebm_status ebm_model_load(ebm_model *model, const char *path);

#ifdef __cplusplus
}
#endif

#endif /* EBM_IO_H */

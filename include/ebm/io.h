/* SPDX-License-Identifier: MIT */
/**
 * @file io.h
 * Files of models and of trainers: safetensors, readable by any safetensors reader. A library built with
 * EBM_WITH_IO=OFF answers EBM_ERR_STATE there. And data: rows of floats from npy, idx and csv files, in every build.
 */
#ifndef EBM_IO_H
#define EBM_IO_H

#include <stdint.h>

#include <ebm/export.h>
#include <ebm/model.h>
#include <ebm/status.h>
#include <ebm/trainer.h>

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
 * Loads parameters that ebm_model_save, ebm_trainer_save, or another writer of the same tensors, has written. Reads
 * strictly, checks the digest where there is one, and sets the parameters only when all is well. What a trainer's file
 * has beside the parameters (`average.`, `opt.`, `chain.`, `rng.`, `health.`, `rollback.`) is passed over.
 * @param path a file.
 * Errors: EBM_ERR_ARG, EBM_ERR_IO, EBM_ERR_FORMAT (not such a file), EBM_ERR_CORRUPT (damaged), EBM_ERR_MISMATCH
 * (names the first tensor that is missing, foreign or of another shape), EBM_ERR_NONFINITE (a value is not finite).
 * @since 0.1
 */
EBM_API ebm_status ebm_model_load(ebm_model *model, const char *path);

/**
 * The shape of the array in a file that numpy.save wrote. Data are read in two steps: ask for the shape, make room, then
 * read rows, all or some: row i is everything at index i of the first axis. A reader goes through the file once, needs
 * no memory beside the caller's, and refuses what is not whole: a file is as long as its header says, to the byte.
 * @param path a regular file.
 * @param rank receives the number of axes, 0 (a single number, which counts as one row) to 8.
 * @param shape receives rank sizes (room for 8).
 * Errors: EBM_ERR_ARG, EBM_ERR_IO, EBM_ERR_FORMAT (not such a file, or of a kind that is not read), EBM_ERR_CORRUPT
 * (shorter or longer than it should be).
 * @since 0.1
 */
EBM_API ebm_status ebm_read_npy_shape(const char *path, int32_t *rank, int64_t *shape);

/**
 * Reads rows of an npy file, version 1.0 or 2.0, little-endian, in C's order: float32 as they are; float64, integers of
 * 1 to 8 bytes and bool rounded to float32.
 * @param first the first row, from 0.
 * @param n rows.
 * @param row_size the floats in a row, as ebm_read_npy_shape tells: the product of all sizes but the first.
 * @param out receives n x row_size floats, all finite; its content is undefined after a failure.
 * Errors: as ebm_read_npy_shape; EBM_ERR_ARG also for rows that are not there, EBM_ERR_MISMATCH (another row_size),
 * EBM_ERR_NONFINITE (a number is not finite as a float).
 * @since 0.1
 */
EBM_API ebm_status ebm_read_npy(const char *path, int64_t first, int64_t n, int64_t row_size, float *out);

/** The shape of the array in an idx file, as MNIST's; unpacked, not gzip. All is as in ebm_read_npy_shape. @since 0.1 */
EBM_API ebm_status ebm_read_idx_shape(const char *path, int32_t *rank, int64_t *shape);
/** Reads rows of an idx file: every type of the format, rounded to float32. All is as in ebm_read_npy. @since 0.1 */
EBM_API ebm_status ebm_read_idx(const char *path, int64_t first, int64_t n, int64_t row_size, float *out);

/**
 * The shape of a table in a csv file: lines of decimal numbers with a `.`, whatever the locale, with commas between
 * them; blanks around a number, CR LF, a UTF-8 mark at the beginning, and a last line without an end are allowed.
 * Quotes, comments, empty lines, empty fields and fields of more than 63 characters are refused, with line and column.
 * A file that is cut off within the last number of its last line, or between two lines, cannot be told from a whole one.
 * @param header_lines lines to pass over at the beginning, whatever they contain.
 * @param n_rows,row_size receive the lines after that and the numbers in each (0, 0: none).
 * Errors: EBM_ERR_ARG, EBM_ERR_IO, EBM_ERR_FORMAT (lines of different lengths, an empty field).
 * @since 0.1
 */
EBM_API ebm_status ebm_read_csv_shape(const char *path, int32_t header_lines, int64_t *n_rows, int64_t *row_size);

/**
 * Reads rows of a csv file, up to the last that is wanted.
 * @param row_size the numbers in a row, as ebm_read_csv_shape tells. All else is as in ebm_read_npy.
 * Errors: as ebm_read_csv_shape, EBM_ERR_FORMAT also for what is not a number; EBM_ERR_MISMATCH (another row_size),
 * EBM_ERR_NONFINITE, EBM_ERR_NOMEM.
 * @since 0.1
 */
EBM_API ebm_status ebm_read_csv(const char *path, int32_t header_lines, int64_t first, int64_t n, int64_t row_size,
                                float *out);

/**
 * Makes numbers from a grid, as pixels are, into data with a density, and scales them: x <- (x + width u) scale + shift
 * with u uniform on [0, 1) (dequantisation: Theis, van den Oord and Bethge 2016, sec. 3.1). Bytes become data in [0, 1]
 * by width 1, scale 1/256, shift 0. In double, rounded once to float, which may give the upper end itself.
 *
 * u is a function of seed and of a float's number alone: first, first + 1, ... . So it does not matter into how many
 * calls the data are cut, and a batch that is read again is the same again.
 * @param first the number of x[0], 0 or more: its place in all the data.
 * @param n floats.
 * @param x n floats, finite; they are overwritten.
 * @param width finite, 0 (no noise) or more.
 * @param scale finite, not 0.
 * @param shift finite.
 * Errors: EBM_ERR_ARG, also when a result would not be finite.
 * @since 0.1
 */
EBM_API ebm_status ebm_scale(int64_t first, int64_t n, float *x, uint64_t seed, double width, double scale,
                             double shift);

/*
 * --- a trainer, to go on with as if nothing had come between
 * --------------------------------------------------------------
 */

/**
 * Saves all that the trainer's next step depends on: parameters (`param.<name>`) and averaged ones
 * (`average.<name>`), the optimizer's state and the trainer's settings (`opt.`), every chain with its momenta, its
 * replicas on a ladder, the buffer and the sampler's settings (`chain.`, if there is a sampler), the seeds, the counters
 * of all random streams and the place in an epoch (`rng.`). Noise that was fitted for noise-contrastive estimation is
 * saved too, a host's own (ebm_trainer_set_noise) is not. Whether the model has the parameters or the averaged ones at
 * the moment (ebm_trainer_swap_average) does not matter. Written as ebm_model_save writes. The same state gives the same
 * bytes.
 *
 * A progress function may call this, which is a good place for it.
 * @param path where; in a directory that exists.
 * Errors: as ebm_model_save; EBM_ERR_BUSY.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_save(const ebm_trainer *trainer, const char *path);

/**
 * Loads what ebm_trainer_save has written, into a trainer whose model has the same tensors and whose sampler has as
 * many chains, or which has none as the other had none: the next step then gives the same bits as it would have given
 * where the file was saved, with the same data. ebm_trainer_fit goes on inside the epoch.
 *
 * All settings, of trainer and sampler, both seeds and the noise of noise-contrastive estimation become the file's: what
 * is to be different is set after loading. The host's own stay as they are: progress function, threads, memory; and,
 * when the file is of a training with a host's noise, that noise, which must have been set, with as many normal numbers
 * a row. Of the model only the parameters change; its callbacks, sign and concurrency are the host's. When this fails,
 * trainer, sampler and model are as they were.
 * @param path a file.
 * Errors: as ebm_model_load, where EBM_ERR_MISMATCH names the first tensor that differs; EBM_ERR_BUSY; EBM_ERR_NOMEM.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_load(ebm_trainer *trainer, const char *path);

/**
 * Saves the trainer, as ebm_trainer_save does, after every so many steps and seconds, whichever comes first, within
 * ebm_trainer_step and ebm_trainer_fit. The file before the last is `<path>.1`, the one before that `<path>.2`, and so
 * on. When a save fails, the files that are there stay, training goes on, and the context's log says what was wrong;
 * the next attempt comes when it is due.
 * @param path copied; a relative one means what it means at each save. NULL, the default, saves nothing, and the rest
 *   is ignored.
 * @param every_steps saves when ebm_trainer_get_steps is a multiple of it; 0: not by steps.
 * @param every_seconds finite; at the end of the first step after so many; 0: not by time.
 * @param keep_last files to keep, 1 to 100.
 * Errors: EBM_ERR_ARG (also when both are 0), EBM_ERR_NOMEM.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_autosave(ebm_trainer *trainer, const char *path, int64_t every_steps,
                                            double every_seconds, int32_t keep_last);
/**
 * Automatic saving as it was set.
 * @param path,every_steps,every_seconds,keep_last receive it; each may be NULL. The path is valid until the next set.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_get_autosave(const ebm_trainer *trainer, const char **path, int64_t *every_steps,
                                            double *every_seconds, int32_t *keep_last);
/** Automatic saves that failed since it was set. @param count receives them. @since 0.1 */
EBM_API ebm_status ebm_trainer_get_autosave_failures(const ebm_trainer *trainer, int64_t *count);

enum {
    EBM_LOG_CSV = 1,       /**< a line of names, then a line a step; what is not finite is left empty */
    EBM_LOG_JSON_LINES = 2 /**< an object a line, a line a step; what is not finite is null */
};

/**
 * Writes a line after every training step: step, epoch (whole ones so far), energy_data, energy_model, gap, grad_norm,
 * learning_rate (that of the next step), acceptance, then of the health record (health.h) energy_data_std,
 * energy_model_std, grad_x, grad_x_clipped, moved, moved_share, spread, rhat and the verdict's code, the rollbacks so far, and at last the
 * seconds since this was set. In the C locale. The lines go to the
 * file's end; when training goes on from an earlier step (ebm_trainer_load), the lines of that step and later ones are
 * cut off, so each step has one line. When a line cannot be written, training goes on, and the context's log says so.
 * @param path a log of this kind, or a file that is empty or not there; copied. NULL, the default, writes none.
 * @param format EBM_LOG_CSV or EBM_LOG_JSON_LINES; ignored for NULL.
 * Errors: EBM_ERR_ARG, EBM_ERR_IO, EBM_ERR_MISMATCH (the file is something else: it is not touched), EBM_ERR_NOMEM.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_set_log_file(ebm_trainer *trainer, const char *path, int32_t format);
/**
 * The log as it was set.
 * @param path,format receive it; each may be NULL. The path is valid until the next set.
 * @since 0.1
 */
EBM_API ebm_status ebm_trainer_get_log_file(const ebm_trainer *trainer, const char **path, int32_t *format);

#ifdef __cplusplus
}
#endif

#endif /* EBM_IO_H */

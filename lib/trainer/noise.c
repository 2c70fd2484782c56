/* SPDX-License-Identifier: MIT */
/* Which noise, and a batch of it. */
#include "trainer/noise.h"

#include <inttypes.h>
#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "model/guard.h"
#include "trainer/trainer.h"

bool ebm__noise_is_set(const ebm__noise *noise) {
    return noise->sample != NULL || noise->gaussian.covariance != 0;
}

void ebm__noise_clear(ebm__noise *noise, ebm_context *context) {
    ebm__free(context, noise->gaussian.memory);
    ebm__free(context, noise->normals);
    ebm__free(context, noise->log_density);
    *noise = (ebm__noise){0};
}

static int64_t normals_of_row(const ebm_trainer *trainer) {
    return trainer->noise.sample != NULL ? trainer->noise.normals_per_row : trainer->model->dim;
}

ebm_status ebm__noise_reserve(ebm_trainer *trainer, int64_t n, int64_t n_noise, const char *caller) {
    ebm_context *context = trainer->handle.context;
    ebm__noise *noise = &trainer->noise;
    int64_t bytes;
    if (!ebm__multiply(n_noise, (int64_t)sizeof(float), &bytes) ||
        !ebm__multiply(bytes, normals_of_row(trainer), &bytes)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: normals for %" PRId64 " rows of noise do not fit", caller, n_noise);
    }
    EBM__TRY(ebm__reserve(context, bytes, caller, &noise->normals, &noise->normals_bytes));
    return ebm__reserve(context, (n + n_noise) * (int64_t)sizeof(double), caller, &noise->log_density,
                        &noise->log_density_bytes);
}

/* --- the host's */

static ebm_status host_sample(const ebm_trainer *trainer, int64_t n, float *y) {
    const ebm__noise *noise = &trainer->noise;
    int64_t dim = trainer->model->dim;
    ebm__poison_floats(n * dim, y);
    int depth = ebm__callback_enter();
    int32_t answer = noise->sample(n, dim, noise->normals, y, noise->user_data);
    ebm__callback_leave(depth);
    EBM__TRY(ebm__check_answer("noise sample", answer, 0, n));
    return ebm__check_rows("noise sample", n, dim, y);
}

static ebm_status host_density(const ebm_trainer *trainer, int64_t n, const float *x, double *log_density) {
    const ebm__noise *noise = &trainer->noise;
    ebm__poison_doubles(n, log_density);
    int depth = ebm__callback_enter();
    int32_t answer = noise->log_density_fn(n, trainer->model->dim, x, log_density, noise->user_data);
    ebm__callback_leave(depth);
    EBM__TRY(ebm__check_answer("noise density", answer, 0, n));
    for (int64_t i = 0; i < n; i++) {
        if (ebm__is_poison_double(&log_density[i])) {
            return ebm__fail(EBM_ERR_CALLBACK, "noise density callback did not write the density of row %" PRId64, i);
        }
        if (!isfinite(log_density[i])) {
            return ebm__fail(EBM_ERR_NONFINITE, "noise density callback gave %g for row %" PRId64, log_density[i], i);
        }
    }
    return EBM_OK;
}

ebm_status ebm__noise_draw(ebm_trainer *trainer, int64_t n, int64_t n_noise, float *rows) {
    ebm__noise *noise = &trainer->noise;
    int64_t dim = trainer->model->dim;
    float *y = rows + n * dim;
    ebm__sequence sequence = {.seed = trainer->settings.seed,
                              .step = (uint64_t)trainer->batches,
                              .stream = EBM__STREAM_CONTRAST};
    ebm__simd_used()->normals(&sequence, 0, n_noise * normals_of_row(trainer), noise->normals);
    if (noise->sample != NULL) {
        EBM__TRY(host_sample(trainer, n_noise, y));
        return host_density(trainer, n + n_noise, rows, noise->log_density);
    }
    ebm_context *context = trainer->handle.context;
    EBM__TRY(ebm__noise_gaussian_density(&noise->gaussian, context, n, dim, rows, noise->log_density));
    EBM__TRY(ebm__noise_gaussian_draw(&noise->gaussian, context, n_noise, dim, noise->normals, y,
                                      noise->log_density + n));
    for (int64_t i = 0; i < n_noise * dim; i++) {
        if (!isfinite(y[i])) {
            return ebm__fail(EBM_ERR_NONFINITE, "noise left the range of float");
        }
    }
    return EBM_OK;
}

/* --- choosing it */

void ebm__noise_replace(ebm_trainer *trainer, const ebm__noise *by) {
    ebm__free(trainer->handle.context, trainer->noise.gaussian.memory);
    trainer->noise.sample = by->sample;
    trainer->noise.log_density_fn = by->log_density_fn;
    trainer->noise.normals_per_row = by->normals_per_row;
    trainer->noise.user_data = by->user_data;
    trainer->noise.gaussian = by->gaussian;
}

ebm_status ebm_trainer_fit_noise(ebm_trainer *trainer, int64_t n, const float *x, int32_t covariance, double min_std) {
    EBM__REQUIRE(trainer);
    if (covariance != EBM_COVARIANCE_DIAGONAL && covariance != EBM_COVARIANCE_FULL) {
        return ebm__fail(EBM_ERR_ARG, "%s: covariance is %d, must be EBM_COVARIANCE_DIAGONAL or EBM_COVARIANCE_FULL",
                         __func__, covariance);
    }
    if (!(min_std >= 0 && isfinite((float)min_std))) {
        return ebm__fail(EBM_ERR_ARG, "%s: min_std is %g, must be finite and 0 or more", __func__, min_std);
    }
    EBM__USE(use, trainer);
    EBM__TRY(ebm__require_rows(trainer->model, __func__, "x", n, x));
    if (n == 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: n is 0, must be at least 1", __func__);
    }
    ebm__noise fitted = {0};
    EBM__TRY(ebm__noise_gaussian_fit(trainer->handle.context, n, trainer->model->dim, x, covariance, min_std, __func__,
                                     &fitted.gaussian));
    ebm__noise_replace(trainer, &fitted);
    return EBM_OK;
}

ebm_status ebm_trainer_set_noise(ebm_trainer *trainer, ebm_noise_sample_fn sample, ebm_noise_density_fn log_density,
                                 int64_t normals_per_row, void *user_data) {
    EBM__REQUIRE(trainer);
    if (sample == NULL && log_density == NULL) {
        EBM__USE(use, trainer);
        ebm__noise_replace(trainer, &(ebm__noise){0});
        return EBM_OK;
    }
    EBM__REQUIRE(sample);
    EBM__REQUIRE(log_density);
    if (normals_per_row < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: normals_per_row is %" PRId64 ", must be at least 1", __func__,
                         normals_per_row);
    }
    EBM__USE(use, trainer);
    ebm__noise_replace(trainer, &(ebm__noise){.sample = sample,
                                              .log_density_fn = log_density,
                                              .normals_per_row = normals_per_row,
                                              .user_data = user_data});
    return EBM_OK;
}

ebm_status ebm_trainer_get_noise(const ebm_trainer *trainer, ebm_noise_sample_fn *sample,
                                 ebm_noise_density_fn *log_density, int64_t *normals_per_row, void **user_data) {
    EBM__REQUIRE(trainer);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    const ebm__noise *noise = &trainer->noise;
    if (sample != NULL) {
        *sample = noise->sample;
    }
    if (log_density != NULL) {
        *log_density = noise->log_density_fn;
    }
    if (normals_per_row != NULL) {
        *normals_per_row = noise->normals_per_row;
    }
    if (user_data != NULL) {
        *user_data = noise->user_data;
    }
    return EBM_OK;
}

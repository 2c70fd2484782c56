/* SPDX-License-Identifier: MIT */
/*
 * Denoising score matching (Vincent 2011): the score -dE/dx of the model at x~ = x + s z is fitted to that of
 * the noise, -(x~ - x) / s^2 = -z / s. Weighted by s^2, so that levels count alike (Song and Ermon 2019), a
 * row's loss is |r|^2 / 2 with the residual r = s dE/dx(x~) - z, and
 *     dL/dtheta = mean over rows of s (r . d/dx) dE/dtheta at x~,
 * by the model's mixed_grad or, without one, first differences along r.
 */
#include <inttypes.h>
#include <math.h>

#include "core/error.h"
#include "core/philox.h"
#include "trainer/difference.h"
#include "trainer/objective.h"

/* For each row: x~, dE/dx there, and z, which becomes r. */
enum { WORK_PER_ROW = 3 };

static ebm_status reserve(ebm_trainer *trainer, int64_t n, const char *caller) {
    return ebm__trainer_reserve(trainer, n, 2, 0, WORK_PER_ROW, caller);
}

/* Rows take the levels in turn, the first of the batch a random one: each row any of them, the batch all of them. */
static double level_of(const ebm_trainer *trainer, int64_t first, int64_t row) {
    return trainer->settings.noise_levels[(first + row) % trainer->settings.n_noise_levels];
}

static int64_t first_level(const ebm_trainer *trainer) {
    ebm__sequence sequence = {.seed = trainer->settings.seed,
                              .step = (uint64_t)trainer->batches,
                              .stream = EBM__STREAM_LEVEL};
    return (int64_t)ebm__random_below(&sequence, 0, (uint64_t)trainer->settings.n_noise_levels);
}

static void perturb(const ebm_trainer *trainer, int64_t n, int64_t first, float *moved, float *z) {
    int64_t dim = trainer->model->dim;
    ebm__sequence sequence = {.seed = trainer->settings.seed,
                              .step = (uint64_t)trainer->batches,
                              .stream = EBM__STREAM_PERTURB};
    ebm__simd_used()->normals(&sequence, 0, n * dim, z);
    for (int64_t i = 0; i < n; i++) {
        ebm__difference_move(dim, trainer->rows + i * dim, (float)level_of(trainer, first, i), z + i * dim,
                             moved + i * dim);
    }
}

/* r = s g - z in place of z; returns |r|^2. */
static double residual(int64_t dim, double level, const float *grad, float *z) {
    double square = 0;
    for (int64_t j = 0; j < dim; j++) {
        z[j] = (float)level * grad[j] - z[j];
        square += (double)z[j] * (double)z[j];
    }
    return square;
}

/* What stands for row i, with the weight `factor`: itself, for the model's mixed_grad, or the two of a difference. */
static ebm_status place(ebm_trainer *trainer, int64_t i, const float *x, const float *r, double length, double factor) {
    int64_t dim = trainer->model->dim;
    if (trainer->model->mixed_grad_fn != NULL) {
        trainer->weight[i] = (float)factor;
        return EBM_OK;
    }
    float *plus = trainer->rows + 2 * i * dim;
    float weight = ebm__difference_pair(dim, x, r, length, factor, plus, plus + dim);
    trainer->weight[2 * i] = weight;
    trainer->weight[2 * i + 1] = -weight;
    return ebm__require_weight(weight, i);
}

static ebm_status differentiate(ebm_trainer *trainer, int64_t n, ebm__trainer_report *report) {
    ebm_model *model = trainer->model;
    int64_t dim = model->dim;
    float *x = trainer->work;
    float *grad = x + n * dim;
    float *r = grad + n * dim;
    int64_t first = first_level(trainer);
    perturb(trainer, n, first, x, r);
    double length = trainer->settings.difference_step * ebm__difference_scale(n, dim, x);
    if (!isfinite(length)) {
        return ebm__fail(EBM_ERR_NONFINITE, "data with noise left the range of float");
    }
    EBM__TRY(ebm__model_energy_all(model, model->theta, n, x, false, trainer->energy, grad));
    report->energy_data = ebm__mean(n, trainer->energy);
    for (int64_t i = 0; i < n; i++) {
        double level = level_of(trainer, first, i);
        double square = residual(dim, level, grad + i * dim, r + i * dim);
        EBM__TRY(ebm__require_weight((float)(square * 0), i)); /* NaN where r is not finite */
        report->loss += square / (2 * (double)n);
        EBM__TRY(place(trainer, i, x + i * dim, r + i * dim, length, level / (double)n));
    }
    EBM__TRY(ebm__trainer_check_stop(trainer));
    if (model->mixed_grad_fn != NULL) {
        trainer->probe = (ebm__probe){.n_data = n};
        return ebm__model_mixed_grad_all(model, model->theta, n, x, r, trainer->weight, NULL, trainer->grad);
    }
    trainer->probe = (ebm__probe){.n_data = 2 * n};
    return ebm__model_param_grad_all(model, model->theta, 2 * n, trainer->rows, trainer->weight, NULL, trainer->grad);
}

const ebm__objective ebm__denoising = {.reserve = reserve, .differentiate = differentiate};

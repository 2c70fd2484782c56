/* SPDX-License-Identifier: MIT */
/*
 * Noise-contrastive estimation (Gutmann and Hyvarinen 2010; 2012 for nu). With G(u) = -E(u) - c -
 * log p_noise(u) - log nu, c = log Z, and s the logistic function, data x are to have s(G) near 1, and noise y near 0:
 *     L = mean over x of log(1 + e^-G) + nu mean over y of log(1 + e^G),
 *     dL/dtheta = sum over x of s(-G) / n dE/dtheta - sum over y of s(G) / n dE/dtheta,
 * since there are nu n rows y; dL/dc is the sum of the same weights.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "trainer/objective.h"

static ebm_status ready(const ebm_trainer *trainer, const char *caller) {
    return ebm__noise_is_set(&trainer->noise)
               ? EBM_OK
               : ebm__fail(EBM_ERR_STATE,
                           "%s: noise-contrastive estimation needs its noise: ebm_trainer_fit_noise or "
                           "ebm_trainer_set_noise comes first",
                           caller);
}

static ebm_status reserve(ebm_trainer *trainer, int64_t n, const char *caller) {
    int64_t n_noise;
    if (!ebm__multiply(n, trainer->settings.noise_ratio, &n_noise)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: %" PRId64 " rows of noise for each of %" PRId64 " do not fit", caller,
                         trainer->settings.noise_ratio, n);
    }
    EBM__TRY(ebm__trainer_reserve(trainer, n, 1, n_noise, 0, caller));
    return ebm__noise_reserve(trainer, n, n_noise, caller);
}

/*
 * Where log Z begins: log of the mean of e^(-E - log p_noise) over the rows of noise, by importance sampling. Rows that
 * are impossible count with 0.
 */
static ebm_status estimate_log_z(const ebm_trainer *trainer, int64_t n, int64_t n_noise, double *log_z) {
    const double *energy = trainer->energy + n;
    const double *log_density = trainer->noise.log_density + n;
    double largest = -INFINITY;
    double sum = 0;
    for (int64_t i = 0; i < n_noise; i++) {
        largest = fmax(largest, -energy[i] - log_density[i]);
    }
    if (!isfinite(largest)) {
        return ebm__fail(EBM_ERR_NONFINITE, "all %" PRId64 " rows of noise have an energy of +infinity", n_noise);
    }
    for (int64_t i = 0; i < n_noise; i++) {
        sum += exp(-energy[i] - log_density[i] - largest);
    }
    *log_z = largest + log(sum / (double)n_noise);
    return EBM_OK;
}

/* log(1 + e^a), which does not overflow. */
static double softplus(double a) {
    return fmax(a, 0) + log1p(exp(-fabs(a)));
}

/* 1 / (1 + e^-a), to full precision at both ends. */
static double logistic(double a) {
    double e = exp(-fabs(a));
    return a >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/*
 * Noise where the model puts no mass at all: told from data without fail, G = -infinity. param_grad is not to see such
 * a row: row 0, with a weight of 0, stands in for it.
 */
static void replace_impossible(ebm_trainer *trainer, int64_t row) {
    int64_t dim = trainer->model->dim;
    memcpy(trainer->rows + row * dim, trainer->rows, (size_t)dim * sizeof(float));
    trainer->weight[row] = 0;
}

static void weigh(ebm_trainer *trainer, int64_t n, int64_t n_noise, double log_z, ebm__trainer_report *report) {
    double shift = log_z + log((double)trainer->settings.noise_ratio);
    double possible = 0;
    report->energy_model = 0;
    report->log_z_grad = 0;
    for (int64_t i = 0; i < n + n_noise; i++) {
        double energy = trainer->energy[i];
        if (isinf(energy)) {
            replace_impossible(trainer, i);
            continue;
        }
        double g = -energy - trainer->noise.log_density[i] - shift;
        double weight = (i < n ? logistic(-g) : -logistic(g)) / (double)n;
        trainer->weight[i] = (float)weight;
        report->loss += softplus(i < n ? -g : g) / (double)n;
        report->log_z_grad += weight;
        if (i >= n) {
            report->energy_model += energy;
            possible += 1;
        }
    }
    report->energy_data = ebm__mean(n, trainer->energy);
    report->energy_model /= fmax(possible, 1);
}

static ebm_status differentiate(ebm_trainer *trainer, int64_t n, ebm__trainer_report *report) {
    ebm_model *model = trainer->model;
    ebm__log_z *z = &trainer->log_z;
    int64_t n_noise = n * trainer->settings.noise_ratio;
    double log_z = (double)z->value;
    EBM__TRY(ebm__noise_draw(trainer, n, n_noise, trainer->rows));
    EBM__TRY(ebm__trainer_check_stop(trainer));
    EBM__TRY(ebm__model_energy_all(model, model->theta, n + n_noise, trainer->rows, true, trainer->energy, NULL));
    for (int64_t i = 0; i < n; i++) {
        if (isinf(trainer->energy[i])) {
            return ebm__fail(EBM_ERR_NONFINITE, "the energy of row %" PRId64 " of the data is +infinity", i);
        }
    }
    if (!z->known) {
        EBM__TRY(estimate_log_z(trainer, n, n_noise, &log_z));
    }
    z->used = (float)log_z;
    if (!isfinite(z->used)) {
        return ebm__fail(EBM_ERR_NONFINITE, "log Z would begin at %g", log_z);
    }
    weigh(trainer, n, n_noise, (double)z->used, report);
    z->grad = (float)report->log_z_grad;
    trainer->probe = (ebm__probe){.n_data = n, .n_model = n_noise};
    EBM__TRY(ebm__trainer_check_stop(trainer));
    return ebm__model_param_grad_all(model, model->theta, n + n_noise, trainer->rows, trainer->weight, NULL,
                                     trainer->grad);
}

/* After ebm_trainer_gradient log Z stands where it began; a step has moved it by then. */
static void finish(ebm_trainer *trainer) {
    ebm__log_z *z = &trainer->log_z;
    if (!z->known) {
        z->value = z->used;
        z->known = true;
    }
}

const ebm__objective ebm__noise_contrastive = {
    .ready = ready,
    .reserve = reserve,
    .differentiate = differentiate,
    .finish = finish,
};

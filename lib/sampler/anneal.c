/* SPDX-License-Identifier: MIT */
/*
 * Schedules of step size, noise and temperature: simulated annealing (Kirkpatrick, Gelatt and Vecchi 1983), annealed
 * Langevin dynamics (Song and Ermon 2019), and what else goes through settings point by point.
 */
#include <inttypes.h>

#include <ebm/tempering.h>

#include "core/memory.h"
#include "model/model.h"
#include "sampler/kernel.h"
#include "sampler/settings.h"

/* n_points each; NULL: as it is set. */
typedef struct schedule {
    int64_t n_points;
    const double *step_size;
    const double *noise_std;
    const double *temperature;
    int64_t steps_each;
    int64_t done; /* steps */
} schedule;

static void use_point(ebm_sampler *sampler, const schedule *s, int64_t point) {
    if (s->step_size != NULL) {
        sampler->settings.step_size = s->step_size[point];
    }
    if (s->noise_std != NULL) {
        sampler->settings.noise_std = s->noise_std[point];
    }
    if (s->temperature != NULL) {
        sampler->settings.temperature = s->temperature[point];
    }
}

static ebm_status after_step(ebm_sampler *sampler, void *data) {
    schedule *s = data;
    s->done++;
    if (s->done % s->steps_each == 0 && s->done / s->steps_each < s->n_points) {
        use_point(sampler, s, s->done / s->steps_each);
    }
    return EBM_OK;
}

static ebm_status refuse(const char *caller, const char *name, int64_t point, double value, const char *range) {
    return ebm__fail(EBM_ERR_ARG, "%s: %s[%" PRId64 "] is %g, must be %s", caller, name, point, value, range);
}

static ebm_status check_values(const schedule *s, const char *caller) {
    for (int64_t p = 0; p < s->n_points; p++) {
        if (s->step_size != NULL && !ebm__is_step_size(s->step_size[p])) {
            return refuse(caller, "step_size", p, s->step_size[p], EBM__STEP_SIZE_RANGE);
        }
        if (s->noise_std != NULL && !ebm__is_noise_std(s->noise_std[p])) {
            return refuse(caller, "noise_std", p, s->noise_std[p], EBM__NOISE_STD_RANGE);
        }
        if (s->temperature != NULL && !ebm__is_temperature(s->temperature[p])) {
            return refuse(caller, "temperature", p, s->temperature[p], EBM__TEMPERATURE_RANGE);
        }
    }
    return EBM_OK;
}

/* Does the kernel go with every point? */
static ebm_status check_points(ebm_sampler *sampler, const schedule *s, const char *caller) {
    for (int64_t p = 0; p < s->n_points; p++) {
        use_point(sampler, s, p);
        ebm_status status = ebm__kernel_check(sampler);
        if (status != EBM_OK) {
            return ebm__fail_within(status, "%s: point %" PRId64 ": ", caller, p);
        }
    }
    return EBM_OK;
}

static ebm_status anneal(ebm_sampler *sampler, schedule *s, int64_t n_steps, const char *caller) {
    EBM__TRY(check_points(sampler, s, caller));
    EBM__TRY(ebm__sampler_start(sampler, caller));
    use_point(sampler, s, 0);
    return ebm__sampler_advance_with(sampler, n_steps, after_step, s, caller);
}

ebm_status ebm_sampler_anneal(ebm_sampler *sampler, int64_t n_points, const double *step_size, const double *noise_std,
                              const double *temperature, int64_t steps_each) {
    EBM__REQUIRE(sampler);
    if (n_points < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_points is %" PRId64 ", must be 0 or more", __func__, n_points);
    }
    if (steps_each < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: steps_each is %" PRId64 ", must be at least 1", __func__, steps_each);
    }
    int64_t n_steps;
    if (!ebm__multiply(n_points, steps_each, &n_steps)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: n_points is %" PRId64 " and steps_each is %" PRId64
                         ", and that many steps do not fit", __func__, n_points, steps_each);
    }
    schedule s = {n_points, step_size, noise_std, temperature, steps_each, 0};
    EBM__TRY(check_values(&s, __func__));
    EBM__USE(use, sampler);
    EBM__USE(use_model, sampler->model);
    if (n_points == 0) {
        return EBM_OK;
    }
    const ebm__sampler_settings kept = sampler->settings;
    ebm_status status = anneal(sampler, &s, n_steps, __func__);
    sampler->settings = kept;
    return status;
}

/* SPDX-License-Identifier: MIT */
/* Factors on settings, as functions of the number of steps made. */
#include "trainer/schedule.h"

#include <inttypes.h>
#include <math.h>

#include "core/error.h"
#include "sampler/settings.h"

static const double PI = 3.14159265358979323846;

double ebm__schedule_factor(const ebm_trainer *trainer, int32_t what) {
    const ebm__schedule *s = &trainer->settings.schedules[what - 1];
    int64_t t = trainer->steps;
    if (t < s->warmup_steps) {
        return ((double)t + 1) / ((double)s->warmup_steps + 1);
    }
    double r = s->factor;
    double u = (double)(t - s->warmup_steps) / (double)s->n_steps;
    switch (s->kind) {
        case EBM_SCHEDULE_LINEAR:
            return 1 + (r - 1) * fmin(u, 1);
        case EBM_SCHEDULE_EXPONENTIAL:
            return pow(r, fmin(u, 1));
        case EBM_SCHEDULE_COSINE:
            return r + (1 - r) * (1 + cos(PI * fmin(u, 1))) / 2;
        case EBM_SCHEDULE_STEP:
            return pow(r, (double)((t - s->warmup_steps) / s->n_steps));
        default:
            return 1;
    }
}

double ebm__trainer_learning_rate(const ebm_trainer *trainer) {
    return trainer->settings.learning_rate * ebm__schedule_factor(trainer, EBM_SCHEDULED_LEARNING_RATE);
}

int64_t ebm__trainer_mcmc_steps(const ebm_trainer *trainer) {
    static const double MOST = 0x1p53; /* beyond, not every count is a double */
    double f = ebm__schedule_factor(trainer, EBM_SCHEDULED_MCMC_STEPS);
    int64_t k = trainer->settings.mcmc_steps;
    return f == 1 ? k : (int64_t)fmin(fmax(round((double)k * f), 1), MOST);
}

ebm_status ebm__schedule_sampler(ebm_trainer *trainer, const char *caller) {
    ebm_sampler *sampler = trainer->sampler;
    double step_factor = ebm__schedule_factor(trainer, EBM_SCHEDULED_STEP_SIZE);
    double noise_factor = ebm__schedule_factor(trainer, EBM_SCHEDULED_NOISE_STD);
    double eta = sampler->settings.step_size * step_factor;
    double sigma = fmax(sampler->settings.noise_std, 0) * noise_factor;
    if (!ebm__is_step_size(eta)) {
        return ebm__fail(EBM_ERR_STATE, "%s: the scheduled step size is %g, must be " EBM__STEP_SIZE_RANGE, caller, eta);
    }
    if (!isfinite((float)sigma) || !isfinite((float)noise_factor)) {
        return ebm__fail(EBM_ERR_STATE, "%s: the scheduled noise_std is %g times the one that is set, beyond float",
                         caller, noise_factor);
    }
    sampler->step_factor = step_factor;
    sampler->noise_factor = noise_factor;
    return EBM_OK;
}

void ebm__schedule_sampler_end(ebm_trainer *trainer) {
    trainer->sampler->step_factor = 1;
    trainer->sampler->noise_factor = 1;
}

static ebm_status require_what(const char *caller, int32_t what) {
    return what >= EBM_SCHEDULED_LEARNING_RATE && what <= EBM_SCHEDULED_MCMC_STEPS
               ? EBM_OK
               : ebm__fail(EBM_ERR_ARG, "%s: what is %d, must be one of the constants %d to %d", caller, what,
                           EBM_SCHEDULED_LEARNING_RATE, EBM_SCHEDULED_MCMC_STEPS);
}

static ebm_status require_schedule(const char *caller, int32_t what, const ebm__schedule *s) {
    EBM__TRY(require_what(caller, what));
    if (s->kind < EBM_SCHEDULE_CONSTANT || s->kind > EBM_SCHEDULE_STEP) {
        return ebm__fail(EBM_ERR_ARG, "%s: kind is %d, must be one of the constants %d to %d", caller, s->kind,
                         EBM_SCHEDULE_CONSTANT, EBM_SCHEDULE_STEP);
    }
    if (s->warmup_steps < 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: warmup_steps is %" PRId64 ", must be 0 or more", caller, s->warmup_steps);
    }
    if (s->kind == EBM_SCHEDULE_CONSTANT) {
        return EBM_OK;
    }
    if (s->n_steps < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_steps is %" PRId64 ", must be at least 1", caller, s->n_steps);
    }
    bool positive = s->kind == EBM_SCHEDULE_EXPONENTIAL || s->kind == EBM_SCHEDULE_STEP ||
                    what == EBM_SCHEDULED_STEP_SIZE;
    if (!(isfinite((float)s->factor) && (positive ? s->factor > 0 : s->factor >= 0))) {
        return ebm__fail(EBM_ERR_ARG, "%s: factor is %g, must be finite and %s", caller, s->factor,
                         positive ? "above 0" : "0 or more");
    }
    return EBM_OK;
}

ebm_status ebm_trainer_set_schedule(ebm_trainer *trainer, int32_t what, int32_t kind, int64_t warmup_steps,
                                    int64_t n_steps, double factor) {
    EBM__REQUIRE(trainer);
    bool constant = kind == EBM_SCHEDULE_CONSTANT;
    const ebm__schedule schedule = {.kind = kind,
                                    .warmup_steps = warmup_steps,
                                    .n_steps = constant ? 1 : n_steps,
                                    .factor = constant ? 1 : factor};
    EBM__TRY(require_schedule(__func__, what, &schedule));
    EBM__USE(use, trainer);
    trainer->settings.schedules[what - 1] = schedule;
    return EBM_OK;
}

ebm_status ebm_trainer_get_schedule(const ebm_trainer *trainer, int32_t what, int32_t *kind, int64_t *warmup_steps,
                                    int64_t *n_steps, double *factor) {
    EBM__REQUIRE(trainer);
    EBM__TRY(require_what(__func__, what));
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    const ebm__schedule *s = &trainer->settings.schedules[what - 1];
    if (kind != NULL) {
        *kind = s->kind;
    }
    if (warmup_steps != NULL) {
        *warmup_steps = s->warmup_steps;
    }
    if (n_steps != NULL) {
        *n_steps = s->n_steps;
    }
    if (factor != NULL) {
        *factor = s->factor;
    }
    return EBM_OK;
}

static double scheduled_step_size(const ebm_trainer *trainer) {
    return trainer->sampler->settings.step_size * ebm__schedule_factor(trainer, EBM_SCHEDULED_STEP_SIZE);
}

/* As the sampler has it: its setting, or derived from the step size, and so from the schedule of that. */
static double scheduled_noise(const ebm_trainer *trainer) {
    const ebm_sampler *sampler = trainer->sampler;
    double sigma = sampler->settings.noise_std;
    if (sigma < 0) {
        sigma = sqrt(2.0 * scheduled_step_size(trainer) * ebm__sampler_temperature(sampler, 0));
    }
    return sigma * ebm__schedule_factor(trainer, EBM_SCHEDULED_NOISE_STD);
}

ebm_status ebm_trainer_get_scheduled_value(const ebm_trainer *trainer, int32_t what, double *value) {
    EBM__REQUIRE(trainer);
    EBM__TRY(require_what(__func__, what));
    EBM__REQUIRE(value);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    if (what == EBM_SCHEDULED_LEARNING_RATE) {
        *value = ebm__trainer_learning_rate(trainer);
        return EBM_OK;
    }
    if (what == EBM_SCHEDULED_MCMC_STEPS) {
        *value = (double)ebm__trainer_mcmc_steps(trainer);
        return EBM_OK;
    }
    const ebm_sampler *sampler = trainer->sampler;
    if (sampler == NULL) {
        return ebm__fail(EBM_ERR_STATE, "%s: what is %d, a setting of the sampler, which the trainer lacks", __func__,
                         what);
    }
    EBM__TRY(ebm__readable(&sampler->handle, __func__));
    *value = what == EBM_SCHEDULED_NOISE_STD ? scheduled_noise(trainer) : scheduled_step_size(trainer);
    return EBM_OK;
}

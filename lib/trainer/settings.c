/* SPDX-License-Identifier: MIT */
/* The trainer's setters, which check what they get, and their getters. */
#include <inttypes.h>
#include <math.h>

#include "core/error.h"
#include "trainer/trainer.h"

/* A setter of one number: its range, then its place. */
static ebm_status set_double(ebm_trainer *trainer, const char *caller, const char *name, double value, bool valid,
                             const char *range, double *place) {
    if (!valid) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s is %g, must be %s", caller, name, value, range);
    }
    EBM__USE_FOR(use, trainer, caller);
    *place = value;
    return EBM_OK;
}

static ebm_status set_count(ebm_trainer *trainer, const char *caller, const char *name, int64_t value, int64_t *place) {
    if (value < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s is %" PRId64 ", must be at least 1", caller, name, value);
    }
    EBM__USE_FOR(use, trainer, caller);
    *place = value;
    return EBM_OK;
}

/* The body of a getter of one setting. */
#define GET(trainer, out, value)                                        \
    do {                                                                \
        EBM__REQUIRE(trainer);                                          \
        EBM__REQUIRE(out);                                              \
        EBM__TRY(ebm__readable(&(trainer)->handle, __func__));          \
        *(out) = (value);                                               \
        return EBM_OK;                                                  \
    } while (0)

static bool finite_float(double value) {
    return isfinite((float)value) != 0;
}

ebm_status ebm_trainer_set_seed(ebm_trainer *trainer, uint64_t seed) {
    EBM__REQUIRE(trainer);
    EBM__USE(use, trainer);
    trainer->settings.seed = seed;
    return EBM_OK;
}

ebm_status ebm_trainer_get_seed(const ebm_trainer *trainer, uint64_t *seed) {
    GET(trainer, seed, trainer->settings.seed);
}

ebm_status ebm_trainer_set_optimizer(ebm_trainer *trainer, int32_t optimizer) {
    EBM__REQUIRE(trainer);
    if (optimizer < EBM_OPT_SGD || optimizer > EBM_OPT_ADAMW) {
        return ebm__fail(EBM_ERR_ARG, "%s: optimizer is %d, must be EBM_OPT_SGD, EBM_OPT_ADAM or EBM_OPT_ADAMW",
                         __func__, optimizer);
    }
    EBM__USE(use, trainer);
    if (optimizer != trainer->settings.optimizer) {
        ebm__optimizer_clear(trainer);
        trainer->settings.optimizer = optimizer;
    }
    return EBM_OK;
}

ebm_status ebm_trainer_get_optimizer(const ebm_trainer *trainer, int32_t *optimizer) {
    GET(trainer, optimizer, trainer->settings.optimizer);
}

ebm_status ebm_trainer_set_learning_rate(ebm_trainer *trainer, double rate) {
    EBM__REQUIRE(trainer);
    return set_double(trainer, __func__, "rate", rate, finite_float(rate) && rate >= 0, "finite and 0 or more",
                      &trainer->settings.learning_rate);
}

ebm_status ebm_trainer_get_learning_rate(const ebm_trainer *trainer, double *rate) {
    GET(trainer, rate, trainer->settings.learning_rate);
}

ebm_status ebm_trainer_set_momentum(ebm_trainer *trainer, double momentum) {
    EBM__REQUIRE(trainer);
    return set_double(trainer, __func__, "momentum", momentum, momentum >= 0 && momentum < 1, "0 to below 1",
                      &trainer->settings.momentum);
}

ebm_status ebm_trainer_get_momentum(const ebm_trainer *trainer, double *momentum) {
    GET(trainer, momentum, trainer->settings.momentum);
}

ebm_status ebm_trainer_set_betas(ebm_trainer *trainer, double beta1, double beta2) {
    EBM__REQUIRE(trainer);
    if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1)) {
        return ebm__fail(EBM_ERR_ARG, "%s: beta1 is %g and beta2 is %g, must be 0 to below 1", __func__, beta1, beta2);
    }
    EBM__USE(use, trainer);
    trainer->settings.beta1 = beta1;
    trainer->settings.beta2 = beta2;
    return EBM_OK;
}

ebm_status ebm_trainer_get_betas(const ebm_trainer *trainer, double *beta1, double *beta2) {
    EBM__REQUIRE(trainer);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    if (beta1 != NULL) {
        *beta1 = trainer->settings.beta1;
    }
    if (beta2 != NULL) {
        *beta2 = trainer->settings.beta2;
    }
    return EBM_OK;
}

ebm_status ebm_trainer_set_epsilon(ebm_trainer *trainer, double epsilon) {
    EBM__REQUIRE(trainer);
    return set_double(trainer, __func__, "epsilon", epsilon, finite_float(epsilon) && (float)epsilon > 0,
                      "finite and above 0", &trainer->settings.epsilon);
}

ebm_status ebm_trainer_get_epsilon(const ebm_trainer *trainer, double *epsilon) {
    GET(trainer, epsilon, trainer->settings.epsilon);
}

ebm_status ebm_trainer_set_weight_decay(ebm_trainer *trainer, double decay) {
    EBM__REQUIRE(trainer);
    return set_double(trainer, __func__, "decay", decay, finite_float(decay) && decay >= 0, "finite and 0 or more",
                      &trainer->settings.weight_decay);
}

ebm_status ebm_trainer_get_weight_decay(const ebm_trainer *trainer, double *decay) {
    GET(trainer, decay, trainer->settings.weight_decay);
}

ebm_status ebm_trainer_set_grad_clip(ebm_trainer *trainer, double norm) {
    EBM__REQUIRE(trainer);
    return set_double(trainer, __func__, "norm", norm, norm > 0, "above 0, or INFINITY", &trainer->settings.grad_clip);
}

ebm_status ebm_trainer_get_grad_clip(const ebm_trainer *trainer, double *norm) {
    GET(trainer, norm, trainer->settings.grad_clip);
}

ebm_status ebm_trainer_set_mcmc_steps(ebm_trainer *trainer, int64_t k) {
    EBM__REQUIRE(trainer);
    return set_count(trainer, __func__, "k", k, &trainer->settings.mcmc_steps);
}

ebm_status ebm_trainer_get_mcmc_steps(const ebm_trainer *trainer, int64_t *k) {
    GET(trainer, k, trainer->settings.mcmc_steps);
}

ebm_status ebm_trainer_set_batch_size(ebm_trainer *trainer, int64_t n) {
    EBM__REQUIRE(trainer);
    return set_count(trainer, __func__, "n", n, &trainer->settings.batch_size);
}

ebm_status ebm_trainer_get_batch_size(const ebm_trainer *trainer, int64_t *n) {
    GET(trainer, n, trainer->settings.batch_size);
}

ebm_status ebm_trainer_set_energy_penalty(ebm_trainer *trainer, double alpha) {
    EBM__REQUIRE(trainer);
    return set_double(trainer, __func__, "alpha", alpha, finite_float(alpha) && alpha >= 0, "finite and 0 or more",
                      &trainer->settings.energy_penalty);
}

ebm_status ebm_trainer_get_energy_penalty(const ebm_trainer *trainer, double *alpha) {
    GET(trainer, alpha, trainer->settings.energy_penalty);
}

ebm_status ebm_trainer_set_data_noise(ebm_trainer *trainer, double std) {
    EBM__REQUIRE(trainer);
    return set_double(trainer, __func__, "std", std, finite_float(std) && std >= 0, "finite and 0 or more",
                      &trainer->settings.data_noise);
}

ebm_status ebm_trainer_get_data_noise(const ebm_trainer *trainer, double *std) {
    GET(trainer, std, trainer->settings.data_noise);
}

ebm_status ebm_trainer_set_gap_limit(ebm_trainer *trainer, double limit) {
    EBM__REQUIRE(trainer);
    return set_double(trainer, __func__, "limit", limit, limit > 0, "above 0, or INFINITY",
                      &trainer->settings.gap_limit);
}

ebm_status ebm_trainer_get_gap_limit(const ebm_trainer *trainer, double *limit) {
    GET(trainer, limit, trainer->settings.gap_limit);
}

ebm_status ebm_trainer_set_progress(ebm_trainer *trainer, ebm_progress_fn fn, void *user_data, int64_t every) {
    EBM__REQUIRE(trainer);
    if (every < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: every is %" PRId64 ", must be at least 1", __func__, every);
    }
    EBM__USE(use, trainer);
    trainer->settings.progress = fn;
    trainer->settings.progress_data = user_data;
    trainer->settings.progress_every = every;
    return EBM_OK;
}

ebm_status ebm_trainer_get_progress(const ebm_trainer *trainer, ebm_progress_fn *fn, void **user_data, int64_t *every) {
    EBM__REQUIRE(trainer);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    if (fn != NULL) {
        *fn = trainer->settings.progress;
    }
    if (user_data != NULL) {
        *user_data = trainer->settings.progress_data;
    }
    if (every != NULL) {
        *every = trainer->settings.progress_every;
    }
    return EBM_OK;
}

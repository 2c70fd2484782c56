/* SPDX-License-Identifier: MIT */
/* The health record as the host sees it. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

#include "core/error.h"
#include "trainer/trainer.h"

ebm_status ebm_trainer_set_health_record(ebm_trainer *trainer, int32_t on) {
    EBM__REQUIRE(trainer);
    if (on != 0 && on != 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: on is %d, must be 0 or 1", __func__, on);
    }
    EBM__USE(use, trainer);
    trainer->settings.health_record = on;
    if (on == 0) {
        ebm__health_forget(trainer);
    }
    return EBM_OK;
}

ebm_status ebm_trainer_get_health_record(const ebm_trainer *trainer, int32_t *on) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(on);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    *on = trainer->settings.health_record;
    return EBM_OK;
}

ebm_status ebm_trainer_get_health(const ebm_trainer *trainer, int32_t what, double *value) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(value);
    if (what < 1 || what >= EBM__N_HEALTH) {
        return ebm__fail(EBM_ERR_ARG, "%s: what is %d, must be one of the constants 1 to %d", __func__, what,
                         EBM__N_HEALTH - 1);
    }
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    double number = trainer->has_report ? trainer->report.health.number[what] : NAN;
    if (isnan(number)) {
        return ebm__fail(EBM_ERR_STATE, "%s: there is no such number: %s", __func__,
                         !trainer->has_report ? "the trainer has not seen a batch yet"
                                              : "the last step had none, or was not recorded");
    }
    *value = number;
    return EBM_OK;
}

ebm_status ebm_trainer_get_verdict(const ebm_trainer *trainer, int32_t *verdict) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(verdict);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    *verdict = trainer->health.verdict;
    return EBM_OK;
}

/* What is wrong, and what may help. */
static const struct {
    const char *words, *cure;
} VERDICTS[] = {
    [EBM_VERDICT_UNKNOWN] = {"too early to say", ""},
    [EBM_VERDICT_HEALTHY] = {"healthy", ""},
    [EBM_VERDICT_TOO_COLD] = {"too cold: the chains fall into minima instead of sampling",
                              "more noise, or smaller steps"},
    [EBM_VERDICT_TOO_HOT] = {"too hot: the chains do not come down to the energies of the data",
                             "less noise, smaller steps, or more of them"},
    [EBM_VERDICT_STUCK] = {"stuck: the chains hardly move",
                           "larger steps, or more; smaller ones where few are accepted; a larger clip"},
    [EBM_VERDICT_COLLAPSED] = {"collapsed: the chains are much alike, and the data are not",
                               "starts spread wider, restarts, more steps or noise, a ladder"},
    [EBM_VERDICT_DRIFTING] = {"drifting: the energies run away as a whole", "an energy penalty, a larger epsilon"},
    [EBM_VERDICT_DIVERGING] = {"diverging: the gap between data and negatives grows without bound",
                               "a smaller learning rate, a clip of the gradient in theta, smaller steps"},
};

enum { N_VERDICTS = sizeof VERDICTS / sizeof *VERDICTS };

const char *ebm_verdict_string(int32_t verdict) {
    return verdict >= 0 && verdict < N_VERDICTS ? VERDICTS[verdict].words : "unknown verdict";
}

__attribute__((format(printf, 3, 4))) static void put(char *text, int64_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    ebm__format(text, (size_t)size, format, args);
    va_end(args);
}

ebm_status ebm_trainer_describe_health(const ebm_trainer *trainer, int64_t size, char *text) {
    EBM__REQUIRE(trainer);
    EBM__REQUIRE(text);
    if (size < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: size is %" PRId64 ", must be at least 1", __func__, size);
    }
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    const ebm__health *h = &trainer->health;
    const char *words = ebm_verdict_string(h->verdict);
    const char *cure = VERDICTS[h->verdict].cure;
    if (h->windows == 0) {
        put(text, size, "%s", words);
        return EBM_OK;
    }
    ebm__health_summary s = ebm__health_summarize(&h->past[0]);
    put(text, size,
        "%s (E of data %.4g, scatter %.3g; of negatives %.4g, scatter %.3g; a batch moves them %.3g of the data's "
        "spread, %.3g of what noise alone would; their own spread is %.3g of the data's; accepted %.3g, clipped %.3g)"
        "%s%s",
        words, s.energy_data, s.std_data, s.energy_model, s.std_model, s.moved, s.moved_by_noise, sqrt(s.variance),
        s.accepted, s.clipped, *cure == 0 ? "" : "; may help: ", cure);
    return EBM_OK;
}

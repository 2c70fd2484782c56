/* SPDX-License-Identifier: MIT */
/* Setters and getters of the kernels that follow Hamiltonian dynamics. */
#include "sampler/settings.h"

ebm_status ebm_sampler_set_leapfrog_steps(ebm_sampler *sampler, int64_t n) {
    EBM__REQUIRE(sampler);
    return ebm__sampler_set_count(sampler, __func__, "n", n, &sampler->settings.leapfrog_steps);
}

ebm_status ebm_sampler_get_leapfrog_steps(const ebm_sampler *sampler, int64_t *n) {
    EBM__GET(sampler, n, sampler->settings.leapfrog_steps);
}

ebm_status ebm_sampler_set_jitter(ebm_sampler *sampler, double fraction) {
    EBM__REQUIRE(sampler);
    return ebm__sampler_set_double(sampler, __func__, "fraction", fraction, fraction >= 0 && fraction < 1,
                                   "0 or more, and below 1", &sampler->settings.jitter);
}

ebm_status ebm_sampler_get_jitter(const ebm_sampler *sampler, double *fraction) {
    EBM__GET(sampler, fraction, sampler->settings.jitter);
}

ebm_status ebm_sampler_set_friction(ebm_sampler *sampler, double gamma) {
    EBM__REQUIRE(sampler);
    return ebm__sampler_set_double(sampler, __func__, "gamma", gamma, gamma > 0, "above 0, or INFINITY",
                                   &sampler->settings.friction);
}

ebm_status ebm_sampler_get_friction(const ebm_sampler *sampler, double *gamma) {
    EBM__GET(sampler, gamma, sampler->settings.friction);
}

ebm_status ebm_sampler_set_metric_adaptation(ebm_sampler *sampler, int32_t on) {
    EBM__REQUIRE(sampler);
    return ebm__sampler_set_choice(sampler, __func__, "on", on, 0, 1, &sampler->settings.metric_adaptation);
}

ebm_status ebm_sampler_get_metric_adaptation(const ebm_sampler *sampler, int32_t *on) {
    EBM__GET(sampler, on, sampler->settings.metric_adaptation);
}

ebm_status ebm_sampler_set_max_depth(ebm_sampler *sampler, int32_t depth) {
    EBM__REQUIRE(sampler);
    if (depth < 1 || depth > 20) {
        return ebm__fail(EBM_ERR_ARG, "%s: depth is %d, must be 1 to 20", __func__, depth);
    }
    EBM__USE(use, sampler);
    sampler->settings.max_depth = depth;
    return EBM_OK;
}

ebm_status ebm_sampler_get_max_depth(const ebm_sampler *sampler, int32_t *depth) {
    EBM__GET(sampler, depth, sampler->settings.max_depth);
}

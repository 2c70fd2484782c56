/* SPDX-License-Identifier: MIT */
/* The sampler's setters, which check what they get, and their getters. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "sampler/settings.h"

ebm_status ebm__sampler_set_double(ebm_sampler *sampler, const char *caller, const char *name, double value, bool valid,
                                   const char *range, double *place) {
    if (!valid) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s is %g, must be %s", caller, name, value, range);
    }
    EBM__USE_FOR(use, sampler, caller);
    *place = value;
    return EBM_OK;
}

ebm_status ebm__sampler_set_choice(ebm_sampler *sampler, const char *caller, const char *name, int32_t value,
                                   int32_t least, int32_t most, int32_t *place) {
    if (value < least || value > most) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s is %d, must be one of the constants %d to %d", caller, name, value, least,
                         most);
    }
    EBM__USE_FOR(use, sampler, caller);
    *place = value;
    return EBM_OK;
}

ebm_status ebm__sampler_set_count(ebm_sampler *sampler, const char *caller, const char *name, int64_t value,
                                  int64_t *place) {
    if (value < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: %s is %" PRId64 ", must be at least 1", caller, name, value);
    }
    EBM__USE_FOR(use, sampler, caller);
    *place = value;
    return EBM_OK;
}

ebm_status ebm_sampler_set_kernel(ebm_sampler *sampler, int32_t kernel) {
    EBM__REQUIRE(sampler);
    return ebm__sampler_set_choice(sampler, __func__, "kernel", kernel, EBM_KERNEL_LANGEVIN, EBM_KERNEL_NUTS,
                                   &sampler->settings.kernel);
}

ebm_status ebm_sampler_get_kernel(const ebm_sampler *sampler, int32_t *kernel) {
    EBM__GET(sampler, kernel, sampler->settings.kernel);
}

ebm_status ebm_sampler_set_step_size(ebm_sampler *sampler, double eta) {
    EBM__REQUIRE(sampler);
    return ebm__sampler_set_double(sampler, __func__, "eta", eta, ebm__is_step_size(eta), EBM__STEP_SIZE_RANGE,
                                   &sampler->settings.step_size);
}

ebm_status ebm_sampler_get_step_size(const ebm_sampler *sampler, double *eta) {
    EBM__GET(sampler, eta, sampler->settings.step_size);
}

ebm_status ebm_sampler_set_noise_std(ebm_sampler *sampler, double sigma) {
    EBM__REQUIRE(sampler);
    return ebm__sampler_set_double(sampler, __func__, "sigma", sigma, ebm__is_noise_std(sigma), EBM__NOISE_STD_RANGE,
                                   &sampler->settings.noise_std);
}

ebm_status ebm_sampler_get_noise_std(const ebm_sampler *sampler, double *sigma) {
    EBM__GET(sampler, sigma, ebm__sampler_noise_std(sampler, 0));
}

ebm_status ebm_sampler_set_temperature(ebm_sampler *sampler, double temperature) {
    EBM__REQUIRE(sampler);
    return ebm__sampler_set_double(sampler, __func__, "temperature", temperature, ebm__is_temperature(temperature),
                                   EBM__TEMPERATURE_RANGE, &sampler->settings.temperature);
}

ebm_status ebm_sampler_get_temperature(const ebm_sampler *sampler, double *temperature) {
    EBM__GET(sampler, temperature, sampler->settings.temperature);
}

ebm_status ebm_sampler_get_implied_temperature(const ebm_sampler *sampler, double *temperature) {
    EBM__REQUIRE(sampler);
    double sigma = ebm__sampler_noise_std(sampler, 0);
    EBM__GET(sampler, temperature, sigma * sigma / (2.0 * sampler->settings.step_size));
}

ebm_status ebm_sampler_set_noise_order(ebm_sampler *sampler, int32_t order) {
    EBM__REQUIRE(sampler);
    return ebm__sampler_set_choice(sampler, __func__, "order", order, EBM_NOISE_WITH_GRADIENT,
                                   EBM_NOISE_BEFORE_GRADIENT, &sampler->settings.noise_order);
}

ebm_status ebm_sampler_get_noise_order(const ebm_sampler *sampler, int32_t *order) {
    EBM__GET(sampler, order, sampler->settings.noise_order);
}

int64_t ebm__sampler_first_outside(int64_t n, const float *x, double lo, double hi) {
    for (int64_t i = 0; i < n; i++) {
        if ((double)x[i] < lo || (double)x[i] > hi) {
            return i;
        }
    }
    return -1;
}

static ebm_status check_inside(const ebm_sampler *sampler, const char *caller, const char *what, int64_t rows,
                               const float *x, double lo, double hi) {
    int64_t outside = ebm__sampler_first_outside(rows * sampler->dim, x, lo, hi);
    if (outside < 0) {
        return EBM_OK;
    }
    return ebm__fail(EBM_ERR_STATE,
                     "%s: %s %" PRId64 " stands outside %g to %g: coordinate %" PRId64 " is %g; set states or restart",
                     caller, what, outside / sampler->dim, lo, hi, outside % sampler->dim, (double)x[outside]);
}

ebm_status ebm_sampler_set_bounds(ebm_sampler *sampler, double lo, double hi, int32_t rule) {
    EBM__REQUIRE(sampler);
    /* As floats, which is what the states are, so that a bound can be reached. */
    if (!((float)lo < (float)hi) || lo == INFINITY || hi == -INFINITY) {
        return ebm__fail(EBM_ERR_ARG, "%s: lo is %g and hi is %g, must be lo < hi as floats", __func__, lo, hi);
    }
    if (rule != EBM_BOUNDS_CLAMP && rule != EBM_BOUNDS_REFLECT) {
        return ebm__fail(EBM_ERR_ARG, "%s: rule is %d, must be EBM_BOUNDS_CLAMP or EBM_BOUNDS_REFLECT", __func__, rule);
    }
    double lo_float = (double)(float)lo;
    double hi_float = (double)(float)hi;
    EBM__USE(use, sampler);
    if (sampler->started) {
        for (int32_t r = 0; r < sampler->ladder.n_rungs; r++) {
            const float *x = sampler->x + r * sampler->n_chains * sampler->dim;
            const char *what = r == 0 ? "chain" : "a hotter replica of chain";
            EBM__TRY(check_inside(sampler, __func__, what, sampler->n_chains, x, lo_float, hi_float));
        }
    }
    if (sampler->buffer_started) {
        EBM__TRY(check_inside(sampler, __func__, "buffer state", sampler->settings.capacity, sampler->buffer, lo_float,
                              hi_float));
    }
    sampler->settings.lo = lo_float;
    sampler->settings.hi = hi_float;
    sampler->settings.bounds_rule = rule;
    return EBM_OK;
}

ebm_status ebm_sampler_get_bounds(const ebm_sampler *sampler, double *lo, double *hi, int32_t *rule) {
    EBM__REQUIRE(sampler);
    EBM__TRY(ebm__readable(&sampler->handle, __func__));
    if (lo != NULL) {
        *lo = sampler->settings.lo;
    }
    if (hi != NULL) {
        *hi = sampler->settings.hi;
    }
    if (rule != NULL) {
        *rule = sampler->settings.bounds_rule;
    }
    return EBM_OK;
}

ebm_status ebm_sampler_set_grad_clip(ebm_sampler *sampler, double limit) {
    EBM__REQUIRE(sampler);
    return ebm__sampler_set_double(sampler, __func__, "limit", limit, (float)limit > 0, "above 0, or INFINITY",
                                   &sampler->settings.grad_clip);
}

ebm_status ebm_sampler_get_grad_clip(const ebm_sampler *sampler, double *limit) {
    EBM__GET(sampler, limit, sampler->settings.grad_clip);
}

ebm_status ebm_sampler_set_mask(ebm_sampler *sampler, const uint8_t *free) {
    EBM__REQUIRE(sampler);
    EBM__USE(use, sampler);
    if (free == NULL) {
        ebm__free(sampler->handle.context, sampler->mask);
        sampler->mask = NULL;
        sampler->has_momenta = false; /* what was held has none */
        sampler->factor_is_stale = true;
        return EBM_OK;
    }
    int64_t n_free = 0;
    for (int64_t i = 0; i < sampler->dim; i++) {
        if (free[i] > 1) {
            return ebm__fail(EBM_ERR_ARG, "%s: free[%" PRId64 "] is %d, must be 0 or 1", __func__, i, free[i]);
        }
        n_free += free[i];
    }
    if (n_free == 0) {
        return ebm__fail(EBM_ERR_ARG, "%s: free is 0 everywhere, at least one coordinate must be free", __func__);
    }
    if (sampler->mask == NULL) {
        EBM__TRY(ebm__alloc(sampler->handle.context, sampler->dim, 1, __func__, &sampler->mask));
    }
    memcpy(sampler->mask, free, (size_t)sampler->dim);
    sampler->has_momenta = false;
    sampler->factor_is_stale = true;
    return EBM_OK;
}

ebm_status ebm_sampler_get_mask(const ebm_sampler *sampler, uint8_t *free) {
    EBM__REQUIRE(sampler);
    EBM__REQUIRE(free);
    EBM__TRY(ebm__readable(&sampler->handle, __func__));
    if (sampler->mask == NULL) {
        memset(free, 1, (size_t)sampler->dim);
    } else {
        memcpy(free, sampler->mask, (size_t)sampler->dim);
    }
    return EBM_OK;
}

ebm_status ebm_sampler_set_start(ebm_sampler *sampler, int32_t start) {
    EBM__REQUIRE(sampler);
    return ebm__sampler_set_choice(sampler, __func__, "start", start, EBM_START_NOISE, EBM_START_PERSISTENT,
                                   &sampler->settings.start);
}

ebm_status ebm_sampler_get_start(const ebm_sampler *sampler, int32_t *start) {
    EBM__GET(sampler, start, sampler->settings.start);
}

ebm_status ebm_sampler_set_noise_start(ebm_sampler *sampler, int32_t kind, double a, double b) {
    EBM__REQUIRE(sampler);
    if (kind != EBM_NOISE_NORMAL && kind != EBM_NOISE_UNIFORM) {
        return ebm__fail(EBM_ERR_ARG, "%s: kind is %d, must be EBM_NOISE_NORMAL or EBM_NOISE_UNIFORM", __func__, kind);
    }
    /* No normal number of the library is beyond 7. */
    bool finite = isfinite((float)a) && isfinite((float)b) &&
                  (kind == EBM_NOISE_UNIFORM || isfinite((float)(fabs(a) + 7 * fabs(b))));
    if (!finite || (kind == EBM_NOISE_NORMAL ? b < 0 : !(a < b))) {
        return ebm__fail(EBM_ERR_ARG, "%s: a is %g and b is %g, must be finite and %s", __func__, a, b,
                         kind == EBM_NOISE_NORMAL ? "b 0 or more, also |a| + 7 b as a float" : "a < b");
    }
    EBM__USE(use, sampler);
    sampler->settings.noise_kind = kind;
    sampler->settings.noise_a = a;
    sampler->settings.noise_b = b;
    return EBM_OK;
}

ebm_status ebm_sampler_get_noise_start(const ebm_sampler *sampler, int32_t *kind, double *a, double *b) {
    EBM__REQUIRE(sampler);
    EBM__TRY(ebm__readable(&sampler->handle, __func__));
    if (kind != NULL) {
        *kind = sampler->settings.noise_kind;
    }
    if (a != NULL) {
        *a = sampler->settings.noise_a;
    }
    if (b != NULL) {
        *b = sampler->settings.noise_b;
    }
    return EBM_OK;
}

ebm_status ebm_sampler_set_buffer(ebm_sampler *sampler, int64_t capacity, double restart_probability) {
    EBM__REQUIRE(sampler);
    if (capacity != 0 && capacity < sampler->n_chains) {
        return ebm__fail(EBM_ERR_ARG, "%s: capacity is %" PRId64 ", must be 0 or at least n_chains, %" PRId64, __func__,
                         capacity, sampler->n_chains);
    }
    int64_t bytes;
    if (!ebm__multiply(capacity, sampler->dim * (int64_t)sizeof(float), &bytes)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: capacity is %" PRId64 ", and capacity x %" PRId64 " floats do not fit",
                         __func__, capacity, sampler->dim);
    }
    if (!(restart_probability >= 0 && restart_probability <= 1)) {
        return ebm__fail(EBM_ERR_ARG, "%s: restart_probability is %g, must be 0 to 1", __func__, restart_probability);
    }
    EBM__USE(use, sampler);
    if (capacity != sampler->settings.capacity) { /* made anew when it is next needed */
        ebm__free(sampler->handle.context, sampler->buffer);
        ebm__free(sampler->handle.context, sampler->picks);
        ebm__free(sampler->handle.context, sampler->age);
        sampler->buffer = NULL;
        sampler->picks = NULL;
        sampler->age = NULL;
        sampler->buffer_started = false;
    }
    sampler->settings.capacity = capacity;
    sampler->settings.restart_probability = restart_probability;
    return EBM_OK;
}

ebm_status ebm_sampler_get_buffer(const ebm_sampler *sampler, int64_t *capacity, double *restart_probability) {
    EBM__REQUIRE(sampler);
    EBM__TRY(ebm__readable(&sampler->handle, __func__));
    if (capacity != NULL) {
        *capacity = sampler->settings.capacity;
    }
    if (restart_probability != NULL) {
        *restart_probability = sampler->settings.restart_probability;
    }
    return EBM_OK;
}

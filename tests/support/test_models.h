/* SPDX-License-Identifier: MIT */
/*
 * A host's energy for tests, E(x) = sum_i a_i (x_i - m_i)^2 / 2 with tensors `scale` (a) and `mean` (m), whose
 * callbacks do what a test asks at a chosen call: answer something else, leave outputs unwritten, write a value that is
 * wrong, or call a hook.
 */
#ifndef EBM_TEST_MODELS_H
#define EBM_TEST_MODELS_H

#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include <ebm/ebm.h>

#define assert_ok(call) assert_status((call), EBM_OK)
#define assert_status(call, expected)                                                                                \
    do {                                                                                                             \
        ebm_status status_ = (call);                                                                                 \
        if (status_ != (expected)) {                                                                                 \
            fail_msg("%s\n  is %d (%s), not %d; last error: %s", #call, status_, ebm_status_string(status_),         \
                     (int)(expected), ebm_last_error());                                                             \
        }                                                                                                            \
    } while (0)

/* The last error contains this text. */
#define assert_message(text)                                                         \
    do {                                                                             \
        if (strstr(ebm_last_error(), (text)) == NULL) {                              \
            fail_msg("\"%s\" is not in the last error: %s", (text), ebm_last_error()); \
        }                                                                            \
    } while (0)

enum { CALL_ENERGY = 1, CALL_PARAM_GRAD = 2, CALL_INIT = 4 };
enum { OUT_NONE = 0, OUT_ENERGY = 1, OUT_GRAD_X = 2, OUT_GRAD_THETA = 4 };

typedef struct test_host {
    atomic_int calls;     /* of the callbacks that `counted` names, since it was armed */
    int counted;          /* CALL_... */
    int at;               /* the call at which something happens; 0: never; -1: at every one */
    int32_t answer;       /* what it returns there */
    int skip;             /* OUT_...: what it does not write there */
    int skip_half;        /* ... but only the second half of it */
    int spoil;            /* OUT_...: what it writes `value` into there, at its last element */
    double value;
    void (*hook)(void *); /* is called there; and `hook_data` with it */
    void *hook_data;
    atomic_int last_call; /* which callback it was: CALL_... */
} test_host;

static inline void test_host_arm(test_host *host, int counted, int at) {
    atomic_store(&host->calls, 0);
    host->counted = counted;
    host->at = at;
}

/* Is something to happen in this call? */
static inline int test_host_strikes(test_host *host, int which) {
    if ((host->counted & which) == 0) {
        return 0;
    }
    int call = atomic_fetch_add(&host->calls, 1) + 1;
    if (host->at != -1 && call != host->at) {
        return 0;
    }
    atomic_store(&host->last_call, which);
    if (host->hook != NULL) {
        host->hook(host->hook_data);
    }
    return 1;
}

static inline int64_t test_host_floats(const test_host *host, int strikes, int output, int64_t n) {
    return strikes && (host->skip & output) != 0 ? (host->skip_half ? n / 2 : 0) : n;
}

static inline void test_energies(int64_t n, int64_t dim, const float *x, const float *theta, double *energy) {
    for (int64_t r = 0; r < n; r++) {
        energy[r] = 0;
        for (int64_t i = 0; i < dim; i++) {
            double d = (double)x[r * dim + i] - (double)theta[dim + i];
            energy[r] += (double)theta[i] * d * d / 2;
        }
    }
}

static inline int32_t test_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                                  float *grad_x, void *user_data) {
    test_host *host = user_data;
    int strikes = test_host_strikes(host, CALL_ENERGY);
    int64_t n_energy = energy == NULL ? 0 : test_host_floats(host, strikes, OUT_ENERGY, n);
    int64_t n_grad = grad_x == NULL ? 0 : test_host_floats(host, strikes, OUT_GRAD_X, n * dim);
    test_energies(n_energy, dim, x, theta, energy);
    for (int64_t e = 0; e < n_grad; e++) {
        grad_x[e] = theta[e % dim] * (x[e] - theta[dim + e % dim]);
    }
    if (strikes && (host->spoil & OUT_ENERGY) != 0 && energy != NULL) {
        energy[n - 1] = host->value;
    }
    if (strikes && (host->spoil & OUT_GRAD_X) != 0 && grad_x != NULL) {
        grad_x[n * dim - 1] = (float)host->value;
    }
    return strikes ? host->answer : EBM_CB_OK;
}

static inline int32_t test_param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta,
                                      double *energy, float *grad_theta, void *user_data) {
    test_host *host = user_data;
    int strikes = test_host_strikes(host, CALL_PARAM_GRAD);
    int64_t n_energy = energy == NULL ? 0 : test_host_floats(host, strikes, OUT_ENERGY, n);
    int64_t n_grad = grad_theta == NULL ? 0 : test_host_floats(host, strikes, OUT_GRAD_THETA, 2 * dim);
    test_energies(n_energy, dim, x, theta, energy);
    for (int64_t p = 0; p < n_grad; p++) {
        double sum = 0;
        for (int64_t r = 0; r < n; r++) {
            double d = (double)x[r * dim + p % dim] - (double)theta[dim + p % dim];
            sum += (double)weight[r] * (p < dim ? d * d / 2 : -(double)theta[p % dim] * d);
        }
        grad_theta[p] = (float)sum;
    }
    if (strikes && (host->spoil & OUT_ENERGY) != 0 && energy != NULL) {
        energy[n - 1] = host->value;
    }
    if (strikes && (host->spoil & OUT_GRAD_THETA) != 0 && grad_theta != NULL) {
        grad_theta[2 * dim - 1] = (float)host->value;
    }
    return strikes ? host->answer : EBM_CB_OK;
}

/* a = 1, m = 0. */
static inline int32_t test_init(uint64_t seed, int64_t n_params, float *theta, void *user_data) {
    test_host *host = user_data;
    (void)seed;
    int strikes = test_host_strikes(host, CALL_INIT);
    int64_t n = test_host_floats(host, strikes, OUT_GRAD_THETA, n_params);
    for (int64_t i = 0; i < n; i++) {
        theta[i] = i < n_params / 2 ? 1.0F : 0.0F;
    }
    if (strikes && (host->spoil & OUT_GRAD_THETA) != 0) {
        theta[n_params - 1] = (float)host->value;
    }
    return strikes ? host->answer : EBM_CB_OK;
}

/* The model, with a_i = 1 + i / 4 and m_i = i / 8. */
static inline ebm_model *test_model_create(ebm_context *context, int64_t dim, int32_t concurrent, test_host *host) {
    enum { MOST_DIM = 64 };
    float theta[2 * MOST_DIM];
    assert_in_range(dim, 1, MOST_DIM);
    ebm_model *model = NULL;
    assert_ok(ebm_model_create(context, dim, test_energy, test_param_grad, host, &model));
    assert_ok(ebm_model_add_tensor(model, "scale", 1, &dim));
    assert_ok(ebm_model_add_tensor(model, "mean", 1, &dim));
    assert_ok(ebm_model_set_init(model, test_init));
    assert_ok(ebm_model_set_concurrent(model, concurrent));
    for (int64_t i = 0; i < dim; i++) {
        theta[i] = 1.0F + (float)i / 4;
        theta[dim + i] = (float)i / 8;
    }
    assert_ok(ebm_model_set_params(model, 2 * dim, theta));
    return model;
}

/* Numbers in [-1, 1) that only look random. */
static inline void test_fill(int64_t n, float *x) {
    uint32_t state = 12345;
    for (int64_t i = 0; i < n; i++) {
        state = state * 1664525U + 1013904223U;
        x[i] = (float)(state >> 8) / 8388608.0F - 1.0F;
    }
}

#endif /* EBM_TEST_MODELS_H */

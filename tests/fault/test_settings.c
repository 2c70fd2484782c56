/* SPDX-License-Identifier: MIT */
/* Every setter: the edges of its range and what is beyond, NaN too; a refusal names function, argument and value, and
 * leaves what was. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "test_models.h"

enum { DIM = 3, CHAINS = 4 };
#define NOT (double)NAN
#define INF (double)INFINITY

static ebm_context *context;
static test_host host;
static ebm_model *model;
static ebm_sampler *sampler;
static ebm_trainer *trainer;

static int setup(void **state) {
    (void)state;
    assert_ok(ebm_context_create(&context));
    model = test_model_create(context, DIM, 0, &host);
    assert_ok(ebm_sampler_create(NULL, model, CHAINS, 1, &sampler));
    assert_ok(ebm_trainer_create(NULL, model, sampler, &trainer));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    return 0;
}

static void assert_refusal(ebm_status status, const char *function, const char *argument, const char *value) {
    char text[128];
    assert_status(status, EBM_ERR_ARG);
    snprintf(text, sizeof text, "%s: ", function);
    assert_int_equal(strncmp(ebm_last_error(), text, strlen(text)), 0);
    snprintf(text, sizeof text, "%s is %s", argument, value);
    assert_message(text);
}

/* --- settings that are one number
 * ------------------------------------------------------------------------------------- */

enum { MOST_VALUES = 10 };

/* The setters and getters of samplers and trainers look the same from here. */
#define DOUBLE_SETTING(object, handle, name)                                                                     \
    static ebm_status set_##object##_##name(double value) { return ebm_##object##_set_##name(handle, value); }   \
    static ebm_status get_##object##_##name(double *value) { return ebm_##object##_get_##name(handle, value); }
#define INTEGER_SETTING(object, handle, name, type)                                                              \
    static ebm_status set_##object##_##name(int64_t value) { return ebm_##object##_set_##name(handle, (type)value); } \
    static ebm_status get_##object##_##name(int64_t *value) {                                                    \
        type got = -7;                                                                                           \
        ebm_status status = ebm_##object##_get_##name(handle, &got);                                             \
        *value = got;                                                                                            \
        return status;                                                                                           \
    }

DOUBLE_SETTING(sampler, sampler, step_size)
DOUBLE_SETTING(sampler, sampler, noise_std)
DOUBLE_SETTING(sampler, sampler, temperature)
DOUBLE_SETTING(sampler, sampler, grad_clip)
DOUBLE_SETTING(sampler, sampler, jitter)
DOUBLE_SETTING(sampler, sampler, friction)
DOUBLE_SETTING(trainer, trainer, learning_rate)
DOUBLE_SETTING(trainer, trainer, momentum)
DOUBLE_SETTING(trainer, trainer, epsilon)
DOUBLE_SETTING(trainer, trainer, weight_decay)
DOUBLE_SETTING(trainer, trainer, grad_clip)
DOUBLE_SETTING(trainer, trainer, energy_penalty)
DOUBLE_SETTING(trainer, trainer, data_noise)
DOUBLE_SETTING(trainer, trainer, average)
DOUBLE_SETTING(trainer, trainer, gap_limit)
DOUBLE_SETTING(trainer, trainer, difference_step)
INTEGER_SETTING(context, context, threads, int32_t)
INTEGER_SETTING(model, model, sign, int32_t)
INTEGER_SETTING(model, model, concurrent, int32_t)
INTEGER_SETTING(sampler, sampler, kernel, int32_t)
INTEGER_SETTING(sampler, sampler, noise_order, int32_t)
INTEGER_SETTING(sampler, sampler, start, int32_t)
INTEGER_SETTING(sampler, sampler, leapfrog_steps, int64_t)
INTEGER_SETTING(sampler, sampler, metric_adaptation, int32_t)
INTEGER_SETTING(sampler, sampler, max_depth, int32_t)
INTEGER_SETTING(sampler, sampler, swap_every, int64_t)
INTEGER_SETTING(trainer, trainer, optimizer, int32_t)
INTEGER_SETTING(trainer, trainer, mcmc_steps, int64_t)
INTEGER_SETTING(trainer, trainer, batch_size, int64_t)
INTEGER_SETTING(trainer, trainer, noise_ratio, int64_t)
INTEGER_SETTING(trainer, trainer, objective, int32_t)
INTEGER_SETTING(trainer, trainer, health_record, int32_t)

#define DOUBLE(object, name) "ebm_" #object "_set_" #name, set_##object##_##name, get_##object##_##name

static const struct {
    const char *function;
    ebm_status (*set)(double);
    ebm_status (*get)(double *);
    const char *argument;
    double initial;
    double good[MOST_VALUES]; /* up to the first 12345 */
    double bad[MOST_VALUES];
} DOUBLES[] = {
#define END 12345
    {DOUBLE(sampler, step_size), "eta", 0.01, {1e-30, 3e38, 10, END}, {0, -0.0, -1, 1e-50, 1e300, INF, -INF, NOT, END}},
    {DOUBLE(sampler, temperature), "temperature", 1, {0, 2, 3e38, END}, {-1e-9, -1, 1e300, INF, NOT, END}},
    {DOUBLE(sampler, noise_std), "sigma", 0, {0, 0.5, 3e38, END}, {-0.5, -2, 1e-50, 1e300, INF, -INF, NOT, END}},
    {DOUBLE(sampler, grad_clip), "limit", INF, {INF, 1e-30, 5, END}, {0, -1, -INF, 1e-50, NOT, END}},
    {DOUBLE(sampler, jitter), "fraction", 0, {0, 0.999, 0.5, END}, {1, -0.1, INF, NOT, END}},
    {DOUBLE(sampler, friction), "gamma", 1, {1e-30, 5, INF, END}, {0, -1, -INF, NOT, END}},
    {DOUBLE(trainer, learning_rate), "rate", 1e-3, {0, 3e38, 0.5, END}, {-1e-9, 1e300, INF, -INF, NOT, END}},
    {DOUBLE(trainer, momentum), "momentum", 0, {0, 0.999999, 0.5, END}, {1, -0.1, INF, NOT, END}},
    {DOUBLE(trainer, epsilon), "epsilon", 1e-8, {1e-30, 1, END}, {0, -1, 1e-50, 1e300, INF, NOT, END}},
    {DOUBLE(trainer, weight_decay), "decay", 0, {0, 3, END}, {-1, 1e300, INF, NOT, END}},
    {DOUBLE(trainer, grad_clip), "norm", INF, {INF, 1e-30, 5, END}, {0, -1, -INF, NOT, END}},
    {DOUBLE(trainer, energy_penalty), "alpha", 0, {0, 3, END}, {-1, 1e300, INF, NOT, END}},
    {DOUBLE(trainer, data_noise), "std", 0, {0, 3, END}, {-1, 1e300, INF, NOT, END}},
    {DOUBLE(trainer, average), "decay", 0, {0, 0.9999, 0.5, END}, {1, -0.1, INF, NOT, END}},
    {DOUBLE(trainer, gap_limit), "limit", INF, {INF, 1e-30, 5, END}, {0, -1, -INF, NOT, END}},
    {DOUBLE(trainer, difference_step), "share", 0x1p-8, {1e-6, 1, 0.02, END}, {0, -1, 0.9e-6, 1.1, INF, NOT, END}},
};

static void test_doubles(void **state) {
    double got;
    (void)state;
    assert_ok(ebm_sampler_get_noise_std(sampler, &got));
    assert_true(fabs(got - sqrt(0.02)) < 1e-15); /* sqrt(2 eta T), until it is set */
    assert_ok(ebm_sampler_set_noise_std(sampler, 0));
    for (size_t i = 0; i < sizeof DOUBLES / sizeof DOUBLES[0]; i++) {
        assert_ok(DOUBLES[i].get(&got));
        assert_true(got == DOUBLES[i].initial);
        for (int k = 0; DOUBLES[i].good[k] != END; k++) {
            assert_ok(DOUBLES[i].set(DOUBLES[i].good[k]));
            assert_ok(DOUBLES[i].get(&got));
            assert_true(got == DOUBLES[i].good[k]);
        }
        double kept = got;
        for (int k = 0; DOUBLES[i].bad[k] != END; k++) {
            char value[32];
            snprintf(value, sizeof value, "%g", DOUBLES[i].bad[k]);
            assert_refusal(DOUBLES[i].set(DOUBLES[i].bad[k]), DOUBLES[i].function, DOUBLES[i].argument, value);
            assert_ok(DOUBLES[i].get(&got));
            assert_true(got == kept);
        }
    }
}

static const struct {
    const char *function;
    ebm_status (*set)(int64_t);
    ebm_status (*get)(int64_t *);
    const char *argument;
    int64_t initial, least, most;
} INTEGERS[] = {
    {DOUBLE(context, threads), "n", 1, 1, 256},
    {DOUBLE(model, sign), "sign", 0, 0, 1},
    {DOUBLE(model, concurrent), "concurrent", 0, 0, 1},
    {DOUBLE(sampler, kernel), "kernel", 1, 1, EBM_KERNEL_NUTS},
    {DOUBLE(sampler, noise_order), "order", 0, 0, 1},
    {DOUBLE(sampler, start), "start", 2, 0, 2},
    {DOUBLE(sampler, leapfrog_steps), "n", 10, 1, INT64_MAX},
    {DOUBLE(sampler, metric_adaptation), "on", 1, 0, 1},
    {DOUBLE(sampler, max_depth), "depth", 10, 1, 20},
    {DOUBLE(sampler, swap_every), "n_steps", 1, 1, INT64_MAX},
    {DOUBLE(trainer, optimizer), "optimizer", 2, 1, 3},
    {DOUBLE(trainer, mcmc_steps), "k", 20, 1, INT64_MAX},
    {DOUBLE(trainer, batch_size), "n", 128, 1, INT64_MAX},
    {DOUBLE(trainer, noise_ratio), "ratio", 1, 1, INT64_MAX},
    {DOUBLE(trainer, objective), "objective", 1, 1, 4},
    {DOUBLE(trainer, health_record), "on", 1, 0, 1},
};

static void test_integers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof INTEGERS / sizeof INTEGERS[0]; i++) {
        int64_t got;
        char value[32];
        bool wide = INTEGERS[i].most == INT64_MAX;
        const int64_t good[] = {INTEGERS[i].most > 100 && !wide ? 3 : INTEGERS[i].most, INTEGERS[i].least};
        const int64_t bad[] = {INTEGERS[i].least - 1, wide ? INT64_MIN : INT32_MIN, wide ? -5 : INTEGERS[i].most + 1,
                               wide ? 0 : INT32_MAX};
        assert_ok(INTEGERS[i].get(&got));
        assert_int_equal(got, INTEGERS[i].initial);
        for (int k = 0; k < 2; k++) {
            assert_ok(INTEGERS[i].set(good[k]));
            assert_ok(INTEGERS[i].get(&got));
            assert_int_equal(got, good[k]);
        }
        for (int k = 0; k < 4; k++) {
            snprintf(value, sizeof value, "%lld", (long long)bad[k]);
            assert_refusal(INTEGERS[i].set(bad[k]), INTEGERS[i].function, INTEGERS[i].argument, value);
            assert_ok(INTEGERS[i].get(&got));
            assert_int_equal(got, INTEGERS[i].least);
        }
    }
}

/* --- settings of several numbers
 * -------------------------------------------------------------------------------------- */

static void test_bounds(void **state) {
    static const double bad[][2] = {{1, 1},     {2, 1},       {NOT, 1},       {0, NOT},
                                    {INF, INF}, {-INF, -INF}, {1, 1 + 1e-12}, {1e300, INF}};
    double lo;
    double hi;
    int32_t rule;
    float x[CHAINS * DIM] = {0.5F, -0.5F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3};
    (void)state;
    assert_ok(ebm_sampler_get_bounds(sampler, &lo, &hi, &rule));
    assert_true(lo == -INF && hi == INF && rule == EBM_BOUNDS_CLAMP);
    assert_ok(ebm_sampler_set_bounds(sampler, -1, INF, EBM_BOUNDS_REFLECT));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char value[64];
        snprintf(value, sizeof value, "%g and hi is %g", bad[i][0], bad[i][1]);
        assert_refusal(ebm_sampler_set_bounds(sampler, bad[i][0], bad[i][1], EBM_BOUNDS_CLAMP),
                       "ebm_sampler_set_bounds", "lo", value);
    }
    assert_refusal(ebm_sampler_set_bounds(sampler, -1, 1, 2), "ebm_sampler_set_bounds", "rule", "2");
    assert_refusal(ebm_sampler_set_bounds(sampler, -1, 1, -1), "ebm_sampler_set_bounds", "rule", "-1");
    assert_ok(ebm_sampler_set_states(sampler, CHAINS, x));
    assert_status(ebm_sampler_set_bounds(sampler, -1, 1, EBM_BOUNDS_CLAMP), EBM_ERR_STATE); /* chain 3 stands at 3 */
    assert_message("ebm_sampler_set_bounds: chain 3 stands outside -1 to 1: coordinate 2 is 3");
    assert_ok(ebm_sampler_get_bounds(sampler, &lo, &hi, &rule));
    assert_true(lo == -1 && hi == INF && rule == EBM_BOUNDS_REFLECT);
    x[11] = 1;
    assert_ok(ebm_sampler_set_states(sampler, CHAINS, x));
    assert_ok(ebm_sampler_set_bounds(sampler, -1, 1, EBM_BOUNDS_CLAMP));
    x[11] = 1.5F;
    assert_status(ebm_sampler_set_states(sampler, CHAINS, x), EBM_ERR_ARG);
    assert_message("ebm_sampler_set_states: x is 1.5 at chain 3, coordinate 2");
    assert_ok(ebm_sampler_get_bounds(sampler, NULL, NULL, NULL));
}

static void test_mask(void **state) {
    uint8_t mask[DIM] = {9, 9, 9};
    (void)state;
    assert_ok(ebm_sampler_get_mask(sampler, mask));
    assert_true(mask[0] == 1 && mask[1] == 1 && mask[2] == 1);
    assert_ok(ebm_sampler_set_mask(sampler, (const uint8_t[]){0, 1, 0}));
    assert_refusal(ebm_sampler_set_mask(sampler, (const uint8_t[]){0, 1, 2}), "ebm_sampler_set_mask", "free[2]", "2");
    assert_refusal(ebm_sampler_set_mask(sampler, (const uint8_t[]){0, 0, 0}), "ebm_sampler_set_mask", "free",
                   "0 everywhere");
    assert_ok(ebm_sampler_get_mask(sampler, mask));
    assert_true(mask[0] == 0 && mask[1] == 1 && mask[2] == 0);
    assert_ok(ebm_sampler_set_mask(sampler, NULL));
    assert_ok(ebm_sampler_get_mask(sampler, mask));
    assert_true(mask[0] == 1);
}

static void test_noise_start(void **state) {
    static const struct {
        int32_t kind;
        double a, b;
    } bad[] = {{EBM_NOISE_NORMAL, 0, -1},   {EBM_NOISE_NORMAL, NOT, 1},  {EBM_NOISE_NORMAL, 0, INF},
               {EBM_NOISE_NORMAL, 0, 1e38}, {EBM_NOISE_UNIFORM, 1, 1},   {EBM_NOISE_UNIFORM, 2, 1},
               {EBM_NOISE_UNIFORM, 0, NOT}, {EBM_NOISE_UNIFORM, -INF, 0}};
    int32_t kind;
    double a;
    double b;
    (void)state;
    assert_ok(ebm_sampler_get_noise_start(sampler, &kind, &a, &b));
    assert_true(kind == EBM_NOISE_NORMAL && a == 0 && b == 1);
    assert_ok(ebm_sampler_set_noise_start(sampler, EBM_NOISE_NORMAL, 5, 0));
    assert_ok(ebm_sampler_set_noise_start(sampler, EBM_NOISE_UNIFORM, -3e38, 3e38));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char value[64];
        snprintf(value, sizeof value, "%g and b is %g", bad[i].a, bad[i].b);
        assert_refusal(ebm_sampler_set_noise_start(sampler, bad[i].kind, bad[i].a, bad[i].b),
                       "ebm_sampler_set_noise_start", "a", value);
    }
    assert_refusal(ebm_sampler_set_noise_start(sampler, 2, 0, 1), "ebm_sampler_set_noise_start", "kind", "2");
    assert_ok(ebm_sampler_get_noise_start(sampler, &kind, &a, &b));
    assert_true(kind == EBM_NOISE_UNIFORM && a == -3e38 && b == 3e38);
    float x[CHAINS * DIM];
    assert_ok(ebm_sampler_get_states(sampler, CHAINS, x));
    for (int i = 0; i < CHAINS * DIM; i++) {
        assert_true(isfinite(x[i]));
    }
}

static void test_buffer(void **state) {
    int64_t capacity;
    double probability;
    (void)state;
    assert_ok(ebm_sampler_get_buffer(sampler, &capacity, &probability));
    assert_true(capacity == 0 && probability == 0);
    assert_ok(ebm_sampler_set_buffer(sampler, CHAINS, 1));
    assert_ok(ebm_sampler_set_buffer(sampler, 0, 0.5));
    assert_refusal(ebm_sampler_set_buffer(sampler, CHAINS - 1, 0), "ebm_sampler_set_buffer", "capacity", "3");
    assert_refusal(ebm_sampler_set_buffer(sampler, -1, 0), "ebm_sampler_set_buffer", "capacity", "-1");
    assert_refusal(ebm_sampler_set_buffer(sampler, 0, -0.1), "ebm_sampler_set_buffer", "restart_probability", "-0.1");
    assert_refusal(ebm_sampler_set_buffer(sampler, 0, 1.1), "ebm_sampler_set_buffer", "restart_probability", "1.1");
    assert_refusal(ebm_sampler_set_buffer(sampler, 0, NOT), "ebm_sampler_set_buffer", "restart_probability", "nan");
    assert_ok(ebm_sampler_get_buffer(sampler, &capacity, &probability));
    assert_true(capacity == 0 && probability == 0.5);
}

static void test_ladder(void **state) {
    const double good[] = {1, 1.5, 1e30};
    const struct {
        double t[3];
        const char *argument, *value;
    } bad[] = {{{1.1, 2, 3}, "temperatures[0]", "1.1"}, {{0, 2, 3}, "temperatures[0]", "0"},
               {{1, 1, 3}, "temperatures[1]", "1"},     {{1, 0.5, 3}, "temperatures[1]", "0.5"},
               {{1, 2, 2}, "temperatures[2]", "2"},     {{1, NOT, 2}, "temperatures[1]", "nan"},
               {{NOT, 2, 3}, "temperatures[0]", "nan"}, {{1, 2, INF}, "temperatures[2]", "inf"},
               {{1, 2, 1e39}, "temperatures[2]", "1e+39"}};
    const struct {
        double f[3];
        const char *argument, *value;
    } bad_factors[] = {{{2, 1, 1}, "factors[0]", "2"},    {{1, 0, 1}, "factors[1]", "0"},
                       {{1, 1, -1}, "factors[2]", "-1"},  {{1, NOT, 1}, "factors[1]", "nan"},
                       {{1, 1, INF}, "factors[2]", "inf"}, {{1, 1e-50, 1}, "factors[1]", "1e-50"}};
    double got[3];
    (void)state;
    assert_ok(ebm_sampler_get_ladder(sampler, 1, got));
    assert_true(got[0] == 1);
    assert_ok(ebm_sampler_get_rung_step_sizes(sampler, 1, got));
    assert_true(got[0] == 1);
    assert_ok(ebm_sampler_set_ladder(sampler, 3, good));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_refusal(ebm_sampler_set_ladder(sampler, 3, bad[i].t), "ebm_sampler_set_ladder", bad[i].argument,
                       bad[i].value);
    }
    assert_ok(ebm_sampler_get_ladder(sampler, 3, got));
    assert_memory_equal(got, good, sizeof got);
    assert_ok(ebm_sampler_set_rung_step_sizes(sampler, 3, good));
    for (size_t i = 0; i < sizeof bad_factors / sizeof bad_factors[0]; i++) {
        assert_refusal(ebm_sampler_set_rung_step_sizes(sampler, 3, bad_factors[i].f), "ebm_sampler_set_rung_step_sizes",
                       bad_factors[i].argument, bad_factors[i].value);
    }
    assert_ok(ebm_sampler_get_rung_step_sizes(sampler, 3, got));
    assert_memory_equal(got, good, sizeof got);
    assert_ok(ebm_sampler_set_ladder(sampler, 1, NULL));
    assert_int_equal(ebm_sampler_rung_count(sampler), 1);
}

static void test_schedule(void **state) {
    (void)state;
    const char *const function = "ebm_trainer_set_schedule";
    const int32_t rate = EBM_SCHEDULED_LEARNING_RATE;
    int32_t kind;
    int64_t warmup;
    int64_t steps;
    double factor;
    for (int32_t what = rate; what <= EBM_SCHEDULED_MCMC_STEPS; what++) {
        assert_ok(ebm_trainer_get_schedule(trainer, what, &kind, &warmup, &steps, &factor));
        assert_true(kind == EBM_SCHEDULE_CONSTANT && warmup == 0 && steps == 1 && factor == 1);
        assert_ok(ebm_trainer_set_schedule(trainer, what, EBM_SCHEDULE_STEP, 0, INT64_MAX, 2));
        assert_ok(ebm_trainer_set_schedule(trainer, what, EBM_SCHEDULE_CONSTANT, INT64_MAX, -1, NOT)); /* ignored */
        assert_ok(ebm_trainer_get_schedule(trainer, what, &kind, &warmup, &steps, &factor));
        assert_true(kind == EBM_SCHEDULE_CONSTANT && warmup == INT64_MAX && steps == 1 && factor == 1);
        assert_ok(ebm_trainer_set_schedule(trainer, what, EBM_SCHEDULE_COSINE, what, 10 * what, 0.5));
    }
    assert_refusal(ebm_trainer_set_schedule(trainer, 0, 1, 0, 1, 1), function, "what", "0");
    assert_refusal(ebm_trainer_set_schedule(trainer, 5, 1, 0, 1, 1), function, "what", "5");
    assert_refusal(ebm_trainer_set_schedule(trainer, rate, -1, 0, 1, 1), function, "kind", "-1");
    assert_refusal(ebm_trainer_set_schedule(trainer, rate, 5, 0, 1, 1), function, "kind", "5");
    assert_refusal(ebm_trainer_set_schedule(trainer, rate, 0, -1, 1, 1), function, "warmup_steps", "-1");
    assert_refusal(ebm_trainer_set_schedule(trainer, rate, 1, 0, 0, 1), function, "n_steps", "0");
    assert_refusal(ebm_trainer_set_schedule(trainer, rate, 1, 0, 1, -0.5), function, "factor", "-0.5");
    assert_refusal(ebm_trainer_set_schedule(trainer, rate, 1, 0, 1, NOT), function, "factor", "nan");
    assert_refusal(ebm_trainer_set_schedule(trainer, rate, 1, 0, 1, 1e39), function, "factor", "1e+39");
    assert_refusal(ebm_trainer_set_schedule(trainer, rate, EBM_SCHEDULE_EXPONENTIAL, 0, 1, 0), function, "factor", "0");
    assert_refusal(ebm_trainer_set_schedule(trainer, rate, EBM_SCHEDULE_STEP, 0, 1, 0), function, "factor", "0");
    assert_refusal(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_STEP_SIZE, EBM_SCHEDULE_LINEAR, 0, 1, 0), function,
                   "factor", "0");
    for (int32_t what = rate; what <= EBM_SCHEDULED_MCMC_STEPS; what++) {
        assert_ok(ebm_trainer_get_schedule(trainer, what, &kind, &warmup, &steps, &factor));
        assert_true(kind == EBM_SCHEDULE_COSINE && warmup == what && steps == 10 * what && factor == 0.5);
    }
    assert_refusal(ebm_trainer_get_schedule(trainer, 0, &kind, NULL, NULL, NULL), "ebm_trainer_get_schedule", "what",
                   "0");
    assert_refusal(ebm_trainer_get_scheduled_value(trainer, 9, &factor), "ebm_trainer_get_scheduled_value", "what",
                   "9");
}

static int32_t sample(int64_t n, int64_t dim, const float *normals, float *y, void *data) {
    (void)n, (void)dim, (void)normals, (void)y, (void)data;
    return EBM_CB_OK;
}

static int32_t density(int64_t n, int64_t dim, const float *x, double *log_density, void *data) {
    (void)n, (void)dim, (void)x, (void)log_density, (void)data;
    return EBM_CB_OK;
}

/* --- of the objectives */

static void test_noise_levels(void **state) {
    static double many[257];
    const double levels[] = {0.5, 1e-30, 3e38};
    const double bad[] = {0, -1, 1e300, 1e-50, INF, NOT};
    double got[256];
    int32_t n = 0;
    (void)state;
    assert_ok(ebm_trainer_get_noise_levels(trainer, &n, got));
    assert_true(n == 1 && got[0] == 0.1);
    assert_ok(ebm_trainer_set_noise_levels(trainer, 3, levels));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const double pair[] = {1, bad[i]};
        char value[32];
        snprintf(value, sizeof value, "%g", bad[i]);
        assert_refusal(ebm_trainer_set_noise_levels(trainer, 2, pair), "ebm_trainer_set_noise_levels", "std[1]", value);
    }
    for (int i = 0; i < 257; i++) {
        many[i] = 1 + i;
    }
    assert_refusal(ebm_trainer_set_noise_levels(trainer, 0, many), "ebm_trainer_set_noise_levels", "n", "0");
    assert_refusal(ebm_trainer_set_noise_levels(trainer, 257, many), "ebm_trainer_set_noise_levels", "n", "257");
    assert_status(ebm_trainer_set_noise_levels(trainer, 1, NULL), EBM_ERR_ARG);
    assert_ok(ebm_trainer_get_noise_levels(trainer, NULL, got));
    assert_memory_equal(got, levels, sizeof levels);
    assert_ok(ebm_trainer_set_noise_levels(trainer, 256, many));
    assert_ok(ebm_trainer_get_noise_levels(trainer, &n, got));
    assert_true(n == 256);
    assert_memory_equal(got, many, sizeof got);
}

static void test_noise(void **state) {
    ebm_noise_sample_fn got_sample = NULL;
    ebm_noise_density_fn got_density = NULL;
    int64_t normals = -1;
    void *data = NULL;
    const float rows[] = {0, 1, 2, 2, 1, -1};
    (void)state;
    assert_refusal(ebm_trainer_set_noise(trainer, sample, density, 0, NULL), "ebm_trainer_set_noise", "normals_per_row",
                   "0");
    assert_status(ebm_trainer_set_noise(trainer, sample, NULL, 1, NULL), EBM_ERR_ARG);
    assert_status(ebm_trainer_set_noise(trainer, NULL, density, 1, NULL), EBM_ERR_ARG);
    assert_ok(ebm_trainer_set_noise(trainer, sample, density, 5, &normals));
    assert_ok(ebm_trainer_get_noise(trainer, &got_sample, &got_density, &normals, &data));
    assert_true(got_sample == sample && got_density == density && normals == 5 && data == &normals);
    assert_ok(ebm_trainer_set_noise(trainer, NULL, NULL, -5, &normals));
    assert_ok(ebm_trainer_get_noise(trainer, &got_sample, &got_density, &normals, &data));
    assert_true(got_sample == NULL && got_density == NULL && normals == 0 && data == NULL);

    const char *const fit = "ebm_trainer_fit_noise";
    assert_refusal(ebm_trainer_fit_noise(trainer, 2, rows, 0, 0.1), fit, "covariance", "0");
    assert_refusal(ebm_trainer_fit_noise(trainer, 2, rows, 3, 0.1), fit, "covariance", "3");
    assert_refusal(ebm_trainer_fit_noise(trainer, 2, rows, EBM_COVARIANCE_FULL, -1), fit, "min_std", "-1");
    assert_refusal(ebm_trainer_fit_noise(trainer, 2, rows, EBM_COVARIANCE_FULL, NOT), fit, "min_std", "nan");
    assert_refusal(ebm_trainer_fit_noise(trainer, 0, NULL, EBM_COVARIANCE_FULL, 1), fit, "n", "0");
    /* The second coordinate never changes. */
    assert_refusal(ebm_trainer_fit_noise(trainer, 2, rows, EBM_COVARIANCE_FULL, 0), fit, "min_std", "0");
    assert_refusal(ebm_trainer_fit_noise(trainer, 2, rows, EBM_COVARIANCE_DIAGONAL, 0), fit, "min_std", "0");
    assert_ok(ebm_trainer_fit_noise(trainer, 2, rows, EBM_COVARIANCE_FULL, 1e-3));
    assert_ok(ebm_trainer_fit_noise(trainer, 1, rows, EBM_COVARIANCE_DIAGONAL, 1e-3));
}

static void test_log_z_and_seed(void **state) {
    double log_z = 7;
    uint64_t seed = 7;
    (void)state;
    assert_status(ebm_trainer_get_log_z(trainer, &log_z), EBM_ERR_STATE);
    assert_refusal(ebm_trainer_set_log_z(trainer, NOT), "ebm_trainer_set_log_z", "log_z", "nan");
    assert_refusal(ebm_trainer_set_log_z(trainer, 1e300), "ebm_trainer_set_log_z", "log_z", "1e+300");
    assert_ok(ebm_trainer_set_log_z(trainer, -3.5));
    assert_ok(ebm_trainer_get_log_z(trainer, &log_z));
    assert_true(log_z == -3.5);
    assert_ok(ebm_trainer_set_seed(trainer, UINT64_MAX));
    assert_ok(ebm_trainer_get_seed(trainer, &seed));
    assert_true(seed == UINT64_MAX);
}

static int32_t progress(const ebm_trainer *t, void *data) {
    (void)t;
    (void)data;
    return EBM_CB_OK;
}

static void test_betas_and_progress(void **state) {
    static const double bad[][2] = {{1, 0}, {0, 1}, {-0.1, 0}, {0, -0.1}, {NOT, 0}, {0, NOT}};
    double beta1;
    double beta2;
    ebm_progress_fn fn;
    void *data;
    int64_t every;
    (void)state;
    assert_ok(ebm_trainer_get_betas(trainer, &beta1, &beta2));
    assert_true(beta1 == 0.9 && beta2 == 0.999);
    assert_ok(ebm_trainer_set_betas(trainer, 0, 0.5));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char value[64];
        snprintf(value, sizeof value, "%g and beta2 is %g", bad[i][0], bad[i][1]);
        assert_refusal(ebm_trainer_set_betas(trainer, bad[i][0], bad[i][1]), "ebm_trainer_set_betas", "beta1", value);
    }
    assert_ok(ebm_trainer_get_betas(trainer, &beta1, &beta2));
    assert_true(beta1 == 0 && beta2 == 0.5);
    assert_ok(ebm_trainer_set_progress(trainer, progress, &every, 5));
    assert_refusal(ebm_trainer_set_progress(trainer, NULL, NULL, 0), "ebm_trainer_set_progress", "every", "0");
    assert_ok(ebm_trainer_get_progress(trainer, &fn, &data, &every));
    assert_true(fn == progress && data == &every && every == 5);
}

/* Settings that do not go together are found when they are used. */
static void test_ladder_needs(void **state) {
    (void)state;
    assert_ok(ebm_sampler_set_ladder(sampler, 2, (const double[]){1, 2}));
    assert_ok(ebm_sampler_set_temperature(sampler, 0));
    assert_status(ebm_sampler_run(sampler, 1), EBM_ERR_STATE);
    assert_message("a ladder needs a temperature");
    assert_ok(ebm_sampler_set_noise_std(sampler, 0.1)); /* it implies one */
    assert_ok(ebm_sampler_run(sampler, 1));
    assert_ok(ebm_sampler_set_temperature(sampler, 1));
    assert_ok(ebm_sampler_set_noise_std(sampler, 0));
    assert_status(ebm_sampler_run(sampler, 1), EBM_ERR_STATE);
    assert_ok(ebm_sampler_set_ladder(sampler, 1, NULL)); /* descent needs none */
    assert_ok(ebm_sampler_run(sampler, 1));
}

static void test_mala_needs(void **state) {
    (void)state;
    assert_ok(ebm_sampler_set_kernel(sampler, EBM_KERNEL_MALA));
    assert_ok(ebm_sampler_set_noise_std(sampler, 0));
    assert_status(ebm_sampler_run(sampler, 1), EBM_ERR_STATE);
    assert_message("noise_std is 0");
    assert_ok(ebm_sampler_set_noise_std(sampler, 1));
    assert_ok(ebm_sampler_set_temperature(sampler, 0));
    assert_status(ebm_sampler_run(sampler, 1), EBM_ERR_STATE);
    assert_message("temperature");
    assert_ok(ebm_sampler_set_temperature(sampler, 1));
    assert_ok(ebm_sampler_set_noise_order(sampler, EBM_NOISE_BEFORE_GRADIENT));
    assert_status(ebm_sampler_run(sampler, 1), EBM_ERR_STATE);
    assert_message("noise order");
    assert_ok(ebm_sampler_set_noise_order(sampler, EBM_NOISE_WITH_GRADIENT));
    assert_ok(ebm_sampler_run(sampler, 1));
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_noise_levels), TEST(test_noise), TEST(test_log_z_and_seed),
        TEST(test_doubles),     TEST(test_integers), TEST(test_bounds),
        TEST(test_mask),        TEST(test_noise_start),
        TEST(test_buffer),      TEST(test_schedule),
        TEST(test_betas_and_progress), TEST(test_mala_needs),
        TEST(test_ladder),      TEST(test_ladder_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Schedules: f(t) against its formulas at every boundary; and training under them against training whose settings are
 * put to the same values by hand before every step, to the last bit.
 */
#include "failing_allocator.h"
#include "test_models.h"

enum { DIM = 3, CHAINS = 8, ROWS = 8, PARAMS = 2 * DIM, STEPS = 40 };

typedef struct training {
    test_host host;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    float data[ROWS * DIM];
} training;

static void begin_in(ebm_context *context, training *t, int32_t kernel, double noise_std) {
    *t = (training){0};
    t->model = test_model_create(context, DIM, 0, &t->host);
    assert_ok(ebm_sampler_create(NULL, t->model, CHAINS, 3, &t->sampler));
    assert_ok(ebm_sampler_set_kernel(t->sampler, kernel));
    assert_ok(ebm_sampler_set_step_size(t->sampler, 0.1));
    assert_ok(ebm_sampler_set_noise_std(t->sampler, noise_std));
    assert_ok(ebm_sampler_set_start(t->sampler, EBM_START_PERSISTENT));
    assert_ok(ebm_trainer_create(NULL, t->model, t->sampler, &t->trainer));
    assert_ok(ebm_trainer_set_learning_rate(t->trainer, 0.01));
    assert_ok(ebm_trainer_set_mcmc_steps(t->trainer, 4));
    test_fill(ROWS * DIM, t->data);
}

static void begin(training *t, int32_t kernel, double noise_std) {
    begin_in(NULL, t, kernel, noise_std);
}

static void end(training *t) {
    ebm_trainer_destroy(t->trainer);
    ebm_sampler_destroy(t->sampler);
    ebm_model_destroy(t->model);
}

static double value_of(const training *t, int32_t what) {
    double value;
    assert_ok(ebm_trainer_get_scheduled_value(t->trainer, what, &value));
    return value;
}

static void assert_same(const training *a, const training *b) {
    float theta[2][PARAMS];
    float x[2][CHAINS * DIM];
    const training *const both[] = {a, b};
    for (int i = 0; i < 2; i++) {
        assert_ok(ebm_model_get_params(both[i]->model, PARAMS, theta[i]));
        assert_ok(ebm_sampler_get_states(both[i]->sampler, CHAINS, x[i]));
    }
    assert_memory_equal(theta[0], theta[1], sizeof theta[0]);
    assert_memory_equal(x[0], x[1], sizeof x[0]);
}

/* --- the formulas */

typedef struct expectation {
    int32_t kind;
    int64_t warmup, n;
    double r;
    int64_t t;
    double f;
} expectation;

/* Worked out by hand: before, at and after the end of the warm-up, half way, at and beyond the end. */
static const expectation EXPECTED[] = {
    {EBM_SCHEDULE_CONSTANT, 0, 1, 1, 0, 1},
    {EBM_SCHEDULE_CONSTANT, 3, 1, 1, 0, 0.25},
    {EBM_SCHEDULE_CONSTANT, 3, 1, 1, 2, 0.75},
    {EBM_SCHEDULE_CONSTANT, 3, 1, 1, 3, 1},
    {EBM_SCHEDULE_CONSTANT, 3, 1, 1, 25, 1},
    {EBM_SCHEDULE_LINEAR, 0, 8, 0.5, 0, 1},
    {EBM_SCHEDULE_LINEAR, 0, 8, 0.5, 1, 0.9375},
    {EBM_SCHEDULE_LINEAR, 0, 8, 0.5, 7, 0.5625},
    {EBM_SCHEDULE_LINEAR, 0, 8, 0.5, 8, 0.5},
    {EBM_SCHEDULE_LINEAR, 0, 8, 0.5, 25, 0.5},
    {EBM_SCHEDULE_LINEAR, 1, 8, 3, 0, 0.5},
    {EBM_SCHEDULE_LINEAR, 1, 8, 3, 1, 1},
    {EBM_SCHEDULE_LINEAR, 1, 8, 3, 5, 2},
    {EBM_SCHEDULE_LINEAR, 1, 8, 3, 9, 3},
    {EBM_SCHEDULE_LINEAR, 0, 1, 0, 1, 0},
    {EBM_SCHEDULE_LINEAR, 0, INT64_MAX, 0, 25, 1},
    {EBM_SCHEDULE_EXPONENTIAL, 0, 8, 0.25, 0, 1},
    {EBM_SCHEDULE_EXPONENTIAL, 0, 8, 0.25, 4, 0.5},
    {EBM_SCHEDULE_EXPONENTIAL, 0, 8, 0.25, 8, 0.25},
    {EBM_SCHEDULE_EXPONENTIAL, 0, 8, 0.25, 25, 0.25},
    {EBM_SCHEDULE_EXPONENTIAL, 4, 8, 16, 6, 2},
    {EBM_SCHEDULE_COSINE, 0, 6, 0, 0, 1},
    {EBM_SCHEDULE_COSINE, 0, 6, 0, 2, 0.75},
    {EBM_SCHEDULE_COSINE, 0, 6, 0, 3, 0.5},
    {EBM_SCHEDULE_COSINE, 0, 6, 0, 6, 0},
    {EBM_SCHEDULE_COSINE, 0, 6, 0.2, 25, 0.2},
    {EBM_SCHEDULE_COSINE, 4, 6, 0.2, 3, 0.8},
    {EBM_SCHEDULE_COSINE, 4, 6, 0.2, 8, 0.4},
    {EBM_SCHEDULE_STEP, 0, 5, 0.5, 4, 1},
    {EBM_SCHEDULE_STEP, 0, 5, 0.5, 5, 0.5},
    {EBM_SCHEDULE_STEP, 0, 5, 0.5, 9, 0.5},
    {EBM_SCHEDULE_STEP, 0, 5, 0.5, 25, 0.03125},
    {EBM_SCHEDULE_STEP, 2, 5, 2, 1, 2.0 / 3},
    {EBM_SCHEDULE_STEP, 2, 5, 2, 6, 1},
    {EBM_SCHEDULE_STEP, 2, 5, 2, 7, 2},
    {EBM_SCHEDULE_STEP, 2, 5, 2, 12, 4},
};

/* Four settings share f; that of the learning rate follows steps that are made. */
static void formulas(void **state) {
    (void)state;
    enum { MOST = 26, N = sizeof EXPECTED / sizeof *EXPECTED };
    training t;
    begin(&t, EBM_KERNEL_LANGEVIN, 0.5);
    int n_checked = 0;
    for (int64_t steps = 0; steps < MOST; steps++) {
        assert_ok(ebm_trainer_set_learning_rate(t.trainer, 1e-3));
        for (const expectation *e = EXPECTED; e < EXPECTED + N; e++) {
            if (e->t != steps) {
                continue;
            }
            for (int32_t what = EBM_SCHEDULED_LEARNING_RATE; what <= EBM_SCHEDULED_MCMC_STEPS; what++) {
                static const double setting[] = {1e-3, 0.1, 0.5, 1000};
                if (what == EBM_SCHEDULED_STEP_SIZE && e->r == 0) {
                    continue;
                }
                assert_ok(ebm_trainer_set_mcmc_steps(t.trainer, 1000));
                assert_ok(ebm_trainer_set_schedule(t.trainer, what, e->kind, e->warmup, e->n, e->r));
                double expected = setting[what - 1] * e->f;
                expected = what == EBM_SCHEDULED_MCMC_STEPS ? fmax(round(expected), 1) : expected;
                if (!(fabs(value_of(&t, what) - expected) <= 1e-14 * setting[what - 1])) {
                    fail_msg("kind %d, w %d, n %d, r %g, t %d, of %d: %.17g, not %.17g", e->kind, (int)e->warmup,
                             (int)e->n, e->r, (int)e->t, what, value_of(&t, what), expected);
                }
                assert_ok(ebm_trainer_set_schedule(t.trainer, what, EBM_SCHEDULE_CONSTANT, 0, 1, 1));
                n_checked++;
            }
        }
        assert_ok(ebm_trainer_set_mcmc_steps(t.trainer, 1));
        assert_ok(ebm_trainer_step(t.trainer, ROWS, t.data));
    }
    assert_int_equal(n_checked, 4 * N - 6); /* six of the rows have r = 0 */
    end(&t);
}

/* --- what a step uses */

static void schedule_all(ebm_trainer *trainer) {
    assert_ok(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_LEARNING_RATE, EBM_SCHEDULE_COSINE, 5, 25, 0.1));
    assert_ok(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_STEP_SIZE, EBM_SCHEDULE_STEP, 3, 7, 0.6));
    assert_ok(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_NOISE_STD, EBM_SCHEDULE_LINEAR, 0, 30, 0.3));
    assert_ok(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_MCMC_STEPS, EBM_SCHEDULE_EXPONENTIAL, 2, 20, 3));
}

static void follows(int32_t kernel, double noise_std) {
    training a;
    training b;
    double first[5];
    begin(&a, kernel, noise_std);
    begin(&b, kernel, noise_std);
    schedule_all(a.trainer);
    for (int step = 0; step < STEPS; step++) {
        double value[5];
        for (int32_t what = EBM_SCHEDULED_LEARNING_RATE; what <= EBM_SCHEDULED_MCMC_STEPS; what++) {
            value[what] = value_of(&a, what);
            first[what] = step == 0 ? value[what] : first[what];
        }
        assert_ok(ebm_trainer_set_learning_rate(b.trainer, value[EBM_SCHEDULED_LEARNING_RATE]));
        assert_ok(ebm_trainer_set_mcmc_steps(b.trainer, (int64_t)value[EBM_SCHEDULED_MCMC_STEPS]));
        assert_ok(ebm_sampler_set_step_size(b.sampler, value[EBM_SCHEDULED_STEP_SIZE]));
        assert_ok(ebm_sampler_set_noise_std(b.sampler, value[EBM_SCHEDULED_NOISE_STD]));
        for (int32_t what = EBM_SCHEDULED_LEARNING_RATE; what <= EBM_SCHEDULED_MCMC_STEPS; what++) {
            assert_true(step != STEPS - 1 || value[what] != first[what]); /* something has been scheduled */
        }
        assert_ok(ebm_trainer_step(a.trainer, ROWS, a.data));
        assert_ok(ebm_trainer_step(b.trainer, ROWS, b.data));
        assert_same(&a, &b);
    }
    end(&a);
    end(&b);
}

static void steps_use_them(void **state) {
    (void)state;
    follows(EBM_KERNEL_LANGEVIN, 0.2);
    follows(EBM_KERNEL_LANGEVIN, EBM_NOISE_STD_AUTO);
    follows(EBM_KERNEL_MALA, 0.3);
    follows(EBM_KERNEL_MALA, EBM_NOISE_STD_AUTO);
    follows(EBM_KERNEL_HMC, EBM_NOISE_STD_AUTO);
}

/* --- the settings stay as they are: after a step, and after one that failed or could not begin */

static void assert_settings_stand(const training *t) {
    double eta;
    double sigma;
    double rate;
    int64_t k;
    assert_ok(ebm_sampler_get_step_size(t->sampler, &eta));
    assert_ok(ebm_sampler_get_noise_std(t->sampler, &sigma));
    assert_ok(ebm_trainer_get_learning_rate(t->trainer, &rate));
    assert_ok(ebm_trainer_get_mcmc_steps(t->trainer, &k));
    assert_true(eta == 0.1 && sigma == 0.2 && rate == 0.01 && k == 4);
}

/* The sampler on its own runs by its own settings. */
static void assert_runs_unscheduled(training *t) {
    float x[2][CHAINS * DIM];
    ebm_sampler *plain;
    assert_ok(ebm_sampler_get_states(t->sampler, CHAINS, x[0]));
    assert_ok(ebm_sampler_create(NULL, t->model, CHAINS, 3, &plain));
    assert_ok(ebm_sampler_set_step_size(plain, 0.1));
    assert_ok(ebm_sampler_set_noise_std(plain, 0)); /* the two are not at the same place of their noise */
    assert_ok(ebm_sampler_set_noise_std(t->sampler, 0));
    assert_ok(ebm_sampler_set_states(plain, CHAINS, x[0]));
    assert_ok(ebm_sampler_run(plain, 1));
    assert_ok(ebm_sampler_run(t->sampler, 1));
    assert_ok(ebm_sampler_get_states(plain, CHAINS, x[0]));
    assert_ok(ebm_sampler_get_states(t->sampler, CHAINS, x[1]));
    assert_memory_equal(x[0], x[1], sizeof x[0]);
    assert_ok(ebm_sampler_set_noise_std(t->sampler, 0.2));
    ebm_sampler_destroy(plain);
}

static void settings_stand(void **state) {
    (void)state;
    training t;
    begin(&t, EBM_KERNEL_LANGEVIN, 0.2);
    schedule_all(t.trainer);
    for (int step = 0; step < 5; step++) {
        assert_ok(ebm_trainer_step(t.trainer, ROWS, t.data));
        assert_settings_stand(&t);
    }
    assert_runs_unscheduled(&t);
    float grad[PARAMS];
    assert_ok(ebm_trainer_gradient(t.trainer, ROWS, t.data, PARAMS, grad));
    assert_runs_unscheduled(&t);
    t.host.answer = EBM_CB_STOP;
    test_host_arm(&t.host, CALL_PARAM_GRAD, 1);
    assert_status(ebm_trainer_step(t.trainer, ROWS, t.data), EBM_ERR_STOPPED);
    test_host_arm(&t.host, 0, 0);
    assert_settings_stand(&t);
    assert_runs_unscheduled(&t);
    end(&t);
}

/* A first step needs memory, for trainer and sampler. */
static void settings_stand_without_memory(void **state) {
    (void)state;
    failing_allocator memory = {0};
    ebm_context *context;
    assert_ok(ebm_context_create_with_allocator(failing_alloc, failing_free, &memory, &context));
    training t;
    begin_in(context, &t, EBM_KERNEL_LANGEVIN, 0.2);
    schedule_all(t.trainer);
    ebm_status status = EBM_ERR_NOMEM;
    for (long n = 1; status == EBM_ERR_NOMEM; n++) {
        failing_allocator_arm(&memory, n, 0);
        status = ebm_trainer_step(t.trainer, ROWS, t.data);
        failing_allocator_arm(&memory, 0, 0);
        assert_settings_stand(&t);
        assert_runs_unscheduled(&t);
        assert_true(status == EBM_OK || n < 100);
    }
    assert_ok(status);
    end(&t);
    ebm_context_destroy(context);
}

/* A value that its setter would refuse: the step says so, and does not count. */
static void beyond_float(void **state) {
    (void)state;
    static const int32_t what[] = {EBM_SCHEDULED_STEP_SIZE, EBM_SCHEDULED_NOISE_STD};
    static const char *const message[] = {"the scheduled step size is", "the scheduled noise_std is"};
    for (int i = 0; i < 2; i++) {
        training t;
        int64_t steps;
        begin(&t, EBM_KERNEL_LANGEVIN, 0.2);
        assert_ok(ebm_sampler_set_grad_clip(t.sampler, 1e-30));
        assert_ok(ebm_sampler_set_bounds(t.sampler, -4, 4, EBM_BOUNDS_CLAMP));
        assert_ok(ebm_trainer_set_schedule(t.trainer, what[i], EBM_SCHEDULE_STEP, 0, 2, 1e38));
        assert_ok(ebm_trainer_step(t.trainer, ROWS, t.data));
        assert_ok(ebm_trainer_step(t.trainer, ROWS, t.data));
        assert_ok(ebm_trainer_step(t.trainer, ROWS, t.data)); /* 1e37 is a float */
        assert_ok(ebm_trainer_step(t.trainer, ROWS, t.data));
        assert_status(ebm_trainer_step(t.trainer, ROWS, t.data), EBM_ERR_STATE);
        assert_message("ebm_trainer_step: ");
        assert_message(message[i]);
        assert_ok(ebm_trainer_get_steps(t.trainer, &steps));
        assert_int_equal(steps, 4);
        assert_settings_stand(&t);
        assert_ok(ebm_trainer_set_schedule(t.trainer, what[i], EBM_SCHEDULE_CONSTANT, 0, 1, 1));
        assert_ok(ebm_trainer_step(t.trainer, ROWS, t.data));
        end(&t);
    }
}

static void bare_trainer(void **state) {
    (void)state;
    training t;
    double value;
    ebm_trainer *bare;
    begin(&t, EBM_KERNEL_LANGEVIN, 0.2);
    assert_ok(ebm_trainer_create(NULL, t.model, NULL, &bare));
    assert_status(ebm_trainer_get_scheduled_value(bare, EBM_SCHEDULED_STEP_SIZE, &value), EBM_ERR_STATE);
    assert_message("which the trainer lacks");
    assert_status(ebm_trainer_get_scheduled_value(bare, EBM_SCHEDULED_NOISE_STD, &value), EBM_ERR_STATE);
    assert_ok(ebm_trainer_get_scheduled_value(bare, EBM_SCHEDULED_MCMC_STEPS, &value));
    assert_true(value == 20);
    ebm_trainer_destroy(bare);
    end(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formulas),       cmocka_unit_test(steps_use_them),
        cmocka_unit_test(settings_stand), cmocka_unit_test(settings_stand_without_memory),
        cmocka_unit_test(beyond_float),   cmocka_unit_test(bare_trainer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

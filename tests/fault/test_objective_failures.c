/* SPDX-License-Identifier: MIT */
/*
 * Every objective when a callback fails: at each of its calls in a short training a callback answers an error, asks to
 * stop, leaves its output unwritten, or writes what is not finite. The step is then void: parameters, log Z and the
 * optimizer are as before, and training goes on as if nothing had been. The host's noise is among the callbacks.
 */
#include "test_models.h"

enum { DIM = 2, PARAMS = 2 * DIM, ROWS = 7, STEPS = 3, NU = 2 };

enum { CALL_SAMPLE = 8, CALL_DENSITY = 16 };
enum { OUT_NOISE = 8, OUT_DENSITY = 16 };

typedef struct fixture {
    test_host host;
    ebm_model *model;
    ebm_trainer *trainer;
    float data[ROWS * DIM];
} fixture;

static const int32_t OBJECTIVES[] = {EBM_OBJECTIVE_DENOISING_SCORE_MATCHING, EBM_OBJECTIVE_SLICED_SCORE_MATCHING,
                                     EBM_OBJECTIVE_NOISE_CONTRASTIVE};
enum { N_OBJECTIVES = 3 };

/* Normal noise of standard deviation 2. */
static int32_t sample(int64_t n, int64_t dim, const float *normals, float *y, void *user_data) {
    test_host *host = user_data;
    int strikes = test_host_strikes(host, CALL_SAMPLE);
    int64_t count = test_host_floats(host, strikes, OUT_NOISE, n * dim);
    for (int64_t i = 0; i < count; i++) {
        y[i] = 2 * normals[i];
    }
    if (strikes && (host->spoil & OUT_NOISE) != 0) {
        y[n * dim - 1] = (float)host->value;
    }
    return strikes ? host->answer : EBM_CB_OK;
}

static int32_t density(int64_t n, int64_t dim, const float *x, double *log_density, void *user_data) {
    test_host *host = user_data;
    int strikes = test_host_strikes(host, CALL_DENSITY);
    int64_t count = test_host_floats(host, strikes, OUT_DENSITY, n);
    for (int64_t r = 0; r < count; r++) {
        log_density[r] = -(double)dim * log(2 * sqrt(2 * 3.14159265358979323846));
        for (int64_t i = 0; i < dim; i++) {
            log_density[r] -= (double)x[r * dim + i] * (double)x[r * dim + i] / 8;
        }
    }
    if (strikes && (host->spoil & OUT_DENSITY) != 0) {
        log_density[n - 1] = host->value;
    }
    return strikes ? host->answer : EBM_CB_OK;
}

static void setup(fixture *f, int32_t objective) {
    *f = (fixture){0};
    f->model = test_model_create(NULL, DIM, 0, &f->host);
    assert_ok(ebm_trainer_create(NULL, f->model, NULL, &f->trainer));
    assert_ok(ebm_trainer_set_objective(f->trainer, objective));
    assert_ok(ebm_trainer_set_noise(f->trainer, sample, density, DIM, &f->host));
    assert_ok(ebm_trainer_set_noise_ratio(f->trainer, NU));
    assert_ok(ebm_trainer_set_learning_rate(f->trainer, 0.05));
    test_fill(ROWS * DIM, f->data);
}

static void teardown(fixture *f) {
    ebm_trainer_destroy(f->trainer);
    ebm_model_destroy(f->model);
}

/* Parameters and log Z (0 when there is none) after 0 .. STEPS steps. */
typedef struct trace {
    float params[STEPS + 1][PARAMS];
    double log_z[STEPS + 1];
    int calls;
} trace;

static double log_z_of(const fixture *f) {
    double log_z = 0;
    ebm_status status = ebm_trainer_get_log_z(f->trainer, &log_z);
    assert_true(status == EBM_OK || status == EBM_ERR_STATE);
    return log_z;
}

static void assert_as_after(const fixture *f, const trace *t, int64_t done) {
    float params[PARAMS];
    int64_t steps = -1;
    assert_ok(ebm_trainer_get_steps(f->trainer, &steps));
    assert_int_equal(steps, done);
    assert_ok(ebm_model_get_params(f->model, PARAMS, params));
    assert_memory_equal(params, t->params[done], sizeof params);
    assert_true(log_z_of(f) == t->log_z[done]);
}

static void undisturbed(int32_t objective, int counted, trace *t) {
    fixture f;
    setup(&f, objective);
    test_host_arm(&f.host, counted, 0);
    for (int i = 0; i <= STEPS; i++) {
        assert_ok(ebm_model_get_params(f.model, PARAMS, t->params[i]));
        t->log_z[i] = log_z_of(&f);
        if (i < STEPS) {
            assert_ok(ebm_trainer_step(f.trainer, ROWS - i, f.data));
        }
    }
    t->calls = atomic_load(&f.host.calls);
    teardown(&f);
}

/* What goes wrong: the answer, what is skipped, or spoiled by a value; what the step then says. */
typedef struct trouble {
    int32_t answer;
    int skip, spoil;
    double value;
    ebm_status status;
} trouble;

static void fail_in_step(int32_t objective, int counted, int k, const trouble *bad, const trace *t) {
    fixture f;
    int64_t done = 0;
    ebm_status status = EBM_OK;
    setup(&f, objective);
    test_host_arm(&f.host, counted, k);
    f.host.answer = bad->answer;
    f.host.skip = bad->skip;
    f.host.skip_half = k % 2;
    f.host.spoil = bad->spoil;
    f.host.value = bad->value;
    while (done < STEPS && status == EBM_OK) {
        status = ebm_trainer_step(f.trainer, ROWS - done, f.data);
        done += status == EBM_OK;
    }
    assert_status(status, bad->status);
    char place[32];
    snprintf(place, sizeof place, "training step %d", (int)done + 1);
    assert_message("ebm_trainer_step: ");
    assert_message(place);
    assert_message("callback");
    assert_as_after(&f, t, done);
    test_host_arm(&f.host, 0, 0);
    for (; done < STEPS; done++) {
        assert_ok(ebm_trainer_step(f.trainer, ROWS - done, f.data));
    }
    assert_as_after(&f, t, STEPS);
    teardown(&f);
}

static void try_all(int32_t objective, int counted, const trouble *bad) {
    static trace t;
    undisturbed(objective, counted, &t);
    for (int k = 1; k <= t.calls; k++) {
        fail_in_step(objective, counted, k, bad, &t);
    }
}

static void test_answers(void **state) {
    static const trouble answers[] = {{7, 0, 0, 0, EBM_ERR_CALLBACK},
                                      {EBM_CB_STOP, 0, 0, 0, EBM_ERR_STOPPED},
                                      {EBM_ERR_NOMEM, 0, 0, 0, EBM_ERR_NOMEM}};
    (void)state;
    for (int i = 0; i < N_OBJECTIVES; i++) {
        for (int a = 0; a < 3; a++) {
            try_all(OBJECTIVES[i], CALL_ENERGY | CALL_PARAM_GRAD | CALL_SAMPLE | CALL_DENSITY, &answers[a]);
        }
    }
}

static void test_unwritten(void **state) {
    const trouble in_theta = {0, OUT_GRAD_THETA, 0, 0, EBM_ERR_CALLBACK};
    const trouble in_energy = {0, OUT_ENERGY, 0, 0, EBM_ERR_CALLBACK};
    const trouble in_noise = {0, OUT_NOISE, 0, 0, EBM_ERR_CALLBACK};
    const trouble in_density = {0, OUT_DENSITY, 0, 0, EBM_ERR_CALLBACK};
    (void)state;
    for (int i = 0; i < N_OBJECTIVES; i++) {
        try_all(OBJECTIVES[i], CALL_PARAM_GRAD, &in_theta);
        try_all(OBJECTIVES[i], CALL_ENERGY, &in_energy);
    }
    try_all(EBM_OBJECTIVE_NOISE_CONTRASTIVE, CALL_SAMPLE, &in_noise);
    try_all(EBM_OBJECTIVE_NOISE_CONTRASTIVE, CALL_DENSITY, &in_density);
}

static void test_nonfinite(void **state) {
    static const double values[] = {(double)NAN, -(double)INFINITY, (double)INFINITY};
    (void)state;
    for (int v = 0; v < 3; v++) {
        const trouble in_theta = {0, 0, OUT_GRAD_THETA, values[v], EBM_ERR_DIVERGED};
        const trouble in_energy = {0, 0, OUT_ENERGY, values[v], EBM_ERR_DIVERGED};
        const trouble in_noise = {0, 0, OUT_NOISE, values[v], EBM_ERR_DIVERGED};
        const trouble in_density = {0, 0, OUT_DENSITY, values[v], EBM_ERR_DIVERGED};
        for (int i = 0; i < N_OBJECTIVES; i++) {
            try_all(OBJECTIVES[i], CALL_PARAM_GRAD, &in_theta);
            if (OBJECTIVES[i] != EBM_OBJECTIVE_NOISE_CONTRASTIVE || v < 2) { /* impossible noise is no error */
                try_all(OBJECTIVES[i], CALL_ENERGY, &in_energy);
            }
        }
        try_all(EBM_OBJECTIVE_NOISE_CONTRASTIVE, CALL_SAMPLE, &in_noise);
        try_all(EBM_OBJECTIVE_NOISE_CONTRASTIVE, CALL_DENSITY, &in_density);
    }
}

static void call_again(void *data) {
    fixture *f = data;
    double value;
    assert_status(ebm_trainer_step(f->trainer, ROWS, f->data), EBM_ERR_BUSY);
    assert_status(ebm_trainer_set_noise(f->trainer, NULL, NULL, 0, NULL), EBM_ERR_BUSY);
    assert_status(ebm_trainer_get_log_z(f->trainer, &value), EBM_ERR_BUSY);
    assert_status(ebm_model_energy(f->model, 1, f->data, &value), EBM_ERR_BUSY);
}

static void test_busy_in_noise(void **state) {
    fixture f;
    (void)state;
    setup(&f, EBM_OBJECTIVE_NOISE_CONTRASTIVE);
    f.host.hook = call_again;
    f.host.hook_data = &f;
    test_host_arm(&f.host, CALL_SAMPLE | CALL_DENSITY, -1);
    assert_ok(ebm_trainer_step(f.trainer, ROWS, f.data));
    assert_int_equal(atomic_load(&f.host.calls), 2);
    teardown(&f);
}

/* A batch too large for memory is refused before anything is asked for. */
static void test_sizes(void **state) {
    fixture f;
    (void)state;
    setup(&f, EBM_OBJECTIVE_NOISE_CONTRASTIVE);
    assert_ok(ebm_trainer_set_noise_ratio(f.trainer, INT64_MAX));
    assert_status(ebm_trainer_step(f.trainer, ROWS, f.data), EBM_ERR_OVERFLOW);
    assert_ok(ebm_trainer_set_noise_ratio(f.trainer, INT64_MAX / 8));
    assert_status(ebm_trainer_step(f.trainer, 1, f.data), EBM_ERR_OVERFLOW);
    assert_ok(ebm_trainer_set_noise_ratio(f.trainer, 1));
    assert_ok(ebm_trainer_set_noise(f.trainer, sample, density, INT64_MAX / 4, &f.host));
    assert_status(ebm_trainer_step(f.trainer, ROWS, f.data), EBM_ERR_OVERFLOW);
    assert_ok(ebm_trainer_set_noise(f.trainer, sample, density, DIM, &f.host));
    assert_ok(ebm_trainer_step(f.trainer, ROWS, f.data));
    teardown(&f);
}

/* Data, noise levels and gradients at the ends of float. */
static void test_range(void **state) {
    fixture f;
    const double huge = 3e38;
    const float far[2 * DIM] = {3e38F, -3e38F, 3e38F, 3e38F};
    const float tiny[2 * DIM] = {1e-40F, -1e-40F, 1e-40F, 1e-40F};
    (void)state;
    for (int i = 0; i < N_OBJECTIVES; i++) {
        setup(&f, OBJECTIVES[i]);
        assert_status(ebm_trainer_step(f.trainer, 2, far), EBM_ERR_DIVERGED);
        if (OBJECTIVES[i] == EBM_OBJECTIVE_SLICED_SCORE_MATCHING) { /* second differences of such a scale overflow */
            assert_status(ebm_trainer_step(f.trainer, 2, tiny), EBM_ERR_DIVERGED);
        } else {
            assert_ok(ebm_trainer_step(f.trainer, 2, tiny));
        }
        assert_ok(ebm_trainer_set_noise_levels(f.trainer, 1, &huge));
        assert_status(ebm_trainer_step(f.trainer, ROWS, f.data),
                      OBJECTIVES[i] == EBM_OBJECTIVE_DENOISING_SCORE_MATCHING ? EBM_ERR_DIVERGED : EBM_OK);
        teardown(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),       cmocka_unit_test(test_unwritten), cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_busy_in_noise), cmocka_unit_test(test_sizes),     cmocka_unit_test(test_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

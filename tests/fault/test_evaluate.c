/* SPDX-License-Identifier: MIT */
/*
 * What ebm/evaluate.h refuses, what it does when memory ends at the n-th allocation, when a callback fails, and when
 * a handle is at work: typed errors, nothing changed, nothing leaked.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "failing_allocator.h"
#include "test_models.h"

enum { DRAWS = 80, CHAINS = 2, DIM = 3, ROWS = DRAWS * CHAINS, OUTPUTS = 9, MOST_CALLS = 100 };

static failing_allocator memory;
static test_host host;
static ebm_context *context;
static ebm_model *model;
static ebm_summary *summary, *other, *made;
static float draws[ROWS * DIM];
static double energies[ROWS];
static double out[OUTPUTS][DIM * DIM];

static int setup(void **state) {
    (void)state;
    memset(&memory, 0, sizeof memory);
    memset(&host, 0, sizeof host);
    test_fill(ROWS * DIM, draws);
    for (int i = 0; i < ROWS; i++) {
        energies[i] = (double)draws[i];
    }
    assert_ok(ebm_context_create_with_allocator(failing_alloc, failing_free, &memory, &context));
    model = test_model_create(context, DIM, 1, &host);
    assert_ok(ebm_summary_create(context, DIM, EBM_SUMMARY_COVARIANCE | EBM_SUMMARY_QUANTILES, &summary));
    assert_ok(ebm_summary_create(context, DIM, EBM_SUMMARY_COVARIANCE | EBM_SUMMARY_QUANTILES, &other));
    for (int i = 0; i < 30; i++) { /* 4,800 rows: two full bases */
        assert_ok(ebm_summary_add(other, ROWS, draws));
    }
    made = NULL;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    ebm_summary_destroy(made);
    ebm_summary_destroy(other);
    ebm_summary_destroy(summary);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    assert_int_equal(atomic_load(&memory.live), 0);
    return 0;
}

/* --- the calls ---------------------------------------------------------------------------------------------------- */

static ebm_status rhat(void) {
    return ebm_rhat(context, DRAWS, CHAINS, DIM, draws, out[0]);
}

static ebm_status ess(void) {
    return ebm_ess(context, DRAWS, CHAINS, DIM, draws, out[0], out[1]);
}

static ebm_status mcse(void) {
    return ebm_mcse(context, DRAWS, CHAINS, DIM, draws, out[0], out[1]);
}

static ebm_status mcse_quantile(void) {
    return ebm_mcse_quantile(context, DRAWS, CHAINS, DIM, draws, 0.3, out[0], out[1]);
}

static ebm_status autocorrelation_time(void) {
    return ebm_autocorrelation_time(context, DRAWS, CHAINS, DIM, draws, out[0]);
}

static ebm_status summarize(void) {
    return ebm_summarize(context, DRAWS, CHAINS, DIM, draws, out[0], out[1], out[2], out[3], out[4], out[5], out[6],
                         out[7], out[8]);
}

static ebm_status stein(void) {
    return ebm_stein_discrepancy(model, ROWS, draws, 1, -0.5, out[0]);
}

static ebm_status mmd(void) {
    return ebm_mmd(context, 60, draws, 50, draws + 60 * DIM, DIM, EBM_MMD_WIDTH_MEDIAN, out[0], out[1]);
}

static ebm_status auroc(void) {
    return ebm_auroc(context, 30, energies, 50, energies + 30, out[0]);
}

static ebm_status create(void) {
    ebm_summary_destroy(made);
    made = NULL;
    return ebm_summary_create(context, DIM, EBM_SUMMARY_COVARIANCE | EBM_SUMMARY_QUANTILES, &made);
}

static ebm_status get_quantile(void) {
    return ebm_summary_get_quantile(other, 0.25, out[0]);
}

/* From no rows, so that it needs levels; what is there afterwards is told in `out`. */
static ebm_status take_in(ebm_status (*how)(void)) {
    ebm_status status = how();
    int64_t count;
    assert_ok(ebm_summary_get_count(summary, &count));
    assert_int_equal(count, status == EBM_OK ? 4800 : 0);
    assert_ok(ebm_summary_get_covariance(summary, out[0]));
    return status;
}

static ebm_status add_many(void) {
    static float many[30 * ROWS * DIM];
    for (int i = 0; i < 30; i++) {
        memcpy(many + i * ROWS * DIM, draws, sizeof draws);
    }
    return ebm_summary_add(summary, INT64_C(30) * ROWS, many);
}

static ebm_status add(void) {
    assert_ok(ebm_summary_reset(summary));
    return take_in(add_many);
}

static ebm_status merge_other(void) {
    return ebm_summary_merge(summary, other);
}

static ebm_status merge(void) {
    assert_ok(ebm_summary_reset(summary));
    return take_in(merge_other);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

typedef struct scene {
    const char *name;
    ebm_status (*call)(void);
} scene;

static const scene SCENES[] = {
    {"rhat", rhat}, {"ess", ess}, {"mcse", mcse}, {"mcse_quantile", mcse_quantile}, {"summarize", summarize},
    {"autocorrelation_time", autocorrelation_time}, {"stein_discrepancy", stein}, {"mmd", mmd}, {"auroc", auroc},
    {"summary_create", create}, {"summary_get_quantile", get_quantile}, {"summary_add", add}, {"summary_merge", merge},
};
enum { N_SCENES = sizeof SCENES / sizeof *SCENES };

static void every_allocation(void **state) {
    static double expected[OUTPUTS][DIM * DIM];
    for (int i = 0; i < N_SCENES; i++) {
        for (int for_good = 0; for_good <= 1; for_good++) {
            for (long n = 1;; n++) {
                teardown(state);
                setup(state);
                memset(out, 0, sizeof out);
                long live = atomic_load(&memory.live);
                failing_allocator_arm(&memory, n, for_good);
                ebm_status status = SCENES[i].call();
                bool failed = atomic_load(&memory.calls) >= n;
                failing_allocator_arm(&memory, 0, 0);
                if (status != (failed ? EBM_ERR_NOMEM : EBM_OK)) {
                    fail_msg("%s, allocation %ld fails: %d, %s", SCENES[i].name, n, status, ebm_last_error());
                }
                if (!failed) {
                    assert_true(n > 1);
                    assert_memory_equal(out, expected, sizeof out);
                    break;
                }
                assert_message("no memory");
                assert_null(made);
                /* A level that was made before the next one failed is kept. */
                long kept = SCENES[i].call == add || SCENES[i].call == merge ? 1 : 0;
                assert_true(atomic_load(&memory.live) - live <= kept);
                assert_ok(SCENES[i].call());
                memcpy(expected, out, sizeof out);
                assert_in_range(n, 1, MOST_CALLS);
            }
        }
    }
}

/* --- arguments ---------------------------------------------------------------------------------------------------- */

/* Refused with this status; the message names the function, and holds `text`. */
#define refuse(expected, text, function, ...)                                                       \
    do {                                                                                            \
        assert_status(function(__VA_ARGS__), expected);                                             \
        assert_int_equal(strncmp(ebm_last_error(), #function ": ", strlen(#function) + 2), 0);      \
        assert_message(text);                                                                       \
    } while (0)

static const int64_t HUGE_SIZE = INT64_C(1) << 33;

static void shapes_of_draws(void **state) {
    double *o = out[0];
    (void)state;
    long calls = atomic_load(&memory.calls);
    refuse(EBM_ERR_ARG, "n_draws is -1", ebm_rhat, context, -1, 1, 1, draws, o);
    refuse(EBM_ERR_ARG, "n_chains is 0", ebm_rhat, context, 1, 0, 1, draws, o);
    refuse(EBM_ERR_ARG, "dim is 0", ebm_rhat, context, 1, 1, 0, draws, o);
    refuse(EBM_ERR_ARG, "draws is NULL", ebm_rhat, context, 1, 1, 1, NULL, o);
    refuse(EBM_ERR_ARG, "rhat is NULL", ebm_rhat, context, 1, 1, 1, draws, NULL);
    refuse(EBM_ERR_OVERFLOW, "n_draws is 8589934592", ebm_rhat, context, HUGE_SIZE, HUGE_SIZE, 1, draws, o);
    refuse(EBM_ERR_OVERFLOW, "product below 2^31", ebm_rhat, context, INT64_C(1) << 30, 2, 1, draws, o);
    refuse(EBM_ERR_OVERFLOW, "do not fit", ebm_rhat, context, 1 << 20, 1, INT64_MAX / 8, draws, o);
    refuse(EBM_ERR_ARG, "bulk and tail are NULL", ebm_ess, context, 1, 1, 1, draws, NULL, NULL);
    refuse(EBM_ERR_ARG, "n_chains is -2", ebm_ess, context, 1, -2, 1, draws, o, NULL);
    refuse(EBM_ERR_ARG, "mean and sd are NULL", ebm_mcse, context, 1, 1, 1, draws, NULL, NULL);
    refuse(EBM_ERR_ARG, "dim is -1", ebm_mcse, context, 1, 1, -1, draws, o, NULL);
    const double bad[] = {0, 1, -0.1, 1.1, (double)NAN};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuse(EBM_ERR_ARG, "probability is ", ebm_mcse_quantile, context, 1, 1, 1, draws, bad[i], o, NULL);
    }
    refuse(EBM_ERR_ARG, "quantile is NULL", ebm_mcse_quantile, context, 1, 1, 1, draws, 0.5, NULL, o);
    refuse(EBM_ERR_ARG, "time is NULL", ebm_autocorrelation_time, context, 1, 1, 1, draws, NULL);
    refuse(EBM_ERR_ARG, "draws is NULL", ebm_summarize, context, 1, 1, 1, NULL, o, o, o, o, o, o, o, o, o);
    refuse(EBM_ERR_ARG, "ebfmi is NULL", ebm_ebfmi, 1, 1, energies, NULL);
    refuse(EBM_ERR_ARG, "energy is NULL", ebm_ebfmi, 1, 1, NULL, o);
    refuse(EBM_ERR_OVERFLOW, "which do not fit", ebm_ebfmi, HUGE_SIZE, HUGE_SIZE, energies, o);
    assert_int_equal(atomic_load(&memory.calls), calls); /* refused before memory is asked for */
}

/* NULL stands for all outputs of a summary; none at all is allowed too. Zero draws need no array. */
static void what_may_be_left_out(void **state) {
    (void)state;
    assert_ok(ebm_summarize(context, DRAWS, CHAINS, DIM, draws, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL));
    assert_ok(summarize());
    double all[OUTPUTS][DIM];
    for (int i = 0; i < OUTPUTS; i++) {
        memcpy(all[i], out[i], sizeof all[i]);
    }
    for (int i = 0; i < OUTPUTS; i++) {
        double one[DIM];
        double *o[OUTPUTS] = {NULL};
        o[i] = one;
        assert_ok(ebm_summarize(context, DRAWS, CHAINS, DIM, draws, o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7],
                                o[8]));
        assert_memory_equal(one, all[i], sizeof one);
    }
    assert_ok(ebm_summarize(NULL, 0, 1, DIM, NULL, out[0], NULL, NULL, NULL, NULL, NULL, NULL, NULL, out[1]));
    assert_true(isnan(out[0][DIM - 1]) && isnan(out[1][0]));
}

static void values_that_are_not_finite(void **state) {
    const float values[] = {NAN, INFINITY, -INFINITY};
    (void)state;
    for (int i = 0; i < 3; i++) {
        float kept = draws[DIM + 1];
        double kept_energy = energies[3];
        draws[DIM + 1] = values[i];
        energies[3] = (double)values[i];
        for (int s = 0; s < N_SCENES; s++) {
            if (SCENES[s].call == auroc ? i > 0 : SCENES[s].call == create || SCENES[s].call == get_quantile ||
                                                      SCENES[s].call == merge) {
                continue;
            }
            assert_status(SCENES[s].call(), EBM_ERR_ARG);
            assert_message(i == 0   ? "is NaN at"
                           : i == 1 ? "is +infinity at row 1, column 1"
                                    : "is -infinity at row 1, column 1");
        }
        refuse(EBM_ERR_ARG, "at draw 1, chain 1, must be finite", ebm_ebfmi, 10, 2, energies, out[0]);
        draws[DIM + 1] = kept;
        energies[3] = kept_energy;
    }
}

static void arguments_of_distances(void **state) {
    double *o = out[0];
    const double bad[] = {0, -2, (double)NAN, (double)INFINITY};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuse(EBM_ERR_ARG, "scale is ", ebm_stein_discrepancy, model, 2, draws, bad[i], -0.5, o);
        refuse(EBM_ERR_ARG, "exponent is ", ebm_stein_discrepancy, model, 2, draws, 1, bad[i], o);
        refuse(EBM_ERR_ARG, "width is ", ebm_mmd, context, 2, draws, 2, draws, 1, bad[i], o, NULL);
    }
    refuse(EBM_ERR_ARG, "exponent is -1,", ebm_stein_discrepancy, model, 2, draws, 1, -1, o);
    refuse(EBM_ERR_ARG, "model is NULL", ebm_stein_discrepancy, NULL, 2, draws, 1, -0.5, o);
    refuse(EBM_ERR_ARG, "x is NULL", ebm_stein_discrepancy, model, 2, NULL, 1, -0.5, o);
    refuse(EBM_ERR_ARG, "discrepancy is NULL", ebm_stein_discrepancy, model, 2, draws, 1, -0.5, NULL);
    refuse(EBM_ERR_ARG, "n_x is -1", ebm_mmd, context, -1, draws, 2, draws, 1, 1, o, NULL);
    refuse(EBM_ERR_ARG, "y is NULL", ebm_mmd, context, 2, draws, 2, NULL, 1, 1, o, NULL);
    refuse(EBM_ERR_ARG, "dim is 0", ebm_mmd, context, 2, draws, 2, draws, 0, 1, o, NULL);
    refuse(EBM_ERR_ARG, "mmd_squared is NULL", ebm_mmd, context, 2, draws, 2, draws, 1, 1, NULL, o);
    refuse(EBM_ERR_OVERFLOW, "n_y is 8589934592", ebm_mmd, context, 0, draws, HUGE_SIZE, draws, HUGE_SIZE, 1, o, NULL);
    const float equal[8] = {0};
    refuse(EBM_ERR_ARG, "median distance, which is 0", ebm_mmd, context, 4, equal, 4, equal, 1, EBM_MMD_WIDTH_MEDIAN, o,
           NULL);
    refuse(EBM_ERR_ARG, "n_negative is -1", ebm_auroc, context, -1, energies, 1, energies, o);
    refuse(EBM_ERR_ARG, "positive is NULL", ebm_auroc, context, 1, energies, 1, NULL, o);
    refuse(EBM_ERR_ARG, "auroc is NULL", ebm_auroc, context, 1, energies, 1, energies, NULL);
    refuse(EBM_ERR_OVERFLOW, "n_positive is 9223372036854775807", ebm_auroc, context, 1, energies, INT64_MAX, energies,
           o);
}

static void arguments_of_summaries(void **state) {
    double *o = out[0];
    ebm_summary *plain = NULL;
    int64_t count;
    (void)state;
    refuse(EBM_ERR_ARG, "dim is 0", ebm_summary_create, context, 0, 0, &made);
    refuse(EBM_ERR_ARG, "dim is 8589934592", ebm_summary_create, context, HUGE_SIZE, 0, &made);
    refuse(EBM_ERR_ARG, "parts is 4", ebm_summary_create, context, 1, 4, &made);
    refuse(EBM_ERR_ARG, "parts is -1", ebm_summary_create, context, 1, -1, &made);
    refuse(EBM_ERR_ARG, "out is NULL", ebm_summary_create, context, 1, 0, NULL);
    refuse(EBM_ERR_OVERFLOW, "do not fit", ebm_summary_create, context, INT32_MAX, EBM_SUMMARY_COVARIANCE, &made);
    assert_null(made);
    refuse(EBM_ERR_ARG, "n is -1", ebm_summary_add, summary, -1, draws);
    refuse(EBM_ERR_ARG, "x is NULL", ebm_summary_add, summary, 1, NULL);
    refuse(EBM_ERR_OVERFLOW, "n is 9223372036854775807", ebm_summary_add, summary, INT64_MAX, draws);
    refuse(EBM_ERR_ARG, "other is the summary itself", ebm_summary_merge, summary, summary);
    assert_ok(ebm_summary_create(context, DIM, 0, &plain));
    refuse(EBM_ERR_ARG, "parts 0, must be as the summary's, 3 and 3", ebm_summary_merge, summary, plain);
    refuse(EBM_ERR_STATE, "without EBM_SUMMARY_COVARIANCE", ebm_summary_get_covariance, plain, o);
    refuse(EBM_ERR_STATE, "without EBM_SUMMARY_QUANTILES", ebm_summary_get_quantile, plain, 0.5, o);
    ebm_summary_destroy(plain);
    const double bad[] = {-0.1, 1.1, (double)NAN};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuse(EBM_ERR_ARG, "probability is ", ebm_summary_get_quantile, summary, bad[i], o);
    }
    refuse(EBM_ERR_ARG, "summary is NULL", ebm_summary_add, NULL, 1, draws);
    refuse(EBM_ERR_ARG, "summary is NULL", ebm_summary_merge, NULL, other);
    refuse(EBM_ERR_ARG, "other is NULL", ebm_summary_merge, summary, NULL);
    refuse(EBM_ERR_ARG, "summary is NULL", ebm_summary_reset, NULL);
    refuse(EBM_ERR_ARG, "count is NULL", ebm_summary_get_count, summary, NULL);
    refuse(EBM_ERR_ARG, "mean is NULL", ebm_summary_get_mean, summary, NULL);
    refuse(EBM_ERR_ARG, "variance is NULL", ebm_summary_get_variance, summary, NULL);
    refuse(EBM_ERR_ARG, "covariance is NULL", ebm_summary_get_covariance, summary, NULL);
    refuse(EBM_ERR_ARG, "quantile is NULL", ebm_summary_get_quantile, summary, 0.5, NULL);
    assert_ok(ebm_summary_get_count(summary, &count));
    assert_int_equal(count, 0);
    ebm_summary_destroy(NULL);
}

/* --- callbacks ---------------------------------------------------------------------------------------------------- */

static void stein_with_a_callback_that_fails(void **state) {
    (void)state;
    long live = atomic_load(&memory.live);
    test_host_arm(&host, CALL_ENERGY, 1);
    host.answer = 7;
    assert_status(stein(), EBM_ERR_CALLBACK);
    test_host_arm(&host, CALL_ENERGY, 1);
    host.answer = EBM_CB_STOP;
    assert_status(stein(), EBM_ERR_STOPPED);
    host.answer = EBM_CB_OK;
    host.value = (double)INFINITY;
    for (host.spoil = OUT_ENERGY; host.spoil <= OUT_GRAD_X; host.spoil *= 2) {
        test_host_arm(&host, CALL_ENERGY, 1);
        assert_status(stein(), EBM_ERR_NONFINITE);
        assert_message("ebm_stein_discrepancy: ");
    }
    host.spoil = OUT_NONE;
    assert_int_equal(atomic_load(&memory.live), live);
    assert_ok(stein());
}

static ebm_status hook_status;

static void stein_again(void *data) {
    (void)data;
    double value;
    hook_status = ebm_stein_discrepancy(model, 1, draws, 1, -0.5, &value);
}

static void stein_inside_a_callback(void **state) {
    (void)state;
    test_host_arm(&host, CALL_ENERGY, 1);
    host.hook = stein_again;
    assert_ok(stein());
    assert_int_equal(hook_status, EBM_ERR_BUSY);
}

static int32_t parallel_for_that_fails(int64_t n_tasks, ebm_task_fn task, void *task_data, void *user_data) {
    (void)n_tasks;
    (void)user_data;
    task(0, task_data);
    return 5;
}

static void the_hosts_parallel_for_fails(void **state) {
    (void)state;
    long live = atomic_load(&memory.live);
    assert_ok(ebm_context_set_parallel_for(context, parallel_for_that_fails, NULL));
    assert_status(ebm_rhat(context, 4, 2, 40, draws, out[0]), EBM_ERR_CALLBACK);
    assert_status(mmd(), EBM_ERR_CALLBACK);
    assert_int_equal(atomic_load(&memory.live), live);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_allocation),
        TEST(shapes_of_draws),
        TEST(what_may_be_left_out),
        TEST(values_that_are_not_finite),
        TEST(arguments_of_distances),
        TEST(arguments_of_summaries),
        TEST(stein_with_a_callback_that_fails),
        TEST(stein_inside_a_callback),
        TEST(the_hosts_parallel_for_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

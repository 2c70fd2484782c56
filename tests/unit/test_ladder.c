/* SPDX-License-Identifier: MIT */
/*
 * Ladders of parallel tempering: where replicas stand, what of them is seen, what they hold, and that results depend
 * on nothing but what they should.
 */
#include <stdbool.h>

#include "stat_ladder.h"
#include "stat_record.h"
#include "test_models.h"

#include "core/simd.h"

enum { DIM = 3, RUNGS = 4 };

static const double LADDER[RUNGS] = {1, 1.5, 2.5, 5};
static const int32_t KERNELS[] = {EBM_KERNEL_LANGEVIN,    EBM_KERNEL_MALA,
                                  EBM_KERNEL_HMC,         EBM_KERNEL_RANDOM_WALK,
                                  EBM_KERNEL_UNDERDAMPED, EBM_KERNEL_UNDERDAMPED_ADJUSTED,
                                  EBM_KERNEL_NUTS};
enum { N_KERNELS = sizeof KERNELS / sizeof *KERNELS };

typedef enum model_kind { PLAIN, ALONE, NETWORK, N_MODELS } model_kind;

static ebm_model *new_model(ebm_context *context, model_kind kind) {
    static const int64_t widths[] = {33, 18};
    ebm_model *model = NULL;
    if (kind == NETWORK) {
        STAT_OK(ebm_mlp_create(context, DIM, 2, widths, EBM_ACT_SILU, &model));
        STAT_OK(ebm_model_init_params(model, 5));
        return model;
    }
    model = stat_quadratic(context, DIM, 1.5);
    STAT_OK(ebm_model_set_concurrent(model, kind == PLAIN));
    return model;
}

static ebm_sampler *new_sampler(ebm_context *context, model_kind kind, int32_t kernel, int64_t n_chains) {
    ebm_sampler *sampler = stat_sampler(new_model(context, kind), n_chains, 11, kernel, 0.1);
    STAT_OK(ebm_sampler_set_leapfrog_steps(sampler, 3));
    STAT_OK(ebm_sampler_set_max_depth(sampler, 3));
    return sampler;
}

static void note_rows(stat_record *record, const ebm_sampler *sampler) {
    double rates[RUNGS - 1];
    int64_t trips;
    stat_note(record, (size_t)(sampler->n_rows * sampler->dim) * sizeof *sampler->x, sampler->x);
    STAT_OK(ebm_sampler_get_swap_rates(sampler, RUNGS - 1, rates));
    STAT_OK(ebm_sampler_get_round_trips(sampler, &trips));
    stat_note(record, sizeof rates, rates);
    stat_note(record, sizeof trips, &trips);
}

/* --- where replicas stand --- */

static void assert_replicas_at(const ebm_sampler *sampler, int64_t chain, const float *x) {
    for (int64_t row = chain; row < sampler->n_rows; row += sampler->n_chains) {
        assert_memory_equal(sampler->x + row * DIM, x, DIM * sizeof *x);
    }
}

static void replicas_stand_where_their_chain_stands(void **state) {
    (void)state;
    enum { N = 5 };
    float x[N * DIM];
    float back[N * DIM];
    ebm_sampler *sampler = new_sampler(NULL, PLAIN, EBM_KERNEL_MALA, N);
    STAT_OK(ebm_sampler_run(sampler, 3));
    STAT_OK(ebm_sampler_get_states(sampler, N, x));
    stat_set_ladder(sampler, RUNGS, LADDER);
    assert_int_equal(ebm_sampler_rung_count(sampler), RUNGS);
    for (int c = 0; c < N; c++) {
        assert_replicas_at(sampler, c, x + c * DIM);
    }
    STAT_OK(ebm_sampler_run(sampler, 4));
    STAT_OK(ebm_sampler_set_states(sampler, 2, x)); /* the others stay */
    assert_replicas_at(sampler, 1, x + DIM);
    STAT_OK(ebm_sampler_get_states(sampler, N, back));
    assert_memory_equal(back, x, 2 * DIM * sizeof *x);
    assert_memory_not_equal(sampler->x + (N + 2) * DIM, back + 2 * DIM, DIM * sizeof *x);

    /* Other temperatures on as many rungs move nothing; another number of rungs starts from the chains. */
    float *rows = stat_alloc(RUNGS * N * DIM, sizeof *rows);
    stat_get_rows(sampler, rows);
    static const double other[RUNGS] = {1, 2, 3, 4};
    stat_set_ladder(sampler, RUNGS, other);
    assert_memory_equal(rows, sampler->x, RUNGS * N * DIM * sizeof *rows);
    stat_set_ladder(sampler, 2, other);
    assert_memory_equal(back, sampler->x, sizeof back);
    assert_memory_equal(back, sampler->x + N * DIM, sizeof back);
    STAT_OK(ebm_sampler_set_ladder(sampler, 1, NULL));
    STAT_OK(ebm_sampler_get_states(sampler, N, x));
    assert_memory_equal(back, x, sizeof x);
    STAT_OK(ebm_sampler_run(sampler, 2));
    free(rows);
    ebm_sampler_destroy(sampler);
}

/* Every replica has noise of its own. */
static void restarts_are_noise_on_every_rung(void **state) {
    (void)state;
    enum { N = 3 };
    ebm_sampler *sampler = new_sampler(NULL, PLAIN, EBM_KERNEL_LANGEVIN, N);
    stat_set_ladder(sampler, RUNGS, LADDER);
    STAT_OK(ebm_sampler_restart(sampler));
    for (int64_t i = 0; i < RUNGS * N * DIM; i++) {
        assert_true(sampler->x[i] != 0);
        for (int64_t j = 0; j < i; j++) {
            assert_true(sampler->x[i] != sampler->x[j]);
        }
    }
    ebm_sampler_destroy(sampler);
}

/* Without swaps the chains do not see the ladder: the same noise, the same steps. */
static void chains_do_not_see_replicas_that_never_swap(void **state) {
    (void)state;
    enum { N = 150 };
    for (int k = 0; k < N_KERNELS; k++) {
        stat_record records[2];
        for (int with = 0; with < 2; with++) {
            double numbers[3];
            ebm_sampler *sampler = new_sampler(NULL, PLAIN, KERNELS[k], N);
            if (with) {
                stat_set_ladder(sampler, RUNGS, LADDER);
                STAT_OK(ebm_sampler_set_swap_every(sampler, 1000));
            }
            STAT_OK(ebm_sampler_run(sampler, 20));
            records[with] = stat_record_new();
            stat_note_states(&records[with], sampler, DIM);
            STAT_OK(ebm_sampler_get_mean_energy(sampler, &numbers[0]));
            STAT_OK(ebm_sampler_get_acceptance(sampler, &numbers[1]));
            STAT_OK(ebm_sampler_get_grad_rms(sampler, &numbers[2]));
            stat_note(&records[with], sizeof numbers, numbers);
            ebm_sampler_destroy(sampler);
        }
        stat_assert_same(&records[0], &records[1], "kernel", "with a ladder");
        free(records[0].bytes);
        free(records[1].bytes);
    }
}

static void swaps_are_counted_when_they_are_due(void **state) {
    (void)state;
    double rates[RUNGS - 1];
    ebm_sampler *sampler = new_sampler(NULL, PLAIN, EBM_KERNEL_MALA, 10);
    stat_set_ladder(sampler, RUNGS, LADDER);
    STAT_OK(ebm_sampler_set_swap_every(sampler, 5));
    STAT_OK(ebm_sampler_run(sampler, 9)); /* one round of swaps: of the rungs 1 and 2 */
    assert_status(ebm_sampler_get_swap_rates(sampler, RUNGS - 1, rates), EBM_ERR_STATE);
    assert_message("no swap between rungs 0 and 1 has been proposed");
    STAT_OK(ebm_sampler_run(sampler, 1));
    STAT_OK(ebm_sampler_get_swap_rates(sampler, RUNGS - 1, rates));
    for (int r = 0; r < RUNGS - 1; r++) {
        assert_true(rates[r] > 0 && rates[r] <= 1);
        assert_int_equal(sampler->ladder.proposed[r], 10);
    }
    stat_set_ladder(sampler, RUNGS, LADDER); /* counts start anew */
    assert_status(ebm_sampler_get_swap_rates(sampler, RUNGS - 1, rates), EBM_ERR_STATE);
    ebm_sampler_destroy(sampler);
}

/* --- mask and bounds --- */

static void replicas_hold_what_their_chain_holds(void **state) {
    (void)state;
    enum { N = 20 };
    static const uint8_t mask[DIM] = {1, 0, 1};
    for (int k = 0; k < N_KERNELS; k++) {
        float before[N * DIM];
        ebm_sampler *sampler = new_sampler(NULL, PLAIN, KERNELS[k], N);
        STAT_OK(ebm_sampler_set_bounds(sampler, -2, 1.5, EBM_BOUNDS_REFLECT));
        stat_set_ladder(sampler, RUNGS, LADDER);
        STAT_OK(ebm_sampler_run(sampler, 5)); /* apart first */
        STAT_OK(ebm_sampler_set_mask(sampler, mask));
        STAT_OK(ebm_sampler_get_states(sampler, N, before));
        STAT_OK(ebm_sampler_run(sampler, 20));
        for (int64_t i = 0; i < RUNGS * N * DIM; i++) {
            float x = sampler->x[i];
            assert_true(x >= -2 && x <= 1.5F);
            assert_int_equal(x == before[i % (N * DIM)], mask[i % DIM] == 0);
        }
        /* What a replica does beyond narrower bounds is said. */
        sampler->x[N * DIM + 4] = 1.25F;
        for (int i = 0; i < N * DIM; i++) {
            sampler->x[i] = 0;
        }
        assert_status(ebm_sampler_set_bounds(sampler, -2, 1, EBM_BOUNDS_CLAMP), EBM_ERR_STATE);
        assert_message("a hotter replica of chain");
        ebm_sampler_destroy(sampler);
    }
}

/* --- the same bits --- */

static stat_record record_run(ebm_context *context, model_kind kind, int32_t kernel, int64_t n_runs) {
    enum { STEPS = 24 };
    ebm_sampler *sampler = new_sampler(context, kind, kernel, 150);
    stat_record record = stat_record_new();
    stat_set_ladder(sampler, RUNGS, LADDER);
    STAT_OK(ebm_sampler_set_swap_every(sampler, 2));
    for (int64_t i = 0; i < n_runs; i++) {
        STAT_OK(ebm_sampler_run(sampler, STEPS / n_runs));
    }
    note_rows(&record, sampler);
    ebm_sampler_destroy(sampler);
    ebm_context_destroy(context);
    return record;
}

static ebm_context *context_of(int32_t threads, int64_t *loops) {
    ebm_context *context = NULL;
    STAT_OK(ebm_context_create(&context));
    STAT_OK(ebm_context_set_threads(context, threads));
    if (loops != NULL) {
        STAT_OK(ebm_context_set_parallel_for(context, stat_backwards, loops));
    }
    return context;
}

static void assert_same_and_free(const stat_record *expected, stat_record record, const char *how) {
    stat_assert_same(expected, &record, "a ladder", how);
    free(record.bytes);
}

static void any_threads_and_any_split_give_the_same_bits(void **state) {
    (void)state;
    for (int m = 0; m < N_MODELS; m++) {
        for (int k = 0; k < N_KERNELS; k++) {
            model_kind kind = (model_kind)m;
            int64_t loops = 0;
            stat_record expected = record_run(NULL, kind, KERNELS[k], 1);
            assert_same_and_free(&expected, record_run(NULL, kind, KERNELS[k], 3), "3 runs");
            assert_same_and_free(&expected, record_run(NULL, kind, KERNELS[k], 24), "24 runs");
            assert_same_and_free(&expected, record_run(context_of(2, NULL), kind, KERNELS[k], 1), "2 threads");
            assert_same_and_free(&expected, record_run(context_of(3, NULL), kind, KERNELS[k], 8), "3 threads");
            assert_same_and_free(&expected, record_run(context_of(1, &loops), kind, KERNELS[k], 1), "backwards");
            assert_true(kind == ALONE ? loops == 0 : loops > 10); /* one call at a time, if the host says so */
            ebm__simd_use(ebm__simd_named("baseline"));
            assert_same_and_free(&expected, record_run(NULL, kind, KERNELS[k], 1), "baseline");
            ebm__simd_use(NULL);
            free(expected.bytes);
        }
    }
}

/* --- training --- */

enum { ROWS = 40, BATCHES = 6 };

typedef struct training {
    test_host host;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    float data[ROWS * DIM];
} training;

static void begin_training(training *t, int32_t kernel, int32_t start, int64_t capacity, double restarts) {
    *t = (training){0};
    ebm_model *model = test_model_create(NULL, DIM, 1, &t->host);
    test_fill(ROWS * DIM, t->data);
    STAT_OK(ebm_sampler_create(NULL, model, 30, 2, &t->sampler));
    STAT_OK(ebm_sampler_set_kernel(t->sampler, kernel));
    STAT_OK(ebm_sampler_set_step_size(t->sampler, 0.1));
    STAT_OK(ebm_sampler_set_start(t->sampler, start));
    STAT_OK(ebm_sampler_set_buffer(t->sampler, capacity, restarts));
    stat_set_ladder(t->sampler, RUNGS, LADDER);
    STAT_OK(ebm_trainer_create(NULL, model, t->sampler, &t->trainer));
    STAT_OK(ebm_trainer_set_mcmc_steps(t->trainer, 4));
    ebm_model_destroy(model);
}

static void note_and_end(training *t, stat_record *record) {
    note_rows(record, t->sampler);
    if (t->sampler->has_momenta) {
        stat_note(record, (size_t)(t->sampler->n_rows * DIM) * sizeof(float), t->sampler->momenta);
    }
    stat_note(record, (size_t)t->sampler->n_rows, t->sampler->ladder.came_from);
    ebm_trainer_destroy(t->trainer);
    ebm_sampler_destroy(t->sampler);
}

/*
 * A step that fails puts the replicas back too, with their momenta and counts: all goes on as if it had not been
 * tried. Failures at the first, a middle and the last call of a callback.
 */
static void a_failed_step_puts_replicas_back(void **state) {
    (void)state;
    static const struct {
        int32_t start;
        int64_t capacity;
        double restarts;
    } starts[] = {{EBM_START_PERSISTENT, 0, 0}, {EBM_START_PERSISTENT, 0, 0.3}, {EBM_START_PERSISTENT, 90, 0.2},
                  {EBM_START_DATA, 0, 0},       {EBM_START_NOISE, 0, 0}};
    for (int k = 0; k < N_KERNELS; k++) {
        for (int s = 0; s < (int)(sizeof starts / sizeof *starts); s++) {
            static training t;
            stat_record expected = stat_record_new();
            begin_training(&t, KERNELS[k], starts[s].start, starts[s].capacity, starts[s].restarts);
            for (int i = 0; i < BATCHES; i++) {
                STAT_OK(ebm_trainer_step(t.trainer, ROWS, t.data));
            }
            test_host_arm(&t.host, CALL_ENERGY | CALL_PARAM_GRAD, 0);
            STAT_OK(ebm_trainer_step(t.trainer, ROWS, t.data));
            int calls = atomic_load(&t.host.calls);
            note_and_end(&t, &expected);
            const int ats[] = {1, calls / 2, calls};
            for (int a = 0; a < 3; a++) {
                stat_record record = stat_record_new();
                begin_training(&t, KERNELS[k], starts[s].start, starts[s].capacity, starts[s].restarts);
                for (int i = 0; i < BATCHES; i++) {
                    STAT_OK(ebm_trainer_step(t.trainer, ROWS, t.data));
                }
                t.host.answer = -1;
                test_host_arm(&t.host, CALL_ENERGY | CALL_PARAM_GRAD, ats[a]);
                assert_status(ebm_trainer_step(t.trainer, ROWS, t.data), EBM_ERR_CALLBACK);
                test_host_arm(&t.host, 0, 0);
                STAT_OK(ebm_trainer_step(t.trainer, ROWS, t.data));
                note_and_end(&t, &record);
                char how[64];
                snprintf(how, sizeof how, "kernel %d, start %d, failure at %d", KERNELS[k], s, ats[a]);
                assert_same_and_free(&expected, record, how);
            }
            free(expected.bytes);
        }
    }
}

/* --- failures of a run --- */

/* Wherever the callback fails, the rows stand as the last whole step left them: swaps are a part of it. */
static void a_failed_run_stands_at_a_whole_step(void **state) {
    (void)state;
    enum { N = 20, STEPS = 4, MOST_CALLS = 500 };
    for (int k = 0; k < N_KERNELS; k++) {
        test_host host = {.answer = -1, .skip = OUT_ENERGY | OUT_GRAD_X};
        stat_record whole[STEPS + 1];
        bool failed = true;
        for (int s = 0; s <= STEPS; s++) {
            ebm_sampler *sampler = stat_sampler(test_model_create(NULL, DIM, 1, &host), N, 3, KERNELS[k], 0.1);
            stat_set_ladder(sampler, RUNGS, LADDER);
            STAT_OK(ebm_sampler_set_max_depth(sampler, 3));
            STAT_OK(ebm_sampler_run(sampler, s + 2));
            whole[s] = stat_record_new();
            note_rows(&whole[s], sampler);
            ebm_sampler_destroy(sampler);
        }
        for (int at = 1; failed; at++) {
            int64_t steps;
            stat_record record = stat_record_new();
            ebm_sampler *sampler = stat_sampler(test_model_create(NULL, DIM, 1, &host), N, 3, KERNELS[k], 0.1);
            stat_set_ladder(sampler, RUNGS, LADDER);
            STAT_OK(ebm_sampler_set_max_depth(sampler, 3));
            STAT_OK(ebm_sampler_run(sampler, 2));
            test_host_arm(&host, CALL_ENERGY, at);
            failed = ebm_sampler_run(sampler, STEPS) != EBM_OK;
            test_host_arm(&host, 0, 0);
            STAT_OK(ebm_sampler_get_steps(sampler, &steps));
            note_rows(&record, sampler);
            stat_assert_same(&whole[steps - 2], &record, "a failed run", "rows");
            free(record.bytes);
            record = stat_record_new();
            STAT_OK(ebm_sampler_run(sampler, STEPS - (steps - 2))); /* and it goes on as if nothing had been */
            note_rows(&record, sampler);
            assert_same_and_free(&whole[STEPS], record, "going on");
            ebm_sampler_destroy(sampler);
            assert_in_range(at, 1, MOST_CALLS);
        }
        for (int s = 0; s <= STEPS; s++) {
            free(whole[s].bytes);
        }
    }
}

/* A failure names the rung. A tuning that fails leaves the ladder, and the rungs' step sizes, as they were. */
static void a_failed_tuning_changes_nothing(void **state) {
    (void)state;
    static const double factors[RUNGS] = {1, 2, 0.5, 1.5};
    test_host host = {.answer = -1};
    double got[RUNGS];
    ebm_sampler *sampler = stat_sampler(test_model_create(NULL, DIM, 1, &host), 8, 3, EBM_KERNEL_MALA, 0.1);
    assert_status(ebm_sampler_tune_ladder(sampler, 100), EBM_ERR_STATE);
    stat_set_ladder(sampler, RUNGS, LADDER);
    STAT_OK(ebm_sampler_set_rung_step_sizes(sampler, RUNGS, factors));
    test_host_arm(&host, CALL_ENERGY, 1000);
    assert_status(ebm_sampler_tune_ladder(sampler, 10000), EBM_ERR_CALLBACK);
    assert_message("ebm_sampler_tune_ladder: Markov step ");
    STAT_OK(ebm_sampler_get_ladder(sampler, RUNGS, got));
    assert_memory_equal(got, LADDER, sizeof got);
    STAT_OK(ebm_sampler_get_rung_step_sizes(sampler, RUNGS, got));
    assert_memory_equal(got, factors, sizeof got);
    test_host_arm(&host, CALL_ENERGY, 3);
    assert_status(ebm_sampler_adapt(sampler, 50, 0.6), EBM_ERR_CALLBACK);
    STAT_OK(ebm_sampler_get_rung_step_sizes(sampler, RUNGS, got));
    assert_memory_equal(got, factors, sizeof got);
    test_host_arm(&host, CALL_ENERGY, 4); /* all rows, then a piece for every rung */
    assert_status(ebm_sampler_run(sampler, 5), EBM_ERR_CALLBACK);
    assert_message("ebm_sampler_run: Markov step ");
    assert_message("rung 2, whose rows begin at 16: ");
    test_host_arm(&host, 0, 0);
    STAT_OK(ebm_sampler_tune_ladder(sampler, 400));
    STAT_OK(ebm_sampler_get_ladder(sampler, RUNGS, got));
    assert_memory_not_equal(got, LADDER, sizeof got);
    ebm_sampler_destroy(sampler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replicas_stand_where_their_chain_stands),
        cmocka_unit_test(restarts_are_noise_on_every_rung),
        cmocka_unit_test(chains_do_not_see_replicas_that_never_swap),
        cmocka_unit_test(swaps_are_counted_when_they_are_due),
        cmocka_unit_test(replicas_hold_what_their_chain_holds),
        cmocka_unit_test(any_threads_and_any_split_give_the_same_bits),
        cmocka_unit_test(a_failed_step_puts_replicas_back),
        cmocka_unit_test(a_failed_run_stands_at_a_whole_step),
        cmocka_unit_test(a_failed_tuning_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The same bits however steps are split into calls; and what results depend on: the seed, not the other chains. */
#include "repeat_cases.h"

/* --- how the steps are split --- */

enum split { ONE_RUN, THREE_RUNS, SIXTY_RUNS, THREE_DRAWS, SIXTY_DRAWS, THROUGH_THE_HOST, N_SPLITS };

static void run_split(ebm_sampler *sampler, int64_t dim, enum split split) {
    int64_t n = ebm_sampler_chain_count(sampler);
    float *x = stat_alloc(STEPS * n * dim, sizeof *x);
    float *again = stat_alloc(n * dim, sizeof *again);
    if (split == THREE_DRAWS || split == SIXTY_DRAWS) {
        int64_t n_draws = split == THREE_DRAWS ? 3 : STEPS;
        STAT_OK(ebm_sampler_draw(sampler, n_draws, STEPS / n_draws, x));
        STAT_OK(ebm_sampler_get_states(sampler, n, again));
        assert_memory_equal(x + (n_draws - 1) * n * dim, again, (size_t)(n * dim) * sizeof *x);
    } else {
        int64_t n_runs = split == ONE_RUN ? 1 : split == SIXTY_RUNS ? STEPS : 3;
        for (int64_t i = 0; i < n_runs; i++) {
            STAT_OK(ebm_sampler_run(sampler, STEPS / n_runs));
            if (split == THROUGH_THE_HOST) {
                double energy;
                STAT_OK(ebm_sampler_get_mean_energy(sampler, &energy));
                STAT_OK(ebm_sampler_get_states(sampler, n, x));
                STAT_OK(ebm_sampler_set_states(sampler, n, x));
                STAT_OK(ebm_sampler_run(sampler, 0));
            }
        }
    }
    free(again);
    free(x);
}

static void one_run_is_many(void **state) {
    (void)state;
    static const char *const names[] = {"one run", "3 runs",   "60 runs",
                                        "3 draws", "60 draws", "states through the host"};
    for (int i = 0; i < N_CHAINS_CASES; i++) {
        stat_record records[N_SPLITS];
        const chains_case *c = &CHAINS_CASES[i];
        bool keeps_momenta = c->kernel == EBM_KERNEL_UNDERDAMPED || c->kernel == EBM_KERNEL_UNDERDAMPED_ADJUSTED;
        int n_splits = keeps_momenta ? THROUGH_THE_HOST : N_SPLITS; /* states that are set have fresh momenta */
        for (int split = 0; split < n_splits; split++) {
            ebm_sampler *sampler = new_sampler(NULL, c, 150, 31);
            int64_t steps;
            records[split] = stat_record_new();
            run_split(sampler, DIM[c->model], (enum split)split);
            stat_note_states(&records[split], sampler, DIM[c->model]);
            STAT_OK(ebm_sampler_get_steps(sampler, &steps));
            assert_int_equal(steps, STEPS);
            ebm_sampler_destroy(sampler);
            stat_assert_same(&records[0], &records[split], CHAINS_CASES[i].name, names[split]);
        }
        for (int split = 0; split < n_splits; split++) {
            free(records[split].bytes);
        }
    }
}

/* Every draw of a row of draws is what a run would have left. */
static void draws_are_the_states_on_the_way(void **state) {
    (void)state;
    enum { N = 40, DRAWS = 6, THIN = 4 };
    const chains_case *c = &CHAINS_CASES[0];
    float draws[DRAWS][N * 3];
    float x[N * 3];
    ebm_sampler *drawn = new_sampler(NULL, c, N, 41);
    ebm_sampler *run = new_sampler(NULL, c, N, 41);
    STAT_OK(ebm_sampler_draw(drawn, DRAWS, THIN, draws[0]));
    for (int d = 0; d < DRAWS; d++) {
        STAT_OK(ebm_sampler_run(run, THIN));
        STAT_OK(ebm_sampler_get_states(run, N, x));
        assert_memory_equal(x, draws[d], sizeof x);
    }
    ebm_sampler_destroy(drawn);
    ebm_sampler_destroy(run);
}

static void one_fit_is_many(void **state) {
    (void)state;
    for (int i = 0; i < N_TRAINING_CASES; i++) {
        stat_record records[2];
        for (int split = 0; split < 2; split++) {
            training t = new_training(NULL, &TRAINING_CASES[i], 51);
            records[split] = stat_record_new();
            for (int call = 0; call <= split; call++) {
                STAT_OK(ebm_trainer_fit(t.trainer, DATA_ROWS, t.data, 2 - split));
            }
            note_training(&records[split], &t);
            free_training(&t);
        }
        stat_assert_same(&records[0], &records[1], TRAINING_CASES[i].name, "two epochs");
        free(records[0].bytes);
        free(records[1].bytes);
    }
}

/* --- what the results depend on --- */

/*
 * Noise belongs to a chain, not to its place among others nor to the piece of work that it is in: with an elementwise
 * energy, 10 chains are the first of 300, and those the first of 2,000, whose pieces are larger.
 */
static void a_chain_does_not_see_the_others(void **state) {
    (void)state;
    static const int64_t counts[] = {10, 300, 2000};
    for (int i = 0; i < N_CHAINS_CASES; i++) {
        const chains_case *c = &CHAINS_CASES[i];
        /* Matrix products may add in an order that depends on their size. */
        if (c->model == MLP || c->model == GAUSSIAN) {
            continue;
        }
        float *x[3];
        for (int j = 0; j < 3; j++) {
            ebm_sampler *sampler = new_sampler(NULL, c, counts[j], 61);
            x[j] = stat_alloc(counts[j] * DIM[c->model], sizeof **x);
            STAT_OK(ebm_sampler_run(sampler, 15));
            STAT_OK(ebm_sampler_get_states(sampler, counts[j], x[j]));
            ebm_sampler_destroy(sampler);
            if (j > 0) {
                assert_memory_equal(x[j - 1], x[j], (size_t)(counts[j - 1] * DIM[c->model]) * sizeof **x);
            }
        }
        for (int j = 0; j < 3; j++) {
            free(x[j]);
        }
    }
}

static void another_seed_is_another_result(void **state) {
    (void)state;
    static const uint64_t seeds[] = {0, 1, UINT64_C(1) << 32, UINT64_MAX};
    for (int i = 0; i < N_CHAINS_CASES; i++) {
        stat_record records[4];
        for (int s = 0; s < 4; s++) {
            ebm_sampler *sampler = new_sampler(NULL, &CHAINS_CASES[i], 8, seeds[s]);
            float zeros[8 * 32] = {0};
            records[s] = stat_record_new();
            /* One start for all, so that it is the steps' noise that differs. */
            STAT_OK(ebm_sampler_set_states(sampler, 8, zeros));
            STAT_OK(ebm_sampler_run(sampler, 5));
            stat_note_states(&records[s], sampler, DIM[CHAINS_CASES[i].model]);
            ebm_sampler_destroy(sampler);
            for (int before = 0; before < s; before++) {
                assert_false(stat_same(&records[before], &records[s]));
            }
        }
        for (int s = 0; s < 4; s++) {
            free(records[s].bytes);
        }
    }
    for (int i = 0; i < N_TRAINING_CASES; i++) {
        stat_record records[2];
        for (int s = 0; s < 2; s++) {
            training t = new_training(NULL, &TRAINING_CASES[i], seeds[s]);
            records[s] = stat_record_new();
            STAT_OK(ebm_trainer_set_grad_clip(t.trainer, INFINITY));
            for (int step = 0; step < 3; step++) { /* Adam's first step shows the gradient's sign alone */
                STAT_OK(ebm_trainer_step(t.trainer, 10, t.data));
            }
            stat_note_params(&records[s], t.model);
            free_training(&t);
        }
        assert_false(stat_same(&records[0], &records[1]));
        free(records[0].bytes);
        free(records[1].bytes);
    }
}

static void states_come_back_as_they_were_set(void **state) {
    (void)state;
    enum { N = 9, DIMENSION = 3 };
    float x[N * DIMENSION];
    float back[N * DIMENSION];
    ebm_sampler *sampler = new_sampler(NULL, &CHAINS_CASES[0], N, 71);
    for (int i = 0; i < N * DIMENSION; i++) {
        x[i] = i % 2 == 0 ? 1e30F / (float)(i + 1) : -1e-42F * (float)i; /* denormals too */
    }
    STAT_OK(ebm_sampler_set_states(sampler, N, x));
    STAT_OK(ebm_sampler_get_states(sampler, N, back));
    assert_memory_equal(x, back, sizeof x);
    x[0] = 7.0F;
    x[DIMENSION] = 8.0F;
    STAT_OK(ebm_sampler_set_states(sampler, 1, x)); /* the first alone */
    STAT_OK(ebm_sampler_get_states(sampler, N, back));
    assert_true(back[0] == 7.0F && back[DIMENSION] != 8.0F);
    ebm_sampler_destroy(sampler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_run_is_many),
        cmocka_unit_test(draws_are_the_states_on_the_way),
        cmocka_unit_test(one_fit_is_many),
        cmocka_unit_test(a_chain_does_not_see_the_others),
        cmocka_unit_test(another_seed_is_another_result),
        cmocka_unit_test(states_come_back_as_they_were_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Where chains start each time a trainer needs negatives: exact expectations. On E = x^2 / 2 with eta = 1/2 and no
 * noise a step halves the state, exactly, so a state's exponent tells how often it was moved and its fraction which
 * one it is.
 */
#include "stat_models.h"

typedef struct setup {
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    int64_t n_chains, dim;
} setup;

static setup new_setup(int64_t n_chains, int64_t dim, int32_t start, uint64_t seed) {
    setup s = {.n_chains = n_chains, .dim = dim};
    s.model = stat_quadratic(NULL, dim, 1.0);
    s.sampler = stat_sampler(s.model, n_chains, seed, EBM_KERNEL_LANGEVIN, 0.5);
    STAT_OK(ebm_sampler_set_noise_std(s.sampler, 0));
    STAT_OK(ebm_sampler_set_start(s.sampler, start));
    STAT_OK(ebm_trainer_create(NULL, s.model, s.sampler, &s.trainer));
    STAT_OK(ebm_trainer_set_mcmc_steps(s.trainer, 1));
    return s;
}

static void free_setup(setup *s) {
    ebm_trainer_destroy(s->trainer);
    ebm_sampler_destroy(s->sampler);
}

/* One batch of negatives, from n rows of data. */
static void negatives(const setup *s, int64_t n, const float *data, float *x) {
    float gradient;
    STAT_OK(ebm_trainer_gradient(s->trainer, n, data, 1, &gradient));
    STAT_OK(ebm_sampler_get_states(s->sampler, s->n_chains, x));
}

static void from_data_row_by_row(void **state) {
    (void)state;
    const float data[] = {1, 2, 3, 4, 5, 6};
    const float expected[] = {0.5F, 1, 1.5F, 2, 2.5F, 3, 0.5F, 1, 1.5F, 2};
    float x[10];
    setup s = new_setup(5, 2, EBM_START_DATA, 1);
    for (int call = 0; call < 2; call++) { /* from the data again, not from where the chains stopped */
        negatives(&s, 3, data, x);          /* 3 rows for 5 chains: from the top again */
        assert_memory_equal(x, expected, sizeof x);
    }
    free_setup(&s);

    s = new_setup(2, 2, EBM_START_DATA, 1);
    negatives(&s, 3, data, x); /* 3 rows for 2 chains: the first ones */
    assert_memory_equal(x, expected, 4 * sizeof *x);
    free_setup(&s);
}

/* The chains start from the very rows whose energy is the data's: with their noise. */
static void from_data_with_their_noise(void **state) {
    (void)state;
    enum { N = 70 };
    float data[N] = {0};
    float x[N];
    double of_data;
    double of_model;
    setup s = new_setup(N, 1, EBM_START_DATA, 2);
    STAT_OK(ebm_trainer_set_data_noise(s.trainer, 0.5));
    negatives(&s, N, data, x);
    STAT_OK(ebm_trainer_get_energy_data(s.trainer, &of_data));
    STAT_OK(ebm_trainer_get_energy_model(s.trainer, &of_model));
    assert_true(of_data > 0.01);
    assert_true(of_model == of_data / 4);
    free_setup(&s);
}

static void from_data_needs_data(void **state) {
    (void)state;
    float x[2];
    setup s = new_setup(2, 1, EBM_START_DATA, 3);
    assert_int_equal(ebm_sampler_run(s.sampler, 1), EBM_ERR_STATE);
    assert_int_equal(ebm_sampler_get_states(s.sampler, 2, x), EBM_ERR_STATE);
    const float start[] = {1, 2};
    STAT_OK(ebm_sampler_set_states(s.sampler, 2, start));
    STAT_OK(ebm_sampler_run(s.sampler, 1));
    STAT_OK(ebm_sampler_get_states(s.sampler, 2, x));
    assert_true(x[0] == 0.5F && x[1] == 1.0F);
    free_setup(&s);
}

/* Fresh noise at every batch, from the numbers of the stream: no value comes twice, and none comes from before. */
static void from_noise_each_time(void **state) {
    (void)state;
    enum { N = 8, CALLS = 20 };
    const float data = 1;
    float x[CALLS * N];
    setup s = new_setup(N, 1, EBM_START_NOISE, 4);
    for (int call = 0; call < CALLS; call++) {
        negatives(&s, 1, &data, x + call * N);
    }
    for (int i = 0; i < CALLS * N; i++) {
        for (int j = 0; j < i; j++) {
            assert_true(x[i] != x[j]);
        }
    }
    free_setup(&s);
}

/* Capacity n_chains: every chain goes on where it stopped, also after a host has moved it. */
static void persistent_chains_go_on(void **state) {
    (void)state;
    const float start[] = {1, -3, 0.75F};
    const float data = 1;
    float x[3];
    setup s = new_setup(3, 1, EBM_START_PERSISTENT, 5);
    STAT_OK(ebm_sampler_set_states(s.sampler, 3, start));
    for (int call = 1; call <= 10; call++) {
        negatives(&s, 1, &data, x);
        for (int c = 0; c < 3; c++) {
            assert_true(x[c] == ldexpf(start[c], -call));
        }
    }
    STAT_OK(ebm_sampler_run(s.sampler, 2));
    negatives(&s, 1, &data, x);
    assert_true(x[0] == ldexpf(1, -13));
    free_setup(&s);
}

/*
 * A larger buffer: what was picked is moved, goes back to its own place, and is found there the next time it is
 * picked, moved once for every time it was picked before. k steps of a batch are k halvings.
 */
static void buffer_states_go_on_in_place(void **state) {
    (void)state;
    enum { N = 3, CAPACITY = 7, CALLS = 40, K = 2 };
    float fraction[CAPACITY];
    int exponent[CAPACITY];
    int visits[CAPACITY] = {0};
    int known = 0;
    const float data = 1;
    setup s = new_setup(N, 1, EBM_START_PERSISTENT, 6);
    STAT_OK(ebm_trainer_set_mcmc_steps(s.trainer, K));
    STAT_OK(ebm_sampler_set_buffer(s.sampler, CAPACITY, 0));
    for (int call = 0; call < CALLS; call++) {
        float x[N];
        negatives(&s, 1, &data, x);
        for (int c = 0; c < N; c++) {
            int e;
            float f = frexpf(x[c], &e);
            int i = 0;
            while (i < known && fraction[i] != f) {
                i++;
            }
            assert_true(i < CAPACITY);
            if (i == known) {
                fraction[known++] = f;
                exponent[i] = e;
            } else {
                assert_int_equal(e, exponent[i] - K * visits[i]);
            }
            visits[i]++;
        }
    }
    assert_int_equal(known, CAPACITY);
    free_setup(&s);
}

/* Restart with probability 1: all are new at every batch, and went through the buffer; with 0, none. */
static void restart_probability_of_one_is_noise(void **state) {
    (void)state;
    enum { N = 4, CALLS = 12 };
    static const int64_t capacities[] = {0, 9};
    const float data = 1;
    for (int i = 0; i < 2; i++) {
        float x[CALLS * N];
        setup s = new_setup(N, 1, EBM_START_PERSISTENT, 7);
        STAT_OK(ebm_sampler_set_noise_start(s.sampler, EBM_NOISE_UNIFORM, 8, 16)); /* one exponent: moved once */
        STAT_OK(ebm_sampler_set_buffer(s.sampler, capacities[i], 1));
        for (int call = 0; call < CALLS; call++) {
            negatives(&s, 1, &data, x + call * N);
        }
        for (int c = 0; c < CALLS * N; c++) {
            assert_true(x[c] >= 4 && x[c] < 8);
            for (int j = 0; j < c; j++) {
                assert_true(x[c] != x[j]);
            }
        }
        free_setup(&s);
    }
}

/* restart: chains and buffer alike are new noise, and the stream of noise goes on. */
static void restart_throws_all_away(void **state) {
    (void)state;
    enum { N = 4, CAPACITY = 8 };
    const float data = 1;
    float before[N];
    float after[N];
    setup s = new_setup(N, 1, EBM_START_PERSISTENT, 8);
    STAT_OK(ebm_sampler_set_noise_start(s.sampler, EBM_NOISE_UNIFORM, 8, 16));
    STAT_OK(ebm_sampler_set_buffer(s.sampler, CAPACITY, 0));
    STAT_OK(ebm_sampler_get_states(s.sampler, N, before));
    for (int call = 0; call < 50; call++) {
        negatives(&s, 1, &data, after);
    }
    assert_true(after[0] < 1); /* moved several times */
    STAT_OK(ebm_sampler_restart(s.sampler));
    STAT_OK(ebm_sampler_get_states(s.sampler, N, after));
    for (int c = 0; c < N; c++) {
        assert_true(after[c] >= 8 && after[c] < 16 && after[c] != before[c]);
    }
    negatives(&s, 1, &data, after); /* none in the buffer was moved before */
    for (int c = 0; c < N; c++) {
        assert_true(after[c] >= 4 && after[c] < 8);
    }
    free_setup(&s);
}

/* A new capacity empties the buffer; the same one keeps it, and so does a change of the probability alone. */
static void a_new_capacity_empties_the_buffer(void **state) {
    (void)state;
    enum { N = 2, CAPACITY = 3 };
    const float data = 1;
    float x[N];
    setup s = new_setup(N, 1, EBM_START_PERSISTENT, 9);
    STAT_OK(ebm_sampler_set_noise_start(s.sampler, EBM_NOISE_UNIFORM, 8, 16));
    STAT_OK(ebm_sampler_set_buffer(s.sampler, CAPACITY, 0.5));
    STAT_OK(ebm_sampler_set_buffer(s.sampler, CAPACITY, 0));
    for (int call = 0; call < 30; call++) {
        negatives(&s, 1, &data, x);
    }
    STAT_OK(ebm_sampler_set_buffer(s.sampler, CAPACITY, 0));
    negatives(&s, 1, &data, x);
    assert_true(x[0] < 1 && x[1] < 1);
    STAT_OK(ebm_sampler_set_buffer(s.sampler, CAPACITY + 1, 0));
    negatives(&s, 1, &data, x);
    assert_true(x[0] >= 4 && x[1] >= 4);
    free_setup(&s);
}

/* Starts outside the bounds come in by the bounds' own rule. */
static void starts_are_brought_into_the_bounds(void **state) {
    (void)state;
    const float data[] = {3, -3, 0.25F};
    float x[3];
    setup s = new_setup(3, 1, EBM_START_DATA, 10);
    STAT_OK(ebm_sampler_set_bounds(s.sampler, -1, 2, EBM_BOUNDS_CLAMP));
    negatives(&s, 3, data, x);
    assert_true(x[0] == 1 && x[1] == -0.5F && x[2] == 0.125F);
    free_setup(&s);

    s = new_setup(3, 1, EBM_START_DATA, 10);
    STAT_OK(ebm_sampler_set_bounds(s.sampler, -1, 2, EBM_BOUNDS_REFLECT));
    negatives(&s, 3, data, x);
    assert_true(x[0] == 0.5F && x[1] == 0.5F && x[2] == 0.125F); /* 3 -> 1, -3 -> 1, halved */
    free_setup(&s);

    enum { N = 500 };
    float many[N];
    s = new_setup(N, 1, EBM_START_NOISE, 10);
    STAT_OK(ebm_sampler_set_bounds(s.sampler, -0.5, 0.25, EBM_BOUNDS_CLAMP));
    STAT_OK(ebm_sampler_get_states(s.sampler, N, many));
    int at_ends = 0;
    for (int c = 0; c < N; c++) {
        assert_true(many[c] >= -0.5F && many[c] <= 0.25F);
        at_ends += many[c] == -0.5F || many[c] == 0.25F;
    }
    assert_true(at_ends > N / 2);
    free_setup(&s);
}

static void a_wider_noise_start_scales(void **state) {
    (void)state;
    enum { N = 64 };
    float narrow[N];
    float wide[N];
    ebm_sampler *sampler = stat_sampler(stat_flat(NULL, 1), N, 11, EBM_KERNEL_LANGEVIN, 0.1);
    STAT_OK(ebm_sampler_get_states(sampler, N, narrow));
    ebm_sampler_destroy(sampler);
    sampler = stat_sampler(stat_flat(NULL, 1), N, 11, EBM_KERNEL_LANGEVIN, 0.1);
    STAT_OK(ebm_sampler_set_noise_start(sampler, EBM_NOISE_NORMAL, 0, 4));
    STAT_OK(ebm_sampler_get_states(sampler, N, wide));
    for (int c = 0; c < N; c++) {
        assert_true(wide[c] == 4 * narrow[c]);
    }
    STAT_OK(ebm_sampler_set_noise_start(sampler, EBM_NOISE_NORMAL, 2.5, 0)); /* no noise at all */
    STAT_OK(ebm_sampler_restart(sampler));
    STAT_OK(ebm_sampler_get_states(sampler, N, wide));
    for (int c = 0; c < N; c++) {
        assert_true(wide[c] == 2.5F);
    }
    ebm_sampler_destroy(sampler);
}

/* E = 10^6 + |x|: alike in gradient, and in energy to a millionth, wherever a chain stands on one side. */
static int32_t high_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                           void *user_data) {
    (void)theta;
    (void)user_data;
    assert_int_equal(dim, 1);
    for (int64_t r = 0; r < n; r++) {
        if (energy != NULL) {
            energy[r] = 1e6 + fabs((double)x[r]);
        }
        if (grad_x != NULL) {
            grad_x[r] = x[r] > 0 ? 1.0F : -1.0F;
        }
    }
    return EBM_CB_OK;
}

/* What a kernel knew of where the chains stood is no use where ebm_sampler_set_states has put them. */
static void nothing_is_known_of_states_that_are_set(void **state) {
    (void)state;
    enum { CHAINS = 2000 };
    static float x[2][CHAINS];
    static const int32_t kernels[] = {EBM_KERNEL_MALA, EBM_KERNEL_HMC, EBM_KERNEL_NUTS};
    for (int k = 0; k < 3; k++) {
        for (int came_from = 0; came_from < 2; came_from++) { /* near by, and far away */
            ebm_model *model = NULL;
            STAT_OK(ebm_model_create(NULL, 1, high_energy, NULL, NULL, &model));
            ebm_sampler *sampler = stat_sampler(model, CHAINS, 3, kernels[k], 0.7);
            for (int i = 0; i < CHAINS; i++) {
                x[came_from][i] = came_from == 0 ? 3.2F : 300;
            }
            STAT_OK(ebm_sampler_set_states(sampler, CHAINS, x[came_from]));
            STAT_OK(ebm_sampler_run(sampler, 1));
            for (int i = 0; i < CHAINS; i++) {
                x[came_from][i] = 2.5F;
            }
            STAT_OK(ebm_sampler_set_states(sampler, CHAINS, x[came_from]));
            STAT_OK(ebm_sampler_run(sampler, 1));
            STAT_OK(ebm_sampler_get_states(sampler, CHAINS, x[came_from]));
            ebm_sampler_destroy(sampler);
        }
        assert_memory_equal(x[0], x[1], sizeof x[0]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_data_row_by_row),
        cmocka_unit_test(from_data_with_their_noise),
        cmocka_unit_test(from_data_needs_data),
        cmocka_unit_test(from_noise_each_time),
        cmocka_unit_test(persistent_chains_go_on),
        cmocka_unit_test(buffer_states_go_on_in_place),
        cmocka_unit_test(restart_probability_of_one_is_noise),
        cmocka_unit_test(restart_throws_all_away),
        cmocka_unit_test(a_new_capacity_empties_the_buffer),
        cmocka_unit_test(starts_are_brought_into_the_bounds),
        cmocka_unit_test(a_wider_noise_start_scales),
        cmocka_unit_test(nothing_is_known_of_states_that_are_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Chance in where chains start, and in the order of an epoch: which states of the buffer, which of them anew, and the
 * noise itself. The energy is flat and sigma 0, so states stand still and can be told apart.
 *
 * False alarms, for new seeds: 24 results within STAT_BOUND (3.8e-8): 1e-6.
 */
#include "stat_features.h"

enum { CHAINS = 4, CAPACITY = 10 };

typedef struct still {
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    int64_t n_chains;
} still;

static still new_still(int64_t n_chains, int64_t capacity, double restart_probability, uint64_t seed) {
    still s = {.n_chains = n_chains};
    ebm_model *model = stat_flat(NULL, 1);
    s.sampler = stat_sampler(model, n_chains, seed, EBM_KERNEL_LANGEVIN, 0.1);
    STAT_OK(ebm_sampler_set_noise_std(s.sampler, 0));
    STAT_OK(ebm_sampler_set_noise_start(s.sampler, EBM_NOISE_UNIFORM, 0, 1));
    STAT_OK(ebm_sampler_set_buffer(s.sampler, capacity, restart_probability));
    STAT_OK(ebm_trainer_create(NULL, model, s.sampler, &s.trainer));
    STAT_OK(ebm_trainer_set_mcmc_steps(s.trainer, 1));
    return s;
}

static void free_still(still *s) {
    ebm_trainer_destroy(s->trainer);
    ebm_sampler_destroy(s->sampler);
}

/* One batch of negatives, as they stand. */
static void negatives(const still *s, float *x) {
    const float data = 0;
    float gradient;
    STAT_OK(ebm_trainer_gradient(s->trainer, 1, &data, 1, &gradient));
    STAT_OK(ebm_sampler_get_states(s->sampler, s->n_chains, x));
}

/* The place of a value among those seen so far; a new one gets the next place. */
static int64_t place_of(float value, int64_t *n_known, float *known, int64_t most) {
    for (int64_t i = 0; i < *n_known; i++) {
        if (known[i] == value) {
            return i;
        }
    }
    assert_true(*n_known < most);
    known[*n_known] = value;
    return (*n_known)++;
}

/*
 * Picks of one batch differ, and each ordered pair of states is equally likely: for the chains 0 and 1, for 2 and 3,
 * and, one batch after the other, each pair of states, equal or not, in chain 0.
 */
static void picks_are_uniform_and_without_replacement(void **state) {
    (void)state;
    enum { CALLS = 60000 };
    still s = new_still(CHAINS, CAPACITY, 0, 1);
    float known[CAPACITY];
    int64_t n_known = 0;
    int64_t pairs[2][CAPACITY * (CAPACITY - 1)] = {{0}};
    int64_t successive[CAPACITY * CAPACITY] = {0};
    int64_t last = -1;
    for (int call = 0; call < CALLS; call++) {
        float x[CHAINS];
        int64_t place[CHAINS];
        negatives(&s, x);
        for (int c = 0; c < CHAINS; c++) {
            place[c] = place_of(x[c], &n_known, known, CAPACITY);
            for (int earlier = 0; earlier < c; earlier++) {
                assert_true(place[earlier] != place[c]);
            }
        }
        for (int i = 0; i < 2; i++) {
            int64_t second = place[2 * i + 1] - (place[2 * i + 1] > place[2 * i]);
            pairs[i][place[2 * i] * (CAPACITY - 1) + second]++;
        }
        if (last >= 0) {
            successive[last * CAPACITY + place[0]]++;
        }
        last = place[0];
    }
    assert_int_equal(n_known, CAPACITY);
    STAT_WITHIN(stat_uniform_z(CAPACITY * (CAPACITY - 1), pairs[0]), STAT_BOUND);
    STAT_WITHIN(stat_uniform_z(CAPACITY * (CAPACITY - 1), pairs[1]), STAT_BOUND);
    STAT_WITHIN(stat_uniform_z(CAPACITY * CAPACITY, successive), STAT_BOUND);
    free_still(&s);
}

/* With no room beyond the chains, nothing is picked: they go on in their own places. */
static void a_buffer_of_n_chains_is_the_chains(void **state) {
    (void)state;
    static const int64_t capacities[] = {0, CHAINS};
    for (int i = 0; i < 2; i++) {
        still s = new_still(CHAINS, capacities[i], 0, 2);
        float first[CHAINS];
        float x[CHAINS];
        negatives(&s, first);
        for (int call = 0; call < 20; call++) {
            negatives(&s, x);
            assert_memory_equal(x, first, sizeof x);
        }
        free_still(&s);
    }
}

/*
 * How many of a batch start anew is binomial, in every chain alike, and their states are uniform noise that nobody
 * had before. The values that stay are known from the batches before. (Two of the 2^24 values may be the same by
 * chance: one count in thousands.)
 */
static void assert_restarts(int64_t capacity, double p) {
    enum { CALLS = 3000, N = 16, MOST = CALLS * N + 64, CELLS = 20 };
    still s = new_still(N, capacity, p, 3);
    float *known = stat_alloc(MOST, sizeof *known);
    int64_t n_known = 0;
    int64_t by_chain[N] = {0};
    int64_t by_count[N + 1] = {0};
    int64_t by_cell[CELLS] = {0};
    float x[N];
    /* Until every state of the buffer has been seen, with no restarts. */
    STAT_OK(ebm_sampler_set_buffer(s.sampler, capacity, 0));
    while (n_known < (capacity == 0 ? N : capacity)) {
        negatives(&s, x);
        for (int c = 0; c < N; c++) {
            place_of(x[c], &n_known, known, MOST);
        }
    }
    STAT_OK(ebm_sampler_set_buffer(s.sampler, capacity, p));
    for (int call = 0; call < CALLS; call++) {
        int64_t count = 0;
        negatives(&s, x);
        for (int c = 0; c < N; c++) {
            int64_t before = n_known;
            place_of(x[c], &n_known, known, MOST);
            if (n_known > before) {
                count++;
                by_chain[c]++;
                by_cell[(int)(x[c] * CELLS)]++;
            }
        }
        by_count[count]++;
    }
    double expected[N + 1];
    double total = 0;
    for (int k = 0; k <= N; k++) {
        expected[k] =
            CALLS * exp(lgamma(N + 1.0) - lgamma(k + 1.0) - lgamma(N - k + 1.0)) * pow(p, k) * pow(1 - p, N - k);
        total += (double)(k * by_count[k]);
    }
    /* Counts above 4 are one cell: the chi-square test wants cells that are not nearly empty. */
    for (int k = 5; k <= N; k++) {
        expected[4] += expected[k];
        by_count[4] += by_count[k];
    }
    STAT_WITHIN((total - CALLS * N * p) / sqrt(CALLS * N * p * (1 - p)), STAT_BOUND);
    STAT_WITHIN(stat_chi_square_z(5, by_count, expected), STAT_BOUND);
    STAT_WITHIN(stat_uniform_z(N, by_chain), STAT_BOUND);
    STAT_WITHIN(stat_uniform_z(CELLS, by_cell), STAT_BOUND);
    free(known);
    free_still(&s);
}

static void restarts_are_binomial(void **state) {
    (void)state;
    assert_restarts(0, 0.1);
    assert_restarts(24, 0.05);
}

/*
 * Starts of many chains: N(a, b^2) in mean, variance and fourth moment; uniform over [a, b). Also what restart
 * brings.
 */
static void noise_starts_have_their_moments(void **state) {
    (void)state;
    enum { N = 100000, CELLS = 64 };
    float *x = stat_alloc(2 * N, sizeof *x);
    ebm_sampler *sampler = stat_sampler(stat_flat(NULL, 2), N, 4, EBM_KERNEL_LANGEVIN, 0.1);
    STAT_OK(ebm_sampler_set_noise_start(sampler, EBM_NOISE_NORMAL, 1.5, 0.7));
    for (int round = 0; round < 2; round++) {
        STAT_OK(ebm_sampler_get_states(sampler, N, x));
        stat_sum mean = {0};
        stat_sum square = {0};
        stat_sum fourth = {0};
        stat_sum product = {0};
        for (int64_t i = 0; i < 2 * N; i++) {
            double z = ((double)x[i] - 1.5) / 0.7;
            stat_add(&mean, z);
            stat_add(&square, z * z);
            stat_add(&fourth, z * z * z * z);
            if (i % 2 == 1) {
                stat_add(&product, z * ((double)x[i - 1] - 1.5) / 0.7);
            }
        }
        STAT_WITHIN(stat_z(&mean, 0), STAT_BOUND);
        STAT_WITHIN(stat_z(&square, 1), STAT_BOUND);
        STAT_WITHIN(stat_z(&fourth, 3), STAT_BOUND);
        STAT_WITHIN(stat_z(&product, 0), STAT_BOUND);
        STAT_OK(ebm_sampler_restart(sampler));
    }
    STAT_OK(ebm_sampler_set_noise_start(sampler, EBM_NOISE_UNIFORM, -2, 3));
    STAT_OK(ebm_sampler_restart(sampler));
    STAT_OK(ebm_sampler_get_states(sampler, N, x));
    int64_t count[CELLS] = {0};
    for (int64_t i = 0; i < 2 * N; i++) {
        assert_true(x[i] >= -2.0F && x[i] <= 3.0F);
        int64_t cell = (int64_t)(((double)x[i] + 2) / 5 * CELLS);
        count[cell < CELLS ? cell : CELLS - 1]++;
    }
    STAT_WITHIN(stat_uniform_z(CELLS, count), STAT_BOUND);
    ebm_sampler_destroy(sampler);
    free(x);
}

/*
 * The noise on the data, seen through the mean of x^2 / 2 that is the data's part of the gradient: (1 + std^2) / 2
 * for data of +-1.
 */
static void data_noise_has_its_variance(void **state) {
    (void)state;
    enum { N = 200000 };
    const double std = 0.3;
    float *data = stat_alloc(N, sizeof *data);
    for (int64_t i = 0; i < N; i++) {
        data[i] = i % 2 == 0 ? 1.0F : -1.0F;
    }
    ebm_model *model = stat_quadratic(NULL, 1, 1.0);
    ebm_sampler *sampler = stat_sampler(model, 1, 5, EBM_KERNEL_LANGEVIN, 0.1);
    ebm_trainer *trainer = NULL;
    STAT_OK(ebm_trainer_create(NULL, model, sampler, &trainer));
    STAT_OK(ebm_trainer_set_data_noise(trainer, std));
    double last = 0;
    for (int round = 0; round < 2; round++) {
        float gradient;
        double energy;
        STAT_OK(ebm_trainer_gradient(trainer, N, data, 1, &gradient));
        STAT_OK(ebm_trainer_get_energy_data(trainer, &energy));
        /* Var x^2 = 4 s^2 + 2 s^4 for x = +-1 + s z. */
        double error = sqrt((4 * std * std + 2 * std * std * std * std) / N) / 2;
        STAT_WITHIN((energy - (1 + std * std) / 2) / error, STAT_BOUND);
        assert_true(energy != last); /* fresh at every step */
        last = energy;
    }
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    free(data);
}

/* Every order of 4 rows is equally likely, in an epoch and after the order of the epoch before it (its first row). */
static void orders_of_an_epoch_are_uniform(void **state) {
    (void)state;
    enum { ROWS = 4, ORDERS = 24, EPOCHS = 1000, PARTS = 12 };
    static stat_seen seen;
    static const float chain[STAT_FEATURES] = {1, 1, 1};
    float data[ROWS * STAT_FEATURES] = {0};
    int64_t count[ORDERS] = {0};
    int64_t successive[ROWS * ROWS] = {0};
    for (int i = 0; i < ROWS; i++) {
        data[i * STAT_FEATURES] = (float)i;
    }
    memset(&seen, 0, sizeof seen);
    stat_training t = stat_training_new(1, chain, &seen);
    STAT_OK(ebm_trainer_set_learning_rate(t.trainer, 0));
    STAT_OK(ebm_trainer_set_batch_size(t.trainer, ROWS));
    for (int part = 0; part < PARTS; part++) {
        seen.n = 0;
        STAT_OK(ebm_trainer_fit(t.trainer, ROWS, data, EPOCHS));
        assert_int_equal(seen.n, ROWS * EPOCHS);
        for (int e = 0; e < EPOCHS; e++) {
            const float *row = seen.first + e * ROWS;
            /* The order's number: how many of the later rows are smaller, at each place. */
            int number = 0;
            for (int i = 0; i < ROWS; i++) {
                int smaller = 0;
                for (int j = i + 1; j < ROWS; j++) {
                    smaller += row[j] < row[i];
                }
                number = number * (ROWS - i) + smaller;
            }
            count[number]++;
            if (e > 0) {
                successive[(int)row[-ROWS] * ROWS + (int)row[0]]++;
            }
        }
    }
    STAT_WITHIN(stat_uniform_z(ORDERS, count), STAT_BOUND);
    STAT_WITHIN(stat_uniform_z(ROWS * ROWS, successive), STAT_BOUND);
    stat_training_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picks_are_uniform_and_without_replacement),
        cmocka_unit_test(a_buffer_of_n_chains_is_the_chains),
        cmocka_unit_test(restarts_are_binomial),
        cmocka_unit_test(noise_starts_have_their_moments),
        cmocka_unit_test(data_noise_has_its_variance),
        cmocka_unit_test(orders_of_an_epoch_are_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * The same bits: for any number of threads, a host's own parallel-for, any allocator and any width of the vector
 * kernels; and however the steps are split into calls.
 */
#include <stdbool.h>

#include "stat_record.h"
#include "stat_settings.h"

#include "core/simd.h"

/*
 * --- what is repeated
 * ------------------------------------------------------------------------------------------------
 */

enum model_kind { QUADRATIC, HOST_ALONE, DOUBLE_WELL, GAUSSIAN, MLP, N_MODELS };

static const int64_t DIM[N_MODELS] = {3, 5, 7, 5, 17}; /* never a whole vector */

static ebm_model *new_gaussian(ebm_context *context, int64_t dim) {
    float precision[25];
    float mean[5];
    for (int64_t i = 0; i < dim; i++) {
        mean[i] = 0.1F * (float)i;
        for (int64_t j = 0; j < dim; j++) {
            precision[i * dim + j] = i == j ? 2.0F : 0.3F / (float)(1 + (i > j ? i - j : j - i));
        }
    }
    ebm_model *model = NULL;
    STAT_OK(ebm_gaussian_create(context, dim, mean, precision, &model));
    return model;
}

static ebm_model *new_model(ebm_context *context, enum model_kind kind) {
    static const int64_t widths[] = {33, 18};
    ebm_model *model = NULL;
    switch (kind) {
        case GAUSSIAN:
            return new_gaussian(context, DIM[kind]);
        case DOUBLE_WELL:
            STAT_OK(ebm_double_well_create(context, DIM[kind], 1.2, &model));
            return model;
        case MLP:
            STAT_OK(ebm_mlp_create(context, DIM[kind], 2, widths, EBM_ACT_SILU, &model));
            STAT_OK(ebm_model_init_params(model, 5));
            return model;
        case HOST_ALONE:
            model = stat_quadratic(context, DIM[kind], 1.5);
            STAT_OK(ebm_model_set_concurrent(model, 0));
            return model;
        default:
            return stat_quadratic(context, DIM[kind], 1.5);
    }
}

typedef struct chains_case {
    const char *name;
    enum model_kind model;
    int32_t kernel, order, rule;
    double lo, hi, clip;
    int masked, metric;
} chains_case;

static const chains_case CHAINS_CASES[] = {
    {"Langevin", QUADRATIC, EBM_KERNEL_LANGEVIN, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"Langevin, one call at a time", HOST_ALONE, EBM_KERNEL_LANGEVIN, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"Langevin, clamped", DOUBLE_WELL, EBM_KERNEL_LANGEVIN, 0, EBM_BOUNDS_CLAMP, -1, 1.5, INFINITY, 0, 0},
    {"Langevin, mirrored, cut", DOUBLE_WELL, EBM_KERNEL_LANGEVIN, 0, EBM_BOUNDS_REFLECT, -1, 1.5, 0.5, 0, 0},
    {"Langevin, noise first, held", GAUSSIAN, EBM_KERNEL_LANGEVIN, 1, 0, -INFINITY, INFINITY, INFINITY, 1, 0},
    {"Langevin, network", MLP, EBM_KERNEL_LANGEVIN, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"MALA", GAUSSIAN, EBM_KERNEL_MALA, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"MALA, one call at a time", HOST_ALONE, EBM_KERNEL_MALA, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"MALA, clamped, held", DOUBLE_WELL, EBM_KERNEL_MALA, 0, EBM_BOUNDS_CLAMP, -1, 1.5, INFINITY, 1, 0},
    {"MALA, mirrored, cut", DOUBLE_WELL, EBM_KERNEL_MALA, 0, EBM_BOUNDS_REFLECT, -1, 1.5, 0.5, 0, 0},
    {"MALA, network", MLP, EBM_KERNEL_MALA, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"HMC, held", GAUSSIAN, EBM_KERNEL_HMC, 0, 0, -INFINITY, INFINITY, INFINITY, 1, 0},
    {"HMC, mirrored, cut", DOUBLE_WELL, EBM_KERNEL_HMC, 0, EBM_BOUNDS_REFLECT, -1, 1.5, 0.5, 0, 0},
    {"random walk, held", GAUSSIAN, EBM_KERNEL_RANDOM_WALK, 0, 0, -INFINITY, INFINITY, INFINITY, 1, 0},
    {"random walk, mirrored", DOUBLE_WELL, EBM_KERNEL_RANDOM_WALK, 0, EBM_BOUNDS_REFLECT, -1, 1.5, INFINITY, 0, 0},
    {"underdamped", QUADRATIC, EBM_KERNEL_UNDERDAMPED, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"underdamped, clamped, held", DOUBLE_WELL, EBM_KERNEL_UNDERDAMPED, 0, EBM_BOUNDS_CLAMP, -1, 1.5, INFINITY, 1, 0},
    {"underdamped, mirrored, cut", DOUBLE_WELL, EBM_KERNEL_UNDERDAMPED, 0, EBM_BOUNDS_REFLECT, -1, 1.5, 0.5, 0, 0},
    {"adjusted underdamped, mirrored, held", DOUBLE_WELL, EBM_KERNEL_UNDERDAMPED_ADJUSTED, 0, EBM_BOUNDS_REFLECT, -1,
     1.5, INFINITY, 1, 0},
    {"adjusted underdamped, network", MLP, EBM_KERNEL_UNDERDAMPED_ADJUSTED, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"Langevin, metric, mirrored", DOUBLE_WELL, EBM_KERNEL_LANGEVIN, 1, EBM_BOUNDS_REFLECT, -1, 1.5, 0.5, 0, 1},
    {"MALA, dense metric, held", GAUSSIAN, EBM_KERNEL_MALA, 0, 0, -INFINITY, INFINITY, 2, 1, 2},
    {"HMC, metric, held", DOUBLE_WELL, EBM_KERNEL_HMC, 0, EBM_BOUNDS_REFLECT, -1, 1.5, INFINITY, 1, 1},
    {"HMC, dense metric", GAUSSIAN, EBM_KERNEL_HMC, 0, 0, -INFINITY, INFINITY, 2, 0, 2},
    {"underdamped, dense metric", QUADRATIC, EBM_KERNEL_UNDERDAMPED, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 2},
    {"NUTS, held", GAUSSIAN, EBM_KERNEL_NUTS, 0, 0, -INFINITY, INFINITY, INFINITY, 1, 0},
    {"NUTS, metric, mirrored", DOUBLE_WELL, EBM_KERNEL_NUTS, 0, EBM_BOUNDS_REFLECT, -1, 1.5, 0.5, 0, 1},
    {"NUTS, dense metric, one call at a time", HOST_ALONE, EBM_KERNEL_NUTS, 0, 0, -INFINITY, INFINITY, 2, 0, 2},
    {"NUTS, network", MLP, EBM_KERNEL_NUTS, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
    {"HMC, network", MLP, EBM_KERNEL_HMC, 0, 0, -INFINITY, INFINITY, INFINITY, 0, 0},
};

enum { N_CHAINS_CASES = sizeof CHAINS_CASES / sizeof *CHAINS_CASES, STEPS = 60 };

static ebm_sampler *new_sampler(ebm_context *context, const chains_case *c, int64_t n_chains, uint64_t seed) {
    ebm_model *model = new_model(context, c->model);
    ebm_sampler *sampler = stat_sampler(model, n_chains, seed, c->kernel, 0.05);
    STAT_OK(ebm_sampler_set_noise_order(sampler, c->order));
    STAT_OK(ebm_sampler_set_bounds(sampler, c->lo, c->hi, c->rule));
    STAT_OK(ebm_sampler_set_grad_clip(sampler, c->clip));
    STAT_OK(ebm_sampler_set_leapfrog_steps(sampler, 4));
    STAT_OK(ebm_sampler_set_jitter(sampler, 0.3));
    STAT_OK(ebm_sampler_set_max_depth(sampler, 4));
    stat_set_metric(sampler, c->metric, c->metric != 0 ? DIM[c->model] : 0);
    if (c->masked) {
        uint8_t mask[32];
        for (int64_t i = 0; i < DIM[c->model]; i++) {
            mask[i] = (uint8_t)(i % 3 != 1);
        }
        STAT_OK(ebm_sampler_set_mask(sampler, mask));
    }
    return sampler;
}

static void note_report(stat_record *record, ebm_sampler *sampler, int64_t dim) {
    double numbers[3];
    stat_note_states(record, sampler, dim);
    STAT_OK(ebm_sampler_get_mean_energy(sampler, &numbers[0]));
    STAT_OK(ebm_sampler_get_grad_rms(sampler, &numbers[1]));
    STAT_OK(ebm_sampler_get_acceptance(sampler, &numbers[2]));
    stat_note(record, sizeof numbers, numbers);
}

/* 700 chains: several pieces of work, the last of them smaller. */
static void run_chains(ebm_context *context, int which, stat_record *record) {
    const chains_case *c = &CHAINS_CASES[which];
    ebm_sampler *sampler = new_sampler(context, c, 700, 11);
    STAT_OK(ebm_sampler_run(sampler, 20));
    note_report(record, sampler, DIM[c->model]);
    ebm_sampler_destroy(sampler);
}

/* Adapted, then run: what was found, too, is the same. */
static void adapt_chains(ebm_context *context, int which, stat_record *record) {
    const chains_case *c = &CHAINS_CASES[which];
    ebm_sampler *sampler = new_sampler(context, c, 300, 12);
    double eta;
    STAT_OK(ebm_sampler_adapt(sampler, 60, 0.8));
    STAT_OK(ebm_sampler_get_step_size(sampler, &eta));
    stat_note(record, sizeof eta, &eta);
    STAT_OK(ebm_sampler_run(sampler, 5));
    note_report(record, sampler, DIM[c->model]);
    ebm_sampler_destroy(sampler);
}

typedef struct training_case {
    const char *name;
    enum model_kind model;
    int32_t kernel, start, optimizer;
    int64_t capacity;
    double restart_probability, penalty, average;
} training_case;

static const training_case TRAINING_CASES[] = {
    {"training, from noise", MLP, EBM_KERNEL_LANGEVIN, EBM_START_NOISE, EBM_OPT_ADAM, 0, 0, 0, 0},
    {"training, from data", MLP, EBM_KERNEL_LANGEVIN, EBM_START_DATA, EBM_OPT_ADAMW, 0, 0, 0.1, 0},
    {"training, persistent", MLP, EBM_KERNEL_LANGEVIN, EBM_START_PERSISTENT, EBM_OPT_SGD, 0, 0, 0, 0.9},
    {"training, buffer", MLP, EBM_KERNEL_LANGEVIN, EBM_START_PERSISTENT, EBM_OPT_ADAM, 900, 0.1, 0.1, 0.99},
    {"training, MALA, buffer", MLP, EBM_KERNEL_MALA, EBM_START_PERSISTENT, EBM_OPT_ADAM, 900, 0.1, 0, 0},
    {"training, Gaussian, MALA", GAUSSIAN, EBM_KERNEL_MALA, EBM_START_PERSISTENT, EBM_OPT_SGD, 0, 0.2, 0, 0},
    {"training, HMC, buffer", MLP, EBM_KERNEL_HMC, EBM_START_PERSISTENT, EBM_OPT_ADAM, 900, 0.1, 0, 0},
    {"training, underdamped", MLP, EBM_KERNEL_UNDERDAMPED, EBM_START_PERSISTENT, EBM_OPT_ADAM, 0, 0, 0, 0},
    {"training, underdamped, buffer", MLP, EBM_KERNEL_UNDERDAMPED, EBM_START_PERSISTENT, EBM_OPT_ADAM, 900, 0.1, 0, 0},
    {"training, one call at a time", HOST_ALONE, EBM_KERNEL_LANGEVIN, EBM_START_PERSISTENT, EBM_OPT_ADAM, 0, 0, 0.1, 0},
};

enum { N_TRAINING_CASES = sizeof TRAINING_CASES / sizeof *TRAINING_CASES, DATA_ROWS = 450 };

typedef struct training {
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    float *data;
    int64_t dim;
    double average;
} training;

static training new_training(ebm_context *context, const training_case *c, uint64_t seed) {
    training t = {.model = new_model(context, c->model), .dim = DIM[c->model], .average = c->average};
    t.sampler = stat_sampler(t.model, 300, seed, c->kernel, 0.05);
    STAT_OK(ebm_sampler_set_start(t.sampler, c->start));
    STAT_OK(ebm_sampler_set_buffer(t.sampler, c->capacity, c->restart_probability));
    STAT_OK(ebm_trainer_create(NULL, t.model, t.sampler, &t.trainer));
    STAT_OK(ebm_trainer_set_optimizer(t.trainer, c->optimizer));
    STAT_OK(ebm_trainer_set_energy_penalty(t.trainer, c->penalty));
    STAT_OK(ebm_trainer_set_average(t.trainer, c->average));
    STAT_OK(ebm_trainer_set_momentum(t.trainer, 0.5));
    STAT_OK(ebm_trainer_set_mcmc_steps(t.trainer, 3));
    STAT_OK(ebm_trainer_set_data_noise(t.trainer, 0.05));
    STAT_OK(ebm_trainer_set_weight_decay(t.trainer, 0.01));
    STAT_OK(ebm_trainer_set_grad_clip(t.trainer, 1.0));
    t.data = stat_alloc(DATA_ROWS * t.dim, sizeof *t.data);
    stat_fill_normals(3, 0.7, DATA_ROWS * t.dim, t.data);
    return t;
}

static void note_training(stat_record *record, const training *t) {
    double numbers[4];
    stat_note_params(record, t->model);
    STAT_OK(ebm_trainer_get_energy_data(t->trainer, &numbers[0]));
    STAT_OK(ebm_trainer_get_energy_model(t->trainer, &numbers[1]));
    STAT_OK(ebm_trainer_get_grad_norm(t->trainer, &numbers[2]));
    STAT_OK(ebm_trainer_get_acceptance(t->trainer, &numbers[3]));
    stat_note(record, sizeof numbers, numbers);
    stat_note_states(record, t->sampler, t->dim);
    if (t->average > 0) {
        STAT_OK(ebm_trainer_swap_average(t->trainer));
        stat_note_params(record, t->model);
        STAT_OK(ebm_trainer_swap_average(t->trainer));
    }
}

static void free_training(training *t) {
    ebm_trainer_destroy(t->trainer);
    ebm_sampler_destroy(t->sampler);
    free(t->data);
}

/* Five steps on a batch of 450 beside 300 chains, then an epoch of batches of 128, the last of 66. */
static void run_training(ebm_context *context, int which, stat_record *record) {
    training t = new_training(context, &TRAINING_CASES[which], 21);
    for (int i = 0; i < 5; i++) {
        STAT_OK(ebm_trainer_step(t.trainer, DATA_ROWS, t.data));
    }
    note_training(record, &t);
    STAT_OK(ebm_trainer_fit(t.trainer, DATA_ROWS, t.data, 1));
    note_training(record, &t);
    free_training(&t);
}

/*
 * --- how it is repeated
 * ----------------------------------------------------------------------------------------------
 */

typedef void (*work_fn)(ebm_context *context, int which, stat_record *record);

static stat_record work_with(work_fn work, int which, ebm_context *context) {
    stat_record record = stat_record_new();
    work(context, which, &record);
    ebm_context_destroy(context); /* what was made with it is gone, or keeps it */
    return record;
}

static void assert_same_with(work_fn work, int which, const char *name, const stat_record *expected,
                             ebm_context *context, const char *how) {
    stat_record record = work_with(work, which, context);
    stat_assert_same(expected, &record, name, how);
    free(record.bytes);
}

static ebm_context *with_threads(int32_t n) {
    ebm_context *context = NULL;
    STAT_OK(ebm_context_create(&context));
    STAT_OK(ebm_context_set_threads(context, n));
    return context;
}

static void assert_repeatable(work_fn work, int which, const char *name, int is_concurrent) {
    static const char *const names[] = {"1 thread", "2 threads", "3 threads"};
    stat_record expected = work_with(work, which, NULL);
    for (int32_t n = 1; n <= 3; n++) {
        assert_same_with(work, which, name, &expected, with_threads(n), names[n - 1]);
    }

    int64_t loops = 0;
    ebm_context *context = with_threads(1);
    STAT_OK(ebm_context_set_parallel_for(context, stat_backwards, &loops));
    assert_same_with(work, which, name, &expected, context, "backwards");
    assert_true(!is_concurrent || loops > 10); /* the work was cut into pieces */

    int64_t blocks = 0;
    STAT_OK(ebm_context_create_with_allocator(stat_dirty_alloc, stat_dirty_free, &blocks, &context));
    STAT_OK(ebm_context_set_threads(context, 2));
    assert_same_with(work, which, name, &expected, context, "dirty memory");
    assert_int_equal(blocks, 0);

    static const char *const widths[] = {"baseline", "avx2", "avx512"};
    for (int i = 0; i < 3; i++) {
        const ebm__simd *simd = ebm__simd_named(widths[i]);
        if (simd == NULL) {
            print_message("this processor has no %s\n", widths[i]);
            continue;
        }
        ebm__simd_use(simd);
        assert_same_with(work, which, name, &expected, NULL, widths[i]);
        ebm__simd_use(NULL);
    }
    free(expected.bytes);
}

static void chains_have_the_same_bits_everywhere(void **state) {
    (void)state;
    for (int i = 0; i < N_CHAINS_CASES; i++) {
        assert_repeatable(run_chains, i, CHAINS_CASES[i].name, CHAINS_CASES[i].model != HOST_ALONE);
    }
}

static void adapted_chains_have_the_same_bits_everywhere(void **state) {
    (void)state;
    for (int i = 0; i < N_CHAINS_CASES; i++) {
        int rejects = CHAINS_CASES[i].kernel != EBM_KERNEL_LANGEVIN && CHAINS_CASES[i].kernel != EBM_KERNEL_UNDERDAMPED;
        if (rejects && CHAINS_CASES[i].metric != 0) {
            assert_repeatable(adapt_chains, i, CHAINS_CASES[i].name, CHAINS_CASES[i].model != HOST_ALONE);
        }
    }
}

static void training_has_the_same_bits_everywhere(void **state) {
    (void)state;
    for (int i = 0; i < N_TRAINING_CASES; i++) {
        assert_repeatable(run_training, i, TRAINING_CASES[i].name, TRAINING_CASES[i].model != HOST_ALONE);
    }
}

/*
 * --- how the steps are split
 * -----------------------------------------------------------------------------------------
 */

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

/*
 * --- what the results depend on
 * --------------------------------------------------------------------------------------
 */

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
        cmocka_unit_test(chains_have_the_same_bits_everywhere),
        cmocka_unit_test(adapted_chains_have_the_same_bits_everywhere),
        cmocka_unit_test(training_has_the_same_bits_everywhere),
        cmocka_unit_test(one_run_is_many),
        cmocka_unit_test(draws_are_the_states_on_the_way),
        cmocka_unit_test(one_fit_is_many),
        cmocka_unit_test(a_chain_does_not_see_the_others),
        cmocka_unit_test(another_seed_is_another_result),
        cmocka_unit_test(states_come_back_as_they_were_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

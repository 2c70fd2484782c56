/* SPDX-License-Identifier: MIT */
/* The same bits for any number of threads, a host's own parallel-for, any allocator, any width of the vector kernels. */
#include "repeat_cases.h"

#include "core/simd.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_have_the_same_bits_everywhere),
        cmocka_unit_test(adapted_chains_have_the_same_bits_everywhere),
        cmocka_unit_test(training_has_the_same_bits_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

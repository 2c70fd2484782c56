/* SPDX-License-Identifier: MIT */
/* Nothing is allocated after the first step. */
#include "memory_fixture.h"

static void assert_no_more(fixture *f, ebm_status (*call)(fixture *f), const char *name, int flags) {
    assert_ok(call(f));
    failing_allocator_arm(&f->memory, 0, 0);
    for (int i = 0; i < 20; i++) {
        assert_ok(call(f));
    }
    if (atomic_load(&f->memory.calls) != 0) {
        fail_msg("%s, flags %d: %ld allocations after the first call", name, flags, atomic_load(&f->memory.calls));
    }
}

static void test_none_after_the_first(void **state) {
    static const int starts[] = {0, BUFFER, FROM_DATA, FROM_NOISE};
    (void)state;
    for (int c = 0; c < 4 * 8; c++) {
        static fixture f;
        int flags = starts[c / 8] | (c % 2 != 0 ? MALA : 0) | (c / 2 % 2 != 0 ? MLP : 0) |
                    (c / 4 % 2 != 0 ? THREADS : 0) | EXTRAS | (c % 3 == 0 ? SGD : 0);
        setup(&f, flags);
        assert_no_more(&f, step, "step", flags);
        assert_no_more(&f, gradient, "gradient", flags);
        assert_no_more(&f, fit, "fit", flags);
        assert_no_more(&f, fit_stream, "fit_stream", flags);
        teardown(&f);
        setup(&f, flags & ~FROM_DATA);
        assert_no_more(&f, run, "run", flags);
        assert_no_more(&f, draw, "draw", flags);
        assert_no_more(&f, mean_energy, "get_mean_energy", flags);
        assert_no_more(&f, param_grad, "param_grad", flags);
        teardown(&f);
    }
}

static void test_none_after_the_first_of_others(void **state) {
    static const int others[] = {MALA | DENSE,  HMC,           HMC | DENSE,          NUTS,
                                  NUTS | DENSE,  UNDERDAMPED,   UNDERDAMPED | DENSE,  LADDER,
                                  LADDER | MALA, LADDER | WALK, LADDER | UNDERDAMPED, LADDER | NUTS,
                                  MALA | TRANSFORMED, DENOISING,   SLICED,           CONTRASTIVE,
                                  ROLLBACK | BUFFER | EXTRAS, ROLLBACK | UNDERDAMPED, ROLLBACK | LADDER | MALA};
    (void)state;
    for (int c = 0; c < 2 * (int)(sizeof others / sizeof *others); c++) {
        static fixture f;
        int flags = others[c / 2] | (c % 2 != 0 ? MLP | THREADS : 0);
        setup(&f, flags);
        assert_no_more(&f, step, "step", flags);
        assert_no_more(&f, run, "run", flags);
        assert_no_more(&f, draw, "draw", flags);
        teardown(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_none_after_the_first),
                                       cmocka_unit_test(test_none_after_the_first_of_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * The one-call summary: its numbers are those of the draws that it gives back, and each verdict is seen on a run with
 * that fault.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "stat_models.h"

enum { DIM = 2, CHAINS = 4, DRAWS = 500, SIZE = 128 * (DIM + 16) };

static ebm_sampler *new_sampler(int32_t kernel, double eta) {
    return stat_sampler(stat_quadratic(NULL, DIM, 1), CHAINS, 5, kernel, eta);
}

static void summarize(ebm_sampler *sampler, int64_t n_draws, char *table) {
    STAT_OK(ebm_sampler_summarize(sampler, n_draws, 1, NULL, NULL, SIZE, table));
}

static void assert_says(const char *table, const char *text) {
    if (strstr(table, text) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", text, table);
    }
}

static void numbers_are_those_of_the_draws(void **state) {
    static const char *const names[DIM] = {"a name that is longer than 24 bytes", "b"};
    static float draws[DRAWS * CHAINS * DIM];
    char table[SIZE];
    double mean[DIM], rhat[DIM], bulk[DIM];
    (void)state;
    const char *before = setlocale(LC_NUMERIC, "de_DE.UTF-8"); /* where it is installed: numbers keep their point */
    ebm_sampler *sampler = new_sampler(EBM_KERNEL_NUTS, 0.8);
    STAT_OK(ebm_sampler_run(sampler, 20));
    STAT_OK(ebm_sampler_summarize(sampler, DRAWS, 1, names, draws, SIZE, table));
    STAT_OK(ebm_summarize(NULL, DRAWS, CHAINS, DIM, draws, mean, NULL, NULL, NULL, NULL, NULL, bulk, NULL, rhat));
    if (before != NULL) {
        setlocale(LC_NUMERIC, "C");
    }
    for (int i = 0; i < DIM; i++) {
        char line[128];
        double found[9];
        assert_says(table, i == 0 ? "a name that is longer th " : "\nb ");
        snprintf(line, sizeof line, "%s", strstr(table, i == 0 ? "longer th" : "\nb ") + (i == 0 ? 9 : 2));
        assert_int_equal(sscanf(line, "%lf %lf %lf %lf %lf %lf %lf %lf %lf", &found[0], &found[1], &found[2], &found[3],
                                &found[4], &found[5], &found[6], &found[7], &found[8]), 9);
        assert_true(fabs(found[0] - mean[i]) <= 1e-3 * fabs(mean[i]));
        assert_true(fabs(found[6] - bulk[i]) <= 0.51);
        assert_true(fabs(found[8] - rhat[i]) <= 0.00051);
    }
    assert_says(table, "NUTS, 4 chains x 500 draws; step size 0.8, acceptance 0.");
    assert_says(table, "0 divergent trajectories; E-BFMI ");
    assert_says(table, "Nothing looks wrong.");
    ebm_sampler_destroy(sampler);
}

static void every_fault_has_a_verdict(void **state) {
    char table[SIZE];
    (void)state;
    ebm_sampler *stuck = new_sampler(EBM_KERNEL_HMC, 50);
    summarize(stuck, 100, table);
    assert_says(table, "! hardly a proposal is accepted");
    assert_says(table, "! 400 divergent trajectories");
    ebm_sampler_destroy(stuck);

    static const float apart[CHAINS * DIM] = {-9, -9, -9, -9, 9, 9, 9, 9};
    ebm_sampler *slow = new_sampler(EBM_KERNEL_MALA, 1e-4);
    STAT_OK(ebm_sampler_set_states(slow, CHAINS, apart));
    summarize(slow, 100, table);
    assert_says(table, "! R-hat above 1.01 for 2 of 2, worst x[");
    assert_says(table, "! bulk ESS below 400 for 2 of 2");
    assert_says(table, "! tail ESS below 400 for 2 of 2");
    ebm_sampler_destroy(slow);

    ebm_sampler *biased = new_sampler(EBM_KERNEL_LANGEVIN, 0.5);
    summarize(biased, 3, table);
    assert_says(table, "! Langevin does not reject");
    assert_says(table, "! too few draws to judge");
    assert_says(table, "nan");
    ebm_sampler_destroy(biased);
}

/* Many dimensions, tiny mass of a trajectory: the energy moves by a small part of its spread with each fresh momentum. */
static void a_slow_energy_is_seen(void **state) {
    enum { WIDE = 400, WIDE_SIZE = 128 * (WIDE + 16) };
    char *table = stat_alloc(WIDE_SIZE, 1);
    ebm_model *model = stat_flat(NULL, WIDE); /* kinetic energies are all there is: independent, E-BFMI near 2 */
    ebm_sampler *flat = stat_sampler(model, CHAINS, 3, EBM_KERNEL_HMC, 1e-3);
    (void)state;
    STAT_OK(ebm_sampler_summarize(flat, 200, 1, NULL, NULL, WIDE_SIZE, table));
    assert_null(strstr(table, "! E-BFMI"));
    ebm_sampler_destroy(flat);
    ebm_sampler *stiff = stat_sampler(stat_quadratic(NULL, WIDE, 1), CHAINS, 3, EBM_KERNEL_HMC, 1e-3);
    STAT_OK(ebm_sampler_set_noise_start(stiff, EBM_NOISE_NORMAL, 0, 30)); /* H falls all the way from far out */
    STAT_OK(ebm_sampler_set_leapfrog_steps(stiff, 100));
    STAT_OK(ebm_sampler_summarize(stiff, 200, 1, NULL, NULL, WIDE_SIZE, table));
    assert_says(table, "! E-BFMI below 0.3");
    ebm_sampler_destroy(stiff);
    free(table);
}

static void refuses(void **state) {
    char table[SIZE] = "as it was";
    (void)state;
    ebm_sampler *sampler = new_sampler(EBM_KERNEL_MALA, 0.1);
    int64_t steps;
    assert_int_equal(ebm_sampler_summarize(NULL, 1, 1, NULL, NULL, SIZE, table), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_summarize(sampler, 1, 1, NULL, NULL, SIZE, NULL), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_summarize(sampler, 0, 1, NULL, NULL, SIZE, table), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_summarize(sampler, 1, 0, NULL, NULL, SIZE, table), EBM_ERR_ARG);
    assert_int_equal(ebm_sampler_summarize(sampler, 1, 1, NULL, NULL, SIZE - 1, table), EBM_ERR_ARG);
    assert_non_null(strstr(ebm_last_error(), "size is 2303"));
    assert_int_equal(ebm_sampler_summarize(sampler, INT64_MAX / 2, 1, NULL, NULL, SIZE, table), EBM_ERR_OVERFLOW);
    STAT_OK(ebm_sampler_get_steps(sampler, &steps));
    assert_int_equal(steps, 0);
    assert_string_equal(table, "as it was");
    ebm_sampler_destroy(sampler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_the_draws),
        cmocka_unit_test(every_fault_has_a_verdict),
        cmocka_unit_test(a_slow_energy_is_seen),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Schedules: the same as setting and running point by point; settings come back; nothing moves that is refused. */
#include "stat_models.h"
#include "test_models.h"

enum { DIM = 4, N = 150, POINTS = 5, STEPS = 3, FLOATS = N * DIM };

static const double ETA[POINTS] = {0.2, 0.15, 0.1, 0.05, 0.02};
static const double SIGMA[POINTS] = {0.5, EBM_NOISE_STD_AUTO, 0.3, 0.2, 0.1};
static const double T[POINTS] = {8, 4, 2, 1, 0.5};

static ebm_sampler *new_sampler(int32_t kernel, test_host *host) {
    ebm_sampler *sampler = stat_sampler(test_model_create(NULL, DIM, 1, host), N, 5, kernel, 0.07);
    STAT_OK(ebm_sampler_set_temperature(sampler, 1.5));
    STAT_OK(ebm_sampler_set_max_depth(sampler, 3));
    return sampler;
}

static void assert_settings(ebm_sampler *sampler) {
    double eta;
    double sigma;
    double temperature;
    STAT_OK(ebm_sampler_get_step_size(sampler, &eta));
    STAT_OK(ebm_sampler_get_noise_std(sampler, &sigma));
    STAT_OK(ebm_sampler_get_temperature(sampler, &temperature));
    assert_true(eta == 0.07 && temperature == 1.5);
    assert_true(fabs(sigma - sqrt(2 * 0.07 * 1.5)) < 1e-15); /* still follows the others */
}

static void a_schedule_is_what_it_says(void **state) {
    (void)state;
    test_host host = {0};
    for (int32_t kernel = EBM_KERNEL_LANGEVIN; kernel <= EBM_KERNEL_NUTS; kernel++) {
        for (int which = 0; which < 8; which++) { /* any of the three may be left as it is set */
            const double *eta = (which & 1) != 0 ? ETA : NULL;
            const double *sigma = (which & 2) != 0 ? SIGMA : NULL;
            const double *t = (which & 4) != 0 ? T : NULL;
            float expected[FLOATS];
            float got[FLOATS];
            ebm_sampler *by_hand = new_sampler(kernel, &host);
            ebm_sampler *annealed = new_sampler(kernel, &host);
            for (int p = 0; p < POINTS; p++) {
                STAT_OK(eta == NULL ? EBM_OK : ebm_sampler_set_step_size(by_hand, eta[p]));
                STAT_OK(sigma == NULL ? EBM_OK : ebm_sampler_set_noise_std(by_hand, sigma[p]));
                STAT_OK(t == NULL ? EBM_OK : ebm_sampler_set_temperature(by_hand, t[p]));
                STAT_OK(ebm_sampler_run(by_hand, STEPS));
            }
            STAT_OK(ebm_sampler_anneal(annealed, POINTS, eta, sigma, t, STEPS));
            STAT_OK(ebm_sampler_get_states(by_hand, N, expected));
            STAT_OK(ebm_sampler_get_states(annealed, N, got));
            assert_memory_equal(got, expected, sizeof got);
            assert_settings(annealed);
            ebm_sampler_destroy(by_hand);
            ebm_sampler_destroy(annealed);
        }
    }
}

/* One evaluation more than steps for kernels that go on from what they know, whatever the number of points. */
static void points_cost_no_evaluations(void **state) {
    (void)state;
    test_host host = {0};
    ebm_sampler *sampler = stat_sampler(test_model_create(NULL, DIM, 0, &host), N, 5, EBM_KERNEL_MALA, 0.07);
    test_host_arm(&host, CALL_ENERGY, 0);
    STAT_OK(ebm_sampler_anneal(sampler, POINTS, ETA, NULL, T, 1));
    assert_int_equal(atomic_load(&host.calls), POINTS + 1);
    ebm_sampler_destroy(sampler);
}

static void what_is_refused_moves_nothing(void **state) {
    (void)state;
    test_host host = {.answer = -1};
    float before[FLOATS];
    float after[FLOATS];
    const double bad_eta[] = {0.1, 0};
    const double bad_sigma[] = {0.1, 0.1, -0.5};
    const double bad_t[] = {1, -1};
    const double no_noise[] = {1, 0};
    ebm_sampler *sampler = new_sampler(EBM_KERNEL_MALA, &host);
    STAT_OK(ebm_sampler_get_states(sampler, N, before));
    test_host_arm(&host, CALL_ENERGY, 0);
    assert_status(ebm_sampler_anneal(sampler, 2, bad_eta, NULL, NULL, 1), EBM_ERR_ARG);
    assert_message("ebm_sampler_anneal: step_size[1] is 0, must be finite and above 0");
    assert_status(ebm_sampler_anneal(sampler, 3, NULL, bad_sigma, NULL, 1), EBM_ERR_ARG);
    assert_message("ebm_sampler_anneal: noise_std[2] is -0.5, must be ");
    assert_status(ebm_sampler_anneal(sampler, 2, ETA, NULL, bad_t, 1), EBM_ERR_ARG);
    assert_message("ebm_sampler_anneal: temperature[1] is -1, must be ");
    assert_status(ebm_sampler_anneal(sampler, 2, NULL, no_noise, NULL, 1), EBM_ERR_STATE);
    assert_message("ebm_sampler_anneal: point 1: MALA needs noise");
    assert_status(ebm_sampler_anneal(sampler, 2, NULL, NULL, no_noise, 1), EBM_ERR_STATE);
    assert_message("ebm_sampler_anneal: point 1: MALA needs a temperature above 0");
    assert_settings(sampler);
    assert_int_equal(atomic_load(&host.calls), 0);
    STAT_OK(ebm_sampler_get_states(sampler, N, after));
    assert_memory_equal(before, after, sizeof after);

    test_host_arm(&host, CALL_ENERGY, 8); /* fails at a step of a later point */
    assert_status(ebm_sampler_anneal(sampler, POINTS, ETA, NULL, T, STEPS), EBM_ERR_CALLBACK);
    assert_message("ebm_sampler_anneal: Markov step ");
    assert_settings(sampler);
    test_host_arm(&host, 0, 0);
    STAT_OK(ebm_sampler_request_stop(sampler));
    assert_status(ebm_sampler_anneal(sampler, POINTS, ETA, NULL, T, STEPS), EBM_ERR_STOPPED);
    assert_settings(sampler);
    STAT_OK(ebm_sampler_anneal(sampler, 0, NULL, NULL, NULL, 1));
    ebm_sampler_destroy(sampler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schedule_is_what_it_says),
        cmocka_unit_test(points_cost_no_evaluations),
        cmocka_unit_test(what_is_refused_moves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

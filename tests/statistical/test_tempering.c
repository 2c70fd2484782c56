/* SPDX-License-Identifier: MIT */
/*
 * What a ladder is for: modes that a chain does not leave are visited with their weights; a ladder that is tuned has
 * equal swap rates; trips are what a recount finds; every rung has its step size.
 *
 * False alarms, for new seeds: 4 kernels x 4 moments within 4 standard errors (6.3e-5 each): 1e-3, and none with the
 * seeds that stand here; the rest within STAT_BOUND (3.8e-8): under 1e-6.
 */
#include "stat_ladder.h"

/* --- two modes, 8 standard deviations apart --- */

enum { CHAINS = 200 };
static const double WEIGHT = 0.3; /* of the mode at -4; the other one, at 4, has the rest */

/* -log of w N(x; (-4, 0), I) + (1 - w) N(x; (4, 0), I), but for a constant. */
static int32_t two_modes(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                         void *user_data) {
    (void)theta;
    (void)user_data;
    for (int64_t r = 0; r < n; r++) {
        const float *row = x + r * dim;
        double left = (double)row[0] + 4;
        double right = (double)row[0] - 4;
        double log_left = log(WEIGHT) - left * left / 2;
        double log_right = log(1 - WEIGHT) - right * right / 2;
        double most = fmax(log_left, log_right);
        double share = exp(log_left - most) / (exp(log_left - most) + exp(log_right - most));
        if (energy != NULL) {
            energy[r] = (double)row[1] * (double)row[1] / 2 - most - log(exp(log_left - most) + exp(log_right - most));
        }
        if (grad_x != NULL) {
            grad_x[r * dim] = (float)(share * left + (1 - share) * right);
            grad_x[r * dim + 1] = row[1];
        }
    }
    return EBM_CB_OK;
}

static ebm_sampler *mode_sampler(int32_t kernel, double eta, int64_t n_chains, uint64_t seed) {
    ebm_model *model = NULL;
    STAT_OK(ebm_model_create(NULL, 2, two_modes, NULL, NULL, &model));
    STAT_OK(ebm_model_set_concurrent(model, 1));
    ebm_sampler *sampler = stat_sampler(model, n_chains, seed, kernel, eta);
    STAT_OK(ebm_sampler_set_leapfrog_steps(sampler, 5));
    STAT_OK(ebm_sampler_set_jitter(sampler, 0.2));
    return sampler;
}

enum { MOMENTS = 4 };

/* Share of the right-hand mode, means of x, x^2 and y^2: a chain's mean over its draws is one value. */
static void mode_moments_z(ebm_sampler *sampler, double *z) {
    enum { DRAWS = 300, THIN = 3 };
    static const double expected[MOMENTS] = {0.7, 0.7 * 4 - 0.3 * 4, 17, 1};
    float *start = stat_alloc(CHAINS * 2, sizeof *start);
    float *draws = stat_alloc(DRAWS * CHAINS * 2, sizeof *draws);
    stat_sum sums[MOMENTS] = {{0}};
    for (int c = 0; c < CHAINS; c++) {
        start[2 * c] = -4; /* all in the smaller mode */
    }
    STAT_OK(ebm_sampler_set_states(sampler, CHAINS, start));
    STAT_OK(ebm_sampler_run(sampler, 300));
    STAT_OK(ebm_sampler_draw(sampler, DRAWS, THIN, draws));
    for (int c = 0; c < CHAINS; c++) {
        double mean[MOMENTS] = {0};
        for (int d = 0; d < DRAWS; d++) {
            double x = (double)draws[2 * (d * CHAINS + c)];
            double y = (double)draws[2 * (d * CHAINS + c) + 1];
            /* The mode that the draw belongs to is known to exp(-8). */
            const double values[MOMENTS] = {1 / (1 + WEIGHT / (1 - WEIGHT) * exp(-8 * x)), x, x * x, y * y};
            for (int m = 0; m < MOMENTS; m++) {
                mean[m] += values[m] / DRAWS;
            }
        }
        for (int m = 0; m < MOMENTS; m++) {
            stat_add(&sums[m], mean[m]);
        }
    }
    for (int m = 0; m < MOMENTS; m++) {
        z[m] = stat_z(&sums[m], expected[m]);
    }
    free(start);
    free(draws);
}

static void distant_modes_have_their_weights(void **state) {
    (void)state;
    static const double ladder[] = {1, 1.7, 3, 5.2, 9};
    static const struct {
        const char *name;
        int32_t kernel;
        double eta;
    } kernels[] = {{"HMC", EBM_KERNEL_HMC, 0.4},
                   {"MALA", EBM_KERNEL_MALA, 0.5},
                   {"random walk", EBM_KERNEL_RANDOM_WALK, 0.5},
                   {"NUTS", EBM_KERNEL_NUTS, 0.5}};
    for (int k = 0; k < (int)(sizeof kernels / sizeof *kernels); k++) {
        double z[MOMENTS];
        int64_t trips;
        ebm_sampler *sampler = mode_sampler(kernels[k].kernel, kernels[k].eta, CHAINS, 3);
        stat_set_ladder(sampler, 5, ladder);
        mode_moments_z(sampler, z);
        for (int m = 0; m < MOMENTS; m++) {
            if (!(fabs(z[m]) <= 4)) {
                print_error("%s with a ladder, moment %d: %.2f standard errors\n", kernels[k].name, m, z[m]);
                fail();
            }
        }
        STAT_OK(ebm_sampler_get_round_trips(sampler, &trips));
        assert_true(trips > 10 * CHAINS);
        ebm_sampler_destroy(sampler);
        sampler = mode_sampler(kernels[k].kernel, kernels[k].eta, CHAINS, 3);
        mode_moments_z(sampler, z);
        if (fabs(z[0]) <= 2 * STAT_BOUND) { /* a few chains have come across */
            print_error("%s without a ladder finds the weights: %.2f standard errors\n", kernels[k].name, z[0]);
            fail();
        }
        ebm_sampler_destroy(sampler);
    }
}

/* --- a tuned ladder --- */

enum { RUNGS = 6, SWAPS = 1000 };

static void assert_rates_equal(ebm_sampler *sampler, double bound) {
    double rates[RUNGS - 1];
    STAT_OK(ebm_sampler_run(sampler, 2 * SWAPS));
    STAT_OK(ebm_sampler_get_swap_rates(sampler, RUNGS - 1, rates));
    for (int r = 1; r < RUNGS - 1; r++) {
        if (!(fabs(rates[r] - rates[0]) <= bound)) {
            print_error("the swap rate of rung %d is %.4f, that of rung 0 is %.4f, bound %.4f\n", r, rates[r], rates[0],
                        bound);
            fail();
        }
    }
}

/*
 * Of a Gaussian in two dimensions, whose swap rates depend on the ratio of temperatures alone, the best ladder is
 * geometric. Trajectories of a quarter period make draws nearly independent, so a rate over n swaps has a standard
 * error below 0.5 / sqrt(n): from the last round, half of the tuning, and from the run after it. A difference of two
 * has four such errors.
 */
static void tuned_swap_rates_are_equal(void **state) {
    (void)state;
    enum { N = 100, HOT = 32 };
    static const double bad[RUNGS] = {1, 1.05, 1.1, 1.2, 1.3, HOT};
    ebm_sampler *sampler = stat_sampler(stat_quadratic(NULL, 2, 1), N, 4, EBM_KERNEL_HMC, 0.157);
    double tuned[RUNGS];
    double error = 0.5 / sqrt((double)N * SWAPS);
    STAT_OK(ebm_sampler_set_jitter(sampler, 0.1));
    stat_set_ladder(sampler, RUNGS, bad);
    STAT_OK(ebm_sampler_tune_ladder(sampler, 4 * SWAPS));
    STAT_OK(ebm_sampler_get_ladder(sampler, RUNGS, tuned));
    assert_true(tuned[0] == 1 && tuned[RUNGS - 1] == HOT);
    assert_rates_equal(sampler, STAT_BOUND * 2 * error);
    for (int r = 1; r < RUNGS - 1; r++) {
        /* d rate / d log t = -2 t / (1 + t)^2 = -0.44 at t = 2; a rung's place sums up to RUNGS - 1 such errors. */
        double off = log(tuned[r]) - r * log(HOT) / (RUNGS - 1);
        STAT_WITHIN(off * 0.44 / (error * sqrt(RUNGS - 1)), STAT_BOUND);
    }
    ebm_sampler_destroy(sampler);
}

/* Where no formula is known; the bound is that of rates of chains whose swaps are correlated over 20 steps. */
static void tuned_swap_rates_between_modes_are_equal(void **state) {
    (void)state;
    static const double bad[RUNGS] = {1, 1.1, 1.2, 1.3, 1.4, 12};
    ebm_sampler *sampler = mode_sampler(EBM_KERNEL_HMC, 0.4, CHAINS, 5);
    double error = 0.5 * sqrt(20 / ((double)CHAINS * SWAPS));
    stat_set_ladder(sampler, RUNGS, bad);
    STAT_OK(ebm_sampler_tune_ladder(sampler, 4 * SWAPS));
    assert_rates_equal(sampler, STAT_BOUND * 2 * error);
    ebm_sampler_destroy(sampler);
}

/* --- trips --- */

/* Counted from where each tag stands after every step. */
static void round_trips_are_recounted(void **state) {
    (void)state;
    enum { N = 30, STEPS = 600, NOT_YET = -1, FROM_COLD, FROM_HOT };
    static const double ladder[STAT_TAGS] = {1, 2, 4, 8};
    ebm_sampler *sampler = stat_tag_sampler(N, STAT_TAGS, ladder);
    float x[N * STAT_TAGS];
    int phase[N][STAT_TAGS];
    int64_t recounted = 0;
    int64_t trips = 0;
    for (int i = 0; i < N * STAT_TAGS; i++) {
        int tag = i / N;
        x[i] = (float)tag;
        phase[i % N][tag] = tag == 0 ? FROM_COLD : NOT_YET;
    }
    stat_set_rows(sampler, x);
    for (int s = 0; s < STEPS; s++) {
        STAT_OK(ebm_sampler_run(sampler, 1));
        stat_get_rows(sampler, x);
        for (int c = 0; c < N; c++) {
            int *cold = &phase[c][(int)x[c]];
            int *hot = &phase[c][(int)x[(STAT_TAGS - 1) * N + c]];
            recounted += *cold == FROM_HOT;
            *cold = FROM_COLD;
            *hot = *hot == FROM_COLD ? FROM_HOT : *hot;
        }
    }
    STAT_OK(ebm_sampler_get_round_trips(sampler, &trips));
    assert_int_equal(trips, recounted);
    assert_true(trips > N);
    ebm_sampler_destroy(sampler);
}

/* --- step sizes --- */

/*
 * Of a Gaussian all rungs make the same steps in units of their own width, so adaptation finds one step size for all.
 * The walls of a double well are steeper where it is hotter: curvature grows with x^2, so with sqrt(T), and at 16 T the
 * step size must be near a quarter. All are accepted as asked.
 */
static void every_rung_finds_its_step_size(void **state) {
    (void)state;
    enum { N = 300, STEPS = 200 };
    static const double ladder[] = {1, 4, 16};
    double factors[3];
    ebm_sampler *sampler = stat_sampler(stat_quadratic(NULL, 5, 1), N, 6, EBM_KERNEL_MALA, 0.01);
    stat_set_ladder(sampler, 3, ladder);
    STAT_OK(ebm_sampler_adapt(sampler, 500, 0.6));
    STAT_OK(ebm_sampler_get_rung_step_sizes(sampler, 3, factors));
    for (int r = 0; r < 3; r++) {
        assert_true(fabs(factors[r] - 1) < 0.1);
    }
    ebm_sampler_destroy(sampler);

    ebm_model *model = NULL;
    STAT_OK(ebm_double_well_create(NULL, 5, 1, &model));
    sampler = stat_sampler(model, N, 7, EBM_KERNEL_MALA, 0.01);
    stat_set_ladder(sampler, 3, ladder);
    STAT_OK(ebm_sampler_adapt(sampler, 500, 0.6));
    STAT_OK(ebm_sampler_get_rung_step_sizes(sampler, 3, factors));
    assert_true(factors[1] < 0.8 && factors[2] < 0.8 * factors[1] && factors[2] > 0.1);
    stat_sum acceptance[3] = {{0}};
    for (int s = 0; s < STEPS; s++) {
        STAT_OK(ebm_sampler_run(sampler, 1));
        for (int r = 0; r < 3; r++) {
            stat_add(&acceptance[r], ebm__sampler_step_acceptance(sampler, r));
        }
    }
    for (int r = 0; r < 3; r++) {
        if (!(fabs(stat_mean(&acceptance[r]) - 0.6) < 0.05)) {
            print_error("rung %d is accepted with %.3f\n", r, stat_mean(&acceptance[r]));
            fail();
        }
    }
    ebm_sampler_destroy(sampler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distant_modes_have_their_weights),
        cmocka_unit_test(tuned_swap_rates_are_equal),
        cmocka_unit_test(tuned_swap_rates_between_modes_are_equal),
        cmocka_unit_test(round_trips_are_recounted),
        cmocka_unit_test(every_rung_finds_its_step_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

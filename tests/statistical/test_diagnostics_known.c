/* SPDX-License-Identifier: MIT */
/*
 * Diagnostics and distances where the truth is known: AR(1) chains x_t = phi x_(t-1) + e_t, whose autocorrelation
 * time is (1 + phi) / (1 - phi), and normal samples. Each coordinate is a repetition of its own. The last tests show
 * that usual mistakes would be seen.
 *
 * False alarms, for new seeds: 27 estimates within STAT_BOUND (3.8e-8): 1e-6.
 */
#include <stdbool.h>

#include "stat_basics.h"

enum { DRAWS = 2000, CHAINS = 4, DIM = 128 };

/* DRAWS x CHAINS x DIM, each coordinate in its stationary distribution with variance 1. */
static float *autoregression(uint64_t seed, double phi) {
    stat_random random = {seed};
    int64_t width = (int64_t)CHAINS * DIM;
    float *x = stat_alloc(DRAWS * width, sizeof *x);
    double innovation = sqrt(1 - phi * phi);
    for (int64_t i = 0; i < DRAWS * width; i++) {
        double z = stat_next_normal(&random);
        x[i] = (float)(i < width ? z : phi * (double)x[i - width] + innovation * z);
    }
    return x;
}

static double time_of(double phi) {
    return (1 + phi) / (1 - phi);
}

/*
 * Geyer's estimate has a bias of its own: the sum ends in noise that is positive, and the chains' own means take some
 * variance away. Together below 4 % here (tau / n is 0.01 at most), so the estimate is tested to within that.
 */
static const double BIAS = 0.04;

static void assert_ratio(const stat_sum *ratio, double bias) {
    double z = stat_z(ratio, 1);
    double allowed = bias / stat_error(ratio);
    STAT_WITHIN(fabs(z) < allowed ? 0 : fabs(z) - allowed, STAT_BOUND);
}

static void autocorrelation_times_and_sizes(void **state) {
    static const double phis[] = {0, 0.5, 0.9, -0.5};
    static double time[DIM], bulk[DIM], tail[DIM], rhat[DIM];
    (void)state;
    for (int p = 0; p < 4; p++) {
        stat_sum time_ratio = {0, 0, 0};
        stat_sum bulk_ratio = {0, 0, 0};
        double expected = time_of(phis[p]);
        float *x = autoregression(100 + (uint64_t)p, phis[p]);
        STAT_OK(ebm_autocorrelation_time(NULL, DRAWS, CHAINS, DIM, x, time));
        STAT_OK(ebm_ess(NULL, DRAWS, CHAINS, DIM, x, bulk, tail));
        STAT_OK(ebm_rhat(NULL, DRAWS, CHAINS, DIM, x, rhat));
        for (int d = 0; d < DIM; d++) {
            stat_add(&time_ratio, time[d] / expected);
            stat_add(&bulk_ratio, (double)DRAWS * CHAINS / bulk[d] / expected);
            assert_true(rhat[d] < 1.05);
        }
        assert_ratio(&time_ratio, BIAS);
        assert_ratio(&bulk_ratio, BIAS);
        free(x);
    }
}

/* Estimates in units of their standard errors scatter with variance 1. */
static void standard_errors_are_true(void **state) {
    static const double phis[] = {0, 0.7, -0.4};
    static double mean[DIM], sd[DIM], mcse[DIM], mcse_sd[DIM], q5[DIM], mcse_q5[DIM];
    const double true_q5 = -1.6448536269514722;
    (void)state;
    for (int p = 0; p < 3; p++) {
        stat_sum square[3] = {{0, 0, 0}};
        for (uint64_t repetition = 0; repetition < 4; repetition++) {
            float *x = autoregression(200 + 10 * (uint64_t)p + repetition, phis[p]);
            STAT_OK(ebm_summarize(NULL, DRAWS, CHAINS, DIM, x, mean, sd, mcse, NULL, NULL, NULL, NULL, NULL, NULL));
            STAT_OK(ebm_mcse(NULL, DRAWS, CHAINS, DIM, x, NULL, mcse_sd));
            STAT_OK(ebm_mcse_quantile(NULL, DRAWS, CHAINS, DIM, x, 0.05, q5, mcse_q5));
            for (int d = 0; d < DIM; d++) {
                stat_add(&square[0], stat_power(mean[d] / mcse[d], 2));
                stat_add(&square[1], stat_power((sd[d] - 1) / mcse_sd[d], 2));
                stat_add(&square[2], stat_power((q5[d] - true_q5) / mcse_q5[d], 2));
            }
            free(x);
        }
        for (int i = 0; i < 3; i++) {
            assert_ratio(&square[i], 2 * BIAS); /* of a variance */
        }
    }
}

/* The expected E-BFMI of independent energies: 2, less what the sample's own mean takes, of order 1 / n. */
static void ebfmi_of_independent_energies(void **state) {
    enum { N = 5000, M = 100 };
    stat_sum sum = {0, 0, 0};
    static double energy[N * M];
    static double ebfmi[M];
    stat_random random = {300};
    (void)state;
    for (int i = 0; i < N * M; i++) {
        energy[i] = 50 + 3 * stat_next_normal(&random);
    }
    STAT_OK(ebm_ebfmi(N, M, energy, ebfmi));
    for (int c = 0; c < M; c++) {
        stat_add(&sum, ebfmi[c]);
    }
    STAT_WITHIN(stat_z(&sum, 2), STAT_BOUND);
}

/*
 * For exact draws the Stein kernel of different draws has mean 0, and that of a draw with itself |b|^2 + dim (scale
 * 1, exponent -1/2): 2 dim for the standard normal. So n KSD^2 has that mean; and draws of another spread are found.
 */
static void stein_discrepancy_of_exact_draws(void **state) {
    enum { N = 100, REPETITIONS = 300, D = 3 };
    stat_sum exact = {0, 0, 0};
    stat_sum wide = {0, 0, 0};
    float x[N * D];
    double value;
    ebm_model *model = NULL;
    (void)state;
    STAT_OK(ebm_gaussian_create(NULL, D, NULL, NULL, &model));
    for (uint64_t r = 0; r < REPETITIONS; r++) {
        stat_fill_normals(400 + r, 1, (int64_t)N * D, x);
        STAT_OK(ebm_stein_discrepancy(model, N, x, 1, -0.5, &value));
        stat_add(&exact, N * value * value);
        stat_fill_normals(1400 + r, 1.2, (int64_t)N * D, x);
        STAT_OK(ebm_stein_discrepancy(model, N, x, 1, -0.5, &value));
        stat_add(&wide, N * value * value);
    }
    STAT_WITHIN(stat_z(&exact, 2 * D), STAT_BOUND);
    assert_true(stat_z(&wide, 2 * D) > 4 * STAT_BOUND);
    ebm_model_destroy(model);
}

/*
 * Normal samples with means 0 and m in each of D coordinates: E k = (w^2 / (w^2 + 2))^(D/2) exp(-|m|^2 / (2 (w^2 +
 * 2))).
 */
static void mmd_is_unbiased(void **state) {
    enum { N_X = 30, N_Y = 40, REPETITIONS = 500, D = 2 };
    const double width = 1.5;
    const double means[] = {0, 0.6};
    float x[N_X * D];
    float y[N_Y * D];
    double value;
    (void)state;
    for (int m = 0; m < 2; m++) {
        stat_sum sum = {0, 0, 0};
        double spread = width * width + 2;
        double expected = 2 * width * width / spread * (1 - exp(-D * means[m] * means[m] / (2 * spread)));
        for (uint64_t r = 0; r < REPETITIONS; r++) {
            stat_fill_normals(5000 + 2 * r, 1, (int64_t)N_X * D, x);
            stat_fill_normals(5001 + 2 * r, 1, (int64_t)N_Y * D, y);
            for (int i = 0; i < N_Y * D; i++) {
                y[i] += (float)means[m];
            }
            STAT_OK(ebm_mmd(NULL, N_X, x, N_Y, y, D, width, &value, NULL));
            stat_add(&sum, value);
        }
        STAT_WITHIN(stat_z(&sum, expected), STAT_BOUND);
    }
}

/* P(b > a) for normals whose means are one apart: Phi(1 / sqrt 2). */
static void auroc_of_normals(void **state) {
    enum { N = 500, REPETITIONS = 200 };
    stat_sum sum = {0, 0, 0};
    stat_random random = {600};
    (void)state;
    for (int r = 0; r < REPETITIONS; r++) {
        double a[N], b[N], value;
        for (int i = 0; i < N; i++) {
            a[i] = stat_next_normal(&random);
            b[i] = stat_next_normal(&random) + 1;
        }
        STAT_OK(ebm_auroc(NULL, N, a, N, b, &value));
        stat_add(&sum, value);
    }
    STAT_WITHIN(stat_z(&sum, 0.5 * erfc(-0.5)), STAT_BOUND);
}

/* --- chains that have not converged are found --------------------------------------------------------------------- */

static void rhat_finds(void **state) {
    static double before[DIM], mean[DIM], spread[DIM], trend[DIM];
    (void)state;
    float *x = autoregression(700, 0.3);
    STAT_OK(ebm_rhat(NULL, DRAWS, CHAINS, DIM, x, before));
    float *other = stat_alloc((int64_t)DRAWS * CHAINS * DIM, sizeof *other);
    const char *what[] = {"another mean", "another spread", "a trend"};
    double *results[] = {mean, spread, trend};
    for (int kind = 0; kind < 3; kind++) {
        for (int64_t i = 0; i < (int64_t)DRAWS * CHAINS * DIM; i++) {
            bool first = i / DIM % CHAINS == 0;
            float t = (float)(i / DIM / CHAINS) / DRAWS;
            other[i] = kind == 0 ? x[i] + (first ? 0.5F : 0) : kind == 1 ? x[i] * (first ? 2.0F : 1) : x[i] + t;
        }
        STAT_OK(ebm_rhat(NULL, DRAWS, CHAINS, DIM, other, results[kind]));
        for (int d = 0; d < DIM; d++) {
            if (!(before[d] < 1.01 && results[kind][d] > 1.01)) {
                print_error("%s: R-hat %g, and %g before\n", what[kind], results[kind][d], before[d]);
                fail();
            }
        }
    }
    free(other);
    free(x);
}

/* --- mistakes that the first test would refuse -------------------------------------------------------------------- */

/* The autocorrelation time from all lags up to a fixed one. */
static double fixed_cut_off(const float *x, int64_t d, int64_t lags, int first_counts_whole) {
    double variance = 0;
    double sum = 0;
    for (int64_t lag = 0; lag <= lags; lag++) {
        double covariance = 0;
        for (int64_t t = 0; t + lag < DRAWS; t++) {
            for (int64_t c = 0; c < CHAINS; c++) {
                covariance += (double)x[(t * CHAINS + c) * DIM + d] * (double)x[((t + lag) * CHAINS + c) * DIM + d];
            }
        }
        variance = lag == 0 ? covariance : variance;
        sum += covariance / variance;
    }
    return first_counts_whole ? 2 * sum : 2 * sum - 1;
}

static void mutants_are_seen(void **state) {
    static const struct {
        double phi;
        int64_t lags;
        int first_counts_whole, is_right;
    } cases[] = {{0.9, 10, 0, 0}, {0.5, 40, 1, 0}, {0.9, 60, 0, 1}, {0.5, 40, 0, 1}};
    (void)state;
    for (int i = 0; i < 4; i++) { /* cut off too early; lag 0 counted twice; and both as they should be */
        stat_sum ratio = {0, 0, 0};
        float *x = autoregression(102, cases[i].phi);
        for (int64_t d = 0; d < DIM; d++) {
            stat_add(&ratio, fixed_cut_off(x, d, cases[i].lags, cases[i].first_counts_whole) / time_of(cases[i].phi));
        }
        double away = (fabs(stat_mean(&ratio) - 1) - BIAS) / stat_error(&ratio);
        assert_true(cases[i].is_right ? away < STAT_BOUND : away > STAT_BOUND);
        free(x);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(autocorrelation_times_and_sizes),
        cmocka_unit_test(standard_errors_are_true),
        cmocka_unit_test(ebfmi_of_independent_energies),
        cmocka_unit_test(stein_discrepancy_of_exact_draws),
        cmocka_unit_test(mmd_is_unbiased),
        cmocka_unit_test(auroc_of_normals),
        cmocka_unit_test(rhat_finds),
        cmocka_unit_test(mutants_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

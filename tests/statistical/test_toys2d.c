/* SPDX-License-Identifier: MIT */
/*
 * The two-dimensional sets of examples/toys2d.c. First, that the points and the densities beside them are the same: the
 * log-likelihoods in docs/training.md are compared with those. Then that every objective finds every mode of the eight
 * Gaussians, with the example's own settings and a quarter of its steps: each of the eight masses is within a tolerance
 * and 3 standard errors of the mode's share of the training points (0.125; the standard error is 0.0033). The tolerance
 * is small where the objective sees masses, and leaves a mode at least a third of its share where it does not (score
 * matching); the mean log density of fresh points, whose standard error is 0.01, is at most so far below the truth,
 * -1.425.
 *
 * False alarms, for new seeds, of the first test: 6 results within STAT_BOUND (3.8e-8): 2e-7. The trainings have fixed
 * seeds.
 */
#include "stat_basics.h"
#include "toys2d_fit.h"

enum { POINTS = 20000, SIDE = 40, CELLS = SIDE * SIDE, SUB = 6, TRAINING_POINTS = 10000 };

static const double CELL = 2 * SETS2D_BOX / SIDE;

static int cell_of(const float *x) {
    int column = (int)floor(((double)x[0] + SETS2D_BOX) / CELL);
    int row = (int)floor(((double)x[1] + SETS2D_BOX) / CELL);
    return column < 0 || column >= SIDE || row < 0 || row >= SIDE ? CELLS : row * SIDE + column;
}

static double mass_of_cell(int set, int cell) {
    const double step = CELL / SUB;
    double sum = 0;
    for (int i = 0; i < SUB * SUB; i++) {
        int mode;
        float x[2] = {(float)(cell % SIDE * CELL + (i % SUB + 0.5) * step - SETS2D_BOX),
                      (float)(cell / SIDE * CELL + (i / SUB + 0.5) * step - SETS2D_BOX)};
        sum += exp(sets2d_log_density(set, x, &mode)) * step * step;
    }
    return sum;
}

/* Cells in which less than 10 points are expected, and all that is outside, are one. */
static void points_follow_their_density(void **state) {
    (void)state;
    float *x = stat_alloc(2 * POINTS, sizeof *x);
    for (int set = 0; set < SETS2D_COUNT; set++) {
        int64_t count[CELLS + 1] = {0};
        double expected[CELLS + 1] = {0};
        int place[CELLS + 1];
        int n = 1; /* 0 is the rest */
        double rest = POINTS;
        sets2d_draw(set, 7, POINTS, x);
        place[CELLS] = 0;
        for (int cell = 0; cell < CELLS; cell++) {
            double mass = POINTS * mass_of_cell(set, cell);
            place[cell] = mass < 10 ? 0 : n++;
            expected[place[cell]] = mass;
            rest -= mass < 10 ? 0 : mass;
        }
        expected[0] = fmax(rest, 1e-3);
        for (int64_t i = 0; i < POINTS; i++) {
            count[place[cell_of(x + 2 * i)]]++;
        }
        if (rest < 1) { /* the checkerboard has nothing there */
            assert_int_equal(count[0], 0);
        }
        STAT_WITHIN(stat_chi_square_z(n - (rest < 1), count + (rest < 1), expected + (rest < 1)), STAT_BOUND);
    }
    free(x);
}

static void every_mode_is_found(int objective, double least_log_likelihood, double tolerance) {
    float *x = stat_alloc(2 * TRAINING_POINTS, sizeof *x);
    double *density = stat_alloc(TOYS2D_CELLS, sizeof *density);
    double share[SETS2D_MOST_MODES + 1];
    double mass[SETS2D_MOST_MODES + 1];
    double log_z;
    double mean;
    ebm_model *model = NULL;
    sets2d_draw(EIGHT_GAUSSIANS, 1000, TRAINING_POINTS, x);
    STAT_OK(toys2d_create(NULL, 1, &model));
    STAT_OK(toys2d_train(NULL, model, objective, 0.25, 1, TRAINING_POINTS, x));
    STAT_OK(toys2d_density(model, &log_z, density));
    toys2d_masses(EIGHT_GAUSSIANS, density, mass);
    toys2d_shares(EIGHT_GAUSSIANS, TRAINING_POINTS, x, share);
    sets2d_draw(EIGHT_GAUSSIANS, 2000, TRAINING_POINTS, x);
    STAT_OK(toys2d_log_likelihood(model, log_z, TRAINING_POINTS, x, &mean));
    for (int m = 0; m < SETS2D_MOST_MODES; m++) {
        double error = sqrt(share[m] * (1 - share[m]) / TRAINING_POINTS);
        assert_true(fabs(mass[m] - share[m]) <= 3 * error + tolerance);
    }
    assert_true(mean >= least_log_likelihood);
    ebm_model_destroy(model);
    free(density);
    free(x);
}

static void likelihood_finds_every_mode(void **state) {
    (void)state;
    every_mode_is_found(EBM_OBJECTIVE_LIKELIHOOD, -1.445, 0.025);
}

static void denoising_finds_every_mode(void **state) {
    (void)state;
    every_mode_is_found(EBM_OBJECTIVE_DENOISING_SCORE_MATCHING, -1.55, 0.08);
}

static void sliced_finds_every_mode(void **state) {
    (void)state;
    every_mode_is_found(EBM_OBJECTIVE_SLICED_SCORE_MATCHING, -1.46, 0.05);
}

static void contrastive_finds_every_mode(void **state) {
    (void)state;
    every_mode_is_found(EBM_OBJECTIVE_NOISE_CONTRASTIVE, -1.445, 0.02);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_follow_their_density),
        cmocka_unit_test(likelihood_finds_every_mode),
        cmocka_unit_test(denoising_finds_every_mode),
        cmocka_unit_test(sliced_finds_every_mode),
        cmocka_unit_test(contrastive_finds_every_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

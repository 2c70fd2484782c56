/* SPDX-License-Identifier: MIT */
/*
 * Every objective finds the parameters that made the data: the mean and precision of a Gaussian in two dimensions, and
 * a and b of E = a x^2 + b x^4. Each of RUNS trainings sees fresh exact draws of the data (for the likelihood, of the
 * model too) at every step, begins away from the truth, and answers with the mean of theta over its last steps (Polyak
 * and Juditsky 1992); the standard error of the mean over runs is what these scatter by. Denoising score matching finds
 * what fits the data with their noise best: for the Gaussian that is exactly (S + s^2 I)^-1, for the quartic the
 * minimiser by quadrature, within 0.01 of the truth.
 *
 * The bound is 4 standard errors. Over 31 degrees of freedom a right result is beyond it with probability 3.7e-4: false
 * alarms, for new seeds, of 34 results: 1.3e-2. The seeds are fixed.
 */
#include <string.h>

#include "stat_polynomial.h"

enum { RUNS = 32, STEPS = 800, LAST = 200, CHAINS = 256, MOST_ROWS = 2048, MOST_PARAMS = 6 };

static const double BOUND = 4;

/* How an objective is to be trained on a problem. */
typedef struct recipe {
    int32_t objective;
    int64_t rows; /* of a batch */
    double level; /* of noise on the data, for denoising, whose gradient is the noisier the less there is of it */
} recipe;

typedef struct problem {
    int64_t dim;
    int64_t n_params;
    ebm_model *(*start)(void);
    void (*draw)(stat_random *random, float *x); /* one row of data */
    void (*draw_model)(stat_random *random, const float *theta, int64_t n, float *x); /* exactly */
} problem;

/*
 * --- the quartic
 * --------------------------------------------------------------------------------------------------------
 */

static const double QUARTIC[2] = {0.5, 0.25};
static stat_density quartic_density;

static double quartic_energy(double x, double unused) {
    (void)unused;
    return stat_polynomial_at(1, QUARTIC, &x);
}

static void draw_quartic(stat_random *random, float *x) {
    x[0] = (float)stat_density_quantile(&quartic_density, stat_next_uniform(random));
}

static ebm_model *start_quartic(void) {
    static const double start[2] = {0.7, 0.15};
    return stat_polynomial(1, start);
}

static void draw_quartic_model(stat_random *random, const float *theta, int64_t n, float *x) {
    enum { CELLS = 1000 };
    const double lo = -6;
    const double step = 12.0 / CELLS;
    const double wide[2] = {(double)theta[0], (double)theta[1]};
    double cumulative[CELLS + 1] = {0};
    for (int i = 0; i < CELLS; i++) {
        double middle = lo + (i + 0.5) * step;
        cumulative[i + 1] = cumulative[i] + exp(-stat_polynomial_at(1, wide, &middle));
    }
    for (int64_t r = 0; r < n; r++) {
        double p = stat_next_uniform(random) * cumulative[CELLS];
        int low = 0;
        for (int width = 512; width > 0; width /= 2) {
            low += low + width < CELLS && cumulative[low + width] < p ? width : 0;
        }
        x[r] = (float)(lo + (low + (p - cumulative[low]) / (cumulative[low + 1] - cumulative[low])) * step);
    }
}

static const problem QUARTIC_PROBLEM = {1, 2, start_quartic, draw_quartic, draw_quartic_model};

/*
 * Where denoising ends. Its loss mean (s g - z)^2 / 2 with g = sum_k theta_k f_k' is a parabola in theta, least where
 * s^2 A theta = s b, A_kl = mean f_k' f_l', b_k = mean z f_k' = s mean f_k'' (Stein): A theta = mean f'', all under the
 * density with noise. With z the standard normal, x + s z has moments by the binomial theorem.
 */
static void denoised_quartic(double level, double *theta) {
    static const int choose[7][7] = {{1},          {1, 1},          {1, 2, 1},           {1, 3, 3, 1},
                                     {1, 4, 6, 4, 1}, {1, 5, 10, 10, 5, 1}, {1, 6, 15, 20, 15, 6, 1}};
    static const double normal_moment[7] = {1, 0, 1, 0, 3, 0, 15};
    double m[7] = {0};
    for (int power = 0; power <= 6; power++) {
        for (int j = 0; j <= power; j++) {
            m[power] += choose[power][j] * stat_density_moment(&quartic_density, power - j) * stat_power(level, j) *
                        normal_moment[j];
        }
    }
    /* f' = 2 x, 4 x^3; f'' = 2, 12 x^2. */
    double a = 4 * m[2];
    double b = 8 * m[4];
    double c = 16 * m[6];
    double right[2] = {2, 12 * m[2]};
    theta[0] = (c * right[0] - b * right[1]) / (a * c - b * b);
    theta[1] = (a * right[1] - b * right[0]) / (a * c - b * b);
}

/*
 * --- the Gaussian
 * -------------------------------------------------------------------------------------------------------
 */

static const double MEAN[2] = {0.4, -0.2};
static const double ROOT[2][2] = {{1.0, 0}, {0.5, 0.7}};

static void draw_gaussian(stat_random *random, float *x) {
    double z[2] = {stat_next_normal(random), stat_next_normal(random)};
    for (int i = 0; i < 2; i++) {
        x[i] = (float)(MEAN[i] + ROOT[i][0] * z[0] + ROOT[i][1] * z[1]);
    }
}

static ebm_model *start_gaussian(void) {
    static const float mean[2] = {0.2F, 0};
    static const float precision[4] = {1.2F, -0.4F, -0.4F, 1.7F};
    ebm_model *model = NULL;
    STAT_OK(ebm_gaussian_create(NULL, 2, mean, precision, &model));
    return model;
}

/* m + C'^-1 z, with the precision C C'. */
static void draw_gaussian_model(stat_random *random, const float *theta, int64_t n, float *x) {
    double c = sqrt((double)theta[2]);
    double off = ((double)theta[3] + (double)theta[4]) / 2 / c;
    double d = sqrt((double)theta[5] - off * off);
    for (int64_t r = 0; r < n; r++) {
        double second = stat_next_normal(random) / d;
        double first = (stat_next_normal(random) - off * second) / c;
        x[2 * r] = (float)((double)theta[0] + first);
        x[2 * r + 1] = (float)((double)theta[1] + second);
    }
}

static const problem GAUSSIAN_PROBLEM = {2, 6, start_gaussian, draw_gaussian, draw_gaussian_model};

/* Mean, then precision, of the data with noise. */
static void denoised_gaussian(double level, double *theta) {
    double s[2][2];
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            s[i][j] = ROOT[i][0] * ROOT[j][0] + ROOT[i][1] * ROOT[j][1] + (i == j ? level * level : 0);
        }
    }
    double determinant = s[0][0] * s[1][1] - s[0][1] * s[1][0];
    theta[0] = MEAN[0];
    theta[1] = MEAN[1];
    theta[2] = s[1][1] / determinant;
    theta[3] = theta[4] = -s[0][1] / determinant;
    theta[5] = s[0][0] / determinant;
}

/*
 * --- training
 * -----------------------------------------------------------------------------------------------------------
 */

static ebm_sampler *new_chains(ebm_model *model, uint64_t seed) {
    ebm_sampler *sampler = NULL;
    STAT_OK(ebm_sampler_create(NULL, model, CHAINS, seed, &sampler));
    STAT_OK(ebm_sampler_set_kernel(sampler, EBM_KERNEL_MALA));
    STAT_OK(ebm_sampler_set_step_size(sampler, 0.1));
    return sampler;
}

static ebm_trainer *new_trainer(const problem *p, const recipe *r, ebm_model *model, ebm_sampler *sampler,
                                stat_random *random, uint64_t seed) {
    enum { NOISE_ROWS = 2000 };
    ebm_trainer *trainer = NULL;
    STAT_OK(ebm_trainer_create(NULL, model, sampler, &trainer));
    STAT_OK(ebm_trainer_set_objective(trainer, r->objective));
    STAT_OK(ebm_trainer_set_learning_rate(trainer, 0.02)); /* Adam's: losses differ much in their curvature */
    STAT_OK(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_LEARNING_RATE, EBM_SCHEDULE_COSINE, 0, STEPS, 0.05));
    STAT_OK(ebm_trainer_set_seed(trainer, seed));
    STAT_OK(ebm_trainer_set_mcmc_steps(trainer, 1));
    if (r->objective == EBM_OBJECTIVE_DENOISING_SCORE_MATCHING) {
        STAT_OK(ebm_trainer_set_noise_levels(trainer, 1, &r->level));
    }
    if (r->objective == EBM_OBJECTIVE_NOISE_CONTRASTIVE) {
        float *x = stat_alloc(NOISE_ROWS * p->dim, sizeof *x);
        for (int i = 0; i < NOISE_ROWS; i++) {
            p->draw(random, x + i * p->dim);
        }
        STAT_OK(ebm_trainer_fit_noise(trainer, NOISE_ROWS, x, EBM_COVARIANCE_FULL, 0.3)); /* wider than the data */
        STAT_OK(ebm_trainer_set_noise_ratio(trainer, 2));
        free(x);
    }
    return trainer;
}

/* One training; theta, and log Z after it, averaged over the last steps. */
static void train(const problem *p, const recipe *r, uint64_t seed, double *mean) {
    stat_random random = {seed * 1000};
    float x[MOST_ROWS * 2];
    ebm_model *model = p->start();
    ebm_sampler *sampler = r->objective == EBM_OBJECTIVE_LIKELIHOOD ? new_chains(model, seed) : NULL;
    ebm_trainer *trainer = new_trainer(p, r, model, sampler, &random, seed);
    for (int step = 0; step < STEPS; step++) {
        float theta[MOST_PARAMS];
        double log_z;
        STAT_OK(ebm_model_get_params(model, p->n_params, theta));
        if (sampler != NULL) { /* exact draws, which a step of MALA leaves such */
            p->draw_model(&random, theta, CHAINS, x);
            STAT_OK(ebm_sampler_set_states(sampler, CHAINS, x));
        }
        for (int i = 0; i < r->rows; i++) {
            p->draw(&random, x + i * p->dim);
        }
        STAT_OK(ebm_trainer_step(trainer, r->rows, x));
        STAT_OK(ebm_model_get_params(model, p->n_params, theta));
        for (int k = 0; step >= STEPS - LAST && k < p->n_params; k++) {
            mean[k] += (double)theta[k] / LAST;
        }
        if (r->objective == EBM_OBJECTIVE_NOISE_CONTRASTIVE) {
            STAT_OK(ebm_trainer_get_log_z(trainer, &log_z));
            mean[p->n_params] += step >= STEPS - LAST ? log_z / LAST : 0;
        }
    }
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
}

/* `truth` has log Z after the parameters, for noise-contrastive estimation. */
static void assert_recovers(const problem *p, const recipe *r, const double *truth) {
    stat_sum found[MOST_PARAMS + 1] = {{0}};
    int64_t n = p->n_params + (r->objective == EBM_OBJECTIVE_NOISE_CONTRASTIVE ? 1 : 0);
    for (int run = 0; run < RUNS; run++) {
        double mean[MOST_PARAMS + 1] = {0};
        train(p, r, (uint64_t)(run + 1), mean);
        for (int64_t k = 0; k < n; k++) {
            stat_add(&found[k], mean[k]);
        }
    }
    for (int64_t k = 0; k < n; k++) {
        STAT_WITHIN(stat_z(&found[k], truth[k]), BOUND);
        assert_true(stat_error(&found[k]) < 0.01); /* starts are 0.1 and more away */
    }
}

static void quartic(void **state) {
    (void)state;
    static const recipe recipes[] = {{EBM_OBJECTIVE_LIKELIHOOD, 256, 0},
                                     {EBM_OBJECTIVE_DENOISING_SCORE_MATCHING, 2048, 0.05},
                                     {EBM_OBJECTIVE_SLICED_SCORE_MATCHING, 256, 0},
                                     {EBM_OBJECTIVE_NOISE_CONTRASTIVE, 256, 0}};
    quartic_density = stat_density_new(-6, 6, quartic_energy, 0);
    double z = 0;
    for (int i = 0; i < STAT_CELLS; i++) {
        z += exp(-quartic_energy(stat_cell_middle(&quartic_density, i), 0)) * 12 / STAT_CELLS;
    }
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        double truth[3] = {QUARTIC[0], QUARTIC[1], log(z)};
        if (recipes[i].level > 0) {
            denoised_quartic(recipes[i].level, truth);
            assert_true(fabs(truth[0] - QUARTIC[0]) < 0.01 && fabs(truth[1] - QUARTIC[1]) < 0.01);
        }
        assert_recovers(&QUARTIC_PROBLEM, &recipes[i], truth);
    }
    free(quartic_density.cumulative);
}

static void gaussian(void **state) {
    (void)state;
    static const recipe recipes[] = {{EBM_OBJECTIVE_LIKELIHOOD, 256, 0},
                                     {EBM_OBJECTIVE_DENOISING_SCORE_MATCHING, 256, 0.2},
                                     {EBM_OBJECTIVE_SLICED_SCORE_MATCHING, 256, 0},
                                     {EBM_OBJECTIVE_NOISE_CONTRASTIVE, 256, 0}};
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        double truth[MOST_PARAMS + 1];
        denoised_gaussian(recipes[i].level, truth);
        truth[MOST_PARAMS] = log(2 * STAT_PI * ROOT[0][0] * ROOT[1][1]); /* of exp(-E), E = 0 at the mean */
        assert_recovers(&GAUSSIAN_PROBLEM, &recipes[i], truth);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quartic),
        cmocka_unit_test(gaussian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

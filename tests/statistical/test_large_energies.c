/* SPDX-License-Identifier: MIT */
/*
 * Large numbers: energies near 1e6, which change nothing, as they are float64; and states far from 0 in units of their
 * spread, which do, as they are float32: what is printed is quoted in the documents.
 *
 * False alarms, for new seeds: 30 moments of 1024 chains and 30 of 3072 independent
 * coordinates within STAT_BOUND (5e-8): 3e-6.
 */
#include <string.h>

#include "stat_gaussian.h"
#include "stat_settings.h"

enum { DIM = 3, CHAINS = 1024 };

static const stat_setting KERNELS[] = {
    {"MALA", EBM_KERNEL_MALA, 0.5, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"HMC", EBM_KERNEL_HMC, 1.2, 1, INFINITY, STAT_UNBOUNDED, 2, 0.2, 0, 0},
    {"NUTS", EBM_KERNEL_NUTS, 0.9, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"adjusted underdamped", EBM_KERNEL_UNDERDAMPED_ADJUSTED, 0.8, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 1, 0},
    {"random walk", EBM_KERNEL_RANDOM_WALK, 0.5, 1, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
};

/* E = offset + sum_i (x_i - mean)^2 / (2 spread^2). */
typedef struct place {
    double offset, mean, spread;
} place;

static int32_t placed_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                             void *user_data) {
    const place *p = user_data;
    (void)theta;
    for (int64_t r = 0; r < n; r++) {
        double sum = 0;
        for (int64_t i = 0; i < dim; i++) {
            double z = ((double)x[r * dim + i] - p->mean) / p->spread;
            sum += z * z / 2;
            if (grad_x != NULL) {
                grad_x[r * dim + i] = (float)(z / p->spread);
            }
        }
        if (energy != NULL) {
            energy[r] = p->offset + sum;
        }
    }
    return EBM_CB_OK;
}

/* Step sizes in units of the spread. */
static ebm_sampler *sampler_at(const stat_setting *kernel, int64_t dim, place *p, uint64_t seed) {
    stat_setting s = *kernel;
    ebm_model *model = NULL;
    int squared = s.kernel == EBM_KERNEL_MALA || s.kernel == EBM_KERNEL_RANDOM_WALK;
    s.eta *= squared ? p->spread * p->spread : p->spread;
    s.friction /= p->spread;
    STAT_OK(ebm_model_create(NULL, dim, placed_energy, NULL, p, &model));
    return stat_sampler_of(&s, model, CHAINS, seed);
}

static double acceptance(ebm_sampler *sampler, float *x) {
    double rate = 0;
    STAT_OK(ebm_sampler_set_states(sampler, CHAINS, x));
    STAT_OK(ebm_sampler_run(sampler, 100));
    STAT_OK(ebm_sampler_get_states(sampler, CHAINS, x));
    STAT_OK(ebm_sampler_get_acceptance(sampler, &rate));
    return rate;
}

/*
 * With an offset of 2^20, float64 energies keep 2^-33: the same random numbers make the same decisions, and acceptance
 * is the same but for the rounding of its probabilities.
 */
static void an_offset_changes_nothing(void **state) {
    (void)state;
    for (int k = 0; k < STAT_ROWS(KERNELS); k++) {
        place places[] = {{0, 0, 1}, {0x1p20, 0, 1}, {-0x1p20, 0, 1}};
        float x[3][CHAINS * DIM];
        double rate[3];
        for (int i = 0; i < 3; i++) {
            ebm_sampler *sampler = sampler_at(&KERNELS[k], DIM, &places[i], 900 + (uint64_t)k);
            stat_fill_normals(910, 1, CHAINS * DIM, x[i]);
            rate[i] = acceptance(sampler, x[i]);
            ebm_sampler_destroy(sampler);
        }
        print_message("%s accepts %.6f; with an offset %.6f, %.6f\n", KERNELS[k].name, rate[0], rate[1], rate[2]);
        assert_true(fabs(rate[1] - rate[0]) < 1e-8 && fabs(rate[2] - rate[0]) < 1e-8);
        assert_memory_equal(x[1], x[0], sizeof x[0]);
        assert_memory_equal(x[2], x[0], sizeof x[0]);
    }
}

/*
 * The library's Gaussian, its last coordinate held 1448 standard deviations out, where E is 2^20, and coupled to the
 * others, whose means it moves by -0.001 x 1448: they are accepted, and have moments, as with E near 0.
 */
static void a_far_gaussian_is_like_a_near_one(void **state) {
    (void)state;
    static const double mean[DIM + 1] = {0};
    static const stat_matrix precision = {{1, 0, 0, 1e-3}, {0, 1, 0, 1e-3}, {0, 0, 1, 1e-3}, {1e-3, 1e-3, 1e-3, 1}};
    static const uint8_t mask[DIM + 1] = {1, 1, 1, 0};
    for (int k = 0; k < STAT_ROWS(KERNELS); k++) {
        double rate[2];
        for (int far = 0; far < 2; far++) {
            double held = far ? 1448 : 0;
            double centre = -(double)(float)1e-3 * held;
            const stat_moment moments[] = {{0, 1, 0, 0, centre},
                                           {0, 2, 0, 0, centre * centre + 1},
                                           {1, 1, 2, 1, centre * centre}};
            double z[3], energy;
            float x[CHAINS * (DIM + 1)];
            ebm_sampler *sampler =
                stat_sampler_of(&KERNELS[k], stat_gaussian(DIM + 1, mean, precision), CHAINS, 920 + (uint64_t)k);
            STAT_OK(ebm_sampler_set_mask(sampler, mask));
            for (int i = 0; i < CHAINS * (DIM + 1); i++) {
                x[i] = (float)(i % (DIM + 1) == DIM ? held : centre);
            }
            stat_moments_z(stat_kernel_of(sampler, DIM + 1), 50, 50, 4, x, 3, moments, z);
            rate[far] = acceptance(sampler, x);
            STAT_OK(ebm_sampler_get_mean_energy(sampler, &energy));
            ebm_sampler_destroy(sampler);
            for (int m = 0; m < 3; m++) {
                stat_row_within(z[m], KERNELS[k].name, m);
            }
            print_message("%s at E = %.1f: accepts %.4f\n", KERNELS[k].name, energy, rate[far]);
        }
        assert_true(fabs(rate[1] - rate[0]) < 0.01); /* of 1e5 decisions each: 4 standard errors and more */
    }
}

typedef struct cost {
    double rate;
    stat_sum mean, square; /* over chains and coordinates, in units of the spread */
} cost;

static cost cost_at(const stat_setting *kernel, double ratio, uint64_t seed) {
    enum { DRAWS = 40 };
    place p = {0, ratio, 1};
    cost result = {0};
    static float x[CHAINS * DIM];
    static double sums[CHAINS * DIM][2];
    ebm_sampler *sampler = sampler_at(kernel, DIM, &p, seed);
    stat_fill_normals(seed + 1, 1, CHAINS * DIM, x);
    for (int i = 0; i < CHAINS * DIM; i++) {
        x[i] = (float)((double)x[i] + ratio);
        sums[i][0] = sums[i][1] = 0;
    }
    result.rate = acceptance(sampler, x);
    for (int d = 0; d < DRAWS; d++) {
        STAT_OK(ebm_sampler_run(sampler, 4));
        STAT_OK(ebm_sampler_get_states(sampler, CHAINS, x));
        for (int i = 0; i < CHAINS * DIM; i++) {
            double z = (double)x[i] - ratio;
            sums[i][0] += z / DRAWS;
            sums[i][1] += z * z / DRAWS;
        }
    }
    for (int i = 0; i < CHAINS * DIM; i++) {
        stat_add(&result.mean, sums[i][0]);
        stat_add(&result.square, sums[i][1]);
    }
    ebm_sampler_destroy(sampler);
    print_message("%-20s eta %.3f, m / s = %.0e: accepts %.4f, mean %+.4f +- %.4f, variance %.4f +- %.4f\n",
                  kernel->name, kernel->eta, ratio, result.rate, stat_mean(&result.mean), stat_error(&result.mean),
                  stat_mean(&result.square), stat_error(&result.square));
    return result;
}

/*
 * A Gaussian of mean m and standard deviation s = 1: floats near m are 2^-23 m apart, 1/16 s for m = 1e6 s. Up to
 * there moments and acceptances are those of m = s, at step sizes of fair acceptance; smaller steps accept a little
 * less. At m = 1e7 s, floats are s apart: nothing is promised, nor for MALA at 1e6 with steps so small that eta dE/dx
 * is less than half the distance of two floats, and is lost.
 */
static void what_float_states_cost(void **state) {
    (void)state;
    static const double ratios[] = {1, 1e4, 1e6, 1e7};
    for (int k = 0; k < STAT_ROWS(KERNELS); k++) {
        stat_setting small = KERNELS[k];
        int squared = small.kernel == EBM_KERNEL_MALA || small.kernel == EBM_KERNEL_RANDOM_WALK;
        double near = 0;
        small.eta *= squared ? 1e-2 : 1e-1;
        small.leapfrog_steps *= 10;
        for (int r = 0; r < STAT_ROWS(ratios); r++) {
            cost c = cost_at(&KERNELS[k], ratios[r], 950 + (uint64_t)k);
            near = r == 0 ? c.rate : near;
            if (ratios[r] <= 1e6) {
                stat_row_within(stat_z(&c.mean, 0), KERNELS[k].name, r);
                stat_row_within(stat_z(&c.square, 1), KERNELS[k].name, r);
                assert_true(fabs(c.rate - near) < 0.01);
            }
            cost_at(&small, ratios[r], 970 + (uint64_t)k);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offset_changes_nothing),
        cmocka_unit_test(a_far_gaussian_is_like_a_near_one),
        cmocka_unit_test(what_float_states_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

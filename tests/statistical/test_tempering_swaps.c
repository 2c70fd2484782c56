/* SPDX-License-Identifier: MIT */
/*
 * Swaps between temperatures keep the product of all rungs' densities, for every kernel; and swaps with a fault,
 * written here, are refused by the same check.
 *
 * False alarms, for new seeds: 9 checks of orders, 5 kernels x 3 lengths x 4 numbers, 7 swap rates, 4 momenta, all
 * within STAT_BOUND (3.8e-8): 3e-6. Faults must be 2 STAT_BOUND off.
 */
#include "stat_ladder.h"
#include "stat_settings.h"

static const double TEMPERATURE[STAT_TAGS] = {1, 1.5, 3, 4};

enum { LADDERS = 40000 };

static void swaps_keep_the_orders(void **state) {
    (void)state;
    static const int64_t n_steps[] = {1, 3, 10};
    static const double bases[] = {1, 0.4};
    for (int b = 0; b < 2; b++) {
        double t[STAT_TAGS];
        ebm_sampler *sampler = stat_tag_sampler(LADDERS, STAT_TAGS, TEMPERATURE);
        STAT_OK(ebm_sampler_set_temperature(sampler, bases[b]));
        for (int r = 0; r < STAT_TAGS; r++) {
            t[r] = bases[b] * TEMPERATURE[r];
        }
        stat_kernel kernel = stat_kernel_of_rows(sampler);
        for (int i = 0; i < 3; i++) {
            STAT_WITHIN(stat_orders_z(kernel, t, 3 + (uint64_t)i, -1, n_steps[i]), STAT_BOUND);
        }
        STAT_WITHIN(stat_orders_z(kernel, t, 0, STAT_ORDERS - 1, 60), STAT_BOUND); /* it is reached from elsewhere */
        ebm_sampler_destroy(sampler);
    }
}

/* --- faults --- */

typedef enum fault {
    NONE,
    SIGN_TURNED,
    ENERGY_LEFT_BEHIND,
    TEMPERATURES_FORGOTTEN,
    ALWAYS_ACCEPTED,
    NEXT_BUT_ONE
} fault;

typedef struct mutant {
    fault fault;
    int64_t n;
    stat_random random;
} mutant;

static void swap_doubles(double *a, double *b) {
    double kept = *a;
    *a = *b;
    *b = kept;
}

static void swap_pair(mutant *m, int r, int *tag, double *energy) {
    int other = m->fault == NEXT_BUT_ONE ? (r + 2) % STAT_TAGS : r + 1; /* with the next one's temperature */
    double slope = m->fault == TEMPERATURES_FORGOTTEN ? 1 : 1 / TEMPERATURE[r] - 1 / TEMPERATURE[r + 1];
    double log_ratio = slope * (energy[r] - energy[other]);
    log_ratio = m->fault == SIGN_TURNED ? -log_ratio : log_ratio;
    if (m->fault != ALWAYS_ACCEPTED && !(log(stat_next_uniform(&m->random)) < log_ratio)) {
        return;
    }
    int kept = tag[r];
    tag[r] = tag[other];
    tag[other] = kept;
    if (m->fault != ENERGY_LEFT_BEHIND) {
        swap_doubles(&energy[r], &energy[other]);
    }
}

static void advance_mutant(void *self, int64_t n_steps, float *x) {
    mutant *m = self;
    for (int64_t c = 0; c < m->n; c++) {
        int tag[STAT_TAGS];
        double energy[STAT_TAGS];
        for (int r = 0; r < STAT_TAGS; r++) {
            tag[r] = (int)x[r * m->n + c];
            energy[r] = STAT_TAG_ENERGY[tag[r]];
        }
        for (int64_t s = 0; s < n_steps; s++) {
            for (int r = s % 2 == 0 ? 1 : 0; r + 1 < STAT_TAGS; r += 2) {
                swap_pair(m, r, tag, energy);
            }
        }
        for (int r = 0; r < STAT_TAGS; r++) {
            x[r * m->n + c] = (float)tag[r];
        }
    }
}

static double mutant_z(fault f) {
    mutant m = {.fault = f, .n = LADDERS, .random = {9}};
    return stat_orders_z((stat_kernel){LADDERS * STAT_TAGS, 1, advance_mutant, &m}, TEMPERATURE, 4, -1, 3);
}

static void broken_swaps_are_refused(void **state) {
    (void)state;
    STAT_WITHIN(mutant_z(NONE), STAT_BOUND);
    for (int f = SIGN_TURNED; f <= NEXT_BUT_ONE; f++) {
        double z = mutant_z((fault)f);
        if (fabs(z) <= 2 * STAT_BOUND) {
            print_error("the swap with fault %d is only %.2f standard errors off\n", f, z);
            fail();
        }
    }
}

/* --- with moves between the swaps --- */

enum { RUNGS = 3, WELLS = 30000, CELLS = 100, SIDE = 10 };

static const double WELL_LADDER[RUNGS] = {1, 2, 5};
static const double WELL_BASE = 0.8;
static const double BARRIER = 2;

static const stat_setting KERNELS[] = {
    {"MALA", EBM_KERNEL_MALA, 0.1, 0.8, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"HMC", EBM_KERNEL_HMC, 0.25, 0.8, INFINITY, STAT_UNBOUNDED, 3, 0.2, 0, 0},
    {"random walk", EBM_KERNEL_RANDOM_WALK, 0.3, 0.8, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"NUTS", EBM_KERNEL_NUTS, 0.3, 0.8, INFINITY, STAT_UNBOUNDED, 1, 0, 0, 0},
    {"adjusted underdamped", EBM_KERNEL_UNDERDAMPED_ADJUSTED, 0.3, 0.8, INFINITY, STAT_UNBOUNDED, 1, 0, 0.5, 0},
};

static ebm_sampler *well_sampler(const stat_setting *s, uint64_t seed) {
    static const double factors[RUNGS] = {1, 1.2, 0.7};
    ebm_model *model = NULL;
    STAT_OK(ebm_double_well_create(NULL, 1, BARRIER, &model));
    ebm_sampler *sampler = stat_sampler_of(s, model, WELLS, seed);
    stat_set_ladder(sampler, RUNGS, WELL_LADDER);
    STAT_OK(ebm_sampler_set_rung_step_sizes(sampler, RUNGS, factors));
    return sampler;
}

/* Each rung's own distribution; and that the first two rungs stay independent of each other. */
static void check_wells(const stat_density *density, const float *x, const char *name, int64_t n_steps) {
    int64_t joint[SIDE * SIDE] = {0};
    for (int r = 0; r < RUNGS; r++) {
        int64_t count[CELLS] = {0};
        for (int64_t c = 0; c < WELLS; c++) {
            count[stat_density_rank(&density[r], CELLS, (double)x[r * WELLS + c])]++;
        }
        stat_row_within(stat_uniform_z(CELLS, count), name, 10 * n_steps + r);
    }
    for (int64_t c = 0; c < WELLS; c++) {
        joint[SIDE * stat_density_rank(&density[0], SIDE, (double)x[c]) +
              stat_density_rank(&density[1], SIDE, (double)x[WELLS + c])]++;
    }
    stat_row_within(stat_uniform_z(SIDE * SIDE, joint), name, 10 * n_steps + RUNGS);
}

static void kernels_on_a_ladder_keep_every_rung(void **state) {
    (void)state;
    static const int64_t n_steps[] = {1, 3, 10};
    stat_density density[RUNGS];
    float *x = stat_alloc(RUNGS * WELLS, sizeof *x);
    for (int r = 0; r < RUNGS; r++) {
        density[r] = stat_density_new(-8, 8, stat_well, BARRIER / (WELL_BASE * WELL_LADDER[r]));
    }
    for (int k = 0; k < STAT_ROWS(KERNELS); k++) {
        for (int i = 0; i < 3; i++) {
            stat_random random = {100 + (uint64_t)i};
            ebm_sampler *sampler = well_sampler(&KERNELS[k], 5 + (uint64_t)i);
            for (int64_t row = 0; row < RUNGS * WELLS; row++) {
                x[row] = (float)stat_density_quantile(&density[row / WELLS], stat_next_uniform(&random));
            }
            stat_advance_rows(sampler, n_steps[i], x);
            check_wells(density, x, KERNELS[k].name, n_steps[i]);
            ebm_sampler_destroy(sampler);
        }
    }
    for (int r = 0; r < RUNGS; r++) {
        free(density[r].cumulative);
    }
    free(x);
}

/* --- Gaussians --- */

enum { GAUSSIANS = 20000 };

/* Rows at their temperatures, exactly: sd sqrt(T t_r). */
static void fill_gaussian_rows(ebm_sampler *sampler, double temperature, const double *ladder, uint64_t seed) {
    int64_t dim = sampler->dim;
    float *x = stat_alloc(sampler->n_rows * dim, sizeof *x);
    for (int32_t r = 0; r < sampler->ladder.n_rungs; r++) {
        stat_fill_normals(seed + (uint64_t)r, sqrt(temperature * ladder[r]), sampler->n_chains * dim,
                          x + r * sampler->n_chains * dim);
    }
    stat_set_rows(sampler, x);
    free(x);
}

/*
 * In two dimensions E / T is Exp(1), and a swap's mean acceptance is twice the probability that the colder energy is
 * the higher one: 2 / (1 + t) for temperatures in the ratio t. Acceptances of one step lie in [0, 1], so their
 * standard deviation is at most 1/2.
 */
static void swap_rates_of_gaussians_are_known(void **state) {
    (void)state;
    static const double ladder[] = {1, 2.5, 5};
    static const int32_t kernels[] = {EBM_KERNEL_LANGEVIN, EBM_KERNEL_MALA, EBM_KERNEL_HMC, EBM_KERNEL_RANDOM_WALK,
                                      EBM_KERNEL_UNDERDAMPED, EBM_KERNEL_UNDERDAMPED_ADJUSTED, EBM_KERNEL_NUTS};
    for (int k = 0; k < STAT_ROWS(kernels); k++) {
        double temperature = k % 2 == 0 ? 1 : 0.3;
        double rates[2];
        ebm_sampler *sampler = stat_sampler(stat_quadratic(NULL, 2, 1), GAUSSIANS, 7, kernels[k], 1e-4);
        STAT_OK(ebm_sampler_set_max_depth(sampler, 2));
        STAT_OK(ebm_sampler_set_temperature(sampler, temperature));
        if (kernels[k] == EBM_KERNEL_LANGEVIN) { /* it goes by the temperature that its noise implies */
            STAT_OK(ebm_sampler_set_temperature(sampler, 50));
            STAT_OK(ebm_sampler_set_noise_std(sampler, sqrt(2 * 1e-4 * temperature)));
        }
        stat_set_ladder(sampler, 3, ladder);
        fill_gaussian_rows(sampler, temperature, ladder, 20);
        STAT_OK(ebm_sampler_run(sampler, 1));
        fill_gaussian_rows(sampler, temperature, ladder, 30);
        STAT_OK(ebm_sampler_run(sampler, 1));
        STAT_OK(ebm_sampler_get_swap_rates(sampler, 2, rates));
        for (int r = 0; r < 2; r++) {
            double expected = 2 / (1 + ladder[r + 1] / ladder[r]);
            STAT_WITHIN((rates[r] - expected) / (0.5 / sqrt(GAUSSIANS)), STAT_BOUND);
        }
        ebm_sampler_destroy(sampler);
    }
}

/* After many swaps momenta still are N(0, T t_r) in their rung. Var w^2 = 2 T^2. */
static void momenta_go_along(void **state) {
    (void)state;
    static const double ladder[] = {1, 4};
    static const int32_t kernels[] = {EBM_KERNEL_UNDERDAMPED, EBM_KERNEL_UNDERDAMPED_ADJUSTED};
    for (int k = 0; k < 2; k++) {
        ebm_sampler *sampler = stat_sampler(stat_quadratic(NULL, 2, 1), GAUSSIANS, 8, kernels[k], 0.05);
        stat_set_ladder(sampler, 2, ladder);
        STAT_OK(ebm_sampler_set_friction(sampler, 1e-3)); /* nothing is forgotten */
        fill_gaussian_rows(sampler, 1, ladder, 40);
        STAT_OK(ebm_sampler_run(sampler, 30));
        for (int r = 0; r < 2; r++) {
            stat_sum squares = {0};
            for (int64_t i = 0; i < 2 * GAUSSIANS; i++) {
                double w = (double)sampler->momenta[r * 2 * GAUSSIANS + i];
                stat_add(&squares, w * w);
            }
            STAT_WITHIN(stat_z(&squares, ladder[r]), STAT_BOUND);
        }
        ebm_sampler_destroy(sampler);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swaps_keep_the_orders),
        cmocka_unit_test(broken_swaps_are_refused),
        cmocka_unit_test(kernels_on_a_ladder_keep_every_rung),
        cmocka_unit_test(swap_rates_of_gaussians_are_known),
        cmocka_unit_test(momenta_go_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

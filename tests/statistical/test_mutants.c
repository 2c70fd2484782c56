/* SPDX-License-Identifier: MIT */
/*
 * A test of the tests: kernels written here, one chain and one coordinate at a time, each with one fault that has
 * been seen in real samplers. The checks that the library's kernels pass must refuse every one of them, and must
 * accept the same code without a fault.
 *
 * False alarms, for new seeds: 7 sound kernels within STAT_BOUND (3.8e-8): 3e-7.
 */
#include "stat_kernel.h"

typedef enum fault {
    NONE,
    NOISE_TOO_LARGE,       /* by 1 % */
    NOISE_WITHOUT_ROOT_2,  /* sqrt(eta) */
    NOISE_SHARED,          /* all chains get the same */
    NOISE_REPEATED,        /* the same in two steps */
    DRIFT_HALVED,          /* the other convention of eta */
    NO_PROPOSAL_RATIO,     /* Metropolis's rule for Hastings's */
    PROPOSAL_RATIO_TURNED, /* q(y | x) / q(x | y) */
    ALWAYS_ACCEPTED,       /* MALA in name */
    AGAIN_UNTIL_ACCEPTED,  /* a refused proposal leaves no trace */
    TEMPERATURE_FORGOTTEN, /* in the acceptance */
    BACKWARD_UNCLIPPED,    /* the cut gradient in the proposal, the whole one in its ratio */
    MIRROR_NOT_TURNED,     /* the mirrored state's gradient keeps its direction */
    MOVE_FROM_THE_FOLDED,  /* the ratio sees the folded proposal */
    CLAMPED_AND_ACCEPTED,  /* a proposal outside is put on the bound, and judged there */
} fault;

/* A kernel for one coordinate. */
typedef struct mutant {
    fault fault;
    int adjusted; /* MALA */
    double (*energy)(double x, double parameter);
    double (*slope)(double x, double parameter);
    double parameter;
    double eta, temperature, clip, lo, hi;
    int reflect;
    int64_t n_chains;
    stat_random random;
    double kept_noise;
    int64_t steps;
} mutant;

static double linear_slope(double x, double a) {
    return a * x;
}

static double well_slope(double x, double barrier) {
    return 4 * barrier * x * (x * x - 1);
}

static double slope(const mutant *m, double x) {
    return fmin(fmax(m->slope(x, m->parameter), -m->clip), m->clip);
}

static double noise(mutant *m, int64_t chain) {
    double sigma = sqrt((m->fault == NOISE_WITHOUT_ROOT_2 ? 1 : 2) * m->eta * m->temperature);
    double z = stat_next_normal(&m->random);
    if ((m->fault == NOISE_SHARED && chain > 0) || (m->fault == NOISE_REPEATED && m->steps % 2 == 1)) {
        z = m->kept_noise;
    }
    m->kept_noise = z;
    return (m->fault == NOISE_TOO_LARGE ? 1.01 : 1.0) * sigma * z;
}

/* Where y is seen, and which way the mirror has turned it. */
static double fold(const mutant *m, double y, double *direction) {
    *direction = 1;
    while (y < m->lo || y > m->hi) {
        y = y < m->lo ? 2 * m->lo - y : 2 * m->hi - y;
        *direction = -*direction;
    }
    return y;
}

static double log_ratio(const mutant *m, double x, double y, double seen, double direction) {
    double backward_slope = m->fault == BACKWARD_UNCLIPPED ? m->slope(seen, m->parameter) : slope(m, seen);
    double turned = m->fault == MIRROR_NOT_TURNED ? 1 : direction;
    double to = m->fault == MOVE_FROM_THE_FOLDED ? seen : y;
    double forward = to - x + m->eta * slope(m, x);
    double backward = x - to + m->eta * turned * backward_slope;
    double proposal = (forward * forward - backward * backward) / (4 * m->eta * m->temperature);
    double target = (m->energy(x, m->parameter) - m->energy(seen, m->parameter)) /
                    (m->fault == TEMPERATURE_FORGOTTEN ? 1 : m->temperature);
    return target + (m->fault == NO_PROPOSAL_RATIO ? 0 : m->fault == PROPOSAL_RATIO_TURNED ? -proposal : proposal);
}

static double step(mutant *m, int64_t chain, double x) {
    for (;;) {
        double y = x - m->eta * (m->fault == DRIFT_HALVED ? 0.5 : 1) * slope(m, x) + noise(m, chain);
        double direction = 1;
        double seen = m->reflect ? fold(m, y, &direction) : y;
        if (m->fault == CLAMPED_AND_ACCEPTED) {
            y = seen = fmin(fmax(y, m->lo), m->hi);
        }
        int inside = seen >= m->lo && seen <= m->hi;
        double u = stat_next_uniform(&m->random);
        if (!m->adjusted || m->fault == ALWAYS_ACCEPTED || (inside && log(u) < log_ratio(m, x, y, seen, direction))) {
            return seen;
        }
        if (m->fault != AGAIN_UNTIL_ACCEPTED) {
            return x;
        }
    }
}

static void advance_mutant(void *self, int64_t n_steps, float *x) {
    mutant *m = self;
    for (int64_t s = 0; s < n_steps; s++, m->steps++) {
        for (int64_t c = 0; c < m->n_chains; c++) {
            x[c] = (float)step(m, c, (double)x[c]);
        }
    }
}

static stat_kernel kernel_of(mutant *m) {
    return (stat_kernel){m->n_chains, 1, advance_mutant, m};
}

static void assert_refused(double z, fault f) {
    if (fabs(z) <= 2 * STAT_BOUND) {
        print_error("the kernel with fault %d is only %.2f standard errors off\n", f, z);
        fail();
    }
}

/* As test_langevin.c checks variances: eta = 0.5 on E = x^2 / 2. */
static double langevin_z(fault f) {
    mutant m = {.fault = f,
                .energy = stat_half_square,
                .slope = linear_slope,
                .parameter = 1,
                .eta = 0.5,
                .temperature = 1,
                .clip = INFINITY,
                .lo = -INFINITY,
                .hi = INFINITY,
                .n_chains = 2048,
                .random = {1}};
    return stat_ar1_variance_z(kernel_of(&m), 0.5, 1 / 0.75, 600, 2);
}

static void variances_refuse_broken_langevin(void **state) {
    (void)state;
    static const fault faults[] = {NOISE_TOO_LARGE, NOISE_WITHOUT_ROOT_2, NOISE_SHARED, NOISE_REPEATED, DRIFT_HALVED};
    STAT_WITHIN(langevin_z(NONE), STAT_BOUND);
    for (int i = 0; i < 5; i++) {
        assert_refused(langevin_z(faults[i]), faults[i]);
    }
}

/* As test_mala.c checks moments. */
static double moments_z(fault f, double clip) {
    mutant m = {.fault = f,
                .adjusted = 1,
                .energy = stat_half_square,
                .slope = linear_slope,
                .parameter = 1,
                .eta = 0.5,
                .temperature = 2,
                .clip = clip,
                .lo = -INFINITY,
                .hi = INFINITY,
                .n_chains = 2048,
                .random = {2}};
    const stat_moment moments[] = {{0, 1, 0, 0, 0}, {0, 2, 0, 0, 2}, {0, 4, 0, 0, 12}};
    return stat_worst_moment(kernel_of(&m), 200, 150, 4, 3, moments, 0.5);
}

static void moments_refuse_broken_mala(void **state) {
    (void)state;
    static const fault faults[] = {NO_PROPOSAL_RATIO, PROPOSAL_RATIO_TURNED, ALWAYS_ACCEPTED, AGAIN_UNTIL_ACCEPTED,
                                   TEMPERATURE_FORGOTTEN};
    STAT_WITHIN(moments_z(NONE, INFINITY), STAT_BOUND);
    for (int i = 0; i < 5; i++) {
        assert_refused(moments_z(faults[i], INFINITY), faults[i]);
    }
    STAT_WITHIN(moments_z(NONE, 0.5), STAT_BOUND);
    assert_refused(moments_z(BACKWARD_UNCLIPPED, 0.5), BACKWARD_UNCLIPPED);
}

/* As test_mala_exact.c checks that exact draws stay exact, in few steps: in a box, and in two wells. */
static double box_z(fault f, int reflect) {
    mutant m = {.fault = f,
                .adjusted = 1,
                .energy = stat_half_square,
                .slope = linear_slope,
                .parameter = 4,
                .eta = 0.15,
                .temperature = 1,
                .clip = INFINITY,
                .lo = 0.25,
                .hi = 0.9,
                .reflect = reflect,
                .n_chains = 100000,
                .random = {3}};
    stat_density density = stat_density_new(0.25, 0.9, stat_half_square, 4);
    double z = stat_stays_z(kernel_of(&m), &density, 4, 3);
    free(density.cumulative);
    return z;
}

static double wells_z(fault f, double temperature) {
    mutant m = {.fault = f, .adjusted = 1, .energy = stat_well, .slope = well_slope, .parameter = 1.5, .eta = 0.1,
                .temperature = temperature, .clip = INFINITY, .lo = -INFINITY, .hi = INFINITY, .n_chains = 100000,
                .random = {5}};
    stat_density density = stat_density_new(-5, 5, stat_well, 1.5 / temperature);
    double z = stat_stays_z(kernel_of(&m), &density, 6, 3);
    free(density.cumulative);
    return z;
}

static void exact_draws_refuse_broken_mala(void **state) {
    (void)state;
    static const fault of_wells[] = {NO_PROPOSAL_RATIO, PROPOSAL_RATIO_TURNED, ALWAYS_ACCEPTED, AGAIN_UNTIL_ACCEPTED,
                                     DRIFT_HALVED};
    STAT_WITHIN(box_z(NONE, 1), STAT_BOUND);
    STAT_WITHIN(box_z(NONE, 0), STAT_BOUND);
    STAT_WITHIN(wells_z(NONE, 1), STAT_BOUND);
    STAT_WITHIN(wells_z(NONE, 2), STAT_BOUND);
    assert_refused(box_z(MIRROR_NOT_TURNED, 1), MIRROR_NOT_TURNED);
    assert_refused(box_z(MOVE_FROM_THE_FOLDED, 1), MOVE_FROM_THE_FOLDED);
    assert_refused(box_z(CLAMPED_AND_ACCEPTED, 0), CLAMPED_AND_ACCEPTED);
    assert_refused(wells_z(TEMPERATURE_FORGOTTEN, 2), TEMPERATURE_FORGOTTEN);
    for (int i = 0; i < 5; i++) {
        assert_refused(wells_z(of_wells[i], 1), of_wells[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variances_refuse_broken_langevin),
        cmocka_unit_test(moments_refuse_broken_mala),
        cmocka_unit_test(exact_draws_refuse_broken_mala),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

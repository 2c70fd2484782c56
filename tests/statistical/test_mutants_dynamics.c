/* SPDX-License-Identifier: MIT */
/*
 * A test of the tests of test_kernels_exact.c: kernels that follow dynamics, written here, one chain and one
 * coordinate at a time, each with one fault. The check that the library's kernels pass must refuse every one of them,
 * and must accept the same code without a fault.
 *
 * False alarms, for new seeds: 4 sound kernels within STAT_BOUND (3.8e-8): 1.6e-7.
 */
#include "stat_kernel.h"

typedef enum fault {
    NONE,
    NOISE_TOO_LARGE,       /* momenta, by 1.1 */
    ACCEPTANCE_TURNED,     /* exp(H_L - H_0) */
    KINETIC_FORGOTTEN,     /* in the acceptance */
    ALWAYS_ACCEPTED,
    WHOLE_FIRST_KICK,      /* eta for eta / 2 */
    LAST_KICK_FORGOTTEN,
    TEMPERATURE_FORGOTTEN, /* in the momenta */
    MIRROR_NOT_TURNED,     /* the momentum keeps its direction at a bound */
    CLAMPED_AND_ACCEPTED,  /* a position outside is put on the bound */
    MOMENTUM_NOT_TURNED,   /* after a rejection, where momenta are kept */
    DAMPING_TOO_WEAK       /* kept w + sqrt(1 - kept) z */
} fault;

typedef struct mutant {
    fault fault;
    double (*energy)(double x, double parameter);
    double (*slope)(double x, double parameter);
    double parameter;
    double eta, temperature, lo, hi;
    int n_leaps;
    double kept; /* of the momentum, from step to step */
    int64_t n_chains;
    stat_random random;
} mutant;

static double linear_slope(double x, double a) {
    return a * x;
}

static double well_slope(double x, double barrier) {
    return 4 * barrier * x * (x * x - 1);
}

static void drift(const mutant *m, double *x, double *w) {
    *x += m->eta * *w;
    if (m->fault == CLAMPED_AND_ACCEPTED) {
        *x = fmin(fmax(*x, m->lo), m->hi);
    }
    while (*x < m->lo || *x > m->hi) {
        *x = *x < m->lo ? 2 * m->lo - *x : 2 * m->hi - *x;
        *w = m->fault == MIRROR_NOT_TURNED ? *w : -*w;
    }
}

static double hamiltonian(const mutant *m, double x, double w) {
    return m->energy(x, m->parameter) + (m->fault == KINETIC_FORGOTTEN ? 0 : w * w / 2);
}

static double step(mutant *m, double x, double *momentum) {
    double spread = m->fault == TEMPERATURE_FORGOTTEN ? 1 : sqrt(m->temperature);
    double fresh = sqrt(m->fault == DAMPING_TOO_WEAK ? 1 - m->kept : 1 - m->kept * m->kept);
    fresh *= spread * (m->fault == NOISE_TOO_LARGE ? 1.1 : 1);
    double w = m->kept * *momentum + fresh * stat_next_normal(&m->random);
    double y = x;
    *momentum = m->fault == MOMENTUM_NOT_TURNED ? w : -w;
    double start = hamiltonian(m, x, w);
    for (int i = 0; i < m->n_leaps; i++) {
        double first = m->fault == WHOLE_FIRST_KICK && i == 0 ? 1 : 0.5;
        double last = m->fault == LAST_KICK_FORGOTTEN && i == m->n_leaps - 1 ? 0 : 0.5;
        w -= first * m->eta * m->slope(y, m->parameter);
        drift(m, &y, &w);
        w -= last * m->eta * m->slope(y, m->parameter);
    }
    double log_ratio = (start - hamiltonian(m, y, w)) / m->temperature;
    double u = stat_next_uniform(&m->random);
    if (!(fabs(y) < 100)) { /* a trajectory that explodes would show too easily */
        return x;
    }
    if (m->fault == ALWAYS_ACCEPTED || log(u) < (m->fault == ACCEPTANCE_TURNED ? -log_ratio : log_ratio)) {
        *momentum = w;
        return y;
    }
    return x;
}

static void advance_mutant(void *self, int64_t n_steps, float *x) {
    mutant *m = self;
    for (int64_t c = 0; c < m->n_chains; c++) {
        double momentum = sqrt(m->temperature) * stat_next_normal(&m->random);
        for (int64_t s = 0; s < n_steps; s++) {
            x[c] = (float)step(m, (double)x[c], &momentum);
        }
    }
}

static double wells_z(fault f, double temperature) {
    mutant m = {.fault = f, .energy = stat_well, .slope = well_slope, .parameter = 1.5, .eta = 0.3,
                .temperature = temperature, .lo = -INFINITY, .hi = INFINITY, .n_leaps = 4, .n_chains = 60000,
                .random = {1}};
    stat_density density = stat_density_new(-8, 8, stat_well, 1.5 / temperature);
    double z = stat_stays_z((stat_kernel){m.n_chains, 1, advance_mutant, &m}, &density, 2, 3);
    free(density.cumulative);
    return z;
}

static double box_z(fault f) {
    mutant m = {.fault = f, .energy = stat_half_square, .slope = linear_slope, .parameter = 4, .eta = 0.3,
                .temperature = 1, .lo = 0.25, .hi = 0.9, .n_leaps = 2, .n_chains = 60000, .random = {3}};
    stat_density density = stat_density_new(0.25, 0.9, stat_half_square, 4);
    double z = stat_stays_z((stat_kernel){m.n_chains, 1, advance_mutant, &m}, &density, 4, 3);
    free(density.cumulative);
    return z;
}

static double kept_z(fault f) {
    mutant m = {.fault = f, .energy = stat_well, .slope = well_slope, .parameter = 1.5, .eta = 0.45, .temperature = 1,
                .lo = -INFINITY, .hi = INFINITY, .n_leaps = 1, .kept = 0.9, .n_chains = 60000, .random = {5}};
    stat_density density = stat_density_new(-8, 8, stat_well, 1.5);
    double z = stat_stays_z((stat_kernel){m.n_chains, 1, advance_mutant, &m}, &density, 6, 10);
    free(density.cumulative);
    return z;
}

static void assert_refused(double z, fault f) {
    if (fabs(z) <= 2 * STAT_BOUND) {
        print_error("the kernel with fault %d is only %.2f standard errors off\n", (int)f, z);
        fail();
    }
}

static void exact_draws_refuse_broken_dynamics(void **state) {
    (void)state;
    static const fault faults[] = {NOISE_TOO_LARGE, ACCEPTANCE_TURNED, KINETIC_FORGOTTEN, ALWAYS_ACCEPTED,
                                   WHOLE_FIRST_KICK, LAST_KICK_FORGOTTEN};
    STAT_WITHIN(wells_z(NONE, 1), STAT_BOUND);
    STAT_WITHIN(wells_z(NONE, 2), STAT_BOUND);
    STAT_WITHIN(box_z(NONE), STAT_BOUND);
    STAT_WITHIN(kept_z(NONE), STAT_BOUND);
    for (int i = 0; i < (int)(sizeof faults / sizeof *faults); i++) {
        assert_refused(wells_z(faults[i], 1), faults[i]);
    }
    assert_refused(wells_z(TEMPERATURE_FORGOTTEN, 2), TEMPERATURE_FORGOTTEN);
    assert_refused(kept_z(MOMENTUM_NOT_TURNED), MOMENTUM_NOT_TURNED);
    assert_refused(kept_z(DAMPING_TOO_WEAK), DAMPING_TOO_WEAK);
    assert_refused(box_z(MIRROR_NOT_TURNED), MIRROR_NOT_TURNED);
    assert_refused(box_z(CLAMPED_AND_ACCEPTED), CLAMPED_AND_ACCEPTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(exact_draws_refuse_broken_dynamics)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

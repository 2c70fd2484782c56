/* SPDX-License-Identifier: MIT */
/*
 * A test of the tests of test_kernels_exact.c: the No-U-Turn sampler (Betancourt 2017), written here by recursion, one
 * chain and one coordinate at a time, each time with one fault. The check that the library's kernel passes must refuse
 * every one of them, and must accept the same code without a fault.
 *
 * False alarms, for new seeds: 2 sound kernels within STAT_BOUND (3.8e-8): 7.6e-8.
 */
#include "stat_kernel.h"

typedef enum fault {
    NONE,
    UNIFORM_CHOICE,     /* among the points, not by their weights exp(-H) */
    HALVES_UNCHECKED,   /* for turns, so that not from every point would the same trajectory have grown */
    TURNED_HALF_CHOSEN, /* a half that has turned takes part in the choice */
    NEW_HALF_FAVOURED,  /* inside halves, where only chances in proportion to weights are right */
    FORWARD_ONLY,       /* no coin for the direction */
    NOISE_TOO_LARGE     /* momenta, by 1.1 */
} fault;

typedef struct mutant {
    fault fault;
    double barrier, eta;
    int64_t n_chains;
    stat_random random;
} mutant;

/* A piece of trajectory: its ends in time, the sum of its momenta, and the point chosen from it. */
typedef struct tree {
    double x[2], w[2];
    double momenta, chosen, weight;
    int valid;
} tree;

static double slope(double x, double barrier) {
    return 4 * barrier * x * (x * x - 1);
}

static tree leaf(const mutant *m, double x, double w, int forward, double start) {
    double eta = forward ? m->eta : -m->eta;
    w -= eta / 2 * slope(x, m->barrier);
    x += eta * w;
    w -= eta / 2 * slope(x, m->barrier);
    double change = stat_well(x, m->barrier) + w * w / 2 - start;
    return (tree){{x, x}, {w, w}, w, x, m->fault == UNIFORM_CHOICE ? 1 : exp(-change), change < 1000};
}

/* `next` follows `before`, forward or backward. It is chosen from with the chance `share`. */
static tree joined(mutant *m, const tree *before, const tree *next, int forward, double share) {
    tree both = *before;
    both.x[forward] = next->x[forward];
    both.w[forward] = next->w[forward];
    both.momenta += next->momenta;
    both.weight += next->weight;
    both.chosen = stat_next_uniform(&m->random) < share ? next->chosen : before->chosen;
    return both;
}

static int turns(const tree *t) {
    return t->momenta * t->w[0] <= 0 || t->momenta * t->w[1] <= 0;
}

static tree grown(mutant *m, const tree *from, int forward, int depth, double start) {
    if (depth == 0) {
        return leaf(m, from->x[forward], from->w[forward], forward, start);
    }
    tree first = grown(m, from, forward, depth - 1, start);
    if (!first.valid) {
        return first;
    }
    tree second = grown(m, &first, forward, depth - 1, start);
    double share = m->fault == NEW_HALF_FAVOURED ? second.weight / first.weight
                                                 : second.weight / (first.weight + second.weight);
    tree both = joined(m, &first, &second, forward, share);
    both.valid = second.valid && (m->fault == HALVES_UNCHECKED || !turns(&both));
    return both;
}

static double step(mutant *m, double x) {
    double w = (m->fault == NOISE_TOO_LARGE ? 1.1 : 1) * stat_next_normal(&m->random);
    double start = stat_well(x, m->barrier) + w * w / 2;
    tree t = {{x, x}, {w, w}, w, x, 1, 1};
    for (int depth = 0; depth < 8; depth++) {
        int forward = m->fault == FORWARD_ONLY || stat_next_uniform(&m->random) < 0.5;
        tree half = grown(m, &t, forward, depth, start);
        if (!half.valid && m->fault != TURNED_HALF_CHOSEN) {
            break;
        }
        t = joined(m, &t, &half, forward, half.weight / t.weight);
        if (!half.valid || turns(&t)) {
            break;
        }
    }
    return t.chosen;
}

static void advance_mutant(void *self, int64_t n_steps, float *x) {
    mutant *m = self;
    for (int64_t c = 0; c < m->n_chains; c++) {
        for (int64_t s = 0; s < n_steps; s++) {
            x[c] = (float)step(m, (double)x[c]);
        }
    }
}

static double wells_z(fault f, double eta) {
    mutant m = {.fault = f, .barrier = 1.5, .eta = eta, .n_chains = 60000, .random = {1}};
    stat_density density = stat_density_new(-6, 6, stat_well, m.barrier);
    double z = stat_stays_z((stat_kernel){m.n_chains, 1, advance_mutant, &m}, &density, 2, 3);
    free(density.cumulative);
    return z;
}

static void exact_draws_refuse_broken_nuts(void **state) {
    (void)state;
    static const struct {
        fault fault;
        double eta;
    } faults[] = {{UNIFORM_CHOICE, 0.4},     {HALVES_UNCHECKED, 0.15}, {TURNED_HALF_CHOSEN, 0.15},
                  {NEW_HALF_FAVOURED, 0.15}, {FORWARD_ONLY, 0.4},      {NOISE_TOO_LARGE, 0.15}};
    STAT_WITHIN(wells_z(NONE, 0.4), STAT_BOUND);
    STAT_WITHIN(wells_z(NONE, 0.15), STAT_BOUND);
    for (int i = 0; i < (int)(sizeof faults / sizeof *faults); i++) {
        double z = wells_z(faults[i].fault, faults[i].eta);
        if (fabs(z) <= 2 * STAT_BOUND) {
            print_error("the kernel with fault %d is only %.2f standard errors off\n", (int)faults[i].fault, z);
            fail();
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(exact_draws_refuse_broken_nuts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

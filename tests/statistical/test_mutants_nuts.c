/* SPDX-License-Identifier: MIT */
/*
 * A test of the tests of test_kernels_exact.c: NUTS, written here as the recursion that Stan has, one chain at a time,
 * each with one fault. The check that the library's kernel passes must refuse every one of them, and must accept the
 * same code without a fault. Also a change of variables without its Jacobian, under the library's own kernels.
 *
 * False alarms, for new seeds: 5 sound kernels within STAT_BOUND (3.8e-8): 2e-7.
 */
#include "stat_settings.h"

typedef enum fault {
    NONE,
    UNIFORM_CHOICE,     /* among the points of a doubling, whatever their weights */
    INNER_TURNS_UNSEEN, /* only the whole trajectory is asked whether it has turned */
    HALF_DOUBLING_USED, /* a point of a doubling that has turned on its way */
    DOUBLING_FAVOURED,  /* always the doubling's point */
    FORWARD_ONLY
} fault;

enum { DIM = 2, MOST_DEPTH = 6 };

typedef struct mutant {
    fault fault;
    double barrier, eta;
    int64_t n_chains;
    stat_random random;
} mutant;

typedef struct point {
    double x[DIM], w[DIM];
} point;

/* A stretch of the trajectory, in the order of time. */
typedef struct stretch {
    point first, last;
    double sum[DIM];
    double candidate[DIM];
    double weight; /* of its points, exp(-H + H at the start) */
    double points;
    int whole;
} stretch;

static double hamiltonian(const mutant *m, const point *p) {
    double sum = 0;
    for (int i = 0; i < DIM; i++) {
        sum += stat_well(p->x[i], m->barrier) + p->w[i] * p->w[i] / 2;
    }
    return sum;
}

static double slope(const mutant *m, double x) {
    return 4 * m->barrier * x * (x * x - 1);
}

static point leap(const mutant *m, point p, double eta) {
    for (int i = 0; i < DIM; i++) {
        p.w[i] -= eta / 2 * slope(m, p.x[i]);
        p.x[i] += eta * p.w[i];
        p.w[i] -= eta / 2 * slope(m, p.x[i]);
    }
    return p;
}

static int turns(const double *sum, const point *first, const point *last) {
    double at_first = 0;
    double at_last = 0;
    for (int i = 0; i < DIM; i++) {
        at_first += sum[i] * first->w[i];
        at_last += sum[i] * last->w[i];
    }
    return !(at_first > 0 && at_last > 0);
}

/* As Stan has it: the whole, and each half with the next point of the other. */
static int halves_turn(const stretch *a, const stretch *b) {
    double sum[DIM];
    double a_and_next[DIM];
    double b_and_last[DIM];
    for (int i = 0; i < DIM; i++) {
        sum[i] = a->sum[i] + b->sum[i];
        a_and_next[i] = a->sum[i] + b->first.w[i];
        b_and_last[i] = b->sum[i] + a->last.w[i];
    }
    return turns(sum, &a->first, &b->last) || turns(a_and_next, &a->first, &b->first) ||
           turns(b_and_last, &a->last, &b->last);
}

static stretch joined(const stretch *a, const stretch *b) {
    stretch s = {.first = a->first, .last = b->last, .weight = a->weight + b->weight, .points = a->points + b->points};
    for (int i = 0; i < DIM; i++) {
        s.sum[i] = a->sum[i] + b->sum[i];
    }
    return s;
}

static void take(stretch *to, const stretch *from) {
    for (int i = 0; i < DIM; i++) {
        to->candidate[i] = from->candidate[i];
    }
}

static stretch leaf(const point *p, double weight) {
    stretch s = {.first = *p, .last = *p, .weight = weight, .points = 1, .whole = weight > exp(-50)};
    for (int i = 0; i < DIM; i++) {
        s.sum[i] = p->w[i];
        s.candidate[i] = p->x[i];
    }
    return s;
}

static stretch build(mutant *m, point from, int depth, double eta, double start) {
    if (depth == 0) {
        point p = leap(m, from, eta);
        return leaf(&p, exp(start - hamiltonian(m, &p)));
    }
    stretch near = build(m, from, depth - 1, eta, start);
    if (!near.whole) {
        return near;
    }
    stretch far = build(m, eta > 0 ? near.last : near.first, depth - 1, eta, start);
    stretch s = eta > 0 ? joined(&near, &far) : joined(&far, &near);
    double share = m->fault == UNIFORM_CHOICE ? far.points / s.points : far.weight / s.weight;
    take(&s, far.whole && stat_next_uniform(&m->random) < share ? &far : &near);
    s.whole = far.whole && (m->fault == INNER_TURNS_UNSEEN || !(eta > 0 ? halves_turn(&near, &far)
                                                                         : halves_turn(&far, &near)));
    return s;
}

static void step(mutant *m, float *x) {
    point p;
    for (int i = 0; i < DIM; i++) {
        p.x[i] = (double)x[i];
        p.w[i] = stat_next_normal(&m->random);
    }
    double start = hamiltonian(m, &p);
    stretch all = leaf(&p, 1);
    for (int depth = 0; depth < MOST_DEPTH && all.whole; depth++) {
        int forward = m->fault == FORWARD_ONLY || stat_next_uniform(&m->random) < 0.5;
        stretch doubling = build(m, forward ? all.last : all.first, depth, forward ? m->eta : -m->eta, start);
        if (!doubling.whole && m->fault != HALF_DOUBLING_USED) {
            break;
        }
        stretch s = forward ? joined(&all, &doubling) : joined(&doubling, &all);
        double odds = m->fault == DOUBLING_FAVOURED ? 1 : doubling.weight / all.weight;
        take(&s, stat_next_uniform(&m->random) < odds ? &doubling : &all);
        s.whole = doubling.whole && !(forward ? halves_turn(&all, &doubling) : halves_turn(&doubling, &all));
        all = s;
    }
    for (int i = 0; i < DIM; i++) {
        x[i] = (float)all.candidate[i];
    }
}

static void advance_mutant(void *self, int64_t n_steps, float *x) {
    mutant *m = self;
    for (int64_t s = 0; s < n_steps; s++) {
        for (int64_t c = 0; c < m->n_chains; c++) {
            step(m, x + c * DIM);
        }
    }
}

static double wells_z(fault f, double eta) {
    mutant m = {.fault = f, .barrier = 1.5, .eta = eta, .n_chains = 60000, .random = {1}};
    stat_density density = stat_density_new(-6, 6, stat_well, 1.5);
    double z = stat_stays_z((stat_kernel){m.n_chains, DIM, advance_mutant, &m}, &density, 2, 3);
    free(density.cumulative);
    return z;
}

static void assert_refused(double z, int number) {
    if (fabs(z) <= 2 * STAT_BOUND) {
        print_error("fault %d is only %.2f standard errors off\n", number, z);
        fail();
    }
}

static void exact_draws_refuse_broken_nuts(void **state) {
    (void)state;
    static const struct {
        fault fault;
        double eta;
    } cases[] = {{UNIFORM_CHOICE, 0.4},    {INNER_TURNS_UNSEEN, 0.15}, {HALF_DOUBLING_USED, 0.15},
                 {DOUBLING_FAVOURED, 0.4}, {FORWARD_ONLY, 0.4}};
    STAT_WITHIN(wells_z(NONE, 0.4), STAT_BOUND);
    STAT_WITHIN(wells_z(NONE, 0.15), STAT_BOUND);
    for (int i = 0; i < STAT_ROWS(cases); i++) {
        assert_refused(wells_z(cases[i].fault, cases[i].eta), (int)cases[i].fault);
    }
}

/*
 * y = log x of x ~ Gamma(2, 2), whose energy is 2 x - log x: with the logarithm of dx/dy = exp(y), that is
 * E(y) = 2 exp(y) - (1 + 1) y.
 */
static double log_gamma(double y, double jacobian) {
    return 2 * exp(y) - (1 + jacobian) * y;
}

static int32_t log_gamma_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                                float *grad_x, void *user_data) {
    (void)user_data;
    for (int64_t i = 0; i < n * dim; i++) {
        if (energy != NULL) {
            energy[i] = log_gamma((double)x[i], (double)*theta);
        }
        if (grad_x != NULL) {
            grad_x[i] = (float)(2 * exp((double)x[i]) - (1 + (double)*theta));
        }
    }
    return EBM_CB_OK;
}

static double gamma_z(int32_t kernel, double eta, double jacobian) {
    stat_density density = stat_density_new(-10, 4, log_gamma, 1);
    ebm_sampler *sampler =
        stat_sampler(stat_model_of(NULL, 1, log_gamma_energy, NULL, jacobian), 30000, 3, kernel, eta);
    STAT_OK(ebm_sampler_set_leapfrog_steps(sampler, 4));
    double z = stat_stays_z(stat_kernel_of(sampler, 1), &density, 4, 3);
    ebm_sampler_destroy(sampler);
    free(density.cumulative);
    return z;
}

static void exact_draws_refuse_a_missing_jacobian(void **state) {
    (void)state;
    static const struct {
        int32_t kernel;
        double eta;
    } cases[] = {{EBM_KERNEL_MALA, 0.3}, {EBM_KERNEL_HMC, 0.4}, {EBM_KERNEL_NUTS, 0.5}};
    for (int i = 0; i < STAT_ROWS(cases); i++) {
        STAT_WITHIN(gamma_z(cases[i].kernel, cases[i].eta, 1), STAT_BOUND);
        assert_refused(gamma_z(cases[i].kernel, cases[i].eta, 0), cases[i].kernel);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_draws_refuse_broken_nuts),
        cmocka_unit_test(exact_draws_refuse_a_missing_jacobian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

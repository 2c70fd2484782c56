/* SPDX-License-Identifier: MIT */
/*
 * Constrained densities sampled through ebm_transformed_create against their exact moments, and a mutant without the
 * Jacobian, which the same check must refuse.
 *
 * False alarms, for new seeds: 26 moments of two kernels and 16 of the sound twins, each within STAT_BOUND (3.8e-8):
 * 2.6e-6.
 */
#include <stdbool.h>
#include <string.h>

#include "stat_settings.h"

enum { CHAINS = 400, DRAWS = 50, MOST_DIM = 4 };

/* E = -sum_i (a_i - 1) log x_i + b_i x_i, and with `interval` also -(b_i - 1) log(1 - x_i) for b_i x_i. */
typedef struct family {
    bool interval;
    double a[MOST_DIM], b[MOST_DIM];
} family;

static int32_t family_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                             void *user_data) {
    const family *f = user_data;
    (void)theta;
    for (int64_t r = 0; r < n; r++) {
        double sum = 0;
        for (int64_t i = 0; i < dim; i++) {
            double at = (double)x[r * dim + i];
            sum += -(f->a[i] - 1) * log(at) + (f->interval ? -(f->b[i] - 1) * log1p(-at) : f->b[i] * at);
            if (grad_x != NULL) {
                double slope = f->interval ? (f->b[i] - 1) / (1 - at) : f->b[i];
                grad_x[r * dim + i] = (float)(-(f->a[i] - 1) / at + slope);
            }
        }
        if (energy != NULL) {
            energy[r] = sum;
        }
    }
    return EBM_CB_OK;
}

/* The standard normal, whose order statistics ORDERED gives. */
static int32_t normal_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                             void *user_data) {
    const float one = 1;
    (void)theta;
    return stat_quadratic_energy(n, dim, x, &one, energy, grad_x, user_data);
}

typedef struct target {
    const char *name;
    int32_t kind;
    int64_t dim;
    double lo, hi;
    ebm_energy_fn energy;
    family family;
    int n_moments;
    stat_moment moment[6];
} target;

/*
 * Gamma(a, b): mean a / b, variance a / b^2. Beta(a, b): a / (a + b), E x^2 = a (a + 1) / ((a + b) (a + b + 1)).
 * Dirichlet(a), s = sum a: E x_i x_j = a_i (a_j + [i = j]) / (s (s + 1)). Order statistics of three normals: means -+
 * 3 / (2 sqrt(pi)), 0; E x_2^2 = 1 - sqrt(3) / pi, E x_1^2 = 1 + sqrt(3) / (2 pi), E x_1 x_2 = sqrt(3) / (2 pi) (David
 * and Nagaraja 2003).
 */
static const double ORDER = 0.8462843753216345;  /* 3 / (2 sqrt(pi)) */
static const double SHARE = 0.27566444771089604; /* sqrt(3) / (2 pi) */

static void fill_targets(target out[6]) {
    const target all[6] = {
        {"exponential and gamma", EBM_TRANSFORM_LOWER, 2, 0, 0, family_energy, {false, {1, 2.5}, {2, 0.5}}, 5,
         {{0, 1, 0, 0, 0.5}, {0, 2, 0, 0, 0.5}, {1, 1, 1, 0, 5}, {1, 2, 1, 0, 35}, {0, 1, 1, 1, 2.5}}},
        {"gamma, spike at 0", EBM_TRANSFORM_LOWER, 1, 0, 0, family_energy, {false, {0.5}, {1}}, 2,
         {{0, 1, 0, 0, 0.5}, {0, 2, 0, 0, 0.75}}},
        {"beta", EBM_TRANSFORM_INTERVAL, 2, 0, 1, family_energy, {true, {2, 5}, {3, 1.5}}, 5,
         {{0, 1, 0, 0, 0.4}, {0, 2, 0, 0, 0.2}, {1, 1, 1, 0, 5 / 6.5}, {1, 2, 1, 0, 30 / (6.5 * 7.5)},
          {0, 1, 1, 1, 2 / 6.5}}},
        {"Dirichlet", EBM_TRANSFORM_SIMPLEX, 3, 0, 0, family_energy, {false, {0.8, 2, 3.2}, {0}}, 6,
         {{0, 1, 0, 0, 0.8 / 6}, {0, 2, 0, 0, 0.8 * 1.8 / 42}, {1, 1, 1, 0, 2.0 / 6}, {1, 2, 1, 0, 6.0 / 42},
          {2, 2, 2, 0, 3.2 * 4.2 / 42}, {0, 1, 2, 1, 0.8 * 3.2 / 42}}},
        {"ordered normals", EBM_TRANSFORM_ORDERED, 3, 0, 0, normal_energy, {false, {0}, {0}}, 6,
         {{0, 1, 0, 0, -ORDER}, {2, 1, 2, 0, ORDER}, {1, 1, 1, 0, 0}, {1, 2, 1, 0, 1 - 2 * SHARE},
          {0, 2, 0, 0, 1 + SHARE}, {0, 1, 1, 1, SHARE}}},
        {"half-normal below 0", EBM_TRANSFORM_UPPER, 1, 0, 0, normal_energy, {false, {0}, {0}}, 2,
         {{0, 1, 0, 0, -0.7978845608028654}, {0, 2, 0, 0, 1}}},
    };
    memcpy(out, all, sizeof all);
}

/* The kernel of stat_moments_z in x: it starts at the y of x = `start`, and looks at x(y). */
typedef struct through {
    ebm_model *model;
    ebm_sampler *sampler;
    float *y;
} through;

static void advance(void *self, int64_t n_steps, float *x) {
    through *t = self;
    STAT_OK(ebm_sampler_run(t->sampler, n_steps));
    STAT_OK(ebm_sampler_get_states(t->sampler, CHAINS, t->y));
    STAT_OK(ebm_transformed_constrain(t->model, CHAINS, t->y, x));
}

/* E(x(y)) alone: what ebm_transformed_create gives, less the Jacobian, which is that of a flat energy. */
typedef struct mutant {
    ebm_model *right, *flat;
} mutant;

static int32_t flat_natural(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                            void *user_data) {
    const float zero = 0;
    (void)theta;
    return stat_flat_energy(n, dim, x, &zero, energy, grad_x, user_data);
}

static int32_t mutant_energy(int64_t n, int64_t dim, const float *y, const float *theta, double *energy, float *grad_y,
                             void *user_data) {
    const mutant *m = user_data;
    enum { MOST = CHAINS * MOST_DIM };
    double flat[CHAINS];
    double all[CHAINS];
    float flat_grad[MOST];
    float all_grad[MOST];
    (void)theta;
    if (ebm_model_grad_x(m->right, n, y, all, all_grad) != EBM_OK ||
        ebm_model_grad_x(m->flat, n, y, flat, flat_grad) != EBM_OK) {
        return EBM_ERR_CALLBACK;
    }
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        energy[r] = all[r] - flat[r];
    }
    for (int64_t i = 0; grad_y != NULL && i < n * dim; i++) {
        grad_y[i] = all_grad[i] - flat_grad[i];
    }
    return EBM_CB_OK;
}

static ebm_model *transform(const target *t, ebm_energy_fn energy, family *f) {
    ebm_model *inner = NULL;
    ebm_model *model = NULL;
    STAT_OK(ebm_model_create(NULL, t->dim, energy, NULL, f, &inner));
    STAT_OK(ebm_transformed_create(NULL, inner, 1, &t->kind, &t->dim, &t->lo, &t->hi, &model));
    ebm_model_destroy(inner);
    return model;
}

/* The worst of the target's moments. `sampled` has the coordinates of the target's y. */
static double worst_moment(const target *t, ebm_model *model, ebm_model *sampled, int32_t kernel, uint64_t seed) {
    double z[6];
    float *x = stat_alloc(CHAINS * t->dim, sizeof *x);
    float *y = stat_alloc(CHAINS * t->dim, sizeof *y);
    through self = {model, NULL, y};
    STAT_OK(ebm_sampler_create(NULL, sampled, CHAINS, seed, &self.sampler));
    STAT_OK(ebm_sampler_set_kernel(self.sampler, kernel));
    STAT_OK(ebm_sampler_set_step_size(self.sampler, 0.3));
    STAT_OK(ebm_sampler_set_leapfrog_steps(self.sampler, 8));
    STAT_OK(ebm_sampler_set_jitter(self.sampler, 0.2));
    STAT_OK(ebm_sampler_adapt(self.sampler, 300, 0.9));
    stat_moments_z((stat_kernel){CHAINS, t->dim, advance, &self}, 50, DRAWS, 2, x, t->n_moments, t->moment, z);
    ebm_sampler_destroy(self.sampler);
    free(x);
    free(y);
    double worst = 0;
    for (int m = 0; m < t->n_moments; m++) {
        worst = fabs(z[m]) > fabs(worst) ? z[m] : worst;
    }
    return worst;
}

static void moments_are_exact(void **state) {
    (void)state;
    const int32_t kernels[] = {EBM_KERNEL_HMC, EBM_KERNEL_NUTS};
    target targets[6];
    fill_targets(targets);
    for (int i = 0; i < 6; i++) {
        for (int k = 0; k < 2; k++) {
            ebm_model *model = transform(&targets[i], targets[i].energy, &targets[i].family);
            stat_row_within(worst_moment(&targets[i], model, model, kernels[k], 10 * (uint64_t)i + (uint64_t)k + 1),
                            targets[i].name, k);
            ebm_model_destroy(model);
        }
    }
}

/* Where the mutant has a density at all: a x^(a-1) exp(-b x) becomes Gamma(a - 1, b), and so on. */
static void missing_jacobian_is_caught(void **state) {
    (void)state;
    target targets[6];
    fill_targets(targets);
    targets[0].family.a[0] = 2;
    targets[0].moment[0].expected = 1;
    targets[0].moment[1].expected = 1.5;
    targets[0].moment[4].expected = 5;
    targets[3].family = (family){false, {1.8, 2, 3.2}, {0}};
    const double s = 7;
    const double moments[] = {1.8 / s,       1.8 * 2.8 / (s * 8), 2 / s,
                              6 / (s * 8), 3.2 * 4.2 / (s * 8), 1.8 * 3.2 / (s * 8)};
    for (int m = 0; m < 6; m++) {
        targets[3].moment[m].expected = moments[m];
    }
    const int caught[] = {0, 2, 3}; /* ordered and UPPER normals then have no density: it stays as y falls */
    for (int i = 0; i < STAT_ROWS(caught); i++) {
        const target *t = &targets[caught[i]];
        mutant m = {transform(t, t->energy, &targets[caught[i]].family), transform(t, flat_natural, NULL)};
        ebm_model *model = NULL;
        STAT_OK(ebm_model_create(NULL, ebm_model_dim(m.right), mutant_energy, NULL, &m, &model));
        double sound = worst_moment(t, m.right, m.right, EBM_KERNEL_HMC, 70 + (uint64_t)i);
        double broken = worst_moment(t, m.right, model, EBM_KERNEL_HMC, 80 + (uint64_t)i);
        stat_row_within(sound, t->name, 2);
        if (fabs(broken) < 2 * STAT_BOUND) {
            print_error("%s: without its Jacobian only %.2f standard errors\n", t->name, broken);
            fail();
        }
        ebm_model_destroy(model);
        ebm_model_destroy(m.right);
        ebm_model_destroy(m.flat);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_exact),
        cmocka_unit_test(missing_jacobian_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

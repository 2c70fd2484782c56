/* SPDX-License-Identifier: MIT */
/*
 * Eight schools (Rubin 1981; Gelman et al., Bayesian Data Analysis, sec. 5.5), non-centred, by NUTS with all found by
 * ebm_sampler_adapt, against quadrature and posteriordb.
 *
 * False alarms, for new seeds: 12 means of 256 chains' means within STAT_BOUND, Student's t with 255 degrees of freedom
 * (9e-8): 1.1e-6. posteriordb's own draws stay as they are.
 */
#include "stat_settings.h"

enum { SCHOOLS = 8, MU = 0, TAU = 1, ETA = 2, SCHOOLS_DIM = 2 + SCHOOLS, QUANTITIES = 4 + SCHOOLS };

static const double Y[SCHOOLS] = {28, 8, -3, 7, -1, 1, 18, 12};
static const double S[SCHOOLS] = {15, 10, 16, 11, 9, 11, 10, 18};

/*
 * y_j ~ N(mu + tau eta_j, S_j), eta_j ~ N(0, 1), mu ~ N(0, 5), tau ~ half-Cauchy(0, 5); x[TAU] is log tau. Beyond
 * exp(30), where trajectories get before a step size is found, gradients leave the floats: such states are impossible.
 */
static double schools_one(const float *x, float *grad) {
    if (!(x[TAU] < 30)) {
        return INFINITY;
    }
    double mu = (double)x[MU];
    double tau = exp((double)x[TAU]);
    double energy = mu * mu / 50 + log1p(tau * tau / 25) - (double)x[TAU];
    double to_mu = mu / 25;
    double to_tau = 2 * tau / (25 + tau * tau);
    for (int j = 0; j < SCHOOLS; j++) {
        double eta = (double)x[ETA + j];
        double residual = (mu + tau * eta - Y[j]) / S[j];
        energy += (eta * eta + residual * residual) / 2;
        to_mu += residual / S[j];
        to_tau += eta * residual / S[j];
        if (grad != NULL) {
            grad[ETA + j] = (float)(eta + tau * residual / S[j]);
        }
    }
    if (grad != NULL) {
        grad[MU] = (float)to_mu;
        grad[TAU] = (float)(tau * to_tau - 1);
    }
    return energy;
}

static int32_t schools_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                              float *grad_x, void *user_data) {
    (void)theta;
    (void)user_data;
    for (int64_t r = 0; r < n; r++) {
        double value = schools_one(x + r * dim, grad_x == NULL ? NULL : grad_x + r * dim);
        if (energy != NULL) {
            energy[r] = value;
        }
    }
    return EBM_CB_OK;
}

/* mu, tau, their squares, and the schools' effects mu + tau eta_j. */
static void schools_quantities(double mu, double square_mu, double tau, const double *effect, double *quantity) {
    quantity[0] = mu;
    quantity[1] = tau;
    quantity[2] = square_mu;
    quantity[3] = log(tau);
    for (int j = 0; j < SCHOOLS; j++) {
        quantity[4 + j] = effect[j];
    }
}

/*
 * The same means exactly. Given tau, y_j ~ N(mu, S_j^2 + tau^2), so with w_j = 1 / (S_j^2 + tau^2): mu | tau, y ~
 * N(m, V), 1 / V = 1 / 25 + sum_j w_j, m = V sum_j w_j y_j; p(y | tau) ~ sqrt(V) prod_j sqrt(w_j) exp((m^2 / V - sum_j
 * w_j y_j^2) / 2); and the effects have means (1 - S_j^2 w_j) y_j + S_j^2 w_j m (ibid., sec. 5.4). What is left is one
 * integral, over log tau, by the midpoint rule.
 */
static void schools_exact(double *mean) {
    double total = 0;
    for (int i = 0; i < QUANTITIES; i++) {
        mean[i] = 0;
    }
    for (double log_tau = -14.995; log_tau < 12; log_tau += 0.01) {
        double tau = exp(log_tau);
        double precision = 1.0 / 25, sum = 0, squares = 0, log_density = log_tau - log1p(tau * tau / 25);
        double effect[SCHOOLS], quantity[QUANTITIES];
        for (int j = 0; j < SCHOOLS; j++) {
            double w = 1 / (S[j] * S[j] + tau * tau);
            precision += w;
            sum += w * Y[j];
            squares += w * Y[j] * Y[j];
            log_density += log(w) / 2;
        }
        double m = sum / precision;
        for (int j = 0; j < SCHOOLS; j++) {
            double pooled = S[j] * S[j] / (S[j] * S[j] + tau * tau);
            effect[j] = (1 - pooled) * Y[j] + pooled * m;
        }
        double weight = exp(log_density + (m * sum - squares - log(precision)) / 2);
        schools_quantities(m, m * m + 1 / precision, tau, effect, quantity);
        for (int i = 0; i < QUANTITIES; i++) {
            mean[i] += weight * quantity[i];
        }
        total += weight;
    }
    for (int i = 0; i < QUANTITIES; i++) {
        mean[i] /= total;
    }
}

static void schools_sampled(int64_t n_draws, stat_sum *means) {
    enum { CHAINS = 256 };
    ebm_model *model = NULL;
    STAT_OK(ebm_model_create(NULL, SCHOOLS_DIM, schools_energy, NULL, NULL, &model));
    ebm_sampler *sampler = stat_sampler(model, CHAINS, 11, EBM_KERNEL_NUTS, 0.1);
    STAT_OK(ebm_sampler_set_metric(sampler, EBM_METRIC_DIAGONAL, 0, NULL));
    STAT_OK(ebm_sampler_adapt(sampler, 1000, 0.9));
    float *x = stat_alloc(n_draws * CHAINS * SCHOOLS_DIM, sizeof *x);
    STAT_OK(ebm_sampler_draw(sampler, n_draws, 1, x));
    for (int64_t c = 0; c < CHAINS; c++) {
        double sum[QUANTITIES] = {0};
        for (int64_t d = 0; d < n_draws; d++) {
            const float *row = x + (d * CHAINS + c) * SCHOOLS_DIM;
            double effect[SCHOOLS], quantity[QUANTITIES];
            for (int j = 0; j < SCHOOLS; j++) {
                effect[j] = (double)row[MU] + exp((double)row[TAU]) * (double)row[ETA + j];
            }
            schools_quantities((double)row[MU], (double)row[MU] * (double)row[MU], exp((double)row[TAU]), effect,
                               quantity);
            for (int i = 0; i < QUANTITIES; i++) {
                sum[i] += quantity[i] / (double)n_draws;
            }
        }
        for (int i = 0; i < QUANTITIES; i++) {
            stat_add(&means[i], sum[i]);
        }
    }
    free(x);
    ebm_sampler_destroy(sampler);
}

/*
 * posteriordb's means, rounded to 0.01, are of 10,000 draws with standard deviations of 3.3 and 3.2: within 4 of their
 * standard errors, and ours, of the exact ones.
 */
static void eight_schools(void **state) {
    (void)state;
    static const double reference[] = {4.41, 3.60};
    double exact[QUANTITIES];
    stat_sum means[QUANTITIES] = {{0}};
    schools_exact(exact);
    schools_sampled(500, means);
    for (int i = 0; i < QUANTITIES; i++) {
        stat_row_within(stat_z(&means[i], exact[i]), "eight schools", i);
    }
    for (int i = 0; i < 2; i++) {
        double error = sqrt(0.033 * 0.033 + stat_error(&means[i]) * stat_error(&means[i]));
        print_message("%s: %.4f +- %.4f, exactly %.4f, posteriordb %.2f\n", i == 0 ? "mu" : "tau",
                      stat_mean(&means[i]), stat_error(&means[i]), exact[i], reference[i]);
        STAT_WITHIN((stat_mean(&means[i]) - reference[i]) / error, 4);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_schools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

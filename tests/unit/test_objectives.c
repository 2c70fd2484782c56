/* SPDX-License-Identifier: MIT */
/* Objectives: what they need, what they report, how log Z moves, and that they repeat themselves. */
#include <stdbool.h>
#include <string.h>

#include "core/memory.h"
#include "core/simd.h"
#include "stat_polynomial.h"
#include "trainer/noise.h"

enum { ROWS = 40, PARAMS = 3 };

static const double THETA[PARAMS] = {0.8, 0.3, -0.4};
static const int32_t ALONE[] = {EBM_OBJECTIVE_DENOISING_SCORE_MATCHING, EBM_OBJECTIVE_SLICED_SCORE_MATCHING,
                                EBM_OBJECTIVE_NOISE_CONTRASTIVE};
enum { N_ALONE = 3 };

static float data[ROWS * 2];

static int fill_data(void **state) {
    (void)state;
    stat_fill_normals(1, 0.8, ROWS * 2, data);
    return 0;
}

static ebm_trainer *new_trainer(int32_t objective, ebm_model *model, ebm_sampler *sampler) {
    ebm_trainer *trainer = NULL;
    STAT_OK(ebm_trainer_create(NULL, model, sampler, &trainer));
    STAT_OK(ebm_trainer_set_objective(trainer, objective));
    STAT_OK(ebm_trainer_fit_noise(trainer, ROWS, data, EBM_COVARIANCE_DIAGONAL, 0));
    return trainer;
}

static void what_an_objective_needs(void **state) {
    (void)state;
    float grad[PARAMS];
    int32_t objective;
    ebm_model *model = stat_polynomial(2, THETA);
    ebm_trainer *trainer = NULL;
    STAT_OK(ebm_trainer_create(NULL, model, NULL, &trainer));
    STAT_OK(ebm_trainer_get_objective(trainer, &objective));
    assert_int_equal(objective, EBM_OBJECTIVE_LIKELIHOOD);
    assert_int_equal(ebm_trainer_step(trainer, ROWS, data), EBM_ERR_STATE);
    assert_int_equal(ebm_trainer_fit(trainer, ROWS, data, 1), EBM_ERR_STATE);
    assert_int_equal(ebm_trainer_gradient(trainer, ROWS, data, PARAMS, grad), EBM_ERR_STATE);
    assert_int_equal(ebm_trainer_set_objective(trainer, EBM_OBJECTIVE_LIKELIHOOD), EBM_ERR_STATE);
    STAT_OK(ebm_trainer_set_objective(trainer, EBM_OBJECTIVE_NOISE_CONTRASTIVE));
    assert_int_equal(ebm_trainer_step(trainer, ROWS, data), EBM_ERR_STATE);
    STAT_OK(ebm_trainer_fit_noise(trainer, ROWS, data, EBM_COVARIANCE_FULL, 0));
    STAT_OK(ebm_trainer_step(trainer, ROWS, data));
    STAT_OK(ebm_trainer_set_noise(trainer, NULL, NULL, 0, NULL));
    assert_int_equal(ebm_trainer_step(trainer, ROWS, data), EBM_ERR_STATE);
    ebm_trainer_destroy(trainer);
    ebm_model_destroy(model);
}

/* Objectives without chains take a sampler's seed, and leave its chains alone. */
static void chains_stand_still(void **state) {
    (void)state;
    for (int i = 0; i < N_ALONE; i++) {
        float before[8];
        float after[8];
        double acceptance;
        uint64_t seed;
        ebm_model *model = stat_polynomial(2, THETA);
        ebm_sampler *sampler = stat_sampler(model, 4, 77, EBM_KERNEL_MALA, 0.1);
        ebm_trainer *trainer = new_trainer(ALONE[i], model, sampler);
        STAT_OK(ebm_trainer_get_seed(trainer, &seed));
        assert_true(seed == 77);
        STAT_OK(ebm_sampler_get_states(sampler, 4, before));
        STAT_OK(ebm_trainer_step(trainer, ROWS, data));
        assert_int_equal(ebm_trainer_get_acceptance(trainer, &acceptance), EBM_ERR_STATE);
        STAT_OK(ebm_sampler_get_states(sampler, 4, after));
        assert_memory_equal(after, before, sizeof after);
        STAT_OK(ebm_trainer_set_objective(trainer, EBM_OBJECTIVE_LIKELIHOOD));
        STAT_OK(ebm_trainer_step(trainer, ROWS, data));
        STAT_OK(ebm_trainer_get_acceptance(trainer, &acceptance));
        STAT_OK(ebm_sampler_get_states(sampler, 4, after));
        assert_memory_not_equal(after, before, sizeof after);
        ebm_trainer_destroy(trainer);
        ebm_sampler_destroy(sampler);
    }
}

static void reports(void **state) {
    (void)state;
    for (int i = 0; i < N_ALONE; i++) {
        bool contrastive = ALONE[i] == EBM_OBJECTIVE_NOISE_CONTRASTIVE;
        ebm_status of_gap = contrastive ? EBM_OK : EBM_ERR_STATE;
        double energy;
        double model_energy = 0;
        double gap = 0;
        double loss;
        double norm;
        float grad[PARAMS];
        double log_z_grad = 0;
        ebm_model *model = stat_polynomial(2, THETA);
        ebm_trainer *trainer = new_trainer(ALONE[i], model, NULL);
        assert_int_equal(ebm_trainer_get_loss(trainer, &loss), EBM_ERR_STATE);
        STAT_OK(ebm_trainer_gradient(trainer, ROWS, data, PARAMS, grad));
        STAT_OK(ebm_trainer_get_loss(trainer, &loss));
        STAT_OK(ebm_trainer_get_energy_data(trainer, &energy));
        assert_int_equal(ebm_trainer_get_energy_model(trainer, &model_energy), of_gap);
        assert_int_equal(ebm_trainer_get_gap(trainer, &gap), of_gap);
        assert_int_equal(ebm_trainer_get_log_z_gradient(trainer, &log_z_grad), of_gap);
        assert_true(!contrastive || gap == energy - model_energy);
        double square = log_z_grad * log_z_grad;
        for (int k = 0; k < PARAMS; k++) {
            square += (double)grad[k] * (double)grad[k];
        }
        STAT_OK(ebm_trainer_get_grad_norm(trainer, &norm));
        assert_true(fabs(norm - sqrt(square)) < 1e-6 * norm && norm > 0);
        if (ALONE[i] != EBM_OBJECTIVE_DENOISING_SCORE_MATCHING) { /* the data themselves */
            double mean = 0;
            for (int r = 0; r < ROWS; r++) {
                double x[2] = {(double)data[2 * r], (double)data[2 * r + 1]};
                mean += stat_polynomial_at(2, THETA, x) / ROWS;
            }
            assert_true(fabs(mean - energy) < 1e-6);
        }
        ebm_trainer_destroy(trainer);
        ebm_model_destroy(model);
    }
}

/* A step's loss goes down along its gradient: f(theta - e g) = f - e |g|^2, with the same numbers drawn again. */
static void loss_and_gradient_agree(void **state) {
    (void)state;
    for (int i = 0; i < N_ALONE; i++) {
        double loss[2];
        double norm[2];
        for (int moved = 0; moved < 2; moved++) {
            float grad[PARAMS];
            ebm_model *model = stat_polynomial(2, THETA);
            ebm_trainer *trainer = new_trainer(ALONE[i], model, NULL);
            STAT_OK(ebm_trainer_set_log_z(trainer, 1.7));
            if (moved) {
                float theta[PARAMS];
                double of_log_z = 0;
                ebm_trainer *first = new_trainer(ALONE[i], model, NULL);
                STAT_OK(ebm_trainer_set_log_z(first, 1.7));
                STAT_OK(ebm_trainer_gradient(first, ROWS, data, PARAMS, grad));
                STAT_OK(ebm_model_get_params(model, PARAMS, theta));
                for (int k = 0; k < PARAMS; k++) {
                    theta[k] -= 1e-3F * grad[k];
                }
                STAT_OK(ebm_model_set_params(model, PARAMS, theta));
                if (ebm_trainer_get_log_z_gradient(first, &of_log_z) == EBM_OK) {
                    STAT_OK(ebm_trainer_set_log_z(trainer, 1.7 - 1e-3 * of_log_z));
                }
                ebm_trainer_destroy(first);
            }
            STAT_OK(ebm_trainer_gradient(trainer, ROWS, data, PARAMS, grad));
            STAT_OK(ebm_trainer_get_loss(trainer, &loss[moved]));
            STAT_OK(ebm_trainer_get_grad_norm(trainer, &norm[moved]));
            ebm_trainer_destroy(trainer);
            ebm_model_destroy(model);
        }
        double expected = 1e-3 * norm[0] * norm[1]; /* the slope half-way, to second order */
        assert_true(fabs(loss[0] - loss[1] - expected) < 0.02 * expected);
    }
}

/* The same bits for any number of threads; others for another seed. */
static void train(int32_t objective, int32_t n_threads, uint64_t seed, float *theta, double *log_z) {
    enum { MANY = 700 };
    static float rows[MANY * 2];
    static const int64_t width[] = {16, 3};
    ebm_context *context = NULL;
    ebm_model *model = NULL;
    ebm_trainer *trainer = NULL;
    stat_fill_normals(4, 1, MANY * 2, rows);
    STAT_OK(ebm_context_create(&context));
    STAT_OK(ebm_context_set_threads(context, n_threads));
    STAT_OK(ebm_mlp_create(context, 2, 2, width, EBM_ACT_SILU, &model));
    STAT_OK(ebm_model_init_params(model, 2));
    STAT_OK(ebm_trainer_create(NULL, model, NULL, &trainer));
    STAT_OK(ebm_trainer_set_objective(trainer, objective));
    STAT_OK(ebm_trainer_set_seed(trainer, seed));
    STAT_OK(ebm_trainer_fit_noise(trainer, MANY, rows, EBM_COVARIANCE_FULL, 0));
    STAT_OK(ebm_trainer_set_data_noise(trainer, 0.01));
    STAT_OK(ebm_trainer_set_batch_size(trainer, 300));
    STAT_OK(ebm_trainer_fit(trainer, MANY, rows, 3));
    STAT_OK(ebm_model_get_params(model, ebm_model_param_count(model), theta));
    *log_z = 0;
    assert_true((ebm_trainer_get_log_z(trainer, log_z) == EBM_OK) == (objective == EBM_OBJECTIVE_NOISE_CONTRASTIVE));
    ebm_trainer_destroy(trainer);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void training_repeats_itself(void **state) {
    (void)state;
    for (int i = 0; i < N_ALONE; i++) {
        float expected[200] = {0};
        float theta[200] = {0};
        double log_z[2];
        train(ALONE[i], 1, 5, expected, &log_z[0]);
        for (int32_t n_threads = 1; n_threads <= 3; n_threads++) {
            train(ALONE[i], n_threads, 5, theta, &log_z[1]);
            assert_memory_equal(theta, expected, sizeof theta);
            assert_true(log_z[0] == log_z[1]);
        }
        train(ALONE[i], 1, 6, theta, &log_z[1]);
        assert_memory_not_equal(theta, expected, sizeof theta);
    }
}

/*
 * --- noise-contrastive estimation
 * --------------------------------------------------------------------------------------
 */

static const double NOISE_STD = 1.5;

static int32_t sample(int64_t n, int64_t dim, const float *normals, float *y, void *user_data) {
    (void)user_data;
    for (int64_t i = 0; i < n * dim; i++) {
        y[i] = (float)(NOISE_STD * (double)normals[i]);
    }
    return EBM_CB_OK;
}

static int32_t density(int64_t n, int64_t dim, const float *x, double *log_density, void *user_data) {
    (void)user_data;
    for (int64_t r = 0; r < n; r++) {
        double square = 0;
        for (int64_t i = 0; i < dim; i++) {
            square += stat_power((double)x[r * dim + i] / NOISE_STD, 2);
        }
        log_density[r] = -square / 2 - (double)dim * log(NOISE_STD * sqrt(2 * STAT_PI));
    }
    return EBM_CB_OK;
}

/* The fitted Gaussian is the host's when the data have its mean and variance: the same rows and densities. */
static void fitted_noise_is_that_gaussian(void **state) {
    (void)state;
    static const float four[] = {1.5F, 1.5F, -1.5F, 1.5F, 1.5F, -1.5F, -1.5F, -1.5F};
    static const int32_t covariances[] = {EBM_COVARIANCE_DIAGONAL, EBM_COVARIANCE_FULL};
    float expected[PARAMS];
    double expected_loss;
    for (int i = -1; i < 2; i++) {
        float grad[PARAMS];
        double loss;
        ebm_model *model = stat_polynomial(2, THETA);
        ebm_trainer *trainer = new_trainer(EBM_OBJECTIVE_NOISE_CONTRASTIVE, model, NULL);
        if (i < 0) {
            STAT_OK(ebm_trainer_set_noise(trainer, sample, density, 2, NULL));
        } else {
            STAT_OK(ebm_trainer_fit_noise(trainer, 4, four, covariances[i], 0));
        }
        STAT_OK(ebm_trainer_set_noise_ratio(trainer, 5));
        STAT_OK(ebm_trainer_gradient(trainer, ROWS, data, PARAMS, i < 0 ? expected : grad));
        STAT_OK(ebm_trainer_get_loss(trainer, i < 0 ? &expected_loss : &loss));
        for (int k = 0; i >= 0 && k < PARAMS; k++) {
            assert_true(fabs((double)grad[k] - (double)expected[k]) < 1e-6);
        }
        assert_true(i < 0 || fabs(loss - expected_loss) < 1e-6);
        ebm_trainer_destroy(trainer);
        ebm_model_destroy(model);
    }
}

/* L L' is the covariance of the data, and the density of what L made out of z is found again by W = L^-1. */
static void a_full_covariance_is_factorised_right(void **state) {
    (void)state;
    enum { N = 50, DIM = 11 };
    float x[N * DIM];
    float z[N * DIM];
    float y[N * DIM];
    double drawn[N];
    double found[N];
    ebm__noise_gaussian g;
    stat_fill_normals(3, 1, N * DIM, x);
    stat_fill_normals(4, 1, N * DIM, z);
    for (int i = DIM; i < N * DIM; i++) {
        x[i] += 0.8F * x[i - 1]; /* neighbours depend on each other */
    }
    STAT_OK(ebm__noise_gaussian_fit(NULL, N, DIM, x, EBM_COVARIANCE_FULL, 0.1, "test", &g));
    for (int i = 0; i < DIM * DIM; i++) {
        double of_data = i / DIM == i % DIM ? 0.1 * 0.1 : 0;
        double of_factor = 0;
        for (int r = 0; r < N; r++) {
            of_data += ((double)x[r * DIM + i / DIM] - g.mean[i / DIM]) *
                       ((double)x[r * DIM + i % DIM] - g.mean[i % DIM]) / N;
        }
        for (int k = 0; k <= i / DIM && k <= i % DIM; k++) {
            of_factor += g.factor[i / DIM * DIM + k] * g.factor[i % DIM * DIM + k];
        }
        assert_true(fabs(of_factor - of_data) < 1e-12);
    }
    STAT_OK(ebm__noise_gaussian_draw(&g, NULL, N, DIM, z, y, drawn));
    STAT_OK(ebm__noise_gaussian_density(&g, NULL, N, DIM, y, found));
    for (int r = 0; r < N; r++) {
        assert_true(fabs(drawn[r] - found[r]) < 1e-4);
    }
    ebm__free(NULL, g.memory);
}

/* It begins with the importance estimate: here p_noise is the model but for a constant, so that is exact. */
static void log_z_begins_where_the_noise_says(void **state) {
    (void)state;
    const double theta[PARAMS] = {1 / (1.5 * 1.5), 0, 0};
    float grad[PARAMS];
    double log_z;
    ebm_model *model = stat_polynomial(2, theta);
    ebm_trainer *trainer = new_trainer(EBM_OBJECTIVE_NOISE_CONTRASTIVE, model, NULL);
    STAT_OK(ebm_trainer_set_noise(trainer, sample, density, 2, NULL));
    assert_int_equal(ebm_trainer_get_log_z(trainer, &log_z), EBM_ERR_STATE);
    STAT_OK(ebm_trainer_gradient(trainer, ROWS, data, PARAMS, grad));
    STAT_OK(ebm_trainer_get_log_z(trainer, &log_z));
    assert_true(fabs(log_z - log(2 * STAT_PI * 1.5 * 1.5)) < 1e-5);
    ebm_trainer_destroy(trainer);
    ebm_model_destroy(model);
}

/* As one more parameter, by hand, but without weight decay. */
static void log_z_moves_by_the_optimizer(void **state) {
    (void)state;
    static const int32_t optimizers[] = {EBM_OPT_SGD, EBM_OPT_ADAM, EBM_OPT_ADAMW};
    for (int i = 0; i < 3; i++) {
        double c = 2.5;
        double m = 0;
        double v = 0;
        ebm_model *model = stat_polynomial(2, THETA);
        ebm_trainer *trainer = new_trainer(EBM_OBJECTIVE_NOISE_CONTRASTIVE, model, NULL);
        STAT_OK(ebm_trainer_set_optimizer(trainer, optimizers[i]));
        STAT_OK(ebm_trainer_set_momentum(trainer, 0.5));
        STAT_OK(ebm_trainer_set_learning_rate(trainer, 0.05));
        STAT_OK(ebm_trainer_set_weight_decay(trainer, 0.3));
        STAT_OK(ebm_trainer_set_grad_clip(trainer, 0.2));
        STAT_OK(ebm_trainer_set_log_z(trainer, c));
        for (int step = 1; step <= 20; step++) {
            double g;
            double norm;
            double found;
            STAT_OK(ebm_trainer_step(trainer, ROWS, data));
            STAT_OK(ebm_trainer_get_log_z_gradient(trainer, &g));
            STAT_OK(ebm_trainer_get_grad_norm(trainer, &norm));
            g *= fmin(1, 0.2 / norm);
            m = optimizers[i] == EBM_OPT_SGD ? 0.5 * m + g : 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            double root = sqrt(v / (1 - pow(0.999, step))) + 1e-8;
            c -= optimizers[i] == EBM_OPT_SGD ? 0.05 * m : 0.05 * m / (1 - pow(0.9, step)) / root;
            STAT_OK(ebm_trainer_get_log_z(trainer, &found));
            assert_true(fabs(found - c) < 1e-5);
        }
        assert_true(fabs(c - 2.5) > 0.01);
        ebm_trainer_destroy(trainer);
        ebm_model_destroy(model);
    }
}

/* E as before where x > 0 in both coordinates, +infinity elsewhere. */
static int32_t positive_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                               float *grad_x, void *user_data) {
    stat_polynomial_energy(n, dim, x, theta, energy, grad_x, user_data);
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        energy[r] = x[2 * r] > 0 && x[2 * r + 1] > 0 ? energy[r] : (double)INFINITY;
    }
    return EBM_CB_OK;
}

static int32_t positive_param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta,
                                   double *energy, float *grad_theta, void *user_data) {
    for (int64_t r = 0; r < n; r++) {
        assert_true(x[2 * r] > 0 && x[2 * r + 1] > 0); /* no impossible row comes here */
    }
    return stat_polynomial_param_grad(n, dim, x, weight, theta, energy, grad_theta, user_data);
}

/* Noise where the model is impossible counts nothing but for the size of the sample, as by hand. */
static void impossible_noise_is_told_without_fail(void **state) {
    (void)state;
    static int64_t n_params = PARAMS;
    const float theta[PARAMS] = {0.8F, 0.3F, -0.4F};
    float positive[ROWS * 2];
    float grad[PARAMS];
    float normals[ROWS * 2];
    double loss;
    double expected = 0;
    double log_density[2 * ROWS];
    float rows[4 * ROWS];
    ebm_model *model = NULL;
    for (int i = 0; i < ROWS * 2; i++) {
        positive[i] = fabsf(data[i]);
    }
    STAT_OK(ebm_model_create(NULL, 2, positive_energy, positive_param_grad, &n_params, &model));
    STAT_OK(ebm_model_add_tensor(model, "theta", 1, &n_params));
    STAT_OK(ebm_model_set_params(model, PARAMS, theta));
    ebm_trainer *trainer = new_trainer(EBM_OBJECTIVE_NOISE_CONTRASTIVE, model, NULL);
    STAT_OK(ebm_trainer_set_noise(trainer, sample, density, 2, NULL));
    STAT_OK(ebm_trainer_set_log_z(trainer, 1));
    STAT_OK(ebm_trainer_gradient(trainer, ROWS, positive, PARAMS, grad));
    STAT_OK(ebm_trainer_get_loss(trainer, &loss));
    ebm__sequence sequence = {.seed = 0, .step = 0, .stream = EBM__STREAM_CONTRAST};
    ebm__simd_used()->normals(&sequence, 0, ROWS * 2, normals);
    memcpy(rows, positive, sizeof positive);
    sample(ROWS, 2, normals, rows + 2 * ROWS, NULL);
    density(2 * ROWS, 2, rows, log_density, NULL);
    int impossible = 0;
    for (int r = 0; r < 2 * ROWS; r++) {
        double x[2] = {(double)rows[2 * r], (double)rows[2 * r + 1]};
        double g = -stat_polynomial_at(2, THETA, x) - 1 - log_density[r];
        bool possible = x[0] > 0 && x[1] > 0;
        expected += possible ? log1p(exp(r < ROWS ? -g : g)) / ROWS : 0;
        impossible += !possible;
    }
    assert_true(impossible > ROWS / 2 && impossible < ROWS);
    assert_true(fabs(loss - expected) < 1e-5);
    STAT_OK(ebm_trainer_step(trainer, ROWS, positive));
    assert_int_equal(ebm_trainer_step(trainer, ROWS, data), EBM_ERR_DIVERGED); /* impossible data are an error */
    ebm_trainer_destroy(trainer);
    ebm_model_destroy(model);
}

/*
 * A change of objective begins with fresh moments: Adam's first step has the length of the learning rate, whatever the
 * gradient, and those after it have not.
 */
static void a_change_forgets_the_optimizer(void **state) {
    (void)state;
    float before[PARAMS];
    float after[PARAMS];
    ebm_model *model = stat_polynomial(2, THETA);
    ebm_trainer *trainer = new_trainer(EBM_OBJECTIVE_DENOISING_SCORE_MATCHING, model, NULL);
    for (int step = 0; step < 5; step++) {
        STAT_OK(ebm_trainer_step(trainer, ROWS, data));
    }
    STAT_OK(ebm_trainer_set_objective(trainer, EBM_OBJECTIVE_SLICED_SCORE_MATCHING));
    STAT_OK(ebm_model_get_params(model, PARAMS, before));
    STAT_OK(ebm_trainer_step(trainer, ROWS, data));
    STAT_OK(ebm_model_get_params(model, PARAMS, after));
    for (int k = 0; k < PARAMS; k++) {
        assert_true(fabs(fabs((double)after[k] - (double)before[k]) - 1e-3) < 1e-6);
    }
    double log_z[2];
    STAT_OK(ebm_trainer_set_log_z(trainer, 0.5));
    for (int round = 0; round < 2; round++) { /* log Z likewise */
        STAT_OK(ebm_trainer_set_objective(trainer, EBM_OBJECTIVE_NOISE_CONTRASTIVE));
        for (int step = 0; step < 5; step++) {
            STAT_OK(ebm_trainer_get_log_z(trainer, &log_z[0]));
            STAT_OK(ebm_trainer_step(trainer, ROWS, data));
            STAT_OK(ebm_trainer_get_log_z(trainer, &log_z[1]));
            assert_true(step > 0 || fabs(fabs(log_z[1] - log_z[0]) - 1e-3) < 1e-6);
        }
        STAT_OK(ebm_trainer_set_objective(trainer, EBM_OBJECTIVE_SLICED_SCORE_MATCHING));
    }
    ebm_trainer_destroy(trainer);
    ebm_model_destroy(model);
}

/* An energy whose slopes do not depend on theta: gradients of 0, also where the residual itself is 0. */
static void flat_energies_have_no_gradient(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        float grad = 7;
        ebm_model *model = stat_flat(NULL, 2);
        ebm_trainer *trainer = new_trainer(ALONE[i], model, NULL);
        STAT_OK(ebm_trainer_gradient(trainer, ROWS, data, 1, &grad));
        assert_true(grad == 0);
        STAT_OK(ebm_trainer_gradient(trainer, 1, data, 1, &grad)); /* one row has no spread */
        assert_true(grad == 0);
        ebm_trainer_destroy(trainer);
        ebm_model_destroy(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_objective_needs),
        cmocka_unit_test(chains_stand_still),
        cmocka_unit_test(reports),
        cmocka_unit_test(loss_and_gradient_agree),
        cmocka_unit_test(training_repeats_itself),
        cmocka_unit_test(fitted_noise_is_that_gaussian),
        cmocka_unit_test(a_full_covariance_is_factorised_right),
        cmocka_unit_test(log_z_begins_where_the_noise_says),
        cmocka_unit_test(log_z_moves_by_the_optimizer),
        cmocka_unit_test(impossible_noise_is_told_without_fail),
        cmocka_unit_test(a_change_forgets_the_optimizer),
        cmocka_unit_test(flat_energies_have_no_gradient),
    };
    return cmocka_run_group_tests(tests, fill_data, NULL);
}

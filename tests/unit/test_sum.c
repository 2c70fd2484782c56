/* SPDX-License-Identifier: MIT */
/* Sums of energies: the formula, whose parameters are whose, and what a part's failure looks like from outside. */
#include "energies_support.h"

#include "energies/loops.h"

enum { DIM = 3, N = 300, CHUNKS = 3 /* of 128 rows */ };

static ebm_model *new_sum(int32_t n, ebm_model *const *models, const double *weights) {
    ebm_model *model = NULL;
    assert_ok(ebm_sum_create(NULL, n, models, weights, &model));
    return model;
}

static ebm_model *new_gaussian(float diagonal, float mean) {
    ebm_model *model;
    float precision[DIM * DIM] = {0};
    const float means[DIM] = {mean, mean, mean};
    for (int i = 0; i < DIM; i++) {
        precision[(DIM + 1) * i] = diagonal;
    }
    assert_ok(ebm_gaussian_create(NULL, DIM, means, precision, &model));
    return model;
}

static ebm_model *new_mlp(uint64_t seed) {
    const int64_t widths[2] = {7, 5};
    ebm_model *model;
    assert_ok(ebm_mlp_create(NULL, DIM, 2, widths, EBM_ACT_TANH, &model));
    assert_ok(ebm_model_init_params(model, seed));
    return model;
}

/* N(1, 1/2) times N(-1, 1/6) is N(-1/2, 1/8): their energies differ by a constant. Half of it all: precision 4. */
static void test_product_of_gaussians(void **state) {
    (void)state;
    ebm_model *parts[2] = {new_gaussian(2.0F, 1.0F), new_gaussian(6.0F, -1.0F)};
    ebm_model *product = new_sum(2, parts, NULL);
    ebm_model *warm = new_sum(1, &product, (double[]){0.5});
    ebm_model *expected[2] = {new_gaussian(8.0F, -0.5F), new_gaussian(4.0F, -0.5F)};
    ebm_model *got[2] = {product, warm};
    float *x = new_normals(1, N * DIM);
    static double energy[2][N];
    static float grad[2][N * DIM];
    for (int k = 0; k < 2; k++) {
        assert_ok(ebm_model_grad_x(got[k], N, x, energy[0], grad[0]));
        assert_ok(ebm_model_grad_x(expected[k], N, x, energy[1], grad[1]));
        for (int i = 0; i < N; i++) {
            assert_near(energy[0][i] - energy[1][i], energy[0][0] - energy[1][0], 1e-4);
        }
        for (int i = 0; i < N * DIM; i++) {
            assert_near(grad[0][i], grad[1][i], 2e-5);
        }
        ebm_model_destroy(expected[k]);
        ebm_model_destroy(got[k]);
        ebm_model_destroy(parts[k]);
    }
    free(x);
}

static void test_tensors(void **state) {
    (void)state;
    ebm_model *parts[3] = {new_gaussian(2.0F, 1.5F), NULL, new_mlp(3)};
    assert_ok(ebm_double_well_create(NULL, DIM, 4.0, &parts[1]));
    ebm_model *model = new_sum(3, parts, NULL);
    const char *names[] = {"0.mean", "0.precision", "1.barrier", "2.layer1.weight", "2.layer1.bias"};
    const int64_t offsets[] = {0, 3, 12, 13, 34};
    const int32_t ranks[] = {1, 2, 0, 2, 1};
    assert_int_equal(ebm_model_tensor_count(model), 2 + 1 + 6);
    for (int i = 0; i < 5; i++) {
        const char *name;
        int32_t rank;
        int64_t shape[8];
        int64_t offset;
        assert_ok(ebm_model_tensor_info(model, i, &name, &rank, shape, &offset));
        assert_string_equal(name, names[i]);
        assert_int_equal(offset, offsets[i]);
        assert_int_equal(rank, ranks[i]);
    }
    /* Copies of the parts' values at first; from then on each has its own. */
    float mean[DIM];
    float barrier = 0.0F;
    assert_ok(ebm_model_get_tensor(model, "0.mean", DIM, mean));
    assert_ok(ebm_model_get_tensor(model, "1.barrier", 1, &barrier));
    assert_true(mean[2] == 1.5F && barrier == 4.0F);
    const float changed = 9.0F;
    assert_ok(ebm_model_set_tensor(parts[1], "barrier", 1, &changed));
    assert_ok(ebm_model_get_tensor(model, "1.barrier", 1, &barrier));
    assert_true(barrier == 4.0F);
    assert_ok(ebm_model_set_tensor(model, "0.mean", DIM, (const float[DIM]){0}));
    assert_ok(ebm_model_get_tensor(parts[0], "mean", DIM, mean));
    assert_true(mean[2] == 1.5F);
    assert_status(ebm_model_add_tensor(parts[0], "late", 0, NULL), EBM_ERR_STATE);
    for (int k = 0; k < 3; k++) {
        ebm_model_destroy(parts[k]); /* the sum keeps them alive */
    }
    check_gradients(model, 4, 7);
    ebm_model_destroy(model);
}

static int32_t log_density(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                           void *user_data) {
    (void)theta;
    (void)user_data;
    for (int64_t i = 0; energy != NULL && i < n; i++) {
        energy[i] = -0.5 * ebm__dot(dim, x + i * dim, x + i * dim);
    }
    for (int64_t i = 0; grad_x != NULL && i < n * dim; i++) {
        grad_x[i] = -x[i];
    }
    return EBM_CB_OK;
}

/* Signed weights, a host's log-density, a part twice: E is the sum of what the parts say, its gradients theirs. */
static void test_against_parts(void **state) {
    (void)state;
    enum { PARTS = 5, MOST = 200 };
    const double weights[PARTS] = {0.7, -1.3, 2.5, 0.0, 0.4};
    ebm_model *host;
    assert_ok(ebm_model_create(NULL, DIM, log_density, NULL, NULL, &host));
    assert_ok(ebm_model_set_sign(host, EBM_SIGN_LOG_DENSITY));
    ebm_model *mlp = new_mlp(5);
    ebm_model *parts[PARTS] = {mlp, new_gaussian(2.0F, 0.5F), host, new_gaussian(1.0F, 0.0F), mlp};
    ebm_model *model = new_sum(PARTS, parts, weights);
    float *x = new_normals(2, N * DIM);
    float *w = new_normals(3, N);
    static double energy[3][N];
    static double part_energy[PARTS][N];
    static float grad[N * DIM];
    static float part_grad[PARTS][N * DIM];
    static float theta[MOST];
    int64_t n_params = ebm_model_param_count(model);
    assert_true(n_params <= MOST);
    assert_ok(ebm_model_grad_x(model, N, x, energy[0], grad));
    assert_ok(ebm_model_energy(model, N, x, energy[1]));
    assert_ok(ebm_model_param_grad(model, N, x, w, energy[2], n_params, theta));
    int64_t offset = 0;
    for (int k = 0; k < PARTS; k++) {
        float part_theta[MOST];
        int64_t n = ebm_model_param_count(parts[k]);
        assert_ok(ebm_model_grad_x(parts[k], N, x, part_energy[k], part_grad[k]));
        if (n > 0) {
            assert_ok(ebm_model_param_grad(parts[k], N, x, w, NULL, n, part_theta));
        }
        for (int64_t i = 0; i < n; i++) {
            assert_near(theta[offset + i], weights[k] * (double)part_theta[i], 1e-4);
        }
        offset += n;
    }
    assert_int_equal(offset, n_params);
    for (int i = 0; i < N; i++) {
        double sum = 0.0;
        for (int k = 0; k < PARTS; k++) {
            sum += weights[k] * part_energy[k][i];
        }
        for (int j = 0; j < 3; j++) {
            assert_near(energy[j][i], sum, 1e-6 * (1.0 + fabs(sum)));
        }
    }
    for (int i = 0; i < N * DIM; i++) {
        double sum = 0.0;
        double size = 0.0;
        for (int k = 0; k < PARTS; k++) {
            sum += weights[k] * (double)part_grad[k][i];
            size += fabs(weights[k] * (double)part_grad[k][i]);
        }
        assert_near(grad[i], sum, 3e-7 * size);
    }
    check_gradients(model, 3, 8);
    free(x);
    free(w);
    ebm_model_destroy(model);
    for (int k = 0; k < PARTS - 1; k++) {
        ebm_model_destroy(parts[k]);
    }
}

static void test_nothing_left(void **state) {
    (void)state;
    ebm_model *part = new_mlp(1);
    ebm_model *model = new_sum(1, &part, (double[]){0.0});
    float *x = new_normals(2, N * DIM);
    static double energy[N];
    static float grad[N * DIM];
    static float theta[200];
    int64_t n_params = ebm_model_param_count(model);
    assert_ok(ebm_model_grad_x(model, N, x, energy, grad));
    assert_true(energy[N - 1] == 0.0 && grad[N * DIM - 1] == 0.0F);
    assert_ok(ebm_model_param_grad(model, N, x, x, energy, n_params, theta));
    for (int64_t i = 0; i < n_params; i++) {
        assert_true(theta[i] == 0.0F);
    }
    free(x);
    ebm_model_destroy(part);
    ebm_model_destroy(model);
}

/* Part 0 starts as it does alone, part 1 with a seed of its own; a part without a rule takes the sum's away. */
static void test_starting_values(void **state) {
    (void)state;
    enum { EACH = 7 * DIM + 7 + 35 + 5 + 5 + 1 };
    ebm_model *parts[2] = {new_mlp(1), new_mlp(1)};
    ebm_model *model = new_sum(2, parts, NULL);
    float alone[2][EACH];
    float both[2 * EACH];
    assert_ok(ebm_model_init_params(model, 12));
    assert_ok(ebm_model_get_params(model, 2 * EACH, both));
    for (uint64_t k = 0; k < 2; k++) {
        assert_ok(ebm_model_init_params(parts[k], 12 ^ k * UINT64_C(0x9E3779B97F4A7C15)));
        assert_ok(ebm_model_get_params(parts[k], EACH, alone[k]));
        assert_memory_equal(alone[k], both + k * EACH, sizeof alone[k]);
    }
    assert_memory_not_equal(alone[0], alone[1], sizeof alone[0]);
    ebm_model_destroy(model);
    assert_ok(ebm_model_set_init(parts[1], NULL));
    model = new_sum(2, parts, NULL);
    assert_status(ebm_model_init_params(model, 12), EBM_ERR_STATE);
    ebm_model_destroy(model);
    ebm_model_destroy(parts[0]);
    ebm_model_destroy(parts[1]);
}

/* A host's parameters that nothing can train stay as they were; beside them the rest is trained. */
static void test_fixed_parameters(void **state) {
    (void)state;
    test_host host = {0};
    const float theta[2 * DIM] = {1.0F, 2.0F, 3.0F, -1.0F, 0.0F, 1.0F};
    const float other[2 * DIM] = {0};
    const float x[DIM] = {0.5F, 0.5F, 0.5F};
    double energy[3];
    ebm_model *parts[2] = {NULL, NULL};
    assert_ok(ebm_model_create(NULL, DIM, test_energy, NULL, &host, &parts[0]));
    assert_ok(ebm_model_add_tensor(parts[0], "scale", 1, (const int64_t[]){DIM}));
    assert_ok(ebm_model_add_tensor(parts[0], "mean", 1, (const int64_t[]){DIM}));
    assert_ok(ebm_model_set_params(parts[0], 2 * DIM, theta));
    assert_ok(ebm_double_well_create(NULL, DIM, 1.0, &parts[1]));
    ebm_model *fixed = new_sum(1, parts, NULL);
    ebm_model *model = new_sum(2, parts, NULL);
    assert_int_equal(ebm_model_param_count(fixed), 0);
    assert_int_equal(ebm_model_param_count(model), 1);
    assert_ok(ebm_model_energy(parts[0], 1, x, &energy[0]));
    assert_ok(ebm_model_energy(parts[1], 1, x, &energy[1]));
    assert_ok(ebm_model_set_params(parts[0], 2 * DIM, other));
    assert_ok(ebm_model_energy(fixed, 1, x, &energy[2]));
    assert_true(energy[2] == energy[0]);
    assert_status(ebm_model_param_grad(fixed, 1, x, x, NULL, 0, NULL), EBM_ERR_STATE);
    float grad;
    assert_ok(ebm_model_param_grad(model, 1, x, &(const float){1.0F}, &energy[2], 1, &grad));
    assert_near(energy[2], energy[0] + energy[1], 1e-12);
    assert_near(grad, energy[1], 1e-6); /* the barrier is 1, and E linear in it */
    int32_t concurrent = -1;
    assert_ok(ebm_model_get_concurrent(model, &concurrent));
    assert_int_equal(concurrent, 0); /* as the host's */
    ebm_model_destroy(parts[0]);
    ebm_model_destroy(parts[1]);
    ebm_model_destroy(fixed);
    ebm_model_destroy(model);
}

typedef struct failure {
    test_host host;
    double weight;
    ebm_status energy, param_grad; /* what is expected of the sum */
    const char *text;
} failure;

/* Rows come in chunks, the failing row is the last of the last one: its number is the host's, not the chunk's. */
static void test_failures(void **state) {
    (void)state;
    const failure failures[] = {
        {{.answer = EBM_CB_STOP}, 1.0, EBM_ERR_STOPPED, EBM_ERR_STOPPED, "asked to stop"},
        {{.answer = 7}, 1.0, EBM_ERR_CALLBACK, EBM_ERR_CALLBACK, "callback returned 7"},
        {{.answer = EBM_ERR_NOMEM}, 1.0, EBM_ERR_NOMEM, EBM_ERR_NOMEM, "no memory"},
        {{.skip = OUT_ENERGY}, 1.0, EBM_ERR_CALLBACK, EBM_ERR_CALLBACK, "did not write the energy of row"},
        {{.spoil = OUT_ENERGY, .value = (double)NAN}, 1.0, EBM_ERR_NONFINITE, EBM_ERR_NONFINITE, "NaN for row 299"},
        {{.spoil = OUT_ENERGY, .value = -(double)INFINITY}, 1.0, EBM_ERR_NONFINITE, EBM_ERR_NONFINITE,
         "-infinity for row 299"},
        {{.spoil = OUT_ENERGY, .value = (double)INFINITY}, -1.0, EBM_ERR_NONFINITE, EBM_ERR_NONFINITE,
         "+infinity for row 299"},
        {{.spoil = OUT_ENERGY, .value = (double)INFINITY}, 1.0, EBM_OK, EBM_ERR_NONFINITE, "+infinity for row 299"},
        {{.spoil = OUT_GRAD_X, .value = (double)NAN}, 1.0, EBM_ERR_NONFINITE, EBM_OK, "grad_x of row 299"},
        {{.spoil = OUT_GRAD_THETA, .value = (double)NAN}, 1.0, EBM_OK, EBM_ERR_NONFINITE, "tensor 'mean'"},
    };
    float *x = new_normals(4, N * DIM);
    static double energy[N];
    static float grad[N * DIM];
    float theta[2 * DIM + 1];
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        failure f = failures[i];
        ebm_model *parts[2] = {NULL, test_model_create(NULL, DIM, 1, &f.host)};
        assert_ok(ebm_double_well_create(NULL, DIM, 1.0, &parts[0]));
        ebm_model *inner = new_sum(2, parts, (double[]){1.0, f.weight});
        ebm_model *model = new_sum(1, &inner, NULL); /* nested: the message names both */
        for (int which = 0; which < 2; which++) {
            test_host_arm(&f.host, CALL_ENERGY | CALL_PARAM_GRAD, CHUNKS);
            ebm_status expected = which == 0 ? f.energy : f.param_grad;
            assert_status(which == 0 ? ebm_model_grad_x(model, N, x, energy, grad)
                                     : ebm_model_param_grad(model, N, x, x, energy, 2 * DIM + 1, theta), expected);
            if (expected != EBM_OK) {
                assert_message(f.text);
                assert_message("part 0 of a sum: part 1 of a sum: ");
            }
        }
        if (f.energy == EBM_OK && f.host.spoil == OUT_ENERGY) {
            test_host_arm(&f.host, CALL_ENERGY, CHUNKS);
            assert_ok(ebm_model_grad_x(model, N, x, energy, grad));
            assert_true(isinf(energy[N - 1]) && energy[N - 1] > 0.0 && grad[N * DIM - 1] == 0.0F);
            assert_true(isfinite(energy[0]) && grad[0] != 0.0F);
        }
        test_host_arm(&f.host, 0, 0);
        assert_ok(ebm_model_grad_x(model, N, x, energy, grad)); /* and nothing stays behind */
        ebm_model_destroy(parts[0]);
        ebm_model_destroy(parts[1]);
        ebm_model_destroy(inner);
        ebm_model_destroy(model);
    }
    free(x);
}

/* A host's callback that asks a sum, and copes with its failure, has not failed itself. */
typedef struct asking {
    ebm_model *sum;
    ebm_status got;
} asking;

static int32_t ask(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                   void *user_data) {
    asking *a = user_data;
    double unused[N];
    (void)dim;
    (void)theta;
    (void)grad_x;
    a->got = ebm_model_energy(a->sum, n, x, unused);
    memset(energy, 0, (size_t)n * sizeof *energy);
    return EBM_CB_OK;
}

static void test_failure_that_is_coped_with(void **state) {
    (void)state;
    test_host host = {.answer = 7};
    ebm_model *part = test_model_create(NULL, DIM, 0, &host);
    asking a = {.sum = new_sum(1, &part, NULL)};
    ebm_model *model;
    const float x[DIM] = {0};
    double energy;
    assert_ok(ebm_model_create(NULL, DIM, ask, NULL, &a, &model));
    test_host_arm(&host, CALL_ENERGY, -1);
    assert_ok(ebm_model_energy(model, 1, x, &energy));
    assert_int_equal(a.got, EBM_ERR_CALLBACK);
    ebm_model_destroy(model);
    ebm_model_destroy(a.sum);
    ebm_model_destroy(part);
}

/* Far out, where a gradient overflows float, Metropolis kernels reject through a sum as they do without one. */
static void test_far_out(void **state) {
    (void)state;
    const float theta[2 * DIM] = {3e38F, 3e38F, 3e38F};
    const float near[DIM] = {0};
    test_host host = {0};
    ebm_model *part = test_model_create(NULL, DIM, 1, &host);
    assert_ok(ebm_model_set_params(part, 2 * DIM, theta));
    ebm_model *models[2] = {part, new_sum(1, &part, NULL)};
    for (int k = 0; k < 2; k++) {
        const float far[DIM] = {2.0F, 0.0F, 0.0F};
        float grad[DIM];
        double energy;
        double acceptance = -1.0;
        ebm_sampler *sampler = NULL;
        assert_status(ebm_model_grad_x(models[k], 1, far, &energy, grad), EBM_ERR_NONFINITE);
        assert_message("+infinity in grad_x of row 0, coordinate 0");
        assert_ok(ebm_sampler_create(NULL, models[k], 1, 1, &sampler));
        assert_ok(ebm_sampler_set_kernel(sampler, EBM_KERNEL_MALA));
        assert_ok(ebm_sampler_set_step_size(sampler, 10.0));
        assert_ok(ebm_sampler_set_states(sampler, 1, near));
        assert_ok(ebm_sampler_run(sampler, 20));
        assert_ok(ebm_sampler_get_acceptance(sampler, &acceptance));
        assert_true(acceptance == 0.0);
        ebm_sampler_destroy(sampler);
    }
    ebm_model_destroy(part);
    ebm_model_destroy(models[1]);
}

static void test_arguments(void **state) {
    (void)state;
    test_host host = {0};
    char name[128];
    memset(name, 'n', sizeof name);
    name[127] = '\0';
    ebm_model *model = NULL;
    ebm_model *parts[2] = {new_mlp(1), NULL};
    assert_status(ebm_sum_create(NULL, 1, parts, NULL, NULL), EBM_ERR_ARG);
    assert_status(ebm_sum_create(NULL, 0, parts, NULL, &model), EBM_ERR_ARG);
    assert_message("ebm_sum_create: n_models is 0");
    assert_status(ebm_sum_create(NULL, 1, NULL, NULL, &model), EBM_ERR_ARG);
    assert_message("models is NULL");
    assert_status(ebm_sum_create(NULL, 2, parts, NULL, &model), EBM_ERR_ARG);
    assert_message("models[1] is NULL");
    assert_status(ebm_sum_create(NULL, 1, parts, (double[]){(double)NAN}, &model), EBM_ERR_ARG);
    assert_message("weights[0] is nan");
    assert_ok(ebm_double_well_create(NULL, DIM + 1, 1.0, &parts[1]));
    assert_status(ebm_sum_create(NULL, 2, parts, NULL, &model), EBM_ERR_ARG);
    assert_message("models[1] has dim 4");
    ebm_model_destroy(parts[1]);
    assert_ok(ebm_model_create(NULL, DIM, test_energy, test_param_grad, &host, &parts[1]));
    assert_ok(ebm_model_add_tensor(parts[1], name, 0, NULL));
    assert_status(ebm_sum_create(NULL, 2, parts, NULL, &model), EBM_ERR_ARG);
    assert_message("ebm_sum_create: ebm_model_add_tensor: name has more than 127");
    assert_null(model);
    ebm_model_destroy(parts[0]);
    ebm_model_destroy(parts[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product_of_gaussians),
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_against_parts),
        cmocka_unit_test(test_nothing_left),
        cmocka_unit_test(test_starting_values),
        cmocka_unit_test(test_fixed_parameters),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_failure_that_is_coped_with),
        cmocka_unit_test(test_far_out),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

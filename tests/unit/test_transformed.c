/* SPDX-License-Identifier: MIT */
/* A transformed model: its inner one, parameters, threads, arguments. */
#include "transform_support.h"

/* --- the inner model --------------------------------------------------------------------------------------------- */

static const block_case HOST_BLOCKS[] = {{EBM_TRANSFORM_LOWER, 1, 0, 0}, {EBM_TRANSFORM_NONE, 1, 0, 0}};

static void test_signs_agree(void **state) {
    (void)state;
    enum { N = 3 };
    ebm_model *inner = gaussian(2);
    ebm_model *model = wrap(inner, 2, HOST_BLOCKS);
    const float y[2 * N] = {0.5F, 1, -1, 0.25F, 0, -2};
    const float weight[N] = {1, -2, 0.5F};
    double energy[2][N];
    double energy_theta[2][N];
    float grad[2][2 * N];
    float grad_theta[2][6];
    for (int s = 0; s < 2; s++) { /* a Gaussian said to be a log-density is minus itself */
        assert_ok(ebm_model_set_sign(inner, s == 0 ? EBM_SIGN_ENERGY : EBM_SIGN_LOG_DENSITY));
        assert_ok(ebm_model_grad_x(model, N, y, energy[s], grad[s]));
        assert_ok(ebm_model_param_grad(model, N, y, weight, energy_theta[s], 6, grad_theta[s]));
        assert_memory_equal(energy[s], energy_theta[s], sizeof energy[s]);
    }
    for (int r = 0; r < N; r++) {
        double log_jacobian = (double)y[2 * r];
        assert_near(energy[0][r] + log_jacobian, -(energy[1][r] + log_jacobian), 1e-12);
        assert_near(grad[0][2 * r] + 1, -(grad[1][2 * r] + 1), 1e-6);
        assert_near(grad[0][2 * r + 1], -grad[1][2 * r + 1], 0);
    }
    for (int i = 0; i < 6; i++) {
        assert_near(grad_theta[0][i], -grad_theta[1][i], 0);
    }
    ebm_model_destroy(model);
}

/* Parameters, their gradient and their starting values are the inner model's, and stay one with them. */
static void test_parameters(void **state) {
    (void)state;
    enum { N = 4, PARAMS = 2 + 4 };
    ebm_model *inner = gaussian(2);
    ebm_model *model = NULL;
    const int32_t kinds[] = {EBM_TRANSFORM_LOWER, EBM_TRANSFORM_NONE};
    const int64_t sizes[] = {1, 1};
    const double lo[] = {0.5, NAN};
    assert_ok(ebm_transformed_create(NULL, inner, 2, kinds, sizes, lo, NULL, &model));
    assert_int_equal(ebm_model_param_count(model), PARAMS);
    const char *name;
    assert_ok(ebm_model_tensor_info(model, 1, &name, NULL, NULL, NULL));
    assert_string_equal(name, "precision");

    float *y = new_normals(5, 2 * N);
    float x[2 * N];
    const float weight[N] = {1, -1, 0.5F, 2};
    float theta[2][PARAMS];
    float grad[2][PARAMS];
    assert_ok(ebm_transformed_constrain(model, N, y, x));
    assert_ok(ebm_model_param_grad(model, N, y, weight, NULL, PARAMS, grad[0]));
    assert_ok(ebm_model_param_grad(inner, N, x, weight, NULL, PARAMS, grad[1]));
    assert_memory_equal(grad[0], grad[1], sizeof grad[0]);

    ebm_sampler *sampler = NULL;
    ebm_trainer *trainer = NULL;
    assert_ok(ebm_sampler_create(NULL, model, 8, 1, &sampler));
    assert_ok(ebm_trainer_create(NULL, model, sampler, &trainer));
    assert_ok(ebm_model_get_params(inner, PARAMS, theta[0]));
    assert_ok(ebm_trainer_step(trainer, N, y));
    assert_ok(ebm_model_get_params(inner, PARAMS, theta[1]));
    assert_true(memcmp(theta[0], theta[1], sizeof theta[0]) != 0);
    assert_ok(ebm_model_get_params(model, PARAMS, theta[0]));
    assert_memory_equal(theta[0], theta[1], sizeof theta[0]);
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);

    assert_ok(ebm_model_init_params(model, 1));
    assert_ok(ebm_model_get_tensor(inner, "mean", 2, theta[0]));
    assert_true(theta[0][0] == 0 && theta[0][1] == 0);
    assert_status(ebm_model_bind_params(model, PARAMS, theta[0]), EBM_ERR_STATE);
    assert_status(ebm_model_bind_params(inner, PARAMS, NULL), EBM_ERR_STATE);
    assert_message("ebm_model_bind_params: the parameters");
    assert_status(ebm_model_add_tensor(inner, "more", 0, NULL), EBM_ERR_STATE);
    assert_status(ebm_model_add_tensor(model, "more", 0, NULL), EBM_ERR_STATE);
    ebm_model_destroy(inner); /* the transformed one keeps it */
    assert_ok(ebm_model_param_grad(model, N, y, weight, NULL, PARAMS, grad[0]));
    ebm_model_destroy(model);
    free(y);
}

/* Memory of the host's that was bound before is the memory of both. */
static void test_bound_parameters(void **state) {
    (void)state;
    float theta[6] = {1, 2, 1, 0, 0, 1};
    ebm_model *inner = gaussian(2);
    assert_ok(ebm_model_bind_params(inner, 6, theta));
    ebm_model *model = wrap(inner, 2, HOST_BLOCKS);
    assert_ok(ebm_model_init_params(model, 1));
    assert_true(theta[0] == 0 && theta[1] == 0);
    ebm_model_destroy(model);
}

/* What the host's callbacks do wrong is told as it is without a transform. */
static void test_faults_of_the_inner_model(void **state) {
    (void)state;
    test_host host = {0};
    ebm_model *model = wrap(test_model_create(NULL, 2, 1, &host), 2, HOST_BLOCKS);
    const float y[4] = {0.5F, 1, -1, 2};
    double energy[2];
    float grad[4];
    const struct {
        int skip, spoil;
        double value;
        int32_t answer;
        ebm_status expected;
        const char *text;
    } faults[] = {{0, 0, 0, EBM_CB_STOP, EBM_ERR_STOPPED, "asked to stop"},
                  {0, 0, 0, 77, EBM_ERR_CALLBACK, "returned 77"},
                  {OUT_ENERGY, 0, 0, EBM_CB_OK, EBM_ERR_CALLBACK, "did not write the energy of row 1"},
                  {OUT_GRAD_X, 0, 0, EBM_CB_OK, EBM_ERR_CALLBACK, "did not write grad_x of row 1, coordinate 0"},
                  {0, OUT_ENERGY, NAN, EBM_CB_OK, EBM_ERR_NONFINITE, "energy of NaN for row 1"},
                  {0, OUT_ENERGY, -INFINITY, EBM_CB_OK, EBM_ERR_NONFINITE, "energy of -infinity for row 1"},
                  {0, OUT_GRAD_X, NAN, EBM_CB_OK, EBM_ERR_NONFINITE, "NaN in grad_x of row 1, coordinate 1"}};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        for (int sign = EBM_SIGN_ENERGY; sign <= EBM_SIGN_LOG_DENSITY; sign++) {
            host = (test_host){.skip = faults[i].skip, .skip_half = 1, .spoil = faults[i].spoil,
                               .value = sign == EBM_SIGN_ENERGY ? faults[i].value : -faults[i].value,
                               .answer = faults[i].answer};
            test_host_arm(&host, CALL_ENERGY, -1);
            ebm_model *inner = test_model_create(NULL, 2, 1, &host);
            assert_ok(ebm_model_set_sign(inner, sign));
            ebm_model *wrapped = wrap(inner, 2, HOST_BLOCKS);
            assert_status(ebm_model_grad_x(wrapped, 2, y, energy, grad), faults[i].expected);
            assert_message(faults[i].text);
            ebm_model_destroy(wrapped);
        }
    }
    host = (test_host){.spoil = OUT_ENERGY | OUT_GRAD_X, .value = INFINITY};
    test_host_arm(&host, CALL_ENERGY, -1);
    assert_ok(ebm_model_grad_x(model, 2, y, energy, grad));
    assert_true(isfinite(energy[0]) && energy[1] == (double)INFINITY && grad[2] == 0 && grad[3] == 0);
    ebm_model_destroy(model);
}

static void test_flags(void **state) {
    (void)state;
    test_host host = {0};
    for (int32_t concurrent = 0; concurrent < 2; concurrent++) {
        ebm_model *model = wrap(test_model_create(NULL, 2, concurrent, &host), 2, HOST_BLOCKS);
        int32_t got = -1;
        assert_ok(ebm_model_get_concurrent(model, &got));
        assert_int_equal(got, concurrent);
        ebm_model_destroy(model);
    }
    ebm_model *model = flat_model(2, HOST_BLOCKS); /* nothing to train, no rule for starts */
    const float zero[2] = {0};
    double worst;
    assert_status(ebm_model_param_grad(model, 1, zero, zero, NULL, 0, NULL), EBM_ERR_STATE);
    assert_status(ebm_model_init_params(model, 1), EBM_ERR_STATE);
    assert_ok(ebm_model_check_gradients(model, 1, zero, &worst, NULL));
    ebm_model_destroy(model);
}

/* 1 and 3 threads, chunks and single rows: the same bits. */
static void test_threads(void **state) {
    (void)state;
    enum { N = 2000 };
    static double energy[3][N];
    static float grad[3][N * MIXED_Y];
    int32_t kinds[N_MIXED];
    int64_t sizes[N_MIXED];
    double lo[N_MIXED];
    double hi[N_MIXED];
    for (int32_t b = 0; b < N_MIXED; b++) {
        kinds[b] = MIXED[b].kind;
        sizes[b] = MIXED[b].size;
        lo[b] = MIXED[b].lo;
        hi[b] = MIXED[b].hi;
    }
    float *y = new_normals(8, N * MIXED_Y);
    test_host host = {0};
    for (int32_t t = 1; t <= 3; t += 2) {
        ebm_context *context = NULL;
        ebm_model *model = NULL;
        assert_ok(ebm_context_create(&context));
        assert_ok(ebm_context_set_threads(context, t));
        ebm_model *inner = test_model_create(context, MIXED_X, 1, &host);
        assert_ok(ebm_transformed_create(context, inner, N_MIXED, kinds, sizes, lo, hi, &model));
        ebm_model_destroy(inner);
        assert_ok(ebm_model_grad_x(model, N, y, energy[t - 1], grad[t - 1]));
        for (int64_t r = 0; t == 1 && r < N; r++) {
            assert_ok(ebm_model_grad_x(model, 1, y + r * MIXED_Y, &energy[1][r], &grad[1][r * MIXED_Y]));
        }
        ebm_model_destroy(model);
        ebm_context_destroy(context);
    }
    for (int i = 1; i < 3; i++) {
        assert_memory_equal(energy[0], energy[i], sizeof energy[0]);
        assert_memory_equal(grad[0], grad[i], sizeof grad[0]);
    }
    free(y);
}

/* --- arguments --------------------------------------------------------------------------------------------------- */

static void refuse_block(int64_t dim, block_case block, const char *text) {
    ebm_model *inner = gaussian(dim);
    ebm_model *model = NULL;
    assert_status(ebm_transformed_create(NULL, inner, 1, &block.kind, &block.size, &block.lo, &block.hi, &model),
                  EBM_ERR_ARG);
    assert_message("ebm_transformed_create: ");
    assert_message(text);
    assert_null(model);
    assert_ok(ebm_model_bind_params(inner, ebm_model_param_count(inner), NULL)); /* it is not shared */
    ebm_model_destroy(inner);
}

static void test_arguments(void **state) {
    (void)state;
    refuse_block(2, (block_case){6, 2, 0, 0}, "kinds[0] is 6");
    refuse_block(2, (block_case){-1, 2, 0, 0}, "kinds[0] is -1");
    refuse_block(2, (block_case){EBM_TRANSFORM_NONE, 1, 0, 0}, "sizes have the sum 1");
    refuse_block(2, (block_case){EBM_TRANSFORM_NONE, 3, 0, 0}, "sizes[0] is 3, but only 2 of");
    refuse_block(2, (block_case){EBM_TRANSFORM_NONE, INT64_MAX, 0, 0}, "sizes[0] is 9223372036854775807, but");
    refuse_block(2, (block_case){EBM_TRANSFORM_NONE, 0, 0, 0}, "sizes[0] is 0");
    refuse_block(2, (block_case){EBM_TRANSFORM_NONE, INT64_MIN, 0, 0}, "sizes[0] is -9223372036854775808");
    refuse_block(1, (block_case){EBM_TRANSFORM_SIMPLEX, 1, 0, 0}, "sizes[0] is 1, must be at least 2");
    refuse_block(1, (block_case){EBM_TRANSFORM_LOWER, 1, NAN, 0}, "lo[0] is nan");
    refuse_block(1, (block_case){EBM_TRANSFORM_UPPER, 1, 0, INFINITY}, "hi[0] is inf");
    refuse_block(1, (block_case){EBM_TRANSFORM_LOWER, 1, 3e38, 0}, "lo[0] is 3e+38");
    refuse_block(1, (block_case){EBM_TRANSFORM_INTERVAL, 1, 1, 1}, "lo[0] is 1 and hi[0] is 1");
    refuse_block(1, (block_case){EBM_TRANSFORM_INTERVAL, 1, 2, 1}, "must have a float between");
    refuse_block(1, (block_case){EBM_TRANSFORM_INTERVAL, 1, 1, 1.00000011}, "must have a float between");

    ebm_model *inner = gaussian(1);
    ebm_model *model = NULL;
    const int32_t lower = EBM_TRANSFORM_LOWER;
    const int32_t none = EBM_TRANSFORM_NONE;
    const int64_t one = 1;
    const float zero = 0;
    float out = 7;
    assert_status(ebm_transformed_create(NULL, inner, 1, &lower, &one, NULL, NULL, &model), EBM_ERR_ARG);
    assert_message("lo is NULL, but block 0 needs it");
    assert_status(ebm_transformed_create(NULL, inner, 0, &lower, &one, NULL, NULL, &model), EBM_ERR_ARG);
    assert_message("n_blocks is 0");
    assert_status(ebm_transformed_constrain(inner, 1, &zero, &out), EBM_ERR_ARG);
    assert_message("ebm_transformed_constrain: model is not one of ebm_transformed_create");
    assert_status(ebm_transformed_unconstrain(inner, 1, &zero, &out), EBM_ERR_ARG);
    assert_ok(ebm_transformed_create(NULL, inner, 1, &none, &one, NULL, NULL, &model));
    assert_ok(ebm_transformed_constrain(model, 0, NULL, NULL));
    assert_ok(ebm_transformed_unconstrain(model, 0, NULL, NULL));
    assert_true(out == 7);
    ebm_model_destroy(model);
    ebm_model_destroy(inner);
}

/* An x outside is refused with its place, and nothing is written. */
static void test_outside(void **state) {
    (void)state;
    const struct {
        block_case block;
        float x[3];
        const char *text;
    } cases[] = {{{EBM_TRANSFORM_LOWER, 3, 1, 0}, {2, 1, 2}, "x is 1 at row 1, column 1, must be above 1"},
                 {{EBM_TRANSFORM_UPPER, 3, 0, 1}, {0, 0, 1}, "column 2, must be above -inf and below 1"},
                 {{EBM_TRANSFORM_INTERVAL, 3, 0, 1}, {0.5F, 0.5F, 1.5F}, "above 0 and below 1"},
                 {{EBM_TRANSFORM_SIMPLEX, 3, 0, 0}, {0.5F, 0.5F, 0}, "column 2, must be above 0"},
                 {{EBM_TRANSFORM_SIMPLEX, 3, 0, 0}, {0.5F, 0.5F, 0.5F}, "the sum 1.5 at row 1, columns 0 to 2"},
                 {{EBM_TRANSFORM_ORDERED, 3, 0, 0}, {1, 2, 2}, "column 2, must be above 2"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const block_case *block = &cases[i].block;
        const float y[3] = {0.25F, -0.5F, 1};
        float x[6];
        float out[6] = {7, 7, 7, 7, 7, 7};
        ebm_model *model = flat_model(1, block);
        assert_ok(ebm_transformed_constrain(model, 1, y, x));
        memcpy(x + 3, cases[i].x, sizeof cases[i].x);
        assert_status(ebm_transformed_unconstrain(model, 2, x, out), EBM_ERR_ARG);
        assert_message(cases[i].text);
        assert_true(out[0] == 7 && out[5] == 7);
        ebm_model_destroy(model);
    }
}

/* Any sizes and kinds: accepted exactly when they are what the header says. */
static void test_random_sizes(void **state) {
    (void)state;
    uint32_t random = 99;
    int accepted = 0;
    for (int round = 0; round < 4000; round++) {
        int32_t kinds[6];
        int64_t sizes[6];
        double bounds[2][6];
        int32_t n = 0;
        int64_t sum = 0;
        int64_t n_y = 0;
        bool good = true;
        uint32_t draw[3 * 6 + 2];
        for (size_t i = 0; i < sizeof draw / sizeof *draw; i++) {
            random = random * 1664525U + 1013904223U;
            draw[i] = random >> 16;
        }
        n = 1 + (int32_t)(draw[18] % 6);
        for (int32_t b = 0; b < n; b++) {
            kinds[b] = (int32_t)(draw[b] % 6);
            sizes[b] = 1 + (int64_t)(draw[6 + b] % 8);
            sizes[b] = draw[6 + b] % 97 == 0 ? -sizes[b] : sizes[b];
            bounds[0][b] = -1.0 + (double)(draw[12 + b] % 25) / 10;
            bounds[1][b] = 1.25;
            good = good && sizes[b] >= (kinds[b] == EBM_TRANSFORM_SIMPLEX ? 2 : 1) &&
                   (kinds[b] != EBM_TRANSFORM_INTERVAL || bounds[0][b] < bounds[1][b]);
            sum += sizes[b];
            n_y += sizes[b] - (kinds[b] == EBM_TRANSFORM_SIMPLEX);
        }
        int64_t dim = sum < 1 ? 1 : sum + (draw[19] % 8 == 0);
        good = good && dim == sum;
        ebm_model *inner = NULL;
        ebm_model *model = NULL;
        assert_ok(ebm_model_create(NULL, dim, flat, NULL, NULL, &inner));
        assert_status(ebm_transformed_create(NULL, inner, n, kinds, sizes, bounds[0], bounds[1], &model),
                      good ? EBM_OK : EBM_ERR_ARG);
        ebm_model_destroy(inner);
        if (good) {
            float y[3][64];
            float x[64];
            double energy;
            accepted++;
            assert_int_equal(ebm_model_dim(model), n_y);
            fill_normals(draw[19], n_y, y[0]);
            assert_ok(ebm_model_grad_x(model, 1, y[0], &energy, y[1]));
            assert_ok(ebm_transformed_constrain(model, 1, y[0], x));
            assert_ok(ebm_transformed_unconstrain(model, 1, x, y[2]));
            for (int64_t i = 0; i < n_y; i++) {
                assert_near(y[2][i], y[0][i], 1e-3);
            }
        }
        ebm_model_destroy(model);
    }
    assert_in_range(accepted, 1000, 3900);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signs_agree),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_bound_parameters),
        cmocka_unit_test(test_faults_of_the_inner_model),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_outside),
        cmocka_unit_test(test_random_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

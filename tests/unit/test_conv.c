/* SPDX-License-Identifier: MIT */
/* The convolutional energy against its definition, its tensors, starting values, shapes that are refused. */
#include "energies_support.h"

#include <stdbool.h>

#include "conv_reference.h"

static const conv_case cases[] = {
    {1, 7, 6, 1, {3}, {3}, {1}, EBM_POOL_NONE, 0, {0}, EBM_ACT_SILU},
    {2, 8, 8, 2, {4, 5}, {5, 3}, {2, 2}, EBM_POOL_NONE, 1, {6}, EBM_ACT_SILU},
    {3, 9, 5, 2, {4, 3}, {4, 2}, {2, 1}, EBM_POOL_MEAN, 2, {5, 4}, EBM_ACT_SOFTPLUS}, /* even kernels */
    {1, 1, 16, 2, {3, 2}, {7, 3}, {3, 1}, EBM_POOL_NONE, 1, {3}, EBM_ACT_TANH},       /* a line of pixels */
    {2, 4, 4, 3, {3, 5, 2}, {1, 1, 3}, {1, 2, 4}, EBM_POOL_MEAN, 0, {0}, EBM_ACT_TANH}, /* kernels of one pixel */
    {1, 3, 3, 2, {2, 2}, {3, 2}, {2, 1}, EBM_POOL_NONE, 0, {0}, EBM_ACT_SILU},        /* the kernel is all there is */
    {5, 6, 7, 2, {9, 3}, {6, 5}, {5, 3}, EBM_POOL_NONE, 1, {4}, EBM_ACT_RELU},        /* kernels larger than the image */
    {1, 28, 28, 3, {8, 16, 16}, {3, 3, 3}, {1, 2, 2}, EBM_POOL_NONE, 1, {16}, EBM_ACT_SILU},
    {64, 12, 12, 2, {6, 4}, {11, 5}, {2, 1}, EBM_POOL_NONE, 0, {0}, EBM_ACT_SILU},    /* patches that fill a tile */
};
enum { CASES = sizeof cases / sizeof *cases, SMALL = 7 };

static ebm_status create(ebm_context *context, const conv_case *c, ebm_model **out) {
    return ebm_conv_create(context, c->channels, c->height, c->width, c->n_conv, c->filters, c->kernel, c->stride,
                           c->pooling, c->n_dense, c->widths, c->activation, out);
}

/* With starting values, and biases that are not 0. */
static ebm_model *new_conv(const conv_case *c) {
    ebm_model *model = NULL;
    assert_ok(create(NULL, c, &model));
    assert_ok(ebm_model_init_params(model, 5));
    int64_t n = ebm_model_param_count(model);
    float *theta = malloc((size_t)n * sizeof *theta);
    float *noise = new_normals(6, n);
    assert_non_null(theta);
    assert_ok(ebm_model_get_params(model, n, theta));
    for (int64_t i = 0; i < n; i++) {
        theta[i] += theta[i] == 0.0F ? 0.1F * noise[i] : 0.0F;
    }
    assert_ok(ebm_model_set_params(model, n, theta));
    free(theta);
    free(noise);
    return model;
}

/* Relative to the largest entry: a float32 sum of K products has errors of about sqrt(K) 6e-8 of that. */
static void check_close(int64_t n, const float *got, const double *expected, double tolerance) {
    double largest = 0.0;
    for (int64_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs(expected[i]));
    }
    assert_true(largest > 0.0);
    for (int64_t i = 0; i < n; i++) {
        assert_near(got[i], expected[i], tolerance * largest);
    }
}

static void check_case(const conv_case *c, int64_t n) {
    ebm_model *model = new_conv(c);
    int64_t dim = ebm_model_dim(model);
    int64_t n_params = ebm_model_param_count(model);
    float *x = new_normals(7, n * dim);
    float *weight = new_normals(8, n);
    float *theta = malloc((size_t)n_params * sizeof *theta);
    float *grad_theta = malloc((size_t)n_params * sizeof *grad_theta);
    float *grad_x = malloc((size_t)(n * dim) * sizeof *grad_x);
    double *energy = malloc((size_t)n * 2 * sizeof *energy);
    double *want_x = calloc((size_t)(n * dim), sizeof *want_x);
    double *want_theta = calloc((size_t)n_params, sizeof *want_theta);
    assert_int_equal(dim, c->channels * c->height * c->width);
    assert_ok(ebm_model_get_params(model, n_params, theta));
    assert_ok(ebm_model_grad_x(model, n, x, energy, grad_x));
    assert_ok(ebm_model_param_grad(model, n, x, weight, energy + n, n_params, grad_theta));
    for (int64_t i = 0; i < n; i++) {
        double want = conv_reference(c, x + i * dim, (double)weight[i], theta, want_x + i * dim, want_theta);
        assert_near(energy[i], want, 2e-6 * (1.0 + fabs(want)));
        assert_near(energy[n + i], want, 2e-6 * (1.0 + fabs(want)));
    }
    check_close(n * dim, grad_x, want_x, 2e-6);
    check_close(n_params, grad_theta, want_theta, 5e-6);
    void *all[] = {x, weight, theta, grad_theta, grad_x, energy, want_x, want_theta};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
    ebm_model_destroy(model);
}

static void test_against_the_definition(void **state) {
    (void)state;
    for (int k = 0; k < CASES; k++) {
        check_case(&cases[k], k < SMALL ? 150 : 3);
    }
}

static void test_gradients(void **state) {
    (void)state;
    for (int k = 0; k < SMALL; k++) {
        if (cases[k].activation != EBM_ACT_RELU) {
            ebm_model *model = new_conv(&cases[k]);
            check_gradients(model, 2, 40);
            ebm_model_destroy(model);
        }
    }
}

/*
 * A kernel of one pixel with one filter on one pixel is a perceptron of widths 1 and ...: the same energy from two
 * programs; and so is a kernel as large as the image when only one place sees it all.
 */
static void test_is_a_perceptron(void **state) {
    (void)state;
    enum { N = 40, DIM = 9 };
    const conv_case c = {1, 3, 3, 1, {4}, {3}, {3}, EBM_POOL_NONE, 1, {5}, EBM_ACT_SILU};
    const int64_t widths[2] = {4, 5};
    ebm_model *conv = new_conv(&c);
    ebm_model *mlp;
    float theta[4 * DIM + 4 + 20 + 5 + 5 + 1];
    const int64_t n_params = sizeof theta / sizeof *theta;
    float *x = new_normals(9, N * DIM);
    double energy[2][N];
    assert_int_equal(ebm_model_param_count(conv), n_params);
    assert_ok(ebm_mlp_create(NULL, DIM, 2, widths, EBM_ACT_SILU, &mlp));
    assert_ok(ebm_model_get_params(conv, n_params, theta));
    assert_ok(ebm_model_set_params(mlp, n_params, theta));
    /* Stride 3 sees the image from one place, shifted by the padding: put the image's middle there. */
    for (int64_t i = 0; i < N; i++) {
        float *image = x + i * DIM;
        image[2] = image[5] = image[6] = image[7] = image[8] = 0.0F; /* what the place at (0, 0) cannot see */
    }
    assert_ok(ebm_model_energy(conv, N, x, energy[0]));
    for (int64_t i = 0; i < N; i++) { /* pixels 0, 1, 3, 4 are under kernel elements 4, 5, 7, 8 */
        float *image = x + i * DIM;
        const float seen[DIM] = {0, 0, 0, 0, image[0], image[1], 0, image[3], image[4]};
        memcpy(image, seen, sizeof seen);
    }
    assert_ok(ebm_model_energy(mlp, N, x, energy[1]));
    for (int64_t i = 0; i < N; i++) {
        assert_near(energy[0][i], energy[1][i], 1e-6 * (1.0 + fabs(energy[1][i])));
    }
    free(x);
    ebm_model_destroy(conv);
    ebm_model_destroy(mlp);
}

/* Rows pass in blocks of bounded memory: however many are in a block, and in a call, each has the same energy. */
static void test_blocks(void **state) {
    (void)state;
    enum { N = 300 };
    const conv_case c = {1, 40, 40, 2, {24, 8}, {3, 3}, {1, 2}, EBM_POOL_MEAN, 1, {8}, EBM_ACT_SILU};
    ebm_model *model = new_conv(&c); /* 2^21 floats hold the layers of 26 images */
    int64_t dim = ebm_model_dim(model);
    int64_t n_params = ebm_model_param_count(model);
    float *x = new_normals(10, N * dim);
    float *weight = new_normals(11, N);
    float *grad[2] = {malloc((size_t)(N * dim) * sizeof(float)), malloc((size_t)dim * sizeof(float))};
    float *theta[2] = {malloc((size_t)n_params * sizeof(float)), malloc((size_t)n_params * sizeof(float))};
    double *sum = calloc((size_t)n_params, sizeof *sum);
    static double energy[N];
    assert_ok(ebm_model_set_concurrent(model, 0)); /* all rows in one call */
    assert_ok(ebm_model_grad_x(model, N, x, energy, grad[0]));
    assert_ok(ebm_model_param_grad(model, N, x, weight, NULL, n_params, theta[0]));
    for (int64_t i = 0; i < N; i++) {
        double alone;
        assert_ok(ebm_model_grad_x(model, 1, x + i * dim, &alone, grad[1]));
        assert_near(energy[i], alone, 1e-6 * (1.0 + fabs(alone)));
        for (int64_t j = 0; j < dim; j++) {
            assert_near(grad[0][i * dim + j], grad[1][j], 1e-7);
        }
        assert_ok(ebm_model_param_grad(model, 1, x + i * dim, weight + i, NULL, n_params, theta[1]));
        for (int64_t j = 0; j < n_params; j++) {
            sum[j] += (double)theta[1][j];
        }
    }
    check_close(n_params, theta[0], sum, 5e-6);
    void *all[] = {x, weight, grad[0], grad[1], theta[0], theta[1], sum};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
    ebm_model_destroy(model);
}

static void test_tensors(void **state) {
    (void)state;
    const conv_case c = {3, 9, 5, 2, {4, 2}, {4, 3}, {2, 1}, EBM_POOL_NONE, 1, {5}, EBM_ACT_SILU};
    /* 9 x 5, kernel 4, one zero around, stride 2: 4 x 2 */
    const struct {
        const char *name;
        int32_t rank;
        int64_t shape[4], offset;
    } expected[] = {{"conv1.weight", 4, {4, 4, 4, 3}, 0},  {"conv1.bias", 1, {4}, 192},
                    {"conv2.weight", 4, {2, 3, 3, 4}, 196}, {"conv2.bias", 1, {2}, 268},
                    {"layer1.weight", 2, {5, 16}, 270},     {"layer1.bias", 1, {5}, 350},
                    {"output.weight", 2, {1, 5}, 355},      {"output.bias", 1, {1}, 360}};
    ebm_model *model = NULL;
    assert_ok(create(NULL, &c, &model));
    assert_int_equal(ebm_model_tensor_count(model), 8);
    assert_int_equal(ebm_model_param_count(model), 361);
    for (int64_t i = 0; i < 8; i++) {
        const char *name;
        int32_t rank;
        int64_t shape[8] = {0};
        int64_t offset;
        assert_ok(ebm_model_tensor_info(model, i, &name, &rank, shape, &offset));
        assert_string_equal(name, expected[i].name);
        assert_int_equal(rank, expected[i].rank);
        assert_memory_equal(shape, expected[i].shape, (size_t)rank * sizeof *shape);
        assert_int_equal(offset, expected[i].offset);
    }
    ebm_model_destroy(model);
}

/* Of n draws from N(0, s^2), the mean square has the standard error s^2 sqrt(2 / n). */
static void test_starting_values(void **state) {
    (void)state;
    const conv_case c = {2, 12, 12, 2, {60, 40}, {5, 3}, {2, 2}, EBM_POOL_NONE, 1, {20}, EBM_ACT_SILU};
    const struct {
        const char *name;
        int64_t n;
        double variance;
    } expected[] = {{"conv1.weight", 60 * 50, 2.0 / 50.0},
                    {"conv2.weight", 40 * 540, 2.0 / 540.0},
                    {"layer1.weight", 20 * 360, 2.0 / 360.0},
                    {"output.weight", 20, 1.0 / 20.0}};
    static float values[2][40 * 540];
    ebm_model *model = NULL;
    assert_ok(create(NULL, &c, &model));
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        int64_t n = expected[i].n;
        double squares = 0.0;
        for (int again = 0; again < 2; again++) {
            assert_ok(ebm_model_init_params(model, 60));
            assert_ok(ebm_model_get_tensor(model, expected[i].name, n, values[again]));
        }
        assert_memory_equal(values[0], values[1], (size_t)n * sizeof(float));
        for (int64_t j = 0; j < n; j++) {
            squares += (double)values[0][j] * (double)values[0][j];
        }
        assert_near(squares / (double)n, expected[i].variance, 4.0 * expected[i].variance * sqrt(2.0 / (double)n));
    }
    float bias[60];
    assert_ok(ebm_model_get_tensor(model, "conv1.bias", 60, bias));
    assert_true(bias[0] == 0.0F && bias[59] == 0.0F);
    ebm_model_destroy(model);
}

static void refuse(const conv_case *c, ebm_status status, const char *text) {
    ebm_model *model = NULL;
    assert_status(create(NULL, c, &model), status);
    assert_message("ebm_conv_create: ");
    assert_message(text);
    assert_null(model);
}

static void test_arguments(void **state) {
    (void)state;
    const conv_case good = cases[1];
    const int64_t huge = INT64_C(1) << 33;
    const int64_t most = INT32_MAX;
    const int64_t sizes[1] = {1};
    conv_case c;
    ebm_model *model = NULL;
    assert_status(create(NULL, &good, NULL), EBM_ERR_ARG);
    assert_status(ebm_conv_create(NULL, 1, 4, 4, 1, NULL, sizes, sizes, 0, 0, NULL, EBM_ACT_SILU, &model), EBM_ERR_ARG);
    assert_message("filters is NULL");
    assert_status(ebm_conv_create(NULL, 1, 4, 4, 1, sizes, NULL, sizes, 0, 0, NULL, EBM_ACT_SILU, &model), EBM_ERR_ARG);
    assert_message("kernel is NULL");
    assert_status(ebm_conv_create(NULL, 1, 4, 4, 1, sizes, sizes, NULL, 0, 0, NULL, EBM_ACT_SILU, &model), EBM_ERR_ARG);
    assert_message("stride is NULL");
#define REFUSE(change, status, text) \
    do {                             \
        c = good;                    \
        c.change;                    \
        refuse(&c, status, text);    \
    } while (0)
    REFUSE(channels = 0, EBM_ERR_ARG, "channels is 0");
    REFUSE(height = -1, EBM_ERR_ARG, "height is -1");
    REFUSE(width = huge, EBM_ERR_ARG, "width is 8589934592");
    REFUSE(width = most, EBM_ERR_OVERFLOW, "channels x height x width is 2 x 8 x 2147483647");
    REFUSE(n_conv = 0, EBM_ERR_ARG, "n_conv is 0");
    REFUSE(n_conv = 65, EBM_ERR_ARG, "n_conv is 65");
    REFUSE(filters[1] = 0, EBM_ERR_ARG, "filters[1] is 0");
    REFUSE(filters[0] = huge, EBM_ERR_ARG, "filters[0] is 8589934592");
    REFUSE(filters[0] = most, EBM_ERR_OVERFLOW, "layer 0 makes 16 places x 2147483647 filters");
    REFUSE(kernel[0] = 0, EBM_ERR_ARG, "kernel[0] is 0, must be 1 to 2147483647");
    REFUSE(kernel[1] = most, EBM_ERR_OVERFLOW, "filters of 2147483647 x 2147483647 x 4 pixels, too many");
    REFUSE(stride[0] = 0, EBM_ERR_ARG, "stride[0] is 0");
    REFUSE(stride[0] = huge, EBM_ERR_ARG, "stride[0] is 8589934592");
    REFUSE(pooling = 2, EBM_ERR_ARG, "pooling is 2");
    REFUSE(pooling = -1, EBM_ERR_ARG, "pooling is -1");
    REFUSE(n_dense = -1, EBM_ERR_ARG, "n_dense is -1");
    REFUSE(n_dense = 65, EBM_ERR_ARG, "n_dense is 65");
    REFUSE(widths[0] = 0, EBM_ERR_ARG, "widths[0] is 0");
    REFUSE(widths[0] = huge, EBM_ERR_OVERFLOW, "widths[0] is");
    REFUSE(activation = 0, EBM_ERR_ARG, "activation is 0");
    /* An even kernel has fewer zeros around it than it needs to fit on a single line of pixels. */
    const conv_case line = {1, 1, 16, 1, {1}, {4}, {1}, EBM_POOL_NONE, 0, {0}, EBM_ACT_SILU};
    refuse(&line, EBM_ERR_ARG, "kernel[0] is 4, too large for 1 x 16 pixels");
    const conv_case large = {1, most, 1, 1, {1}, {most}, {most}, EBM_POOL_NONE, 0, {0}, EBM_ACT_SILU};
    refuse(&large, EBM_ERR_OVERFLOW, "too many");
#undef REFUSE
}

static void *small_alloc(size_t size, void *opaque) {
    (void)opaque;
    return size > (1U << 26) ? NULL : malloc(size);
}

static void small_free(void *memory, void *opaque) {
    (void)opaque;
    free(memory);
}

/* Any sizes at all: refused or made, and what is made works. */
static void test_random_shapes(void **state) {
    (void)state;
    static const int64_t interesting[] = {-1, 0, 1, 2, 3, 4, 5, 7, 8, 1 << 16, INT32_MAX, INT64_MAX, INT64_MIN};
    enum { INTERESTING = sizeof interesting / sizeof *interesting, ROUNDS = 1000 };
    uint64_t random = 1;
    int made = 0;
    ebm_context *context = NULL;
    assert_ok(ebm_context_create_with_allocator(small_alloc, small_free, NULL, &context));
    for (int round = 0; round < ROUNDS; round++) {
        int64_t v[16];
        for (int i = 0; i < 16; i++) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            bool wild = (random >> 60) == 0; /* one in 16, as most rounds should be made */
            v[i] = wild ? interesting[(random >> 33) % INTERESTING] : 1 + (int64_t)((random >> 33) % 5);
        }
        const conv_case c = {v[0], v[1], v[2], (int32_t)(v[3] > 2 ? 2 : v[3]), {v[4], v[5]}, {v[6], v[7]},
                             {v[8], v[9]}, (int32_t)(v[10] % 2), (int32_t)(v[11] > 2 ? 2 : v[11]), {v[12], v[13]},
                             (int32_t)v[14]};
        ebm_model *model = NULL;
        ebm_status status = create(context, &c, &model);
        assert_true(status == EBM_OK || status == EBM_ERR_ARG || status == EBM_ERR_OVERFLOW || status == EBM_ERR_NOMEM);
        assert_true((status == EBM_OK) == (model != NULL));
        if (model != NULL && ebm_model_param_count(model) < 10000 && ebm_model_dim(model) < 10000) {
            double energy[2];
            float *x = new_normals(12, 2 * ebm_model_dim(model));
            float *grad = malloc((size_t)(2 * ebm_model_dim(model)) * sizeof *grad);
            made++;
            assert_ok(ebm_model_grad_x(model, 2, x, energy, grad));
            free(x);
            free(grad);
        }
        ebm_model_destroy(model);
    }
    assert_true(made > ROUNDS / 10);
    ebm_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_definition),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_is_a_perceptron),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_starting_values),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_random_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Destroying handles: inside callbacks, while calls are at work on them, and in any order. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "test_models.h"

enum { DIM = 2, CHAINS = 4, PARAMS = 2 * DIM, ROWS = 6 };

typedef struct fixture {
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
} fixture;

static void destroy_all(void *data) {
    fixture *f = data;
    ebm_trainer_destroy(f->trainer);
    ebm_sampler_destroy(f->sampler);
    ebm_model_destroy(f->model);
    ebm_context_destroy(f->context);
    *f = (fixture){0};
}

static int32_t destroy_in_progress(const ebm_trainer *trainer, void *data) {
    (void)trainer;
    destroy_all(data);
    return EBM_CB_OK;
}

static void test_destroy(void **state) {
    (void)state;
    for (int c = 0; c < 6; c++) {
        static test_host host; /* outlives the fixture, which the callback clears */
        fixture f;
        double energy[ROWS];
        float grad[PARAMS];
        float data[ROWS * DIM];
        f = (fixture){0};
        test_fill(ROWS * DIM, data);
        host = (test_host){.hook = destroy_all, .hook_data = &f};
        assert_ok(ebm_context_create(&f.context));
        f.model = test_model_create(f.context, DIM, 0, &host);
        assert_ok(ebm_sampler_create(NULL, f.model, CHAINS, 1, &f.sampler));
        assert_ok(ebm_trainer_create(NULL, f.model, f.sampler, &f.trainer));
        test_host_arm(&host, CALL_ENERGY | CALL_PARAM_GRAD, 1);
        switch (c) {
            case 0:
                assert_ok(ebm_model_energy(f.model, ROWS, data, energy));
                break;
            case 1:
                assert_ok(ebm_sampler_run(f.sampler, 3));
                break;
            case 2:
                assert_ok(ebm_trainer_fit(f.trainer, ROWS, data, 2));
                break;
            case 3:
                test_host_arm(&host, CALL_PARAM_GRAD, 1);
                assert_ok(ebm_trainer_gradient(f.trainer, ROWS, data, PARAMS, grad));
                break;
            case 4:
                assert_ok(ebm_model_check_gradients(f.model, ROWS, data, NULL, NULL));
                break;
            default:
                test_host_arm(&host, 0, 0);
                assert_ok(ebm_trainer_set_progress(f.trainer, destroy_in_progress, &f, 2));
                assert_ok(ebm_trainer_fit(f.trainer, ROWS, data, 3));
                break;
        }
        assert_null(f.model);
    }
}

static void release(void *data) {
    *(int *)data += 1;
}

/* Any order of destruction; release is called once, when the last one that needs the model goes. */
static void test_destroy_orders(void **state) {
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    (void)state;
    for (int o = 0; o < 6; o++) {
        int released = 0;
        ebm_context *context = NULL;
        ebm_model *model = NULL;
        ebm_sampler *sampler = NULL;
        ebm_trainer *trainer = NULL;
        const int64_t dim = DIM;
        assert_ok(ebm_context_create(&context));
        assert_ok(ebm_model_create(context, DIM, test_energy, test_param_grad, &released, &model));
        assert_ok(ebm_model_add_tensor(model, "scale", 1, &dim));
        assert_ok(ebm_model_set_release(model, release));
        assert_ok(ebm_sampler_create(context, model, CHAINS, 1, &sampler));
        assert_ok(ebm_trainer_create(context, model, sampler, &trainer));
        ebm_context_destroy(context);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(released, 0);
            switch (orders[o][i]) {
                case 0: ebm_model_destroy(model); break;
                case 1: ebm_sampler_destroy(sampler); break;
                default: ebm_trainer_destroy(trainer); break;
            }
        }
        assert_int_equal(released, 1);
    }
    ebm_model_destroy(NULL);
    ebm_sampler_destroy(NULL);
    ebm_trainer_destroy(NULL);
    ebm_context_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_destroy), cmocka_unit_test(test_destroy_orders)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * For every public function that can allocate: its n-th allocation fails, n = 1, 2, ... until it succeeds, once and
 * from then on. It says EBM_ERR_NOMEM, nothing has changed, nothing leaks, and the same call with memory then gives the
 * same bits as if there had always been some.
 */
#include "memory_fixture.h"

enum { MOST_CALLS = 2000 };

/* --- the calls --- */

static ebm_status set_threads(fixture *f) {
    return ebm_context_set_threads(f->context, 3);
}

static ebm_status create_model(fixture *f) {
    return ebm_model_create(f->context, DIM, test_energy, NULL, &f->host, &f->made_model);
}

static ebm_status create_gaussian(fixture *f) {
    float precision[12 * 12] = {0};
    for (int i = 0; i < 12; i++) {
        precision[13 * i] = 2;
    }
    return ebm_gaussian_create(f->context, 12, f->data, precision, &f->made_model);
}

static ebm_status create_double_well(fixture *f) {
    return ebm_double_well_create(f->context, DIM, 1, &f->made_model);
}

static ebm_status create_mlp(fixture *f) {
    const int64_t widths[] = {5, 4};
    return ebm_mlp_create(f->context, DIM, 2, widths, EBM_ACT_TANH, &f->made_model);
}

static ebm_status create_conv(fixture *f) {
    const int64_t sizes[2] = {3, 2};
    return ebm_conv_create(f->context, 1, 4, 4, 2, sizes, sizes, sizes, EBM_POOL_MEAN, 2, sizes, EBM_ACT_TANH,
                           &f->made_model);
}

static ebm_status create_sum(fixture *f) {
    ebm_model *parts[2] = {f->model, f->model};
    return ebm_sum_create(f->context, 2, parts, NULL, &f->made_model);
}

/* Of `inner`: positive, on an interval, free. */
static ebm_status create_transformed(fixture *f) {
    return transform(f, f->model, &f->made_model);
}

static ebm_status create_sampler(fixture *f) {
    return ebm_sampler_create(f->context, f->model, 10, 1, &f->made_sampler);
}

static ebm_status create_trainer(fixture *f) {
    return ebm_trainer_create(f->context, f->model, f->sampler, &f->made_trainer);
}

static ebm_status add_tensor(fixture *f) {
    const int64_t shape[] = {2, 3};
    int64_t before = ebm_model_tensor_count(f->model);
    ebm_status status = ebm_model_add_tensor(f->model, "t", 2, shape);
    assert_int_equal(ebm_model_tensor_count(f->model), before + (status == EBM_OK));
    assert_int_equal(ebm_model_param_count(f->model), status == EBM_OK ? 6 : 0);
    return status;
}

static ebm_status init_params(fixture *f) {
    return ebm_model_init_params(f->model, 77);
}

static ebm_status energy(fixture *f) {
    return ebm_model_energy(f->model, ROWS, f->data, f->numbers);
}

static ebm_status grad_x(fixture *f) {
    return ebm_model_grad_x(f->model, ROWS, f->data, f->numbers, f->out);
}

static ebm_status mixed_grad(fixture *f) {
    return ebm_model_mixed_grad(f->model, ROWS, f->data, f->data, f->data, f->numbers, ebm_model_param_count(f->model),
                                f->out);
}

static ebm_status check_mixed_grad(fixture *f) {
    return ebm_model_check_mixed_grad(f->model, 2, f->data, &f->numbers[0]);
}

static ebm_status check_gradients(fixture *f) {
    return ebm_model_check_gradients(f->model, 2, f->data, &f->numbers[0], &f->numbers[1]);
}

static ebm_status set_mask(fixture *f) {
    const uint8_t mask[DIM] = {1, 0, 1};
    ebm_status status = ebm_sampler_set_mask(f->sampler, mask);
    uint8_t got[DIM];
    assert_ok(ebm_sampler_get_mask(f->sampler, got));
    assert_int_equal(got[1], status == EBM_OK ? 0 : 1);
    return status;
}

static ebm_status set_metric(fixture *f) {
    const float mass[DIM * DIM] = {2, 0, 0, 0, 2, 0, 0, 0, 2};
    ebm_status status = ebm_sampler_set_metric(f->sampler, EBM_METRIC_DENSE, DIM * DIM, mass);
    int32_t kind = -1;
    assert_ok(ebm_sampler_get_metric(f->sampler, &kind, 0, NULL));
    assert_int_equal(kind, status == EBM_OK ? EBM_METRIC_DENSE : EBM_METRIC_IDENTITY);
    return status;
}

static ebm_status adapt(fixture *f) {
    return ebm_sampler_adapt(f->sampler, 30, 0.8);
}

static ebm_status set_ladder(fixture *f) {
    int32_t before = ebm_sampler_rung_count(f->sampler);
    ebm_status status = ebm_sampler_set_ladder(f->sampler, 4, (const double[]){1, 2, 4, 8});
    assert_int_equal(ebm_sampler_rung_count(f->sampler), status == EBM_OK ? 4 : before);
    return status;
}

static ebm_status set_rollback(fixture *f) {
    return ebm_trainer_set_rollback(f->trainer, 5, 0.5, 3);
}

static ebm_status tune_ladder(fixture *f) {
    return ebm_sampler_tune_ladder(f->sampler, 30);
}

static ebm_status anneal(fixture *f) {
    return ebm_sampler_anneal(f->sampler, 2, NULL, NULL, (const double[]){2, 1}, 2);
}

static ebm_status summarize(fixture *f) {
    static char table[128 * (DIM + 16)];
    return ebm_sampler_summarize(f->sampler, 20, 1, NULL, NULL, sizeof table, table);
}

static ebm_status restart(fixture *f) {
    return ebm_sampler_restart(f->sampler);
}

static ebm_status get_states(fixture *f) {
    return ebm_sampler_get_states(f->sampler, CHAINS, f->out);
}

static ebm_status set_states(fixture *f) {
    return ebm_sampler_set_states(f->sampler, 5, f->data);
}

static ebm_status fit_noise(fixture *f) {
    return ebm_trainer_fit_noise(f->trainer, ROWS, f->data, EBM_COVARIANCE_FULL, 0.2);
}

typedef struct scene {
    const char *name;
    ebm_status (*call)(fixture *f);
    int flags;
    bool partial; /* whole steps before the failure are kept: going on cannot give the same bits */
} scene;

static const scene SCENES[] = {
    {"set_threads", set_threads, 0, false},
    {"set_threads again", set_threads, THREADS, false},
    {"model_create", create_model, 0, false},
    {"gaussian_create", create_gaussian, 0, false},
    {"double_well_create", create_double_well, 0, false},
    {"mlp_create", create_mlp, 0, false},
    {"conv_create", create_conv, 0, false},
    {"sum_create", create_sum, 0, false},
    {"transformed_create", create_transformed, 0, false},
    {"sampler_create", create_sampler, 0, false},
    {"trainer_create", create_trainer, 0, false},
    {"add_tensor", add_tensor, OPEN, false},
    {"init_params", init_params, 0, false},
    {"init_params, MLP", init_params, MLP, false},
    {"energy, MLP", energy, MLP, false},
    {"energy, MLP, threads", energy, MLP | THREADS, false},
    {"grad_x, MLP", grad_x, MLP, false},
    {"grad_x, transformed", grad_x, TRANSFORMED, false},
    {"param_grad, transformed, MLP, threads", param_grad, TRANSFORMED | MLP | THREADS, false},
    {"param_grad", param_grad, 0, false},
    {"param_grad, MLP, threads", param_grad, MLP | THREADS, false},
    {"mixed_grad, MLP, threads", mixed_grad, MLP | THREADS, false},
    {"mixed_grad, transformed, MLP", mixed_grad, TRANSFORMED | MLP, false},
    {"check_mixed_grad, MLP", check_mixed_grad, MLP, false},
    {"check_gradients", check_gradients, 0, false},
    {"check_gradients, MLP", check_gradients, MLP, false},
    {"set_mask", set_mask, 0, false},
    {"run", run, 0, false},
    {"run, buffer, threads", run, BUFFER | THREADS, false},
    {"run, MALA", run, MALA, false},
    {"run, MALA, MLP, threads", run, MALA | MLP | THREADS, false},
    {"run, MALA, dense metric", run, MALA | DENSE, false},
    {"run, HMC, dense metric, threads", run, HMC | DENSE | THREADS, false},
    {"run, NUTS, MLP, threads", run, NUTS | MLP | THREADS, false},
    {"run, NUTS, dense metric", run, NUTS | DENSE, false},
    {"run, underdamped", run, UNDERDAMPED, false},
    {"run, NUTS, transformed, MLP, threads", run, NUTS | TRANSFORMED | MLP | THREADS, false},
    {"set_metric", set_metric, 0, false},
    {"adapt", adapt, NUTS | DENSE, false},
    {"set_ladder", set_ladder, UNDERDAMPED, false},
    {"set_ladder again", set_ladder, LADDER | UNDERDAMPED | WARM, false},
    {"run, ladder", run, LADDER, false},
    {"run, MALA, MLP, ladder, threads", run, LADDER | MALA | MLP | THREADS, false},
    {"run, random walk, ladder", run, LADDER | WALK, false},
    {"run, underdamped, ladder", run, LADDER | UNDERDAMPED, false},
    {"adapt, ladder", adapt, LADDER | MALA, false},
    {"tune_ladder", tune_ladder, LADDER | MALA, false},
    {"anneal", anneal, LADDER, false},
    {"step, underdamped, ladder", step, LADDER | UNDERDAMPED, false},
    {"step, buffer, rollback", step, ROLLBACK | BUFFER | EXTRAS, false},
    {"step, underdamped, rollback, MLP", step, ROLLBACK | UNDERDAMPED | MLP | EXTRAS, false},
    {"set_rollback", set_rollback, 0, false},
    {"step, buffer, ladder", step, LADDER | BUFFER | EXTRAS, false},
    {"draw", draw, MALA | BUFFER, false},
    {"summarize", summarize, NUTS, true},
    {"restart", restart, BUFFER, false},
    {"get_states", get_states, BUFFER, false},
    {"set_states", set_states, BUFFER, false},
    {"get_mean_energy", mean_energy, BUFFER, false},
    {"step", step, 0, false},
    {"step, buffer, extras", step, BUFFER | EXTRAS, false},
    {"step, SGD, from data", step, SGD | FROM_DATA | EXTRAS, false},
    {"step, MALA, from noise", step, MALA | FROM_NOISE, false},
    {"step, MALA, MLP, buffer, threads, extras", step, MALA | MLP | BUFFER | THREADS | EXTRAS, false},
    {"step, underdamped", step, UNDERDAMPED, false},
    {"param_grad that grows", param_grad, WARM, false},
    {"param_grad that grows, MLP", param_grad, WARM | MLP, false},
    {"step that grows", step, WARM | EXTRAS, false},
    {"fit that grows", fit, WARM, true},
    {"fit of a stream", fit_stream, 0, true},
    {"fit of a stream that grows", fit_stream, WARM, true},
    {"fit", fit, BUFFER | EXTRAS, true},
    {"gradient", gradient, BUFFER | EXTRAS, false},
    {"step, denoising, MLP, threads", step, DENOISING | MLP | THREADS | EXTRAS, false},
    {"step, sliced, that grows", step, SLICED | SGD | WARM, false},
    {"gradient, contrastive", gradient, CONTRASTIVE, false},
    {"step, contrastive, MLP, threads, that grows", step, CONTRASTIVE | MLP | THREADS | EXTRAS | WARM, false},
    {"fit_noise", fit_noise, CONTRASTIVE, false}, /* in place of another */
    {"gradient, MALA, MLP", gradient, MALA | MLP | FROM_DATA, false},
};
enum { N_SCENES = sizeof SCENES / sizeof SCENES[0] };

/* --- what can be seen of a fixture --- */

typedef struct picture {
    int64_t n_params;
    float params[MOST_PARAMS];
    float states[CHAINS * DIM];
    float out[MOST_OUT];
    double numbers[2];
    int64_t steps[2];
} picture;

static void look(const fixture *f, picture *p, bool states) {
    memset(p, 0, sizeof *p);
    p->n_params = ebm_model_param_count(f->model);
    assert_in_range(p->n_params, 0, MOST_PARAMS);
    assert_ok(ebm_model_get_params(f->model, p->n_params, p->params));
    if (f->sampler != NULL) {
        assert_ok(ebm_sampler_get_steps(f->sampler, &p->steps[0]));
        assert_ok(ebm_trainer_get_steps(f->trainer, &p->steps[1]));
        if (states) { /* starts the chains, if nothing has */
            assert_ok(ebm_sampler_get_states(f->sampler, CHAINS, p->states));
        }
    }
}

/* After the call has succeeded: what it wrote, and a step of training, in which every hidden state takes part. */
static void look_after(fixture *f, picture *p) {
    if (f->trainer != NULL) {
        assert_ok(ebm_trainer_step(f->trainer, ROWS, f->data));
    }
    look(f, p, f->trainer != NULL);
    memcpy(p->out, f->out, sizeof p->out);
    memcpy(p->numbers, f->numbers, sizeof p->numbers);
    if (f->made_model != NULL) {
        p->n_params = ebm_model_param_count(f->made_model);
        assert_ok(ebm_model_get_params(f->made_model, p->n_params, p->params));
    }
}

static bool fail_nth(const scene *s, long n, int for_good, const picture *expected) {
    static fixture f;
    static picture before;
    static picture after;
    setup(&f, s->flags);
    look(&f, &before, false);
    failing_allocator_arm(&f.memory, n, for_good);
    ebm_status status = s->call(&f);
    bool failed = atomic_load(&f.memory.calls) >= n;
    failing_allocator_arm(&f.memory, 0, 0);
    if (status != (failed ? EBM_ERR_NOMEM : EBM_OK)) {
        fail_msg("%s, allocation %ld fails: %d, %s", s->name, n, status, ebm_last_error());
    }
    if (failed) {
        assert_message("no memory");
        if (!s->partial) {
            look(&f, &after, false);
            assert_memory_equal(&after, &before, sizeof after);
        }
        assert_true(f.made_model == NULL && f.made_sampler == NULL && f.made_trainer == NULL);
        assert_ok(s->call(&f));
    }
    look_after(&f, &after);
    if (!s->partial && memcmp(&after, expected, sizeof after) != 0) {
        fail_msg("%s: after a failure of allocation %ld the results are different", s->name, n);
    }
    teardown(&f);
    return failed;
}

static void test_every_allocation(void **state) {
    static fixture f;
    static picture expected;
    (void)state;
    for (int i = 0; i < N_SCENES; i++) {
        setup(&f, SCENES[i].flags);
        failing_allocator_arm(&f.memory, 0, 0);
        assert_ok(SCENES[i].call(&f));
        if (atomic_load(&f.memory.calls) == 0) {
            fail_msg("%s allocates nothing: the scene tests nothing", SCENES[i].name);
        }
        look_after(&f, &expected);
        teardown(&f);
        for (int for_good = 0; for_good <= 1; for_good++) {
            long n = 1;
            while (fail_nth(&SCENES[i], n, for_good, &expected)) {
                n++;
                assert_in_range(n, 1, MOST_CALLS);
            }
        }
    }
}

static void test_context(void **state) {
    failing_allocator memory = {0};
    ebm_context *context = NULL;
    (void)state;
    failing_allocator_arm(&memory, 1, 0);
    assert_status(ebm_context_create_with_allocator(failing_alloc, failing_free, &memory, &context), EBM_ERR_NOMEM);
    assert_null(context);
    assert_ok(ebm_context_create_with_allocator(failing_alloc, failing_free, &memory, &context));
    ebm_context_destroy(context);
    assert_int_equal(atomic_load(&memory.live), 0);
    assert_status(ebm_context_create_with_allocator(failing_alloc, NULL, &memory, &context), EBM_ERR_ARG);
    assert_status(ebm_context_create_with_allocator(NULL, failing_free, &memory, &context), EBM_ERR_ARG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation),
        cmocka_unit_test(test_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

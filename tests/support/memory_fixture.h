/* SPDX-License-Identifier: MIT */
/* Handles on an allocator that counts and fails, in all the states that calls meet them in; and the calls. */
#ifndef EBM_TESTS_MEMORY_FIXTURE_H
#define EBM_TESTS_MEMORY_FIXTURE_H

#include <stdbool.h>

#include "failing_allocator.h"
#include "test_models.h"

enum { DIM = 3, CHAINS = 200, ROWS = 300, MOST_PARAMS = 4096, MOST_OUT = 2 * CHAINS * DIM };

typedef struct fixture {
    failing_allocator memory;
    test_host host;
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    ebm_model *made_model; /* what the call under test makes */
    ebm_sampler *made_sampler;
    ebm_trainer *made_trainer;
    float data[ROWS * DIM];
    float out[MOST_OUT];
    double numbers[ROWS];
} fixture;

/* What stands before the call. */
enum {
    MLP = 1,     /* the library's energy, in chunks */
    THREADS = 2, /* two of them */
    MALA = 4,
    BUFFER = 8,
    FROM_DATA = 16,
    FROM_NOISE = 32,
    EXTRAS = 64, /* average, penalty, data noise */
    SGD = 128,
    OPEN = 256, /* the model has no tensors yet and no sampler */
    WARM = 512, /* smaller calls have been made: memory has to grow */
    HMC = 1024,
    NUTS = 2048,
    UNDERDAMPED = 4096,
    DENSE = 8192, /* a metric */
    LADDER = 16384,
    WALK = 32768, /* random */
    TRANSFORMED = 65536,
    DENOISING = 1 << 17,
    SLICED = 1 << 18,
    CONTRASTIVE = 1 << 19,
    ROLLBACK = 1 << 20
};

static inline int32_t kernel_of(int flags) {
    return (flags & MALA) != 0          ? EBM_KERNEL_MALA
           : (flags & HMC) != 0         ? EBM_KERNEL_HMC
           : (flags & NUTS) != 0        ? EBM_KERNEL_NUTS
           : (flags & UNDERDAMPED) != 0 ? EBM_KERNEL_UNDERDAMPED
           : (flags & WALK) != 0        ? EBM_KERNEL_RANDOM_WALK
                                        : EBM_KERNEL_LANGEVIN;
}

static inline void set_objective(fixture *f, int flags) {
    int32_t objective = (flags & DENOISING) != 0     ? EBM_OBJECTIVE_DENOISING_SCORE_MATCHING
                        : (flags & SLICED) != 0      ? EBM_OBJECTIVE_SLICED_SCORE_MATCHING
                        : (flags & CONTRASTIVE) != 0 ? EBM_OBJECTIVE_NOISE_CONTRASTIVE
                                                     : EBM_OBJECTIVE_LIKELIHOOD;
    assert_ok(ebm_trainer_set_objective(f->trainer, objective));
    if (objective == EBM_OBJECTIVE_NOISE_CONTRASTIVE) {
        assert_ok(ebm_trainer_fit_noise(f->trainer, ROWS, f->data, EBM_COVARIANCE_FULL, 0.1));
    }
}

static inline void setup_sampler_and_trainer(fixture *f, int flags) {
    assert_ok(ebm_sampler_create(NULL, f->model, CHAINS, 4, &f->sampler));
    assert_ok(ebm_sampler_set_kernel(f->sampler, kernel_of(flags)));
    assert_ok(ebm_sampler_set_start(f->sampler, (flags & FROM_DATA) != 0    ? EBM_START_DATA
                                                : (flags & FROM_NOISE) != 0 ? EBM_START_NOISE
                                                                            : EBM_START_PERSISTENT));
    assert_ok(ebm_sampler_set_buffer(f->sampler, (flags & BUFFER) != 0 ? 2 * CHAINS : 0, 0.1));
    if ((flags & DENSE) != 0) {
        assert_ok(ebm_sampler_set_metric(f->sampler, EBM_METRIC_DENSE, 0, NULL));
    }
    if ((flags & LADDER) != 0) {
        assert_ok(ebm_sampler_set_ladder(f->sampler, 3, (const double[]){1, 2, 4}));
    }
    assert_ok(ebm_trainer_create(NULL, f->model, f->sampler, &f->trainer));
    assert_ok(ebm_trainer_set_mcmc_steps(f->trainer, 2));
    assert_ok(ebm_trainer_set_batch_size(f->trainer, 128));
    assert_ok(ebm_trainer_set_optimizer(f->trainer, (flags & SGD) != 0 ? EBM_OPT_SGD : EBM_OPT_ADAM));
    set_objective(f, flags);
    if ((flags & ROLLBACK) != 0) {
        assert_ok(ebm_trainer_set_rollback(f->trainer, 2, 0.5, 3));
    }
    if ((flags & EXTRAS) != 0) {
        assert_ok(ebm_trainer_set_average(f->trainer, 0.9));
        assert_ok(ebm_trainer_set_energy_penalty(f->trainer, 0.1));
        assert_ok(ebm_trainer_set_data_noise(f->trainer, 0.1));
    }
}

static inline ebm_status transform(fixture *f, ebm_model *inner, ebm_model **out) {
    const int32_t kinds[] = {EBM_TRANSFORM_LOWER, EBM_TRANSFORM_INTERVAL, EBM_TRANSFORM_NONE};
    const int64_t sizes[] = {1, 1, 1};
    const double lo[] = {0, -1, 0};
    const double hi[] = {0, 2, 0};
    return ebm_transformed_create(f->context, inner, 3, kinds, sizes, lo, hi, out);
}

static inline void setup(fixture *f, int flags) {
    const int64_t widths[] = {16, 8};
    memset(f, 0, sizeof *f);
    assert_ok(ebm_context_create_with_allocator(failing_alloc, failing_free, &f->memory, &f->context));
    assert_ok(ebm_context_set_threads(f->context, (flags & THREADS) != 0 ? 2 : 1));
    test_fill(ROWS * DIM, f->data);
    if ((flags & OPEN) != 0) {
        assert_ok(ebm_model_create(f->context, DIM, test_energy, test_param_grad, &f->host, &f->model));
        return;
    }
    if ((flags & MLP) != 0) {
        assert_ok(ebm_mlp_create(f->context, DIM, 2, widths, EBM_ACT_SILU, &f->model));
        assert_ok(ebm_model_init_params(f->model, 3));
    } else {
        f->model = test_model_create(f->context, DIM, 1, &f->host);
    }
    if ((flags & TRANSFORMED) != 0) {
        ebm_model *inner = f->model;
        assert_ok(transform(f, inner, &f->model));
        ebm_model_destroy(inner);
    }
    setup_sampler_and_trainer(f, flags);
    if ((flags & WARM) != 0) {
        assert_ok(ebm_model_param_grad(f->model, 150, f->data, f->data, NULL, ebm_model_param_count(f->model), f->out));
        assert_ok(ebm_trainer_set_batch_size(f->trainer, 2));
        assert_ok(ebm_trainer_fit(f->trainer, 3, f->data, 1));
        assert_ok(ebm_trainer_set_batch_size(f->trainer, 128));
    }
}

static inline void teardown(fixture *f) {
    ebm_trainer_destroy(f->made_trainer);
    ebm_sampler_destroy(f->made_sampler);
    ebm_model_destroy(f->made_model);
    ebm_trainer_destroy(f->trainer);
    ebm_sampler_destroy(f->sampler);
    ebm_model_destroy(f->model);
    ebm_context_destroy(f->context);
    assert_int_equal(atomic_load(&f->memory.live), 0);
}

static inline ebm_status param_grad(fixture *f) {
    return ebm_model_param_grad(f->model, ROWS, f->data, f->data, f->numbers, ebm_model_param_count(f->model), f->out);
}

static inline ebm_status run(fixture *f) {
    return ebm_sampler_run(f->sampler, 2);
}

static inline ebm_status draw(fixture *f) {
    return ebm_sampler_draw(f->sampler, 2, 1, f->out);
}

static inline ebm_status mean_energy(fixture *f) {
    return ebm_sampler_get_mean_energy(f->sampler, f->numbers);
}

static inline ebm_status step(fixture *f) {
    return ebm_trainer_step(f->trainer, ROWS, f->data);
}

static inline ebm_status fit(fixture *f) {
    return ebm_trainer_fit(f->trainer, ROWS, f->data, 1);
}

static inline int32_t zeros(int64_t batch, int64_t n, int64_t dim, float *x, void *unused) {
    (void)batch, (void)unused;
    memset(x, 0, (size_t)(n * dim) * sizeof *x);
    return EBM_CB_OK;
}

static inline ebm_status fit_stream(fixture *f) {
    return ebm_trainer_fit_stream(f->trainer, zeros, NULL, 3);
}

static inline ebm_status gradient(fixture *f) {
    return ebm_trainer_gradient(f->trainer, ROWS, f->data, ebm_model_param_count(f->model), f->out);
}

#endif /* EBM_TESTS_MEMORY_FIXTURE_H */

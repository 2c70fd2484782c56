/* SPDX-License-Identifier: MIT */
/*
 * Exceptions of a C++ host's callbacks pass through the library. That is no way to end a call: the handles it held are
 * poisoned, answer EBM_ERR_STATE from then on, and can be freed. Nothing else is harmed, and nothing leaks (run under
 * AddressSanitizer).
 */
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include <ebm/ebm.h>

namespace {

struct failure {};

int checks = 0;

void check(bool good, const char *text, int line) {
    checks++;
    if (!good) {
        std::fprintf(stderr, "line %d: %s; last error: %s\n", line, text, ebm_last_error());
        std::exit(1);
    }
}
#define CHECK(condition) check((condition), #condition, __LINE__)

enum where { NOWHERE, ENERGY, PARAM_GRAD, INIT, PROGRESS, DATA, LOG, PARALLEL_FOR };

struct host {
    where place = NOWHERE;
    int at = 1; /* which call of it throws */
    std::thread::id thread = std::this_thread::get_id();

    void visit(where here) {
        if (here == place && std::this_thread::get_id() == thread && --at == 0) {
            throw failure();
        }
    }
};

int32_t energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x, void *data) {
    for (int64_t r = 0; r < n; r++) {
        if (energy != nullptr) {
            energy[r] = 0;
        }
        for (int64_t i = r * dim; i < (r + 1) * dim; i++) {
            if (energy != nullptr) {
                energy[r] += static_cast<double>(theta[0]) * static_cast<double>(x[i]) * static_cast<double>(x[i]) / 2;
            }
            if (grad_x != nullptr) {
                grad_x[i] = theta[0] * x[i];
            }
        }
    }
    static_cast<host *>(data)->visit(ENERGY);
    return EBM_CB_OK;
}

int32_t param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta, double *values,
                   float *grad, void *data) {
    double sum = 0;
    for (int64_t e = 0; e < n * dim; e++) {
        sum += static_cast<double>(weight[e / dim]) * static_cast<double>(x[e]) * static_cast<double>(x[e]) / 2;
    }
    if (grad != nullptr) {
        grad[0] = static_cast<float>(sum);
    }
    static_cast<host *>(data)->visit(PARAM_GRAD);
    return values == nullptr ? EBM_CB_OK : energy(n, dim, x, theta, values, nullptr, data);
}

int32_t init(uint64_t, int64_t, float *theta, void *data) {
    theta[0] = 1;
    static_cast<host *>(data)->visit(INIT);
    return EBM_CB_OK;
}

int32_t progress(const ebm_trainer *, void *data) {
    static_cast<host *>(data)->visit(PROGRESS);
    return EBM_CB_OK;
}

int32_t batch(int64_t, int64_t n, int64_t dim, float *x, void *data) {
    static_cast<host *>(data)->visit(DATA);
    std::fill(x, x + n * dim, 0.0F);
    return EBM_CB_OK;
}

void log_line(int32_t, const char *, void *data) {
    static_cast<host *>(data)->visit(LOG);
}

int32_t parallel_for(int64_t n_tasks, ebm_task_fn task, void *task_data, void *data) {
    for (int64_t i = 0; i < n_tasks; i++) {
        task(i, task_data);
        static_cast<host *>(data)->visit(PARALLEL_FOR);
    }
    return EBM_CB_OK;
}

constexpr int64_t DIM = 2, CHAINS = 600;

struct handles {
    host h;
    ebm_context *context = nullptr;
    ebm_model *model = nullptr;
    ebm_sampler *sampler = nullptr;
    ebm_trainer *trainer = nullptr;
    std::vector<float> data = std::vector<float>(CHAINS * DIM, 0.5F);
    std::vector<double> out = std::vector<double>(CHAINS);

    explicit handles(int32_t threads, int32_t kernel = EBM_KERNEL_LANGEVIN) {
        CHECK(ebm_context_create(&context) == EBM_OK);
        CHECK(ebm_context_set_threads(context, threads) == EBM_OK);
        CHECK(ebm_context_set_log(context, log_line, &h) == EBM_OK);
        CHECK(ebm_model_create(context, DIM, energy, param_grad, &h, &model) == EBM_OK);
        CHECK(ebm_model_add_tensor(model, "a", 0, nullptr) == EBM_OK);
        CHECK(ebm_model_set_init(model, init) == EBM_OK);
        CHECK(ebm_model_init_params(model, 0) == EBM_OK);
        CHECK(ebm_model_set_concurrent(model, 1) == EBM_OK);
        CHECK(ebm_sampler_create(context, model, CHAINS, 1, &sampler) == EBM_OK);
        CHECK(ebm_sampler_set_kernel(sampler, kernel) == EBM_OK);
        CHECK(ebm_trainer_create(context, model, sampler, &trainer) == EBM_OK);
        CHECK(ebm_trainer_set_mcmc_steps(trainer, 2) == EBM_OK);
        CHECK(ebm_trainer_set_progress(trainer, progress, &h, 1) == EBM_OK);
    }
    handles(const handles &) = delete;
    handles &operator=(const handles &) = delete;
    ~handles() {
        ebm_model_destroy(model);
        ebm_trainer_destroy(trainer);
        ebm_context_destroy(context);
        ebm_sampler_destroy(sampler);
    }

    ebm_status use_model() {
        return ebm_model_energy(model, 1, data.data(), out.data());
    }
    ebm_status use_sampler() {
        int64_t steps;
        return ebm_sampler_get_steps(sampler, &steps);
    }
    ebm_status use_trainer() {
        int64_t steps;
        return ebm_trainer_get_steps(trainer, &steps);
    }
};

struct scene {
    const char *name;
    where place;
    int at;
    bool model, sampler, trainer; /* which handles are poisoned */
    std::function<ebm_status(handles &)> call;
};

const scene SCENES[] = {
    {"model energy", ENERGY, 1, true, false, false,
     [](handles &s) { return ebm_model_energy(s.model, CHAINS, s.data.data(), s.out.data()); }},
    {"model param_grad", PARAM_GRAD, 1, true, false, false,
     [](handles &s) {
         float grad;
         return ebm_model_param_grad(s.model, CHAINS, s.data.data(), s.data.data(), s.out.data(), 1, &grad);
     }},
    {"check of gradients", ENERGY, 3, true, false, false,
     [](handles &s) { return ebm_model_check_gradients(s.model, 3, s.data.data(), nullptr, nullptr); }},
    {"init", INIT, 1, true, false, false, [](handles &s) { return ebm_model_init_params(s.model, 1); }},
    {"run", ENERGY, 5, true, true, false, [](handles &s) { return ebm_sampler_run(s.sampler, 20); }},
    {"mean energy", ENERGY, 1, true, true, false,
     [](handles &s) { return ebm_sampler_get_mean_energy(s.sampler, s.out.data()); }},
    {"step", ENERGY, 3, true, true, true,
     [](handles &s) { return ebm_trainer_step(s.trainer, CHAINS, s.data.data()); }},
    {"gradient", PARAM_GRAD, 1, true, true, true,
     [](handles &s) {
         float grad;
         return ebm_trainer_gradient(s.trainer, CHAINS, s.data.data(), 1, &grad);
     }},
    {"fit", PARAM_GRAD, 2, true, true, true,
     [](handles &s) { return ebm_trainer_fit(s.trainer, CHAINS, s.data.data(), 1); }},
    {"progress", PROGRESS, 2, false, false, true,
     [](handles &s) { return ebm_trainer_fit(s.trainer, CHAINS, s.data.data(), 1); }},
    {"data", DATA, 2, false, false, true,
     [](handles &s) { return ebm_trainer_fit_stream(s.trainer, batch, &s.h, 3); }},
    {"log", LOG, 1, false, false, true,
     [](handles &s) { return ebm_trainer_fit(s.trainer, CHAINS, s.data.data(), 1); }},
    {"parallel_for", PARALLEL_FOR, 2, true, true, false,
     [](handles &s) {
         CHECK(ebm_context_set_parallel_for(s.context, parallel_for, &s.h) == EBM_OK);
         return ebm_sampler_run(s.sampler, 20);
     }},
};

void play(const scene &one, int32_t threads, int32_t kernel) {
    handles s(threads, kernel);
    bool thrown = false;
    s.h.place = one.place;
    s.h.at = one.at;
    try {
        one.call(s);
    } catch (const failure &) {
        thrown = true;
    }
    /* With two threads the other one may have taken all pieces of the work: then there was nothing to throw from. */
    check(thrown || threads > 1, one.name, __LINE__);
    s.h.place = NOWHERE;
    if (thrown) {
        CHECK(s.use_model() == (one.model ? EBM_ERR_STATE : EBM_OK));
        CHECK(s.use_sampler() == (one.sampler ? EBM_ERR_STATE : EBM_OK));
        CHECK(s.use_trainer() == (one.trainer ? EBM_ERR_STATE : EBM_OK));
        CHECK((ebm_sampler_run(s.sampler, 1) == EBM_OK) == !(one.model || one.sampler));
        CHECK((ebm_trainer_step(s.trainer, 4, s.data.data()) == EBM_OK) == !(one.model || one.sampler || one.trainer));
    }
    CHECK(ebm_context_set_threads(s.context, 3) == EBM_OK); /* the context's lock has been given back */
    ebm_model *other = nullptr; /* and it serves others as before */
    CHECK(ebm_gaussian_create(s.context, 2, nullptr, nullptr, &other) == EBM_OK);
    CHECK(ebm_model_energy(other, CHAINS, s.data.data(), s.out.data()) == EBM_OK);
    ebm_model_destroy(other);
}

/* A callback that uses another model, and catches what that one's callback throws, is itself well. */
int32_t catching_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *values, float *grad_x,
                        void *data) {
    handles *inner = static_cast<handles *>(data);
    inner->h.place = ENERGY;
    inner->h.at = 1;
    bool thrown = false;
    try {
        ebm_model_energy(inner->model, 1, x, inner->out.data());
    } catch (const failure &) {
        thrown = true;
    }
    CHECK(thrown);
    inner->h.place = NOWHERE;
    const float one = 1;
    (void)theta;
    return energy(n, dim, x, &one, values, grad_x, &inner->h);
}

void play_nested() {
    handles inner(1);
    ebm_model *outer = nullptr;
    CHECK(ebm_model_create(nullptr, DIM, catching_energy, nullptr, &inner, &outer) == EBM_OK);
    CHECK(ebm_model_energy(outer, 1, inner.data.data(), inner.out.data()) == EBM_OK);
    CHECK(inner.use_model() == EBM_ERR_STATE);
    int32_t sign;
    CHECK(ebm_model_get_sign(outer, &sign) == EBM_OK);
    ebm_model_destroy(outer);
}

} // namespace

int main() {
    for (int32_t threads = 1; threads <= 2; threads++) {
        for (const scene &one : SCENES) {
            play(one, threads, EBM_KERNEL_LANGEVIN);
            play(one, threads, EBM_KERNEL_MALA);
        }
    }
    play_nested();
    std::printf("%d checks\n", checks);
    return 0;
}

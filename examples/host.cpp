// SPDX-License-Identifier: MIT
// The same in C++: callbacks as lambdas, an object of the host's as user_data, handles that free themselves.
// A double well with a tilt, E(x; b, t) = b (x^2 - 1)^2 + t x, learns from data which of its wells is the deeper.
#include <ebm/ebm.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

static void check(ebm_status status) {
    if (status != EBM_OK) throw std::runtime_error(ebm_last_error());
}

// What the host's own energy needs beside theta. A lambda that captures nothing becomes a callback.
struct Wells {
    float width = 1.0F;
    float shape(float x) const { return (x * x / (width * width) - 1) * (x * x / (width * width) - 1); }
    float slope(float x) const { return 4 * x / (width * width) * (x * x / (width * width) - 1); }
};

int main() try {
    Wells wells;
    auto energy = [](int64_t n, int64_t, const float *x, const float *theta, double *e, float *grad_x, void *user) -> int32_t {
        const Wells &w = *static_cast<const Wells *>(user);
        for (int64_t i = 0; i < n; i++) {
            if (e) e[i] = static_cast<double>(theta[0]) * w.shape(x[i]) + static_cast<double>(theta[1]) * x[i];
            if (grad_x) grad_x[i] = theta[0] * w.slope(x[i]) + theta[1];
        }
        return EBM_CB_OK;
    };
    auto param_grad = [](int64_t n, int64_t, const float *x, const float *weight, const float *theta, double *e,
                         float *grad_theta, void *user) -> int32_t {
        const Wells &w = *static_cast<const Wells *>(user);
        double by_barrier = 0, by_tilt = 0;
        for (int64_t i = 0; i < n; i++) {
            by_barrier += static_cast<double>(weight[i] * w.shape(x[i]));
            by_tilt += static_cast<double>(weight[i] * x[i]);
            if (e) e[i] = static_cast<double>(theta[0]) * w.shape(x[i]) + static_cast<double>(theta[1]) * x[i];
        }
        if (grad_theta) {
            grad_theta[0] = static_cast<float>(by_barrier);
            grad_theta[1] = static_cast<float>(by_tilt);
        }
        return EBM_CB_OK;
    };

    // Data: 70 % around +1, 30 % around -1.
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0.0F, 0.5F);
    std::bernoulli_distribution right(0.7);
    std::vector<float> data(4000);
    for (float &x : data) x = (right(random) ? 1.0F : -1.0F) + normal(random);

    ebm_model *model = nullptr;
    check(ebm_model_create(nullptr, 1, energy, param_grad, &wells, &model));
    std::unique_ptr<ebm_model, decltype(&ebm_model_destroy)> own_model(model, ebm_model_destroy);
    const int64_t two = 2;
    check(ebm_model_add_tensor(model, "barrier_and_tilt", 1, &two));
    std::vector<float> theta = {1.0F, 0.0F};
    check(ebm_model_bind_params(model, 2, theta.data())); // the host's own memory is the model's

    ebm_sampler *sampler = nullptr;
    check(ebm_sampler_create(nullptr, model, 512, 7, &sampler));
    std::unique_ptr<ebm_sampler, decltype(&ebm_sampler_destroy)> own_sampler(sampler, ebm_sampler_destroy);
    check(ebm_sampler_set_kernel(sampler, EBM_KERNEL_MALA));
    check(ebm_sampler_set_step_size(sampler, 0.1));

    ebm_trainer *trainer = nullptr;
    check(ebm_trainer_create(nullptr, model, sampler, &trainer));
    std::unique_ptr<ebm_trainer, decltype(&ebm_trainer_destroy)> own_trainer(trainer, ebm_trainer_destroy);
    check(ebm_trainer_set_learning_rate(trainer, 0.02));
    check(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_LEARNING_RATE, EBM_SCHEDULE_LINEAR, 0, 40 * 32, 0.0));
    check(ebm_trainer_fit(trainer, static_cast<int64_t>(data.size()), data.data(), 40));

    std::vector<float> draws(50 * 512);
    check(ebm_sampler_draw(sampler, 50, 20, draws.data()));
    double data_right = 0, draws_right = 0;
    for (float x : data) data_right += x > 0 ? 1.0 / 4000 : 0;
    for (float x : draws) draws_right += x > 0 ? 1.0 / (50 * 512) : 0;
    std::printf("barrier %.2f, tilt %.3f; right of 0: %.3f of the draws, %.3f of the data\n",
                static_cast<double>(theta[0]), static_cast<double>(theta[1]), draws_right, data_right);
    return 0;
} catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}

/* SPDX-License-Identifier: MIT */
/* A program of a user in C++: samples an energy that a lambda computes, x^2 / 2, and says what variance it found. */
#include <ebm/ebm.h>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
    ebm_energy_fn energy = [](int64_t n, int64_t, const float *x, const float *, double *e, float *grad,
                              void *) -> int32_t {
        for (int64_t i = 0; i < n; i++) {
            if (e != nullptr) e[i] = 0.5 * static_cast<double>(x[i]) * static_cast<double>(x[i]);
            if (grad != nullptr) grad[i] = x[i];
        }
        return EBM_CB_OK;
    };
    ebm_model *model = nullptr;
    ebm_sampler *sampler = nullptr;
    std::vector<float> draws(10 * 1000);
    ebm_status status = ebm_model_create(nullptr, 1, energy, nullptr, nullptr, &model);
    if (status == EBM_OK) status = ebm_sampler_create(nullptr, model, 1000, 1, &sampler);
    if (status == EBM_OK) status = ebm_sampler_set_kernel(sampler, EBM_KERNEL_MALA);
    if (status == EBM_OK) status = ebm_sampler_set_step_size(sampler, 0.5);
    if (status == EBM_OK) status = ebm_sampler_draw(sampler, 10, 10, draws.data());
    if (status != EBM_OK) std::fprintf(stderr, "%s\n", ebm_last_error());
    double variance = 0;
    for (double x : draws) variance += x * x / 10000;
    std::printf("libebm %s: variance %.2f\n", ebm_version_string(), variance);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    return status != EBM_OK || std::fabs(variance - 1) > 0.1;
}
